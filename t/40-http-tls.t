#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# The same over TLS: what is in clear is tested elsewhere.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Open3 qw(open3);
use Mojo::JSON qw(decode_json);
use Symbol     qw(gensym);
use Test::More;
use Time::HiRes qw(time);
use T::Certificate;
use T::Http;
use T::Run;
use T::Server;
use T::Wait;

my $tls = T::Certificate->new('game.example');
my $server = T::Server->start(workers => 1, set => {
	$tls->options,
	request_timeout => '1s', keepalive_timeout => '1s',
});

# openssl's client as an actor: what it is told, it sends.
sub client {
	my (@words) = @_;
	my ($in, $out);
	my $pid = open3($in, $out, undef, 'setpriv', '--pdeathsig', 'KILL',
		'openssl', 's_client', '-connect', $tls->address, '-quiet',
		'-servername', 'game.example', @words);

	binmode $_ for $in, $out;
	return bless { pid => $pid, in => $in, socket => $out, got => '',
		why => '' }, 'T::Http';
}

sub say_to {
	my ($client, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';

	syswrite $client->{in}, $bytes;
	return;
}

# The words that openssl puts before what it received.
sub answer {
	my ($client) = @_;

	$client->take_through("HTTP/1.1", time + 10) // return { status => 0 };
	$client->{got} = "HTTP/1.1$client->{got}";
	return $client->answer(seconds => 10) // { status => 0 };
}

sub leave {
	my ($client) = @_;

	close $client->{in};
	kill KILL => $client->{pid};
	waitpid $client->{pid}, 0;
	return;
}

sub says {
	my (@words) = @_;

	my $client = "openssl s_client -connect " . $tls->address . " @words";

	return scalar qx($client </dev/null 2>&1);
}

my $ask = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

subtest 'versions and protocols' => sub {
	like(says('-tls1_3'), qr/Protocol\s*: TLSv1.3|New, TLSv1.3/, '1.3');
	like(says('-tls1_2'), qr/New, TLSv1.2|Protocol\s*: TLSv1.2/, '1.2');
	unlike(says('-tls1_1', '-cipher', 'ALL:\@SECLEVEL=0'),
		qr/New, TLSv1.1|Verify return code: 18.*TLSv1.1/s, 'not 1.1');
	like(says('-alpn', 'h2,http/1.1'), qr/ALPN protocol: http\/1.1/,
		'http/1.1 by ALPN');
	like(says('-alpn', 'h2'), qr/No ALPN negotiated/, 'h2 is not spoken');
};

subtest 'requests' => sub {
	for my $version (qw(-tls1_2 -tls1_3)) {
		my $client = client($version);
		for (1 .. 3) {
			say_to($client, $ask);
			my $answer = answer($client);
			is($answer->{status}, 200, "$version");
			is($answer->{body}, '{"status":"ok"}');
		}
		leave($client);
	}
	my $client = client();
	say_to($client, "POST /livez HTTP/1.1\r\nHost: x\r\n"
		. "Content-Length: 99999999\r\n\r\n");
	is(answer($client)->{status}, 413, 'refusals');
	ok($client->is_cut, 'closed');
	leave($client);
};

subtest 'bounds of time' => sub {
	my $half = client();
	say_to($half, "GET /livez HTTP/1.1\r\nHost: x\r\n"
		. "Content-Length: 10\r\n\r\n12345");
	my $answer = answer($half);
	is($answer->{status}, 408, 'who stops in the middle is told');
	is(decode_json($answer->{body} || '{}')->{code}, 'request_timeout');
	ok($half->is_cut, 'closed');
	leave($half);

	my $idle = client();
	say_to($idle, $ask);
	is(answer($idle)->{status}, 200);
	ok($idle->is_cut(8), 'idle ones are closed');
	leave($idle);

	my $mute = T::Http->connect($tls->address);
	ok($mute->is_cut(8), 'who does not shake hands is closed');
	my $clear = T::Http->connect($tls->address);
	$clear->send($ask);
	ok($clear->is_cut(8), 'so is who speaks in clear');
	my $begins = T::Http->connect($tls->address);
	$begins->send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
	ok($begins->is_cut(8), 'and who stops in his first words');
	ok((wait_until { $server->count('connections_open') == 0 }),
		'nobody is left');
	is($server->get('/livez')->{status}, 200);
};

subtest 'a session goes on' => sub {
	my $file = "$tls->{pem}.session";

	says('-tls1_2', '-sess_out', $file);
	like(says('-tls1_2', '-sess_in', $file), qr/^Reused, TLSv1.2/m,
		'with a ticket');
};

subtest 'a reload takes a new certificate' => sub {
	my $new = T::Certificate->new('new.example');

	rename $new->{$_}, $tls->{$_} for qw(key pem);
	$server->hup;
	ok((wait_until { says() =~ /CN ?= ?new\.example/ } 20), 'it is shown');
};

subtest 'what cannot be used' => sub {
	my $other = T::Certificate->new('other.example');
	my %cases = (
		'a key of another' => [$tls->{pem}, $other->{key}],
		'no certificate'   => [$tls->{key}, $tls->{key}],
	);
	for my $what (sort keys %cases) {
		my $bad = T::Server->start(workers => 1, wait => '', set => {
			tls_listen => T::Certificate->new->address,
			tls_certificate => $cases{$what}[0],
			tls_key => $cases{$what}[1],
		});
		$bad->expect_exit(undef);
		ok($bad->wait_for_log(
			qr/"why":"[^"]*(?:certificate|private key)/),
			"$what is told");
	}
};

done_testing;
