#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# PostgreSQL away, lost, hanging, full and slow, as clients see it: a 503 that
# says what to do, nothing done twice, nothing told that is not so, and all
# well again without a restart.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Db;
use T::Line;
use T::Lock;
use T::Private;
use T::Run;
use T::Server;
use T::Wait;

my $sessions = '/api/sessions';
my @secret = (jwt_secret => 'a secret for tests, of enough bytes.');

sub start {
	my (%set) = @_;

	return T::Server->start(wait => 'readyz',
		set => { workers => 1, @secret, %set });
}

# The refusal that tells to come back.
sub come_back {
	my ($answer, $code, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @got = ($answer->{status}, $answer->{json}{code},
		($answer->{headers}{'retry-after'} // '') =~ /^[1-9]\d*$/);
	return is_deeply(\@got, [503, $code, 1], $name);
}

# /readyz: its status, the whole, PostgreSQL.
sub readiness {
	my ($client) = @_;
	my $answer = $client->get('/readyz');

	return join ' ', $answer->{status}, $answer->{json}{status},
	    $answer->{json}{parts}{postgres};
}

sub sessions_of {
	my ($server) = @_;

	return $server->db->query('SELECT count(*) FROM partyline.session');
}

subtest 'away at the start' => sub {
	my $db   = T::Db->new;
	my $line = T::Line->new($db);

	$line->down;
	my $server = T::Server->start(set => { workers => 1, @secret,
		database_url => $line->url });
	my $admin = T::Client->new($server, early => 1);

	ok((wait_until { readiness($admin) eq '503 unavailable down' }),
		'it serves, and says what is out of order');
	come_back($admin->get($sessions), 'database_away', 'reads are refused');
	come_back($admin->post($sessions), 'database_away', 'so are writes');
	come_back($admin->post('/api/auth/login', { key => 'x' }),
		'database_away', 'and logins');
	is($admin->get('/health')->{status}, 200, 'it lives');
	my $http = $admin->http;
	$line->up;
	ok((wait_until { $admin->post($sessions)->{status} == 201 } 8),
		'PostgreSQL comes, and all goes on');
	ok((wait_until { readiness($admin) eq '200 ready ok' }), 'ready');
	is($admin->http, $http, 'on the same connection');
	$server->counts(process_deaths => 0, process_starts => 3);
};

subtest 'away for a while' => sub {
	my $db     = T::Db->new;
	my $line   = T::Line->new($db);
	my $server = start(database_url => $line->url);
	my $admin  = T::Client->new($server);
	my $id     = $admin->post($sessions)->{json}{id};
	my $http   = $admin->http;
	my ($kept, $answer, $last) = (0);

	$admin->get("$sessions/$id");
	my $since = time;
	$line->down;
	ok((wait_until {
		my $asked = time;

		$answer = $admin->get("$sessions/$id");
		$kept++, $last = $asked if $answer->{status} == 200;
		$answer->{status} != 200;
	}), 'what is kept is served, and then no more');
	cmp_ok($kept, '>', 0, 'it was served');
	cmp_ok($last - $since, '<', 5, 'not beyond its time');
	come_back($answer, 'database_away', 'then reads are refused');
	come_back($admin->post("$sessions/$id/close"), 'database_away',
		'and writes');
	ok((wait_until { readiness($admin) eq '503 unavailable down' }),
		'readiness says so');
	$line->up;
	ok((wait_until { $admin->post("$sessions/$id/close")->{status} == 200 }
		8), 'and all goes on');
	# Connections for reads come back by themselves, a moment later perhaps.
	wait_until { ($answer = $admin->get("$sessions/$id"))->{status}
		== 200 };
	is($answer->{json}{is_active}, 0, 'it is read');
	ok((wait_until { readiness($admin) eq '200 ready ok' }), 'ready');
	is($admin->http, $http, 'on the same connection all the while');
	cmp_ok($server->count('db_reconnects'), '>', 0, 'connected anew');
};

# Each write has one effect, and one answer in the end.
sub lost {
	my ($fault) = @_;
	my $server = start();
	my $admin  = T::Client->new($server);
	my %answers;
	my $unknown = 0;
	my $number  = 0;

	# The fault may hit whatever else asks just then.
	while ($unknown < 4 && $number < 60) {
		my @write = ($sessions, { notes => 'n' . ++$number },
			'Idempotency-Key' => "k$number");
		my $answer;

		$server->fault(arm => $fault);
		$answer = $admin->post(@write);
		if ($answer->{status} != 201) {
			come_back($answer, 'outcome_unknown',
				"session $number: not known");
			$unknown++;
			wait_until { ($answer = $admin->post(@write))
				->{status} == 201 };
		}
		my $id = $answer->{json}{id};
		is($admin->get("$sessions/active")->{json}{id}, $id,
			'what is told is so');
		is($admin->post(@write)->{body}, $answer->{body},
			'the one answer') if $number % 5 == 1;
		wait_until { $admin->post("$sessions/$id/close")->{status}
			=~ /200|400/ };
		$answers{$id}++;
	}
	$server->fault('clear');
	is($unknown, 4, 'outcomes were unknown');
	is(scalar keys %answers, $number, 'each key its own session');
	is(sessions_of($server), $number, 'each was made once');
	is($server->count('db_outcomes_unknown') >= 4, 1, 'counted');
	is($server->count('process_deaths'), 0, 'nobody died of it');
	return;
}

SKIP: {
	skip 'needs a build with fault points', 2
	    if !T::Run::has('WITH_FAULTS');
	subtest 'lost between rows and sync' => sub {
		lost('db_lost_before_sync');
	};
	subtest 'lost after sending' => sub { lost('db_lost_after_send') };
}

subtest 'full' => sub {
	my $server = start();
	my $admin  = T::Client->new($server);
	my @write  = ($sessions, undef, 'Idempotency-Key' => 'k');

	$server->db->query(q{CREATE FUNCTION full_disk() RETURNS trigger
		LANGUAGE plpgsql AS $$ BEGIN RAISE 'could not extend file'
		USING ERRCODE = '53100'; END $$});
	$server->db->query(q{CREATE TRIGGER full_disk BEFORE INSERT ON
		partyline.event FOR EACH ROW EXECUTE FUNCTION full_disk()});
	come_back($admin->post(@write), 'database_full', 'no room is told');
	is(sessions_of($server), 0, 'and nothing half done');
	is($admin->get("$sessions/active")->{json}{session}, undef,
		'nor told');
	ok($server->wait_for_log(qr/"sqlstate":"53100"/), 'the log says it');
	$server->db->query('DROP TRIGGER full_disk ON partyline.event');
	is($admin->post(@write)->{json}{id}, 1, 'with room it is done');
};

subtest 'slow' => sub {
	my $server = start(db_timeout => '500ms');
	my @admins = map { T::Client->new($server) } 1 .. 8;
	my $admin  = $admins[0];
	my $id     = $admin->post($sessions)->{json}{id};
	my $lock   = T::Lock->new($server->db, 'LOCK TABLE partyline.session');
	my $since  = time;

	$_->http for @admins;
	$admins[0]->ask(GET => "$sessions/$id");
	$admins[1]->ask(POST => "$sessions/$id/close");
	$_->ask(POST => "$sessions/$id/events", { type => 'custom.x',
		data => {} }) for @admins[2 .. 7];
	my @answers = map { $_->take } @admins;
	cmp_ok(time - $since, '<', 4 * ($ENV{T_SLOW} || 1), 'in time');
	come_back($answers[0], 'database_timeout', 'a read');
	come_back($answers[1], 'database_timeout', 'a write');
	like($_->{json}{code}, qr/^database_(timeout|busy)$/, 'an event')
	    for @answers[2 .. 7];
	$lock->let_go;
	is($admin->get("$sessions/$id")->{json}{is_active}, 1,
		'nothing was done');
	is($server->db->query(q{SELECT count(*) FROM partyline.event WHERE
		stream LIKE 'session:%'}), 0, 'nothing was stored');
	is($admin->post("$sessions/$id/close")->{status}, 200, 'it goes on');
};

subtest 'too many' => sub {
	my $server = start(db_queue => 1, db_depth => 1,
		map { ("db_${_}connections" => 1) } '', 'read_');
	my @admins = map { T::Client->new($server) } 1 .. 3;
	my $admin  = $admins[0];
	my $id     = $admin->post($sessions)->{json}{id};
	my $too_many = sub {
		my ($name, $statuses, @what) = @_;
		my $lock = T::Lock->new($server->db,
			'LOCK TABLE partyline.session');

		$_->http for @admins;
		$admins[0]->ask(@what);
		wait_until { T::Lock::waiting($server->db) == 1 };
		$_->ask(@what) for @admins[1, 2];
		# Whichever of the two came second is refused at once.
		my ($ready) = IO::Select->new(map { $_->http->socket }
			@admins[1, 2])->can_read(5 * ($ENV{T_SLOW} || 1));
		my ($late) = grep { $ready && $_->http->socket == $ready }
		    @admins;
		come_back(($late // $admins[1])->take, 'database_busy',
			"$name: one too many");
		$lock->let_go;
		is_deeply([ sort map { $_->take->{status} }
			grep { $_ != $late } @admins ], $statuses,
			'who waited is answered');
		return;
	};

	$too_many->('events', [201, 201], POST => "$sessions/$id/events",
		{ type => 'custom.x', data => {} });
	$too_many->('writes', [200, 400], POST => "$sessions/$id/close");
	$server->counts(db_waiting => 0);
};

# Ends by statement_timeout where PostgreSQL can still say so; where it says
# nothing at all, the connection is given up some seconds later.
subtest 'hanging' => sub {
	my $server = T::Private->start(@secret, db_timeout => '1s');
	my $admin  = T::Client->new($server);
	my $other  = T::Client->new($server);
	my @write  = ($sessions, undef, 'Idempotency-Key' => 'k2');
	my $id     = $admin->post($sessions)->{json}{id};
	my $most   = 8 * ($ENV{T_SLOW} || 1);
	my (@stopped, $since);
	my $go_on = sub { kill CONT => splice @stopped };

	is($admin->post("$sessions/$id/close")->{status}, 200, 'it works');
	# Whoever did that one is home to the stream.
	@stopped = split /\n/, $server->sql(q{SELECT pid FROM pg_stat_activity
		WHERE query LIKE '%session_close%' AND
		backend_type = 'client backend' AND pid <> pg_backend_pid()
		ORDER BY query_start DESC LIMIT 1});
	is(scalar @stopped, 1, 'the backend is found');
	kill STOP => @stopped;
	$since = time;
	$admin->ask(POST => "$sessions/$id/archive");
	$other->http;
	is($other->post(@write)->{status}, 201, 'others go on');
	is($other->get("$sessions/active")->{json}{is_active}, 1,
		'and read');
	come_back($admin->take(seconds => $most), 'outcome_unknown',
		'who hangs is told');
	cmp_ok(time - $since, '<', $most, 'in time');
	$go_on->();
	ok((wait_until { $admin->post("$sessions/$id/archive")->{status}
		== 200 }), 'it goes on');

	@stopped = split /\n/, $server->sql(q{SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'client backend'
		AND pid <> pg_backend_pid()});
	kill STOP => @stopped;
	$since = time;
	$admin->ask(POST => "$sessions/$id/unarchive");
	$other->ask(GET => "$sessions?limit=7");
	is(T::Http->get($server, '/livez')->{status}, 200, 'it lives');
	is($_->take(seconds => 2 * $most)->{status}, 503, 'told in the end')
	    for $admin, $other;
	$go_on->();
	ok((wait_until { $admin->post("$sessions/$id/unarchive")->{status}
		== 200 } 20), 'and it goes on');
	ok($server->becomes(postgres => 'ok'), 'ready');
	$go_on->() if @stopped;
};

subtest 'killed' => sub {
	my $server = T::Private->start(@secret);
	my $admin  = T::Client->new($server);
	my %ids;

	for my $n (1 .. 3) {
		my @write = ($sessions, undef, 'Idempotency-Key' => "k$n");
		my ($answer, $pid);

		wait_until { $pid = $server->postgres_pid };
		kill KILL => $pid;
		$answer = $admin->post(@write);
		ok($answer->{status} == 201 || $answer->{status} == 503,
			"told something: $answer->{status}");
		ok((wait_until { ($answer = $admin->post(@write))->{status}
			== 201 } 30), 'it is there again, and all goes on');
		$ids{ my $id = $answer->{json}{id} }++;
		ok((wait_until { $admin->post("$sessions/$id/close")->{status}
			=~ /200|400/ }), 'closed');
	}
	is(scalar keys %ids, 3, 'three sessions');
	# The last one may have been answered by a process that outlived it.
	my $count;
	wait_until { defined($count =
		$server->sql('SELECT count(*) FROM partyline.session')) } 30;
	is($count, 3, 'and no more');
};

done_testing;
