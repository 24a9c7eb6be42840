#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline migrate: what it runs, what it refuses, and what is left when
# something fails.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp ();
use JSON::PP   ();
use Test::More;
use T::Command;
use T::Db;
use T::Run;
use T::Wait;

my $json = JSON::PP->new->utf8;

# A folder of SQL files by their names below it.
sub folder {
	my (%files) = @_;
	my $dir = File::Temp->newdir(TMPDIR => 1);

	make_path("$dir/migration", "$dir/api");
	write_file($dir, $_, $files{$_}) for keys %files;
	return $dir;
}

sub write_file {
	my ($dir, $name, $content) = @_;

	open my $file, '>', "$dir/$name" or die "$dir/$name: $!\n";
	print $file $content;
	close $file;
	return;
}

sub words {
	my ($db, $dir, @more) = @_;

	return ('migrate', (map { ('--set', $_) } 'database_url=' . $db->url,
		'migrate_url=' . $db->url($T::Db::owner), "sql_dir=$dir"),
		@more);
}

sub migrate { return partyline(words(@_)) }

# Its JSON, after its exit code was looked at.
sub migrates {
	my ($exit, $db, $dir) = @_;
	my $said = migrate($db, $dir, '--json');

	is($said->{exit}, $exit, "exit code $exit") or diag($said->{err});
	return $json->decode($said->{out} || '{}');
}

my %first = (
	'migration/0001_begin.sql' =>
	    "CREATE TABLE thing (id int);\nINSERT INTO thing VALUES (1);\n",
	'api/thing.sql' => <<'END',
CREATE OR REPLACE FUNCTION thing() RETURNS int LANGUAGE sql
AS $$ SELECT 1 $$;
END
	'api/README' => 'not SQL',
);

subtest 'an empty database, and again' => sub {
	my $db  = T::Db->new(empty => 1);
	my $dir = folder(%first);
	my $said = migrate($db, $dir);

	is($said->{exit}, 0, 'exit code') or diag($said->{err});
	is($said->{out},
		"schema 1, was 0: 1 migration run; functions replaced\n",
		'what was done');
	is($db->query('SELECT thing()'), 1, 'functions are there');
	is(migrate($db, $dir)->{out},
		"schema 1 was there; functions were there\n", 'nothing to do');
	is($db->query('SELECT count(*) FROM thing'), 1, 'nothing twice');
	is($db->query('SELECT version, name, length(sha256), '
		. "applied_at = date_trunc('milliseconds', applied_at) "
		. 'FROM partyline.schema_version'),
		'1|0001_begin.sql|64|t', 'the record');

	write_file($dir, 'migration/0002_more.sql',
		"ALTER TABLE thing ADD word text;\n");
	write_file($dir, 'migration/0003_yet.sql', "-- nothing\n");
	is_deeply(migrates(0, $db, $dir), { ok => JSON::PP::true, from => 1,
		schema => 3, migrations => 2,
		functionsReplaced => JSON::PP::true },
		'two more, and the functions after them');
	write_file($dir, 'api/thing.sql',
		$first{'api/thing.sql'} =~ s/SELECT 1/SELECT 2/r);
	is_deeply(migrates(0, $db, $dir), { ok => JSON::PP::true, from => 3,
		schema => 3, migrations => 0,
		functionsReplaced => JSON::PP::true }, 'functions alone');
	is($db->query('SELECT thing()'), 2, 'the new ones');
	is($db->query('SELECT count(*) FROM partyline.api_version'), 1,
		'one record of them');
};

subtest 'what fails leaves nothing behind' => sub {
	my $db  = T::Db->new(empty => 1);
	my $dir = folder(%first, 'migration/0002_bad.sql' =>
		"CREATE TABLE half (id int);\n-- Ümläut\nINSERT INTO "
		. "nowhere VALUES (1);\n");
	my $said = migrate($db, $dir);

	is($said->{exit}, 70, 'exit code');
	like($said->{err}, qr{^partyline:\ migration/0002_bad\.sql:3:
		\ relation\ "nowhere"\ does\ not\ exist$}mx, 'where and what');
	is($said->{out}, '', 'nothing else');
	is($db->query("SELECT to_regclass('half') IS NULL, "
		. "to_regclass('thing') IS NULL"), 't|f',
		'only what failed is undone');
	is(migrates(70, $db, $dir)->{schema}, 1, 'the schema it is at');
	is($db->query("SELECT to_regproc('thing') IS NULL"), 't',
		'functions wait for the schema they are written for');
	write_file($dir, 'migration/0002_bad.sql', "SELECT 1 / 0;\n");
	like(migrates(70, $db, $dir)->{error},
		qr{^migration/0002_bad\.sql: division by zero$},
		'an error without a place');

	write_file($dir, 'migration/0002_bad.sql', "SELECT 1;\n");
	write_file($dir, 'api/aaa.sql', "CREATE TABLE from_api (id int);\n");
	write_file($dir, 'api/zzz.sql', "\n\nCREATE FUNKTION x();\n");
	like(migrates(70, $db, $dir)->{error},
		qr{^api/zzz\.sql:3: syntax error}, 'a function that fails');
	is($db->query("SELECT to_regclass('from_api') IS NULL"), 't',
		'all functions are one transaction');
	unlink "$dir/api/zzz.sql";
	is(migrates(0, $db, $dir)->{functionsReplaced}, JSON::PP::true,
		'mended, it goes on');
};

