-- SPDX-License-Identifier: MIT
--
-- Tenants, for the fleet role: look-up by workers, the rest by commands.
-- Whatever changes one is told in `control`.

CREATE FUNCTION api.tenant_text(t partyline.tenant)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', t.id, 'slug', t.slug,
	    'hosts', coalesce((SELECT json_agg(h.host ORDER BY h.host)
		FROM partyline.tenant_host h WHERE h.tenant_id = t.id),
		'[]'),
	    'public_read', t.public_read, 'origins', t.origins,
	    'max_connections', t.max_connections,
	    'max_requests', t.max_requests, 'max_events', t.max_events,
	    'max_storage', t.max_storage,
	    'retention_days', t.retention_days,
	    'retention_events', t.retention_events,
	    'responder_url', t.responder_url, 'threads', t.threads,
	    'created_at', t.created_text)::text
$$;

-- The tenant that a request belongs to: by slug where there is one, else by
-- host, else `default`. 404 only for a slug that nobody has.
CREATE FUNCTION api.tenant_find(wanted_host text, wanted_slug text)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	tenant partyline.tenant;
BEGIN
	IF wanted_slug IS NULL THEN
		SELECT t.* INTO tenant
		FROM partyline.tenant_host h
		JOIN partyline.tenant t ON t.id = h.tenant_id
		WHERE h.host = lower(wanted_host);
		IF NOT FOUND THEN
			wanted_slug := 'default';
		END IF;
	END IF;
	IF wanted_slug IS NOT NULL THEN
		SELECT t.* INTO tenant FROM partyline.tenant t
		WHERE t.slug = wanted_slug AND t.id > 0;
		IF NOT FOUND THEN
			RAISE 'tenant_not_found' USING ERRCODE = 'PT404';
		END IF;
	END IF;
	RETURN NEXT api.reply(200, api.tenant_text(tenant));
END
$$;

-- No row: there is none.
CREATE FUNCTION api.tenant_get(wanted int)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY
	SELECT 0, 200, api.tenant_text(t), NULL::text, NULL::text,
	    NULL::bigint, NULL::text, NULL::text
	FROM partyline.tenant t WHERE t.id = wanted AND t.id > 0;
END
$$;

-- What tenants take, in bytes: element is the place in the array. Counted
-- are the events that are held and what nouns say of themselves
-- (api.stream_create, api.stream_weigh); what lives for a day at most, as the
-- answers kept for Idempotency-Key do, is not.
CREATE FUNCTION api.tenant_usage(ids int[])
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY
	SELECT w.place::int - 1, 200, coalesce(sum(s.bytes), 0)::text,
	    NULL::text, NULL::text, NULL::bigint, NULL::text, NULL::text
	FROM unnest(ids) WITH ORDINALITY AS w (id, place)
	LEFT JOIN partyline.stream s ON s.tenant_id = w.id
	GROUP BY w.place ORDER BY w.place;
END
$$;

CREATE FUNCTION api.tenant_list()
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	SELECT string_agg(api.tenant_text(t), ',' ORDER BY t.slug)
	INTO body FROM partyline.tenant t WHERE t.id > 0;
	RETURN NEXT api.reply(200, '[' || body || ']');
END
$$;

-- The row of a tenant, locked against other commands, and the rest of the
-- transaction is his; or the refusal. Who writes for him goes on.
CREATE FUNCTION api.tenant_lock(wanted text)
RETURNS partyline.tenant LANGUAGE plpgsql AS $$
DECLARE
	tenant partyline.tenant;
BEGIN
	SELECT * INTO tenant FROM partyline.tenant t
	WHERE t.slug = wanted AND t.id > 0
	FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE 'tenant_not_found' USING ERRCODE = 'PT404';
	END IF;
	PERFORM set_config('partyline.tenant', tenant.id::text, true);
	RETURN tenant;
END
$$;

