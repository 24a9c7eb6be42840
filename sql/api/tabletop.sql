-- SPDX-License-Identifier: MIT
--
-- The tabletop's users, and its sessions with their members. What clients
-- say over Socket.IO comes to tabletop_play.sql.
--
-- Who calls is an admin by his token, or comes with a login: ctx.caller is
-- login:<hash> then, whose user is looked up in the call's own transaction.
-- So a login that has ended may nothing from that moment on.

-- Who calls; the row of an admin by token has no id.
CREATE FUNCTION api.tabletop_caller(ctx api.ctx)
RETURNS partyline.tabletop_user LANGUAGE plpgsql STABLE AS $$
DECLARE
	me partyline.tabletop_user;
BEGIN
	IF ctx.role = 'admin' THEN
		me.name := substr(ctx.caller, 7);
		me.is_admin := true;
		RETURN me;
	END IF;
	SELECT u.* INTO me FROM partyline.tabletop_login l
	JOIN partyline.tabletop_user u
	    ON u.tenant_id = l.tenant_id AND u.id = l.user_id
	WHERE l.tenant_id = ctx.tenant AND l.hash = substr(ctx.caller, 7)
	    AND l.expires_at > now();
	IF NOT FOUND THEN
		RAISE 'login_required' USING ERRCODE = 'PT401';
	END IF;
	RETURN me;
END
$$;

-- Whom an Idempotency-Key belongs to: the user, whichever login he has.
CREATE FUNCTION api.tabletop_caller_id(ctx api.ctx,
    me partyline.tabletop_user)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce('user:' || me.id, ctx.caller)
$$;

CREATE FUNCTION api.tabletop_user_text(u partyline.tabletop_user)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat('{"id":', coalesce(u.id::text, 'null'), ',"name":',
	    to_json(u.name), ',"isAdmin":', to_json(u.is_admin), '}')
$$;

-- --- users -----------------------------------------------------------------

-- For a login: body has the hash that proves the password. No row: nobody.
CREATE FUNCTION api.tabletop_user_find(ctx api.ctx, wanted text)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM api.enter(ctx);
	RETURN QUERY
	SELECT 0, 200, json_build_object('id', u.id, 'hash', u.hash)::text,
	    NULL::text, NULL::text, NULL::bigint, NULL::text, NULL::text
	FROM partyline.tabletop_user u
	WHERE u.tenant_id = ctx.tenant AND u.name = wanted;
END
$$;

-- Refused by the constraint user_name_taken. new_hash: scrypt, made in C.
CREATE FUNCTION api.tabletop_user_insert(ctx api.ctx, new_name text,
    new_hash text, new_is_admin boolean)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	me partyline.tabletop_user;
	made partyline.tabletop_user;
	moment timestamptz := api.moment();
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	IF NOT me.is_admin THEN
		RAISE 'not_allowed' USING ERRCODE = 'PT403';
	END IF;
	ctx.caller := api.tabletop_caller_id(ctx, me);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'tabletop_user_create');
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	INSERT INTO partyline.tabletop_user (tenant_id, id, name, hash,
	    is_admin, created_at, created_text)
	VALUES (ctx.tenant, api.next_id(ctx, 'tabletop_user'), new_name,
	    new_hash, coalesce(new_is_admin, false), moment, api.iso(moment))
	RETURNING * INTO made;
	PERFORM api.stream_create(ctx, 'user:' || made.id,
	    octet_length(new_name) + octet_length(new_hash));
	answer := api.reply(201, api.tabletop_user_text(made));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'tabletop_user_create', answer);
	END IF;
	RETURN NEXT answer;
END
$$;

