-- SPDX-License-Identifier: MIT
--
-- Admins, revoked tokens, tickets, secrets.

SELECT plan(51);

-- admins
SELECT is(body, '{"id" : 1, "name" : "Ann", "role" : "admin"}', 'an admin')
FROM t.fleet($$api.admin_add(t.ctx(), 'Ann', 'admin', 'look', 'hash')$$);
SELECT is(body::jsonb - 'moment',
    '{"id":1,"name":"Ann","role":"admin","hash":"hash"}', 'is found')
FROM t.server($$api.admin_find(t.ctx(), 'look')$$);
SELECT ok((body::json->>'moment')::timestamptz
    BETWEEN now() - interval '1 millisecond' AND clock_timestamp(),
    'and the moment') FROM t.server($$api.admin_find(t.ctx(), 'look')$$);
SELECT ok((body::json->>'moment')::timestamptz
    BETWEEN now() - interval '1 millisecond' AND clock_timestamp(),
    'for tokens too') FROM t.fleet($$api.token_moment(t.ctx())$$);
SELECT is_empty($$SELECT * FROM t.server('api.admin_find(t.ctx(), ''x'')')$$,
    'another key is nobody''s');
SELECT is_empty($$SELECT * FROM t.server(
    'api.admin_find(t.ctx(2), ''look'')')$$, 'nor is it in another tenant');
SELECT throws_ok($$SELECT t.fleet(
    'api.admin_add(t.ctx(), ''Ann'', ''bot'', ''l2'', ''h'')')$$, '23505',
    'duplicate key value violates unique constraint "admin_name_taken"',
    'names are taken once');
SELECT throws_ok($$SELECT t.fleet(
    'api.admin_add(t.ctx(), ''Bob'', ''bot'', ''look'', ''h'')')$$, '23505',
    'duplicate key value violates unique constraint "admin_key_taken"',
    'keys too');
SELECT throws_ok($$SELECT t.fleet(
    'api.admin_add(t.ctx(), ''Bob'', ''king'', ''l2'', ''h'')')$$, '23514',
    NULL, 'roles are three');
