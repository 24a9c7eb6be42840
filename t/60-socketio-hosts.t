#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Engine.IO over two hosts that are each other's peers: whichever gets a
# request, its session answers, as if there were one; what a peer may do, and
# what is left when one is gone.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::IP;
use MIME::Base64 qw(encode_base64url);
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use T::Certificate;
use T::Db;
use T::EngineIo;
use T::Frame;
use T::Http;
use T::Server;
use T::Wait;

my $tls = T::Certificate->new;

my $db   = T::Db->new;
my $own  = T::Server::own_host();
my @at   = map { $own . ':' . T::Server::free_port($own) } 1 .. 4;
my $unknown = '400 {"code":1,"message":"Session ID unknown"}';

# Hosts 3 and 4 are none: who takes connections and says nothing, and one
# that takes none any more.
my ($silent, $full) = map {
	IO::Socket::IP->new(LocalAddr => $_, Listen => 1) // die "$_: $!\n"
} @at[2, 3];
my @waiting = map { my $socket = IO::Socket::IP->new(PeerAddr => $at[3],
	Blocking => 0) } 1 .. 8;

sub host {
	my ($number, %set) = @_;
	my $host = T::Server->start(wait => 'readyz', workers => 2, set => {
		socketio_conformance => 'on', engineio_upgrade_timeout => 2000,
		listen => $at[$number - 1], host_number => $number,
		peers => join(' ', map { "$_=$at[$_ - 1]" } 1 .. 4),
		trusted_proxies => '127.0.0.0/8', database_url => $db->url,
		drain_spread => '200ms', drain_timeout => '2s',
		request_timeout => '2s', %set });

	return $host;
}

my $ann = host(1);
my $bob = host(2, $tls->options);

