#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Going on from where a client stopped: every number once and in order, or a
# resync that says where to go on from; never silence.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX    ();
use Test::More;
use T::Client;
use T::Live;
use T::Server;
use T::Wait;

my $server = T::Server->start(wait => 'readyz', workers => 2, gap_max => 50);
my $admin = T::Client->new($server);
my $db = $server->db;

# A session that is closed, so that there can be many.
sub session { return $admin->closed_session }

# So many events more; the last number.
sub emit {
	my ($id, $count, $client) = @_;
	my $last;

	for (1 .. $count) {
		$last = ($client // $admin)->post("/api/sessions/$id/events",
			{ type => 'custom.n', data => { n => $_ } })
		    ->{json}{seq};
	}
	return $last;
}

# All that the log has of it, as it is sent.
sub logged {
	my ($stream, $after) = @_;

	return split /\n/, $db->query('SELECT payload FROM partyline.event '
		. "WHERE tenant_id = 1 AND stream = '$stream' AND seq > "
		. ($after // 0) . ' ORDER BY seq');
}

sub has_all {
	my ($live, $stream, $after, $name) = @_;
	my @logged = logged($stream, $after);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$live->reaches($stream, $after + @logged) if @logged;
	$live->settle;
	return are_same([$live->events($stream)], \@logged, $name);
}

sub place {
	my ($stream) = @_;

	return split /\|/, $db->query('SELECT epoch, head, lowest FROM '
		. "partyline.stream WHERE tenant_id = 1 AND name = '$stream'");
}

sub pair {
	my ($epoch, $seq) = @_;

	return { epoch => $epoch, seq => $seq };
}

subtest 'since' => sub {
	my $id = session();
	my $stream = "session:$id";

	emit($id, 9);
	my ($epoch) = place($stream);
	# Nobody follows it yet, and then somebody does.
	for my $round (1, 2) {
		for my $since (0, 4, 9, 10, pair($epoch, 0), pair($epoch, 7),
			pair($epoch, 10)) {
			my $live = T::Live->enter($server, worker => 1);
			my $after = ref $since ? $since->{seq} : $since;
			my $answer = $live->follow($id, since => $since);
			my $name = ref $since ? "pair $after" : $since;

			is($answer->{type}, 'subscribed', "since $name");
			is($answer->{seq}, 10, "since $name: the head");
			is($answer->{epoch}, $epoch, "since $name: the epoch");
			ok($answer->{recovered}, "since $name: recovered");
			ok(!$answer->{resync}, "since $name: no resync");
			has_all($live, $stream, $after, "since $name: all "
				. 'after it');
			my ($first) = grep {
				$live->{heard}[$_][0] eq 'subscribed'
			} 0 .. $#{ $live->{heard} };
			is($live->{heard}[1][0], 'subscribed',
				"since $name: and nothing before the answer");
			$live->leave;
		}
		$server->{ear} = T::Live->enter($server, worker => 1);
		$server->{ear}->follow($id);
	}
	emit($id, 1);
	ok($server->{ear}->reaches($stream, 11), 'who came without one');
	is_deeply([$server->{ear}->numbers($stream)], [11],
		'hears what came later');
	delete($server->{ear})->leave;
};

subtest 'what is no cursor' => sub {
	my $id = session();
	my $live = T::Live->enter($server);
	my @wrong = ('"x"', '"0"', '-1', '1.5', '[]', '[1]', '{}', 'true',
		'{"seq":1}', '{"epoch":"x"}', '{"epoch":7,"seq":1}',
		'{"epoch":"","seq":1}', '{"epoch":"a b","seq":1}',
		'{"epoch":"a:b","seq":1}', '{"epoch":"x","seq":-1}',
		'{"epoch":"x","seq":"1"}', '9223372036854775807',
		'{"epoch":"' . 'x' x 33 . '","seq":1}');

	for my $since (@wrong) {
		for my $begin (qq("subscribe","sessionId":$id),
			'"auth","token":"'
			. T::Live::token_for($server) . '"') {
			$live->say(qq({"type":$begin,"since":$since}));
			is_deeply($live->hears(qr/./), { type => 'error',
				message => 'since must be a number or '
				. '{"epoch","seq"}' }, "since $since");
		}
	}
	is_deeply([keys %{ $live->settle->{heads} }], ['lobby'],
		'nothing is followed');
	ok(!$live->follow($id, since => undef)->{recovered},
		'null is none');
	$live->leave;
};

subtest 'the lobby' => sub {
	my ($epoch, $head) = place('lobby');

	session() for 1 .. 3;
	for my $since ($head, 0, pair($epoch, $head + 1),
		pair($epoch, $head + 3)) {
		my $after = ref $since ? $since->{seq} : $since;
		my $live = T::Live->enter($server, since => $since);

		is_deeply([@{ $live->{auth} }{qw(type stream epoch seq)}],
			['auth_success', 'lobby', $epoch, $head + 3],
			"since $after: auth_success comes first");
		ok($live->{auth}{recovered}, "since $after: recovered");
		has_all($live, 'lobby', $after, "since $after: all after it");
		$live->leave;
	}
	# Once more, on an open connection.
	my $live = T::Live->enter($server);
	is($live->numbers('lobby'), 0, 'without: from now on');
	my $again = $live->sign_in(T::Live::token_for($server),
		since => $head + 1);
	is($again->{seq}, $head + 3, 'signing in again with a cursor');
	has_all($live, 'lobby', $head + 1, 'goes back');
	$live->leave;
};

# A client that was behind is told where to go on from, with the state there.
sub is_resynced {
	my ($resync, $stream, $name) = @_;
	my ($epoch, $head, $lowest) = place($stream);
	my ($id) = $stream =~ /(\d+)/;
	my $state = $admin->get('/api/sessions/' . ($id // 'active'))->{json};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is_deeply($resync, { from => $lowest, state => $state },
		"$name: the state as GET gives it");
}

subtest 'a cursor that cannot be gone on from' => sub {
	my $id = session();
	my $stream = "session:$id";

	emit($id, 9);
	$db->query(q{SELECT api.stream_trim(ROW(1,'x','admin','t',NULL,NULL,
		NULL)::api.ctx, '} . $stream . q{', 5)});
	my ($epoch, $head, $lowest) = place($stream);
	is("$head $lowest", '10 5', 'the log begins at 5');
	my %cursor = (
		'above the head'             => $head + 1,
		'far above it'               => 1 << 60,
		'of another epoch'           => pair('other', 5),
		'of another epoch, above'    => pair('other', 500),
		'of another epoch, the head' => pair('other', $head),
		'below what is held'         => 0,
		'just below what is held'    => 3,
		'the same, as a pair'        => pair($epoch, 3),
		'a pair above the head'      => pair($epoch, $head + 1),
	);
	my $ear = T::Live->enter($server, worker => 1);
	$ear->follow($id);
	for my $name (sort keys %cursor) {
		for my $worker (1, 2) {
			my $live = T::Live->enter($server, worker => $worker);
			my $answer = $live->follow($id,
				since => $cursor{$name});

			is("$answer->{type} $answer->{epoch} $answer->{seq}",
				"subscribed $epoch $head", $name);
			ok(!$answer->{recovered}, "$name: not recovered");
			is_resynced($answer->{resync}, $stream, $name);
			$live->settle;
			is($live->events($stream), 0, "$name: no event");
			$live->leave;
		}
	}
	my $live = T::Live->enter($server);
	my $answer = $live->follow($id, since => 4);
	ok($answer->{recovered}, 'the first that is held can be gone on from');
	has_all($live, $stream, 4, 'and all after it came');
	# One hostile cursor harms nobody else.
	my $last = emit($id, 1);
	ok($_->reaches($stream, $last), 'others go on') for $ear, $live;
	is_deeply([$ear->numbers($stream)], [$last], 'and miss nothing');
	my $lobby = T::Live->enter($server, since => pair('other', 1));
	is_resynced($lobby->{auth}{resync}, 'lobby', 'the lobby');
	$_->leave for $ear, $live, $lobby;
};

subtest 'further behind than gap_max' => sub {
	my $id = session();
	my $stream = "session:$id";
	my $last = emit($id, 60);
	my $live = T::Live->enter($server, worker => 2);

	# Replays are pages; only a hub's own gap is bounded.
	ok($live->follow($id, since => 0)->{recovered}, 'a long replay');
	has_all($live, $stream, 0, 'is whole');
	# News that come without the events before them, as from another host.
	my $payload = '{"type":"custom.x","stream":"' . $stream
	    . '","seq":%s,"timestamp":"2026-01-01T00:00:00.000Z","data":{}}';
	$db->query("INSERT INTO partyline.event SELECT 1, '$stream', n, "
		. "'custom.x', format('$payload', n), now() FROM "
		. "generate_series($last + 1, $last + 100) n; "
		. "UPDATE partyline.stream SET head = $last + 100 "
		. "WHERE tenant_id = 1 AND name = '$stream'");
	emit($id, 1);
	my $resync = $live->hears('resync');
	my ($epoch, $head) = place($stream);
	is_deeply([@$resync{qw(type stream epoch seq)}],
		['resync', $stream, $epoch, $head], 'a resync at the head');
	is_resynced({ map { $_ => $resync->{$_} } qw(from state) }, $stream,
		'of an open subscription');
	emit($id, 1);
	ok($live->reaches($stream, $head + 1), 'and on from there');
	is_deeply([$live->numbers($stream)], [1 .. $last, $head + 1],
		'nothing of what lies between');
	$live->leave;
};

subtest 'an epoch that is renewed' => sub {
	my $id = session();
	my $stream = "session:$id";
	my @lives = map { T::Live->enter($server, worker => $_) } 1, 2;
	my ($old) = place($stream);

	$_->follow($id) for @lives;
	my $last = emit($id, 3);
	ok($_->reaches($stream, $last), 'they are there') for @lives;
	$db->query("UPDATE partyline.stream SET epoch = 'renewed' "
		. "WHERE tenant_id = 1 AND name = '$stream'");
	for my $live (@lives) {
		my $resync = $live->hears('resync', 15);

		is_deeply([@$resync{qw(type stream epoch seq)}],
			['resync', $stream, 'renewed', $last],
			'an open subscription is told');
		is_resynced({ map { $_ => $resync->{$_} } qw(from state) },
			$stream, 'with the state');
		is_deeply($live->settle->{heads}{$stream}, { seq => $last,
			epoch => 'renewed' }, 'pong knows it');
	}
	emit($id, 1);
	ok($_->reaches($stream, $last + 1), 'and goes on') for @lives;
	my $back = T::Live->enter($server);
	ok($back->follow($id, since => pair($old, $last))->{resync},
		'who comes back with the old epoch is resynced');
	# A bare number counts in the present one.
	my $bare = T::Live->enter($server);
	ok($bare->follow($id, since => $last)->{recovered}, 'a bare number');
	has_all($bare, $stream, $last, 'counts in the present epoch');
	$_->leave for @lives, $back, $bare;
};

subtest 'a log that was put back' => sub {
	my $id = session();
	my $stream = "session:$id";
	my @lives = map { T::Live->enter($server, worker => $_) } 1, 2;
	my ($epoch) = place($stream);

	$_->follow($id) for @lives;
	my $last = emit($id, 5);
	ok($_->reaches($stream, $last), 'they are there') for @lives;
	$db->query("DELETE FROM partyline.event WHERE stream = '$stream' "
		. "AND seq > 3; UPDATE partyline.stream SET head = 3 "
		. "WHERE name = '$stream'");
	my @resyncs = map { $_->hears('resync', 15) } @lives;
	my ($now) = place($stream);
	isnt($now, $epoch, 'its epoch is renewed');
	is_deeply([map { [@$_{qw(epoch seq)}] } @resyncs],
		[([$now, 3]) x 2], 'and everybody is told once');
	emit($id, 1);
	for my $live (@lives) {
		ok($live->wait_for(sub { 6 == $live->numbers($stream) }),
			'on they go');
		is(($live->numbers($stream))[-1], 4, 'from there');
		is(scalar $live->heard('resync'), 1, 'one resync was enough');
	}
	$_->leave for @lives;
};

# Writers go on while clients come, stop, and come back.
subtest 'replay into live, under running writers' => sub {
	my @ids = map { session() } 1 .. 2;
	my @writers = map {
		my $worker = $_;
		my $pid = fork // die "fork: $!\n";

		if ($pid == 0) {
			my $writer = T::Client->new($server,
				worker => $worker, role => 'bot');
			my $stop;

			local $SIG{TERM} = sub { $stop = 1 };
			emit($ids[rand 2], 1, $writer) while !$stop;
			POSIX::_exit(0);
		}
		$pid;
	} 1, 2;
	my %at = map { $_ => 0 } @ids;
	my %all = map { $_ => [] } @ids;
	wait_until { (place("session:$ids[0]"))[1] > 50 } 20;
	for my $round (1 .. 12) {
		my $live = T::Live->enter($server, worker => 1 + $round % 2);
		my ($id) = $ids[$round % @ids];
		my $stream = "session:$id";
		my $since = $round % 3 ? $at{$id}
		    : pair((place($stream))[0], $at{$id});
		my $answer = $live->follow($id, since => $since);

		ok($answer->{recovered}, "round $round: recovered");
		ok($live->reaches($stream, $answer->{seq} + 20),
			"round $round: past the head it was told");
		$live->hang_up;
		my @numbers = $live->numbers($stream);
		is_deeply([@numbers], [$at{$id} + 1 .. $numbers[-1]],
			"round $round: no gap, no repeat");
		push @{ $all{$id} }, $live->events($stream);
		$at{$id} = $numbers[-1];
	}
	kill TERM => @writers;
	waitpid $_, 0 for @writers;
	for my $id (@ids) {
		my $live = T::Live->enter($server);
		$live->follow($id, since => $at{$id});
		my @logged = logged("session:$id");
		$live->reaches("session:$id", scalar @logged);
		are_same([@{ $all{$id} }, $live->events("session:$id")],
			\@logged, 'in sum the log, to the letter');
		$live->leave;
	}
	ok($server->count('log_reads') > 0, 'read from the log');
};

subtest 'a worker is killed' => sub {
	my $id = session();
	my $stream = "session:$id";
	my $live = T::Live->enter($server, worker => 1);
	my $other = T::Live->enter($server, worker => 2);
	my $epoch = $live->follow($id)->{epoch};

	$other->follow($id);
	my $writer = T::Client->new($server, worker => 2);
	my $last = emit($id, 5, $writer);
	ok($live->reaches($stream, $last), 'it is there');
	kill KILL => $server->worker_pid(1);
	$live->wait_for(sub { !$live->{is_open} });
	like($live->why, qr/^(?:closed|cut)/, 'the connection is lost');
	emit($id, 3, $writer);
	my $back = T::Live->enter($server, worker => 2);
	my $answer = $back->follow($id, since => pair($epoch, $last));
	ok($answer->{recovered}, 'with another worker');
	emit($id, 1, $writer);
	has_all($back, $stream, $last, 'exactly what was missed, and on');
	has_all($other, $stream, 1, 'others noticed nothing');
	wait_until { $server->worker_pid(1) } 20;
	my $home = T::Live->enter($server, worker => 1);
	ok($home->follow($id, since => pair($epoch, 0))->{recovered},
		'or with its successor');
	has_all($home, $stream, 0, 'the whole log');
	emit($id, 1, T::Client->new($server, worker => 1));
	has_all($_->[0], $stream, $_->[1], 'which hears and is heard')
	    for [$home, 0], [$back, $last];
	$_->leave for $back, $home, $other;
};

$server->counts(live_clients => 0, subscriptions => 0, hubs => 0,
	socks_open => 0, sock_queue_bytes => 0);
done_testing;
