-- SPDX-License-Identifier: MIT
--
-- Tenants by command, and the identity of the cluster.

SELECT plan(48);

CREATE FUNCTION t.connect(role text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	answer boolean;
BEGIN
	PERFORM set_config('role', role, true);
	answer := (SELECT c.renewed FROM api.connect() c);
	IF current_user <> role THEN
		RAISE 'api.connect left %', current_user;
	END IF;
	PERFORM set_config('role', 'none', true);
	RETURN answer;
END
$$;
CREATE FUNCTION t.epochs() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(epoch, ' ' ORDER BY tenant_id, name)
	FROM partyline.stream
$$;

-- tenants
SELECT is(array_agg(coalesce(status::text, stream)), '{201,control}', 'added')
FROM t.fleet($$api.tenant_add(t.ctx(NULL), 'alpha')$$);
SELECT is(count(*), 1::bigint, 'with its lobby')
FROM partyline.stream WHERE tenant_id = 2 AND name = 'lobby';
SELECT throws_ok($$SELECT t.fleet('api.tenant_add(t.ctx(NULL), ''alpha'')')$$,
    '23505', 'duplicate key value violates unique constraint "tenant_exists"',
    'once');
SELECT throws_ok(format('SELECT t.fleet(%L)',
    format('api.tenant_add(t.ctx(NULL), %L)', slug)), '23514', 'new row for relation "tenant" violates check constraint '
    '"tenant_slug_invalid"', 'not called so: ' || slug)
FROM unnest(ARRAY['', 'A', '-a', 'a-', 'a_b', 'a/b', repeat('a', 64)]) slug;
SELECT is(array_agg(coalesce(status::text, stream)), '{200,control}', 'set')
FROM t.fleet($$api.tenant_set(t.ctx(NULL), 'alpha',
    '{hosts,public_read,origins,max_connections,max_storage}',
    ARRAY['{A.Example,b.example}', 'off', '{https://a.example}', '5',
    '1000000000000'])$$);
SELECT is((body::jsonb - 'created_at'), '{"id":2,"slug":"alpha",
    "hosts":["a.example","b.example"],"public_read":false,
    "origins":["https://a.example"],"max_connections":5,"max_requests":null,
    "max_events":null,"max_storage":1000000000000,"retention_days":null,
    "retention_events":null,"responder_url":null,"threads":true}',
    'found by host') FROM t.fleet($$api.tenant_find('a.EXAMPLE', NULL)$$);
SELECT is(body::json->>'slug', 'alpha', 'by slug, whatever the host')
FROM t.fleet($$api.tenant_find('elsewhere', 'alpha')$$);
SELECT is(body::json->>'slug', 'default', 'an unknown host is the default''s')
FROM t.fleet($$api.tenant_find('elsewhere', NULL)$$);
SELECT is(body::json->>'slug', 'default', 'no host too')
FROM t.fleet('api.tenant_find(NULL, NULL)');
SELECT throws_ok($$SELECT t.fleet('api.tenant_find(NULL, ''nobody'')')$$,
    'PT404', 'tenant_not_found', 'an unknown slug is nobody''s');
