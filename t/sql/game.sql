-- SPDX-License-Identifier: MIT
--
-- The catalog: what it begins with, once; games and packs that come and go;
-- what they take of the tenant's storage.

SELECT plan(46);

CREATE FUNCTION t.games(tenant int)
RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM partyline.game g WHERE g.tenant_id = tenant
$$;

CREATE FUNCTION t.packs(tenant int)
RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(p.name, ',' ORDER BY p.id) FROM partyline.pack p
	WHERE p.tenant_id = tenant
$$;

CREATE FUNCTION t.weight(tenant int)
RETURNS bigint LANGUAGE sql AS $$
	SELECT s.bytes FROM partyline.stream s
	WHERE s.tenant_id = tenant AND s.name = 'lobby'
$$;

CREATE FUNCTION t.last_ids(tenant int)
RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(c.noun || ' ' || c.last, ', ' ORDER BY c.noun)
	FROM partyline.counter c WHERE c.tenant_id = tenant
$$;

-- An import as core/csv hands it on.
CREATE FUNCTION t.csv(records text, broken text DEFAULT 'null')
RETURNS text LANGUAGE sql AS $$
	SELECT format('{"records":[%s],"broken":%s}', records, broken)
$$;

CREATE FUNCTION t.import(records text, mode text DEFAULT 'append')
RETURNS text LANGUAGE sql AS $$
	SELECT (t.server(format('api.game_import(t.ctx(1), %L, %L)',
	    t.csv('[1,"title","pack_name","min_players","max_players"]'
	    || records), mode))).body
$$;

-- --- what it begins with -----------------------------------------------------

SELECT cmp_ok(t.games(1), '>', 60::bigint, 'the default tenant has games');
SELECT is(t.games(1), (SELECT count(*) FROM partyline.seed_games),
    'all that are known');
SELECT is_empty($$
	SELECT s.* FROM partyline.seed_games s
	LEFT JOIN partyline.game g ON g.tenant_id = 1
	    AND (g.pack_name, g.title, g.min_players, g.max_players)
	    = (s.pack_name, s.title, s.min_players, s.max_players)
	    AND g.length_minutes IS NOT DISTINCT FROM s.length_minutes
	    AND g.has_audience = coalesce(s.has_audience, false)
	    AND g.family_friendly = coalesce(s.family_friendly, false)
	    AND g.game_type IS NOT DISTINCT FROM s.game_type
	    AND g.secondary_type IS NOT DISTINCT FROM s.secondary_type
	WHERE g.id IS NULL
$$, 'as they are known');
SELECT is_empty($$
	SELECT t.* FROM partyline.seed_tickers t
	WHERE NOT EXISTS (SELECT FROM partyline.game g WHERE g.tenant_id = 1
	    AND (g.pack_name, g.title, g.ticker)
	    = (t.pack_name, t.title, t.ticker))
$$, 'and every ticker is some game''s');
SELECT is(min(id) || ' ' || max(id), '1 ' || count(*), 'ids begin at 1')
FROM partyline.game WHERE tenant_id = 1;
SELECT is(t.last_ids(1), 'game ' || t.games(1) || ', pack '
    || (SELECT count(DISTINCT pack_name) FROM partyline.seed_games),
    'and go on behind them');
SELECT is(t.weight(1), 0::bigint, 'what we put there takes no storage');
SELECT is_empty('SELECT * FROM partyline.catalog_due', 'nobody waits');

SELECT lives_ok($$SELECT t.fleet('api.tenant_add(t.ctx(0), ''den'')')$$,
    'a new tenant');
SELECT is(t.games(2), t.games(1), 'begins with the same');
SELECT is(t.last_ids(2), t.last_ids(1), 'and the same ids');
SELECT is_empty('SELECT * FROM partyline.catalog_due',
    'nor does he wait');

DELETE FROM partyline.game WHERE tenant_id = 2;
DELETE FROM partyline.pack WHERE tenant_id = 2;
SELECT api.catalog_fill();
SELECT is(t.games(2), 0::bigint, 'what was emptied stays so');

