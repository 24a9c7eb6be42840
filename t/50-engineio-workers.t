#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Engine.IO over several workers: whichever gets a request, its session
# answers, as if there were one; and what is left when one of them dies.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(shuffle);
use Test::More;
use T::Certificate;
use T::EngineIo;
use T::Frame;
use T::Server;
use T::Wait;

my $tls = T::Certificate->new;

my $server = T::Server->start(wait => 'readyz', workers => 2, set => {
	socketio_conformance => 'on', engineio_upgrade_timeout => 500,
	$tls->options, drain_spread => '200ms' });
my $unknown = '400 {"code":1,"message":"Session ID unknown"}';

# A session of worker 1.
sub opened {
	my $engine = T::EngineIo->new($server, @_);

	$engine->open(worker => 1);
	return $engine;
}

sub said { return "$_[0]{status} $_[0]{body}" }

subtest 'polling elsewhere' => sub {
	my $engine = opened();
	my $before = $server->count('engineio_errands');

	is(said($engine->post('4a', worker => 2)), '200 ok', 'sent');
	is(said($engine->get(worker => 2)), '200 4a', 'fetched');
	my $waits = $engine->held(worker => 2);
	$engine->post('4b', worker => 1);
	is(said($waits->answer), '200 4b', 'who waits is answered');
	$waits = $engine->held(worker => 1);
	$engine->post("4c\x1ebAQID", worker => 2);
	is(said($waits->answer), "200 4c\x1ebAQID", 'and the other way');
	my $long = '4' . 'x' x 900_000;
	is($engine->post($long, worker => 2)->{body}, 'ok', 'much');
	ok($engine->get(worker => 2)->{body} eq $long, 'and back');
	is($engine->post("4$long$long", worker => 2)->{status}, 413,
		'too much');
	is($engine->post('4d', worker => 2, headers => { 'Content-Type' =>
		'application/octet-stream' })->{status}, 400, 'bytes');
	is(said($engine->get(worker => 2)), $unknown, 'end it');
	$engine = opened();
	is($engine->post('x', worker => 2)->{status}, 400, 'no payload');
	is(said($engine->get(worker => 2)), $unknown, 'ends it');
	cmp_ok($server->count('engineio_errands') - $before, '>', 6,
		'it was asked');
};

subtest 'names that are nobody\'s' => sub {
	my $engine = opened();
	my $own = $engine->{sid};
	my $other = substr($own, 0, 19)
	    . (substr($own, 19) eq 'A' ? 'B' : 'A');

	for my $sid ($other, 'A' x 20, '_' x 20) {
		my $stranger = T::EngineIo->new($server, sid => $sid);

		is(said($stranger->get(worker => 2)), $unknown, 'polling');
		my $ws = $stranger->websocket(worker => 2);
		is(said($ws->answer), '400 Session ID unknown',
			'WebSocket');
	}
	is($engine->get(worker => 2, query => { transport => 'websocket' })
	    ->{status}, 400, 'no WebSocket');
	is($engine->request(worker => 2, method => 'PUT', body => '')
	    ->{status}, 400, 'another method');
	$engine->post('4a', worker => 2);
	is($engine->get->{body}, '4a', 'it lives');
};

subtest 'two that wait, and one that leaves' => sub {
	for my $pair ([1, 2], [2, 1], [2, 2]) {
		my $engine = opened();
		my $first = $engine->held(worker => $pair->[0]);

		is($engine->get(worker => $pair->[1])->{status}, 400,
			"@$pair: refused");
		is(said($first->answer), '200 1', "@$pair: told");
		is(said($engine->get(worker => 2)), $unknown,
			"@$pair: over");
	}
	my $engine = opened();
	my $first = $engine->held(worker => 2);
	$engine->post('3', worker => 2);
	$first->close;
	ok((wait_until { said($engine->post('3')) eq $unknown }),
		'who leaves elsewhere ends it');
	$engine = opened();
	$first = $engine->held(worker => 2);
	$engine->post('3', worker => 2);
	is($engine->post('1', worker => 2)->{body}, 'ok', 'who says so');
	is(said($first->answer), '200 6', 'is told nothing');
};