SELECT throws_ok($$SELECT t.fleet('api.tenant_find(NULL, '''')')$$,
    'PT404', 'tenant_not_found', 'nor is the empty one');
SELECT throws_ok(format('SELECT t.fleet(%L)', format(
    'api.tenant_set(t.ctx(NULL), %L, %L, %L)', 'alpha', ARRAY[name],
    ARRAY[wrong])), 'PT400', 'setting_invalid', name || ': ' || wrong)
FROM (VALUES ('public_read', 'maybe'), ('max_connections', '-1'),
    ('max_requests', 'x'), ('max_events', '99999999999'),
    ('retention_days', '0'), ('retention_events', '0'), ('origins', '{}')) AS w (name, wrong);
SELECT throws_ok($$SELECT t.fleet(
    'api.tenant_set(t.ctx(NULL), ''alpha'', ''{id}'', ''{7}'')')$$,
    'PT400', 'setting_unknown', 'what is no setting stays');
SELECT throws_ok($$SELECT t.fleet('api.tenant_set(t.ctx(NULL), ''default'',
    ''{hosts}'', ''{"{a.example}"}'')')$$, '23505', 'duplicate key value '
    'violates unique constraint "tenant_host_taken"', 'a host is one tenant''s');
SELECT is(count(*), 2::bigint, 'it has a session')
FROM t.server('api.session_create(t.ctx(2, ''k'', ''h''), NULL)');
SELECT throws_ok($$SELECT t.fleet(
    'api.tenant_remove(t.ctx(NULL), ''default'')')$$, 'PT400',
    'tenant_default', 'the default stays');
SELECT is(body::jsonb, '{"id":2,"slug":"alpha","hosts":2,"admins":0,
    "sessions":1,"events":1}', 'what would go with it')
FROM t.fleet($$api.tenant_contents('alpha')$$);
SELECT throws_ok($$SELECT t.fleet('api.tenant_contents(''nobody'')')$$,
    'PT404', 'tenant_not_found', 'of nobody, nothing');
SELECT is(body::json->>'hosts', '["c.example", "d.example"]',
    'one with hosts from the beginning') FROM t.fleet($$api.tenant_add(
    t.ctx(NULL), 'beta', '{d.Example,c.example,C.example}')$$)
WHERE status > 0;
SELECT throws_ok($$SELECT t.fleet('api.tenant_add(t.ctx(NULL), ''gamma'',
    ''{a.example}'')')$$, '23505', 'duplicate key value '
    'violates unique constraint "tenant_host_taken"', 'which are free');
SELECT is(count(*), 0::bigint, 'or there is none at all')
FROM partyline.tenant WHERE slug = 'gamma';
SELECT is(array_agg(coalesce(status::text, stream)), '{200,control}',
    'removed') FROM t.fleet($$api.tenant_remove(t.ctx(NULL), 'alpha')$$);
SELECT is(count(*), 0::bigint, 'nothing of it is left')
FROM pg_class c, t.rows('none', '', format(
    'SELECT FROM partyline.%I WHERE %I = 2', c.relname,
    CASE c.relname WHEN 'tenant' THEN 'id' ELSE 'tenant_id' END)) n
WHERE c.relnamespace = 'partyline'::regnamespace AND c.relkind = 'r'
    AND c.relrowsecurity AND n > 0;

-- epochs by command
CREATE FUNCTION t.epochs(wanted int) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(epoch, ' ' ORDER BY name)
	FROM partyline.stream WHERE tenant_id = wanted
$$;
CREATE TEMP TABLE begun AS SELECT t.epochs(0) AS zero, t.epochs(1) AS one,
    (SELECT id FROM partyline.tenant WHERE slug = 'beta') AS beta;
ALTER TABLE begun ADD two text;
UPDATE begun SET two = t.epochs(beta);
SELECT is(array_agg(coalesce(stream, body)), '{"{\"streams\":1}",control}',
    'a new epoch of a tenant''s, told in control')
FROM t.fleet($$api.epoch_begin(t.ctx(NULL), 'beta')$$);
SELECT isnt(t.epochs(beta), two, 'his have another one') FROM begun;
SELECT is(ROW(t.epochs(0), t.epochs(1)), ROW(zero, one), 'only his')
FROM begun;
SELECT throws_ok($$SELECT t.fleet('api.epoch_begin(t.ctx(NULL), ''no'')')$$,
    'PT404', 'tenant_not_found', 'of nobody''s none');
SELECT is(array_agg(coalesce(stream, body)), ARRAY[json_build_object(
    'streams', (SELECT count(*) FROM partyline.stream))::jsonb::text,
    'control'], 'of all, control too')
FROM (SELECT stream, body::jsonb::text AS body
    FROM t.fleet('api.epoch_begin(t.ctx(NULL), NULL)')) a;
SELECT isnt(t.epochs(1), one, 'have another one') FROM begun;
SELECT isnt(t.epochs(0), zero, 'even control') FROM begun;

-- identity
SELECT is(t.connect('partyline_server'), false, 'the same cluster');
CREATE TEMP TABLE before AS SELECT t.epochs() AS epochs;
UPDATE partyline.installation SET timeline = 'FFFFFFFF';
SELECT is(t.connect('partyline_server'), true, 'another timeline: renewed');
SELECT isnt(t.epochs(), epochs, 'every epoch is another') FROM before;
SELECT is(t.connect('partyline_server'), false, 'once');
UPDATE partyline.installation SET system_identifier = 1;
SELECT is(t.connect('partyline_fleet'), true, 'another cluster');
UPDATE partyline.installation SET stream_oid = 1;
SELECT is(t.connect('partyline_server'), true, 'another table');

SELECT * FROM finish();
