-- SPDX-License-Identifier: MIT
--
-- A tenant as a file: which tables are in it, how their rows are read out,
-- and how they are put back. The file itself is core/tenant_file.h's.
--
-- A command calls these over a connection of its own, in one transaction:
-- opening, select (of each table) and nothing else; or begin, put (again and
-- again), end. Rows are arrays of texts as PostgreSQL writes them.

-- Every table that has rows of tenants, in the order that they are put back;
-- or why a file has none of it. A new table is a row here.
CREATE VIEW api.tenant_table AS
SELECT name, place, left_out FROM (VALUES
    ('tenant', 1, NULL),		-- one row: the settings
    ('tenant_host', 2, NULL),
    ('counter', 3, NULL),
    ('stream', 4, NULL),		-- without the epoch: it gets a new one
    ('event', 5, NULL),
    ('admin', 6, NULL),
    ('token_revocation', 7, NULL),
    ('idempotency', 8, NULL),		-- so that who asks again is answered
    ('catalog_due', 9, NULL),
    ('pack', 10, NULL),
    ('game', 11, NULL),
    ('session', 12, NULL),
    ('session_game', 13, NULL),
    ('monitor', 17, NULL),
    ('live_vote', 14, NULL),
    ('chat_log', 15, NULL),
    ('thread', 16, NULL),
    ('turn', NULL, 'waits for an answer of this installation, for a minute'),
    ('webhook', 20, NULL),
    ('webhook_queue', 21, NULL),
    ('webhook_outbox', 22, NULL),	-- without nth: in the order of streams
    ('webhook_delivery', 23, NULL),
    ('webhook_log', 24, NULL),
    ('tabletop_user', 30, NULL),
    ('tabletop_session', 31, NULL),
    ('tabletop_member', 32, NULL),
    ('tabletop_encounter', 33, NULL),
    ('tabletop_token', 34, NULL),
    ('tabletop_chat', 35, NULL),
    ('tabletop_login', NULL, 'its cookie is signed with a key of this '
	'installation'),
    ('recovery', NULL, 'the streams of its sockets have other epochs then'),
    ('tabletop_seat', NULL, 'a socket of this installation'),
    ('ticket', NULL, 'opens one stream of this installation, for a minute')
) AS listed (name, place, left_out);
GRANT SELECT ON api.tenant_table TO partyline_server, partyline_fleet;

-- What a file has of a table: all but whose it is, and what is made anew.
CREATE FUNCTION api.tenant_table_columns(wanted text)
RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}')
	FROM pg_attribute a
	WHERE a.attrelid = to_regclass('partyline.' || quote_ident(wanted))
	    AND a.attnum > 0 AND NOT a.attisdropped
	    AND a.attname <> 'tenant_id'
	    AND (wanted, a.attname) NOT IN (('tenant', 'id'),
		('tenant', 'slug'), ('stream', 'epoch'),
		('stream', 'is_hooked'), ('webhook_outbox', 'nth'))
$$;

-- Who may write a table reads it, too.
CREATE FUNCTION api.tenant_table_role(wanted text)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN has_table_privilege('partyline_server',
	    'partyline.' || quote_ident(wanted), 'INSERT')
	    THEN 'partyline_server' ELSE 'partyline_fleet' END
$$;

CREATE FUNCTION api.tenant_table_key(wanted text)
RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT array_agg(a.attname::text ORDER BY k.place)
	FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
	JOIN pg_attribute a ON a.attnum = k.attnum
	WHERE i.indrelid = to_regclass('partyline.' || quote_ident(wanted))
	    AND i.indisprimary AND a.attrelid = i.indrelid
$$;

-- Values are written the same way by whoever writes and reads them.
CREATE FUNCTION api.tenant_file_setting()
RETURNS void LANGUAGE sql AS $$
	SELECT set_config(s.name, s.setting, true) FROM (VALUES
	    ('TimeZone', 'UTC'), ('DateStyle', 'ISO'),
	    ('bytea_output', 'hex'), ('statement_timeout', '0'),
	    ('idle_in_transaction_session_timeout', '0'))
	    AS s (name, setting)