subtest 'seeds' => sub {
	my $db  = T::Db->new(empty => 1);
	my %files = (
		%first,
		'migration/0002_seed.sql' => <<'END',
CREATE TABLE partyline.seed_pets (name text, legs int);
CREATE TABLE partyline.filled (at timestamptz DEFAULT clock_timestamp());
END
		'api/fill.sql' => <<'END',
CREATE SCHEMA IF NOT EXISTS api;
CREATE OR REPLACE FUNCTION api.catalog_fill() RETURNS void LANGUAGE sql
AS $$ INSERT INTO partyline.filled DEFAULT VALUES $$;
END
	);
	my $dir  = folder(%files);
	my $pets = sub {
		return $db->query('SELECT string_agg(concat_ws($$ $$, name,
			legs), $$, $$ ORDER BY name) FROM partyline.seed_pets');
	};
	my $fills = sub {
		return $db->query('SELECT count(*) FROM partyline.filled');
	};

	is(migrate($db, $dir)->{exit}, 0, 'there need not be any');
	is($fills->(), 0, 'nothing is filled then');
	make_path("$dir/seed");
	write_file($dir, 'seed/pets.csv', qq{name,legs\n"Fido, ""F""",4\n});
	write_file($dir, 'seed/pets.csv~', 'nothing');
	is(migrates(0, $db, $dir)->{functionsReplaced}, JSON::PP::true,
		'they come with the functions');
	is($pets->(), 'Fido, "F" 4', 'as they stand there');
	is($fills->(), 1, 'and who waits for them gets them');
	is(migrates(0, $db, $dir)->{functionsReplaced}, JSON::PP::false,
		'once');
	is($fills->(), 1, 'not again');
	write_file($dir, 'seed/pets.csv', "name,legs\nTux,2\nZoe,\n");
	migrates(0, $db, $dir);
	is($pets->(), 'Tux 2, Zoe', 'others are in the place of the old ones');

	for my $case (
		["name,legs\nTux,two\n", qr{^seed/pets\.csv:\ COPY\ seed_pets,
			\ line\ 2,\ column\ legs:\ "two":\ invalid\ input}x],
		["legs,name\n2,Tux\n", qr{^seed/pets\.csv: .*column name}],
		["name,legs\nTux\n", qr{^seed/pets\.csv: .*line 2}]) {
		write_file($dir, 'seed/pets.csv', $case->[0]);
		like(migrates(70, $db, $dir)->{error}, $case->[1],
			'a bad one is named');
		is($pets->(), 'Tux 2, Zoe', 'and leaves what was there');
	}
	write_file($dir, 'seed/pets.csv', "name,legs\n");
	write_file($dir, 'seed/My pets.csv', "name,legs\n");
	like(migrates(70, $db, $dir)->{error},
		qr{^seed/My pets\.csv: is no name of a seed}, 'so is a name');
};

