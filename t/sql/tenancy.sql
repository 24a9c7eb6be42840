-- SPDX-License-Identifier: MIT
--
-- What each role sees and may write, table by table, whatever it asks.

SELECT plan(26);

SELECT is(status, 201, 'two tenants')
FROM t.fleet($$api.tenant_add(t.ctx(NULL), 'other')$$) WHERE status > 0;
SELECT is(count(*), 4::bigint, 'with rows in every table') FROM (
	SELECT t.server(format('api.session_create(t.ctx(%s, %L, %L), NULL)',
	    n, 'key', 'hash')) FROM unnest(ARRAY[1, 2]) n) a;
SELECT is(count(*), 2::bigint, 'tickets')
FROM unnest(ARRAY[1, 2]) n, t.server(format(
    'api.ticket_create(t.ctx(%s), %L, %L)', n, 'lobby', 'hash'));
SELECT is(count(*), 2::bigint, 'admins')
FROM unnest(ARRAY[1, 2]) n, t.fleet(format(
    'api.admin_add(t.ctx(%s), %L, %L, %L, %L)', n, 'Ann', 'admin', 'l', 'h'));
SELECT is(count(*), 4::bigint, 'revocations')
FROM unnest(ARRAY[1, 2]) n, t.fleet(format(
    'api.token_revoke(t.ctx(%s), %L, NULL)', n, 'token'));
SELECT is(count(*), 2::bigint, 'hosts')
FROM t.fleet($$api.tenant_set(t.ctx(NULL), 'other', '{hosts}',
    '{"{o.example}"}')$$);

INSERT INTO partyline.session_game (tenant_id, id, session_id, game_id,
    played_at, played_text, source)
SELECT n, 1, 1, 1, now(), 'now', 'dice' FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.monitor (tenant_id, id, session_id, game_id, room_code,
    max_players, begun_at)
SELECT n, 1, 1, 1, 'ABCD', 8, now() FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.live_vote
SELECT n, 1, 1, 1, 'ann', 1, now(), 'now', now(), 'now'
FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.chat_log
SELECT n, 1, 1, 'ann', 'hello', now(), 'now', NULL, NULL, sha256('')
FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.webhook (tenant_id, id, name, url, secret, events,
    created_at, created_text)
SELECT n, 1, 'Bot', 'https://bot.example/', 'secret', '{game.added}', now(),
    'now' FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.webhook_queue (tenant_id, webhook_id)
SELECT n, 1 FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.webhook_outbox
SELECT n, 'lobby', 1, 1, '{1}', 'game.added', '{}', now()
FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.webhook_delivery (tenant_id, webhook_id, id, message,
    event, payload, created_at, queued_at, next_at)
SELECT n, 1, 1, 'msg_1', 'game.added', '{}', now(), now(), now()
FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.webhook_log
SELECT n, 1, 1, 1, 1, 'game.added', 200, NULL, NULL, 1, now(), 'now'
FROM unnest(ARRAY[1, 2]) n;

INSERT INTO partyline.thread
SELECT n, 1, 't', now(), now() FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.turn (tenant_id, id, thread_id, kind, user_id,
    user_input, graph_version_id, use_websocket, request_id, created_at,
    heard_at)
SELECT n, 1, 1, 'havefun', 'ann', 'hello', '', false, 'r', now(), now()
FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.tabletop_user
SELECT n, 1, 'ann', 'hash', false, now(), 'now' FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.tabletop_login
SELECT n, 'hash', 1, now(), now() FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.tabletop_session (tenant_id, id, name, created_text,
    updated_text)
SELECT n, 1, 'den', 'now', 'now' FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.tabletop_member SELECT n, 1, 1
FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.tabletop_encounter SELECT n, 1, 1, 'cave'
FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.tabletop_token (tenant_id, id, encounter_id, name,
    size, position, is_visible, is_player_controlled, data)
SELECT n, 1, 1, 'orc', 'large', '{"x":1,"y":1}', true, false, '{}'
FROM unnest(ARRAY[1, 2]) n;
INSERT INTO partyline.tabletop_seat SELECT n, 'sid', 1, 1, 'ann', NULL, 1,
    'host', '1.1', now() FROM generate_series(1, 2) n;
INSERT INTO partyline.tabletop_chat SELECT n, 1, 1, 1, 'session', '1', '{}'
FROM unnest(ARRAY[1, 2]) n;

SELECT is(count(*), 2::bigint, 'sockets that can be recovered')
FROM unnest(ARRAY[1, 2]) n, t.server(format('api.recovery_keep(t.ctx(%s), '
    '''hash'', ''/live'', ''sid'', ''h 1.1'', 1, 1000, ''[]'', '''')', n));

CREATE TEMP TABLE guarded AS
SELECT c.relname::text AS name, c.oid,
    CASE c.relname WHEN 'tenant' THEN 'id' ELSE 'tenant_id' END AS tenant
FROM pg_class c WHERE c.relnamespace = 'partyline'::regnamespace
    AND c.relkind = 'r' AND c.relrowsecurity;

