#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Bounds of live connections: how many, how much they say, how much waits for
# them, how long they are silent. At each there is a clear answer, and nothing
# is lost.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Command;
use T::Frame;
use T::Http;
use T::Live;
use T::Server;
use T::Wait;

sub session {
	my ($server) = @_;

	return T::Client->new($server)->post('/api/sessions')->{json}{id};
}

# So many events of about so many bytes; the last number.
sub emit {
	my ($server, $id, $count, $bytes) = @_;
	my $writer = T::Client->new($server, role => 'bot');
	my $last;

	$last = $writer->post("/api/sessions/$id/events", { type => 'custom.n',
		data => { pad => 'x' x ($bytes // 1) } })->{json}{seq}
	    for 1 .. $count;
	return $last;
}

sub nobody_is_left {
	my ($server) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $server->counts(live_clients => 0, subscriptions => 0,
		hubs => 0, socks_open => 0, sock_queue_bytes => 0);
}

subtest 'connections' => sub {
	my $server = T::Server->prepare(workers => 2, set => {
		connections => 8, connections_per_address => 5,
		tenant_places => 16 });

	for my $words (['add', 'den'], ['set', 'den', 'max_connections=2']) {
		is($server->partyline('tenant', @$words, '--set',
			'database_url=' . $server->db->url)->{exit}, 0,
			"tenant @$words");
	}
	$server->spawn;
	ok($server->wait_ready('readyz'), 'ready');
	wait_until { $server->count('connections_open') == 0 };
	my $token = T::Live::token_for($server);
	my $from = sub {
		my ($host, %more) = @_;

		return T::Live->connect($server, from => "127.0.0.$host",
			%more);
	};
	my $enter = sub {
		my ($host, %more) = @_;
		my $live = $from->($host, %more);

		$live->sign_in(T::Live::token_for($server, %more))
		    if $live->is_open;
		return $live;
	};
	my @lives = map { $enter->(5) } 1 .. 5;
	is(join(' ', map { $_->answer->{status} } @lives),
		join(' ', (101) x 5), 'as many of an address as allowed');
	my $more = $enter->(5);
	is($more->answer->{status}, 429, 'one more is refused');
	like($more->answer->{body}, qr/"too_many_from_address"/, 'why');
	is($from->(5)->answer->{status}, 429, 'it is counted live ones, too');
	push @lives, $enter->(6, tenant => 'den');
	push @lives, $enter->(7, tenant => 'den');
	my $third = $enter->(8, tenant => 'den');
	is($third->answer->{status}, 429, 'a tenant\'s are counted');
	like($third->answer->{body}, qr/"too_many_tenant_connections"/, 'why');
	push @lives, $enter->(8);
	is($lives[-1]->answer->{status}, 101, 'others have more');
	my $ninth = $enter->(9);
	is($ninth->answer->{status}, 503, 'the host\'s are counted');
	like($ninth->answer->{body}, qr/"too_many_connections"/, 'why');
	ok(settled(@lives), 'those who were in were never disturbed');

	$_->leave for @lives[0, 5];
	my @again = ([5, 'default'], [9, 'den']);
	for my $row (@again) {
		my $live;

		ok((wait_until {
			$live = $enter->($row->[0], tenant => $row->[1]);
			$live->is_open;
		}), "one of $row->[1] goes, one comes");
		push @lives, $live;
	}
	is($enter->(9)->answer->{status}, 503, 'and no more than that');

	# Those of a killed worker.
	kill KILL => $server->worker_pids;
	$_->hang_up for @lives;
	my @new;
	ok((wait_until {
		push @new, eval { $enter->(10 + @new % 4) } // ();
		@new && !$new[-1]->is_open and pop @new;
		@new == 8;
	} 20), 'places of killed workers are given back');
	is($enter->(9)->answer->{status}, 503, 'all of them, and no more');
	$_->hang_up for @new;
	nobody_is_left($server);
};

my $server = T::Server->start(wait => 'readyz', workers => 2, set => {
	live_messages => 40, live_subscriptions => 3, live_silence => '3s',
	live_ping => '1s', live_message_max => 1024,
	live_deflate_min => 100 });

subtest 'too many messages' => sub {
	my $live = T::Live->enter($server);
	my $other = T::Live->enter($server);

	$live->say({ type => 'ping' }) for 1 .. 39;
	ok($live->wait_for(sub { 39 == $live->heard('pong') }),
		'as many as are allowed');
	$live->say({ type => 'ping' });
	my $later = is_closed($live, 4029, 'too_many_messages');
	cmp_ok($later, '>', 0, 'when to come back');
	cmp_ok($later, '<=', 60000, 'when to come back');
	is(scalar $live->heard('pong'), 39, 'no answer more');
	ok($other->settle, 'others go on');
	$other->leave;
};

subtest 'too many subscriptions' => sub {
	my $live = T::Live->enter($server);
	my @ids = map {
		my $id = session($server);
		T::Client->new($server)->post("/api/sessions/$id/close");
		$id;
	} 1 .. 4;

	is($live->follow($ids[$_])->{type}, 'subscribed', "number $_")
	    for 0 .. 2;
	is_deeply($live->follow($ids[3]), { type => 'error', sessionId =>
		$ids[3], message => 'Too many subscriptions',
		code => 'too_many_subscriptions' },
		'one more is refused');
	is($live->follow($ids[0], since => 0)->{type}, 'subscribed',
		'what is followed is none more');
	$live->say({ type => 'unsubscribe', sessionId => $ids[0] });
	is($live->follow($ids[3])->{type}, 'subscribed',
		'one goes, one comes');
	# One that is not there takes no place.
	$live->say({ type => 'unsubscribe', sessionId => $ids[1] });
	is($live->follow(99999)->{message}, 'Session not found', 'missing')
	    for 1 .. 3;
	is($live->follow($ids[1])->{type}, 'subscribed', 'takes no place');
	$server->counts(subscriptions => 3);
	$live->leave;
};

subtest 'silence' => sub {
	my $begun = time;
	my %live = map { $_ => T::Live->enter($server, answers => 0) }
	    qw(silent again);
	my $good = T::Live->enter($server);
	my $half = T::Live->enter($server, answers => 0);
	my $ping = T::Live->enter($server, answers => 0);
	my $text = frame(0x81, '{"type":"ping"}' . ' ' x 200);
	my $at = 0;

	# One says something now and then, a byte or a protocol ping.
	wait_until {
		$_->listen(time + 0.02) for values %live, $good, $half, $ping;
		if (time - $begun > $at * 0.7) {
			$half->send(substr $text, $at, 1);
			$ping->send(frame(0x89, 'are you there?'));
			$at++;
		}
		return !grep { $_->is_open } values %live;
	} 8;
	is_closed($live{$_}, 4008, 'silent', name => "silent: $_")
	    for sort keys %live;
	my $took = time - $begun;
	cmp_ok($took, '>=', 2.9, 'not before its time');
	cmp_ok($took, '<', 6 * ($ENV{T_SLOW} || 1), 'and soon then');
	cmp_ok(scalar @{ $live{silent}{pings} }, '>=', 2, 'it was pinged');
	is($live{silent}{pings}[0], 'partyline', 'by us');
	for my $live ($good, $ping, $half) {
		$live->listen(time + 0.01);
		ok($live->is_open, 'who says anything stays');
	}
	cmp_ok(scalar @{ $good->{pings} }, '>=', 2, 'who answers is asked');
	cmp_ok(scalar @{ $ping->{pongs} }, '>=', 2,
		'and who asks is answered');
	is(scalar @{ $ping->{pings} }, 0, 'who is heard of is not asked');
	$_->hang_up for $good, $half, $ping;
};

subtest 'messages too long' => sub {
	for my $deflate (0, 1) {
		my $live = T::Live->connect($server, deflate => $deflate);
		my $long = '{"type":"ping"}' . ' ' x 1009;

		$live->say($long);
		ok($live->hears('pong'), '1,024 bytes are fine');
		$live->send(frame($deflate ? 0xc1 : 0x81, $deflate
			? deflated("$long ") : "$long "));
		is_closed($live, 1009, 'message_too_long');
	}
	my $live = T::Live->connect($server);
	$live->send(frame(0x01, ' ' x 1000) . frame(0x00, ' ' x 20)
		. frame(0x80, ' ' x 20));
	is_closed($live, 1009, 'message_too_long', name => 'in parts');
};
nobody_is_left($server);

# One that takes little before it blocks.
sub narrow {
	my (@words) = @_;
	my $live = T::Live->enter(@words);

	setsockopt $live->{http}->socket, SOL_SOCKET, SO_RCVBUF,
	    pack('i', 16384);
	return $live;
}

subtest 'who reads slowly' => sub {
	my %bounds = (
		bytes => { socket_queue => '64KiB', socket_queue_age => '1h' },
		age   => { socket_queue => '64MiB', socket_queue_age => '1s' },
	);

	for my $name (sort keys %bounds) {
		my $server = T::Server->start(wait => 'readyz', workers => 2,
			set => { %{ $bounds{$name} }, live_silence => '1min',
			socket_send_buffer => '16KiB' });
		my $id = session($server);
		my $stream = "session:$id";
		my @slow = map { narrow($server, worker => $_) } 1, 2;
		my $quick = T::Live->enter($server, worker => 2);
		my $epoch = $quick->follow($id)->{epoch};
		my $last = 0;

		$_->follow($id) for @slow;
		# More than all buffers of kernel and server hold; the quick
		# one reads meanwhile.
		my $is_slow = wait_until {
			$last = emit($server, $id, 8, 4000);
			$quick->reaches($stream, $last);
			$server->count('sock_overflows') == 2;
		} 60;
		ok($is_slow, "$name: the slow ones are over the bound");
		$server->counts(sock_overflows => 2);
		is_deeply([$quick->numbers($stream)], [1 .. $last],
			"$name: the quick one has all");
		# Both read again, before our goodbye has waited too long.
		wait_until {
			$_->listen(time + 0.001) for @slow;
			!grep { $_->is_open } @slow;
		};
		for my $slow (@slow) {
			is_closed($slow, 4009, 'slow', name => $name);
			my @numbers = $slow->numbers($stream);
			my $at = $numbers[-1];

			is_deeply([@numbers], [1 .. $at],
				"$name: what came is without a gap");
			cmp_ok($at, '<', $last, "$name: it is not all");
			my $back = T::Live->enter($server);
			ok($back->follow($id, since => { epoch => $epoch,
				seq => $at })->{recovered}, "$name: back");
			ok($back->reaches($stream, $last), "$name: the rest");
			are_same([$slow->events($stream),
				$back->events($stream)],
				[$quick->events($stream)],
				"$name: in sum what the quick one has");
			$back->leave;
		}
		# Never reads again, nor takes our goodbye.
		my $dead = narrow($server);
		$dead->follow($id);
		ok((wait_until {
			$quick->reaches($stream, emit($server, $id, 8, 4000));
			$server->count('live_clients') == 1;
		} 30),
			"$name: who takes nothing at all is cut off");
		$quick->leave;
		nobody_is_left($server);
		$dead->hang_up;
	}
};

subtest 'a long replay to a slow reader' => sub {
	my $server = T::Server->start(wait => 'readyz', workers => 1,
		set => { socket_queue => '32KiB',
		socket_send_buffer => '16KiB' });
	my $id = session($server);
	my $last = emit($server, $id, 600, 3000);
	my $live = narrow($server);

	# Far more than may wait for it: the pages wait instead.
	ok($live->follow($id, since => 0)->{recovered}, 'asked for all');
	wait_until { $server->count('sock_queue_bytes') > 16000 };
	cmp_ok($server->count('sock_queue_bytes'), '<', 65536,
		'a bounded part of it waits');
	my $more = emit($server, $id, 5, 3000);
	ok($live->reaches("session:$id", $more, 20), 'all of it comes');
	is_deeply([$live->numbers("session:$id")], [1 .. $more],
		'in order, and on into live');
	is($server->count('sock_overflows'), 0, 'nobody was too slow');
	$live->leave;
	nobody_is_left($server);
};

done_testing;