CREATE TEMP TABLE kept AS SELECT * FROM partyline.seed_games;
DELETE FROM partyline.seed_games;
SELECT t.fleet('api.tenant_add(t.ctx(0), ''attic'')');
SELECT is(t.games(3), 0::bigint, 'where nothing is known he has none');
SELECT results_eq('SELECT tenant_id FROM partyline.catalog_due',
    'VALUES (3)', 'and waits');
INSERT INTO partyline.seed_games SELECT * FROM kept;
SELECT api.catalog_fill();
SELECT is(t.games(3), t.games(1), 'until something is');
SELECT is(current_setting('partyline.tenant'), '',
    'and the caller is where he was');
SELECT is(t.games(2), 0::bigint, 'the other one is left alone');

-- --- games that come and go --------------------------------------------------

DELETE FROM partyline.game WHERE tenant_id = 1;
DELETE FROM partyline.pack WHERE tenant_id = 1;
DELETE FROM partyline.counter WHERE tenant_id = 1;

SELECT matches((t.server($$api.game_create(t.ctx(1), 'Ä', 'ü', 2, 8, NULL,
    NULL, true, '', 'x', 'ab1')$$)).body, '^\{"id":1,"pack_name":"Ä",'
    '"title":"ü","min_players":2,"max_players":8,"length_minutes":null,'
    '"has_audience":0,"family_friendly":1,"game_type":null,'
    '"secondary_type":"x","ticker":"AB1","play_count":0,'
    '"popularity_score":0,"upvotes":0,"downvotes":0,"enabled":1,'
    '"favor_bias":0,"created_at":"[^"]+"\}$', 'a game');
SELECT is(t.packs(1), 'Ä', 'with its pack');
SELECT is(t.weight(1), 8::bigint, 'takes the bytes of its words');
SELECT throws_ok($$SELECT t.server('api.game_create(t.ctx(1), ''Ä'', ''ü'',
    1, 2, 3, false, false, NULL, NULL, NULL)')$$, '23505', NULL,
    'not twice');
SELECT throws_ok($$SELECT t.server('api.game_create(t.ctx(1), ''B'', ''b'',
    1, 2, 3, false, false, NULL, NULL, ''Ab1'')')$$, '23505', NULL,
    'nor its ticker in other letters');
SELECT throws_ok($$SELECT t.server('api.game_create(t.ctx(1), ''B'', ''b'',
    3, 2, 3, false, false, NULL, NULL, NULL)')$$, '23514', NULL,
    'nor more players than may be');
SELECT is(t.packs(1), 'Ä', 'and no pack is left of it');

SELECT t.server($$api.game_update(t.ctx(1), 1, 'B', 'bb', 1, 4, 20, true,
    false, 'Drawing', '', NULL, false)$$);
SELECT is(t.packs(1), 'B', 'a pack goes with its last game');
SELECT is(t.weight(1), 13::bigint, 'the weight follows');
SELECT is((SELECT (ticker, enabled, has_audience, length_minutes)::text
    FROM partyline.game WHERE tenant_id = 1), '(AB1,f,t,20)',
    'the ticker stays');
SELECT t.server($$api.game_update(t.ctx(1), 1, 'B', 'bb', 1, 4, 20, true,
    false, 'Drawing', '', '', NULL)$$);
SELECT is((SELECT (ticker, enabled)::text FROM partyline.game
    WHERE tenant_id = 1), '(,f)', 'unless it is taken away');
SELECT throws_ok($$SELECT t.server('api.game_delete(t.ctx(2), 1)')$$, 'PT404',
    'game_not_found', 'nobody deletes another one''s');

SELECT t.server($$api.game_delete(t.ctx(1), 1)$$);
SELECT is(t.games(1) || coalesce(t.packs(1), '') || t.weight(1), '00',
    'nothing is left of it');