-- The catalog that he begins with; until there is one, he waits for it. Rows
-- of tenants are the server's to write, whose role the login role has.
CREATE FUNCTION api.tenant_begin(ctx api.ctx)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	before text := current_setting('role');
BEGIN
	PERFORM set_config('role', 'partyline_server', true);
	INSERT INTO partyline.catalog_due (tenant_id) VALUES (ctx.tenant);
	PERFORM api.catalog_fill(ctx.tenant);
	PERFORM set_config('role', before, true);
END
$$;

CREATE FUNCTION api.tenant_add(ctx api.ctx, wanted text,
    hosts text[] DEFAULT '{}')
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	tenant partyline.tenant;
	moment timestamptz := api.moment();
BEGIN
	PERFORM api.enter(ctx);
	INSERT INTO partyline.tenant (slug, created_at, created_text)
	VALUES (wanted, moment, api.iso(moment)) RETURNING * INTO tenant;
	ctx.tenant := tenant.id;
	PERFORM set_config('partyline.tenant', tenant.id::text, true);
	INSERT INTO partyline.tenant_host (host, tenant_id)
	SELECT DISTINCT lower(h), tenant.id FROM unnest(hosts) h;
	RETURN NEXT api.reply(201, api.tenant_text(tenant));
	RETURN NEXT api.emit_control(ctx, 'tenant.added',
	    '{"tenant":' || tenant.id || '}');
	PERFORM api.stream_create(ctx, 'lobby');
	PERFORM api.tenant_begin(ctx);
END
$$;

-- Settings by name, values as text; NULL takes a limit away. hosts and
-- origins are PostgreSQL's text of an array.
CREATE FUNCTION api.tenant_set(ctx api.ctx, wanted text, names text[],
    settings text[])
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	tenant partyline.tenant;
	setting text;
BEGIN
	PERFORM api.enter(ctx);
	tenant := api.tenant_lock(wanted);
	ctx.tenant := tenant.id;
	FOR n IN 1 .. cardinality(names) LOOP
		setting := settings[n];
		IF names[n] <> ALL ('{hosts,origins,public_read,
		    max_connections,max_requests,max_events,max_storage,
		    retention_days,retention_events,responder_url,
		    threads}'::text[]) THEN
			RAISE 'setting_unknown' USING ERRCODE = 'PT400',
			    DETAIL = json_build_object('setting', names[n]);
		END IF;
		BEGIN
			IF names[n] = 'hosts' THEN
				DELETE FROM partyline.tenant_host h
				WHERE h.tenant_id = tenant.id;
				INSERT INTO partyline.tenant_host
				    (host, tenant_id)
				SELECT DISTINCT lower(h), tenant.id
				FROM unnest(setting::text[]) h;
			ELSE
				EXECUTE format('UPDATE partyline.tenant '
				    'SET %I = %L WHERE id = $1', names[n],
				    setting) USING tenant.id;
			END IF;
		EXCEPTION WHEN data_exception OR check_violation
		    OR not_null_violation THEN
			RAISE 'setting_invalid' USING ERRCODE = 'PT400',
			    DETAIL = json_build_object('setting', names[n]);
		END;
	END LOOP;
	SELECT * INTO tenant FROM partyline.tenant t WHERE t.id = ctx.tenant;
	RETURN NEXT api.reply(200, api.tenant_text(tenant));
	RETURN NEXT api.emit_control(ctx, 'tenant.changed',
	    '{"tenant":' || tenant.id || '}');
END
$$;

