-- SPDX-License-Identifier: MIT
--
-- Monitors: who may write, what a report tells, once, and what ends them.

SELECT plan(36);

CREATE FUNCTION t.told(call text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce(status::text, body::json->>'type'), ' ')
	FROM t.fleet(call)
$$;
CREATE FUNCTION t.said(call text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce(status::text, body::json->>'type'), ' ')
	FROM t.server(call)
$$;
CREATE FUNCTION t.last(type text) RETURNS text LANGUAGE sql AS $$
	SELECT payload::json->>'data' FROM partyline.event e
	WHERE e.type = $1 ORDER BY e.seq DESC LIMIT 1
$$;
DELETE FROM partyline.pack;
INSERT INTO partyline.pack VALUES (1, 1, 'P', 0, now(), '');
INSERT INTO partyline.game (tenant_id, id, pack_name, title, min_players,
    max_players, created_at, created_text)
VALUES (1, 1, 'P', 'A', 2, 6, now(), '');
SELECT is(t.said('api.session_create(t.ctx(), NULL)'), '201 session.started',
    'a session');
SELECT is(t.said('api.session_game_add(t.ctx(), 1, 1, NULL, ''AB12'', NULL)'),
    '201 game.added', 'a game in a room');
CREATE FUNCTION t.status() RETURNS text LANGUAGE sql AS $$
	SELECT player_count_check_status FROM partyline.session_game
$$;
SELECT is(t.status(), 'checking', 'nobody has seen the room');

-- claimed
SELECT is(t.told('api.monitor_look(''one'', 60000, 10, true)'), '201 200',
    'one claims it');
SELECT is(lease, 2::bigint, 'with a lease') FROM partyline.monitor;
SELECT is(t.told('api.monitor_look(''two'', 60000, 10, false)'), '200',
    'the other one does not');
SELECT is(t.told('api.monitor_look(''one'', 60000, 10, false)'), '200',
    'nor does one again');
SELECT is(t.told('api.monitor_look(''one'', 60000, 10, true)'), '201 200',
    'but for what got lost');
SELECT is(t.told('api.monitor_report(1, 1, 2, ''{"is_connected":true}'', '
    'NULL)'), '409', 'the lease before is none');
SELECT is(t.told('api.monitor_status(1, 1, 2)'), '409', 'of no use at all');
UPDATE partyline.monitor_holder SET until = now() WHERE name = 'one';
SELECT is(t.told('api.monitor_look(''two'', 60000, 10, false)'), '201 200',
    'who is silent loses it');
SELECT is(t.told('api.monitor_leave(''two'')'), '200', 'given back');
SELECT is(t.told('api.monitor_look(''one'', 60000, 10, false)'), '201 200',
    'and taken again');

-- reported
CREATE FUNCTION t.report(seen text, why text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
	SELECT t.told(format('api.monitor_report(1, 1, 5, %L, %L)', seen, why))
$$;
SELECT is(t.report('{"is_connected":true,"players":["Ann"],"player_ids":[2],'
    '"heard_count":1,"app_tag":"a","max_players":8,"lobby_state":"W"}'),
    'room.connected player-count.updated 200', 'connected');
SELECT is(t.status(), 'monitoring', 'the list says so');
SELECT is(t.said('api.session_game_check_start(t.ctx(), 1, 1)'), '200',
    'asked for again');
SELECT is(t.status(), 'monitoring', 'it goes on');
SELECT is(t.report('{"is_connected":true,"players":["Ann"],"player_ids":[2],'
    '"heard_count":1,"app_tag":"a","max_players":8,"lobby_state":"W"}'),
    '200', 'what was said tells nothing');
SELECT is(t.report('{"players":["Ann","B\"o"],"player_ids":[2,0],'
    '"heard_count":2}'), 'lobby.player-joined player-count.updated 200',
    'joined');
SELECT is(t.last('lobby.player-joined')::jsonb, '{"sessionId":1,"gameId":1,'
    '"catalogGameId":1,"roomCode":"AB12","playerName":"B\"o","playerCount":2,'
    '"players":["Ann","B\"o"],"maxPlayers":8}'::jsonb, 'who and how many');
SELECT is(player_count, 2, 'the list has it') FROM partyline.session_game;
SELECT is(t.report('{"can_start":true}'), 'lobby.updated 200', 'the lobby');
SELECT is(t.told('api.monitor_status(1, 1, 5)'), 'game.status 200', 'live');
SELECT is(count(*), 0::bigint, 'and not stored') FROM partyline.event
WHERE type = 'game.status';
SELECT is(t.report('{"is_started":true,"is_finished":true}', 'room_closed'),
    'game.started game.ended room.disconnected 200', 'all at once');
SELECT is(concat_ws(' ', status, player_count, player_count_check_status),
    'played 2 completed', 'played') FROM partyline.session_game;
SELECT is(t.report('{}'), '409', 'nothing more is said');
SELECT is(t.said('api.session_game_check_stop(t.ctx(), 1, 1)'), '200',
    'nobody is stopped');

-- stopped
SELECT is(t.said('api.session_game_check_start(t.ctx(), 1, 1)'), '200',
    'anew');
SELECT is((SELECT concat_ws(' ', lease, is_started, player_count)
    FROM partyline.monitor), '6 f', 'from the beginning');
SELECT is(t.told('api.monitor_look(''one'', 60000, 10, false)'), '201 200',
    'claimed');
SELECT is(t.told('api.monitor_report(1, 1, 7, ''{"is_connected":true,'
    '"heard_count":0}'', NULL)'),
    'room.connected player-count.updated 200', 'found');
SELECT is(t.said('api.session_game_check_stop(t.ctx(), 1, 1)'),
    '200 room.disconnected', 'stopped');
SELECT is(t.last('room.disconnected')::json->>'reason', 'manually_stopped',
    'by hand');
SELECT is(t.told('api.monitor_look(''one'', 60000, 10, false)'), '410 200',
    'its holder hears of it');
SELECT is(t.told('api.monitor_look(''one'', 60000, 10, false)'), '200',
    'once');

SELECT * FROM finish();
