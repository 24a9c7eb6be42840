# SPDX-License-Identifier: MIT
package T::Ground;

# What pools of store/db are driven by: a database with functions that wait,
# fail and conflict when they are told to, and the statements that call them.
#
#	my $store = ready_store(5);		its connections are made
#	my $gate  = gate(1);			calls of `gate` 1 wait
#	$store->call(a => 'gate', [1]);
#	wait_until { at_gate(1) == 1 };
#	$gate->open_it;

use strict;
use warnings;
use Exporter   'import';
use Test::More ();
use T::Db;
use T::Run;
use T::Store;
use T::Wait;

our @EXPORT = qw($db %statements $url store ready_store gate at_gate entries
    make_role terminate);

our $db = T::Db->new(empty => 1);

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

our %statements = (
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

# As who may do all of it.
our $url = $db->url($T::Db::super);

# All that is asked stays at the default unless said.
sub store {
	my ($url, %set) = @_;

	return T::Store->start($url, statements => \%statements,
		set => \%set);
}

# Once all its connections are made.
sub ready_store {
	my ($count, @set) = @_;
	my $store = store($url, @set);

	Test::More::ok((wait_until {
		$store->count('db_connections_ready') == $count } 15),
		"$count connections are ready");
	return $store;
}

# A connection of the test's own that holds a gate shut, until it is opened.
package T::Ground::Gate {
	sub open_it { close delete $_[0]{to} if $_[0]{to}; return }
	sub DESTROY { $_[0]->open_it; return }
}

sub gate {
	my ($number) = @_;
	open my $to, '|-', T::Run::postgres_bin() . '/psql', qw(-X -q -o
	    /dev/null), '-U', $T::Db::super, '-h', T::Run::sockets(), '-d',
	    $db->name or die "psql: $!\n";

	$to->autoflush(1);
	print $to "SELECT pg_advisory_lock($number);\n";
	wait_until { $db->query(
		"SELECT count(*) FROM pg_locks WHERE granted AND "
		. "locktype = 'advisory' AND objid = $number "
		. "AND database = (SELECT oid FROM pg_database "
		. "WHERE datname = current_database())") };
	return bless { to => $to }, 'T::Ground::Gate';
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

# Roles belong to the cluster: another test may have made it.
sub make_role {
	my ($name) = @_;

	$db->query("DO \$\$ BEGIN CREATE ROLE $name; EXCEPTION "
		. 'WHEN duplicate_object OR unique_violation THEN NULL; '
		. 'END $$');
	return;
}

# Ends the connections whose last statement was like that.
sub terminate {
	my ($like) = @_;

	return $db->query('SELECT count(pg_terminate_backend(pid)) '
		. 'FROM pg_stat_activity WHERE datname = current_database() '
		. "AND pid <> pg_backend_pid() AND query LIKE '$like'");
}

1;
