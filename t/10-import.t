#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline import sqlite: what today's server has kept, of several ages, with
# values that cannot be, into tenants that are in use, and again.

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
use T::Sql;

sub counters {
	my ($db, $tenant) = @_;

	return $db->query("SELECT string_agg(noun || '=' || last, ' ' ORDER BY
		noun) FROM partyline.counter WHERE tenant_id = "
		. ($tenant // 1) . " AND noun <> 'admin'");
}

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
		'webhook_logs not_carried: what was sent before is not kept',
		'packs 6 left_out: no game is in it',
		'webhooks 2 left_out: its address or its secret cannot be',
	], 'and what was not');
	is($done->{webhooks}, '2 1 0 0 1', 'webhooks');
	is_deeply(rows($db, 'SELECT id, name, url, secret, events, enabled,
		created_text FROM partyline.webhook'), ['1|bot|'
		. 'http://127.0.0.1/|s|{game.added}|f|'
		. '2026-01-02T19:00:00.000Z'], 'as they were');
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
		. 'checking',
	], 'their games');
	is_deeply(rows($db, 'SELECT id, room_code FROM partyline.monitor'),
		['15|WXYZ'], 'the room that was watched is looked for');
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
		\ session=40\ session_game=15\ webhook=2\z/x,
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
webhooks: 2 read, 0 added, 0 updated, 1 the same, 1 left out
webhook_logs: not carried: what was sent before is not kept
packs 6: left out: no game is in it
webhooks 2: left out: its address or its secret cannot be
END
};

# Databases of older servers: the same night, in fewer columns.
subtest 'older ones' => sub {
	my $game = q{INSERT INTO games (id, pack_name, title, min_players,
		max_players) VALUES (3, 'Party Pack 7', 'Quiplash 3', 3, 8)};
	my $session = q{INSERT INTO sessions (id, created_at, is_active)
		VALUES (7, '2025-11-01 19:00:00', 1)};
	my $played = q{INSERT INTO session_games (id, session_id, game_id,
		played_at, manually_added) VALUES (15, 7, 3,
		'2025-11-01 19:05:00', 1)};
	my $db   = T::Db->new;
	my $done = imported($db, database(\%first, $game, $session, $played,
		q{INSERT INTO chat_logs VALUES (1, 7, 'Ann', 'thisgame--',
		'2025-11-01 19:06:00', NULL)}));

	is_deeply([@$done{qw(games packs sessions session_games live_votes
		chat_logs)}], ['1 1 0 0 0', '0 0 0 0 0', '1 1 0 0 0',
		'1 1 0 0 0', '0 0 0 0 0', '1 1 0 0 0'], 'of the first');
	is_deeply([grep { !/^games replaced/ } @{ $done->{notes} }], [
		'packs not_carried: the file has no such table',
		'live_votes not_carried: the file has no such table',
		'webhooks not_carried: the file has no such table'],
		'what it had not');
	is($db->query('SELECT source, status FROM partyline.session_game'),
		'manual|playing', 'added by hand');
	is($db->query('SELECT name, favor_bias FROM partyline.pack'),
		'Party Pack 7|0', 'its packs are those of its games');
	is($db->query('SELECT created_text FROM partyline.game'),
		'1970-01-01T00:00:00.000Z', 'nobody knows since when');
	is($db->query(q{SELECT vote, game_id, encode(hash, 'hex')
		FROM partyline.chat_log}), '-1|3|'
		. sha256_hex('Ann:thisgame--:2025-11-01T19:06:00.000Z'),
		'chat without hashes');

	$db   = T::Db->new;
	$done = imported($db, database(\%middle, $game, $session, $played));
	is_deeply([@$done{qw(games sessions session_games)}],
		[('1 1 0 0 0') x 3], 'of the one between');
	$done = imported($db, database({}, $game . q{; UPDATE games SET
		created_at = (SELECT created_at FROM games), ticker = 'QIP'},
		$session . q{; UPDATE sessions SET is_active = 0, closed_at =
		'2025-11-01 23:00:00', archived = 1}, $played));
	is($done->{sessions}, '1 0 1 0 0', 'the same, updated since');
	is($db->query('SELECT archived, closed_text FROM partyline.session'),
		't|2025-11-01T23:00:00.000Z', 'it is archived now');
};