SELECT throws_ok($$SELECT t.fleet(
    'api.admin_add(t.ctx(), '''', ''bot'', ''l2'', ''h'')')$$, '23514',
    NULL, 'nobody has no name');
SELECT throws_ok($$SELECT t.fleet('api.admin_revoke(t.ctx(), ''Bob'')')$$,
    'PT404', 'admin_not_found', 'nobody is not revoked');
CREATE TEMP TABLE gone AS SELECT row_number() OVER () AS n, a.*
FROM t.fleet($$api.admin_revoke(t.ctx(), 'Ann')$$) a;
SELECT is(body::jsonb, '{"id":1,"name":"Ann","came_from":"command"}',
    'revoked') FROM gone WHERE n = 1;
SELECT is(stream, 'control', 'which is told') FROM gone WHERE n = 2;
SELECT matches(body, '"data":{"tenant":1,"name":"Ann","before":"[^"]+Z"}}$',
    'with his name and the moment') FROM gone WHERE n = 2;
SELECT is_empty($$SELECT * FROM t.server(
    'api.admin_find(t.ctx(), ''look'')')$$, 'the key opens nothing');
SELECT throws_ok($$SELECT t.fleet('api.admin_revoke(t.ctx(), ''Ann'')')$$,
    'PT404', 'admin_not_found', 'once');
SELECT is(a.body::json->0->>'before', r.before_text,
    'whoever starts later learns it')
FROM t.fleet('api.revocation_list()') a, partyline.token_revocation r;
SELECT is(stream || seq, 'control1', 'and where to read on')
FROM t.fleet('api.revocation_list()');
SELECT is(status, 201, 'the name may come again')
FROM t.fleet($$api.admin_add(t.ctx(), 'Ann', 'admin', 'look', 'hash')$$);
SELECT is(count(*), 2::bigint, 'revoked again')
FROM t.fleet($$api.admin_revoke(t.ctx(), 'Ann')$$);
SELECT is(json_array_length(body::json), 2, 'the list has both')
FROM t.fleet($$api.admin_list(t.ctx())$$);
SELECT unalike(body, '%hash%', 'without hashes')
FROM t.fleet($$api.admin_list(t.ctx())$$);

-- from the configuration
SELECT is(status, 201, 'one by command')
FROM t.fleet($$api.admin_add(t.ctx(), 'Cid', 'bot', 'lc', 'h')$$);
SELECT is(body::jsonb,
    '{"added":0,"revoked":0,"wanted":[0,1],"refused":[]}',
    'without hashes only what is missing is told')
FROM t.fleet($$api.admin_sync(t.ctx(), '{A,B}', '{la,lb}',
    '{NULL,NULL}')$$);
SELECT is(body::jsonb, '{"added":2,"revoked":0,"wanted":[],"refused":[]}',
    'two by configuration')
FROM t.fleet($$api.admin_sync(t.ctx(), '{A,B}', '{la,lb}', '{ha,hb}')$$);
SELECT is(body::jsonb, '{"added":0,"revoked":0,"wanted":[],"refused":[]}',
    'again: nothing to do')
FROM t.fleet($$api.admin_sync(t.ctx(), '{A,B}', '{la,lb}',
    '{NULL,NULL}')$$);
SELECT is(array_agg(coalesce(status::text, stream)), '{200,control,control}',
    'one has another key, one is gone')
FROM t.fleet($$api.admin_sync(t.ctx(), '{A}', '{new}', '{ha}')$$);
SELECT is(array_agg(name || lookup ORDER BY name), '{Anew,Cidlc}',
    'what is left')
FROM partyline.admin WHERE revoked_at IS NULL;
SELECT is(count(*), 2::bigint, 'who is new without a hash')
FROM t.fleet($$api.admin_sync(t.ctx(), '{D}', '{ld}', '{NULL}')$$);
SELECT is(count(*), 0::bigint, 'keeps nobody who is gone')
FROM partyline.admin WHERE revoked_at IS NULL AND name = 'A';
SELECT is(body::jsonb, jsonb_build_object('added', 1, 'revoked', 0,
    'wanted', '{}'::int[], 'refused', ARRAY[
    '{"name":"Cid","why":"a command added another of this name"}'::jsonb,
    '{"name":"E","why":"a command added another with this key"}']),
    'what commands added stays theirs')
FROM t.fleet($$api.admin_sync(t.ctx(), '{A,Cid,E}', '{la,le,lc}',
    '{ha,he,hc}')$$);
SELECT is((SELECT body::json->>'came_from' FROM
    t.fleet($$api.admin_revoke(t.ctx(), 'A')$$) WHERE status > 0),
    'configuration', 'a command revokes one of the configuration');
SELECT is(body::json->'refused'->0->>'why', 'a command revoked this key',
    'no start brings him back')
FROM t.fleet($$api.admin_sync(t.ctx(), '{A}', '{la}', '{ha}')$$);
SELECT is((body::json->>'added')::int, 1, 'another key does')
FROM t.fleet($$api.admin_sync(t.ctx(), '{A}', '{another}', '{ha}')$$);

-- tokens
SELECT is(array_agg(coalesce(status::text, body)) FILTER (WHERE status > 0),
    '{200}', 'a token is revoked')
FROM t.fleet($$api.token_revoke(t.ctx(), 'jti', now() + '1 hour')$$);
SELECT is(count(*), 2::bigint, 'again')
FROM t.fleet($$api.token_revoke(t.ctx(), 'jti', now() + '1 hour')$$);
SELECT is(count(*), 1::bigint, 'it is listed once')
FROM t.fleet('api.revocation_list()') a, json_array_elements(a.body::json) o
WHERE o->>'kind' = 'token' AND o->>'value' = 'jti';

SELECT is(count(*), 2::bigint, 'all of a name')
FROM t.fleet($$api.token_revoke_name(t.ctx(), 'Kosmi')$$);
SELECT is(count(*), 1::bigint, 'are listed')
FROM t.fleet('api.revocation_list()') a, json_array_elements(a.body::json) o
WHERE o->>'kind' = 'name' AND o->>'value' = 'Kosmi'
    AND (o->>'before')::timestamptz <= clock_timestamp();

-- tickets
SELECT throws_ok($$SELECT t.server(
    'api.ticket_create(t.ctx(), ''session:5'', ''h'')')$$, 'PT404',
    'stream_not_found', 'a ticket is for a stream that is there');
SELECT is(status, 201, 'a ticket')
FROM t.server($$api.ticket_create(t.ctx(), 'lobby', 'h')$$);
SELECT throws_ok($$SELECT t.server(
    'api.ticket_use(t.ctx(), ''session:1'', ''h'')')$$, 'PT403',
    'invalid_token', 'for that stream only');
SELECT throws_ok($$SELECT t.server(
    'api.ticket_use(t.ctx(2), ''lobby'', ''h'')')$$, 'PT403',
    'invalid_token', 'and that tenant');
SELECT is(body::jsonb, '{"caller":"admin:1","role":"admin"}',
    'it says whose it is')
FROM t.server($$api.ticket_use(t.ctx(), 'lobby', 'h')$$);
SELECT throws_ok($$SELECT t.server(
    'api.ticket_use(t.ctx(), ''lobby'', ''h'')')$$, 'PT403',
    'invalid_token', 'once');
INSERT INTO partyline.ticket
VALUES (1, 'old', 'lobby', 'admin:1', 'admin', now() - interval '1 second');
SELECT throws_ok($$SELECT t.server(
    'api.ticket_use(t.ctx(), ''lobby'', ''old'')')$$, 'PT403',
    'invalid_token', 'within a minute');

-- secrets
SELECT is(array_agg(o->>'kind'), '{cookie,jwt,server}', 'one of each')
FROM t.server('api.secret_list()') a, json_array_elements(a.body::json) o;
SELECT is(count(*), 2::bigint, 'a new key is made and told')
FROM t.fleet($$api.secret_rotate(t.ctx(), '1 day')$$);
SELECT is(array_agg((o->>'retires_at') IS NULL), '{t,f}',
    'the new one is first, the old one retires')
FROM t.server('api.secret_list()') a, json_array_elements(a.body::json) o
WHERE o->>'kind' = 'jwt';
SELECT is(count(*), 2::bigint, 'a key that is feared')
FROM t.fleet($$api.secret_rotate(t.ctx(), '0')$$);
SELECT is(count(*), 1::bigint, 'takes all others along')
FROM t.server('api.secret_list()') a, json_array_elements(a.body::json) o
WHERE o->>'kind' = 'jwt';

SELECT * FROM finish();
