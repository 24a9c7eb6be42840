-- SPDX-License-Identifier: MIT
--
-- What the catalogue has to say about roles and row-level security.

SELECT plan(22);

-- Tables that belong to no tenant. A table is here or has the policy.
CREATE TEMP TABLE of_nobody AS SELECT unnest(ARRAY['api_version',
    'catalog_due', 'host', 'installation', 'monitor_holder',
    'recovery_holder', 'schema_version', 'secret', 'seed_games',
    'seed_tickers', 'work'])::name AS name;
-- What the fleet role sees of all tenants.
CREATE TEMP TABLE of_fleet AS SELECT unnest(ARRAY['event', 'idempotency', 'live_vote',
    'monitor', 'recovery', 'session', 'session_game', 'stream',
    'tabletop_seat', 'tenant', 'tenant_host', 'thread', 'ticket',
    'token_revocation', 'turn', 'webhook', 'webhook_delivery', 'webhook_log',
    'webhook_outbox', 'webhook_queue'])::name AS name;
CREATE TEMP VIEW ours AS SELECT c.* FROM pg_class c
    WHERE c.relnamespace = 'partyline'::regnamespace
    AND c.relkind IN ('r', 'p');

SELECT is_empty($$
	SELECT relname FROM ours
	WHERE NOT (relrowsecurity AND relforcerowsecurity)
	    AND relname NOT IN (SELECT name FROM of_nobody)
$$, 'every table of a tenant has row-level security, forced');

SELECT is_empty($$
	SELECT name FROM of_nobody
	WHERE name NOT IN (SELECT relname FROM ours WHERE NOT relrowsecurity)
$$, 'the exceptions are tables without it');

SELECT is_empty($$
	SELECT relname FROM ours
	WHERE relrowsecurity AND relname <> 'tenant' AND NOT EXISTS (
	    SELECT FROM pg_attribute a WHERE a.attrelid = ours.oid
	    AND a.attname = 'tenant_id' AND a.attnotnull)
$$, 'each has a tenant_id');

SELECT is_empty($$
	SELECT relname FROM ours
	WHERE relrowsecurity AND relname NOT IN ('tenant', 'tenant_host')
	AND NOT EXISTS (
	    SELECT FROM pg_index i
	    JOIN pg_attribute a ON a.attrelid = i.indrelid
		AND a.attnum = i.indkey[0]
	    WHERE i.indrelid = ours.oid AND i.indisprimary
		AND a.attname = 'tenant_id')
$$, 'and it is the first of its primary key');

