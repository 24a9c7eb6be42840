#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Reads that are kept: nobody reads less than he was told, whatever dies;
# how old they may be, how many there are, and who asks for whom.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Command;
use T::Db;
use T::Lock;
use T::Run;
use T::Server;
use T::Told;
use T::Wait;

my $secret = 'a secret for tests, of enough bytes.';
my $sessions = '/api/sessions';

sub start {
	my (%set) = @_;

	return T::Server->start(wait => 'readyz', set => { workers => 2,
		jwt_secret => $secret, %set });
}

# Somebody who only reads, at each worker.
sub readers {
	my ($server, @options) = @_;

	return map { T::Client->new($server, role => undef, worker => $_,
		@options) } 1 .. $server->{set}{workers};
}

sub hits { return $_[0]->count('cache_hits') }

# All of them answer so at once.
sub all_read {
	my ($readers, $path, $member, $value, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is_deeply([ map { $_->get($path)->{json}{$member} } @$readers ],
		[ map { $value } @$readers ], $name);
}

subtest 'what is kept is found, until something is written' => sub {
	my $server  = start();
	my @readers = readers($server);
	my $admin   = T::Client->new($server);

	$_->get("$sessions/active") for @readers;
	my $before = hits($server);
	$_->get("$sessions/active") for @readers;
	is(hits($server), $before + @readers, 'found');
	cmp_ok($server->count('cache_bytes'), '>', 0, 'it takes room');
	for my $n (1 .. 20) {
		my $id = $admin->post($sessions)->{json}{id};

		all_read(\@readers, "$sessions/active", 'id', $id,
			"session $n is read by all");
		$admin->post("$sessions/$id/close", { notes => "n$n" });
		all_read(\@readers, "$sessions/$id", 'notes', "n$n",
			'and that it is closed');
	}
};

subtest 'a commit that nobody told of' => sub {
	my $server  = start();
	my @readers = readers($server);
	my $admin   = T::Client->new($server, worker => 1);
	my $id      = $admin->post($sessions)->{json}{id};
	my $lock    = T::Lock->new($server->db,
		'SELECT * FROM partyline.session FOR UPDATE');

	$admin->ask(POST => "$sessions/$id/close", { notes => 'late' },
		'Idempotency-Key' => 'once');
	ok((wait_until { T::Lock::waiting($server->db) == 1 }), 'it waits');
	kill KILL => $server->worker_pid(1);
	is($admin->take->{status}, 0, 'its worker dies');
	$server->counts(process_deaths => 1, sweeps_posted => 1);
	wait_until { $_->get('/livez')->{status} == 200 } for @readers;
	wait_until { $_->get("$sessions/$id")->{status} == 200 } for @readers;
	all_read(\@readers, "$sessions/$id", 'is_active', 1, 'not yet done');
	$lock->let_go;
	ok((wait_until { $server->db->query(
		'SELECT is_active FROM partyline.session') eq 'f' }),
		'then it is done all the same');
	all_read(\@readers, "$sessions/$id", 'is_active', 1,
		'nobody knows of it') or diag('slow: the entries were too old');
	is($admin->post("$sessions/$id/close", { notes => 'late' },
		'Idempotency-Key' => 'once')->{status}, 200,
		'who repeats it is told');
	all_read(\@readers, "$sessions/$id", 'is_active', 0, 'so all know');
};

subtest 'a refusal that names a row' => sub {
	my $server  = start();
	my @readers = readers($server);

	all_read(\@readers, "$sessions/active", 'session', undef, 'none');
	$server->db->query(q{INSERT INTO partyline.session (tenant_id, id,
		created_at, created_text) VALUES
		(1, 7, now(), '2026-03-15T19:00:00.000Z')});
	is(T::Client->new($server)->post($sessions)->{json}{activeSessionId},
		7, 'told of it');
	all_read(\@readers, "$sessions/active", 'id', 7, 'all know');
};

subtest 'never older than 5 s' => sub {
	my $server = start(workers => 1);
	my ($reader) = readers($server);
	my ($olds, $told, $last, $answer) = (0);

	$server->db->query(q{INSERT INTO partyline.session (tenant_id, id,
		notes, created_at, created_text) VALUES
		(1, 7, 'old', now(), '2026-03-15T19:00:00.000Z')});
	$reader->get("$sessions/7");
	$server->db->query(q{UPDATE partyline.session SET notes = 'new'});
	$told = time;
	ok((wait_until {
		my $asked = time;

		$answer = $reader->get("$sessions/7")->{json}{notes};
		$last = $asked, $olds++ if $answer eq 'old';
		$answer eq 'new';
	}), 'the new one is read');
	cmp_ok($olds, '>', 0, 'the old one was kept');
	cmp_ok($last - $told, '<', 5, 'and not beyond its time');
};

subtest 'two hosts' => sub {
	my $one = start(workers => 2);
	my $db  = $one->db;
	my @readers = readers($one);
	my $seen = sub {
		my ($what, $mark) = @_;

		return wait_until { (() = $one->log_since($mark)
			=~ /"$what/g) == 2 } 5;
	};
	my $mark = $one->log_mark;
	my $two = start(workers => 1, database_url => $db->url);

	ok($seen->('other hosts live', $mark), 'the second one is seen');
	my $before = hits($one);
	my $admin = T::Client->new($two);
	for my $n (1 .. 10) {
		my $id = $admin->post($sessions)->{json}{id};

		all_read(\@readers, "$sessions/active", 'id', $id,
			"what it wrote is read ($n)");
		$admin->post("$sessions/$id/close");
	}
	is(hits($one), $before, 'nothing is kept');
	$mark = $one->log_mark;
	ok($two->stop, 'it stops');
	ok($seen->('no other host lives', $mark), 'and has said so');
	$_->get("$sessions/active") for @readers, @readers;
	cmp_ok(hits($one), '>', $before, 'answers are kept again');

	# One that died without a word.
	$mark = $one->log_mark;
	$db->query(q{INSERT INTO partyline.host VALUES ('feedfacefeedface',
		clock_timestamp() - interval '9 s', false)});
	ok($seen->('other hosts live', $mark), 'another one is seen');
	$mark = $one->log_mark;
	ok($seen->('no other host lives', $mark), 'until 10 s after its beat');
};

subtest 'two hosts and read_cache_ms' => sub {
	my $one = start(workers => 1, read_cache_ms => '2s');
	my ($reader) = readers($one);
	my $two = start(workers => 1, database_url => $one->db->url);
	my $admin = T::Client->new($two);
	my ($olds, $told, $last, $shown) = (0, 0, 0);

	ok($one->wait_for_log(qr/other hosts live/, 5), 'each other is seen');
	my $id = $admin->post($sessions)->{json}{id};
	wait_until { ($reader->get("$sessions/active")->{json}{id} // 0)
		== $id } 5;
	# So that it is kept from now on.
	wait_until { my $before = hits($one);
		$reader->get("$sessions/active"); hits($one) == $before } 5;
	$admin->post("$sessions/$id/close");
	$told = time;
	ok((wait_until {
		my $asked = time;

		$shown = $reader->get("$sessions/active")->{json}{id};
		$last = $asked, $olds++ if $shown;
		!$shown;
	} 5), 'the new one is read');
	cmp_ok($olds, '>', 0, 'the old one was kept');
	cmp_ok($last - $told, '<', 2, 'and not beyond its time');
};

subtest 'bytes' => sub {
	my $server = start(workers => 1, read_cache => 65536);
	my ($reader) = readers($server);
	my $admin = T::Client->new($server);
	my $most = 0;

	for my $n (1 .. 5) {
		my $id = $admin->post($sessions,
			{ notes => 'x' x 200 })->{json}{id};
		$admin->post("$sessions/$id/close");
	}
	for my $n (1 .. 400) {
		$reader->get("$sessions?limit=$n");
		next if $n % 40;
		my $now = $server->count('cache_bytes');
		$most = $now if $now > $most;
	}
	cmp_ok($most, '<=', 65536, 'it stays within its bound');
	cmp_ok($most, '>', 32768, 'and uses it');
	my $before = hits($server);
	$reader->get("$sessions?limit=$_") for 400, 399, 1;
	is(hits($server), $before + 2, 'what was asked last is there');
};

subtest 'none at all' => sub {
	my $server = start(workers => 1, read_cache => 0);
	my ($reader) = readers($server);

	$reader->get($sessions) for 1 .. 10;
	$server->counts(cache_hits => 0, cache_joins => 0, cache_bytes => 0);
};

subtest 'many at once' => sub {
	my $server  = start(workers => 1);
	my @clients = map { T::Client->new($server, role => undef) } 1 .. 50;

	$_->get('/livez') for @clients;
	my $lock = T::Lock->new($server->db, 'LOCK TABLE partyline.session');
	$_->ask(GET => $sessions) for @clients;
	$server->counts(cache_joins => 49);
	is(T::Lock::waiting($server->db), 1, 'one of them asks for all');
	$lock->let_go;
	my @answers = map { $_->take } @clients;
	is_deeply([ map { $_->{status} } @answers ], [ (200) x 50 ],
		'all are answered');
	my %id = map { $_->{headers}{'x-request-id'} => 1 } @answers;
	is(scalar keys %id, 50, 'each by the name of his request');
};

# What happens meanwhile, one after another.
sub trouble {
	my ($server) = @_;
	my @faults = T::Run::has('WITH_FAULTS')
	    ? qw(writer_dies_before_bump writer_dies_before_ring
	    writer_dies_before_reply db_lost_before_sync db_lost_after_send)
	    : ();

	return (
		(map { my $fault = $_; sub { $server->fault(arm => $fault) } }
		    @faults),
		sub { kill KILL => ($server->worker_pids)[0] },
		sub {
			$server->db->query(q{SELECT pg_terminate_backend(pid)
			    FROM pg_stat_activity WHERE pid <> pg_backend_pid()
			    AND datname = current_database()});
		},
		sub { $server->hup },
		sub {
			is(partyline('tenant', 'set', 'den', 'max_events='
				. (900000 + int rand 1000), '--set',
				'database_url=' . $server->db->url)->{exit},
				0, 'a tenant is set');
		},
	);
}

subtest 'nobody reads less than he was told' => sub {
	my $server = start(workers => 3, restart_max => '200ms');
	my $set = 'database_url=' . $server->db->url;

	is(partyline('tenant', 'add', 'den', '--set', $set)->{exit}, 0,
		'a second tenant');
	ok((wait_until { $_->get($sessions)->{status} == 200 }),
		"worker $_->{worker} serves it")
	    for readers($server, tenant => 'den');
	my $told = T::Told->new($server, tenants => ['', '/t/den'],
		readers => 24, token => sub {
			T::Client::token($server, $_[0] ? 'den' : 'default',
				role => 'admin', name => 'Told');
		});
	my @trouble = trouble($server);

	$told->run(sub { $told->{reads} > 500 });
	for my $round (1 .. 3) {
		for my $one (@trouble) {
			my ($reads, $writes) = @$told{qw(reads writes)};

			$one->();
			$told->run(sub { $told->{reads} > $reads + 250
				&& $told->{writes} > $writes + 20 });
		}
	}
	$told->finish;
	is_deeply($told->{complaints}, [], "$told->{reads} reads, "
		. "$told->{writes} writes, $told->{unanswered} cut off, "
		. "$told->{distress} refused in distress");
	cmp_ok($told->{unanswered}, '>', 0, 'lines were cut');
	my $numbers = $server->numbers;
	cmp_ok($numbers->{$_}, '>', 100, "$_: $numbers->{$_}")
	    for qw(cache_hits cache_joins);

	# Once it is quiet, all say what the database says.
	my @readers = readers($server);
	my $want = $server->db->query(q{SELECT string_agg(id || ':' ||
		is_active::int, ' ' ORDER BY id) FROM partyline.session WHERE
		tenant_id = 1});
	for my $reader (@readers) {
		ok((wait_until {
			my $list = $reader->get("$sessions?filter=all")->{json};

			$want eq join ' ', map { "$_->{id}:$_->{is_active}" }
			    sort { $a->{id} <=> $b->{id} } @{ $list // [] };
		}), 'in the end all agree');
	}
};

done_testing;
