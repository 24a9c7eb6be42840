-- SPDX-License-Identifier: MIT
--
-- What players say over Socket.IO: tokens, chat, and what they ask. socket:
-- the sid of whoever said it, which stands in the event, so that he is left
-- out where the others are told.

CREATE FUNCTION api.tabletop_token_text(t partyline.tabletop_token)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', t.id, 'name', t.name,
	    'imageUrl', t.image_url, 'size', t.size,
	    'encounterId', t.encounter_id, 'position', t.position,
	    'actorId', t.actor_id, 'isVisible', t.is_visible,
	    'isPlayerControlled', t.is_player_controlled, 'data', t.data,
	    'conditions', t.conditions, 'version', t.version,
	    'createdBy', t.created_by, 'updatedBy', t.updated_by)::text
$$;

-- The session of somebody who plays in it, which nobody removes meanwhile.
CREATE FUNCTION api.tabletop_session_play(ctx api.ctx,
    me partyline.tabletop_user, wanted bigint, writes boolean)
RETURNS partyline.tabletop_session LANGUAGE plpgsql AS $$
DECLARE
	found_one partyline.tabletop_session;
BEGIN
	IF writes THEN
		SELECT * INTO found_one FROM partyline.tabletop_session s
		WHERE s.tenant_id = ctx.tenant AND s.id = wanted
		FOR SHARE;
	ELSE
		SELECT * INTO found_one FROM partyline.tabletop_session s
		WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	END IF;
	IF found_one.id IS NULL
	    OR NOT api.tabletop_is_member(found_one, me) THEN
		RAISE 'tabletop_not_in_session' USING ERRCODE = 'PT403';
	END IF;
	RETURN found_one;
END
$$;

-- Whether he may do that with a token; action: move, create, update, delete.
-- The token, locked where he writes; none for create.
CREATE FUNCTION api.tabletop_token_allow(ctx api.ctx,
    me partyline.tabletop_user, session partyline.tabletop_session,
    encounter bigint, wanted bigint, action text, writes boolean)
RETURNS partyline.tabletop_token LANGUAGE plpgsql AS $$
DECLARE
	token partyline.tabletop_token;
	leads boolean := api.tabletop_is_master(session, me);
BEGIN
	PERFORM FROM partyline.tabletop_encounter e
	WHERE e.tenant_id = ctx.tenant AND e.id = encounter
	    AND e.session_id = session.id;
	IF NOT FOUND THEN
		RAISE 'encounter_not_found' USING ERRCODE = 'PT404';
	END IF;
	IF action IN ('create', 'delete') AND NOT leads THEN
		RAISE 'tabletop_access_denied' USING ERRCODE = 'PT403';
	END IF;
	IF action = 'create' THEN
		RETURN NULL;
	END IF;
	IF writes THEN
		SELECT * INTO token FROM partyline.tabletop_token t
		WHERE t.tenant_id = ctx.tenant AND t.id = wanted
		    AND t.encounter_id = encounter
		FOR UPDATE;
	ELSE
		SELECT * INTO token FROM partyline.tabletop_token t
		WHERE t.tenant_id = ctx.tenant AND t.id = wanted
		    AND t.encounter_id = encounter;
	END IF;
	IF token.id IS NULL THEN
		RAISE 'tabletop_token_not_found' USING ERRCODE = 'PT404';
	END IF;
	IF action = 'update' AND NOT leads AND NOT
	    (token.is_player_controlled AND token.actor_id IS NULL
	    AND coalesce(token.created_by = me.id, false)) THEN
		RAISE 'tabletop_access_denied' USING ERRCODE = 'PT403';
	END IF;
	RETURN token;
END
$$;

