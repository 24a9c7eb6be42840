-- SPDX-License-Identifier: MIT
--
-- The tabletop: who may what in sessions and with tokens, what is told to
-- whom, what goes when something is removed.

SELECT no_plan();

CREATE FUNCTION t.as_user(who bigint, tenant int DEFAULT 1)
RETURNS api.ctx LANGUAGE sql AS $$
	SELECT ROW(tenant, 'login:h' || who, '', 'request', NULL, NULL,
	    '127.0.0.1')::api.ctx
$$;
CREATE FUNCTION t.refused(call text, state text, error text)
RETURNS text LANGUAGE sql AS $$
	SELECT throws_ok('SELECT t.server(' || quote_literal(call) || ')',
	    state, error, call)
$$;
SELECT is(count(*), 8::bigint, 'four users, each logged in')
FROM generate_series(1, 4) n, t.server(format(
    'api.tabletop_user_insert(t.ctx(), %L, %L, %L)', 'user ' || n, 'proof',
    n = 4)) made, t.server(format('api.tabletop_login_insert(t.ctx(), %s, '
    '%L, %L)', n, 'proof', 'h' || n)) logged_in
CROSS JOIN generate_series(1, 2);
SELECT t.refused($$api.tabletop_login_insert(t.ctx(), 1, 'other', 'x')$$,
    'PT401', 'login_invalid');
SELECT throws_ok($$SELECT t.server($c$api.tabletop_user_insert(t.ctx(),
    'user 1', 'x', false)$c$)$$, '23505', NULL, 'a name is taken once');
SELECT t.refused($$api.tabletop_user_insert(t.as_user(1), 'x', 'x', false)$$,
    'PT403', 'not_allowed');
SELECT is(body::jsonb, '{"id":4,"name":"user 4","isAdmin":true}', 'me')
FROM t.server('api.tabletop_me(t.as_user(4))');
SELECT t.refused('api.tabletop_me(t.as_user(1, 2))', 'PT401',
    'login_required');
SELECT t.refused('api.tabletop_me(t.as_user(9))', 'PT401', 'login_required');

-- 1 leads, 2 plays, 3 does not, 4 is an admin.
SELECT is(body::jsonb->>'gameMasterId', '1', 'who makes a session leads it')
FROM t.server($$api.tabletop_session_create(t.as_user(1), 'Den', NULL,
    NULL)$$);
SELECT t.refused($$api.tabletop_session_create(t.as_user(1), 'Den', NULL,
    2)$$, 'PT403', 'not_allowed');
SELECT is(array_agg(stream), ARRAY[NULL, 'table:1'], 'a member is told of')
FROM t.server('api.tabletop_member_add(t.as_user(1), 1, 2)');
SELECT is(count(*), 1::bigint, 'once')
FROM t.server('api.tabletop_member_add(t.as_user(1), 1, 2)');
SELECT t.refused('api.tabletop_member_add(t.as_user(2), 1, 3)', 'PT403',
    'not_allowed');
SELECT t.refused('api.tabletop_member_add(t.as_user(1), 1, 9)', 'PT404',
    'user_not_found');
SELECT t.refused('api.tabletop_member_add(t.as_user(1), 9, 2)', 'PT404',
    'session_not_found');
SELECT t.refused('api.tabletop_allowed(t.as_user(3), 1)', 'PT403',
    'tabletop_denied');
SELECT t.refused('api.tabletop_allowed(t.as_user(3), 9)', 'PT404',
    'session_not_found');
SELECT is(body::jsonb, '{}', 'who plays may come')
FROM unnest(ARRAY[1, 2, 4]) n,
    t.server(format('api.tabletop_allowed(t.as_user(%s), 1)', n));
SELECT is(count(*), 2::bigint, 'an encounter, and that it is there')
FROM t.server($$api.tabletop_encounter_create(t.as_user(1), 1, 'Cave')$$);

-- tokens
CREATE FUNCTION t.create_as(who int, given text) RETURNS text LANGUAGE sql
AS $$ SELECT format('api.tabletop_token_create(t.as_user(%s), 1, 1, %L, %L)',
    who, given, 'sid') $$;
CREATE FUNCTION t.move_as(who int, place text) RETURNS text LANGUAGE sql
AS $$ SELECT format('api.tabletop_token_move(t.as_user(%s), 1, 1, 1, %L, %L)',
    who, place, 'sid') $$;
SELECT t.refused(t.create_as(2, '{"name":"Orc","position":{"x":1,"y":1}}'),
    'PT403', 'tabletop_access_denied');
