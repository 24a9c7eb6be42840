#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The schema and its functions: pgTAP files of t/sql, each in a database of
# its own; that names agree with the tables in C; that an owner who is no
# superuser can put it all there; that the functions can be replaced under
# connections that have prepared them.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(basename);
use File::Temp ();
use Test::More;
use T::Db;
use T::Evidence;
use T::Run;
use T::Sql;
use T::Tree;
use T::Wait;

my $source = T::Run::source();

# What a file says, line by line, as a subtest.
sub pgtap {
	my ($path) = @_;
	my $db = T::Db->new;
	my ($text, $is_good) = T::Sql::run($db->name, '-U', $T::Db::super,
		'-f', "$source/t/sql/prelude.psql", '-f', "$source/$path");
	my ($planned, $seen) = (0, 0);

	for my $line (split /\n/, $text) {
		if ($line =~ /^1\.\.(\d+)$/) {
			$planned = $1;
		} elsif ($line =~ /^(not )?ok \d+(?: - (.*))?$/) {
			ok(!$1, $2);
			$seen++;
		} elsif ($line ne q()) {
			diag($line);
		}
	}
	ok($is_good, 'psql came to the end');
	is($seen, $planned, 'every test ran');
	T::Evidence::record(error =>
		T::Tree::text($path) =~ /'PT\d{3}',\s*'(\w+)'/g) if $is_good;
	return;
}

for my $path (T::Tree::files(qr{^t/sql/\w+\.sql$})) {
	subtest $path => sub { pgtap($path) };
}

subtest 'refusals are rows of errors.h with that status' => sub {
	my $errors = T::Tree::text('src/tbl/errors.h');
	my %status = $errors =~ /^ERROR\((\w+), (\d+),/mg;
	my %raised;

	for my $path (T::Tree::files(qr{^sql/api/\w+\.sql$})) {
		my $text = T::Tree::text($path);

		$raised{"$1 $2"} = 1
		    while $text =~ /RAISE\ '(\w+)'\s+USING
			\s+ERRCODE\ =\ 'PT(\d+)'/gx;
		$raised{"$_ 400"} = 1
		    for $text =~ /'(session_(?:(?:archive|delete)_active
			|archived))'/gx;
	}
	cmp_ok(scalar keys %raised, '>', 10, 'they are found');
	for my $raised (sort keys %raised) {
		my ($name, $status) = split / /, $raised;

		is($status{$name}, $status, $name);
	}
	my $names = T::Db->new->query(
		q{SELECT conname FROM pg_constraint
		WHERE connamespace = 'partyline'::regnamespace
		AND conname IN ('tenant_exists', 'tenant_host_taken',
		'tenant_slug_invalid') UNION
		SELECT relname FROM pg_class WHERE relname IN
		('active_session_exists', 'admin_key_taken',
		'admin_name_taken')});
	ok($status{$_}, "constraint $_") for split /\n/, $names;
	is(scalar(split /\n/, $names), 6, 'six constraints name errors');
};

subtest 'every migration and function file is plain SQL' => sub {
	my (@wrong, %versions);

	for my $path (T::Tree::files(qr{^sql/})) {
		my $text = T::Tree::text($path) =~ s/--.*$//mgr
		    =~ s/\$\$.*?\$\$//sgr;

		push @wrong, T::Tree::matches($path, $text,
			qr/^\s*\\|^\s*(?:BEGIN|COMMIT|ROLLBACK|VACUUM)\b
			|\bCONCURRENTLY\b/mxi);
		$versions{$1}++ if $path =~ m{^sql/migration/(\d{4})_\w+\.sql$};
	}
	found_none('no psql commands, no control of transactions', @wrong);
	is_deeply([sort keys %versions],
		[map { sprintf '%04d', $_ } 1 .. keys %versions],
		'migrations are numbered without gaps');
	my ($known) = T::Tree::text('src/store/schema.h')
	    =~ /^#define SCHEMA_VERSION (\d+)$/m;
	is($known, scalar keys %versions, 'the program knows the last one');
};