$$;

-- The secret under which keys of admins are found, without telling it: it
-- has more bits than anybody can try.
CREATE FUNCTION api.tenant_file_keys()
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT left(encode(sha256(convert_to('partyline tenant file:'
	    || s.value, 'UTF8')), 'hex'), 32)
	FROM partyline.secret s
	WHERE s.kind = 'server' AND coalesce(s.retires_at > now(), true)
	ORDER BY s.created_at DESC, s.id LIMIT 1
$$;

-- --- reading out -----------------------------------------------------------

-- The first line. The rest of the transaction is the tenant's.
CREATE FUNCTION api.tenant_file_opening(wanted text, format text,
    version int)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	tenant partyline.tenant;
BEGIN
	PERFORM api.tenant_file_setting();
	SELECT * INTO tenant FROM partyline.tenant t
	WHERE t.slug = wanted AND t.id > 0;
	IF NOT FOUND THEN
		RAISE 'tenant_not_found' USING ERRCODE = 'PT404';
	END IF;
	PERFORM set_config('partyline.tenant', tenant.id::text, true);
	RETURN json_build_object('format', format, 'version', version,
	    'schema', (SELECT max(v.version) FROM partyline.schema_version v),
	    'slug', tenant.slug, 'id', tenant.id,
	    'at', api.iso(api.moment()),
	    'keys', api.tenant_file_keys())::text;
END
$$;

-- The tables of a file in their order, each with its columns and with what
-- reads it: [{"name", "role", "line", "select"}]. line is the table's line in the
-- file.
CREATE FUNCTION api.tenant_file_tables()
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT json_agg(json_build_object('name', t.name,
	    'role', api.tenant_table_role(t.name),
	    'line', json_build_object('table', t.name,
		'columns', api.tenant_table_columns(t.name))::text,
	    'select', format('SELECT to_json(ARRAY[%s]::text[])::text '
		'FROM partyline.%I t WHERE t.%I = nullif(current_setting('
		'''partyline.tenant'', true), '''')::int ORDER BY %s',
		(SELECT string_agg(format('t.%I::text', c), ', '
		    ORDER BY place)
		 FROM unnest(api.tenant_table_columns(t.name))
		    WITH ORDINALITY AS u (c, place)),
		t.name, CASE t.name WHEN 'tenant' THEN 'id'
		    ELSE 'tenant_id' END,
		(SELECT string_agg(format('t.%I', c), ', ' ORDER BY place)
		 FROM unnest(api.tenant_table_key(t.name))
		    WITH ORDINALITY AS u (c, place)))) ORDER BY t.place)::text
	FROM api.tenant_table t WHERE t.left_out IS NULL
$$;

-- --- putting back ----------------------------------------------------------

-- Only who was never used is put another in his place: the events of his
-- lobby, and whatever else there is, would be lost. What he began with goes.
CREATE FUNCTION api.tenant_file_clear(ctx api.ctx)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	wanted text;
	is_used boolean;
BEGIN
	PERFORM set_config('role', 'partyline_server', true);
	FOR wanted IN SELECT t.name FROM api.tenant_table t
	    WHERE t.left_out IS NULL AND t.name NOT IN ('tenant',
		'tenant_host', 'counter', 'admin', 'token_revocation',
		'catalog_due')
	    ORDER BY t.place LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM partyline.%I t '
		    'WHERE t.tenant_id = $1 AND %s)', wanted, CASE wanted
		    WHEN 'stream' THEN '(t.name <> ''lobby'' OR t.head > 0)'
		    WHEN 'pack' THEN 't.favor_bias <> 0'
		    WHEN 'game' THEN '(t.bytes > 0 OR t.play_count > 0 OR '
			't.upvotes > 0 OR t.downvotes > 0 OR NOT t.enabled '
			'OR t.favor_bias <> 0)'
		    ELSE 'true' END) INTO is_used USING ctx.tenant;
		IF is_used THEN
			RAISE 'tenant_not_empty' USING ERRCODE = 'PT409',
			    DETAIL = json_build_object('table', wanted);
		END IF;
	END LOOP;
	DELETE FROM partyline.pack p WHERE p.tenant_id = ctx.tenant;
	DELETE FROM partyline.catalog_due d WHERE d.tenant_id = ctx.tenant;
	PERFORM set_config('role', 'partyline_fleet', true);
	-- Who can sign in goes on; numbers of the file come first.
	UPDATE partyline.admin a SET id = -a.id
	WHERE a.tenant_id = ctx.tenant;