CREATE FUNCTION api.tabletop_position(given jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	x jsonb := given->'x';
	y jsonb := given->'y';
	elevation jsonb := coalesce(given->'elevation', '0');
BEGIN
	IF coalesce(jsonb_typeof(x) <> 'number'
	    OR jsonb_typeof(y) <> 'number'
	    OR jsonb_typeof(elevation) <> 'number', true) THEN
		RAISE 'tabletop_position' USING ERRCODE = 'PT400';
	END IF;
	IF x::numeric NOT BETWEEN 0 AND 1000000000
	    OR y::numeric NOT BETWEEN 0 AND 1000000000
	    OR abs(elevation::numeric) > 1000000000 THEN
		RAISE 'tabletop_position' USING ERRCODE = 'PT400';
	END IF;
	RETURN jsonb_build_object('x', x, 'y', y, 'elevation', elevation);
END
$$;

-- What an event says of a token, beside who and when.
CREATE FUNCTION api.tabletop_token_told(ctx api.ctx, type text,
    session bigint, token partyline.tabletop_token, more text,
    me partyline.tabletop_user, socket text)
RETURNS api.answer LANGUAGE plpgsql AS $$
BEGIN
	RETURN api.emit(ctx, 'table:' || session, type, concat(
	    '{"encounterId":', token.encounter_id, more,
	    ',"userId":', coalesce(me.id::text, 'null'),
	    ',"timestamp":"', api.iso(api.moment()),
	    '","sessionId":', session, ',"socket":', to_json(socket), '}'));
END
$$;

CREATE FUNCTION api.tabletop_token_move(ctx api.ctx, session bigint,
    encounter bigint, wanted bigint, place jsonb, socket text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	me partyline.tabletop_user;
	token partyline.tabletop_token;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	token := api.tabletop_token_allow(ctx, me,
	    api.tabletop_session_play(ctx, me, session, true), encounter,
	    wanted, 'move', true);
	UPDATE partyline.tabletop_token t
	SET position = api.tabletop_position(place),
	    version = t.version + 1, updated_by = me.id
	WHERE t.tenant_id = ctx.tenant AND t.id = wanted
	RETURNING * INTO token;
	RETURN NEXT api.reply(200, format('{"tokenId":%s,"position":%s,'
	    '"version":%s}', token.id, token.position, token.version));
	RETURN NEXT api.tabletop_token_told(ctx, 'token:moved', session,
	    token, format(',"tokenId":%s,"position":%s,"version":%s',
	    token.id, token.position, token.version), me, socket);
END
$$;

-- What a client may say of a token; NULL: as it was. Bounds of what is text
-- are here, since it comes inside of an object.
CREATE FUNCTION api.tabletop_token_given(old partyline.tabletop_token,
    given jsonb)
RETURNS partyline.tabletop_token LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF EXISTS (SELECT FROM (VALUES ('name', 'string'),
	    ('imageUrl', 'string'), ('size', 'string'),
	    ('position', 'object'), ('actorId', 'string'),
	    ('isVisible', 'boolean'), ('isPlayerControlled', 'boolean'),
	    ('data', 'object'), ('conditions', 'array')) AS v (key, type)
	    WHERE jsonb_typeof(given->v.key) NOT IN (v.type, 'null')
		AND NOT (v.key = 'actorId'
		    AND jsonb_typeof(given->v.key) = 'number')) THEN
		RAISE 'tabletop_token_invalid' USING ERRCODE = 'PT400';
	END IF;
	old.name := coalesce(given->>'name', old.name);
	old.image_url := coalesce(given->>'imageUrl', old.image_url);
	old.size := coalesce(given->>'size', old.size, 'medium');
	old.actor_id := coalesce(given->>'actorId', old.actor_id);
	old.is_visible := coalesce((given->>'isVisible')::boolean,
	    old.is_visible, true);
	old.is_player_controlled := coalesce(
	    (given->>'isPlayerControlled')::boolean,
	    old.is_player_controlled, false);
	old.data := coalesce(nullif(given->'data', 'null'), old.data, '{}');
	old.conditions := coalesce(nullif(given->'conditions', 'null'),
	    old.conditions, '[]');
	IF coalesce(length(old.name) NOT BETWEEN 1 AND 255, true)
	    OR length(old.image_url) > 2000 OR length(old.actor_id) > 100
	    OR old.size NOT IN ('tiny', 'small', 'medium', 'large', 'huge',
		'gargantuan')
	    OR octet_length(old.data::text) > 65536
	    OR octet_length(old.conditions::text) > 65536 THEN
		RAISE 'tabletop_token_invalid' USING ERRCODE = 'PT400';
	END IF;
	RETURN old;
END
$$;

CREATE FUNCTION api.tabletop_token_bytes(t partyline.tabletop_token)
RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT octet_length(concat(t.name, t.image_url, t.actor_id, t.data,
	    t.conditions))::bigint
$$;

CREATE FUNCTION api.tabletop_token_create(ctx api.ctx, session bigint,
    encounter bigint, given jsonb, socket text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	me partyline.tabletop_user;
	token partyline.tabletop_token;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	PERFORM api.tabletop_token_allow(ctx, me,
	    api.tabletop_session_play(ctx, me, session, true), encounter,
	    NULL, 'create', true);
	token := api.tabletop_token_given(NULL, given);
	token.tenant_id := ctx.tenant;
	token.id := api.next_id(ctx, 'tabletop_token');
	token.encounter_id := encounter;
	token.position := api.tabletop_position(given->'position');
	token.version := 1;
	token.created_by := me.id;
	token.updated_by := me.id;
	INSERT INTO partyline.tabletop_token SELECT token.*;
	RETURN NEXT api.reply(200, format('{"tokenId":%s,"token":%s}',
	    token.id, api.tabletop_token_text(token)));
	PERFORM api.stream_weigh(ctx, 'table:' || session,
	    api.tabletop_token_bytes(token));
	RETURN NEXT api.tabletop_token_told(ctx, 'token:created', session,
	    token, ',"token":' || api.tabletop_token_text(token), me, socket);
END
$$;

CREATE FUNCTION api.tabletop_token_update(ctx api.ctx, session bigint,
    encounter bigint, wanted bigint, given jsonb, socket text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	me partyline.tabletop_user;
	old partyline.tabletop_token;
	token partyline.tabletop_token;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	old := api.tabletop_token_allow(ctx, me,
	    api.tabletop_session_play(ctx, me, session, true), encounter,
	    wanted, 'update', true);
	token := api.tabletop_token_given(old, given);
	UPDATE partyline.tabletop_token t
	SET name = token.name, image_url = token.image_url,
	    size = token.size, actor_id = token.actor_id,
	    is_visible = token.is_visible,
	    is_player_controlled = token.is_player_controlled,
	    data = token.data, conditions = token.conditions,
	    version = t.version + 1, updated_by = me.id
	WHERE t.tenant_id = ctx.tenant AND t.id = wanted
	RETURNING * INTO token;
	RETURN NEXT api.reply(200, format('{"tokenId":%s,"token":%s}',
	    token.id, api.tabletop_token_text(token)));
	PERFORM api.stream_weigh(ctx, 'table:' || session,
	    api.tabletop_token_bytes(token) - api.tabletop_token_bytes(old));
	RETURN NEXT api.tabletop_token_told(ctx, 'token:updated', session,
	    token, format(',"tokenId":%s,"token":%s', token.id,
	    api.tabletop_token_text(token)), me, socket);
END
$$;

CREATE FUNCTION api.tabletop_token_delete(ctx api.ctx, session bigint,
    encounter bigint, wanted bigint, socket text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	me partyline.tabletop_user;
	token partyline.tabletop_token;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	token := api.tabletop_token_allow(ctx, me,
	    api.tabletop_session_play(ctx, me, session, true), encounter,
	    wanted, 'delete', true);
	DELETE FROM partyline.tabletop_token t
	WHERE t.tenant_id = ctx.tenant AND t.id = wanted;
	RETURN NEXT api.reply(200, format('{"tokenId":%s}', token.id));
	PERFORM api.stream_weigh(ctx, 'table:' || session,
	    -api.tabletop_token_bytes(token));
	RETURN NEXT api.tabletop_token_told(ctx, 'token:deleted', session,
	    token, format(',"tokenId":%s', token.id), me, socket);
END
$$;

-- Who comes in: his profile.
CREATE FUNCTION api.tabletop_user_data(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	me partyline.tabletop_user;
	sessions text;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	SELECT string_agg(json_build_object('id', s.id, 'name', s.name,
	    'status', s.status, 'gameMasterId', s.game_master_id)::text, ','
	    ORDER BY s.id) INTO sessions
	FROM partyline.tabletop_session s
	WHERE s.tenant_id = ctx.tenant AND (s.game_master_id = me.id
	    OR EXISTS (SELECT FROM partyline.tabletop_member m
		WHERE m.tenant_id = s.tenant_id AND m.session_id = s.id
		AND m.user_id = me.id));
	RETURN NEXT api.reply(200, concat('{"id":', me.id, ',"name":',
	    to_json(me.name), ',"isAdmin":', to_json(me.is_admin),
	    ',"sessions":[', sessions, ']}'));
END
$$;

-- Whether he may do that, without doing it; or the refusal. given: what the
-- operation would be given.
CREATE FUNCTION api.tabletop_validate(ctx api.ctx, session bigint,
    action text, encounter bigint, token bigint, given jsonb)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	me partyline.tabletop_user;
	of_session partyline.tabletop_session;
	old partyline.tabletop_token;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	of_session := api.tabletop_session_play(ctx, me, session, false);
	IF action IN ('token:move', 'token:create', 'token:update',
	    'token:delete') THEN
		old := api.tabletop_token_allow(ctx, me, of_session,
		    encounter, token, split_part(action, ':', 2), false);
	END IF;
	IF action = 'token:move' THEN
		PERFORM api.tabletop_position(given);
	ELSIF action IN ('token:create', 'token:update') THEN
		IF given IS NULL THEN
			RAISE 'tabletop_token_invalid' USING ERRCODE = 'PT400';
		END IF;
		PERFORM api.tabletop_token_given(old, given);
		IF action = 'token:create' THEN
			PERFORM api.tabletop_position(given->'position');
		END IF;
	END IF;
	RETURN NEXT api.reply(200, '{"valid":true,"errors":[]}');
END
$$;

-- recipient: of the session itself, of an actor in it, or of a user. extra:
-- what the client said beside the message. An actor's is not stored as an
-- event: whoever plays him now is told. Who says the same with the same
-- idempotencyKey, as he did not hear the answer, is given what it was: while
-- that is not committed he waits for next_id.
CREATE FUNCTION api.tabletop_chat_send(ctx api.ctx, session bigint,
    kind text, recipient text, message text, extra jsonb, socket text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	me partyline.tabletop_user;
	new_id bigint;
	moment_text text := api.iso(api.moment());
	body jsonb;
	stream_name text := 'table:' || session;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	IF kind = 'user' THEN
		session := NULL;
		PERFORM api.tabletop_user_check(ctx, recipient::bigint);
		stream_name := 'user:' || recipient;
	ELSE
		PERFORM api.tabletop_session_play(ctx, me, session, true);
	END IF;
	new_id := api.next_id(ctx, 'tabletop_chat');
	IF extra ? 'idempotencyKey' THEN
		SELECT said.body INTO body FROM partyline.tabletop_chat AS said
		WHERE said.tenant_id = ctx.tenant AND said.id > new_id - 500
		    AND said.user_id = me.id
		    AND said.session_id IS NOT DISTINCT FROM session
		    AND said.recipient_type = kind
		    AND said.recipient_id = recipient
		    AND said.body->'idempotencyKey' = extra->'idempotencyKey'
		    AND said.body->>'message' = message;
		IF FOUND THEN
			RETURN NEXT api.reply(200, body::text);
			RETURN;
		END IF;
	END IF;
	body := (extra - 'socket') || jsonb_build_object('id', new_id,
	    'sessionId', session, 'message', message, 'userId', me.id,
	    'name', me.name, 'timestamp', moment_text, 'metadata',
	    jsonb_build_object('timestamp', moment_text)
	    || coalesce(extra->'metadata', '{}') || jsonb_build_object(
		'sender', jsonb_build_object('type', 'user', 'id', me.id),
		'recipient', jsonb_build_object('type', kind, 'id',
		    CASE WHEN kind = 'actor' THEN to_jsonb(recipient)
		    ELSE recipient::jsonb END)));
	INSERT INTO partyline.tabletop_chat (tenant_id, id, session_id,
	    user_id, recipient_type, recipient_id, body)
	VALUES (ctx.tenant, new_id, session, me.id, kind, recipient, body);
	RETURN NEXT api.reply(200, body::text);
	PERFORM api.stream_weigh(ctx, stream_name,
	    octet_length(body::text));
	IF kind <> 'actor' THEN
		RETURN NEXT api.emit(ctx, stream_name, 'chat-message',
		    (body || jsonb_build_object('socket', socket))::text);
	END IF;
END
$$;