subtest 'an owner without rights of his own' => sub {
	my $name = "t_owner_$$";
	my @as   = ($name, '-U', $name);

	# The roles are there: he need not be able to make them.
	T::Run::psql('postgres', "CREATE ROLE $name LOGIN NOINHERIT");
	T::Run::psql('postgres', "CREATE DATABASE $name OWNER $name");
	ok(eval { T::Run::migrate(T::Run::url($name, $name)); 1 },
		'migrates') or diag $@;
	is(T::Sql::must_run(@as, '-c',
		'SELECT count(*) FROM partyline.tenant'), "0\n",
		'but row-level security is forced on him too');
	my ($text, $is_good) = T::Sql::run(@as, '-c',
		'SET ROLE partyline_server');
	ok(!$is_good, 'and the roles are not his');
	T::Run::psql('postgres', "DROP DATABASE $name");
	T::Run::psql('postgres', "DROP ROLE $name");
};

subtest 'what was there before migration 5 is counted by it' => sub {
	my $db  = T::Db->new(empty => 1);
	my $url = $db->url($T::Db::owner);
	my $dir = File::Temp->newdir(TMPDIR => 1);

	mkdir "$dir/$_" for qw(migration api);
	symlink $_, "$dir/migration/" . basename($_)
	    for glob "$source/sql/migration/000[1-4]_*.sql";
	T::Run::migrate($url, "$dir");
	$db->query(q{INSERT INTO partyline.session (tenant_id, id, notes,
		created_at, created_text) VALUES (1, 1, 'ünf', now(), '');
		INSERT INTO partyline.stream (tenant_id, name)
		VALUES (1, 'session:1');
		INSERT INTO partyline.event (tenant_id, stream, seq, type,
		payload, at) SELECT 1, 'session:1', n, 'x', '12345678', now()
		FROM generate_series(1, 3) n});
	T::Run::migrate($url);
	is($db->query(q{SELECT string_agg(name || ' ' || bytes, ','
		ORDER BY name) FROM partyline.stream}),
		'control 0,lobby 0,session:1 28', 'the bytes');
	is($db->query(q{SELECT count(*) FROM pg_class WHERE relrowsecurity
		AND NOT relforcerowsecurity}), 0, 'nothing was left open');
};

subtest 'who renews the epochs' => sub {
	my $db    = T::Db->new;
	my $aside = 'UPDATE partyline.installation SET timeline = $$x$$';
	my @login = ($db->name, '-U', $T::Db::login, '-c',
		'SET ROLE partyline_server');
	my @reader = (@login, '-c', 'SET default_transaction_read_only = on',
		'-c', 'SELECT renewed FROM api.connect()');

	$db->query($aside);
	is(T::Sql::must_run(@login, '-c',
		'SELECT renewed FROM api.connect()', '-c',
		'SELECT current_user'), "t\npartyline_server\n",
		'a login with both roles does');
	is(T::Sql::must_run(@reader), "f\n", 'one that only reads need not');
	$db->query($aside);
	my ($text, $is_good) = T::Sql::run(@reader);
	ok(!$is_good, 'and cannot: it waits for one that can');
};

subtest 'functions are replaced under open connections' => sub {
	my $db  = T::Db->new;
	my $out = T::Run::folder() . "/replaced.$$";
	my @command = T::Sql::psql($db->name, '-U', $T::Db::super, '-o', $out);
	my $said = sub {
		open my $file, '<', $out or return q();
		local $/;
		return <$file> // q();
	};

	my $pid = open my $to, '|-', @command or die "psql: $!\n";
	$to->autoflush(1);
	print $to 'PREPARE op AS SELECT * FROM api.session_get('
	    . q{ROW($1,$2,$3,$4,$5,$6,$7)::api.ctx, $8);}
	    . ' PREPARE make AS SELECT status FROM api.session_create('
	    . 'ROW($1,$2,$3,$4,$5,$6,$7)::api.ctx, $8);'
	    . q{ EXECUTE make(1,NULL,'','r',NULL,NULL,'','x');}, "\n";
	my $get = q{EXECUTE op(1,NULL,'','r',NULL,NULL,'',1);} . "\n";
	print $to $get;
	ok((wait_until { $said->() =~ /"id":1/ } 20), 'before');
	my $before = length $said->();
	$db->query('DELETE FROM partyline.api_version');
	T::Run::migrate($db->url($T::Db::owner));
	print $to $get x 2;
	close $to;
	is($? >> 8, 0, 'nothing is refused');
	is(() = substr($said->(), $before) =~ /"id":1/g, 2, 'after');
	unlink $out;
};

done_testing;
