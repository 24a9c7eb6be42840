-- SPDX-License-Identifier: MIT
--
-- What a session plays: one is playing, counters, what is emitted, rows that
-- belong to another session or tenant.

SELECT plan(39);

CREATE FUNCTION t.times(body text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(body,
	    '"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', '"T"', 'g')
$$;
-- "id status check" of each row of a session.
CREATE FUNCTION t.rows_of(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', p.id, p.status,
	    p.player_count_check_status), ', ' ORDER BY p.id)
	FROM partyline.session_game p
	WHERE p.tenant_id = 1 AND p.session_id = session
$$;
CREATE FUNCTION t.body(call text) RETURNS text LANGUAGE sql AS $$
	SELECT body FROM t.server(call) WHERE status IS NOT NULL
$$;
-- In place of what a tenant begins with.
DELETE FROM partyline.pack;
INSERT INTO partyline.pack VALUES (1, 1, 'P', 0, now(), '');
INSERT INTO partyline.game (tenant_id, id, pack_name, title, min_players,
    max_players, upvotes, downvotes, created_at, created_text)
VALUES (1, 1, 'P', 'A"', 2, 8, 1, 3, now(), ''),
    (1, 2, 'P', 'B', 3, 6, 0, 0, now(), '');
SELECT is(count(*), 2::bigint, 'a session')
FROM t.server('api.session_create(t.ctx(), NULL)');

-- added
SELECT is(t.body('api.session_game_list(t.ctx(), 1)'), '[]', 'nothing yet');
SELECT throws_ok($$SELECT t.body('api.session_game_list(t.ctx(), 9)')$$,
    'PT404', 'session_not_found', 'no such session');
UPDATE partyline.session SET pending_game_id = 2,
    pending_game_source = 'poll';
CREATE TEMP TABLE added AS SELECT row_number() OVER () AS n, a.* FROM
    t.server('api.session_game_add(t.ctx(), 1, 1, NULL, ''AB12'', NULL)') a;
SELECT is(count(*), 2::bigint, 'an answer and an event') FROM added;
SELECT is(status, 201, 'added') FROM added WHERE n = 1;
SELECT is(t.times(body), '{"id":1,"session_id":1,"game_id":1,'
    '"played_at":"T","manually_added":0,"status":"playing",'
    '"room_code":"AB12","player_count":null,'
    '"player_count_check_status":"checking","source":"dice",'
    '"pack_name":"P","title":"A\"","game_type":null,"secondary_type":null,'
    '"min_players":2,"max_players":8,"length_minutes":null,'
    '"popularity_score":-2,"upvotes":1,"downvotes":3}', 'its shape')
FROM added WHERE n = 1;
SELECT is(t.times(body), '{"type":"game.added","stream":"session:1",'
    '"seq":1,"timestamp":"T","data":{"session":{"id":1,"is_active":true,'
    '"games_played":1},"game":{"id":1,"title":"A\"","pack_name":"P",'
    '"min_players":2,"max_players":8,"manually_added":false,'
    '"room_code":"AB12"}}}', 'the envelope') FROM added WHERE n = 2;
SELECT is(pending_game_id, NULL, 'nothing is pending') FROM partyline.session;
SELECT is(t.body('api.session_game_list(t.ctx(), 1)'),
    '[' || body || ']', 'the list has it') FROM added WHERE n = 1;
SELECT is(body::json->>'source', 'manual', 'by hand') FROM t.server(
    'api.session_game_add(t.ctx(), 1, 1, true, NULL, NULL)')
WHERE status = 201;
SELECT is(body::json->>'source', 'poll', 'from a poll') FROM t.server(
    'api.session_game_add(t.ctx(), 1, 2, true, NULL, ''poll'')')
WHERE status = 201;
SELECT is(t.rows_of(1), '1 played stopped, 2 played, 3 playing',
    'each demotes the one before');
SELECT is(games_played::int, 3, 'the session counts') FROM partyline.session;
SELECT is(array_agg(play_count ORDER BY id), '{2,1}', 'so do the games')
FROM partyline.game;
SELECT throws_ok($$SELECT t.body(
    'api.session_game_add(t.ctx(), 1, 9, NULL, NULL, NULL)')$$, 'PT404',
    'game_not_found', 'no such game');
