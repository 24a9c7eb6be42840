# SPDX-License-Identifier: MIT
package T::OldServer;

# Databases as today's picker server makes them, of several ages, and bringing
# them in.
#
#	my $path = database({}, @night, 'INSERT INTO …');
#	my $path = database(\%first, …);	as the first server made it
#	is(imported($db, $path)->{games}, '2 2 0 0 0');
#	refused($db, $path, 65, qr/cut off/, 'half of it');

use strict;
use warnings;
use utf8;
use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use File::Temp ();
use JSON::PP   ();
use Test::More;
use T::Command;

our @EXPORT = qw(database everything import_of imported places refused rows
    sqlite @night %first %middle);

my $json = JSON::PP->new->utf8->canonical;
my $dir  = File::Temp->newdir('partyline-i-XXXXXX', TMPDIR => 1);
my $made = 0;

# Where they are: a folder.
sub places { return "$dir" }

# The tables as they are today, and as they once were.
my %tables = (
	games => 'id INTEGER PRIMARY KEY AUTOINCREMENT, pack_name TEXT,
		title TEXT, min_players INTEGER, max_players INTEGER,
		length_minutes INTEGER, has_audience INTEGER DEFAULT 0,
		family_friendly INTEGER DEFAULT 0, game_type TEXT,
		secondary_type TEXT, play_count INTEGER DEFAULT 0,
		popularity_score INTEGER DEFAULT 0, enabled INTEGER DEFAULT 1,
		created_at TEXT DEFAULT CURRENT_TIMESTAMP,
		favor_bias INTEGER DEFAULT 0, upvotes INTEGER DEFAULT 0,
		downvotes INTEGER DEFAULT 0, ticker TEXT',
	packs => 'id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
		favor_bias INTEGER DEFAULT 0,
		created_at TEXT DEFAULT CURRENT_TIMESTAMP',
	sessions => 'id INTEGER PRIMARY KEY AUTOINCREMENT,
		created_at TEXT DEFAULT CURRENT_TIMESTAMP, closed_at TEXT,
		is_active INTEGER DEFAULT 1, notes TEXT,
		archived INTEGER DEFAULT 0, pending_game_id INTEGER,
		pending_game_source TEXT, poll_active INTEGER DEFAULT 0,
		poll_started_at TEXT, poll_ending_at TEXT,
		poll_leading_game_id INTEGER, poll_leading_label TEXT,
		poll_leading_votes INTEGER',
	session_games => 'id INTEGER PRIMARY KEY AUTOINCREMENT,
		session_id INTEGER, game_id INTEGER,
		played_at TEXT DEFAULT CURRENT_TIMESTAMP,
		manually_added INTEGER DEFAULT 0, status TEXT DEFAULT "playing",
		room_code TEXT, player_count INTEGER,
		player_count_check_status TEXT, source TEXT',
	chat_logs => 'id INTEGER PRIMARY KEY AUTOINCREMENT,
		session_id INTEGER, chatter_name TEXT, message TEXT,
		timestamp TEXT, parsed_vote TEXT, message_hash TEXT',
	live_votes => 'id INTEGER PRIMARY KEY AUTOINCREMENT,
		session_id INTEGER, game_id INTEGER, username TEXT,
		vote_type INTEGER, timestamp TEXT,
		created_at TEXT DEFAULT CURRENT_TIMESTAMP',
	webhooks => 'id INTEGER PRIMARY KEY, name TEXT, url TEXT,
		secret TEXT, events TEXT, enabled INTEGER,
		created_at TEXT DEFAULT CURRENT_TIMESTAMP',
	webhook_logs => 'id INTEGER PRIMARY KEY, webhook_id INTEGER',
);

# Those of the first server, and of the one before archives, polls and tickers.
our %first = (
	games => [qw(favor_bias upvotes downvotes ticker created_at)],
	sessions => [qw(archived pending_\w+ poll_\w+)],
	session_games => [qw(room_code player_count
		player_count_check_status source)],
	packs => 1, live_votes => 1, webhooks => 1, webhook_logs => 1,
	chat_logs => ['message_hash'],
);
our %middle = (
	games => ['ticker'], sessions => [qw(archived pending_\w+ poll_\w+)],
	session_games => ['source'],
);

sub sqlite {
	my ($path, $sql) = @_;

	open my $to, '|-:utf8', 'sqlite3', '-bail', $path
	    or die "sqlite3: $!\n";
	print $to $sql;
	close $to or die "sqlite3 refuses: $sql\n";
	return $path;
}

# A database with these tables, but for what is without; then the statements.
sub database {
	my ($without, @statements) = @_;
	my $path = "$dir/" . ++$made . '.db';
	my $sql  = '';

	for my $name (sort keys %tables) {
		my $columns = $tables{$name} =~ s/\s+/ /gr;
		my $gone    = $without->{$name};

		next if defined $gone && !ref $gone;
		$columns =~ s/, $_ [^,]*//g for @{ $gone // [] };
		$sql .= "CREATE TABLE $name ($columns);\n";
	}
	return sqlite($path, $sql . join '', map { "$_;\n" } @statements);
}

