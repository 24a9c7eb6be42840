#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline import sqlite: databases of today's server of several ages, what
# is wrong with them, what is no such database, tenants that are in use; and
# that FILE and all beside it stay as they were.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use File::Temp ();
use JSON::PP   ();
use Test::More;
use T::Command;
use T::Db;
use T::Sql;

my $json = JSON::PP->new->utf8->canonical;
my $dir  = File::Temp->newdir('partyline-i-XXXXXX', TMPDIR => 1);
my $made = 0;

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
	webhooks => 'id INTEGER PRIMARY KEY, name TEXT, url TEXT',
	webhook_logs => 'id INTEGER PRIMARY KEY, webhook_id INTEGER',
);

# Those of the first server, and of the one before archives, polls and tickers.
my %first = (
	games => [qw(favor_bias upvotes downvotes ticker created_at)],
	sessions => [qw(archived pending_\w+ poll_\w+)],
	session_games => [qw(room_code player_count
		player_count_check_status source)],
	packs => 1, live_votes => 1, webhooks => 1, webhook_logs => 1,
	chat_logs => ['message_hash'],
);
my %middle = (
	games => ['ticker'], sessions => [qw(archived pending_\w+ poll_\w+)],
	session_games => ['source'],
);

sub sqlite {
	my ($path, $sql) = @_;

	open my $to, '|-:utf8', 'sqlite3', '-bail', $path or die "sqlite3: $!\n";
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

sub counters {
	my ($db, $tenant) = @_;

	return $db->query("SELECT string_agg(noun || '=' || last, ' ' ORDER BY
		noun) FROM partyline.counter WHERE tenant_id = "
		. ($tenant // 1) . " AND noun <> 'admin'");
}

my @night = (
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
	q{INSERT INTO webhooks VALUES (1, 'bot', 'http://127.0.0.1/')},
	q{UPDATE sqlite_sequence SET seq = 40 WHERE name = 'sessions'},
);

subtest 'a night of today' => sub {
	my $db   = T::Db->new;
	my $path = database({}, @night);
	my $done = imported($db, $path);

	is($done->{games}, '2 2 0 0 0', 'games');
	is($done->{packs}, '3 2 0 0 1', 'packs, but for the empty one');
	is($done->{sessions}, '2 2 0 0 0', 'sessions');
	is($done->{session_games}, '3 3 0 0 0', 'their games');
	is($done->{live_votes}, '2 2 0 0 0', 'votes');
	is($done->{chat_logs}, '2 2 0 0 0', 'chat');
	is_deeply([grep { !/^games replaced/ } @{ $done->{notes} }], [
		'webhook_logs not_carried: webhooks have to be made anew',
		'webhooks not_carried: webhooks have to be made anew',
		'packs 6 left_out: no game is in it',
	], 'and what was not');
	is_deeply(rows($db, 'SELECT api.game_text(g) FROM partyline.game g
		ORDER BY id'), [
		'{"id":3,"pack_name":"Party Pack 7","title":"Quiplash 3",'
		. '"min_players":3,"max_players":8,"length_minutes":15,'
		. '"has_audience":1,"family_friendly":1,"game_type":"Writing",'
		. '"secondary_type":null,"ticker":"QIP","play_count":4,'
		. '"popularity_score":1,"upvotes":3,"downvotes":2,"enabled":1,'
		. '"favor_bias":1,"created_at":"2025-10-01T10:00:00.000Z"}',
		'{"id":9,"pack_name":"Party Pack 3","title":"Tee K.O.",'
		. '"min_players":3,"max_players":8,"length_minutes":null,'
		. '"has_audience":1,"family_friendly":0,"game_type":"Drawing",'
		. '"secondary_type":null,"ticker":null,"play_count":1,'
		. '"popularity_score":0,"upvotes":0,"downvotes":0,"enabled":0,'
		. '"favor_bias":0,"created_at":"2025-10-01T10:00:00.000Z"}',
	], 'games as they were; what nobody had used gave way');
	is_deeply(rows($db, 'SELECT id, name, favor_bias FROM partyline.pack
		ORDER BY id'), ['2|Party Pack 7|-1', '5|Party Pack 3|0'],
		'packs');
	is_deeply(rows($db, 'SELECT api.session_whole(s)
		FROM partyline.session s ORDER BY id'), [
		'{"id":4,"notes":"Zo' . "\xc3\xab" . ' wins","is_active":0,'
		. '"created_at":"2026-01-02T19:00:00.000Z",'
		. '"closed_at":"2026-01-02T23:30:00.000Z","games_played":2,'
		. '"archived":1}',
		'{"id":7,"notes":null,"is_active":1,'
		. '"created_at":"2026-01-09T19:00:00.250Z","closed_at":null,'
		. '"games_played":1,"pending_game_id":9,'
		. '"pending_game_source":"dice","poll_active":1,'
		. '"poll_started_at":"2026-01-09T19:10:00.000Z",'
		. '"poll_leading_game_id":9,"poll_leading_label":"Tee K.O.",'
		. '"poll_leading_votes":5}',
	], 'sessions');
	is_deeply(rows($db, 'SELECT id, session_id, game_id, played_text,
		manually_added, source, status, room_code, player_count,
		player_count_check_status FROM partyline.session_game
		ORDER BY id'), [
		'11|4|3|2026-01-02T19:05:00.000Z|f|poll|played|ABCD|6|'
		. 'completed',
		'12|4|9|2026-01-02T20:05:00.000Z|t|manual|skipped|||',
		'15|7|3|2026-01-09T19:05:00.000Z|f|dice|playing|WXYZ||'
		. 'monitoring',
	], 'their games');
	is_deeply(rows($db, 'SELECT id, session_id, game_id, username, vote,
		voted_text, created_text FROM partyline.live_vote
		ORDER BY id'), [
		'1|4|3|Ann|1|2026-01-02T19:06:00.500Z|2026-01-02T19:06:01.000Z',
		'2|4|3|Bob|-1|2026-01-02T19:06:02.000Z'
		. '|2026-01-02T19:06:02.000Z'], 'votes');
	is_deeply(rows($db, q{SELECT id, username, message, vote, game_id,
		said_text, encode(hash, 'hex') FROM partyline.chat_log
		ORDER BY id}), [
		'21|Ann|thisgame++ yes|1|9|2026-01-02T20:06:00.000Z|'
		. sha256_hex('Ann:thisgame++ yes:2026-01-02T20:06:00Z'),
		'22|Bob|hi|||2026-01-02T20:06:01.000Z|'
		. sha256_hex('Bob:hi:2026-01-02T20:06:01Z')],
		'chat, which its hash still tells, and what it voted for');
	like(counters($db), qr/\Achat_log=22\ game=\d+\ live_vote=2\ pack=\d+
		\ session=40\ session_game=15\z/x,
		'the next ids come behind all that were ever given');
	is_deeply(rows($db, q{SELECT name, head, lowest, bytes
		FROM partyline.stream WHERE name LIKE 'session:%'
		ORDER BY name}), ['session:4|0|1|37', 'session:7|0|1|0'],
		'streams at their beginning, with what their nouns take');
	is($db->query('SELECT count(*) FROM partyline.event WHERE
		tenant_id = 1'), 0, 'nobody is told');

	my $before = everything($db);
	$done = imported($db, $path);
	is_deeply([@$done{qw(games packs sessions session_games live_votes
		chat_logs)}], ['2 0 0 2 0', '3 0 0 2 1', '2 0 0 2 0',
		'3 0 0 3 0', '2 0 0 2 0', '2 0 0 2 0'], 'again: the same');
	is(everything($db), $before, 'and nothing is done');

	my $said = import_of($db, $path);
	is($said->{out}, <<"END", 'in words');
$path, into tenant default
games: 2 read, 0 added, 0 updated, 2 the same, 0 left out
packs: 3 read, 0 added, 0 updated, 2 the same, 1 left out
sessions: 2 read, 0 added, 0 updated, 2 the same, 0 left out
session_games: 3 read, 0 added, 0 updated, 3 the same, 0 left out
live_votes: 2 read, 0 added, 0 updated, 2 the same, 0 left out
chat_logs: 2 read, 0 added, 0 updated, 2 the same, 0 left out
webhook_logs: not carried: webhooks have to be made anew
webhooks: not carried: webhooks have to be made anew
packs 6: left out: no game is in it
END
};
done_testing;