SELECT is_empty($$
	SELECT o.relname FROM ours o WHERE o.relrowsecurity AND NOT EXISTS (
	    SELECT FROM pg_policies p WHERE p.schemaname = 'partyline'
	    AND p.tablename = o.relname AND p.policyname = 'tenant'
	    AND p.roles = '{public}' AND p.cmd = 'ALL'
	    AND p.with_check IS NULL AND p.qual = format('(%s = (NULLIF('
		'current_setting(''partyline.tenant''::text, true), '
		'''''::text))::integer)', CASE o.relname WHEN 'tenant'
		THEN 'id' ELSE 'tenant_id' END))
$$, 'the policy is the same everywhere');

SELECT is(ARRAY(SELECT tablename::text FROM pg_policies
	WHERE schemaname = 'partyline' AND policyname <> 'tenant' ORDER BY 1),
    ARRAY(SELECT name::text FROM of_fleet ORDER BY 1),
    'the only other policies are of listed tables');

SELECT is_empty($$
	SELECT FROM pg_policies WHERE schemaname = 'partyline'
	AND policyname <> 'tenant' AND roles <> '{partyline_fleet}'
$$, 'and are the fleet role''s');

SELECT is(count(*) FILTER (WHERE NOT (rolsuper OR rolbypassrls
	OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolinherit
	OR rolreplication)), 2::bigint, 'the roles can do nothing by themselves')
FROM pg_roles WHERE rolname IN ('partyline_server', 'partyline_fleet');

SELECT is_empty($$
	SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
	WHERE r.rolname IN ('partyline_server', 'partyline_fleet')
$$, 'and are members of no other');

SELECT is_empty($$
	SELECT FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
	WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o'
	AND r.rolname IN ('partyline_server', 'partyline_fleet')
$$, 'they own nothing in this cluster');

SELECT is_empty($$
	SELECT c.relname FROM pg_class c, aclexplode(c.relacl) a
	WHERE c.relnamespace = 'partyline'::regnamespace
	AND a.grantee <> c.relowner AND (a.grantee = 0
	OR a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER'))
$$, 'nobody else has rights on a table; truncate and triggers nobody');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'api'::regnamespace
	AND (p.prosecdef OR p.prolang NOT IN (SELECT oid FROM pg_language
	    WHERE lanname IN ('plpgsql', 'sql')))
$$, 'every function runs with the rights of its caller');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(p.proacl) a
	WHERE p.pronamespace = 'api'::regnamespace AND a.grantee = 0
$$, 'and not everybody may call it');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'api'::regnamespace AND p.proretset
	AND p.proname <> 'batch_answers'	-- which operations call
	AND (p.prolang <> (SELECT oid FROM pg_language
	    WHERE lanname = 'plpgsql') OR p.prorettype <> 'api.answer'::regtype)
$$, 'an operation is plpgsql and gives api.answer');

SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'api'::regnamespace AND p.proretset
	AND 'api.ctx'::regtype = ANY (p.proargtypes::oid[])
	AND p.proargtypes[0] = 'api.ctx'::regtype
	AND p.proname <> 'batch_emit'	-- which operations call
	AND p.prosrc !~ '^\s*(?:DECLARE.*?\n)?BEGIN\n\tPERFORM api.enter\(ctx\);'
$$, 'one with a ctx opens with api.enter');

SELECT is_empty($$
	SELECT relname FROM ours WHERE relrowsecurity
	AND NOT has_table_privilege('partyline_fleet', oid, 'SELECT')
	AND NOT has_table_privilege('partyline_server', oid, 'SELECT')
$$, 'no table is out of reach');

-- Streams it locks itself; whoever writes deliveries holds their queue.
SELECT is_empty($$
	SELECT o.relname FROM ours o WHERE o.relrowsecurity
	AND has_table_privilege('partyline_server', o.oid, 'UPDATE')
	AND o.relname NOT IN ('stream', 'webhook_delivery')
	AND (SELECT p.prosrc FROM pg_proc p
	    WHERE p.oid = 'api.tenant_hold'::regproc)
	    !~ ('FROM partyline\.' || o.relname || ' ')
$$, 'who removes a tenant locks first what his writers lock');

SELECT set_eq('SELECT name FROM api.tenant_table',
    'SELECT relname::text FROM ours WHERE relrowsecurity OR EXISTS (
	SELECT FROM pg_attribute a WHERE a.attrelid = ours.oid
	AND a.attname = ''tenant_id'' AND NOT a.attisdropped)',
    'each table of tenants is in their file, or is said to be left out');

SELECT is_empty($$
	SELECT name FROM api.tenant_table
	WHERE (place IS NULL) <> coalesce(length(left_out) > 0, false)
$$, 'it has a place there, or a reason why not');

-- What names itself can be put back at once: keys are checked at the end.
SELECT is_empty($$
	SELECT c.conname FROM pg_constraint c
	JOIN pg_class own ON own.oid = c.conrelid
	JOIN pg_class other ON other.oid = c.confrelid
	JOIN api.tenant_table t ON t.name = own.relname
	JOIN api.tenant_table o ON o.name = other.relname
	WHERE c.contype = 'f' AND o.place > t.place
$$, 'what a table names is put back before it');

SELECT is_empty($$
	SELECT o.relname, a.attname FROM ours o
	JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0
	    AND NOT a.attisdropped
	WHERE o.relname IN (SELECT name FROM api.tenant_table)
	    AND a.attname <> ALL (api.tenant_table_columns(o.relname))
	    AND a.attname <> 'tenant_id'
	    AND o.relname || '.' || a.attname NOT IN ('stream.epoch',
		'stream.is_hooked', 'tenant.id', 'tenant.slug',
		'webhook_outbox.nth')
$$, 'with every column, but for whose it is and what is made anew');

SELECT is_empty($$
	SELECT c.conrelid::regclass FROM pg_constraint c
	WHERE c.connamespace = 'partyline'::regnamespace AND NOT c.convalidated
$$, 'all constraints are valid');

SELECT * FROM finish();
