-- SPDX-License-Identifier: MIT
--
-- Admins, revoked tokens and tickets. Keys are hashed in C: lookup finds a
-- row, hash proves the key.

-- Whom a key belongs to. While somebody revokes in the tenant this is refused
-- and to be asked again; else revoking waits until we are through. So
-- `moment` is never later than a revocation that was not seen here, and a
-- token of that moment ends with its admin, however long his key takes to be
-- proved. Volatile, so that the second statement sees all that was committed
-- before the lock was had. No row: nobody.
CREATE FUNCTION api.admin_find(ctx api.ctx, wanted text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.admin_hold(ctx);
	RETURN QUERY
	SELECT 0, 200, json_build_object('id', a.id, 'name', a.name,
	    'role', a.role, 'hash', a.hash,
	    'moment', api.iso(api.moment()))::text, NULL::text, NULL::text,
	    NULL::bigint, NULL::text, NULL::text
	FROM partyline.admin a
	WHERE a.tenant_id = ctx.tenant AND a.lookup = wanted
	    AND a.revoked_at IS NULL;
END
$$;

-- Nobody is revoked in this tenant until the end of the transaction.
CREATE FUNCTION api.admin_hold(ctx api.ctx)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT pg_try_advisory_xact_lock_shared(
	    hashtext('partyline admin'), ctx.tenant) THEN
		RAISE 'sign_in_busy' USING ERRCODE = 'PT503';
	END IF;
END
$$;

-- Nobody is found, and nobody else revokes. Before any other lock.
CREATE FUNCTION api.admin_lock(ctx api.ctx)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('partyline admin'),
	    ctx.tenant);
END
$$;

