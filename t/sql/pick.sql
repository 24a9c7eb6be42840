-- SPDX-License-Identifier: MIT
--
-- Picks: what is drawn from and with which weights, what is left out.

SELECT plan(21);

-- In place of what a tenant begins with.
DELETE FROM partyline.pack;
CREATE FUNCTION t.pick(tail text) RETURNS json LANGUAGE sql AS $$
	SELECT body::json FROM t.server('api.pick(t.ctx(), ' || tail || ')')
$$;
SELECT throws_ok($$SELECT t.pick('NULL, NULL, NULL, NULL, NULL, NULL, NULL')$$,
    'PT404', 'no_game_matches', 'an empty catalog');
SELECT is(t.detail($$api.pick(t.ctx(), NULL, NULL, NULL, NULL, NULL, NULL,
    NULL)$$), '{"poolSize":0,"totalEnabled":0}', 'of nothing');

INSERT INTO partyline.session (tenant_id, id, created_at, created_text)
VALUES (1, 1, now(), '');
INSERT INTO partyline.pack VALUES (1, 1, 'up', 1, now(), ''),
    (1, 2, 'even', 0, now(), ''), (1, 3, 'down', -1, now(), '');
INSERT INTO partyline.game (tenant_id, id, pack_name, title, min_players,
    max_players, favor_bias, created_at, created_text)
SELECT 1, row_number() OVER (), k.name, k.name || ' ' || w.bias, 1, 8, w.bias,
    now(), ''
FROM partyline.pack k, (VALUES (1), (0), (-1)) w (bias);
SELECT results_eq($$SELECT g.title, api.pick_shown(api.pick_weight(g, k))
    FROM partyline.game g JOIN partyline.pack k ON k.name = g.pack_name
    ORDER BY k.id, g.favor_bias DESC$$,
    $$VALUES ('up 1', '6'), ('up 0', '2'), ('up -1', '0.4'),
    ('even 1', '3'), ('even 0', '1'), ('even -1', '0.2'),
    ('down 1', '0.9'), ('down 0', '0.3'), ('down -1', '0.06')$$,
    'the weight of a game in its pack');

CREATE TEMP TABLE said AS
SELECT t.pick('NULL, NULL, NULL, NULL, NULL, NULL, NULL') AS one,
    t.pick('NULL, NULL, NULL, NULL, NULL, NULL, 100') AS every;
SELECT is(one->>'poolSize', '9', 'among all') FROM said;
SELECT is(one->>'totalEnabled', '9', 'that are enabled') FROM said;
SELECT is(one->>'totalWeight', '13.86', 'the sum of the weights') FROM said;
SELECT is(one->>'weight', (SELECT api.pick_shown(api.pick_weight(g, k))
    FROM partyline.game g JOIN partyline.pack k ON k.name = g.pack_name
    WHERE g.id = (one->'game'->>'id')::bigint), 'its weight') FROM said;
SELECT is(one->>'games', NULL, 'one has no list') FROM said;
SELECT is(every->>'game', NULL, 'a list no one') FROM said;
SELECT is(json_array_length(every->'games'), 9, 'no more than there are')
FROM said;
SELECT is(count(DISTINCT o->>'id'), 9::bigint, 'each once')
FROM said, json_array_elements(every->'games') o;
SELECT is(sum(w::numeric), 13.86, 'with their weights')
FROM said, json_array_elements_text(every->'weights') w;

SELECT ok(bool_and(c BETWEEN 0 AND 2), 'a chance is below its bound')
FROM (SELECT api.chance(3) AS c FROM generate_series(1, 300)) d;
SELECT is(count(DISTINCT c), 3::bigint, 'and any of them')
FROM (SELECT api.chance(3) AS c FROM generate_series(1, 300)) d;
SELECT is(api.chance(1), 0::bigint, 'one has no choice');
SELECT is(provolatile::text, 's', 'a pick is one snapshot')
FROM pg_proc WHERE oid = 'api.pick'::regproc;

-- played
INSERT INTO partyline.session_game (tenant_id, id, session_id, game_id,
    played_at, played_text, source, status)
SELECT 1, n, 1, n, now() + n * interval '1 min', '', 'dice',
    CASE n WHEN 9 THEN 'skipped' ELSE 'played' END
FROM generate_series(1, 9) n;
SELECT is((SELECT array_agg((o->>'id')::int ORDER BY (o->>'id')::int)
    FROM json_array_elements(t.pick(
    'NULL, NULL, NULL, NULL, 1, NULL, 100')->'games') o),
    '{1,2,3,4,5,6,7}', 'the last two are left out');
SELECT throws_ok($$SELECT t.pick('NULL, NULL, NULL, NULL, 1, true, NULL')$$,
    'PT404', 'all_games_played', 'or all');
SELECT is(t.detail($$api.pick(t.ctx(), NULL, NULL, NULL, NULL, 1, true,
    NULL)$$), '{"poolSize":0,"totalEnabled":9}', 'of so many');
SELECT throws_ok($$SELECT t.pick('9, NULL, NULL, NULL, 1, true, NULL')$$,
    'PT404', 'no_game_matches', 'where filters leave none');
SELECT throws_ok($$SELECT t.server(
    'api.pick(t.ctx(2), NULL, NULL, NULL, NULL, NULL, NULL, NULL)')$$,
    'PT404', 'no_game_matches', 'another tenant has none');

SELECT * FROM finish();
