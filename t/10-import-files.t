#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline import sqlite: what is no such database, and that FILE and all
# beside it stay as they were.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use Test::More;
use T::Command;
use T::Db;
use T::OldServer;

my $dir = places();

sub beside {
	my @all = sort glob "$dir/*";

	return join "\n", map { my $path = $_; open my $file, '<:raw', $path
		or die "$path: $!\n"; local $/; $path . ' ' . sha256_hex(
		<$file>) . ' ' . (stat $path)[9] } grep { -f } @all;
}

sub written {
	my ($name, $bytes) = @_;

	open my $file, '>:raw', "$dir/$name" or die "$dir/$name: $!\n";
	print $file $bytes;
	close $file or die "$dir/$name: $!\n";
	return "$dir/$name";
}

sub bytes_of {
	my ($path) = @_;

	open my $file, '<:raw', $path or die "$path: $!\n";
	local $/;
	return <$file>;
}

subtest 'what is no such database' => sub {
	my $db    = T::Db->new;
	my $good  = database({}, @night);
	my $bytes = bytes_of($good);

	refused($db, "$dir/none", 66, qr/none: No such file/, 'none');
	refused($db, "$dir", 66, qr/no regular file/, 'a folder');
	refused($db, '/dev/null', 66, qr/no regular file/, 'a device');
	refused($db, written('empty', ''), 65, qr/no database of SQLite/,
		'nothing in it');
	refused($db, written('words', 'x' x 5000), 65,
		qr/no database of SQLite/, 'garbage');
	refused($db, written('cut', substr $bytes, 0, 9000), 65,
		qr/it was cut off: 9000 of \d+ bytes are there/, 'half of it');
	refused($db, written('torn', substr($bytes, 0, 4096) . 'x' x (length(
		$bytes) - 4096)), 65, qr/it is damaged/, 'only its first page');
	refused($db, written('head', substr($bytes, 0, 100) . "\0" x (length(
		$bytes) - 100)), 65, qr/it is damaged|no table games/,
		'only its header');
	refused($db, sqlite("$dir/foreign", 'CREATE TABLE t (x)'), 65,
		qr/it has no table games, as today's server makes it/,
		'of somebody else');
	refused($db, sqlite("$dir/views", 'CREATE VIEW games AS SELECT 1 id;
		CREATE TABLE sessions (id)'), 65, qr/no table games/,
		'a view is no table');
	refused($db, sqlite("$dir/columns", 'CREATE TABLE games (id, title);
		CREATE TABLE sessions (id)'), 65,
		qr/its table games has no column pack_name/, 'other columns');
	refused($db, $good, 65, qr/^partyline: Tenant not found$/m,
		'a tenant that is not there', '--tenant', 'nobody');
	is(partyline('import', 'sqlite')->{exit}, 64, 'no file');
	is(partyline('import', 'mysql', $good)->{exit}, 64, 'another kind');
	is(partyline('import', 'sqlite', $good, '--role', 'bot')->{exit}, 64,
		'a flag that is for others');
};

# Bytes that somebody changed: it is brought in as far as it can be, or it is
# refused; nothing else happens, and never is half of it there.
subtest 'damaged anywhere' => sub {
	my $db    = T::Db->new;
	my $bytes = bytes_of(database({}, @night));
	my $state = 1;
	my (%exits, @odd);

	for (1 .. 40) {
		my $torn = $bytes;
		for (1 .. 1 + $_ % 5) {
			$state = ($state * 1103515245 + 12345) % 2147483648;
			my $at = 16 + ($state >> 4) % (length($torn) - 16);
			substr $torn, $at, 1, chr(($state >> 8) & 255);
		}
		my $said = import_of($db, written('torn', $torn));
		$exits{ $said->{exit} }++;
		push @odd, "$said->{exit} $said->{err}"
		    if $said->{exit} == 65 ? $said->{err} !~ /^partyline: /
		    : $said->{exit} != 0;
	}
	is_deeply(\@odd, [], 'brought in, or refused with a reason');
	cmp_ok($exits{65} // 0, '>', 0, 'some were refused');
};

subtest 'the file stays as it is' => sub {
	my $db   = T::Db->new;
	my $odd  = sqlite("$dir/a %20?mode=x#.db", '');
	my $path = database({}, @night);

	rename $path, $odd or die "$odd: $!\n";
	chmod 0444, $odd;
	my $before = beside();
	is(imported($db, $odd)->{sessions}, '2 2 0 0 0', 'an odd name');
	is(beside(), $before, 'nothing changed, and nothing is beside it');

	# A server that was killed has left a log.
	my $logged = database({}, 'PRAGMA journal_mode = wal', @night);
	is(imported($db, $logged)->{sessions}, '2 0 0 2 0',
		'of a server that logs');
	open my $to, '|-', 'sqlite3', '-bail', $logged or die "sqlite3: $!\n";
	print $to "PRAGMA wal_autocheckpoint = 0;\n", q{INSERT INTO sessions
		(id, created_at, closed_at, is_active) VALUES (8,
		'2026-01-10 19:00:00', '2026-01-10 20:00:00', 0);},
		"\n.shell kill -9 \$PPID\n";
	close $to;
	ok(-s "$logged-wal", 'one was killed');
	$before = beside();
	my @temporary = glob '/tmp/partyline-??????';
	my $done = imported($db, $logged);
	is($done->{sessions}, '3 1 0 2 0', 'what is in its log comes, too');
	is(beside(), $before, 'nothing changed, and nothing is beside it');
	is_deeply([glob '/tmp/partyline-??????'], \@temporary,
		'nor is a copy left');
};

done_testing;