-- How much there is that would go with him.
CREATE FUNCTION api.tenant_contents(wanted text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	tenant partyline.tenant;
BEGIN
	tenant := api.tenant_lock(wanted);
	RETURN NEXT api.reply(200, json_build_object('id', tenant.id,
	    'slug', tenant.slug,
	    'hosts', (SELECT count(*) FROM partyline.tenant_host h
		WHERE h.tenant_id = tenant.id),
	    'admins', (SELECT count(*) FROM partyline.admin a
		WHERE a.tenant_id = tenant.id AND a.revoked_at IS NULL),
	    'sessions', (SELECT count(*) FROM partyline.stream s
		WHERE s.tenant_id = tenant.id AND s.name LIKE 'session:%'),
	    'events', (SELECT count(*) FROM partyline.event e
		WHERE e.tenant_id = tenant.id))::text);
END
$$;

-- Everything that his writers lock, in the order they do: whoever is at work
-- comes to his end first, and nobody waits for us with something that we wait
-- for. A new noun is locked here, too. Their rows are the server's to lock,
-- whose role the login role has.
CREATE FUNCTION api.tenant_hold(ctx api.ctx)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	before text := current_setting('role');
BEGIN
	PERFORM set_config('role', 'partyline_server', true);
	PERFORM FROM partyline.session s
	WHERE s.tenant_id = ctx.tenant ORDER BY s.id FOR UPDATE;
	PERFORM FROM partyline.session_game s
	WHERE s.tenant_id = ctx.tenant ORDER BY s.id FOR UPDATE;
	PERFORM FROM partyline.monitor m
	WHERE m.tenant_id = ctx.tenant ORDER BY m.id FOR UPDATE;
	PERFORM FROM partyline.pack p
	WHERE p.tenant_id = ctx.tenant ORDER BY p.id FOR UPDATE;
	PERFORM FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant ORDER BY g.id FOR UPDATE;
	PERFORM FROM partyline.thread h
	WHERE h.tenant_id = ctx.tenant ORDER BY h.id FOR UPDATE;
	PERFORM FROM partyline.turn w
	WHERE w.tenant_id = ctx.tenant ORDER BY w.id FOR UPDATE;
	PERFORM FROM partyline.webhook_queue q
	WHERE q.tenant_id = ctx.tenant ORDER BY q.webhook_id FOR UPDATE;
	PERFORM FROM partyline.webhook w
	WHERE w.tenant_id = ctx.tenant ORDER BY w.id FOR UPDATE;
	PERFORM FROM partyline.tabletop_session s
	WHERE s.tenant_id = ctx.tenant ORDER BY s.id FOR UPDATE;
	PERFORM FROM partyline.tabletop_seat s
	WHERE s.tenant_id = ctx.tenant ORDER BY s.socket FOR UPDATE;
	PERFORM FROM partyline.tabletop_token t
	WHERE t.tenant_id = ctx.tenant ORDER BY t.id FOR UPDATE;
	PERFORM FROM partyline.recovery r
	WHERE r.tenant_id = ctx.tenant ORDER BY r.hash FOR UPDATE;
	PERFORM FROM partyline.counter c
	WHERE c.tenant_id = ctx.tenant ORDER BY c.noun FOR UPDATE;
	PERFORM set_config('role', before, true);
END
$$;

-- With all that is his. What others stand on stays: `default`.
CREATE FUNCTION api.tenant_remove(ctx api.ctx, wanted text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	tenant partyline.tenant;
BEGIN
	PERFORM api.enter(ctx);
	tenant := api.tenant_lock(wanted);
	IF tenant.slug = 'default' THEN
		RAISE 'tenant_default' USING ERRCODE = 'PT400';
	END IF;
	ctx.tenant := tenant.id;
	PERFORM api.tenant_hold(ctx);
	RETURN NEXT api.reply(200, '{"id":' || tenant.id || '}');
	RETURN NEXT api.emit_control(ctx, 'tenant.removed',
	    '{"tenant":' || tenant.id || '}');
	PERFORM FROM partyline.stream s
	WHERE s.tenant_id = tenant.id ORDER BY s.name COLLATE "C" FOR UPDATE;
	-- These name what is his without a foreign key. Whoever writes them
	-- holds a row that has one until his commit, so by now nobody does any
	-- more. Votes keep their games.
	DELETE FROM partyline.live_vote v WHERE v.tenant_id = tenant.id;
	DELETE FROM partyline.tenant t WHERE t.id = tenant.id;
	DELETE FROM partyline.event e WHERE e.tenant_id = tenant.id;
	DELETE FROM partyline.idempotency i WHERE i.tenant_id = tenant.id;
	DELETE FROM partyline.webhook_outbox o WHERE o.tenant_id = tenant.id;
	DELETE FROM partyline.webhook_delivery d
	WHERE d.tenant_id = tenant.id;
	DELETE FROM partyline.webhook_log l WHERE l.tenant_id = tenant.id;
END
$$;