SELECT t.refused(t.create_as(3, '{"name":"Orc","position":{"x":1,"y":1}}'),
    'PT403', 'tabletop_not_in_session');
SELECT t.refused(t.create_as(1, g), 'PT400', 'tabletop_token_invalid')
FROM unnest(ARRAY['{"position":{"x":1,"y":1}}', '{"name":""}',
    '{"name":7}', '{"name":"Orc","size":"tall"}',
    '{"name":"Orc","isVisible":"yes"}', '{"name":"Orc","data":[]}']) g;
SELECT t.refused(t.create_as(1, '{"name":"Orc","position":' || g || '}'),
    'PT400', 'tabletop_position')
FROM unnest(ARRAY['{}', '{"x":-1,"y":1}', '{"x":1,"y":"1"}',
    '{"x":1}', '{"x":1e99,"y":1}', '{"x":1,"y":1,"elevation":"up"}']) g;
CREATE TEMP TABLE made AS SELECT row_number() OVER () AS n, a.*
FROM t.server(t.create_as(1, '{"name":"Orc","position":{"x":1,"y":2}}')) a;
SELECT is(body::jsonb->'token'->'position', '{"x":1,"y":2,"elevation":0}',
    'made') FROM made WHERE n = 1;
SELECT is(body::jsonb->>'type', 'token:created', 'told') FROM made
WHERE n = 2;
SELECT is(body::jsonb->'data'->>'socket', 'sid', 'by whom') FROM made
WHERE n = 2;
SELECT is(body::jsonb->>'version', '2', 'who plays may move it')
FROM t.server(t.move_as(2, '{"x":5,"y":6}')) WHERE status = 200;
SELECT t.refused(t.move_as(3, '{"x":1,"y":1}'), 'PT403',
    'tabletop_not_in_session');
SELECT t.refused(t.move_as(1, '{"x":-1,"y":1}'), 'PT400',
    'tabletop_position');
SELECT t.refused($$api.tabletop_token_move(t.as_user(1), 1, 1, 9,
    '{"x":1,"y":1}', 'sid')$$, 'PT404', 'tabletop_token_not_found');
SELECT t.refused($$api.tabletop_token_move(t.as_user(1), 1, 9, 1,
    '{"x":1,"y":1}', 'sid')$$, 'PT404', 'encounter_not_found');
SELECT t.refused($$api.tabletop_token_update(t.as_user(2), 1, 1, 1,
    '{"name":"X"}', 'sid')$$, 'PT403', 'tabletop_access_denied');
SELECT is(body::jsonb->'token'->>'name', 'Orc king', 'changed')
FROM t.server($$api.tabletop_token_update(t.as_user(1), 1, 1, 1,
    '{"name":"Orc king"}', 'sid')$$) WHERE status = 200;
SELECT is(body, '{"valid":true,"errors":[]}', 'what may be done')
FROM t.server($$api.tabletop_validate(t.as_user(2), 1, 'token:move', 1, 1,
    '{"x":1,"y":1}')$$);
SELECT t.refused($$api.tabletop_validate(t.as_user(2), 1, 'token:delete', 1,
    1, NULL)$$, 'PT403', 'tabletop_access_denied');
SELECT is((SELECT version FROM partyline.tabletop_token), 3,
    'is not done by that');

-- chat
SELECT is(array_agg(stream), ARRAY[NULL, 'table:1'], 'to the session')
FROM t.server($$api.tabletop_chat_send(t.as_user(2), 1, 'session', '1',
    'hello', '{"x":1}', 'sid')$$);
SELECT is(array_agg(stream), ARRAY[NULL, 'user:3'], 'to a user')
FROM t.server($$api.tabletop_chat_send(t.as_user(2), NULL, 'user', '3',
    'psst', '{}', 'sid')$$);
SELECT is(array_agg(stream), ARRAY[NULL]::text[], 'to an actor')
FROM t.server($$api.tabletop_chat_send(t.as_user(2), 1, 'actor', 'a1',
    'psst', '{}', 'sid')$$);
SELECT t.refused($$api.tabletop_chat_send(t.as_user(3), 1, 'session', '1',
    'hello', '{}', 'sid')$$, 'PT403', 'tabletop_not_in_session');
CREATE TEMPORARY TABLE once AS
SELECT body::jsonb->'id' AS id, stream FROM t.server($$
    api.tabletop_chat_send(t.as_user(1), NULL, 'user', '3', 'once',
    '{"idempotencyKey":"k"}', 'sid')$$);