SELECT throws_ok($$SELECT t.body(
    'api.session_game_add(t.ctx(), 9, 1, NULL, NULL, NULL)')$$, 'PT404',
    'session_not_found', 'no such session');
SELECT is(t.rows_of(1), '1 played stopped, 2 played, 3 playing',
    'a refusal changes nothing');
SELECT throws_ok($$UPDATE partyline.session_game SET status = 'playing'$$,
    '23505', 'duplicate key value violates unique constraint '
    '"session_game_playing"', 'the index holds it');

-- changed
SELECT is(t.body($$api.session_game_status(t.ctx(), 1, 1, 'playing')$$),
    '{"message":"Status updated successfully","status":"playing"}',
    'playing again');
SELECT is(t.rows_of(1), '1 playing stopped, 2 played, 3 played',
    'the other is not');
SELECT is(t.body('api.session_game_check_start(t.ctx(), 1, 1)'),
    '{"message":"Room monitor started","status":"monitoring"}', 'watched');
SELECT is(t.body($$api.session_game_status(t.ctx(), 1, 1, 'playing')$$),
    '{"message":"Status updated successfully","status":"playing"}', 'as it is');
SELECT is(t.rows_of(1), '1 playing checking, 2 played, 3 played',
    'nothing changed');
SELECT is(t.times(body), '{"type":"player-count.updated",'
    '"stream":"session:1","seq":4,"timestamp":"T","data":{"sessionId":1,'
    '"gameId":3,"catalogGameId":2,"playerCount":5,"status":"completed"}}',
    'players are told') FROM t.server(
    'api.session_game_players(t.ctx(), 1, 3, 5)') WHERE status IS NULL;
SELECT is(t.body('api.session_game_live(t.ctx(), 1, 1)'),
    '{"sessionId":1,"gameId":1,"catalogGameId":1,"roomCode":"AB12",'
    '"appTag":null,"maxPlayers":8,"playerCount":null,"players":[],'
    '"lobbyState":null,"gameState":null,"gameStarted":true,'
    '"gameFinished":false,"monitoring":true}', 'live');
SELECT throws_ok($$SELECT t.body(
    'api.session_game_check_start(t.ctx(), 1, 2)')$$, 'PT400',
    'room_code_missing', 'no room to watch');
SELECT is(t.body($$api.session_game_room(t.ctx(), 1, 2, 'QX7Z')$$)
    ::json->>'room_code', 'QX7Z', 'now there is one');
SELECT is(t.body('api.session_game_check_stop(t.ctx(), 1, 1)'),
    '{"message":"Room monitor and player count check stopped",'
    '"status":"stopped"}', 'stopped');
SELECT is(t.body('api.session_game_remove(t.ctx(), 1, 2)'),
    '{"message":"Game removed from session successfully"}', 'removed');
SELECT is(games_played::int, 2, 'the session counts') FROM partyline.session;
SELECT is(array_agg(play_count ORDER BY id), '{2,1}', 'the games do not')
FROM partyline.game;

-- elsewhere
SELECT throws_ok($$SELECT t.body(
    'api.session_game_status(t.ctx(), 9, 1, ''played'')')$$, 'PT404',
    'session_game_not_found', 'of another session');
SELECT throws_ok($$SELECT t.body('api.session_game_live(t.ctx(), 9, 1)')$$,
    'PT404', 'session_game_not_found', 'not even to look at');
SELECT throws_ok($$SELECT t.body('api.session_game_remove(t.ctx(2), 1, 1)')$$,
    'PT404', 'session_game_not_found', 'of another tenant');
SELECT is(t.rows_of(1), '1 playing stopped, 3 played completed',
    'they are as they were');

-- closed
SELECT is(count(*), 2::bigint, 'closed')
FROM t.server('api.session_close(t.ctx(), 1, NULL)');
SELECT is(t.rows_of(1), '1 played stopped, 3 played completed',
    'nothing plays');
SELECT throws_ok($$SELECT t.body(
    'api.session_game_add(t.ctx(), 1, 1, NULL, NULL, NULL)')$$, 'PT400',
    'add_to_closed_session', 'nothing is added');
SELECT is(count(*), 2::bigint, 'deleted with the session')
FROM t.server('api.session_delete(t.ctx(), 1)');

SELECT * FROM finish();
