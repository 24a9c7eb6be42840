#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# What no proper client sends: refused, the worker lives, memory stays flat.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mojo::JSON qw(decode_json);
use Test::More;
use Time::HiRes ();
use T::Command;
use T::Http;
use T::Run;
use T::Server;
use T::Wait;

my $server = T::Server->start(workers => 1,
	set => { request_timeout => '1s', access_log => 'off' });
my ($worker) = $server->worker_pids;
my $get = "GET /livez HTTP/1.1\r\nHost: x\r\n";

sub resident_kib {
	my ($kib) = T::Command::slurp("/proc/$worker/status") =~
	    /^VmRSS:\s+(\d+) kB/m;
	return $kib;
}

# What is sent, and the status that has to come before the end.
sub refused {
	my ($what, $bytes, $status) = @_;
	my $client = T::Http->connect($server);

	$client->send($bytes);
	my $answer = $client->answer;
	is($answer ? $answer->{status} : $client->why, $status, $what);
	ok($client->is_cut, "$what: and closed")
	    if !$answer || ($answer->{headers}{connection} // '') eq 'close';
	return $answer;
}

sub lives {
	my ($after) = @_;

	is($server->get('/livez')->{status}, 200, "serves after $after");
	is_deeply([ $server->worker_pids ], [$worker], 'the same worker');
	return;
}

subtest 'two hosts' => sub {
	for my $hosts ("Host: x\r\nHost: y", "Host: x\r\nhost: x",
		"HOST: x\r\nX-Between: 1\r\nhOsT:y") {
		refused($hosts =~ s/\r\n/, /gr,
			"GET /livez HTTP/1.1\r\n$hosts\r\n\r\n", 400);
	}
	my $body = '{"key":"k"}';
	my $head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nHost: y\r\n"
	    . "Content-Type: application/json\r\n";
	my $long = $body . ' ' x 20000;

	refused('with a body', $head . 'Content-Length: ' . length($_)
		. "\r\n\r\n$_", 400) for $body, $long;
	refused('in chunks', "${head}Transfer-Encoding: chunked\r\n\r\n"
		. sprintf("%x\r\n%s\r\n0\r\n\r\n", length, $_), 400)
	    for $body, $long;
	my $client = T::Http->connect($server);

	# One behind the other, and hosts in a body, are not two.
	$client->send("$get\r\n$get\r\n");
	is($client->answer->{status}, 200, "request $_") for 1, 2;
	lives('two hosts');
};

# A connection that has said so much before anybody accepts it.
sub early {
	my ($bytes) = @_;

	kill STOP => $worker;
	my $client = T::Http->connect($server);
	$client->send($bytes);
	kill CONT => $worker;
	return $client;
}

subtest 'said before it was accepted' => sub {
	my $client = early("$get\r\n");
	is($client->answer->{status}, 200, 'a request');
	$client->send("$get\r\n");
	is($client->answer->{status}, 200, 'and another');

	$client = early("$get\r\n$get\r\n");
	is($client->answer->{status}, 200, "request $_ of two") for 1, 2;

	$client = early("GET /livez HT");
	$client->send("TP/1.1\r\nHost: x\r\n\r\n");
	is($client->answer->{status}, 200, 'half a request');

	$client = early($get . 'X: ' . 'x' x 6000 . "\r\n\r\n");
	is($client->answer->{status}, 200, 'more than is read at once');

	my $body = '{"key":"' . 'k' x 20000 . '"}';
	$client = early("POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
		. 'Content-Length: ' . length($body) . "\r\n"
		. "Content-Type: application/json\r\n\r\n$body");
	is($client->answer->{status}, 400, 'a body');

	$client = early("garbage\r\n\r\n");
	is($client->answer->{status}, 400, 'garbage');
	ok($client->is_cut, 'and closed');

	early($_) for '', "GET /livez HT", "$get\r\n";
	lives('some that went before');
};

subtest 'garbage' => sub {
	refused('letters', "garbage\r\n\r\n", 400);
	refused('bytes', join('', map { chr } 0 .. 255) . "\r\n\r\n", 400);
	refused('NUL', "\0" x 100, 400);
	refused('TLS', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
		. "\0" x 50, 400);
	refused('HTTP/2', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400);
	refused('HTTP/3 words', "GET / HTTP/9.9\r\n\r\n", 400);
	my $plain = refused('no version', "GET /livez\r\n\r\n", 400);
	unlike($plain->{head}, qr/h2o|partyline/i, 'nobody is named');
	lives('garbage');
};

subtest 'an upgrade to HTTP/2 is not taken' => sub {
	my $answer = refused('h2c',
		"${get}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
		. "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", 200);
	is($answer->{headers}{upgrade}, undef);
};

subtest 'heads' => sub {
	refused('150 headers', $get
		. join('', map { "X-$_: $_\r\n" } 1 .. 150) . "\r\n", 400);
	refused('99 headers', $get
		. join('', map { "X-$_: $_\r\n" } 1 .. 98) . "\r\n", 200);
	refused('a NUL in a header', "${get}X: a\0b\r\n\r\n", 400);
	refused('a header without a name', "${get}: x\r\n\r\n", 400);
	# Our answer and the rest of a mebibyte cross on the way.
	my $client = T::Http->connect($server);
	$client->send($get . 'X: ' . 'x' x 1048576 . "\r\n\r\n");
	my $answer = $client->answer;
	ok(!$answer || $answer->{status} == 400, '1 MiB of header');
	ok($client->is_cut, 'and closed');
	$client = T::Http->connect($server);
	$client->send('GET /' . 'x' x 1048576);
	$answer = $client->answer;
	ok(!$answer || $answer->{status} == 400, '1 MiB of path');
	refused('a long path', 'GET /' . 'x' x 100000
		. " HTTP/1.1\r\nHost: x\r\n\r\n", 404);
	lives('large heads');
};

subtest 'lengths' => sub {
	for my $length ('99999999999999999999999999', '-1', '1e3', '0x10',
		'1, 2', '+5', '') {
		my $answer = refused("Content-Length: $length",
			"${get}Content-Length: $length\r\n\r\n{}", 400);
		is(decode_json($answer->{body})->{code}, 'malformed_request')
		    if $answer;
	}
	my $large = refused('a huge one',
		"${get}Content-Length: 9223372036854775807\r\n\r\n{}", 413);
	is(decode_json($large->{body})->{code}, 'body_too_large');
	for my $lines ("Content-Length: 2\r\nContent-Length: 2\r\n",
		"Content-Length: 2\r\nContent-Length: 3\r\n",
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\ncontent-length: 2\r\n") {
		my $answer = refused('a length told twice', "$get$lines\r\n"
			. ($lines =~ /chunked/ ? "2\r\n{}\r\n0\r\n\r\n"
				: '{} '), 400);
		is(decode_json($answer->{body})->{code}, 'malformed_request');
		is($answer->{headers}{connection}, 'close');
	}
	my $chunked = "${get}Transfer-Encoding: chunked\r\n\r\n";
	refused('a broken chunk', "${chunked}zz\r\n{}\r\n0\r\n\r\n", 400);
	refused('a huge chunk', $chunked . 'f' x 17 . "\r\n{}", 400);
	lives('lengths');
};

subtest 'paths and queries' => sub {
	for my $target ("/\xff", '/%ff', '/%00', '/%', '/%4', '/%gg',
		'/%c0%af', '/%ed%a0%80') {
		my $answer = refused("path " . ($target =~ s/\xff/\\xff/r),
			"GET $target HTTP/1.1\r\nHost: x\r\n\r\n", 400);
		is(decode_json($answer->{body})->{code}, 'invalid_path');
	}
	for my $query ('%ff', '%00', 'a=%', 'a=%4', 'a=%zz', "a=\xc3") {
		my $answer = refused('query',
			"GET /livez?$query HTTP/1.1\r\nHost: x\r\n\r\n", 400);
		is(decode_json($answer->{body})->{code}, 'invalid_query');
	}
	refused('dots', "GET /$_/livez HTTP/1.1\r\nHost: x\r\n\r\n", 404)
	    for '..', '.', '%2e%2e', 'x/..', 'x/%2e%2e';
	refused('slashes', "GET $_ HTTP/1.1\r\nHost: x\r\n\r\n", 404)
	    for '//livez', '/livez//', '/%2flivez', '/' . 'a/' x 100;
	refused('another scheme',
		"GET ftp://x/livez HTTP/1.1\r\nHost: x\r\n\r\n", 404);
	lives('paths');
};

subtest 'bodies' => sub {
	my %bodies = (
		'deep JSON'      => '[' x 100000 . ']' x 100000,
		'half-deep JSON' => '{"a":' x 5000,
		'NUL'            => "{\"a\":\"\0\"}",
		'an escaped NUL' => '{"a":"\u0000"}',
		'invalid UTF-8'  => "{\"a\":\"\xff\xfe\"}",
		'half a pair'    => '{"a":"\ud800"}',
		'a huge integer' => '{"a":123456789012345678901234567890}',
		'a huge number'  => '{"a":1e999}',
		'single quotes'  => "{'a':1}",
		'NaN'            => '{"a":NaN}',
		'nothing but blanks' => '   ',
		'two values'     => '{} {}',
		'cut off'        => '{"a":"b',
		'null'           => 'null',
	);
	for my $what (sort keys %bodies) {
		my $answer = T::Http->request($server, 'GET', '/livez',
			$bodies{$what}, 'Content-Type' => 'application/json');
		is($answer->{status}, 400, $what);
		is(decode_json($answer->{body})->{code}, 'invalid_json');
	}
	lives('bodies');
};

subtest 'those who stop in the middle' => sub {
	my %halves = (
		'of the first line' => 'GET /li',
		'of the head'       => $get,
		'of the body' => "${get}Content-Length: 10\r\n\r\n12345",
		'of a chunk' =>
		    "${get}Transfer-Encoding: chunked\r\n\r\nff\r\nabc",
	);
	my %clients = map { $_ => T::Http->connect($server) } keys %halves;
	my $before = $server->count('requests_timed_out');

	$clients{$_}->send($halves{$_}) for keys %halves;
	for my $where (sort keys %halves) {
		my $answer = $clients{$where}->answer(seconds => 5);
		is($answer ? $answer->{status} : $clients{$where}->why, 408,
			"in the middle $where");
		next if !$answer;
		my $body = decode_json($answer->{body});
		is($body->{code}, 'request_timeout');
		is($body->{requestId}, $answer->{headers}{'x-request-id'});
		is($answer->{headers}{connection}, 'close');
		ok($clients{$where}->is_cut, 'and closed');
	}
	is($server->count('requests_timed_out'), $before + 4, 'counted');

	my $silent = T::Http->connect($server);
	ok($silent->is_cut(5), 'who says nothing at all is closed');
	is($silent->rest, '', 'without a word');

	for my $half (values %halves) {
		T::Http->connect($server)->send($half) for 1 .. 20;
	}
	lives('halves of requests');
};

subtest 'those who trickle' => sub {
	my $head = T::Http->connect($server);
	my $body = T::Http->connect($server);
	my $sent = 0;

	# A byte now and then keeps a line busy for ever, but not ours.
	$head->send('GET /');
	$body->send("${get}Content-Length: 1000000\r\n\r\n");
	ok((wait_until {
		for my $client ($head, $body) {
			$client->send('x');
			$client->more(Time::HiRes::time() + 0.001);
		}
		$sent++;
		2 == grep { $_->rest =~ m{^HTTP/1.1 408} } $head, $body;
	} 8), 'both are told in time');
	cmp_ok($sent, '>', 10, 'though they never stopped');

	my $steady = T::Http->connect($server);
	my $json   = '"' . 'x' x (16384 * 6 - 2) . '"';
	$steady->send("${get}Content-Length: " . length($json) . "\r\n\r\n");
	while (length $json) {
		$steady->send(substr $json, 0, 8192, '');
		pause(0.2);
	}
	is($steady->answer->{status}, 200,
		'who is slow but steady has a second more for each 16 KiB');
	lives('trickles');
};

subtest 'memory' => sub {
	plan skip_all => 'a sanitizer keeps what was freed'
	    if T::Run::has('SANITIZED');
	my @waves = (
		sub { "GET /" . 'x' x 300000 },
		sub { "${get}X: " . 'x' x 1048576 },
		sub { "${get}Content-Length: 1000000\r\n\r\n"
			. '[' x 1000000 },
		sub { $get . "Transfer-Encoding: chunked\r\n\r\n"
			. "1\r\n[\r\n" x 20000 . "0\r\n\r\n" },
		sub { join '', map { chr int rand 256 } 1 .. 5000 },
	);
	my $wave = sub {
		for my $make (@waves) {
			my @clients = map { T::Http->connect($server) } 1 .. 10;
			$_->send($make->()) for @clients;
			$_->close for @clients;
		}
		$server->counts(connections_open => 0);
	};

	$wave->();
	my $before = resident_kib();
	$wave->() for 1 .. 8;
	my $after = resident_kib();
	cmp_ok($after - $before, '<', 4096,
		"flat: $before KiB before, $after KiB after");
	lives('waves of it');
};

done_testing;