subtest 'values that cannot be' => sub {
	my $db   = T::Db->new;
	my $path = database({}, q{INSERT INTO games (id, pack_name, title,
		min_players, max_players, length_minutes, has_audience,
		family_friendly, enabled, favor_bias, ticker, play_count,
		created_at) VALUES
		(1, 'P', 'A', 'few', NULL, -5, 'true', '0', 'no', 7, 'T!', 2.5,
		'yesterday'),
		(2, 'P', 'B', 9, 3, 20.0, 1.0, 'maybe', 'TRUE', '-1', 'abc',
		'12', 1767366000),
		(3, 'P', 'B', 1, 2, 1, 1, 1, 1, 1, 'ABC', 1,
		'2026-01-02T20:00:00+05:30'),
		(4, NULL, 'C', 1, 2, 1, 1, 1, 1, 1, NULL, 1, NULL),
		(5, '', 'C', 1, 2, 1, 1, 1, 1, 1, NULL, 1, NULL),
		(6, CAST(x'50ff51' AS TEXT), CAST(x'410042' AS TEXT), 1, 2,
		1, 1, 1, 1, 1, NULL, 1, 1767366000123)},
		q{INSERT INTO sessions (id, created_at, closed_at, is_active,
		archived) VALUES
		(1, '2026-01-01 00:00:00', NULL, 0, 0),
		(2, '2026-01-02 00:00:00', NULL, 1, 0),
		(3, '2026-01-03 00:00:00', '2026-01-03 01:00:00', 1, 1),
		(4, 'never', '2026-01-04 00:00:00', 0, 2),
		(-5, '2026-01-05 00:00:00', NULL, 0, 0)},
		q{INSERT INTO session_games VALUES
		(1, 3, 1, '2026-01-03 00:01:00', 1, 'playing', 'abcd', 3,
		'monitoring', 'dice'),
		(2, 3, 2, '2026-01-03 00:02:00', 0, 'playing', 'TOOLONG', -1,
		'waiting', 'crystal ball'),
		(3, 1, 1, NULL, 'x', 'done', NULL, NULL, 'monitoring', NULL),
		(4, 1, 99, '2026-01-01 00:01:00', 0, 'played', NULL, NULL,
		NULL, NULL),
		(5, 98, 1, '2026-01-01 00:01:00', 0, 'played', NULL, NULL,
		NULL, NULL)},
		q{INSERT INTO live_votes VALUES
		(1, 3, 1, 'Ann', 'up', '2026-01-03 00:01:10', 'never'),
		(2, 3, 1, 'Ann', 2, '2026-01-03 00:01:20', NULL),
		(3, 3, 1, '', 1, '2026-01-03 00:01:20', NULL),
		(4, 3, 1, 'Ann', 1, '2026-02-30 00:01:20', NULL),
		(5, 3, 99, 'Ann', 1, '2026-01-03 00:01:20', NULL)},
		q{INSERT INTO chat_logs VALUES
		(1, 3, 'Ann', 'x', '2026-01-03 00:01:20', 'sideways', 'short'),
		(2, 3, 'Ann', 'x', '2026-01-03 00:01:20', '', ''),
		(3, 97, 'Ann', 'x', '2026-01-03 00:01:20', NULL, NULL),
		(4, 3, 'Ann', CAST(x'80' AS TEXT), '2026-01-03 00:01:21', NULL,
		NULL)});
	my $done = imported($db, $path);
	my $bad  = 'has a value that cannot be';

	is_deeply([grep { !/^games replaced/ && !/^webhook/ }
		@{ $done->{notes} }], [split /\n/, <<"END"], 'each is told');
games 1 changed: min_players $bad: taken as 1
games 1 changed: max_players is missing: taken as 100
games 1 changed: length_minutes $bad: left empty
games 1 changed: play_count $bad: left empty
games 1 changed: favor_bias $bad: left empty
games 1 changed: ticker $bad: left empty
games 1 changed: created_at $bad: left empty
games 2 changed: family_friendly $bad: left empty
games 4 left_out: pack_name is missing
games 5 left_out: pack_name $bad
games 6 changed: pack_name is not UTF-8: what is broken is shown as U+FFFD
games 6 changed: title has NULs, which are left out
sessions left_out: id $bad
sessions 4 changed: created_at $bad: left empty
sessions 4 changed: archived $bad: left empty
session_games 2 changed: room_code $bad: left empty
session_games 2 changed: player_count $bad: left empty
session_games 2 changed: player_count_check_status $bad: left empty
session_games 2 changed: source $bad: left empty
session_games 3 changed: manually_added $bad: left empty
session_games 3 changed: status $bad: taken as "played"
live_votes 1 changed: created_at $bad: left empty
live_votes 2 left_out: vote_type $bad
live_votes 3 left_out: username $bad
live_votes 4 left_out: timestamp $bad
chat_logs 1 changed: parsed_vote $bad: left empty
chat_logs 1 changed: message_hash $bad: left empty
chat_logs 4 changed: message is not UTF-8: what is broken is shown as U+FFFD
games 2 changed: max_players was less than min_players: taken as 9
games 3 changed: game 2 has the same pack and title: this one is called B (3)
games 3 changed: game 2 has the ticker ABC: left empty
sessions 1 changed: closed_at is missing: taken as 2026-01-01T00:00:00.000Z
sessions 4 changed: created_at is missing: taken as 2026-01-04T00:00:00.000Z
sessions 2 changed: another session is active, too: this one is closed
sessions 2 changed: closed_at is missing: taken as 2026-01-02T00:00:00.000Z
sessions 3 changed: it is active: not archived
sessions 3 changed: it is active: closed_at is left empty
session_games 3 changed: played_at is missing: taken as 2026-01-01T00:00:00.000Z
session_games 3 changed: nobody watches its room any more: stopped
session_games 4 left_out: its game 99 was not brought in
session_games 5 left_out: its session 98 was not brought in
session_games 1 changed: another game of the session is playing: played
session_games 1 changed: nobody watches its room any more: stopped
live_votes 5 left_out: its game 99 was not brought in
chat_logs 2 left_out: the session has the same line already
chat_logs 3 left_out: its session 97 was not brought in
END
	is_deeply(rows($db, q{SELECT id, title, min_players, max_players,
		length_minutes, has_audience, family_friendly, enabled,
		favor_bias, ticker, play_count, created_text
		FROM partyline.game ORDER BY id}), [
		'1|A|1|100||t|f|f|0||0|1970-01-01T00:00:00.000Z',
		'2|B|9|9|20|t|f|t|-1|ABC|12|2026-01-02T15:00:00.000Z',
		'3|B (3)|1|2|1|t|t|t|1||1|2026-01-02T14:30:00.000Z',
		'6|AB|1|2|1|t|t|t|1||1|2026-01-02T15:00:00.123Z',
	], 'games');
	is($db->query('SELECT pack_name FROM partyline.game WHERE id = 6'),
		"P\xef\xbf\xbdQ", 'a text');
	is_deeply(rows($db, 'SELECT id, is_active, archived, games_played
		FROM partyline.session ORDER BY id'),
		['1|f|f|1', '2|f|f|0', '3|t|f|2', '4|f|f|0'], 'sessions');
	is_deeply(rows($db, 'SELECT id, status, room_code, source,
		player_count_check_status FROM partyline.session_game
		ORDER BY id'), ['1|played|ABCD|dice|stopped',
		'2|playing||dice|', '3|played||dice|stopped'],
		'only the last is playing');
	my $before = everything($db);
	imported($db, $path);
	is(everything($db), $before, 'again: nothing is done');
};

subtest 'texts without end, and many rows' => sub {
	my $db   = T::Db->new;
	my $path = database({}, @night, q{UPDATE sessions SET notes =
		replace(hex(zeroblob(1000000)), '00', 'é')},
		q{UPDATE games SET title = replace(hex(zeroblob(3000000)),
		'00', 'x')}, q{UPDATE chat_logs SET message =
		replace(hex(zeroblob(5000000)), '00', 'y') WHERE id = 22},
		q{WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1
		FROM n WHERE i < 20000) INSERT INTO live_votes SELECT
		100 + i, 4, 3, 'N' || i, 1, '2026-01-02 19:07:00', NULL
		FROM n});
	my $done = imported($db, $path);

	is($done->{live_votes}, '20002 20002 0 0 0', 'votes');
	is_deeply([grep { /^(?:games \d|sessions|chat)/ }
		@{ $done->{notes} }], [
		'games 3 changed: title is cut to 200 characters',
		'games 9 changed: title is cut to 200 characters',
		'sessions 4 changed: notes is cut to 10000 characters',
		'sessions 7 changed: notes is cut to 10000 characters',
		'chat_logs 22 changed: message is cut to 2000 characters'],
		'texts are cut to what they may be');
	is($db->query('SELECT count(*) FROM partyline.session
		WHERE length(notes) = 10000'), 2, 'not in a character');
};

subtest 'a tenant that is in use' => sub {
	my $db = T::Db->new;
	my $path = database({}, @night);
	my $call = sub {
		my ($function) = @_;

		return T::Sql::must_run($db->name, '-U', $T::Db::login, '-c',
			'SET ROLE partyline_server', '-c', 'SELECT body FROM '
			. $function =~ s/CTX/(1, 'Ann', 'admin', 'r', NULL,
			NULL, NULL)::api.ctx/r . ' WHERE status IS NOT NULL');
	};

	$call->("api.session_create(CTX, 'ours')");
	$db->query(q{UPDATE partyline.session SET id = 4});
	refused($db, $path, 65, qr/^partyline:\ Another\ session\ is\ active\.
		\ Please\ close\ it.*"activeSessionId":4,"sessionId":7/x,
		'an active one is in the way');
	$db->query(q{UPDATE partyline.stream SET name = 'session:4'
		WHERE name = 'session:1'});
	$call->('api.session_close(CTX, 4, NULL)');
	my $seeded = $db->query('SELECT count(*) FROM partyline.game');
	if ($seeded > 0) {
		$db->query('UPDATE partyline.game SET play_count = 1
			WHERE id = (SELECT min(id) FROM partyline.game)');
	}
	my $done = imported($db, $path);
	is($done->{sessions}, '2 1 0 0 1', 'another session has the id');
	my $notes = join "\n", @{ $done->{notes} };
	like($notes, qr/^sessions 4 left_out: another session has its id$/m,
		'which is told');
	like($notes, qr/^session_games 11 left_out: its session 4 was not/m,
		'and what belongs to it');
	is($db->query('SELECT notes FROM partyline.session WHERE id = 4'),
		'ours', 'ours stays');
	if ($seeded > 0) {
		unlike($notes, qr/replaced/, 'a catalog in use stays');
		like($notes, qr/^games 3 left_out: another game has its id/m,
			'and keeps its ids');
	}
};

subtest 'another tenant' => sub {
	my $db = T::Db->new;
	partyline('tenant', 'add', 'games', '--set', 'database_url='
		. $db->url);
	my $before = $db->query('SELECT count(*) FROM partyline.game
		WHERE tenant_id = 1');
	is(imported($db, database({}, @night), '--tenant', 'games')
		->{sessions}, '2 2 0 0 0', 'into it');
	is($db->query('SELECT DISTINCT tenant_id FROM partyline.session'), 2,
		'there');
	is($db->query('SELECT count(*) FROM partyline.game
		WHERE tenant_id = 1'), $before, 'and nowhere else');
};

subtest 'again, after both went on' => sub {
	my $db   = T::Db->new;
	my $path = database({}, @night);

	imported($db, $path);
	# Here: a vote, and the session is closed.
	$db->query(q{INSERT INTO partyline.live_vote VALUES (1, 1000, 7, 3,
		'Cid', 1, '2026-01-09 20:00Z', '', '2026-01-09 20:00Z', '')});
	$db->query('UPDATE partyline.game SET upvotes = 4 WHERE id = 3');
	$db->query(q{UPDATE partyline.session SET is_active = false,
		closed_at = '2026-01-09 23:00Z',
		closed_text = '2026-01-09T23:00:00.000Z',
		pending_game_id = NULL, pending_game_source = NULL,
		poll_started_at = NULL, poll_started_text = NULL,
		poll_leading_game_id = NULL, poll_leading_label = NULL,
		poll_leading_votes = NULL WHERE id = 7});
	$db->query(q{UPDATE partyline.session_game SET status = 'played',
		player_count_check_status = 'stopped' WHERE id = 15});
	# There: a vote, another pack, a new session.
	sqlite($path, q{UPDATE games SET upvotes = 9, play_count = 5
		WHERE id = 3; UPDATE games SET pack_name = 'New' WHERE id = 9;
		INSERT INTO live_votes VALUES (3, 7, 3, 'Dan', 1,
		'2026-01-09 19:06:00', NULL);
		UPDATE sessions SET notes = 'more' WHERE id = 4;
		UPDATE session_games SET player_count = 8 WHERE id = 15;});
	my $done = imported($db, $path);
	is_deeply([@$done{qw(games sessions session_games live_votes)}],
		['2 0 2 0 0', '2 0 1 1 0', '3 0 1 2 0', '3 1 0 2 0'],
		'what changed there is changed here');
	is($db->query('SELECT upvotes, play_count FROM partyline.game
		WHERE id = 3'), '10|5', 'with what was voted here');
	like(join("\n", @{ $done->{notes} }),
		qr/^sessions 7 changed: it was closed here: it stays closed$/m,
		'what was closed here stays so');
	is($db->query(q{SELECT string_agg(name, ',' ORDER BY name)
		FROM partyline.pack}), 'New,Party Pack 7', 'packs follow');
	is($db->query(q{SELECT bytes FROM partyline.stream
		WHERE name = 'session:4'}), 32, 'so does what it takes');
	my $before = everything($db);
	imported($db, $path);
	is(everything($db), $before, 'again: nothing is done');
};

subtest 'all or nothing' => sub {
	my $db = T::Db->new;

	$db->query(q{CREATE FUNCTION public.no_room() RETURNS trigger LANGUAGE
		plpgsql AS $$ BEGIN RAISE 'no room' USING
		ERRCODE = 'disk_full'; END $$});
	$db->query('CREATE TRIGGER no_room BEFORE INSERT ON partyline.chat_log
		EXECUTE FUNCTION public.no_room()');
	refused($db, database({}, @night), 75, qr/no room/, 'the last table');
};

done_testing;