# A session of the one, and the same as asked of the other.
sub opened {
	my ($home, $away) = @_;
	my $engine = T::EngineIo->new($home // $ann);

	$engine->open;
	return ($engine, at($away // $bob, $engine->{sid}));
}

sub at {
	my ($host, $sid, @options) = @_;

	return T::EngineIo->new($host, sid => $sid, @options);
}

sub said { return "$_[0]{status} $_[0]{body}" }

# Once its owner keeps a GET waiting that came to the other.
sub held {
	my ($home, $away) = @_;
	my $before = $home->{server}->count('engineio_polls');
	my $http = $away->ask;

	wait_until { $home->{server}->count('engineio_polls') > $before }
	    or die "no request waits\n";
	return $http;
}

# A name that host could have given.
sub sid_of {
	my ($number) = @_;

	return encode_base64url(pack 'nx13', $number);
}

subtest 'polling at the other host' => sub {
	my ($home, $away) = opened();
	my $before = $bob->count('engineio_forwards');

	is(said($away->post('4a')), '200 ok', 'sent');
	is(said($away->get), '200 4a', 'fetched');
	my $waits = held($home, $away);
	$home->post('4b');
	is(said($waits->answer), '200 4b', 'who waits is answered');
	$waits = $home->held;
	$away->post("4c\x1ebAQID");
	is(said($waits->answer), "200 4c\x1ebAQID", 'and the other way');
	my $long = '4' . 'x' x 900_000;
	is($away->post($long)->{body}, 'ok', 'much');
	ok($away->get->{body} eq $long, 'and back');
	is($away->post("4$long$long")->{status}, 413, 'too much');
	is(said($away->post('')), said((opened())[0]->post('')), 'nothing');
	($home, $away) = opened();
	is($away->post('4d', headers => { 'Content-Type' =>
		'application/octet-stream' })->{status}, 400, 'bytes');
	is(said($away->get), $unknown, 'end it');
	($home, $away) = opened();
	is($away->post('x')->{status}, 400, 'no payload');
	is(said($away->get), $unknown, 'ends it');
	cmp_ok($bob->count('engineio_forwards') - $before, '>', 8,
		'it was asked');
	is($bob->count('engineio_forwards_failed'), 0, 'and answered');
	is($ann->count('engineio_forwards'), 0, 'asking nobody');
};

subtest 'many, on few connections' => sub {
	my ($home, $away) = opened();
	my $before = $ann->count('connections_accepted');

	for my $n (1 .. 50) {
		$away->post("4$n");
		is($away->get->{body}, "4$n", "number $n");
	}
	cmp_ok($ann->count('connections_accepted') - $before, '<', 80,
		'some are used again');
};

subtest 'names that are nobody\'s' => sub {
	my ($home, $away) = opened();
	my $other = substr($home->{sid}, 0, 19)
	    . (substr($home->{sid}, 19) eq 'A' ? 'B' : 'A');

	for my $sid ($other, sid_of(1), sid_of(2), sid_of(5), '_' x 20) {
		my $stranger = at($bob, $sid);

		is(said($stranger->get), $unknown, "$sid: polling");
		my $ws = $stranger->websocket;
		is(said($ws->answer), '400 Session ID unknown',
			"$sid: WebSocket");
	}
	is($away->get(query => { transport => 'websocket' })->{status}, 400,
		'no WebSocket');
	is($away->request(method => 'PUT', body => '')->{status}, 400,
		'another method');
	is(said(at($bob, $home->{sid}, path => '/socket.io/')->get), $unknown,
		'another door');
	$home->post('4a');
	is($away->get->{body}, '4a', 'it lives');
};

subtest 'what comes from a peer goes no further' => sub {
	my ($home, $away) = opened();
	my $before = $bob->count('engineio_forwards');

	is(said($away->get(headers => { 'X-Partyline-Peer' => 9 })), $unknown,
		'polling');
	is(said($away->websocket(headers => { 'X-Partyline-Peer' => 9 })
	    ->answer), '400 Session ID unknown', 'WebSocket');
	is($bob->count('engineio_forwards'), $before, 'nobody was asked');
};

subtest 'two that wait, and one that leaves' => sub {
	my ($home, $away) = opened();
	my $first = held($home, $away);

	is($home->get->{status}, 400, 'refused');
	is(said($first->answer), '200 1', 'told');
	is(said($home->get), $unknown, 'over');
	($home, $away) = opened();
	$first = $home->held;
	is($away->get->{status}, 400, 'the other way: refused');
	is(said($first->answer), '200 1', 'told');
	($home, $away) = opened();
	$first = held($home, $away);
	$first->close;
	ok((wait_until { said($home->post('3')) eq $unknown }),
		'who leaves there ends it');
	($home, $away) = opened();
	$first = held($home, $away);
	is($away->post('1')->{body}, 'ok', 'who says so');
	is(said($first->answer), '200 6', 'is told nothing');
};

subtest 'the change at the other host' => sub {
	my %ways = ('in clear' => [], 'with much behind it' =>
		[behind => frame(0x81, '2probe') . frame(0x89, 'x' x 100)],
		'compressed' => [deflate => 1], 'under TLS' => [tls =>
		$tls->address]);

	for my $way (sort keys %ways) {
		my ($home, $away) = opened();
		my $waits = held($home, $away);
		my $ws = $away->websocket(@{ $ways{$way} });

		is($ws->status, 101, "$way: a probe");
		$ws->send('2probe') if $way !~ /behind/;
		is($ws->hear, '3probe', "$way: answered");
		is($ws->hear, 'x' x 100, "$way: and the rest")
		    if $way =~ /behind/;
		is(said($waits->answer), '200 6', "$way: sent away");
		$away->post('4a');
		$ws->send('5');
		$ws->send('4b' . 'y' x 1000);
		is($ws->hear, '4a', "$way: in order");
		is($ws->hear, '4b' . 'y' x 1000, "$way: it is the wire");
		$ws->bytes("\0\1");
		is($ws->hear, "b:\0\1", "$way: bytes");
		my $long = '4' . join '', map { chr 97 + int rand 26 }
		    1 .. 600_000;
		$ws->send($long);
		ok($ws->hear eq $long, "$way: much");
		like($away->get->{body}, qr/"code":3/, "$way: no polling");
		is($away->websocket->hear, 'C1005', "$way: no second");
		$ws->leave;
		is($ws->hear, 'C1005', "$way: left");
		ok((wait_until { said($home->get) eq $unknown }),
			"$way: over");
		$ws->hang_up;
	}
	my ($home, $away) = opened();
	my $ws = $away->upgrade;
	$ws->hang_up;
	ok((wait_until { said($home->get) eq $unknown }), 'hung up: over');
	($home, $away) = opened();
	$ws = $away->websocket;
	is($ws->hear, 'C1005', 'a probe that says nothing');
	is(said($away->websocket(headers => { 'Sec-WebSocket-Key' => 'x' })
	    ->answer), '400 Bad request', 'no handshake');
};

# As the log of the one who answers has it.
subtest 'whose request it is' => sub {
	my ($home, $away) = opened();
	my $mark = $ann->log_mark;

	$away->post('4a', headers => { 'X-Request-Id' => 'by-proxy',
		'X-Forwarded-For' => '192.0.2.7' });
	ok((wait_until { $ann->log_since($mark) =~ /by-proxy/ }), 'its name');
	my ($line) = grep { /by-proxy/ } split /\n/, $ann->log_since($mark);
	like($line, qr/"192\.0\.2\.7"/, 'its address');
};

# What is asked of host 3, answered by hand; undef: not at all.
sub by_hand {
	my ($http, @pieces) = @_;
	my $asked = '';

	wait_until { IO::Select->new($silent)->can_read(0.1) }
	    or die "nobody asks\n";
	my $peer = $silent->accept;
	sysread $peer, $asked, 65536, length $asked while $asked !~ /\r\n\r\n/;
	for my $piece (@pieces) {
		local $SIG{PIPE} = 'IGNORE';

		syswrite $peer, $piece or last;
	}
	return ($asked, $peer);
}

subtest 'what a peer is asked' => sub {
	my $engine = at($bob, sid_of(3), headers => { Host => 'b.example',
		Cookie => 'a=b', Origin => 'http://o.example',
		Accept => 'x', Forwarded => 'for=192.0.2.9' });
	my $http = $engine->ask(method => 'POST', body => '4a',
		headers => { 'X-Forwarded-For' => '192.0.2.7',
			'X-Forwarded-Proto' => 'https',
			'Content-Type' => 'text/plain' });
	my ($asked) = by_hand($http, "HTTP/1.1 200 OK\r\nContent-Length: 2"
		. "\r\nContent-Type: text/html\r\n\r\nok");

	is(said($http->answer), '200 ok', 'answered');
	$asked =~ s/^(X-Request-Id: )\w+/$1ID/m;
	is($asked, join "\r\n", "POST /engine.io/?EIO=4&sid=$engine->{sid}"
		. '&transport=polling HTTP/1.1', 'Host: b.example',
		'content-type: text/plain', 'cookie: a=b',
		'origin: http://o.example', 'X-Forwarded-For: 192.0.2.9',
		'X-Forwarded-Proto: http', 'X-Request-Id: ID',
		'X-Partyline-Peer: 2', 'Content-Length: 2', '', '4a');
};

subtest 'peers that say odd things' => sub {
	my $ok = "HTTP/1.1 200 OK\r\n";
	my $text = "Content-Type: text/plain; charset=UTF-8\r\n";
	my @odd = (
		['a length', '200 4a', "$ok${text}Content-Length: 2\r\n\r\n4a"],
		['in pieces', '200 4a', 'HTTP/1.1 2', "00 OK\r\n$text",
			"Content-Length: 2\r\n\r\n4", 'a'],
		['chunks', '200 4abc', "$ok${text}Transfer-Encoding: chunked"
			. "\r\n\r\n2\r\n4a\r\n2\r\nbc\r\n0\r\n\r\n"],
		['no length', '200 4a', "$ok$text\r\n4a"],
		['a word before', '200 4a', "HTTP/1.1 100 Continue\r\n\r\n"
			. "$ok${text}Content-Length: 2\r\n\r\n4a"],
		['no type', '503 ', "HTTP/1.1 503 Busy\r\n"
			. "Content-Length: 0\r\n\r\n"],
		['bad chunks', $unknown, "$ok${text}Transfer-Encoding: chunked"
			. "\r\n\r\nx\r\n"],
		['half a body', $unknown, "$ok${text}Content-Length: 9"
			. "\r\n\r\n4a"],
		['garbage', $unknown, "garbage\r\n\r\n"],
		['half a head', $unknown, "HTTP/1.1 200 OK\r\nContent-"],
		['nothing', $unknown],
		['a WebSocket', $unknown, "HTTP/1.1 101 Yes\r\nUpgrade: "
			. "websocket\r\nConnection: upgrade\r\n\r\n"],
		['no end', $unknown, "${ok}Content-Length: 99999999\r\n\r\n",
			('x' x 1_000_000) x 70],
	);

	for my $odd (@odd) {
		my ($name, $wanted, @pieces) = @$odd;
		my $http = at($bob, sid_of(3))->ask;
		my (undef, $peer) = by_hand($http, @pieces);

		close $peer;
		is(said($http->answer), $wanted, $name);
	}
	my $yes = "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
	    . "Connection: upgrade\r\n";
	my @sockets = (
		['words', 400, [], "HTTP/1.1 400 No\r\nContent-Length: 3\r\n"
			. "\r\nabc"],
		['compressed unasked', 400, [], $yes . 'Sec-WebSocket-'
			. "Extensions: permessage-deflate\r\n\r\n"],
		['not compressed', 400, [deflate => 1], "$yes\r\n"],
		['nothing', 400, []],
		['words and at once a frame', 101, [], "$yes\r\n\x81\x02hi"],
	);

	for my $socket (@sockets) {
		my ($name, $status, $options, @pieces) = @$socket;
		my $pid = fork // die "fork: $!\n";

		if ($pid == 0) {
			by_hand(undef, @pieces);
			POSIX::_exit(0);
		}
		my $ws = at($bob, sid_of(3))->websocket(@$options);

		waitpid $pid, 0;
		is($ws->status, $status, "$name: $status");
		is($ws->answer->{body}, 'abc', 'as it says')
		    if $name eq 'words';
		next if $status != 101;
		is($ws->hear, 'hi', 'is heard');
		ok($ws->is_cut, 'and it ends');
	}
	is($bob->log_text =~ /panic/, '', 'nobody minds');
};

# Milliseconds, and the answer.
sub timed {
	my ($call) = @_;
	my $began = time;
	my $answer = $call->();

	return ((time - $began) * 1000, $answer);
}

subtest 'peers that say nothing' => sub {
	my $slow = $ENV{T_SLOW} || 1;
	my $before = $bob->count('engineio_forwards_failed');

	for my $number (3, 4) {
		my $engine = at($bob, sid_of($number), worker => 1);
		my ($ms, $answer) = timed(sub { $engine->post('4a') });

		is(said($answer), $unknown, "$number: a POST");
		cmp_ok($ms, '>', 1900, "$number: after a while");
		cmp_ok($ms, '<', 6000 * $slow, "$number: and no longer");
		($ms, $answer) = timed(sub { $engine->websocket->answer });
		is(said($answer), '400 Session ID unknown',
			"$number: a WebSocket");
		cmp_ok($ms, '<', 6000 * $slow, "$number: no longer");
	}
	my $engine = at($bob, sid_of(3));
	my $waits = $engine->ask;
	ok((wait_until { IO::Select->new($silent)->can_read(0) }),
		'who waits at one');
	$waits->close;
	is($bob->count('engineio_forwards_failed') - $before, 4, 'counted');
	ok($bob->wait_for_log(qr/peer cannot be reached.*"peer":4/), 'told');
	is(() = $bob->log_text =~ /peer cannot be reached/g, 1,
		'once by its worker');
};

subtest 'no peers' => sub {
	my $carl = host(1, listen => $own . ':' . T::Server::free_port($own),
		peers => '');
	my $dora = host(0, listen => $own . ':' . T::Server::free_port($own),
		peers => '', host_number => 0);
	my ($home) = opened();

	is(said(at($_, $home->{sid})->get), $unknown, 'polling')
	    for $carl, $dora;
	is(said(at($_, $home->{sid})->websocket->answer),
		'400 Session ID unknown', 'WebSocket') for $carl, $dora;
	$home->post('4a');
	is($home->get->{body}, '4a', 'it lives');
};

subtest 'a host that is reloaded' => sub {
	my ($home, $away) = opened();
	my $waits = held($home, $away);
	my $before = $bob->count('reloads');
	my $ws = (opened())[1]->upgrade;

	$bob->hup;
	ok((wait_until { $bob->count('reloads') > $before }), 'reloaded');
	is($ws->hear, '', 'a WebSocket ends')
	    or diag($ws->{http}->why);
	$home->post('4a');
	is(said($waits->answer), '200 4a', 'who waits is answered');
	delete $bob->{is_serving};
	wait_until { $bob->count('draining') == 0 } 30;
	$home->post('4b');
	is(said($away->get), '200 4b', 'and so by the next');
};

subtest 'a host that is killed' => sub {
	my ($home, $away) = opened();
	my $waits = held($home, $away);
	my $ws = (opened())[1]->upgrade;
	my @children = map { $_->{pid} } $ann->processes;
	my $mark = $bob->log_mark;

	kill KILL => @children, $ann->pid;
	$ann->kill9;
	is(said($waits->answer), $unknown, 'who waits is told');
	ok($ws->is_cut(10), 'a WebSocket is cut');
	my ($ms, $answer) = timed(sub { $away->post('4a') });
	is(said($answer), $unknown, 'it is not known');
	cmp_ok($ms, '<', 1000 * ($ENV{T_SLOW} || 1), 'at once');
	is(said($away->websocket->answer), '400 Session ID unknown',
		'nor by WebSocket');
	ok($bob->wait_for_log(qr/peer cannot be reached.*"peer":1/), 'told');

	$ann->spawn;
	ok($ann->wait_ready('readyz'), 'it comes again');
	delete $ann->{is_serving};
	is(said($away->get), $unknown, 'and knows nothing of it');
	($home, $away) = opened();
	$away->post('4a');
	is($away->get->{body}, '4a', 'but has its place again');
	ok((wait_until {
		$away->post('4a', worker => $_) for 1, 2;
		$bob->log_text =~ /peer is reached again.*"peer":1/
	}), 'told');
};

subtest 'a host that stops' => sub {
	my ($home, $away) = opened();
	my $waits = held($home, $away);
	my $ws = (opened())[1]->upgrade;

	$bob->stop;
	ok($waits->answer || $waits->why =~ /^c/, 'leaves nobody waiting');
	ok($ws->is_cut, 'a WebSocket is cut');
	ok((wait_until { said($home->get) eq $unknown }),
		'for its session the client has gone');
};

$ann->stop;

done_testing;
