-- SPDX-License-Identifier: MIT
--
-- Who is at a table: coming, going, and the going of those whose process is
-- gone. A row goes in the transaction that tells of it, so each going is told
-- once, and none is forgotten.
--
-- Locks: the session's row, seats, streams by name.

CREATE FUNCTION api.tabletop_seat_left(ctx api.ctx,
    seat partyline.tabletop_seat)
RETURNS api.answer LANGUAGE plpgsql AS $$
BEGIN
	RETURN api.emit(ctx, 'table:' || seat.session_id, 'user-left',
	    concat('{"userId":', seat.user_id, ',"sessionId":',
	    seat.session_id, ',"name":', to_json(seat.name), ',"actorIds":[',
	    to_json(seat.actor), '],"characterNames":[],"socket":',
	    to_json(seat.socket), '}'));
END
$$;

CREATE FUNCTION api.tabletop_seat_joined(ctx api.ctx,
    seat partyline.tabletop_seat)
RETURNS api.answer LANGUAGE plpgsql AS $$
BEGIN
	RETURN api.emit(ctx, 'table:' || seat.session_id, 'user-joined',
	    concat('{"userId":', seat.user_id, ',"sessionId":',
	    seat.session_id, ',"name":', to_json(seat.name),
	    ',"actorId":' || to_json(seat.actor)::text, ',"socket":',
	    to_json(seat.socket), '}'));
END
$$;

-- Those of a session who may not be there any more. The session is locked.
CREATE FUNCTION api.tabletop_seats_clear(ctx api.ctx, wanted bigint)
RETURNS api.answer[] LANGUAGE plpgsql AS $$
DECLARE
	session partyline.tabletop_session;
	seat partyline.tabletop_seat;
	told api.answer[] := '{}';
BEGIN
	SELECT * INTO session FROM partyline.tabletop_session s
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	FOR seat IN DELETE FROM partyline.tabletop_seat s
	    WHERE s.tenant_id = ctx.tenant AND s.session_id = wanted
		AND NOT EXISTS (SELECT FROM partyline.tabletop_user u
		WHERE u.tenant_id = s.tenant_id AND u.id = s.user_id
		    AND api.tabletop_is_member(session, u))
	    RETURNING * LOOP
		told := told || api.tabletop_seat_left(ctx, seat);
	END LOOP;
	RETURN told;
END
$$;

-- A session, and who is there.
CREATE FUNCTION api.tabletop_session_state(ctx api.ctx, wanted bigint)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat(left(api.tabletop_session_text(ctx, wanted), -1),
	    ',"present":[', (SELECT string_agg(concat('{"userId":', s.user_id,
	    ',"name":', to_json(s.name), ',"actorId":'
	    || to_json(s.actor)::text, ',"socket":', to_json(s.socket), '}'),
	    ',' ORDER BY s.since, s.socket)
	    FROM partyline.tabletop_seat s
	    WHERE s.tenant_id = ctx.tenant AND s.session_id = wanted), ']}')
$$;

