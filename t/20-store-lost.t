#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The way to PostgreSQL when something comes between: what is said when the
# connection breaks at the worst moment, and which databases are refused.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Db;
use T::Ground;
use T::Line;
use T::Store;
use T::Tree;
use T::Wait;

subtest 'a login that lacks the roles' => sub {
	my $login = "t_login_$$";

	$db->query("CREATE ROLE $login LOGIN NOINHERIT");
	make_role("partyline_store_$_") for qw(server fleet);
	my $store = T::Store->start(
		$db->url($login), fleet => 1,
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
	$store = T::Store->start($url, statements => {},
		roles => { write => 'partyline_store_nobody' });
	ok($store->reaches('down'), 'a role that is not there');
	like(($store->states)[-1][1], qr/nobody.*\(see partyline migrate\)/,
		'is made by the migrations');
};

subtest 'as the product opens its connections' => sub {
	my $own = T::Db->new;

	$own->query('ALTER DATABASE ' . $own->name
		. q{ SET default_transaction_isolation = 'serializable'});
	my @start = ($own->url, product => 1, set => { db_connections => 1 },
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
	# Before it can be used: who connects then has to see it.
	$own->query(q{UPDATE partyline.installation SET timeline = 'x'});
	$own->query("DELETE FROM partyline.schema_version"
		. " WHERE version = $known + 1");
	ok($store->reaches('up'), 'ours is taken');
	like($store->log_text, qr/put elsewhere or put back/,
		'one that was put back begins new epochs');
	$store->end;
};

subtest 'a connection that is ended' => sub {
	my $store = store($url, db_connections => 1, db_depth => 2,
		db_read_connections => 1);
	my $gate = gate(5);

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
	my $store = store($line->url($T::Db::super), db_connections => 1,
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
	my $store = store($line->url($T::Db::super));
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
	# Once, or twice where it broke in the middle of a try.
	my @said = $store->log_text =~ /(cannot be used|used again)/g;
	like(join(',', @said), qr/^(?:(?:cannot\ be\ used,){1,2}
		used\ again,?){2}$/x, 'each time it is logged, not each try');
};

subtest 'a line that says nothing' => sub {
	my $line  = T::Line->new($db);
	my $store = store($line->url($T::Db::super), db_timeout => '300ms',
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
	make_role('partyline_store_test');
	$db->query('GRANT SELECT ON version TO partyline_store_test');
	$db->query('INSERT INTO version VALUES (7)');
	my $store = T::Store->start($url, statements => \%statements,
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

	$store = T::Store->start($url, statements => \%statements,
		identity => 'SELECT * FROM nowhere.connect()', expect => 1);
	ok($store->reaches('down'), 'nobody migrated');
	like(($store->states)[-1][1], qr/nowhere.*\(see partyline migrate\)/,
		'and what to do');
	$store->end;
	$store = T::Store->start($url,
		statements => { gone => 'SELECT gone()' });
	ok($store->reaches('down'), 'a function is missing');
	like(($store->states)[-1][1], qr/gone\(\).*\(see partyline migrate\)/,
		'and which');
};

done_testing;
