#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The way to PostgreSQL: who goes down which connection, in which order, what
# an answer says. t/20-store-lost.t has what comes between.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Db;
use T::Ground;
use T::Store;
use T::Wait;

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
	my $store = store($url);

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
	my $store = store($url);
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
	my $gate  = gate(1);

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
	my $gate  = gate(2);

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
	my $store = store($url, db_connections => 1,
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
	make_role('partyline_store_fleet');
	$db->query('CREATE TABLE secret (word text)');
	$db->query('GRANT SELECT ON secret TO partyline_store_fleet');
	$db->query("INSERT INTO secret VALUES ('told')");
	# What the fleet alone may read cannot even be prepared elsewhere.
	my $store = T::Store->start($url, fleet => 1,
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
	is(($store->answer('write'))[2], $T::Db::super,
		'a write as who we are');
	is(($store->answer('fleet'))[2], 'partyline_store_fleet',
		'the fleet as its role');
	$store->call(told => 'told', [], kind => 'fleet');
	is(($store->answer('told'))[2], 'told', 'with its rights');
	$store->call("p$_" => 'prepared', [], kind => $_)
	    for qw(write slow fleet);
	is(join(' ', map { ($store->answer("p$_"))[2] } qw(write slow fleet)),
		'2 3 3', 'each lane prepares its own statements');
};

subtest 'a stuck query ends' => sub {
	my $store = store($url, db_timeout => '400ms',
		db_connections => 1);

	$store->call(a => 'nap', [20]);
	$store->call(b => 'echo', ['next']);
	is_deeply([($store->answer('a'))[0, 1]], ['refused', '57014'],
		'by its time');
	is_deeply([$store->answer('b')], ['rows', 1, 'next'],
		'and the next has its turn');
};

subtest 'bounds' => sub {
	my $store = store($url, db_connections => 1, db_depth => 1,
		db_queue => 2);
	my $gate = gate(3);

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
	my $store = store($url, db_connections => 1, db_depth => 1);
	my $gate  = gate(4);

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
	my $store = store($url, db_connections => 1, db_depth => 1);

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
	my $store = T::Store->start($url, operations => { try => 1 },
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
	my $store = store($url, db_connections => 1, db_depth => 1,
		db_read_connections => 1);
	my $gate = gate(6);

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