-- The password was proved against this hash, which may have gone since.
CREATE FUNCTION api.tabletop_login_insert(ctx api.ctx, who bigint,
    proved_hash text, new_hash text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	me partyline.tabletop_user;
	moment timestamptz := api.moment();
BEGIN
	PERFORM api.enter(ctx);
	SELECT * INTO me FROM partyline.tabletop_user u
	WHERE u.tenant_id = ctx.tenant AND u.id = who
	    AND u.hash = proved_hash;
	IF NOT FOUND THEN
		RAISE 'login_invalid' USING ERRCODE = 'PT401';
	END IF;
	DELETE FROM partyline.tabletop_login l
	WHERE l.tenant_id = ctx.tenant AND l.user_id = me.id
	    AND l.expires_at <= now();
	INSERT INTO partyline.tabletop_login
	    (tenant_id, hash, user_id, created_at, expires_at)
	VALUES (ctx.tenant, new_hash, me.id, moment,
	    moment + interval '14 days');
	RETURN NEXT api.reply(200, api.tabletop_user_text(me));
END
$$;

-- Sockets of that login hear of its end by the first signs of its hash.
CREATE FUNCTION api.tabletop_login_end(ctx api.ctx, old_hash text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	who bigint;
BEGIN
	PERFORM api.enter(ctx);
	DELETE FROM partyline.tabletop_login l
	WHERE l.tenant_id = ctx.tenant AND l.hash = old_hash
	RETURNING l.user_id INTO who;
	RETURN NEXT api.reply(204, NULL);
	IF who IS NOT NULL THEN
		RETURN NEXT api.emit(ctx, 'user:' || who, 'login-ended',
		    '{"login":"' || left(old_hash, 16) || '"}');
	END IF;
END
$$;

CREATE FUNCTION api.tabletop_me(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM api.enter(ctx);
	RETURN NEXT api.reply(200,
	    api.tabletop_user_text(api.tabletop_caller(ctx)));
END
$$;

-- --- sessions --------------------------------------------------------------

CREATE FUNCTION api.tabletop_session_body(s partyline.tabletop_session)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', s.id, 'name', s.name,
	    'description', s.description, 'campaignId', NULL,
	    'status', s.status, 'gameMasterId', s.game_master_id,
	    'gameMaster', (SELECT json_build_object('id', g.id,
		'name', g.name) FROM partyline.tabletop_user g
		WHERE g.tenant_id = s.tenant_id AND g.id = s.game_master_id),
	    'participantIds', coalesce(json_agg(u.id ORDER BY u.id)
		FILTER (WHERE u.id IS NOT NULL), '[]'),
	    'participants', coalesce(json_agg(json_build_object('id', u.id,
		'name', u.name) ORDER BY u.id)
		FILTER (WHERE u.id IS NOT NULL), '[]'),
	    'characterIds', '[]'::json, 'characters', '[]'::json,
	    'createdBy', s.created_by, 'createdAt', s.created_text,
	    'updatedAt', s.updated_text)::text
	FROM (SELECT) one
	LEFT JOIN partyline.tabletop_member m
	    ON m.tenant_id = s.tenant_id AND m.session_id = s.id
	LEFT JOIN partyline.tabletop_user u
	    ON u.tenant_id = m.tenant_id AND u.id = m.user_id
$$;

CREATE FUNCTION api.tabletop_session_text(ctx api.ctx, wanted bigint)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT api.tabletop_session_body(s)
	    FROM partyline.tabletop_session s
	    WHERE s.tenant_id = ctx.tenant AND s.id = wanted);
END
$$;

CREATE FUNCTION api.tabletop_is_member(s partyline.tabletop_session,
    me partyline.tabletop_user)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN me.is_admin OR coalesce(me.id = s.game_master_id, false)
	    OR EXISTS (SELECT FROM partyline.tabletop_member m
	    WHERE m.tenant_id = s.tenant_id AND m.session_id = s.id
		AND m.user_id = me.id);
END
$$;

CREATE FUNCTION api.tabletop_is_master(s partyline.tabletop_session,
    me partyline.tabletop_user)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN me.is_admin OR coalesce(me.id = s.game_master_id, false);
END
$$;

-- A session that this user sees; or the refusal.
CREATE FUNCTION api.tabletop_session_see(ctx api.ctx,
    me partyline.tabletop_user, wanted bigint)
RETURNS partyline.tabletop_session LANGUAGE plpgsql STABLE AS $$
DECLARE
	found_one partyline.tabletop_session;
BEGIN
	SELECT * INTO found_one FROM partyline.tabletop_session s
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	IF NOT FOUND THEN
		RAISE 'session_not_found' USING ERRCODE = 'PT404';
	END IF;
	IF NOT api.tabletop_is_member(found_one, me) THEN
		RAISE 'tabletop_denied' USING ERRCODE = 'PT403';
	END IF;
	RETURN found_one;
END
$$;

-- One that he leads, locked.
CREATE FUNCTION api.tabletop_session_lead(ctx api.ctx,
    me partyline.tabletop_user, wanted bigint)
RETURNS partyline.tabletop_session LANGUAGE plpgsql AS $$
DECLARE
	found_one partyline.tabletop_session;
BEGIN
	SELECT * INTO found_one FROM partyline.tabletop_session s
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted
	FOR UPDATE;
	IF NOT FOUND THEN
		RAISE 'session_not_found' USING ERRCODE = 'PT404';
	END IF;
	IF NOT api.tabletop_is_master(found_one, me) THEN
		RAISE 'not_allowed' USING ERRCODE = 'PT403';
	END IF;
	RETURN found_one;
END
$$;

CREATE FUNCTION api.tabletop_user_check(ctx api.ctx, wanted bigint)
RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM FROM partyline.tabletop_user u
	WHERE u.tenant_id = ctx.tenant AND u.id = wanted;
	IF NOT FOUND THEN
		RAISE 'user_not_found' USING ERRCODE = 'PT404';
	END IF;
END
$$;

CREATE FUNCTION api.tabletop_session_list(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	me partyline.tabletop_user;
	body text;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	SELECT string_agg(api.tabletop_session_body(s), ',' ORDER BY s.id DESC)
	INTO body FROM partyline.tabletop_session s
	WHERE s.tenant_id = ctx.tenant AND api.tabletop_is_member(s, me);
	RETURN NEXT api.reply(200, '[' || coalesce(body, '') || ']');
END
$$;

CREATE FUNCTION api.tabletop_session_get(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM api.enter(ctx);
	RETURN NEXT api.reply(200, api.tabletop_session_body(
	    api.tabletop_session_see(ctx, api.tabletop_caller(ctx), wanted)));
END
$$;

-- Its creator leads it; an admin may say who else does.
CREATE FUNCTION api.tabletop_session_create(ctx api.ctx, new_name text,
    new_description text, master bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	me partyline.tabletop_user;
	new_id bigint;
	moment_text text := api.iso(api.moment());
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	ctx.caller := api.tabletop_caller_id(ctx, me);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'tabletop_session_create');
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	IF master IS DISTINCT FROM me.id AND master IS NOT NULL THEN
		IF NOT me.is_admin THEN
			RAISE 'not_allowed' USING ERRCODE = 'PT403';
		END IF;
		PERFORM api.tabletop_user_check(ctx, master);
	END IF;
	new_id := api.next_id(ctx, 'tabletop_session');
	INSERT INTO partyline.tabletop_session (tenant_id, id, name,
	    description, game_master_id, created_by, created_text,
	    updated_text)
	VALUES (ctx.tenant, new_id, new_name, new_description,
	    coalesce(master, me.id), me.id, moment_text, moment_text);
	PERFORM api.stream_create(ctx, 'table:' || new_id,
	    octet_length(concat(new_name, new_description)));
	answer := api.reply(201, api.tabletop_session_text(ctx, new_id));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'tabletop_session_create', answer);
	END IF;
	RETURN NEXT answer;
END
$$;

-- NULL leaves what is there.
CREATE FUNCTION api.tabletop_session_update(ctx api.ctx, wanted bigint,
    new_name text, new_description text, new_status text, master bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	me partyline.tabletop_user;
	old partyline.tabletop_session;
	body text;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	old := api.tabletop_session_lead(ctx, me, wanted);
	IF master IS NOT NULL THEN
		PERFORM api.tabletop_user_check(ctx, master);
	END IF;
	UPDATE partyline.tabletop_session s
	SET name = coalesce(new_name, s.name),
	    description = coalesce(new_description, s.description),
	    status = coalesce(new_status, s.status),
	    game_master_id = coalesce(master, s.game_master_id),
	    updated_text = api.iso(api.moment())
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	body := api.tabletop_session_text(ctx, wanted);
	RETURN NEXT api.reply(200, body);
	PERFORM api.stream_weigh(ctx, 'table:' || wanted,
	    octet_length(concat(coalesce(new_name, old.name),
		coalesce(new_description, old.description)))
	    - octet_length(concat(old.name, old.description)));
	RETURN NEXT api.emit(ctx, 'table:' || wanted, 'session-updated',
	    '{"sessionId":' || wanted || ',"session":' || body || '}');
	RETURN QUERY SELECT * FROM unnest(api.tabletop_seats_clear(ctx,
	    wanted));
END
$$;

-- With all that belongs to it.
CREATE FUNCTION api.tabletop_session_delete(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.tabletop_session_lead(ctx, api.tabletop_caller(ctx),
	    wanted);
	DELETE FROM partyline.tabletop_session s
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	RETURN NEXT api.reply(200, '{"success":true}');
	RETURN NEXT api.emit_control(ctx, 'table.deleted', '{"tenant":'
	    || ctx.tenant || ',"stream":"table:' || wanted || '"}');
	PERFORM api.stream_remove(ctx, 'table:' || wanted);
END
$$;

CREATE FUNCTION api.tabletop_member_add(ctx api.ctx, wanted bigint,
    who bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	me partyline.tabletop_user;
	scope text := 'tabletop_member_add ' || wanted;
	is_new boolean;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	ctx.caller := api.tabletop_caller_id(ctx, me);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, scope);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	PERFORM api.tabletop_session_lead(ctx, me, wanted);
	PERFORM api.tabletop_user_check(ctx, who);
	INSERT INTO partyline.tabletop_member (tenant_id, session_id, user_id)
	VALUES (ctx.tenant, wanted, who) ON CONFLICT DO NOTHING;
	is_new := FOUND;
	answer := api.reply(200, api.tabletop_session_text(ctx, wanted));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, scope, answer);
	END IF;
	RETURN NEXT answer;
	IF is_new THEN
		RETURN NEXT api.emit(ctx, 'table:' || wanted, 'member-added',
		    format('{"sessionId":%s,"userId":%s}', wanted, who));
	END IF;
END
$$;

-- His sockets leave the session when they hear of it.
CREATE FUNCTION api.tabletop_member_remove(ctx api.ctx, wanted bigint,
    who bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.tabletop_session_lead(ctx, api.tabletop_caller(ctx),
	    wanted);
	DELETE FROM partyline.tabletop_member m
	WHERE m.tenant_id = ctx.tenant AND m.session_id = wanted
	    AND m.user_id = who;
	IF NOT FOUND THEN
		RAISE 'user_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN NEXT api.reply(200, api.tabletop_session_text(ctx, wanted));
	RETURN NEXT api.emit(ctx, 'table:' || wanted, 'member-removed',
	    format('{"sessionId":%s,"userId":%s}', wanted, who));
	RETURN QUERY SELECT * FROM unnest(api.tabletop_seats_clear(ctx,
	    wanted));
END
$$;

-- --- encounters and history ------------------------------------------------

CREATE FUNCTION api.tabletop_encounter_create(ctx api.ctx, wanted bigint,
    new_name text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	me partyline.tabletop_user;
	scope text := 'tabletop_encounter_create ' || wanted;
	body text;
	new_id bigint;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	ctx.caller := api.tabletop_caller_id(ctx, me);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, scope);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	PERFORM api.tabletop_session_lead(ctx, me, wanted);
	new_id := api.next_id(ctx, 'tabletop_encounter');
	INSERT INTO partyline.tabletop_encounter
	    (tenant_id, id, session_id, name)
	VALUES (ctx.tenant, new_id, wanted, new_name);
	body := format('{"id":%s,"sessionId":%s,"name":%s}', new_id, wanted,
	    to_json(new_name));
	answer := api.reply(201, body);
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, scope, answer);
	END IF;
	RETURN NEXT answer;
	PERFORM api.stream_weigh(ctx, 'table:' || wanted,
	    octet_length(new_name));
	RETURN NEXT api.emit(ctx, 'table:' || wanted, 'encounter-created',
	    '{"sessionId":' || wanted || ',"encounter":' || body || '}');
END
$$;

CREATE FUNCTION api.tabletop_encounter_list(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.tabletop_session_see(ctx, api.tabletop_caller(ctx),
	    wanted);
	SELECT string_agg(format('{"id":%s,"sessionId":%s,"name":%s}', e.id,
	    e.session_id, to_json(e.name)), ',' ORDER BY e.id) INTO body
	FROM partyline.tabletop_encounter e
	WHERE e.tenant_id = ctx.tenant AND e.session_id = wanted;
	RETURN NEXT api.reply(200, '[' || coalesce(body, '') || ']');
END
$$;

CREATE FUNCTION api.tabletop_token_list(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	me partyline.tabletop_user;
	session partyline.tabletop_session;
	body text;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	SELECT s.* INTO session FROM partyline.tabletop_encounter e
	JOIN partyline.tabletop_session s
	    ON s.tenant_id = e.tenant_id AND s.id = e.session_id
	WHERE e.tenant_id = ctx.tenant AND e.id = wanted;
	IF NOT FOUND THEN
		RAISE 'encounter_not_found' USING ERRCODE = 'PT404';
	END IF;
	IF NOT api.tabletop_is_member(session, me) THEN
		RAISE 'tabletop_denied' USING ERRCODE = 'PT403';
	END IF;
	SELECT string_agg(api.tabletop_token_text(t), ',' ORDER BY t.id)
	INTO body FROM partyline.tabletop_token t
	WHERE t.tenant_id = ctx.tenant AND t.encounter_id = wanted;
	RETURN NEXT api.reply(200, '[' || coalesce(body, '') || ']');
END
$$;

-- What was said to the session, the newest `most` before an id, in the order
-- in which it was said.
CREATE FUNCTION api.tabletop_chat_list(ctx api.ctx, wanted bigint,
    before_id bigint, most bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.tabletop_session_see(ctx, api.tabletop_caller(ctx),
	    wanted);
	SELECT string_agg(page.body::text, ',' ORDER BY page.id) INTO body
	FROM (SELECT c.id, c.body FROM partyline.tabletop_chat c
	    WHERE c.tenant_id = ctx.tenant AND c.session_id = wanted
		AND c.recipient_type = 'session'
		AND (before_id IS NULL OR c.id < before_id)
	    ORDER BY c.id DESC LIMIT coalesce(most, 50)) page;
	RETURN NEXT api.reply(200, '[' || coalesce(body, '') || ']');
END
$$;