subtest 'what is refused' => sub {
	my $db  = T::Db->new(empty => 1);
	my $dir = folder(%first);

	migrates(0, $db, $dir);
	write_file($dir, 'migration/0001_begin.sql', "SELECT 1;\n");
	like(migrates(65, $db, $dir)->{error},
		qr/0001_begin\.sql was changed after it had run/, 'a change');
	write_file($dir, 'migration/0001_begin.sql',
		$first{'migration/0001_begin.sql'});

	write_file($dir, 'migration/0002_more.sql', "SELECT 1;\n");
	migrates(0, $db, $dir);
	unlink "$dir/migration/0002_more.sql";
	like(migrates(65, $db, $dir)->{error},
		qr/0002_more\.sql, which this program does not know/,
		'a database that is newer');

	write_file($dir, 'migration/0003_hole.sql', "SELECT 1;\n");
	like(migrates(66, $db, $dir)->{error},
		qr/0002_\*\.sql should come where 0003_hole\.sql stands/,
		'a hole');
	unlink "$dir/migration/0003_hole.sql";
	write_file($dir, 'migration/0002_more.sql', "SELECT 1;\n");
	$db->query('DELETE FROM partyline.schema_version WHERE version = 1');
	like(migrates(65, $db, $dir)->{error},
		qr/0002_more\.sql ran, but not the one before it/,
		'a hole in the record');

	for my $name (qw(3_short.sql 0003-dash.sql 0003_Upper.sql 0000_x.sql
		0003_.sql extra.sql)) {
		my $other = folder(%first, "migration/$name" => "SELECT 1;\n");

		like(migrates(66, $db, $other)->{error},
			qr/\Q$name\E: is no name of a migration/, $name);
	}
	like(migrates(66, $db, folder(%first,
		'api/latin.sql' => "SELECT '\xe4';\n"))->{error},
		qr{api/latin\.sql is not UTF-8}, 'another encoding');
	like(migrates(66, $db, folder())->{error}, qr/there is no migration/,
		'an empty folder');
	like(migrates(66, $db, '/nowhere')->{error},
		qr{/nowhere/migration cannot be read}, 'no folder');
	my $fresh = T::Db->new(empty => 1);
	like(migrates(70, $fresh, folder(%first,
		'migration/0002_end.sql' => "SELECT 1; COMMIT;\n"))->{error},
		qr{0002_end\.sql: ends the transaction}, 'a COMMIT');
	like(migrates(70, T::Db->new(empty => 1), folder(%first,
		'migration/0002_copy.sql' => "COPY thing FROM STDIN;\n"))
		->{error}, qr{0002_copy\.sql: has a COPY}, 'a COPY');
};

subtest 'who cannot be asked' => sub {
	my $dir  = folder(%first);
	my $url  = 'postgresql://a:hidden@/b?host=/nowhere';
	my $said = partyline('migrate', map { ('--set', $_) }
		"database_url=$url", "migrate_url=$url", "sql_dir=$dir");

	is($said->{exit}, 69, 'nobody there');
	like($said->{err}, qr/cannot be reached/, 'in words');
	unlike($said->{err}, qr/hidden/, 'without the password');
	$said = partyline('migrate');
	is($said->{exit}, 78, 'no migrate_url');
	like($said->{err}, qr/migrate_url is not set/, 'in words');
	is(partyline('migrate', 'up')->{exit}, 64, 'no words');
	is(partyline('migrate', '--set', 'workers=x')->{exit}, 78,
		'a configuration that cannot be read');
};

subtest 'the folder beside the program' => sub {
	my $db  = T::Db->new(empty => 1);
	my $dir = File::Temp->newdir(TMPDIR => 1);
	my @set = map { ('--set', $_) } 'database_url=' . $db->url,
	    'migrate_url=' . $db->url($T::Db::owner);

	make_path("$dir/bin", "$dir/sql/migration", "$dir/sql/api");
	copy(T::Run::program(), "$dir/bin/partyline") or die "copy: $!\n";
	chmod 0755, "$dir/bin/partyline";
	write_file("$dir/sql", $_, $first{$_}) for keys %first;
	open my $out, '-|', "$dir/bin/partyline", 'migrate', @set
	    or die "migrate: $!\n";
	is(scalar <$out>,
		"schema 1, was 0: 1 migration run; functions replaced\n",
		'../sql of its folder');
	close $out;
};

subtest 'two at once' => sub {
	my $db  = T::Db->new(empty => 1);
	my $dir = folder(%first, 'migration/0002_slow.sql' =>
		"INSERT INTO thing VALUES (2);\nSELECT pg_sleep(1);\n");
	my @said;

	for (1 .. 3) {
		open my $out, '-|', T::Run::program(),
		    words($db, $dir, '--json') or die "migrate: $!\n";
		push @said, $out;
	}
	@said = map { local $/; $json->decode(scalar <$_>) } @said;
	is(scalar(grep { $_->{ok} } @said), 3, 'all are content');
	is_deeply([sort map { $_->{migrations} } @said], [0, 0, 2],
		'one of them did it');
	is($db->query('SELECT count(*) FROM thing'), 2, 'once');
};

done_testing;