sub import_of {
	my ($db, $path, @flags) = @_;

	return partyline('import', 'sqlite', $path, '--set',
		'database_url=' . $db->url, @flags);
}

# The report, with what stands in tables by name, after nothing was complained
# of. A note is "table id what: why".
sub imported {
	my ($db, $path, @flags) = @_;
	my $said = import_of($db, $path, '--json', @flags);

	is($said->{exit}, 0, 'exit code') or diag($said->{err});
	is($said->{err}, '', 'nothing to complain of');
	my $report = eval { $json->decode($said->{out}) } // {};
	my %tables = map { my $t = $_; $t->{table} => join ' ', map {
		$t->{$_} } qw(read added updated same left_out) }
	    @{ $report->{tables} };

	return { %tables, notes => [map { join ' ', $_->{table},
		defined $_->{id} ? $_->{id} : (), "$_->{what}: $_->{why}" }
		@{ $report->{notes} }] };
}

sub refused {
	my ($db, $path, $exit, $pattern, $name, @flags) = @_;
	my $before = everything($db);
	my $said   = import_of($db, $path, @flags);

	is($said->{exit}, $exit, "$name: exit code");
	like($said->{err}, $pattern, "$name: told");
	is($said->{out}, '', "$name: nothing else");
	is(everything($db), $before, "$name: nothing done");
	return;
}

my @ours = qw(pack game session session_game live_vote chat_log counter
    stream event);

sub everything {
	my ($db) = @_;

	return join "\n", map { $db->query("SELECT string_agg(t::text, '|'
		ORDER BY t::text) FROM partyline.$_ t") } @ours;
}

sub rows {
	my ($db, $sql) = @_;

	return [split /\n/, $db->query($sql)];
}

our @night = (
	q{INSERT INTO games (id, pack_name, title, min_players, max_players,
		length_minutes, has_audience, family_friendly, game_type,
		play_count, popularity_score, upvotes, downvotes, enabled,
		favor_bias, ticker, created_at) VALUES
		(3, 'Party Pack 7', 'Quiplash 3', 3, 8, 15, 1, 1, 'Writing',
		4, 1, 3, 2, 1, 1, 'qip', '2025-10-01 10:00:00'),
		(9, 'Party Pack 3', 'Tee K.O.', 3, 8, NULL, 1, 0, 'Drawing',
		1, 0, 0, 0, 0, 0, NULL, '2025-10-01 10:00:00')},
	q{INSERT INTO packs VALUES (2, 'Party Pack 7', -1,
		'2025-10-01 10:00:01'), (5, 'Party Pack 3', 0,
		'2025-10-01 10:00:01'), (6, 'Party Pack 1', 0, NULL)},
	q{INSERT INTO sessions (id, created_at, closed_at, is_active, notes,
		archived) VALUES (4, '2026-01-02 19:00:00',
		'2026-01-02 23:30:00', 0, 'Zoë wins', 1)},
	q{INSERT INTO sessions (id, created_at, is_active, pending_game_id,
		pending_game_source, poll_active, poll_started_at,
		poll_leading_game_id, poll_leading_label, poll_leading_votes)
		VALUES (7, '2026-01-09T19:00:00.250Z', 1, 9, 'dice', 1,
		'2026-01-09 19:10:00', 9, 'Tee K.O.', 5)},
	q{INSERT INTO session_games VALUES
		(11, 4, 3, '2026-01-02 19:05:00', 0, 'played', 'ABCD', 6,
		'completed', 'poll'),
		(12, 4, 9, '2026-01-02 20:05:00', 1, 'skipped', NULL, NULL,
		NULL, NULL),
		(15, 7, 3, '2026-01-09 19:05:00', 0, 'playing', 'WXYZ', NULL,
		'monitoring', NULL)},
	q{INSERT INTO live_votes VALUES
		(1, 4, 3, 'Ann', 1, '2026-01-02T19:06:00.5Z',
		'2026-01-02 19:06:01'),
		(2, 4, 3, 'Bob', -1, '2026-01-02 19:06:02',
		'2026-01-02 19:06:02')},
	q{INSERT INTO chat_logs VALUES (21, 4, 'Ann', 'thisgame++ yes',
		'2026-01-02T20:06:00Z', '1', '}
		. sha256_hex('Ann:thisgame++ yes:2026-01-02T20:06:00Z')
		. q{'), (22, 4, 'Bob', 'hi', '2026-01-02T20:06:01Z', NULL, '}
		. sha256_hex('Bob:hi:2026-01-02T20:06:01Z') . q{')},
	q{INSERT INTO webhooks VALUES (1, 'bot', 'http://127.0.0.1/', 's',
		'["game.added"]', 0, '2026-01-02 19:00:00'),
		(2, 'none', 'ftp://a.example/', 's', '[]', 1,
		'2026-01-02 19:00:00')},
	q{UPDATE sqlite_sequence SET seq = 40 WHERE name = 'sessions'},
);

1;
