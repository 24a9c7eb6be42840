#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Many writers at once: numbers without gaps, in the order of the commits,
# and nobody waits for ever. The order of the commits is PostgreSQL's own: the
# order of their records in the log that it would recover from.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use IO::Handle;
use POSIX ();
use Test::More;
use T::Db;
use T::Lock;
use T::Run;
use T::Sql;
use T::Wait;

my $db      = T::Db->new;
my $dir     = tempdir('partyline-emit-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @streams = qw(alpha beta delta gamma);
my $ctx     = q{ROW(1,'admin:1','admin','request',NULL,NULL,'')::api.ctx};
my $enter   = "BEGIN; SET LOCAL ROLE partyline_server;"
    . " SELECT FROM api.enter($ctx);";

$db->query('SELECT ' . join ', ',
	map { "api.stream_create($ctx, '$_')" } @streams);

# psql that reads a file and goes on after an error; its complaints are kept.
sub starts {
	my ($name, @lines) = @_;

	open my $file, '>', "$dir/$name.sql" or die "$name: $!\n";
	print $file "$_\n" for @lines;
	close $file;
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		my @command = T::Sql::psql($db->name, '-U', $T::Db::super,
			'-v', 'ON_ERROR_STOP=0', '-f', "$dir/$name.sql");

		open STDOUT, '>', "$dir/$name.out";
		open STDERR, '>', "$dir/$name.err";
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	return $pid;
}

# Whether all of them end in time; who does not is ended.
sub all_end {
	my ($seconds, @pids) = @_;
	my %left = map { $_ => 1 } @pids;

	my $ended = wait_until {
		delete @left{ grep { waitpid $_, POSIX::WNOHANG() }
			    keys %left };
		!%left;
	} $seconds;
	kill KILL => keys %left;
	waitpid $_, 0 for keys %left;
	return $ended;
}

sub said {
	my ($name) = @_;

	open my $file, '<', "$dir/$name" or die "$name: $!\n";
	local $/;
	return <$file> // q();
}

sub emits {
	return join ' ',
	    map { "SELECT (api.emit($ctx, '$_', 'some.event', '{}')).seq;" } @_;
}

# The log is read at the end: a slot keeps the cluster from removing it.
my $slot = "emit_$$";
$db->query("SELECT pg_create_physical_replication_slot('$slot', true)");

END {
	local $?;
	eval { $db->query("SELECT pg_drop_replication_slot('$slot')") } if $db;
}

# Where the log's next file begins. The log is flushed up to there, and the
# record that ends a file is no place to begin at: its page may hold no other.
sub wal_ends {
	return $db->query(q{SELECT pg_lsn '0/0' + ceil((pg_switch_wal()
		- pg_lsn '0/0') / setting::numeric) * setting::numeric
		FROM pg_settings WHERE name = 'wal_segment_size'});
}

# The place of each transaction's commit in the log.
sub commits {
	my ($from, $to) = @_;
	my @command = (
		T::Run::postgres_bin() . '/pg_waldump', '-r', 'Transaction',
		'-p', T::Run::folder() . '/data/postgres/pg_wal',
		'-s', $from, '-e', $to
	);
	my %place;

	open my $out, '-|', @command or die "pg_waldump: $!\n";
	while (<$out>) {
		$place{$1} = $. if /\btx:\s*(\d+),.*\bdesc: COMMIT\b/;
	}
	close $out or die "pg_waldump failed\n";
	return %place;
}

sub is_without_gaps {
	my ($stream) = @_;

	is($db->query("SELECT count(*), min(seq), max(seq) FROM partyline.event
		WHERE tenant_id = 1 AND stream = '$stream'"),
		$db->query("SELECT head, 1, head FROM partyline.stream
		WHERE tenant_id = 1 AND name = '$stream'"),
		"$stream: from 1 to the head, each once");
	return;
}

sub is_in_order_of_commits {
	my ($stream, $place) = @_;
	my @rows = map { [split /\|/] } split /\n/, $db->query(
		"SELECT seq, xmin FROM partyline.event
		WHERE tenant_id = 1 AND stream = '$stream' ORDER BY seq");
	my ($last, @unknown, @wrong) = (0);

	for my $row (@rows) {
		my $at = $place->{ $row->[1] };

		if (!defined $at) {
			push @unknown, $row->[0];
		} elsif ($at < $last) {
			push @wrong, $row->[0];
		} else {
			$last = $at;
		}
	}
	is("@unknown", q(), "$stream: the log has every commit");
	is("@wrong",   q(), "$stream: the commits are in the numbers' order");
	return;
}

# What an observer sees at any moment is the beginning of each stream.
my $observed = q{SELECT 'seen', count(*) FILTER (WHERE NOT good), count(*)
	FROM (SELECT s.head = coalesce(max(e.seq), 0)
	    AND s.head = count(e.seq) AS good
	FROM partyline.stream s LEFT JOIN partyline.event e
	ON e.tenant_id = s.tenant_id AND e.stream = s.name
	WHERE s.tenant_id = 1 GROUP BY s.tenant_id, s.name) a;};

srand 20;

subtest 'twelve writers on four streams, in the order of their names' => sub {
	my $from = wal_ends();
	my (@pids, $kept);

	for my $writer (1 .. 12) {
		my @lines;

		for (1 .. 60) {
			my %some = map { $streams[rand @streams] => 1 } 1 .. 3;
			my $is_kept = rand() < 0.85;

			$kept += keys %some if $is_kept;
			push @lines, "$enter " . emits(sort keys %some)
			    . ($is_kept ? ' COMMIT;' : ' ROLLBACK;');
		}
		push @pids, starts("writer$writer", @lines);
	}
	push @pids, starts('observer', ($observed) x 60);
	ok(all_end(60, @pids), 'all come to their end');
	is(join(q(), map { said("writer$_.err") } 1 .. 12), q(),
		'without one complaint');
	my %place = commits($from, wal_ends());
	for my $stream (@streams) {
		is_without_gaps($stream);
		is_in_order_of_commits($stream, \%place);
	}
	is($db->query("SELECT sum(head) FROM partyline.stream
		WHERE name IN ('alpha', 'beta', 'delta', 'gamma')"), $kept,
		'what was committed is there, what was not is not');
	my @seen = split /\n/, said('observer.out');
	is(scalar @seen, 60, 'the observer looked');
	is(join(' ', grep { !/^seen\|0\|/ } @seen), q(),
		'and saw beginnings only');
};

subtest 'writers against the order' => sub {
	my @orders = ([qw(alpha gamma)], [qw(gamma alpha)]);
	my ($alpha, $gamma) = split /\n/, $db->query(
		q{SELECT head FROM partyline.stream
		WHERE name IN ('alpha', 'gamma') ORDER BY name});
	my @pids;

	for my $writer (1 .. 6) {
		my $both = emits(@{ $orders[$writer % 2] });

		push @pids, starts("against$writer",
			("$enter $both COMMIT;") x 6);
	}
	ok(all_end(120, @pids), 'no deadlock lasts');
	my $complaints = join q(), map { said("against$_.err") } 1 .. 6;
	my @others = grep {
		/ERROR/ && !/deadlock detected|current transaction is aborted/
	} split /\n/, $complaints;
	is("@others", q(), 'and there is no other complaint');
	is_without_gaps($_) for qw(alpha gamma);
	is($db->query("SELECT count(*) FROM (SELECT FROM partyline.event
		WHERE stream = 'alpha' AND seq > $alpha
		OR stream = 'gamma' AND seq > $gamma
		GROUP BY xmin::text HAVING count(*) <> 2) a"), 0,
		'none is half done');
};

subtest 'writers killed in the middle' => sub {
	my @pids = map {
		starts("killed$_", ("$enter " . emits(qw(alpha beta))
			. ' COMMIT;') x 400)
	} 1 .. 4;

	ok((wait_until { -s "$dir/killed1.out" && -s "$dir/killed4.out" } 20),
		'they are at it');
	kill KILL => @pids;
	waitpid $_, 0 for @pids;
	$db->query(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database()
		AND pid <> pg_backend_pid()});
	ok((wait_until {
		$db->query(q{SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database()
		AND pid <> pg_backend_pid()}) == 0;
	} 20), 'and are no more');
	is_without_gaps($_) for qw(alpha beta);
	like($db->query("$enter " . emits('alpha') . ' COMMIT'), qr/^\d+$/m,
		'the stream is free');
};

subtest 'batches, sessions and their ends at the same time' => sub {
	my $from = wal_ends();
	my $call = 'BEGIN; SET LOCAL ROLE partyline_server; SELECT status,'
	    . ' refusal FROM api.';
	my @made = ("${call}session_create($ctx, NULL); COMMIT;",
		"${call}session_active($ctx); COMMIT;");
	my $batch = "${call}session_event_create($ctx, '{a,b}', '{r,r}',"
	    . "'{NULL,NULL}', '{NULL,NULL}', '{%d,%d}',"
	    . "'{custom.x,custom.x}', '{\"{}\",\"{}\"}'); COMMIT;";
	my @pids;

	push @pids, starts("maker$_", map {
		(@made, "${call}session_close($ctx, $_, NULL); COMMIT;",
			"${call}session_archive($ctx, $_); COMMIT;",
			"${call}session_unarchive($ctx, $_); COMMIT;")
	} 1 .. 12) for 1 .. 4;
	push @pids, starts("batcher$_", map {
		sprintf $batch, 1 + rand 12, 1 + rand 12
	} 1 .. 60) for 1 .. 4;
	push @pids, starts('deleter', map {
		"${call}session_delete($ctx, $_); COMMIT;"
	} (map { $_, 13 - $_ } 1 .. 6) x 4);
	ok(all_end(60, @pids), 'all come to their end');
	my $complaints = join q(),
	    map { said("$_.err") } (map { ("maker$_", "batcher$_") } 1 .. 4),
	    'deleter';
	my @others = grep {
		/ERROR/ && !/active_session_exists|session_not_found
		|session_closed|session_(?:delete|archive)_active/x
	} split /\n/, $complaints;
	is("@others", q(), 'nobody meets what should not be');
	my %place = commits($from, wal_ends());
	is_without_gaps('lobby');
	is_in_order_of_commits('lobby', \%place);
	is($db->query('SELECT count(*) FROM partyline.session
		WHERE is_active') <= 1 ? 1 : 0, 1, 'at most one is active');
	is($db->query("SELECT count(*) FROM partyline.event e
		WHERE NOT EXISTS (SELECT FROM partyline.stream s
		WHERE s.tenant_id = e.tenant_id AND s.name = e.stream)"), 0,
		'no event is left without its stream');
	is($db->query("SELECT count(*) FROM partyline.stream s
		WHERE s.name LIKE 'session:%' AND NOT EXISTS (
		SELECT FROM partyline.session n
		WHERE s.name = 'session:' || n.id)"), 0,
		'and no stream without its session');
	is($db->query("SELECT count(*) FROM partyline.stream s
		WHERE s.tenant_id = 1 AND (SELECT count(*)
		FROM partyline.event e WHERE e.tenant_id = 1
		AND e.stream = s.name) <> s.head"), 0,
		'every stream has all its numbers');
};

# What is committed after a tenant's first webhook is queued for it, and what
# was committed before is not, also in streams that are made meanwhile.
my $hook = 'INSERT INTO partyline.webhook (tenant_id, id, name, url, secret,'
    . " events, created_at, created_text) VALUES (1, 1, 'bot',"
    . " 'https://bot.example/', 'secret', '{some.event}', now(), '')";

sub queued {
	return $db->query("SELECT string_agg(stream || ' ' || seq, ', '
		ORDER BY nth) FROM partyline.webhook_outbox");
}

sub meanwhile {
	my ($name, $first, $second) = @_;
	my $lock = T::Lock->new($db, $first);
	my $pid  = starts($name, $second);

	ok((wait_until { T::Lock::waiting($db) == 1 } 20), 'one waits');
	is(queued(), '', 'nothing is queued');
	$lock->let_go('COMMIT');
	ok(all_end(20, $pid), 'and goes on');
	is(said("$name.err"), '', 'without complaint');
	return;
}

sub forget_hooks {
	$db->query('DELETE FROM partyline.webhook;
		DELETE FROM partyline.webhook_outbox;
		UPDATE partyline.stream SET is_hooked = false');
	return;
}

subtest 'the first webhook, and events meanwhile' => sub {
	my $seq = $db->query(q{SELECT head + 1 FROM partyline.stream
		WHERE name = 'alpha'});

	meanwhile('emits', $hook, "$enter " . emits('alpha') . ' COMMIT;');
	is(queued(), "alpha $seq", 'who waited for it is queued');
	forget_hooks();
	meanwhile('makes', $hook, "$enter SELECT FROM "
		. "api.stream_create($ctx, 'new'); " . emits('new')
		. ' COMMIT;');
	is(queued(), 'new 1', 'in a stream that was made meanwhile, too');
	forget_hooks();
	meanwhile('hooks', "SELECT FROM api.stream_create($ctx, 'newer')",
		"$enter $hook; COMMIT;");
	$db->query("$enter " . emits('newer') . ' COMMIT;');
	is(queued(), 'newer 1', 'and where the stream was first');
	forget_hooks();
};

subtest 'the first webhook among many writers' => sub {
	my $from = wal_ends();
	my @pids = map {
		my $writer = $_;

		starts("hooked$writer", map {
			("$enter " . emits(@streams) . ' COMMIT;',
				"$enter SELECT FROM api.stream_create($ctx, "
				. "'s$writer.$_'); " . emits("s$writer.$_")
				. ' COMMIT;')
		} 1 .. 60)
	} 1 .. 4;

	ok((wait_until { -s "$dir/hooked1.out" && -s "$dir/hooked4.out" } 20),
		'they are at it');
	my $first = $db->query("$enter SELECT pg_current_xact_id(); "
		. "$hook; COMMIT");

	ok(all_end(60, @pids), 'all come to their end');
	is(join(q(), map { said("hooked$_.err") } 1 .. 4), q(),
		'without one complaint');
	my %place = commits($from, wal_ends());
	my ($at)  = map { $place{$_} } $first =~ /(\d+)/g;
	my @rows  = map { [split /\|/] } split /\n/, $db->query(
		"SELECT e.xmin, o.seq IS NOT NULL, e.stream, e.seq
		FROM partyline.event e LEFT JOIN partyline.webhook_outbox o
		USING (tenant_id, stream, seq) WHERE e.type = 'some.event'");
	my @wrong = grep {
		my $is_after = defined $place{ $_->[0] }
		    && $place{ $_->[0] } > $at;

		$is_after != ($_->[1] eq 't')
	} @rows;

	is(join(', ', map { "$_->[2] $_->[3]" } @wrong), '',
		'queued is exactly what was committed after it');
	is((grep { $_->[1] eq 't' } @rows) > 0, 1, 'some were');
	forget_hooks();
};

# A psql that is fed line by line: its transaction stays open meanwhile.
subtest 'the same Idempotency-Key at the same moment' => sub {
	my $keyed   = $ctx =~ s/NULL,NULL/'key','hash'/r;
	my $archive = "SET ROLE partyline_server; SELECT status, body"
	    . " FROM api.session_bulk($keyed, 'archive', '{%s}')";

	$db->query('UPDATE partyline.session SET is_active = false,'
		. " closed_at = now(), closed_text = '' WHERE is_active");
	$db->query("SELECT FROM api.session_create($ctx, NULL)");
	$db->query('UPDATE partyline.session SET is_active = false,'
		. " closed_at = now(), closed_text = '' WHERE is_active");
	my $id = $db->query('SELECT max(id) FROM partyline.session');
	$archive = sprintf $archive, $id;

	my @command = T::Sql::psql($db->name, '-U', $T::Db::super, '-o',
		"$dir/held.out");
	my $pid = open my $to, '|-', @command or die "psql: $!\n";
	$to->autoflush(1);
	print $to "BEGIN; $archive;\n\\o\n\\! touch $dir/held\n";
	ok((wait_until { -e "$dir/held" } 20), 'one is at it');
	my ($text) = T::Sql::run($db->name, '-U', $T::Db::super, '-v',
		'VERBOSITY=verbose', '-c', $archive);
	like($text, qr/PT409: idempotency_in_progress/,
		'the other is told so, at once');
	print $to "COMMIT;\n";
	close $to;
	is($db->query($archive), '200|{"success":true,"affected":1}',
		'then it is told the same');
	is(said('held.out'), "200|{\"success\":true,\"affected\":1}\n",
		'as the first');
};

done_testing;