END
$$;

-- The tenant that the file is put into: a new one, or one that nobody used,
-- where all who would write for him wait. keys_go: keys of admins are found
-- as before, because the secret is the same and so is the number of the
-- tenant, which a new one gets back where nobody has it.
CREATE FUNCTION api.tenant_file_begin(ctx api.ctx, wanted text, opening text,
    with_hosts boolean, OUT id int, OUT is_new boolean, OUT keys_go boolean)
LANGUAGE plpgsql AS $$
DECLARE
	former bigint := opening::json->>'id';
	is_same boolean := coalesce(opening::json->>'keys'
	    = api.tenant_file_keys(), false);
	moment timestamptz := api.moment();
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.tenant_file_setting();
	SELECT t.id INTO tenant_file_begin.id FROM partyline.tenant t
	WHERE t.slug = wanted AND t.id > 0 FOR UPDATE;
	is_new := NOT FOUND;
	IF is_new THEN
		INSERT INTO partyline.tenant AS t
		    (slug, created_at, created_text)
		VALUES (wanted, moment, api.iso(moment))
		RETURNING t.id INTO tenant_file_begin.id;
		-- Below it: the numbers that were given already.
		IF is_same AND former BETWEEN 1 AND tenant_file_begin.id
		    AND NOT EXISTS (SELECT FROM partyline.tenant t
			WHERE t.id = former) THEN
			UPDATE partyline.tenant t SET id = former
			WHERE t.id = tenant_file_begin.id;
			tenant_file_begin.id := former;
		END IF;
	END IF;
	ctx.tenant := tenant_file_begin.id;
	keys_go := is_same AND former = ctx.tenant;
	PERFORM set_config('partyline.tenant', ctx.tenant::text, true);
	IF NOT is_new THEN
		PERFORM api.tenant_file_clear(ctx);
	END IF;
	IF with_hosts THEN
		DELETE FROM partyline.tenant_host h
		WHERE h.tenant_id = ctx.tenant;
	END IF;
END
$$;