SELECT is((t.server($$api.game_create(t.ctx(1), 'C', 'c', 2, 8, NULL,
    NULL, true, NULL, NULL, NULL)$$)).body ~ '"id":2,', true,
    'its id is not given again');

-- --- many at once ------------------------------------------------------------

SELECT is(t.import(',[2,"c","C","9","9"],[3,"d","C","1","2"],'
    '[4,"d","C","3","4"],[5,"e","E"," 1 ","2"]'),
    '{"message":"Successfully imported 2 games","count":2,'
    '"mode":"append","added":2,"updated":0,"skipped":2,"removed":0,'
    '"disabled":0}', 'append adds what is not there');
SELECT is(string_agg(concat_ws(' ', id, pack_name, title, min_players), ','
    ORDER BY id), '2 C c 2,3 C d 1,4 E e 1', 'in the order of the lines')
FROM partyline.game WHERE tenant_id = 1;
SELECT is(t.weight(1), 6::bigint, 'and weighs it');

INSERT INTO partyline.session (tenant_id, id, created_at, created_text)
VALUES (1, 1, now(), '');
INSERT INTO partyline.session_game (tenant_id, id, session_id, game_id,
    played_at, played_text, source)
VALUES (1, 1, 1, 3, now(), '', 'dice');
SELECT throws_ok($$SELECT t.server('api.game_delete(t.ctx(1), 3)')$$, '23503',
    NULL, 'what a session used is not deleted');
SELECT is(t.import(',[2,"e","E","5","6"],[3,"f","F","1","2"]', 'replace'),
    '{"message":"Successfully imported 2 games","count":2,'
    '"mode":"replace","added":1,"updated":1,"skipped":0,"removed":1,'
    '"disabled":1}', 'replace makes it what the lines say');
SELECT is(string_agg(concat_ws(' ', id, title, min_players, enabled), ','
    ORDER BY id), '3 d 1 f,4 e 5 t,5 f 1 t', 'but for what was used')
FROM partyline.game WHERE tenant_id = 1;
SELECT is(t.packs(1), 'C,E,F', 'and the packs of these');
SELECT is(t.weight(1), 6::bigint, 'weighed');

SELECT is(t.detail(format('api.game_import(t.ctx(1), %L, NULL)',
    t.csv('[1,"title","pack_name","min_players","max_players"],'
    '[2,"g","G","1","2"],[4,"","G","1","2"],[5,"h"]'))),
    '{"line":4,"reason":"title is missing"}', 'the first bad line is named');
SELECT is(t.detail(format('api.game_import(t.ctx(1), %L, NULL)',
    t.csv('[1,"title","pack_name","min_players","max_players"],[2,"g"]',
    '[3,"a quote is not closed"]'))),
    '{"line":2,"reason":"it must have 4 fields, as the header has"}',
    'one that is ragged too');
SELECT is(t.detail(format('api.game_import(t.ctx(1), %L, NULL)',
    t.csv('[1,"title","pack_name","min_players","max_players"],'
    '[2,"g","G","1","2"]', '[3,"a quote is not closed"]'))),
    '{"line":3,"reason":"a quote is not closed"}', 'what is no CSV at last');
SELECT is(t.detail(format('api.game_import(t.ctx(1), %L, NULL)',
    t.csv('[2,"title","pack_name","players"]'))),
    '{"line":2,"reason":"there is no column players"}',
    'so is a header that is none');
SELECT is(t.games(1) || ' ' || t.weight(1), '3 6', 'nothing of it is there');

SELECT is((t.server($$api.game_export(t.ctx(1))$$)).body, 'pack_name,title,'
    'min_players,max_players,length_minutes,has_audience,family_friendly,'
    || E'game_type,secondary_type\r\nC,d,1,2,,0,0,,\r\nE,e,5,6,,0,0,,\r\n'
    || E'F,f,1,2,,0,0,,\r\n', 'the same as CSV');

SELECT * FROM finish();
