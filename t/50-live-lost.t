#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# News that get lost on the way, and a log that cannot be asked: live clients
# stay connected, and get every number all the same.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Db;
use T::Line;
use T::Live;
use T::Run;
use T::Server;
use T::Wait;

my $db   = T::Db->new;
my $line = T::Line->new($db);
my $server = T::Server->prepare(workers => 2, set => {
	database_url => $line->url, ring_size => '64KiB',
	ring_record_max => '1KiB', db_timeout => '2s' });

$server->{db} = $db;
$server->spawn;
ok($server->wait_ready('readyz'), 'ready');

my @writers = map { T::Client->new($server, worker => $_) } 1, 2;

sub session {
	my $id = $writers[0]->post('/api/sessions')->{json}{id};

	$writers[0]->post("/api/sessions/$id/close");
	return $id;
}

sub emit {
	my ($worker, $id, $bytes) = @_;

	return $writers[$worker - 1]->post("/api/sessions/$id/events",
		{ type => 'custom.n', data => { pad => 'x' x ($bytes // 1) } });
}

# Straight into the log, so that no process has news of it.
sub slip_in {
	my ($id, $count) = @_;

	$db->query("SELECT (api.emit(ROW(1, 'x', 'admin', 't', NULL, NULL, "
		. "NULL)::api.ctx, 'session:$id', 'custom.s', '{}')).seq "
		. "FROM generate_series(1, $count)");
	return;
}

sub head {
	my ($id) = @_;

	return $db->query('SELECT head FROM partyline.stream WHERE '
		. "tenant_id = 1 AND name = 'session:$id'");
}

# What the log has, in all ears.
sub all_hear {
	my ($id, $name, $seconds, @lives) = @_;
	my $head = head($id);
	my $begun = time;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $live (@lives) {
		ok($live->reaches("session:$id", $head, 15), "$name: reached");
		my @numbers = $live->numbers("session:$id");
		is_deeply([@numbers], [$numbers[0] .. $head],
			"$name: every number once");
		is(scalar $live->heard('resync'), 0, "$name: no resync");
	}
	cmp_ok(time - $begun, '<', $seconds * ($ENV{T_SLOW} || 1),
		"$name: soon");
	return;
}

my $id = session();
my @ears = map { T::Live->enter($server, worker => $_) } 1, 2;

$_->follow($id) for @ears;

subtest 'events too large for the ring' => sub {
	is(emit($_, $id, 3000)->{status}, 201, "by worker $_") for 1, 2, 1;
	all_hear($id, 'large ones', 2, @ears);
};

subtest 'nobody has news' => sub {
	slip_in($id, 3);
	all_hear($id, 'swept', 7, @ears);
	ok($server->count('sweeps') > 0, 'sweeps are counted');
};

subtest 'a worker that is too slow for a ring' => sub {
	my $pid = $server->worker_pid(1);

	kill STOP => $pid;
	emit(2, $id, 900) for 1 .. 150;
	kill CONT => $pid;
	all_hear($id, 'lapped', 4, @ears);
	ok((wait_until { $server->count('ring_laps') > 0 }), 'it was lapped');
};

subtest 'PostgreSQL away' => sub {
	my $other = session();
	my $epoch = $ears[0]->settle->{heads}{"session:$id"};

	$line->down;
	ok((wait_until { $server->count('db_up') == 0 }), 'it is away');
	is(emit(1, $id)->{status}, 503, 'nothing can be written');
	ok(settled(@ears), 'live clients stay');
	is_deeply($ears[0]->settle->{heads}{"session:$id"}, $epoch,
		'and know where they are');
	is($ears[0]->follow($id)->{seq}, $epoch->{seq},
		'what is followed is answered');
	# Worker 2 has the lobby open, so nothing has to be asked.
	my $in = T::Live->enter($server, worker => 2);
	is($in->follow($id)->{seq}, $epoch->{seq}, 'who comes is served, '
		. 'where nothing has to be asked');
	$in->say({ type => 'subscribe', sessionId => $other });
	is_closed($in, 1013, 'unavailable');
	slip_in($id, 5);
	$line->up;
	all_hear($id, 'back', 4, @ears);
	ok((wait_until { (emit(1, $id)->{status} // 0) == 201 }),
		'and can be written to');
	all_hear($id, 'on it goes', 2, @ears);
};

subtest 'nobody there when PostgreSQL is away' => sub {
	$_->leave for @ears;
	$server->counts(hubs => 0);
	$line->down;
	wait_until { $server->count('db_up') == 0 };
	my $live = T::Live->connect($server);
	is($live->answer->{status}, 101, 'let in');
	$live->say({ type => 'auth', token => T::Live::token_for($server) });
	is_closed($live, 1013, 'unavailable');
	$line->up;
	@ears = ();
	ok((wait_until {
		@ears = map { eval { T::Live->enter($server, worker => $_) } }
		    1, 2;
		@ears == 2;
	}), 'back');
	is($_->follow($id, since => 0)->{type}, 'subscribed', 'subscribed')
	    for @ears;
	all_hear($id, 'from the beginning', 5, @ears);
};

subtest 'nobody knows whether it was written' => sub {
	my $told;

	ok((wait_until {
		$line->will('cut');
		$told = emit(1, $id);
		($told->{json}{code} // '') eq 'outcome_unknown';
	} 30), 'outcome unknown');
	$line->will('carry');
	all_hear($id, 'what was written', 3, @ears);
};

subtest 'a writer that dies before it tells' => sub {
	plan skip_all => 'needs a build with fault points'
	    if !T::Run::has('WITH_FAULTS');
	for my $fault (qw(writer_dies_before_bump writer_dies_before_ring
		writer_dies_before_reply)) {
		my $pid = $server->worker_pid(2);
		my $before = head($id);

		$server->fault(arm => $fault);
		my $answer = emit(2, $id);
		$writers[1]->hang_up;
		is(head($id), $before + 1, "$fault: it was written");
		# Whose worker died comes back; the other one is told in time.
		ok((wait_until { ($server->worker_pid(2) // $pid) != $pid } 20),
			"$fault: it died");
		$ears[1]->hang_up;
		my $at = ($ears[1]->numbers("session:$id"))[-1];
		my @heard = $ears[1]->numbers("session:$id");
		ok((wait_until { $ears[1] = eval { T::Live->enter($server,
			worker => 2) } } 20), 'the other is back');
		ok($ears[1]->follow($id, since => $at)->{recovered}, 'on');
		all_hear($id, $fault, 4, @ears);
		is_deeply([@heard, $ears[1]->numbers("session:$id")],
			[$heard[0] .. head($id)],
			"$fault: nothing is left out");
	}
};

$_->leave for @ears;
$server->counts(live_clients => 0, subscriptions => 0, hubs => 0,
	socks_open => 0, sock_queue_bytes => 0);
done_testing;
