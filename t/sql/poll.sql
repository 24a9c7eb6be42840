-- SPDX-License-Identifier: MIT
--
-- Polls and the selected game: shapes, refusals, what they emit, and the end
-- that comes by itself.

SELECT plan(68);

CREATE FUNCTION t.times(body text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(body,
	    '"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', '"T"', 'g')
$$;
-- What a call answers and tells, a line each.
CREATE FUNCTION t.said(call text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce(status || ' ', '') || t.times(body), E'\n'
	    ORDER BY n)
	FROM t.server(call) WITH ORDINALITY AS a (element, status, body,
	    stream, epoch, seq, headers, refusal, n)
$$;
CREATE FUNCTION t.event(type text, seq bigint, data text)
RETURNS text LANGUAGE sql AS $$
	SELECT format('{"type":"%s","stream":"session:1","seq":%s,'
	    '"timestamp":"T","data":%s}', type, seq, data)
$$;
CREATE FUNCTION t.get() RETURNS text LANGUAGE sql AS $$
	SELECT substr(t.times(body), position('"games_played"' IN
	    t.times(body))) FROM t.server('api.session_get(t.ctx(), 1)')
$$;
CREATE FUNCTION t.refused(call text, state text, words text, name text)
RETURNS text LANGUAGE sql AS $$
	SELECT throws_ok(format('SELECT t.server(%L)', call), state, words,
	    name)
$$;
CREATE FUNCTION t.end_due(most int DEFAULT 10)
RETURNS SETOF text LANGUAGE sql AS $$
	SELECT element || ' ' || coalesce(status || ' ', '')
	    || t.times(regexp_replace(body, '"wait_ms":-?\d+',
		'"wait_ms":N'))
	FROM t.fleet(format('api.work_end_polls(%s)', most))
$$;
CREATE FUNCTION t.due(tenant int DEFAULT 1) RETURNS void LANGUAGE sql AS $$
	UPDATE partyline.session SET poll_ending_at = now() - interval '1 s'
	WHERE tenant_id = tenant AND poll_ending_at IS NOT NULL
$$;

SELECT is((t.fleet($$api.tenant_add(t.ctx(NULL), 'other')$$)).status, 201,
    'another tenant') LIMIT 1;
SELECT ok(t.said('api.session_create(t.ctx(), NULL)') ~ '^201', 'a session');
SELECT is(t.rows('none', '', $$INSERT INTO partyline.pack
    VALUES (1, 901, 'Pack', 0, now(), '')$$), 1::bigint, 'a pack');
SELECT is(t.rows('none', '', $$INSERT INTO partyline.game (tenant_id, id,
    pack_name, title, min_players, max_players, created_at, created_text)
    VALUES (1, 907, 'Pack', 'A "game"', 3, 8, now(), '')$$), 1::bigint,
    'a game');

-- none runs
SELECT is(t.get(), '"games_played":0}', 'nothing is set');
SELECT t.refused('api.poll_end(t.ctx(), 1, NULL)', 'PT400',
    'poll_not_running', 'end refuses');
SELECT t.refused('api.poll_end(t.ctx(), 1, 5)', 'PT400',
    'poll_not_running', 'later, too');
SELECT t.refused('api.poll_end_cancel(t.ctx(), 1)', 'PT400',
    'poll_not_running', 'cancel refuses');
SELECT t.refused($$api.poll_lead(t.ctx(), 1, 7, 'x', 1)$$, 'PT400',
    'poll_not_running', 'lead refuses');
SELECT t.refused('api.' || call, 'PT404', 'session_not_found',
    call || ' wants a session')
FROM unnest(ARRAY['poll_start(t.ctx(), 9)', 'poll_end(t.ctx(), 9, 0)',
    'poll_end_cancel(t.ctx(), 9)', 'poll_lead(t.ctx(), 9, 7, ''x'', 1)',
    'selection_create(t.ctx(), 9, 907, NULL)',
    'selection_delete(t.ctx(), 9)', 'poll_start(t.ctx(2), 1)',
    'poll_lead(t.ctx(2), 1, 7, ''x'', 1)']) call;

-- one runs
SELECT is(t.said('api.poll_start(t.ctx(), 1)'),
    E'200 {"success":true,"pollStartedAt":"T"}\n' || t.event('poll.start', 1,
    '{"sessionId":1,"pollStartedAt":"T"},"sessionId":1'),
    'started; sessionId is beside the data, too');
SELECT is(bytes::bigint, (SELECT sum(octet_length(payload))
    FROM partyline.event e WHERE e.stream = 'session:1')::bigint,
    'and is counted') FROM partyline.stream WHERE name = 'session:1';
SELECT t.refused('api.poll_start(t.ctx(), 1)', 'PT400', 'poll_running',
    'once');
SELECT is(t.times(t.detail('api.poll_start(t.ctx(), 1)')),
    '{"pollStartedAt":"T"}', 'it says since when');
SELECT is(t.get(), '"games_played":0,"poll_active":1,"poll_started_at":"T"}',
    'get shows it');
SELECT is(t.said($$api.poll_lead(t.ctx(), 1, 7, E'Qu"ip', 3)$$),
    E'200 {"success":true}\n{"type":"poll.leading","stream":"session:1",'
    '"timestamp":"T","data":{"sessionId":1,"gameId":7,"label":"Qu\\"ip",'
    '"votes":3}}', 'leading has no number');
SELECT is(count(*), 1::bigint, 'and is not stored')
FROM partyline.event WHERE stream = 'session:1';
SELECT is(t.get(), '"games_played":0,"poll_active":1,"poll_started_at":"T",'
    '"poll_leading_game_id":7,"poll_leading_label":"Qu\"ip",'
    '"poll_leading_votes":3}', 'but it is kept');
SELECT is(a.body, g.body, 'active is the same')
FROM t.server('api.session_active(t.ctx())') a,
    t.server('api.session_get(t.ctx(), 1)') g;
SELECT ok(body !~ 'poll_', 'a list is without it')
FROM t.server($$api.session_list(t.ctx(), 'all', NULL, 0)$$);
SELECT ok(body::json->'state'->>'poll_active' = '1', 'resync has it')
FROM t.server($$api.stream_state(t.ctx(), 'session:1', '', 0)$$);
SELECT t.refused('api.poll_end_cancel(t.ctx(), 1)', 'PT400',
    'poll_not_ending', 'no end is scheduled');
SELECT is(t.said('api.poll_end(t.ctx(), 1, 0)'), '200 {"success":true,'
    '"winnerGameId":7,"winnerLabel":"Qu\"ip","winnerVotes":3}' || E'\n'
    || t.event('voting.ended', 2, '{"sessionId":1,"winnerGameId":7,'
    '"winnerLabel":"Qu\"ip","winnerVotes":3}'), 'ended, with the winner');
SELECT is(t.get(), '"games_played":0}', 'nothing is left of it');
SELECT t.refused($$api.poll_lead(t.ctx(), 1, 7, 'x', 1)$$, 'PT400',
    'poll_not_running', 'a late one revives nothing');

-- a delay
SELECT ok(t.said('api.poll_start(t.ctx(), 1)') ~ '^200', 'another one');
SELECT is(t.said('api.poll_end(t.ctx(), 1, 60)'),
    E'200 {"success":true,"endsAt":"T","delay":60}\n' || t.event(
    'poll.ending', 4, '{"sessionId":1,"endsAt":"T","delay":60}'),
    'scheduled');
SELECT ok(poll_ending_at BETWEEN clock_timestamp() + interval '50 s'
    AND clock_timestamp() + interval '60 s', 'in a minute')
FROM partyline.session;
SELECT is(t.get(), '"games_played":0,"poll_active":1,"poll_started_at":"T",'
    '"poll_ending_at":"T"}', 'get shows when');
SELECT is(t.end_due(), '0 200 {"rows":0,"wait_ms":N}', 'not yet');
SELECT ok(body::json->>'wait_ms' ~ '^5\d{4}$|^60000$', 'it says when')
FROM t.fleet('api.work_end_polls(10)');
SELECT is(t.said('api.poll_end_cancel(t.ctx(), 1)'),
    E'200 {"success":true}\n' || t.event('poll.ending.cancelled', 5,
    '{"sessionId":1}'), 'cancelled');
SELECT is(t.end_due(), '0 200 {"rows":0,"wait_ms":null}',
    'nothing is due');
SELECT ok(t.said('api.poll_end(t.ctx(), 1, 60)') ~ '^200', 'once more');
SELECT ok(t.said('api.poll_end(t.ctx(), 1, 300)') ~ '"delay":300',
    'put off');
SELECT ok(poll_ending_at > now() + interval '200 s', 'the last one counts')
FROM partyline.session;
SELECT t.due();
SELECT results_eq('SELECT t.end_due()', ARRAY['1 ' || t.event(
    'voting.ended', 8, '{"sessionId":1}'),
    '0 200 {"rows":1,"wait_ms":null}'], 'due; nobody was in front');
SELECT is(t.end_due(), '0 200 {"rows":0,"wait_ms":null}', 'once');
SELECT is(t.get(), '"games_played":0}', 'nothing is left of it');

-- of several tenants
SELECT ok(t.said('api.session_create(t.ctx(2), NULL)') ~ '^201',
    'a session of another one');
SELECT ok(t.said(format('api.poll_start(t.ctx(%s), 1)', n)) ~ '^200',
    'a poll of tenant ' || n) FROM generate_series(1, 2) n;
SELECT ok(t.said(format($$api.poll_lead(t.ctx(%s), 1, 0, 'Other', %s)$$, n,
    n)) ~ '^200', 'somebody leads') FROM generate_series(1, 2) n;
SELECT ok(t.said(format('api.poll_end(t.ctx(%s), 1, 9)', n)) ~ '^200',
    'it will end') FROM generate_series(1, 2) n;
SELECT t.due();
SELECT t.due(2);
SELECT is(count(*), 1::bigint, 'at most so many')
FROM t.fleet('api.work_end_polls(1)') WHERE status IS NULL;
SELECT is(count(*), 1::bigint, 'the other one next, each once')
FROM t.fleet('api.work_end_polls(9)') WHERE status IS NULL AND element = 2
    AND body ~ '"winnerGameId":0,"winnerLabel":"Other","winnerVotes":2';
SELECT is(string_agg(tenant_id || ' ' || seq, ',' ORDER BY tenant_id),
    '1 11,2 3', 'each in its own stream')
FROM partyline.event WHERE type = 'voting.ended' AND request_id = 'poll end'
    AND seq <> 8;

-- the selected game
SELECT is(t.said($$api.selection_create(t.ctx(), 1, 907, 'dice')$$),
    E'200 {"success":true,"gameId":907,"source":"dice"}\n' || t.event(
    'game.picked', 12, '{"sessionId":1,"gameId":907,"source":"dice","game":'
    '{"id":907,"title":"A \"game\"","pack_name":"Pack","min_players":3,'
    '"max_players":8}}'), 'picked');
SELECT is(t.get(), '"games_played":0,"pending_game_id":907,'
    '"pending_game_source":"dice"}', 'get shows it');
SELECT ok(t.said('api.selection_create(t.ctx(), 1, 907, NULL)')
    ~ '"source":"manual"', 'by hand, where nobody says how');
SELECT t.refused('api.selection_create(t.ctx(), 1, 908, NULL)', 'PT404',
    'game_not_found', 'of the catalog');
SELECT is(t.said('api.selection_delete(t.ctx(), 1)'),
    E'200 {"success":true}\n' || t.event('game.dismissed', 14,
    '{"sessionId":1}'), 'dismissed');
SELECT is(t.said('api.selection_delete(t.ctx(), 1)'), '200 {"success":true}',
    'which is told once');

-- closing
SELECT ok(t.said('api.poll_start(t.ctx(), 1)') ~ '^200'
    AND t.said($$api.poll_lead(t.ctx(), 1, 7, 'x', 9)$$) ~ '^200'
    AND t.said('api.poll_end(t.ctx(), 1, 9)') ~ '^200'
    AND t.said('api.selection_create(t.ctx(), 1, 907, NULL)') ~ '^200',
    'all of it');
SELECT is(substr(said, position(E'\n' IN said) + 1), t.event('voting.ended',
    18, '{"sessionId":1,"winnerGameId":7,"winnerLabel":"x","winnerVotes":9}')
    || E'\n' || t.event('session.ended', 19,
    '{"session":{"id":1,"is_active":0,"games_played":0}}'),
    'its poll ends first')
FROM t.said('api.session_close(t.ctx(), 1, NULL)') said;
SELECT is(t.get(), '"games_played":0}', 'nothing is left');
SELECT t.refused('api.poll_start(t.ctx(), 1)', 'PT400',
    'session_not_active', 'no poll in a closed one');
SELECT t.refused('api.selection_create(t.ctx(), 1, 907, NULL)', 'PT400',
    'session_not_active', 'nor a game');
SELECT throws_ok($$UPDATE partyline.session SET poll_started_at = now()
    WHERE id = 1 AND tenant_id = 1$$, '23514', NULL, 'the table holds it');

SELECT * FROM finish();
