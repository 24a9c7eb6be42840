#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# A server that migrates at its start: before its workers begin where it can,
# beside them where PostgreSQL is away, and not at all where it must not.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use File::Temp ();
use Test::More;
use T::Db;
use T::Line;
use T::Run;
use T::Server;
use T::Wait;

my ($newest) = map { /^(\d{4})/ && $1 + 0 } reverse sort
    map { s{.*/}{}r } glob T::Run::source() . '/sql/migration/*.sql';

sub version {
	my ($db) = @_;

	return 0 if $db->query(
		"SELECT to_regclass('partyline.schema_version') IS NULL")
	    eq 't';
	return $db->query('SELECT coalesce(max(version), 0) '
		. 'FROM partyline.schema_version');
}

# For a database, or the line to one.
sub with {
	my ($db, %more) = @_;

	return (workers => 1, database_url => $db->url,
		migrate_url => $db->url($T::Db::owner), %more);
}

# A folder with one migration, whose text it is.
sub folder {
	my ($text) = @_;
	my $dir = File::Temp->newdir(TMPDIR => 1);

	make_path("$dir/migration", "$dir/api");
	open my $file, '>', "$dir/migration/0001_first.sql" or die "$dir: $!";
	print $file $text;
	close $file;
	chmod 0755, $dir;
	return $dir;
}

# The pids of the children that migrate.
sub migrating {
	my ($server) = @_;

	return map { $_->{pid} }
	    grep { $_->{title} =~ /^partyline: migrate/ } $server->processes;
}

subtest 'before the workers start' => sub {
	my $db     = T::Db->new(empty => 1);
	my $server = T::Server->start(with($db));
	my $log    = $server->log_text;

	is(version($db), $newest, 'the schema is there');
	like($log, qr/"database migrated","schema":$newest,"was":0/, 'logged');
	cmp_ok(index($log, '"database migrated"'), '<',
		index($log, '"process started"'), 'before them');
	is(scalar migrating($server), 0, 'nobody is at it any more');
	ok($server->stop, 'stopped');
	my $mark = $server->log_mark;
	$server->spawn;
	ok($server->wait_ready('livez'), 'started again');
	like($server->log_since($mark),
		qr/"schema":$newest,"was":$newest,"migrations":0/,
		'nothing is done twice');
};

subtest 'what must not be' => sub {
	my $db     = T::Db->new(empty => 1);
	my $good   = folder("SELECT 1;\n");
	my $server = T::Server->start(with($db, sql_dir => "$good"));

	ok($server->stop, 'migrated once');
	my %says = (
		65 => [folder("SELECT 2;\n"),
			qr{0001_first\.sql was changed after it had run}],
		66 => ['/nowhere', qr{/nowhere/migration cannot be read}],
		70 => [folder("SELECT nothing;\n"),
			qr{migration/0001_first\.sql:1: column "nothing"}],
	);
	for my $exit (sort keys %says) {
		my ($dir, $why) = @{ $says{$exit} };
		my $of = $exit == 70 ? T::Db->new(empty => 1) : $db;
		my $said = T::Server->refused(with($of, sql_dir => "$dir"));

		is($said->{exit}, $exit, "exit code $exit");
		like($said->{log}, qr{^partyline:\ the\ database\ cannot\ be
			\ migrated:\ .*$why}mx, 'in words');
	}
};

subtest 'PostgreSQL away' => sub {
	my $db   = T::Db->new(empty => 1);
	my $line = T::Line->new($db);

	$line->down;
	my $server = T::Server->start(with($line, restart_max => '1s'));
	ok($server->wait_for_log(qr/"server ready"/), 'it starts anyway');
	like($server->log_text, qr/be\ migrated\ yet,.*"why":"the\ database
		\ cannot\ be\ reached/x, 'and says so');
	is($server->get('/livez')->{status}, 200, 'and lives');
	is(version($db), 0, 'nothing is migrated');
	my ($pid) = migrating($server);
	ok($pid, 'somebody is at it');
	isnt((stat "/proc/$pid")[4], 0, 'who is not root') if $> == 0;
	kill KILL => $pid;
	ok((wait_until { my ($new) = migrating($server);
		$new && $new != $pid }), 'killed, it begins again');
	ok($server->wait_for_log(qr/migrating was cut short/), 'logged');
	my $mark = $server->log_mark;
	ok((wait_until { 2 <= (() = $server->log_since($mark)
		=~ /cannot be migrated yet/g) }), 'and tries, and tries');
	$line->up;
	ok((wait_until { version($db) == $newest } 15), 'it is migrated');
	ok((wait_until { !migrating($server) }), 'and done with');
	unlike($server->log_text, qr/"process died"/, 'no worker died of it');
};

subtest 'PostgreSQL away, and then not to be migrated' => sub {
	my $db   = T::Db->new(empty => 1);
	my $line = T::Line->new($db);
	my $bad  = folder("SELECT nothing;\n");

	$line->down;
	my $server = T::Server->start(with($line, sql_dir => "$bad"));
	$line->up;
	ok($server->wait_for_log(qr/"level":"error".*cannot\ be\ migrated.*
		first\.sql:1:\ column/x), 'it is said why');
	ok($server->wait_for_log(qr/mend it, then run partyline migrate/),
		'and what to do');
	is($server->get('/livez')->{status}, 200, 'the server lives');
	is(scalar migrating($server), 0, 'nobody tries again');
};

subtest 'the master ends while somebody waits for the lock' => sub {
	my $db  = T::Db->new(empty => 1);
	my $dir = folder("SELECT pg_sleep(60);\n");

	my $server = T::Server->start(with($db, sql_dir => "$dir"),
		wait => '');
	my $sleeping = sub { $db->query(q{SELECT count(*) FROM
		pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'
		AND datname = current_database()}) };
	ok((wait_until { $sleeping->() == 1 }), 'it is at work');
	$server->kill9;
	ok((wait_until { $sleeping->() == 0 } 20), 'it goes with the master')
	    or diag($sleeping->());
	is(version($db), 0, 'and leaves nothing');
};

done_testing;