-- Refuses the first host of these that somebody else has.
CREATE FUNCTION api.tenant_file_check_hosts(hosts text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	taken text;
	owner text;
BEGIN
	SELECT h.host, t.slug INTO taken, owner
	FROM partyline.tenant_host h
	JOIN partyline.tenant t ON t.id = h.tenant_id
	WHERE h.host = ANY (hosts) ORDER BY h.host LIMIT 1;
	IF FOUND THEN
		RAISE 'tenant_host_taken' USING ERRCODE = 'PT409',
		    DETAIL = json_build_object('host', taken,
			'tenant', owner);
	END IF;
END
$$;

-- What an INSERT of admins takes of them instead: one whose key does not go
-- on, or whose name or key somebody has here, is revoked at this moment.
CREATE FUNCTION api.tenant_file_admin(field text, keys_go boolean)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN field NOT IN ('revoked_at', 'revoked_text') THEN
	    format('n.%I', field)
	ELSE format('CASE WHEN n.revoked_at IS NULL AND (NOT %L::boolean OR '
	    'EXISTS (SELECT FROM partyline.admin a WHERE a.tenant_id = $1 '
	    'AND a.id < 0 AND a.revoked_at IS NULL AND (a.name = n.name '
	    'OR a.lookup = n.lookup))) THEN %s ELSE n.%I END', keys_go,
	    CASE field WHEN 'revoked_at'
	    THEN 'date_trunc(''milliseconds'', now())'
	    ELSE 'api.iso(date_trunc(''milliseconds'', now()))' END, field)
	END
$$;

-- What becomes of a row that is there: a tenant begins with some.
CREATE FUNCTION api.tenant_file_conflict(wanted text)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE wanted
	WHEN 'counter' THEN ' ON CONFLICT (tenant_id, noun) DO UPDATE '
	    'SET last = excluded.last'
	WHEN 'stream' THEN ' ON CONFLICT (tenant_id, name) DO UPDATE '
	    'SET head = excluded.head, lowest = excluded.lowest, '
	    'bytes = excluded.bytes, epoch = DEFAULT'
	WHEN 'token_revocation' THEN ' ON CONFLICT (tenant_id, kind, value) '
	    'DO UPDATE SET before = excluded.before, '
	    'before_text = excluded.before_text, '
	    'expires_at = excluded.expires_at '
	    'WHERE r.before < excluded.before'
	ELSE '' END
$$;

-- The statement that takes rows as $2, for the tenant $1.
CREATE FUNCTION api.tenant_file_insert(wanted text, fields text[],
    keys_go boolean)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	names text;
	source text;
	taken text;
BEGIN
	SELECT string_agg(format('%I', u.field), ', ' ORDER BY u.place),
	    string_agg(format('(v.line->>%s)::%s AS %I', u.place - 1,
		format_type(a.atttypid, a.atttypmod), u.field), ', '
		ORDER BY u.place),
	    string_agg(CASE wanted WHEN 'admin'
		THEN api.tenant_file_admin(u.field, keys_go)
		ELSE format('n.%I', u.field) END, ', ' ORDER BY u.place)
	INTO names, source, taken
	FROM unnest(fields) WITH ORDINALITY AS u (field, place)
	JOIN pg_attribute a ON a.attname = u.field
	    AND a.attrelid = to_regclass('partyline.' || quote_ident(wanted));
	IF wanted = 'tenant' THEN
		RETURN format('UPDATE partyline.tenant t SET (%s) = '
		    '(SELECT %s) FROM unnest($2::json[]) AS v (line) '
		    'WHERE t.id = $1', names, source);
	END IF;
	RETURN format('INSERT INTO partyline.%I AS r (tenant_id%s) '
	    'SELECT $1%s FROM (SELECT %s FROM unnest($2::json[]) '
	    'AS v (line)) n%s', wanted, ', ' || names, ', ' || taken, source,
	    api.tenant_file_conflict(wanted));
END
$$;

-- Rows of a table.
CREATE FUNCTION api.tenant_file_put(tenant int, keys_go boolean, wanted text,
    fields text[], lines text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM api.tenant_table t
	    WHERE t.name = wanted AND t.left_out IS NULL)
	    OR NOT fields <@ api.tenant_table_columns(wanted) THEN
		RAISE 'tenant_file_unfit' USING ERRCODE = 'PT400',
		    DETAIL = json_build_object('table', wanted,
			'columns', fields);
	END IF;
	PERFORM set_config('role', 'partyline_fleet', true);
	IF wanted = 'tenant_host' THEN
		PERFORM api.tenant_file_check_hosts(ARRAY(
		    SELECT l::json->>(array_position(fields, 'host') - 1)
		    FROM unnest(lines) l));
	END IF;
	PERFORM set_config('role', api.tenant_table_role(wanted), true);
	EXECUTE api.tenant_file_insert(wanted, fields, keys_go)
	USING tenant, lines;
END
$$;

-- Each stream holds exactly the events from its lowest number to its head,
-- and each of them is an object.
CREATE FUNCTION api.tenant_file_check(tenant int)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	wrong text;
BEGIN
	PERFORM set_config('role', 'partyline_server', true);
	SELECT coalesce(s.name, e.stream) INTO wrong
	FROM (SELECT * FROM partyline.stream s
	    WHERE s.tenant_id = tenant) s
	FULL JOIN (SELECT e.stream, count(*) AS count, min(e.seq) AS first,
		max(e.seq) AS last, bool_and(json_typeof(e.payload::json)
		    = 'object') AS are_objects
	    FROM partyline.event e WHERE e.tenant_id = tenant
	    GROUP BY e.stream) e ON e.stream = s.name
	WHERE s.name IS NULL
	    OR coalesce(e.count, 0) <> s.head - s.lowest + 1
	    OR e.first <> s.lowest OR e.last <> s.head OR NOT e.are_objects
	LIMIT 1;
	IF NOT FOUND AND NOT EXISTS (SELECT FROM partyline.stream s
	    WHERE s.tenant_id = tenant AND s.name = 'lobby') THEN
		wrong := 'lobby';
	END IF;
	IF wrong IS NOT NULL THEN
		RAISE 'tenant_file_unfit' USING ERRCODE = 'PT400',
		    DETAIL = json_build_object('stream', wrong);
	END IF;
	PERFORM set_config('role', 'partyline_fleet', true);
END
$$;

-- Workers hear who came, and whose tokens are not believed.
CREATE FUNCTION api.tenant_file_tell(ctx api.ctx, is_new boolean)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	news text := format('{"tenant":%s}', ctx.tenant);
	revoked partyline.token_revocation;
BEGIN
	IF is_new THEN
		PERFORM api.emit_control(ctx, 'tenant.added', news);
	ELSE
		PERFORM api.emit_control(ctx, 'tenant.changed', news);
		PERFORM api.emit_control(ctx, 'epoch.renewed', news);
	END IF;
	FOR revoked IN SELECT * FROM partyline.token_revocation r
	    WHERE r.tenant_id = ctx.tenant
		AND coalesce(r.expires_at > now(), true)
	    ORDER BY r.kind, r.value COLLATE "C" LOOP
		PERFORM api.emit_control(ctx, 'token.revoked',
		    CASE revoked.kind WHEN 'token' THEN
		    format('{"tenant":%s,"token":%s}', ctx.tenant,
			to_json(revoked.value))
		    ELSE format('{"tenant":%s,"name":%s,"before":"%s"}',
			ctx.tenant, to_json(revoked.value),
			revoked.before_text) END);
	END LOOP;
END
$$;

-- All is there. The tenant, and which admins need new keys.
CREATE FUNCTION api.tenant_file_end(ctx api.ctx, tenant int, is_new boolean)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	old bigint;
	told json;
BEGIN
	PERFORM api.tenant_file_check(tenant);
	ctx.tenant := tenant;
	FOR old IN SELECT a.id FROM partyline.admin a
	    WHERE a.tenant_id = ctx.tenant AND a.id < 0
	    ORDER BY a.id DESC LOOP
		UPDATE partyline.admin a SET id = api.next_id(ctx, 'admin')
		WHERE a.tenant_id = ctx.tenant AND a.id = old;
	END LOOP;
	SELECT coalesce(json_agg(json_build_object('name', a.name,
	    'role', a.role) ORDER BY a.id), '[]') INTO told
	FROM partyline.admin a
	WHERE a.tenant_id = ctx.tenant
	    AND a.revoked_at = date_trunc('milliseconds', now())
	    AND NOT EXISTS (SELECT FROM partyline.admin b
		WHERE b.tenant_id = ctx.tenant AND b.name = a.name
		AND b.revoked_at IS NULL);
	PERFORM api.tenant_file_tell(ctx, is_new);
	RETURN (SELECT json_build_object('tenant',
	    api.tenant_text(t)::json, 'without_keys', told)
	    FROM partyline.tenant t WHERE t.id = ctx.tenant);
END
$$;