-- Whether he may be there; or the refusal.
CREATE FUNCTION api.tabletop_allowed(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.tabletop_session_see(ctx, api.tabletop_caller(ctx),
	    wanted);
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- The session, and who is there now. Where the socket was elsewhere it is
-- there no more. The same visit again changes nothing, and tells nothing.
CREATE FUNCTION api.tabletop_join(ctx api.ctx, wanted bigint,
    new_socket text, new_visit bigint, new_actor text, new_host text,
    new_process text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	me partyline.tabletop_user;
	old partyline.tabletop_seat;
	seat partyline.tabletop_seat;
BEGIN
	PERFORM api.enter(ctx);
	me := api.tabletop_caller(ctx);
	PERFORM FROM partyline.tabletop_session s
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted FOR SHARE;
	PERFORM api.tabletop_session_see(ctx, me, wanted);
	SELECT * INTO old FROM partyline.tabletop_seat s
	WHERE s.tenant_id = ctx.tenant AND s.socket = new_socket FOR UPDATE;
	INSERT INTO partyline.tabletop_seat AS s (tenant_id, socket,
	    session_id, user_id, name, actor, visit, host, process, since)
	VALUES (ctx.tenant, new_socket, wanted, me.id, me.name, new_actor,
	    new_visit, new_host, new_process, api.moment())
	ON CONFLICT (tenant_id, socket) DO UPDATE
	SET session_id = excluded.session_id, actor = excluded.actor,
	    visit = excluded.visit, since = excluded.since,
	    host = excluded.host, process = excluded.process
	RETURNING s.* INTO seat;
	IF (old.session_id, old.visit) = (wanted, new_visit) THEN
		NULL;			-- it is told already
	ELSIF ('table:' || old.session_id) COLLATE "C"
	    <= 'table:' || wanted THEN
		RETURN NEXT api.tabletop_seat_left(ctx, old);
		RETURN NEXT api.tabletop_seat_joined(ctx, seat);
	ELSE
		RETURN NEXT api.tabletop_seat_joined(ctx, seat);
		IF old.session_id IS NOT NULL THEN
			RETURN NEXT api.tabletop_seat_left(ctx, old);
		END IF;
	END IF;
	-- By now the stream is locked: who is there is who was told of, up to
	-- his own coming.
	RETURN NEXT api.reply(200, api.tabletop_session_state(ctx, wanted));
END
$$;

-- From that visit, or an earlier one; a later one is another matter.
CREATE FUNCTION api.tabletop_leave(ctx api.ctx, wanted bigint,
    old_socket text, old_visit bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	seat partyline.tabletop_seat;
BEGIN
	PERFORM api.enter(ctx);
	DELETE FROM partyline.tabletop_seat s
	WHERE s.tenant_id = ctx.tenant AND s.socket = old_socket
	    AND s.session_id = wanted AND s.visit <= old_visit
	RETURNING * INTO seat;
	RETURN NEXT api.reply(200, '{}');
	IF seat.socket IS NOT NULL THEN
		RETURN NEXT api.tabletop_seat_left(ctx, seat);
	END IF;
END
$$;

-- Seats whose process is gone, at most so many of all tenants: of this host,
-- those that are not of `alive`; and where judges_others, of hosts of which
-- nothing was heard for silence_ms. What is younger than a second or than
-- that may be of a process that began since. Each is told by whoever locks
-- it. element of an event is its tenant.
CREATE FUNCTION api.work_tabletop_seats(host_id text, alive text[],
    judges_others boolean, silence_ms int, most int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	seat partyline.tabletop_seat;
	event api.answer;
	gone int := 0;
	moment timestamptz := clock_timestamp();
	silence interval := silence_ms * interval '1 millisecond';
BEGIN
	FOR seat IN SELECT s.* FROM partyline.tabletop_seat s
	    WHERE CASE WHEN s.host = host_id
		THEN s.process <> ALL (alive)
		    AND s.since < moment - interval '1 second'
		ELSE judges_others AND s.since < moment - silence
		    AND NOT EXISTS (SELECT FROM partyline.host h
		    WHERE h.id = s.host AND h.heartbeat >= moment - silence)
		END
	    ORDER BY s.tenant_id, ('table:' || s.session_id) COLLATE "C",
		s.socket
	    LIMIT most FOR UPDATE SKIP LOCKED LOOP
		DELETE FROM partyline.tabletop_seat s
		WHERE s.tenant_id = seat.tenant_id
		    AND s.socket = seat.socket;
		event := api.tabletop_seat_left(ROW(seat.tenant_id, NULL,
		    NULL, 'seat', NULL, NULL, NULL)::api.ctx, seat);
		event.element := seat.tenant_id;
		RETURN NEXT event;
		gone := gone + 1;
	END LOOP;
	RETURN NEXT api.reply(200, '{"rows":' || gone || '}');
END
$$;