SELECT is((SELECT count(*) FROM once), 2::bigint, 'said, and told');
SELECT is(array_agg(body::jsonb->'id'), (SELECT array_agg(id) FROM once
    WHERE stream IS NULL), 'said again: its answer, and told nobody')
FROM t.server($$api.tabletop_chat_send(t.as_user(1), NULL, 'user', '3',
    'once', '{"idempotencyKey":"k"}', 'other')$$);
SELECT is((SELECT count(*) FROM t.server($$api.tabletop_chat_send(
    t.as_user(1), NULL, 'user', '3', 'twice', '{"idempotencyKey":"k"}',
    'sid')$$)), 2::bigint, 'something else');
SELECT is((SELECT count(*) FROM t.server($$api.tabletop_chat_send(
    t.as_user(2), NULL, 'user', '3', 'once', '{"idempotencyKey":"k"}',
    'sid')$$)), 2::bigint, 'somebody else');
SELECT is((SELECT count(*) FROM t.server($$api.tabletop_chat_send(
    t.as_user(2), 1, 'actor', '1', 'once', '{"idempotencyKey":"k"}',
    'sid')$$)), 1::bigint, 'to an actor');
SELECT is((SELECT count(*) FROM t.server($$api.tabletop_chat_send(
    t.as_user(2), 1, 'session', '1', 'once', '{"idempotencyKey":"k"}',
    'sid')$$)), 2::bigint, 'to the session of the same number');
SELECT is(jsonb_path_query_array(body::jsonb, '$[*].message'),
    '["hello","once"]',
    'the history has what was said to all')
FROM t.server('api.tabletop_chat_list(t.as_user(1), 1, NULL, NULL)');
SELECT is(body::jsonb->'sessions', '[{"id":1,"name":"Den",'
    '"status":"active","gameMasterId":1}]', 'where he plays')
FROM t.server('api.tabletop_user_data(t.as_user(2))');

-- what is weighed is what is there
SELECT ok(bytes > (SELECT sum(octet_length(payload)) FROM partyline.event
    WHERE stream = 'table:1'), 'more than the events alone')
FROM partyline.stream WHERE tenant_id = 1 AND name = 'table:1';

-- ends
SELECT is(array_agg(stream), ARRAY[NULL, 'user:2'], 'a login ends')
FROM t.server($$api.tabletop_login_end(t.as_user(2), 'h2')$$);
SELECT t.refused(t.move_as(2, '{"x":1,"y":1}'), 'PT401', 'login_required');
SELECT t.refused('api.tabletop_session_delete(t.as_user(3), 1)', 'PT403',
    'not_allowed');
SELECT is(array_agg(stream), ARRAY[NULL, 'control'], 'a session goes')
FROM t.server('api.tabletop_session_delete(t.as_user(4), 1)');
SELECT is((SELECT count(*) FROM partyline.tabletop_token)
    + (SELECT count(*) FROM partyline.tabletop_member)
    + (SELECT count(*) FROM partyline.stream WHERE name = 'table:1')
    + (SELECT count(*) FROM partyline.event WHERE stream = 'table:1'),
    0::bigint, 'with all that is its own');

-- and so does a tenant
SELECT is(status, 201, 'another tenant')
FROM t.fleet($$api.tenant_add(t.ctx(NULL), 'other')$$) WHERE status > 0;
INSERT INTO partyline.tabletop_user
VALUES (2, 1, 'ann', 'hash', false, now(), 'now');
INSERT INTO partyline.tabletop_login VALUES (2, 'hash', 1, now(), now());
INSERT INTO partyline.tabletop_session (tenant_id, id, name, created_text,
    updated_text) VALUES (2, 1, 'den', 'now', 'now');
INSERT INTO partyline.tabletop_member VALUES (2, 1, 1);
INSERT INTO partyline.tabletop_encounter VALUES (2, 1, 1, 'cave');
INSERT INTO partyline.tabletop_chat VALUES (2, 1, 1, 1, 'session', '1', '{}');
SELECT is(status, 200, 'is removed')
FROM t.fleet($$api.tenant_remove(t.ctx(NULL), 'other')$$) WHERE status > 0;
SELECT is((SELECT count(*) FROM partyline.tabletop_user WHERE tenant_id = 2)
    + (SELECT count(*) FROM partyline.tabletop_session WHERE tenant_id = 2)
    + (SELECT count(*) FROM partyline.tabletop_chat WHERE tenant_id = 2),
    0::bigint, 'with its tabletop');

SELECT * FROM finish();
