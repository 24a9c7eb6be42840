-- SPDX-License-Identifier: MIT
--
-- What today's server had: the refusal, and that one call is the tenant's
-- own. t/10-import.t has all the rest.

SELECT plan(6);

CREATE FUNCTION t.brought(tenant int, sessions text)
RETURNS SETOF api.answer LANGUAGE sql AS $$
	SELECT * FROM t.server(format('api.picker_import(t.ctx(%s), ''[]'', '
	    '''[]'', %L, ''[]'', ''[]'', ''[]'', ''[]'', ''{"session":9}'')', tenant,
	    sessions))
$$;

SELECT is((t.fleet($$api.tenant_add(t.ctx(NULL), 'other')$$)).status, 201,
    'another tenant') LIMIT 1;
SELECT is((t.server($$api.session_create(t.ctx(), NULL)$$)).status, 201,
    'one is active') LIMIT 1;
SELECT throws_ok($$SELECT t.brought(1, '[{"id":5,"is_active":true,
    "created_at":"2026-01-01T00:00:00Z"}]')$$, 'PT409',
    'import_session_active', 'another one is refused');
SELECT is(body::json->'tables'->'sessions'->>'added', '1',
    'in another tenant it is not')
FROM t.brought(2, '[{"id":5,"is_active":true,
    "created_at":"2026-01-01T00:00:00Z"}]');
SELECT is(string_agg(tenant_id || ':' || id, ' ' ORDER BY tenant_id), '1:1 2:5',
    'each has his own') FROM partyline.session;
SELECT is(string_agg(tenant_id || ':' || last, ' ' ORDER BY tenant_id),
    '1:1 2:9', 'and his own ids') FROM partyline.counter
WHERE noun = 'session';

SELECT * FROM finish();
