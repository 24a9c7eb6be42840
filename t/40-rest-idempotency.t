#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Idempotency-Key with every POST of tbl/operations.h: one effect, one answer,
# whoever asks again, through whichever worker, whatever died in between.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Games;
use T::Lock;
use T::Run;
use T::Server;
use T::Staged;
use T::Table;
use T::Wait;

# Workers are killed one after the other: nobody is to wait for the next.
my $server = T::Server->start(workers => 2, db_timeout => '60s',
	restart_max => '500ms');
my $db     = $server->db;
my ($ann, $bert) = map { T::Client->new($server, name => 'Ann',
	worker => $_) } 1, 2;		# one admin, two connections
my $cleo = T::Client->new($server, name => 'Cleo', worker => 1);
my $keys = 0;

sub sql { return $db->query($_[0]) }
sub key { return 'key-' . ++$keys }

# Whether somebody waits for what is locked, in time.
sub waits {
	my ($where) = @_;

	return wait_until { T::Lock::waiting($where // $db) == 1 };
}

sub flags { return T::Staged::flags($db, @_) }
sub only  { return T::Staged::only($db, @_) }
sub flag { return sql("SELECT $_[0] FROM partyline.session WHERE id = $_[1]") }

# Two sessions that are over.
my ($id, $other) = map {
	my $made = $ann->post('/api/sessions', '{}')->{json}{id};

	$ann->post("/api/sessions/$made/close");
	$made;
} 1, 2;

# What each of them played.
my $played = T::Games::add($db);
my %game = map { $_ => $_ } $id, $other;
sql("INSERT INTO partyline.session_game (tenant_id, id, session_id, game_id,
	played_at, played_text, source, status) SELECT 1, id, id, $played,
	created_at, created_text, 'dice', 'played' FROM partyline.session
	WHERE id IN ($id, $other)");
sql("INSERT INTO partyline.counter VALUES (1, 'session_game', $other)");

sub check {
	my ($status) = @_;

	sql("UPDATE partyline.session_game SET room_code = 'QX7Z',
		player_count_check_status = '$status'
		WHERE id IN ($game{$id}, $game{$other})");
	return;
}

sub checks {
	my ($session) = @_;

	return sql("SELECT player_count_check_status FROM
		partyline.session_game WHERE id = $game{$session}");
}

T::Staged::webhooks($db, $id, $other);

# For each operation: body, and another one; what makes it possible (again);
# whether it has been done since, on the first session or the one given; what
# makes it refuse, and its status if not 400; what it waits for; how often it
# was done in all.
my $seq = 0;
my %session = (lock => "SELECT FROM partyline.session WHERE id = $id FOR
	UPDATE");
my %catalog = (
	undo => sub { sql("DELETE FROM partyline.pack WHERE name = 'Key'") },
	done => sub { sql("SELECT count(*) FROM partyline.game
		WHERE pack_name = 'Key'") },
	never => undef,
	lock  => "SELECT FROM partyline.counter WHERE tenant_id = 1
		AND noun = 'game' FOR UPDATE",
	count => "SELECT last FROM partyline.counter WHERE noun = 'game'",
);
my %ended = (
	%session,
	done  => sub { head($_[0]) > $seq },
	never => sub { flags($id, 'false', 'false') },
);
# Whether or not anybody tries to send it meanwhile.
my %webhook = (
	never   => undef,
	missing => 'webhook_not_found',
	lock    => "SELECT FROM partyline.webhook_queue WHERE webhook_id = $id
		FOR UPDATE",
);
my %again = (
	%webhook,
	undo => sub { sql("UPDATE partyline.webhook_delivery SET
		queued_at = 'epoch', state = 'dead', next_at = NULL,
		is_out = false WHERE id = 1") },
	done => sub { sql("SELECT count(*) FROM partyline.webhook_delivery
		WHERE id = 1 AND webhook_id = $_[0] AND queued_at > 'epoch'") },
);
# At the tabletop sessions have the same numbers.
$ann->post('/api/tabletop/users', { name => $_, password => 'x' }),
    $ann->post('/api/tabletop/sessions', { name => $_ }) for qw(Ann Bert);

my %how = (
	game_create => {
		%catalog,
		body => [map { '{"pack_name":"Key","title":"T","min_players":1,'
			. "\"max_players\":$_}" } 2, 3],
	},
	game_import => {
		%catalog,
		body => [map { '{"csvData":"pack_name,title,min_players,'
			. "max_players\\nKey,T,1,$_\"}" } 2, 3],
	},
	poll_end => {
		%ended,
		body => ['{"delay":300}', '{"delay":299}'],
		undo => sub {
			only($_[0], poll => 1);
			$seq = head($_[0]);
		},
		count => "SELECT count(*) FROM partyline.event
			WHERE type = 'poll.ending'",
	},
	poll_end_cancel => {
		%ended,
		body => ['{}', '{"a":1}'],
		undo => sub {
			only($_[0], poll => 1, ends => 1);
			$seq = head($_[0]);
		},
		count => "SELECT count(*) FROM partyline.event
			WHERE type = 'poll.ending.cancelled'",
	},
	poll_lead => {
		%session,
		body => ['{"gameId":1,"label":"x","votes":1}',
			'{"gameId":1,"label":"x","votes":2}'],
		undo => sub {
			only($_[0], poll => 1);
			sql('UPDATE partyline.session
				SET poll_leading_votes = NULL');
		},
		done  => sub { flag('poll_leading_votes', $_[0]) ne '' },
		never => sub { flags($id, 'false', 'false') },
	},
	poll_start => {
		%ended,
		body => ['{}', '{"a":1}'],
		undo => sub {
			only($_[0]);
			$seq = head($_[0]);
		},
		count => "SELECT count(*) FROM partyline.event
			WHERE type = 'poll.start'",
	},
	selection_create => {
		%ended,
		body => ["{\"gameId\":$played}",
			"{\"gameId\":$played,\"source\":\"dice\"}"],
		undo => sub {
			only($_[0]);
			$seq = head($_[0]);
		},
		count => "SELECT count(*) FROM partyline.event
			WHERE type = 'game.picked'",
	},
	session_archive => {
		%session,
		body  => ['{}', '{"a":1}'],
		undo  => sub { flags("$id, $other", 'false', 'false') },
		done  => sub { flag('archived', $_[0]) eq 't' },
		never => sub { flags($id, 'true', 'false') },
	},
	session_bulk => {
		%session,
		body => ["{\"action\":\"archive\",\"ids\":[$id]}",
			"{\"action\":\"archive\",\"ids\":[$other]}"],
		undo  => sub { flags("$id, $other", 'false', 'false') },
		done  => sub { flag('archived', $_[0]) eq 't' },
		never => sub { flags($id, 'true', 'false') },
	},
	session_chat_import => {
		%session,
		body => [map { '[{"username":"a","message":"thisgame++",'
			. "\"timestamp\":\"203$_-01-01T00:00:00Z\"}]" } 0, 1],
		undo => sub { sql('DELETE FROM partyline.chat_log') },
		done => sub { sql("SELECT count(*) FROM partyline.chat_log
			WHERE session_id = $_[0]") },
		never => undef,		# but for one that is missing
		count => "SELECT last FROM partyline.counter
			WHERE noun = 'chat_log'",
	},
	session_close => {
		%session,
		body => ['{"notes":"x"}', '{"notes":"y"}'],
		undo => sub {
			flags("$id, $other", 'false', 'false');
			flags($_[0], 'true', 'false');
		},
		done  => sub { flag('is_active', $_[0]) eq 'f' },
		never => sub { flags($id, 'false', 'false') },
		count => "SELECT count(*) FROM partyline.event
			WHERE type = 'session.ended'",
	},
	session_create => {
		body  => ['{"notes":"x"}', ''],
		undo  => sub {
			flags('SELECT id FROM partyline.session', 'false',
				'false');
		},
		done  => sub { sql('SELECT count(*) FROM partyline.session
			WHERE is_active') },
		never => sub { flags($id, 'true', 'false') },
		lock  => 'SELECT FROM partyline.counter WHERE tenant_id = 1
			AND noun = \'session\' FOR UPDATE',
		count => "SELECT count(*) FROM partyline.event
			WHERE type = 'session.started'",
	},
	session_event_create => {
		body => ['{"type":"custom.a","data":{"x":1}}',
			'{"type":"custom.a","data":{"x":1.0}}'],
		undo => sub {
			flags("$id, $other", 'false', 'false');
			$seq = head($_[0]);
		},
		done  => sub { head($_[0]) > $seq },
		never => sub { flags($id, 'false', 'true') },
		lock  => "SELECT FROM partyline.stream WHERE tenant_id = 1
			AND name = 'session:$id' FOR UPDATE",
		count => "SELECT count(*) FROM partyline.event
			WHERE type LIKE 'custom.%'",
	},
	session_game_add => {
		%session,
		body => ["{\"game_id\":$played}",
			"{\"game_id\":$played,\"source\":\"poll\"}"],
		undo => sub {
			flags('SELECT id FROM partyline.session', 'false',
				'false');
			flags($_[0], 'true', 'false');
			$seq = head($_[0]);
		},
		done  => sub { head($_[0]) > $seq },
		never => sub { flags($id, 'false', 'false') },
		count => "SELECT count(*) FROM partyline.event
			WHERE type = 'game.added'",
	},
	session_game_check_start => {
		%session,
		body    => ['{}', '{"a":1}'],
		undo    => sub { check('stopped') },
		done    => sub { checks($_[0]) eq 'checking' },
		never   => sub { sql('UPDATE partyline.session_game
			SET room_code = NULL') },
		missing => 'session_game_not_found',
	},
	session_game_check_stop => {
		%session,
		body    => ['{}', ''],
		undo    => sub { check('monitoring') },
		done    => sub { checks($_[0]) eq 'stopped' },
		never   => undef,
		missing => 'session_game_not_found',
	},
	session_unarchive => {
		%session,
		body  => ['{}', ''],
		undo  => sub { flags("$id, $other", 'false', 'true') },
		done  => sub { flag('archived', $_[0]) eq 'f' },
		never => undef,		# but for one that is missing
	},
	T::Staged::tabletop($db, $id),
	vote_create => {
		%session,
		body => [map { '{"username":"a","timestamp":'
			. "\"2030-01-01T00:00:00Z\",\"vote\":\"$_\"}" }
			qw(up down)],
		undo => sub {
			flags('SELECT id FROM partyline.session', 'false',
				'false');
			flags($id, 'true', 'false');
			sql('DELETE FROM partyline.live_vote');
		},
		done  => sub {
			sql('SELECT count(*) FROM partyline.live_vote');
		},
		never => sub { flags($id, 'false', 'false') },
		refused => 404,
		count   => "SELECT count(*) FROM partyline.event
			WHERE type = 'vote.received'",
	},
	webhook_create => {
		body => [map { '{"name":"Key","url":"http://key.invalid/",'
			. "\"secret\":\"$_\",\"events\":[]}" } qw(x y)],
		undo => sub { sql("DELETE FROM partyline.webhook
			WHERE name = 'Key'") },
		done => sub { sql("SELECT count(*) FROM partyline.webhook
			WHERE name = 'Key'") },
		never => undef,
		lock  => "SELECT FROM partyline.counter WHERE tenant_id = 1
			AND noun = 'webhook' FOR UPDATE",
		count => "SELECT last FROM partyline.counter
			WHERE noun = 'webhook'",
	},
	webhook_redeliver => { %again, body => ['{}', ''] },
	webhook_replay => {
		%again,
		body => ['{"state":"all"}', '{"state":"all","a":1}'],
	},
	webhook_test => {
		%webhook,
		body => ['{}', ''],
		undo => sub { sql('DELETE FROM partyline.webhook_delivery
			WHERE is_test') },
		done => sub { sql("SELECT count(*) FROM
			partyline.webhook_delivery WHERE is_test
			AND webhook_id = $_[0]") },
		count => "SELECT deliveries FROM partyline.webhook_queue
			WHERE webhook_id = $id",
	},
	# Keys of anonymous callers, and answers that carry secrets or are
	# streamed, are not kept; what changes nothing need not be.
	auth_login            => undef,
	auth_ticket           => undef,
	auth_verify           => undef,
	conversation_learning => undef,
	havefun               => undef,
	pick                  => undef,
	(map { $_ => undef } qw(tabletop_login tabletop_logout)),
);
my %row = map { $_->{name} => $_ } grep { $_->{method} eq 'POST' }
    T::Table->rows('operations');

is_deeply([sort keys %how], [sort keys %row],
	'every POST of the table is looked at here');

sub head {
	return sql("SELECT head FROM partyline.stream WHERE tenant_id = 1
		AND name = 'session:$_[0]'");
}

# What to ask for an operation: path, body, headers.
sub asking {
	my ($name, $key, %what) = @_;
	my $on = $what{on} // $id;

	return ($row{$name}{path} =~ s/\{id\}/$on/r
			=~ s/\{game\}/$game{$on} \/\/ 999/er
			=~ s/\{delivery\}/1/r,
		$what{body} // $how{$name}{body}[0],
		'Idempotency-Key' => $key);
}

sub same {
	my ($answer, $first, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("$answer->{status} $answer->{body}",
		"$first->{status} $first->{body}", "$what: the same answer");
	return;
}

sub in_progress {
	my ($answer, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	refused($answer, 409, 'idempotency_in_progress', error =>
		'A request with this Idempotency-Key is still running')
	    or diag($what);
	like($answer->{headers}{'retry-after'}, qr/\A[1-9]\d*\z/,
		"$what: when to ask again");
	return;
}

my %test = (
	'once' => sub {
		my ($name, $how) = @_;
		my $key = key();

		$how->{undo}->($id);
		my $first = $ann->post(asking($name, $key));
		is($first->{status}, $row{$name}{status}, 'done')
		    or diag($first->{body});
		ok($how->{done}->($id), 'it had its effect');
		$how->{undo}->($id);
		same($_->post(asking($name, $key)), $first, 'again')
		    for $ann, $bert, $ann;
		ok(!$how->{done}->($id), 'and no other effect');

		refused($_->post(asking($name, $key,
			body => $how->{body}[1])), 422,
			'idempotency_key_reused', error =>
			'This Idempotency-Key was used with another request')
		    for $ann, $bert;
		ok(!$how->{done}->($id), 'another body does nothing');
		same($bert->post(asking($name, "$key \t")), $first, 'still');
	},
	'what it goes with' => sub {
		my ($name, $how) = @_;
		my $key = key();
		my $does = sub {
			my ($what, $who, $key, $on) = @_;

			$how->{undo}->($on // $id);
			is($who->post(asking($name, $key, on => $on))
				->{status}, $row{$name}{status}, $what);
			ok($how->{done}->($on // $id), "$what: its own effect");
		};

		$does->('a key', $ann, $key);
		$does->('of another caller', $cleo, $key);
		$does->('with another session', $ann, $key, $other)
		    if $row{$name}{path} =~ /\{id\}/;
		$does->('another key', $ann, $_) for key(), uc $key;
		$does->('no key', $ann, undef) for 1, 2;
	},
	'a refusal is not kept' => sub {
		my ($name, $how) = @_;
		my $key = key();

		$how->{undo}->($id);
		if ($how->{never}) {
			$how->{never}->();
			my $refusal = $ann->post(asking($name, $key));
			is($refusal->{status}, $how->{refused} // 400,
				'refused');
			ok(!defined $refusal->{json}{id}, 'with its reason');
			$how->{undo}->($id);
		}
		is($bert->post(asking($name, $key))->{status},
			$row{$name}{status}, 'done when it can be');
		ok($how->{done}->($id), 'it had its effect');
		if ($row{$name}{path} =~ /\{id\}/) {
			refused($ann->post(asking($name, key(), on => 999)),
				404, $how->{missing} // 'session_not_found');
		}
	},
	'while it runs' => sub {
		my ($name, $how) = @_;
		my $key = key();

		$how->{undo}->($id);
		my $lock = T::Lock->new($db, $how->{lock});
		$ann->ask(post => asking($name, $key));
		ok(waits(), 'the first one waits');
		in_progress($bert->post(asking($name, $key)), 'the same');
		in_progress($bert->post(asking($name, $key,
			body => $how->{body}[1])), 'another body');
		# Behind the first one, on the same connection to PostgreSQL.
		my $beside = T::Client->new($server, name => 'Ann',
			worker => 1);
		$beside->ask(post => asking($name, $key));
		$lock->let_go;
		my $first = $ann->take;
		is($first->{status}, $row{$name}{status}, 'the first is done');
		same($beside->take, $first, 'who came behind it');
		$how->{undo}->($id);
		same($bert->post(asking($name, $key)), $first, 'after it');
		ok(!$how->{done}->($id), 'with no other effect');
	},
	'its connection to PostgreSQL is ended' => sub {
		my ($name, $how) = @_;
		my $key = key();

		$how->{undo}->($id);
		my $before = $how->{count} && sql($how->{count});
		my $lock = T::Lock->new($db, $how->{lock});
		$ann->ask(post => asking($name, $key));
		ok(waits(), 'it waits');
		sql(q{SELECT count(pg_terminate_backend(pid)) FROM
			pg_stat_activity WHERE datname = current_database()
			AND wait_event_type = 'Lock'});
		my $lost = $ann->take;
		is($lost->{status}, 503, 'nobody knows what became of it');
		like($lost->{headers}{'retry-after'}, qr/\A[1-9]\d*\z/,
			'when to ask again');
		$lock->let_go;
		is(asked_until_told($name, $key)->{status},
			$row{$name}{status}, 'it is done when it is repeated');
		ok($how->{done}->($id), 'it had its effect');
		is(sql($how->{count}), $before + 1, 'once') if $how->{count};
	},
	'the commit was not heard' => sub {
		my ($name, $how) = @_;

		if (!T::Run::has('WITH_FAULTS')) {
			pass('that needs a build with fault points');
			return;
		}
		for my $fault (qw(db_lost_before_sync db_lost_after_send)) {
			my ($key, $before);

			# Another call may pass the point before ours; the
			# jobs process does not.
			my @jobs = $server->pids('jobs');
			kill STOP => @jobs;
			my $is_lost = wait_until {
				$key = key();
				$how->{undo}->($id);
				$before = $how->{count}
				    && sql($how->{count});
				$server->fault(arm => $fault);
				my $answer = $ann->post(asking($name, $key));

				return $answer->{status} == 503
				    && refused($answer, 503, 'outcome_unknown',
					error => 'The outcome is unknown. '
					. 'Repeat the request with the same '
					. 'Idempotency-Key.')
				    && like($answer->{headers}{'retry-after'},
					qr/\A[1-9]\d*\z/, 'when to ask again');
			} 60;
			kill CONT => @jobs;
			ok($is_lost, "$fault: the outcome is unknown");
			my $told = asked_until_told($name, $key);
			is($told->{status}, $row{$name}{status},
				"$fault: told when it is repeated");
			ok($how->{done}->($id), "$fault: it was done");
			is(sql($how->{count}), $before + 1, "$fault: once")
			    if $how->{count};
			$how->{undo}->($id);
			same($bert->post(asking($name, $key)), $told, $fault);
			$server->fault('clear');
		}
	},
	'the worker is killed' => sub {
		my ($name, $how) = @_;
		my $key = key();

		return pass('as with the others') if !$how->{count};
		$how->{undo}->($id);
		my $before = sql($how->{count});
		my $lock = T::Lock->new($db, $how->{lock});
		my $other = T::Client->new($server, name => 'Ann',
			worker => 2);
		$other->ask(post => asking($name, $key));
		ok(waits(), 'it waits');
		kill KILL => $server->worker_pid(2);
		is($other->take->{status}, 0, 'its client is cut off');
		$lock->let_go;
		my $told = asked_until_told($name, $key);
		is($told->{status}, $row{$name}{status},
			'told when it is repeated');
		ok($how->{done}->($id), 'it was done');
		is(sql($how->{count}), $before + 1, 'once');
		$bert->hang_up;
		# Who dies again and again is replaced after a while.
		ok((wait_until { $server->worker_pid(2) } 60),
			'another worker is there');
	},
);

# Asks until it is neither unknown nor at work.
sub asked_until_told {
	my ($name, $key) = @_;
	my $answer;

	wait_until {
		$answer = $ann->post(asking($name, $key));
		$answer->{status} != 503 && $answer->{status} != 409;
	};
	return $answer;
}

for my $name (sort grep { $how{$_} } keys %how) {
	for my $what ('once', 'what it goes with', 'a refusal is not kept',
		'while it runs', 'its connection to PostgreSQL is ended',
		'the commit was not heard', 'the worker is killed') {
		subtest "$name: $what" => sub { $test{$what}->($name,
			$how{$name}) };
	}
}

done_testing;