-- For tokens that are made by command: what admin_find says with a name.
CREATE FUNCTION api.token_moment(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.admin_hold(ctx);
	RETURN NEXT api.reply(200, '{"moment":"' || api.iso(api.moment())
	    || '"}');
END
$$;

CREATE FUNCTION api.admin_list(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT json_agg(json_build_object('id', a.id, 'name', a.name,
	    'role', a.role, 'came_from', a.came_from,
	    'created_at', a.created_text, 'revoked_at', a.revoked_text)
	    ORDER BY a.id) INTO body
	FROM partyline.admin a WHERE a.tenant_id = ctx.tenant;
	RETURN NEXT api.reply(200, coalesce(body, '[]'));
END
$$;

CREATE FUNCTION api.admin_insert(ctx api.ctx, new_name text, new_role text,
    new_lookup text, new_hash text, origin text)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	new_id bigint := api.next_id(ctx, 'admin');
	moment timestamptz := api.moment();
BEGIN
	INSERT INTO partyline.admin (tenant_id, id, name, role, lookup, hash,
	    came_from, created_at, created_text)
	VALUES (ctx.tenant, new_id, new_name, new_role, new_lookup, new_hash,
	    origin, moment, api.iso(moment));
	RETURN new_id;
END
$$;

-- Refused by the constraints admin_name_taken and admin_key_taken.
CREATE FUNCTION api.admin_add(ctx api.ctx, new_name text, new_role text,
    new_lookup text, new_hash text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	new_id bigint;
BEGIN
	PERFORM api.enter(ctx);
	new_id := api.admin_insert(ctx, new_name, new_role, new_lookup,
	    new_hash, 'command');
	RETURN NEXT api.reply(201, json_build_object('id', new_id,
	    'name', new_name, 'role', new_role)::text);
END
$$;

-- Every token of that name made until now ends. What `control` is to be told.
CREATE FUNCTION api.name_strike(ctx api.ctx, old_name text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := api.moment();
	moment_text text := api.iso(moment);
BEGIN
	INSERT INTO partyline.token_revocation AS r
	    (tenant_id, kind, value, before, before_text)
	VALUES (ctx.tenant, 'name', old_name, moment, moment_text)
	ON CONFLICT (tenant_id, kind, value) DO UPDATE
	SET before = excluded.before, before_text = excluded.before_text
	WHERE r.before < excluded.before;
	RETURN '{"tenant":' || ctx.tenant || ',"name":'
	    || to_json(old_name)::text || ',"before":"' || moment_text
	    || '"}';
END
$$;

-- The admin's key and every token of his name end.
CREATE FUNCTION api.admin_strike(ctx api.ctx, wanted bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := api.moment();
	old_name text;
BEGIN
	UPDATE partyline.admin a
	SET revoked_at = moment, revoked_text = api.iso(moment)
	WHERE a.tenant_id = ctx.tenant AND a.id = wanted
	RETURNING a.name INTO old_name;
	RETURN api.name_strike(ctx, old_name);
END
$$;

-- Who came from the configuration counts as a command's from now on, so that
-- no start brings him back while he still stands there with the same key.
CREATE FUNCTION api.admin_revoke(ctx api.ctx, wanted text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	old partyline.admin;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.admin_lock(ctx);
	SELECT * INTO old FROM partyline.admin a
	WHERE a.tenant_id = ctx.tenant AND a.name = wanted
	    AND a.revoked_at IS NULL
	FOR UPDATE;
	IF NOT FOUND THEN
		RAISE 'admin_not_found' USING ERRCODE = 'PT404';
	END IF;
	UPDATE partyline.admin a SET came_from = 'command'
	WHERE a.tenant_id = ctx.tenant AND a.id = old.id;
	RETURN NEXT api.reply(200, json_build_object('id', old.id,
	    'name', old.name, 'came_from', old.came_from)::text);
	RETURN NEXT api.emit_control(ctx, 'admin.revoked',
	    api.admin_strike(ctx, old.id));
END
$$;

-- Why the configuration cannot have this admin; NULL: it can.
CREATE FUNCTION api.admin_refusal(ctx api.ctx, new_name text,
    new_lookup text)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN CASE
	WHEN EXISTS (SELECT FROM partyline.admin a
	    WHERE a.tenant_id = ctx.tenant AND a.name = new_name
	    AND a.revoked_at IS NULL)
	THEN 'a command added another of this name'
	WHEN EXISTS (SELECT FROM partyline.admin a
	    WHERE a.tenant_id = ctx.tenant AND a.lookup = new_lookup
	    AND a.revoked_at IS NULL)
	THEN 'a command added another with this key'
	WHEN EXISTS (SELECT FROM partyline.admin a
	    WHERE a.tenant_id = ctx.tenant AND a.lookup = new_lookup
	    AND a.revoked_at IS NOT NULL AND a.came_from = 'command')
	THEN 'a command revoked this key'
	END;
END
$$;

-- Makes the admins that came from the configuration equal to these. Who is
-- not among them is revoked first, and whatever becomes of the others; who is
-- there with the same key stays. Of who is new the hash has to be given:
-- without it his place in the arrays is in `wanted`, for another call.
CREATE FUNCTION api.admin_sync(ctx api.ctx, names text[], lookups text[],
    hashes text[])
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	old partyline.admin;
	struck text[] := '{}';
	added int := 0;
	wanted int[] := '{}';
	refused json[] := '{}';
	why text;
	news text;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.admin_lock(ctx);
	FOR old IN SELECT * FROM partyline.admin a
	    WHERE a.tenant_id = ctx.tenant AND a.revoked_at IS NULL
	    AND a.came_from = 'configuration' AND NOT EXISTS (
		SELECT FROM unnest(names, lookups) AS w (name, lookup)
		WHERE w.name = a.name AND w.lookup = a.lookup)
	    ORDER BY a.id FOR UPDATE
	LOOP
		struck := struck || api.admin_strike(ctx, old.id);
	END LOOP;
	FOR n IN 1 .. cardinality(names) LOOP
		PERFORM FROM partyline.admin a
		WHERE a.tenant_id = ctx.tenant AND a.revoked_at IS NULL
		    AND a.came_from = 'configuration' AND a.name = names[n];
		CONTINUE WHEN FOUND;
		why := api.admin_refusal(ctx, names[n], lookups[n]);
		IF why IS NOT NULL THEN
			refused := refused || json_build_object(
			    'name', names[n], 'why', why);
		ELSIF hashes[n] IS NULL THEN
			wanted := wanted || n - 1;
		ELSE
			PERFORM api.admin_insert(ctx, names[n], 'admin',
			    lookups[n], hashes[n], 'configuration');
			added := added + 1;
		END IF;
	END LOOP;
	RETURN NEXT api.reply(200, json_build_object('added', added,
	    'revoked', cardinality(struck), 'wanted', wanted,
	    'refused', refused)::text);
	FOREACH news IN ARRAY struck LOOP
		RETURN NEXT api.emit_control(ctx, 'admin.revoked', news);
	END LOOP;
END
$$;

-- One token ends. expires: when it would have ended anyway.
CREATE FUNCTION api.token_revoke(ctx api.ctx, wanted text,
    expires timestamptz)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := api.moment();
BEGIN
	PERFORM api.enter(ctx);
	INSERT INTO partyline.token_revocation
	    (tenant_id, kind, value, before, before_text, expires_at)
	VALUES (ctx.tenant, 'token', wanted, moment, api.iso(moment), expires)
	ON CONFLICT (tenant_id, kind, value) DO NOTHING;
	RETURN NEXT api.reply(200, '{"success":true}');
	RETURN NEXT api.emit_control(ctx, 'token.revoked', '{"tenant":'
	    || ctx.tenant || ',"token":' || to_json(wanted)::text || '}');
END
$$;

-- Every token of that name made until now, whether an admin has it or not.
CREATE FUNCTION api.token_revoke_name(ctx api.ctx, wanted text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.admin_lock(ctx);
	RETURN NEXT api.reply(200, '{"success":true}');
	RETURN NEXT api.emit_control(ctx, 'token.revoked',
	    api.name_strike(ctx, wanted));
END
$$;

-- All that is revoked, in all tenants (for the fleet role), with the number
-- and epoch of `control` that it stands for: whoever reads on from there
-- misses nothing.
CREATE FUNCTION api.revocation_list()
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	answer api.answer;
BEGIN
	SELECT json_agg(json_build_object('tenant', r.tenant_id,
	    'kind', r.kind, 'value', r.value, 'before', r.before_text)
	    ORDER BY r.tenant_id, r.kind, r.value) INTO answer.body
	FROM partyline.token_revocation r
	WHERE coalesce(r.expires_at > now(), true);
	answer := api.reply(200, coalesce(answer.body, '[]'));
	SELECT s.name, s.epoch, s.head
	INTO STRICT answer.stream, answer.epoch, answer.seq
	FROM partyline.stream s WHERE s.tenant_id = 0 AND s.name = 'control';
	RETURN NEXT answer;
END
$$;

-- A ticket opens one stream of the tenant once, within a minute. hash: what
-- SHA-256 makes of it; the ticket itself never comes here.
CREATE FUNCTION api.ticket_create(ctx api.ctx, wanted_stream text,
    new_hash text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer := api.reply(201, NULL);
BEGIN
	PERFORM api.enter(ctx);
	-- The others have no door that would take one.
	PERFORM FROM partyline.stream s
	WHERE s.tenant_id = ctx.tenant AND s.name = wanted_stream
	    AND s.name ~ '^(lobby$|session:)';
	IF NOT FOUND THEN
		RAISE 'stream_not_found' USING ERRCODE = 'PT404';
	END IF;
	INSERT INTO partyline.ticket
	    (tenant_id, hash, stream, caller, role, expires_at)
	VALUES (ctx.tenant, new_hash, wanted_stream, ctx.caller, ctx.role,
	    clock_timestamp() + interval '60 seconds');
	RETURN NEXT answer;
END
$$;

CREATE FUNCTION api.ticket_use(ctx api.ctx, wanted_stream text,
    wanted_hash text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	ticket partyline.ticket;
BEGIN
	PERFORM api.enter(ctx);
	DELETE FROM partyline.ticket t
	WHERE t.tenant_id = ctx.tenant AND t.hash = wanted_hash
	    AND t.stream = wanted_stream AND t.expires_at > clock_timestamp()
	RETURNING * INTO ticket;
	IF NOT FOUND THEN
		RAISE 'invalid_token' USING ERRCODE = 'PT403';
	END IF;
	RETURN NEXT api.reply(200, json_build_object('caller', ticket.caller,
	    'role', ticket.role)::text);
END
$$;
