#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The way to PostgreSQL: who goes down which connection, what an answer says,
# and what is said when the connection breaks at the worst moment.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Db;
use T::Line;
use T::Sql;
use T::Store;
use T::Tree;
use T::Wait;

my $db = T::Db->new;

$db->query(<<'END');
CREATE TABLE entry (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    word text CONSTRAINT entry_word_length CHECK (length(word) < 20),
    CONSTRAINT entry_word_key UNIQUE (word) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE lane (name text PRIMARY KEY, value int NOT NULL);
INSERT INTO lane VALUES ('a', 0), ('b', 0);
CREATE SEQUENCE tries;
CREATE SEQUENCE turns;
-- Whoever calls waits here while the test holds the lock.
CREATE FUNCTION wait_for(gate int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(gate);
	RETURN pg_backend_pid();
END $$;
CREATE FUNCTION write_behind(gate int, given text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(gate);
	INSERT INTO entry (word) VALUES (given);
	RETURN given;
END $$;
CREATE FUNCTION update_both(first text, second text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	is_new boolean := nextval('turns') <= 2;
BEGIN
	-- The second try stands back, so that the other one comes through.
	PERFORM pg_sleep(0.3) WHERE NOT is_new;
	UPDATE lane SET value = value + 1 WHERE name = first;
	PERFORM pg_sleep(0.3) WHERE is_new;
	UPDATE lane SET value = value + 1 WHERE name = second;
	RETURN 'both';
END $$;
CREATE FUNCTION conflict(times int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	try int := nextval('tries');
BEGIN
	IF try <= times THEN
		RAISE EXCEPTION 'try %', try USING ERRCODE = '40001';
	END IF;
	RETURN try;
END $$;
CREATE FUNCTION rule() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'not_found' USING ERRCODE = 'PT404',
	    DETAIL = '{"id":7}';
END $$;
END

my %statements = (
	echo   => 'SELECT $1::text',
	add    => 'INSERT INTO entry (word) VALUES ($1) RETURNING word',
	gate   => 'SELECT wait_for($1::int)',
	behind => 'SELECT write_behind($1::int, $2)',
	pid    => 'SELECT pg_backend_pid()',
	nap    => 'SELECT pg_sleep($1::float8)',
	both   => 'SELECT update_both($1, $2)',
	again  => 'SELECT conflict($1::int)',
	rule   => 'SELECT rule()',
	big    => 'SELECT repeat($1, 100000)',
	size   => 'SELECT length($1::text)',
	setting => 'SELECT current_setting($1)',
	role   => 'SELECT current_user',
);

# All that is asked stays at the default unless said.
sub store {
	my ($url, %set) = @_;

	return T::Store->start($url, statements => \%statements,
		set => \%set);
}

# Once all its connections are made.
sub ready_store {
	my ($count, @set) = @_;
	my $store = store($db->url, @set);

	ok((wait_until { $store->count('db_connections_ready') == $count } 15),
		"$count connections are ready");
	return $store;
}

# A connection of the test's own that holds a gate shut, until it is opened.
package Gate {
	sub new {
		my ($class, $number) = @_;
		my $pid = open my $to, '|-', T::Run::postgres_bin() . '/psql',
		    qw(-X -q -U partyline -o /dev/null), '-h',
		    T::Run::sockets(), '-d', $db->name or die "psql: $!\n";

		$to->autoflush(1);
		print $to "SELECT pg_advisory_lock($number);\n";
		T::Wait::until_true(sub { $db->query(
			"SELECT count(*) FROM pg_locks WHERE granted AND "
			. "locktype = 'advisory' AND objid = $number "
			. "AND database = (SELECT oid FROM pg_database "
			. "WHERE datname = current_database())") });
		return bless { to => $to }, $class;
	}

	sub open_it { close delete $_[0]{to} if $_[0]{to}; return }
	sub DESTROY { $_[0]->open_it; return }
}

# How many calls stand at the gate in PostgreSQL.
sub at_gate {
	my ($number) = @_;

	return $db->query("SELECT count(*) FROM pg_locks WHERE NOT granted "
		. "AND locktype = 'advisory' AND objid = $number");
}

sub entries {
	my ($like) = @_;

	return $db->query(
		"SELECT count(*) FROM entry WHERE word LIKE '$like'");
}

subtest 'an answer for each call' => sub {
	my $store = ready_store(5);

	$store->call(a => 'echo', ['hello']);
	$store->call(b => 'echo', ['']);
	$store->call(c => 'echo', [undef], kind => 'read');
	$store->call(d => 'rule');
	$store->call(e => 'add', ['x' x 30]);
	$store->call(f => 'nap', ['many']);
	$store->call(g => 'echo', ['\0']);
	$store->call(h => 'echo', ['after'], kind => 'slow');
	is_deeply([$store->answer('a')], ['rows', 1, 'hello'], 'a row');
	is_deeply([$store->answer('b')], ['rows', 1, ''], 'an empty text');
	is_deeply([$store->answer('c')], ['rows', 1, '\N'], 'NULL');
	is_deeply([$store->answer('d')],
		['refused', 'PT404', 'not_found', '{"id":7}', ''],
		'a rule, with its detail');
	my @refused = $store->answer('e');
	is_deeply([@refused[0, 1, 4]],
		['refused', '23514', 'entry_word_length'],
		'a constraint, by its name');
	is_deeply([($store->answer('f'))[0, 1]], ['refused', '22P02'],
		'a value of the wrong kind');
	is_deeply([($store->answer('g'))[0, 1]], ['refused', '22021'],
		'a zero byte is refused before it is cut off');
	is_deeply([$store->answer('h')], ['rows', 1, 'after'],
		'and the connection goes on');
	my $counts = $store->counts;
	is($counts->{db_queries}, 7, 'what was sent is counted');
	is($counts->{db_query_errors}, 3, 'and what was refused');
	is($counts->{db_query}, 7, 'and how long it took');
	ok($counts->{idle}, 'nothing is left');
	is_deeply([map { $_->[0] } $store->states], ['up'], 'told once');
};

subtest 'rows are no commit' => sub {
	my $store = store($db->url);

	$store->call(a => 'add', ['one']);
	$store->call(b => 'add', ['one']);
	$store->call(c => 'add', ['two']);
	is_deeply([$store->answer('a')], ['rows', 1, 'one'], 'the first');
	is_deeply([($store->answer('b'))[0, 1, 4]],
		['refused', '23505', 'entry_word_key'],
		'the commit failed after its row had come');
	is_deeply([$store->answer('c')], ['rows', 1, 'two'], 'the next');
	is(entries('one'), 1, 'it is there once');
};

subtest 'large questions and answers' => sub {
	my $store = store($db->url);
	my $large = 'x' x 50_000;

	$store->call("s$_" => 'size', [$large]) for 1 .. 60;
	$store->call("b$_" => 'big', ['0123456789']) for 1 .. 20;
	is_deeply([$store->answer("s$_")], ['rows', 1, 50_000], "size $_")
	    for 1, 60;
	is(length +($store->answer("b$_"))[2], 1_000_000, "big $_")
	    for 1, 20;
};

subtest 'a stream goes down one connection, in order' => sub {
	my $store = ready_store(6, db_connections => 3);
	my $gate  = Gate->new(1);

	$store->call("l$_" => 'behind', [1, "lobby $_"], stream => 'lobby')
	    for 1 .. 8;
	$store->call("s$_" => 'behind', [1, "session $_"],
		stream => 'session:1') for 1 .. 8;
	ok((wait_until { at_gate(1) == 2 } 15),
		'two streams, two connections at work');
	is($store->count('db_in_flight'), 16, 'all are sent');
	$gate->open_it;
	is(($store->answer("$_->[0]$_->[1]"))[0], 'rows', "$_->[0]$_->[1]")
	    for map { (['l', $_], ['s', $_]) } 1 .. 8;
	for my $stream (qw(lobby session)) {
		is($db->query("SELECT string_agg(word, ',' ORDER BY id) "
			. "FROM entry WHERE word LIKE '$stream %'"),
			join(',', map { "$stream $_" } 1 .. 8),
			"$stream in order");
	}
	# Nothing of it is on its way: any connection will do.
	$store->call("p$_" => 'pid', [], stream => 'lobby') for 1 .. 20;
	my %pids = map { ($store->answer("p$_"))[2] => 1 } 1 .. 20;
	is(keys %pids, 1, 'a burst stays together');
};

subtest 'order holds beyond the depth' => sub {
	my $store = ready_store(5, db_connections => 2, db_depth => 2);
	my $gate  = Gate->new(2);

	for my $n (1 .. 10) {
		$store->call("$_$n" => 'behind', [2, "deep $_ $n"],
			stream => $_) for qw(p q r);
	}
	ok((wait_until { $store->count('db_waiting') == 26 } 15),
		'four are in flight, the others wait');
	$gate->open_it;
	for my $stream (qw(p q r)) {
		$store->answer("${stream}10");
		is($db->query("SELECT string_agg(split_part(word, ' ', 3), "
			. "',' ORDER BY id) FROM entry "
			. "WHERE word LIKE 'deep $stream %'"),
			join(',', 1 .. 10), "stream $stream in order");
	}
};

subtest 'reads and slow calls have their own connections' => sub {
	my $store = store($db->url, db_connections => 1,
		db_read_connections => 1, db_slow_connections => 1,
		db_slow_timeout => '7s');

	$store->call($_ => 'pid', [], kind => $_) for qw(write read slow);
	my %pids = map { ($store->answer($_))[2] => 1 } qw(write read slow);
	is(keys %pids, 3, 'three');
	$store->call(w => 'add', ['by a reader'], kind => 'read');
	is_deeply([($store->answer('w'))[0, 1]], ['refused', '25006'],
		'a reader cannot write');
	$store->call("t$_" => 'setting', ['statement_timeout'], kind => $_)
	    for qw(write slow);
	is(($store->answer('twrite'))[2], '5s', 'the time of a write');
	is(($store->answer('tslow'))[2], '7s', 'the time of a slow one');
};

subtest 'lanes have their roles and statements' => sub {
	$db->query(q{DO $$ BEGIN CREATE ROLE partyline_store_fleet; }
		. q{EXCEPTION WHEN duplicate_object THEN NULL; END $$});
	$db->query('CREATE TABLE secret (word text)');
	$db->query('GRANT SELECT ON secret TO partyline_store_fleet');
	$db->query("INSERT INTO secret VALUES ('told')");
	# What the fleet alone may read cannot even be prepared elsewhere.
	my $store = T::Store->start($db->url, fleet => 1,
		set        => { db_connections => 1 },
		roles      => { fleet => 'partyline_store_fleet' },
		statements => {
			role         => $statements{role},
			'told@fleet' => 'SELECT word FROM secret',
			'pid@slow'   => $statements{pid},
			prepared     => 'SELECT count(*) FROM '
			    . 'pg_prepared_statements',
		});
	ok((wait_until { $store->count('db_connections_ready') == 5 } 15),
		'one more connection is ready');
	$store->call($_ => 'role', [], kind => $_) for qw(write fleet);
	is(($store->answer('write'))[2], 'partyline', 'a write as who we are');
	is(($store->answer('fleet'))[2], 'partyline_store_fleet',
		'the fleet as its role');
	$store->call(told => 'told', [], kind => 'fleet');
	is(($store->answer('told'))[2], 'told', 'with its rights');
	$store->call("p$_" => 'prepared', [], kind => $_)
	    for qw(write slow fleet);
	is(join(' ', map { ($store->answer("p$_"))[2] } qw(write slow fleet)),
		'2 3 3', 'each lane prepares its own statements');
};

subtest 'a login that lacks the roles' => sub {
	my $login = "t_login_$$";

	$db->query("CREATE ROLE $login LOGIN NOINHERIT");
	$db->query(q{DO $$ BEGIN CREATE ROLE partyline_store_server; }
		. q{EXCEPTION WHEN duplicate_object THEN NULL; END $$});
	my $store = T::Store->start(
		$db->url =~ s{//partyline}{//$login}r, fleet => 1,
		roles => { (map { $_ => 'partyline_store_server' }
			qw(write read slow)),
			fleet => 'partyline_store_fleet' },
		statements => { role => $statements{role} });
	ok($store->reaches('down'), 'is refused');
	like(($store->states)[-1][1], qr/permission\ denied\ to\ set\ role
		.*GRANT\ partyline_store_server,\ partyline_store_fleet
		\ TO\ "$login"/x, 'and told what to grant');
	$db->query("GRANT partyline_store_server TO $login");
	$db->query("GRANT partyline_store_fleet TO $login");
	ok($store->reaches('up'), 'granted, it is taken');
	$store->call($_ => 'role', [], kind => $_) for qw(read fleet);
	is(($store->answer('read'))[2], 'partyline_store_server', 'as one');
	is(($store->answer('fleet'))[2], 'partyline_store_fleet', 'or other');
	$store->end;
	$db->query("DROP ROLE $login");
	$store = T::Store->start($db->url, statements => {},
		roles => { write => 'partyline_store_nobody' });
	ok($store->reaches('down'), 'a role that is not there');
	like(($store->states)[-1][1], qr/nobody.*\(see partyline migrate\)/,
		'is made by the migrations');
};

subtest 'as the product opens its connections' => sub {
	my $own   = T::Sql->database;
	my $login = "t_product_$$";

	$own->query("CREATE ROLE $login LOGIN NOINHERIT");
	$own->query("GRANT partyline_server, partyline_fleet TO $login");
	$own->query('ALTER DATABASE ' . $own->name
		. q{ SET default_transaction_isolation = 'serializable'});
	my $url   = $own->url =~ s{//partyline}{//$login}r;
	my @start = ($url, product => 1, set => { db_connections => 1 },
		statements => { setting => $statements{setting},
			role => $statements{role} },
		operations => { session_get => 1, 'tenant_add@fleet' => 1,
			'stream_read@read' => 3 });
	my $store = T::Store->start(@start);
	ok((wait_until { $store->count('db_connections_ready') == 5 } 15),
		'every lane is ready');
	$store->call("role $_" => 'role', [], kind => $_)
	    for qw(write read slow fleet);
	is(($store->answer("role $_"))[2], $_ eq 'fleet' ?
		'partyline_fleet' : 'partyline_server', "$_ has its role")
	    for qw(write read slow fleet);
	my %wanted = (default_transaction_isolation => 'read committed',
		plan_cache_mode => 'force_generic_plan', jit => 'off',
		client_encoding => 'UTF8');
	for my $setting (sort keys %wanted) {
		$store->call($setting => 'setting', [$setting], kind => 'read');
		is(($store->answer($setting))[2], $wanted{$setting}, $setting);
	}
	$store->call(get => 'op_session_get', [5], operation => 1);
	is_deeply([($store->answer('get'))[0 .. 2]],
		['refused', 'PT404', 'session_not_found'], 'a function works');
	$store->call(add => 'op_tenant_add', ['guild'], kind => 'fleet',
		operation => 1);
	like(($store->answer('add'))[2], qr/^0\|201\|.*"slug"\s*:\s*"guild"/,
		'and one of the fleet');
	$store->end;

	my ($known) = T::Tree::text('src/store/schema.h')
	    =~ /^#define SCHEMA_VERSION (\d+)$/m;
	$own->query("DELETE FROM partyline.schema_version"
		. " WHERE version = $known");
	$store = T::Store->start(@start);
	ok($store->reaches('down'), 'an older schema is refused');
	is(($store->states)[-1][1], "the database's schema is "
		. ($known - 1) . ", this program needs $known: "
		. 'run partyline migrate', 'and why');
	$own->query("INSERT INTO partyline.schema_version VALUES"
		. " ($known, 'x', 'x'), ($known + 1, 'y', 'y')");
	ok((wait_until { ($store->states)[-1][1] =~ /to a newer one$/ } 15),
		'so is a newer one');
	$own->query("DELETE FROM partyline.schema_version"
		. " WHERE version = $known + 1");
	$own->query(q{UPDATE partyline.installation SET timeline = 'x'});
	ok($store->reaches('up'), 'ours is taken');
	like($store->log_text, qr/put elsewhere or put back/,
		'one that was put back begins new epochs');
	$store->end;
	$own->query("DROP ROLE $login");
};

subtest 'a stuck query ends' => sub {
	my $store = store($db->url, db_timeout => '400ms',
		db_connections => 1);

	$store->call(a => 'nap', [20]);
	$store->call(b => 'echo', ['next']);
	is_deeply([($store->answer('a'))[0, 1]], ['refused', '57014'],
		'by its time');
	is_deeply([$store->answer('b')], ['rows', 1, 'next'],
		'and the next has its turn');
};

subtest 'bounds' => sub {
	my $store = store($db->url, db_connections => 1, db_depth => 1,
		db_queue => 2);
	my $gate = Gate->new(3);

	ok($store->reaches('up'), 'it is up');
	$store->call(a => 'gate', [3]);
	$store->call(b => 'echo', ['b']);
	$store->call(c => 'echo', ['c'], deadline => 200);
	$store->call(d => 'echo', ['d']);
	is_deeply([$store->answer('d')], ['failed', 'full'],
		'one more than may wait is refused at once');
	is($store->count('db_waiting'), 2, 'the others wait');
	is_deeply([$store->answer('c')], ['failed', 'late'],
		'one to its deadline');
	$store->call(r => 'echo', ['r'], kind => 'read');
	is_deeply([$store->answer('r')], ['rows', 1, 'r'],
		'readers do not stand in that queue');
	$gate->open_it;
	is(($store->answer('a'))[0], 'rows', 'the first ends');
	is_deeply([$store->answer('b')], ['rows', 1, 'b'], 'the next goes');
	my $counts = $store->counts;
	is($counts->{db_queue_full}, 1, 'counted as refused');
	is($counts->{db_late}, 1, 'counted as late');
};

subtest 'conflicts are tried once more' => sub {
	my $store = ready_store(5, db_connections => 2);

	$store->call(x => 'both', ['a', 'b'], stream => 'x');
	$store->call(y => 'both', ['b', 'a'], stream => 'y');
	is(($store->answer('x'))[0], 'rows', 'of two in a deadlock one');
	is(($store->answer('y'))[0], 'rows', 'and the other');
	is($db->query('SELECT sum(value) FROM lane'), 4, 'each once');
	is($store->count('db_retries'), 1, 'by one more try');

	$store->call(s => 'again', [1]);
	is_deeply([$store->answer('s')], ['rows', 1, 2],
		'a serialization failure');
	$db->query('ALTER SEQUENCE tries RESTART');
	$store->call(t => 'again', [9]);
	is_deeply([($store->answer('t'))[0 .. 2]],
		['refused', '40001', 'try 2'], 'but not twice');
};

subtest 'a caller who is gone' => sub {
	my $store = store($db->url, db_connections => 1, db_depth => 1);
	my $gate  = Gate->new(4);

	$store->call(a => 'behind', [4, 'gone in flight']);
	ok((wait_until { at_gate(4) == 1 } 15), 'one is in flight');
	$store->call(b => 'add', ['gone waiting']);
	$store->call(c => 'add', ['stays']);
	$store->abandon($_) for qw(a b);
	$store->call(d => 'pid', [], kind => 'read');
	$store->answer('d');
	is($store->count('db_in_flight'), 1, 'it keeps its place');
	is($store->count('db_waiting'), 1, 'who waited does not');
	$gate->open_it;
	is(($store->answer('c'))[0], 'rows', 'the next follows');
	is(entries('gone in flight'), 1, 'what was sent is done');
	is(entries('gone waiting'), 0, 'what was not is not');
	ok($store->counts->{idle}, 'nothing is left');
};

subtest 'calls from answers' => sub {
	my $store = store($db->url, db_connections => 1, db_depth => 1);

	$store->chain(c => 500, 'add', '');
	$store->call("e$_" => 'echo', [$_]) for 1 .. 50;
	is(($store->answer("e$_"))[2], $_, "beside the chain: $_")
	    for 1, 50;
	# The second of them is refused by the constraint: the chain ends.
	is(($store->answer('c'))[0], 'refused', 'the chain ends by a refusal');
	$store->chain(d => 500, 'echo', 'link');
	is_deeply([$store->answer('d')], ['rows', 1, 'link'],
		'or by its length');
};

sub terminate {
	my ($like) = @_;

	return $db->query('SELECT count(pg_terminate_backend(pid)) '
		. 'FROM pg_stat_activity WHERE datname = current_database() '
		. "AND pid <> pg_backend_pid() AND query LIKE '$like'");
}

subtest 'a connection that is ended' => sub {
	my $store = store($db->url, db_connections => 1, db_depth => 2,
		db_read_connections => 1);
	my $gate = Gate->new(5);

	ok($store->reaches('up'), 'it is up');
	$store->call(a => 'behind', [5, 'lost']);
	$store->call(b => 'add', ['behind the lost one']);
	$store->call(c => 'add', ['was waiting']);
	$store->call(r => 'gate', [5], kind => 'read');
	ok((wait_until { at_gate(5) == 2 } 15), 'both are at work');
	is(terminate('SELECT w%'), 2, 'ended');
	is_deeply([$store->answer('a')], ['unknown'], 'the write at work');
	is_deeply([$store->answer('b')], ['unknown'], 'the one behind it');
	is_deeply([$store->answer('c')], ['rows', 1, 'was waiting'],
		'who was not sent goes down the next connection');
	ok((wait_until { at_gate(5) == 1 } 15), 'the read is at work again');
	is(terminate('SELECT wait_for%'), 1, 'ended once more');
	is_deeply([$store->answer('r')], ['failed', 'lost'],
		'a read is tried twice');
	is_deeply([map { $_->[0] } $store->states], ['up'],
		'it was never said to be down');
	my $counts = $store->counts;
	is($counts->{db_outcomes_unknown}, 2, 'outcomes unknown');
	is($counts->{db_lost}, 3, 'lost connections');
	ok((wait_until { $store->count('db_reconnects') == 3 } 15),
		'made again');
	is(entries('lost'), 0, 'in truth it was not done');
};

subtest 'a storm of lost connections' => sub {
	my $store = ready_store(6, db_connections => 3, db_depth => 8,
		db_queue => 2000, db_timeout => '20s');
	my @all = map { [$_ % 20, $_] } 0 .. 1499;

	for my $call (@all) {
		my ($stream, $n) = @$call;

		$store->call("n$n" => 'add', ["storm $stream $n"],
			stream => "stream $stream");
		# One that was just made again has to have got that far.
		$n % 100 != 50 or wait_until {
			terminate('INSERT INTO entry%') > 0;
		} 10;
	}
	my %said = map { ($store->answer("n$_->[1]"))[0] => 1 } @all;
	is(join(' ', sort keys %said), 'rows unknown', 'all are answered')
	    or diag($store->log_text);
	my (%id, %last, @false);
	for (split /\n/, $db->query(q{SELECT id || ' ' || word FROM entry }
		. q{WHERE word LIKE 'storm %'})) {
		my ($id, undef, $stream, $n) = split / /;

		push @false, "$n is there twice" if $id{$n};
		$id{$n} = $id;
	}
	for my $call (@all) {
		my ($stream, $n) = @$call;

		next if ($store->answer("n$n"))[0] ne 'rows';
		push @false, "$n is told and not there" if !$id{$n};
		push @false, "$n overtook" if $id{$n} < ($last{$stream} // 0);
		$last{$stream} = $id{$n};
	}
	is_deeply(\@false, [], 'what was told is true, and in order');
	cmp_ok($store->count('db_lost'), '>', 9, 'many were lost');
};

subtest 'cut between result and sync' => sub {
	my $line  = T::Line->new($db);
	my $store = store($line->url, db_connections => 1,
		db_read_connections => 1);

	ok($store->reaches('up'), 'it is up');
	$line->will('cut');
	$store->call(a => 'add', ['cut off']);
	is_deeply([$store->answer('a')], ['unknown'],
		'its row came, its sync did not');
	is(entries('cut off'), 1, 'in truth it was done');
	$line->will('cut');
	$store->call(r => 'echo', ['read'], kind => 'read');
	is_deeply([$store->answer('r')], ['rows', 1, 'read'],
		'a read is asked again');
	is($store->count('db_retries'), 1, 'once');
};

subtest 'PostgreSQL away' => sub {
	my $line = T::Line->new($db);

	$line->down;
	my $store = store($line->url);
	ok($store->reaches('down'), 'away at the start');
	like(($store->states)[-1][1], qr/\w/, 'with a reason');
	$store->call(a => 'echo', ['a']);
	is_deeply([$store->answer('a')], ['failed', 'away'],
		'calls are answered at once');
	$line->up;
	ok($store->reaches('up'), 'it comes back by itself');
	$store->call(b => 'echo', ['b']);
	is_deeply([$store->answer('b')], ['rows', 1, 'b'], 'and serves');
	$line->down;
	ok($store->reaches('down'), 'away later');
	$store->call(c => 'echo', ['c'], kind => 'read');
	is_deeply([$store->answer('c')], ['failed', 'away'], 'the same');
	$line->up;
	ok($store->reaches('up'), 'and back');
	is(scalar(() = $store->log_text =~ /cannot be used/g), 2,
		'each time it is logged once');
};

subtest 'a line that says nothing' => sub {
	my $line  = T::Line->new($db);
	my $store = store($line->url, db_timeout => '300ms',
		db_connections => 1);

	ok($store->reaches('up'), 'it is up');
	$line->will('stall');
	$store->call(a => 'add', ['never came']);
	is_deeply([$store->answer('a', 20)], ['unknown'], 'is given up');
	ok($store->reaches('down'), 'so are new ones that say nothing');
	$line->will('carry');
	ok($store->reaches('up'), 'until they do');
};

subtest 'which database, and as whom' => sub {
	$db->query('CREATE TABLE version (number int)');
	$db->query(q{DO $$ BEGIN CREATE ROLE partyline_store_test; }
		. q{EXCEPTION WHEN duplicate_object THEN NULL; END $$});
	$db->query('GRANT SELECT ON version TO partyline_store_test');
	$db->query('INSERT INTO version VALUES (7)');
	my $store = T::Store->start($db->url, statements => \%statements,
		begin => ['SET ROLE partyline_store_test'], expect => 8,
		identity => 'SELECT number FROM version');
	ok($store->reaches('down'), 'a schema we do not know is refused');
	is(($store->states)[-1][1], 'the schema is not known', 'and why');
	$store->call(a => 'role');
	is_deeply([$store->answer('a')], ['failed', 'away'], 'no calls');
	$db->query('UPDATE version SET number = 8');
	ok($store->reaches('up'), 'migrated, it is taken');
	is(scalar(() = $store->log_text =~ /cannot be used/g), 1,
		'it was logged once');
	$store->call(b => 'role');
	is(($store->answer('b'))[2], 'partyline_store_test', 'as that role');
	$store->end;

	$store = T::Store->start($db->url, statements => \%statements,
		identity => 'SELECT * FROM nowhere.connect()', expect => 1);
	ok($store->reaches('down'), 'nobody migrated');
	like(($store->states)[-1][1], qr/nowhere.*\(see partyline migrate\)/,
		'and what to do');
	$store->end;
	$store = T::Store->start($db->url,
		statements => { gone => 'SELECT gone()' });
	ok($store->reaches('down'), 'a function is missing');
	like(($store->states)[-1][1], qr/gone\(\).*\(see partyline migrate\)/,
		'and which');
};

my $api = <<'END';
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS api CASCADE;
CREATE SCHEMA api;
CREATE TYPE api.ctx AS (tenant int, caller text, role text,
    request_id text, idempotency_key text, request_hash text, address text);
CREATE TYPE api.answer AS (element int, status int, body text,
    stream text, epoch text, seq bigint, headers text, refusal text);
CREATE FUNCTION api.try(ctx api.ctx, word text) RETURNS SETOF api.answer
LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEXT (0, 201, concat_ws(',', ctx.tenant, ctx.caller,
	    coalesce(ctx.idempotency_key, '-'), ctx.address, word),
	    NULL, NULL, NULL, '{"ETag":"VERSION"}', NULL)::api.answer;
	RETURN NEXT (0, NULL, '{"type":"x"}', 'lobby', 'k3', 12, NULL,
	    NULL)::api.answer;
	RETURN NEXT (1, NULL, '{}', 'lobby', 'k3', NULL, NULL,
	    NULL)::api.answer;
	RETURN NEXT (1, 409, '{"id":1}', NULL, NULL, NULL, NULL,
	    'taken')::api.answer;
END $$;
END

subtest 'operations' => sub {
	my @wanted = ('rows', 4, '0|201|7,admin:3,-,127.0.0.1,w|'
		. '{"ETag":"1"}|', '0|lobby|k3|stored|12|{"type":"x"}',
		'1|lobby|k3|live|0|{}', '1|409|{"id":1}||taken');

	$db->query($api =~ s/VERSION/1/r);
	my $store = T::Store->start($db->url, operations => { try => 1 },
		set => { db_connections => 1 });
	$store->call(a => 'op_try', ['w'], operation => 1);
	is_deeply([$store->answer('a')], \@wanted, 'answers and events');
	$db->query($api =~ s/VERSION/2/r);
	$store->call(b => 'op_try', ['w'], operation => 1);
	$wanted[2] =~ s/"1"/"2"/;
	is_deeply([$store->answer('b')], \@wanted,
		'functions are replaced under a pool at work');
	is($store->count('db_lost'), 0, 'which keeps its connections');
};

subtest 'the end of a pool' => sub {
	my $store = store($db->url, db_connections => 1, db_depth => 1,
		db_read_connections => 1);
	my $gate = Gate->new(6);

	$store->call(a => 'gate', [6]);
	$store->call(r => 'gate', [6], kind => 'read');
	ok((wait_until { at_gate(6) == 2 } 15), 'two are at work');
	$store->call(b => 'echo', ['b']);
	$store->end;
	is_deeply([$store->answer('a')], ['unknown'], 'a write in flight');
	is_deeply([$store->answer('r')], ['failed', 'closing'], 'a read');
	is_deeply([$store->answer('b')], ['failed', 'closing'], 'who waits');
};

done_testing;