subtest 'the change elsewhere' => sub {
	my %ways = ('in clear' => [], 'with much behind it' =>
		[behind => frame(0x81, '2probe') . frame(0x89, 'x' x 100)],
		'compressed' => [deflate => 1]);

	for my $way (sort keys %ways) {
		my $engine = opened();
		my $waits = $engine->held(worker => 2);
		my $ws = $engine->websocket(worker => 2, @{ $ways{$way} });

		is($ws->status, 101, "$way: a probe");
		$ws->send('2probe') if $way !~ /behind/;
		is($ws->hear, '3probe', "$way: answered");
		is($ws->hear, 'x' x 100, "$way: and the rest")
		    if $way =~ /behind/;
		is(said($waits->answer), '200 6', "$way: sent away");
		$engine->post('4a', worker => 2);
		$ws->send('5');
		$ws->send('4b' . 'y' x 1000);
		is($ws->hear, '4a', "$way: in order");
		is($ws->hear, '4b' . 'y' x 1000, "$way: it is the wire");
		$ws->bytes("\0\1");
		is($ws->hear, "b:\0\1", "$way: bytes");
		like($engine->get(worker => 2)->{body}, qr/"code":3/,
			"$way: no polling");
		is($engine->websocket(worker => 2)->hear, 'C1005',
			"$way: no second");
		$ws->leave;
		is($ws->hear, 'C1005', "$way: left");
		ok((wait_until { said($engine->get) eq $unknown }),
			"$way: over");
	}
	my $engine = opened();
	my $ws = $engine->websocket(worker => 2);
	is($ws->hear, 'C1005', 'a probe that says nothing');
};

# The kernel chooses the worker, so it takes several.
subtest 'under TLS' => sub {
	for my $n (1 .. 8) {
		my $engine = opened();
		my $ws = $engine->upgrade(tls => $tls->address);
		my $long = '4' . 'z' x 600_000;

		$ws->send('4a');
		is($ws->hear, '4a', 'it is the wire');
		$ws->send($long);
		ok($ws->hear eq $long, 'much');
		if ($n % 2) {
			$ws->hang_up;
		} else {
			$ws->send('1');
			is($ws->hear, 'C1005', 'closed')
			    or diag($ws->{http}->why);
			$ws->hang_up;
		}
		ok((wait_until { said($engine->get) eq $unknown }), 'over');
		$engine->{tls} = undef;
	}
};

# Each with its requests wherever, and at some time a WebSocket.
subtest 'many at once' => sub {
	my @engines = map { T::EngineIo->new($server) } 1 .. 12;

	$_->open(worker => 1 + int rand 2) for @engines;
	for my $round (1 .. 10) {
		for my $engine (shuffle @engines) {
			my $say = "4$round";

			if ($engine->{ws}) {
				$engine->{ws}->send($say);
				is($engine->{ws}->hear, $say, "round $round");
				next;
			}
			$engine->post($say, worker => 1 + int rand 2);
			is($engine->get(worker => 1 + int rand 2)->{body},
				$say, "round $round");
			$engine->{ws} = $engine->upgrade(worker =>
				1 + int rand 2) if rand() < 0.2;
		}
	}
	$_->{ws} ? $_->{ws}->hang_up : $_->post('1') for @engines;
	ok((wait_until { $server->count('engineio_clients') <= 2 }),
		'all have gone');
};

subtest 'a worker that leaves' => sub {
	my $engine = opened();
	my $waits = $engine->held(worker => 2);
	my $ws = T::EngineIo->new($server)->connect(worker => 1);

	$engine->post('3', worker => 2);
	$server->hup;
	is(said($waits->answer), '200 1', 'who waits is told');
	is($ws->hear, 'C1005', 'a WebSocket is closed');
	ok((wait_until {
		my $next = T::EngineIo->new($server);
		eval { $next->open } && $next->post('4a')->{body} eq 'ok'
		    && $next->get->{body} eq '4a';
	}), 'there is another');
	ok((wait_until { $server->count('draining') == 0 } 30),
		'and it left');
};

subtest 'a worker that is killed' => sub {
	delete $server->{is_serving};
	ok((wait_until { ($server->worker_pid(1) && $server->worker_pid(2))
		&& eval { opened() } } 30), 'both serve');
	my $engine = opened();
	my $foreign = T::EngineIo->new($server);
	$foreign->open(worker => 2);
	my $waits = $engine->held(worker => 2);
	my $mine = $foreign->held(worker => 1);

	$engine->post('3', worker => 2);
	$foreign->post('3', worker => 2);
	ok((wait_until { $server->count('engineio_errands') > 2 }), 'asked');
	kill KILL => $server->worker_pid(1);
	is(said($waits->answer), $unknown, 'who waits for it is told');
	ok($mine->is_cut, 'who was connected to it is cut');
	ok((wait_until { said($foreign->post('3', worker => 2)) eq $unknown }),
		'and gone for the other');
	is(said($engine->get(worker => 2)), $unknown, 'its sessions are');
	$server->{expect_exit} = 0;
};

done_testing;