SELECT is_empty($$
	SELECT name FROM guarded WHERE t.rows('none', '', format(
	    'SELECT FROM partyline.%I WHERE %I = 2', name, tenant)) = 0
$$, 'tenant 2 has rows everywhere');
SELECT is_empty($$
	SELECT name FROM guarded
	WHERE has_table_privilege('partyline_server', oid, 'SELECT')
	AND t.rows('partyline_server', '1', format(
	    'SELECT FROM partyline.%I WHERE %I <> 1', name, tenant)) > 0
$$, 'the server sees none of them as tenant 1');
SELECT is_empty($$
	SELECT name FROM guarded
	WHERE has_table_privilege('partyline_server', oid, 'SELECT')
	AND t.rows('partyline_server', '1', format(
	    'SELECT FROM partyline.%I', name)) = 0
$$, 'but sees its own');
SELECT is_empty($$
	SELECT name FROM guarded, unnest(ARRAY['', '0', '77']) other
	WHERE has_table_privilege('partyline_server', oid, 'SELECT')
	AND t.rows('partyline_server', other, format(
	    'SELECT FROM partyline.%I WHERE %I > 0', name, tenant)) > 0
$$, 'and nothing at all as nobody');
SELECT is_empty($$
	SELECT name FROM guarded
	WHERE has_table_privilege('partyline_server', oid, 'DELETE')
	AND t.rows('partyline_server', '1', format(
	    'DELETE FROM partyline.%I WHERE %I = 2', name, tenant)) > 0
$$, 'it deletes none');
SELECT is_empty($$
	SELECT name FROM guarded
	WHERE has_table_privilege('partyline_server', oid, 'UPDATE')
	AND t.rows('partyline_server', '1', format(
	    'UPDATE partyline.%I SET %2$I = %2$I WHERE %2$I = 2',
	    name, tenant)) > 0
$$, 'it changes none');
SELECT is_empty($$
	SELECT name FROM guarded
	WHERE has_table_privilege('partyline_fleet', oid, 'SELECT')
	AND name NOT IN ('event', 'idempotency', 'live_vote', 'monitor',
	    'recovery', 'session_game', 'stream', 'tabletop_seat',
	    'tenant', 'tenant_host', 'thread', 'ticket',
	    'token_revocation', 'turn', 'webhook',
	    'webhook_delivery', 'webhook_log', 'webhook_outbox',
	    'webhook_queue')
	AND t.rows('partyline_fleet', '1', format(
	    'SELECT FROM partyline.%I WHERE %I <> 1', name, tenant)) > 0
$$, 'the fleet sees of others only what is listed');
SELECT is(t.rows('partyline_fleet', '', 'SELECT FROM partyline.tenant'),
    3::bigint, 'which it does see');

SELECT throws_ok($$SELECT t.rows('partyline_server', '1',
    'INSERT INTO partyline.stream (tenant_id, name) VALUES (2, ''x'')')$$,
    '42501', NULL, 'nobody writes into another tenant');
SELECT throws_ok($$SELECT t.rows('partyline_server', '1',
    'UPDATE partyline.session SET tenant_id = 2')$$,
    '42501', NULL, 'nor moves a row there');
SELECT throws_ok($$SELECT t.rows('partyline_server', '1',
    'UPDATE partyline.admin SET role = ''admin''')$$,
    '42501', NULL, 'the server makes no admins');
SELECT throws_ok($$SELECT t.rows('partyline_server', '1',
    'UPDATE partyline.event SET payload = NULL')$$,
    '42501', NULL, 'and changes no event');
SELECT throws_ok($$SELECT t.rows('partyline_fleet', '1',
    'UPDATE partyline.event SET payload = NULL')$$,
    '42501', NULL, 'nor does the fleet');
SELECT throws_ok($$SELECT t.rows('partyline_server', '1',
    'SELECT FROM partyline.tenant_host')$$,
    '42501', NULL, 'the server looks up no tenants');
SELECT throws_ok($$SELECT t.rows('partyline_fleet', '1',
    'SELECT notes FROM partyline.session')$$,
    '42501', NULL, 'the fleet sees of sessions only their polls');
SELECT throws_ok($$SELECT t.rows('partyline_server', '1',
    'CREATE TABLE partyline.mine ()')$$, '42501', NULL, 'nobody makes tables');
SELECT throws_ok($$SELECT t.rows('partyline_server', '1',
    'ALTER TABLE partyline.session DISABLE ROW LEVEL SECURITY')$$,
    '42501', NULL, 'nor takes the policies away');
SELECT throws_ok($$SELECT t.server('api.tenant_add(t.ctx(), ''mine'')')$$,
    '42501', NULL, 'the server adds no tenants');

SELECT is(count(*), 0::bigint, 'the list has no tenant 0')
FROM t.fleet('api.tenant_list()') a, json_array_elements(a.body::json) o
WHERE o->>'id' = '0';

SELECT * FROM finish();
