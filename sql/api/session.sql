-- SPDX-License-Identifier: MIT
--
-- Sessions of the picker: one active at a time, closed, archived, deleted.

-- The session as a list shows it, without the last brace.
CREATE FUNCTION api.session_head(s partyline.session)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat('{"id":', s.id,
	    ',"notes":', coalesce(to_json(s.notes)::text, 'null'),
	    CASE WHEN s.is_active THEN ',"is_active":1,"created_at":"'
		ELSE ',"is_active":0,"created_at":"' END, s.created_text,
	    coalesce('","closed_at":"' || s.closed_text || '"',
		'","closed_at":null'),
	    ',"games_played":', s.games_played)
$$;

-- As GET /{id} shows it: with what else is set.
CREATE FUNCTION api.session_whole(s partyline.session)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat(api.session_head(s),
	    CASE WHEN s.pending_game_id IS NOT NULL THEN
		format(',"pending_game_id":%s,"pending_game_source":"%s"',
		s.pending_game_id, s.pending_game_source) END,
	    ',"poll_active":1,"poll_started_at":"' || s.poll_started_text
		|| '"',
	    ',"poll_ending_at":"' || s.poll_ending_text || '"',
	    CASE WHEN s.poll_leading_game_id IS NOT NULL THEN
		format(',"poll_leading_game_id":%s,"poll_leading_label":%s,'
		'"poll_leading_votes":%s', s.poll_leading_game_id,
		to_json(s.poll_leading_label), s.poll_leading_votes) END,
	    CASE WHEN s.archived THEN ',"archived":1' END, '}')
$$;

-- The same; NULL where there is none.
CREATE FUNCTION api.session_text(ctx api.ctx, wanted bigint)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT api.session_whole(s) FROM partyline.session s
	    WHERE s.tenant_id = ctx.tenant AND s.id = wanted);
END
$$;

-- As GET /active shows it.
CREATE FUNCTION api.session_active_text(ctx api.ctx)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	SELECT api.session_whole(s) INTO body FROM partyline.session s
	WHERE s.tenant_id = ctx.tenant AND s.is_active;
	RETURN coalesce(body,
	    '{"session":null,"message":"No active session"}');
END
$$;

-- The row of a session, locked; or the refusal.
CREATE FUNCTION api.session_lock(ctx api.ctx, wanted bigint)
RETURNS partyline.session LANGUAGE plpgsql AS $$
DECLARE
	session partyline.session;
BEGIN
	SELECT * INTO session FROM partyline.session s
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted
	FOR UPDATE;
	IF NOT FOUND THEN
		RAISE 'session_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN session;
END
$$;

-- wanted: default (what is not archived), all, archived. most: NULL for all.
CREATE FUNCTION api.session_list(ctx api.ctx, wanted text, most bigint,
    skipped bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	answer api.answer;
	with_archived boolean := wanted IN ('all', 'archived');
	with_others boolean := coalesce(wanted, 'default') <> 'archived';
	total bigint;
	shown bigint;
	before text;
BEGIN
	PERFORM api.enter(ctx);
	skipped := greatest(skipped, 0);
	SELECT count(*), count(*) FILTER (WHERE
	    CASE WHEN s.archived THEN with_archived ELSE with_others END)
	INTO total, shown
	FROM partyline.session s WHERE s.tenant_id = ctx.tenant;

	SELECT string_agg(page.line, ',') INTO answer.body
	FROM (SELECT api.session_head(s) || '}' AS line
	    FROM partyline.session s
	    WHERE s.tenant_id = ctx.tenant AND CASE WHEN s.archived
		THEN with_archived ELSE with_others END
	    ORDER BY s.created_at DESC, s.id DESC
	    LIMIT most OFFSET skipped) page;
	answer := api.reply(200, '[' || coalesce(answer.body, '') || ']');

	IF skipped > 0 THEN
		SELECT s.created_text INTO before
		FROM partyline.session s
		WHERE s.tenant_id = ctx.tenant AND CASE WHEN s.archived
		    THEN with_archived ELSE with_others END
		ORDER BY s.created_at DESC, s.id DESC
		LIMIT 1 OFFSET skipped - 1;
	END IF;
	answer.headers := '{"X-Total-Count":"' || shown
	    || '","X-Absolute-Total":"' || total
	    || coalesce('","X-Prev-Last-Date":"' || before, '') || '"}';
	RETURN NEXT answer;
END
$$;

CREATE FUNCTION api.session_active(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM api.enter(ctx);
	RETURN NEXT api.reply(200, api.session_active_text(ctx));
END
$$;

CREATE FUNCTION api.session_get(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT api.session_whole(s) INTO body FROM partyline.session s
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	IF NOT FOUND THEN
		RAISE 'session_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN NEXT api.reply(200, body);
END
$$;

CREATE FUNCTION api.session_create(ctx api.ctx, notes text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	new_id bigint;
	moment timestamptz;
	moment_text text;
	notes_text text := coalesce(to_json(notes)::text, 'null');
	active bigint;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'session_create');
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	new_id := api.next_id(ctx, 'session');
	moment := api.moment();
	moment_text := api.iso(moment);
	LOOP
		INSERT INTO partyline.session
		    (tenant_id, id, notes, created_at, created_text)
		VALUES (ctx.tenant, new_id, session_create.notes, moment,
		    moment_text)
		ON CONFLICT (tenant_id) WHERE is_active DO NOTHING;
		EXIT WHEN FOUND;
		SELECT s.id INTO active FROM partyline.session s
		WHERE s.tenant_id = ctx.tenant AND s.is_active;
		IF FOUND THEN
			RAISE 'active_session_exists' USING ERRCODE = 'PT400',
			    DETAIL = '{"activeSessionId":' || active || '}';
		END IF;
		-- It was closed between the two statements.
	END LOOP;
	PERFORM api.stream_create(ctx, 'session:' || new_id,
	    coalesce(octet_length(session_create.notes), 0));
	answer := api.reply(201, format('{"id":%s,"notes":%s,"is_active":1,'
	    '"created_at":"%s","closed_at":null}', new_id, notes_text,
	    moment_text));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'session_create', answer);
	END IF;
	RETURN NEXT answer;
	RETURN NEXT api.emit(ctx, 'lobby', 'session.started', format(
	    '{"session":{"id":%s,"is_active":1,"created_at":"%s","notes":%s}}',
	    new_id, moment_text, notes_text));
END
$$;

-- notes: NULL leaves what is there. A poll ends first, then the game.
CREATE FUNCTION api.session_close(ctx api.ctx, wanted bigint, new_notes text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	session partyline.session;
	moment timestamptz;
	body text;
	more bigint;		-- bytes of the notes; NULL: no new ones
	stopped partyline.monitor[];
	monitor partyline.monitor;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'session_close ' || wanted);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	session := api.session_lock(ctx, wanted);
	IF NOT session.is_active THEN
		RAISE 'session_closed' USING ERRCODE = 'PT400';
	END IF;
	more := octet_length(new_notes)
	    - coalesce(octet_length(session.notes), 0);
	IF session.poll_started_at IS NOT NULL THEN
		PERFORM api.poll_clear(ctx.tenant, wanted);
	END IF;
	moment := api.moment();
	UPDATE partyline.session s
	SET is_active = false, closed_at = moment,
	    closed_text = api.iso(moment),
	    notes = coalesce(new_notes, s.notes),
	    pending_game_id = NULL, pending_game_source = NULL
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted
	RETURNING api.session_head(s) INTO body;
	stopped := api.session_games_demote(ctx, wanted);
	answer := api.reply(200, body || '}');
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'session_close ' || wanted, answer);
	END IF;
	RETURN NEXT answer;
	IF more <> 0 THEN
		PERFORM api.stream_weigh(ctx, 'session:' || wanted, more);
	END IF;
	IF session.poll_started_at IS NOT NULL THEN
		RETURN NEXT api.poll_emit_end(ctx, wanted, api.poll_winner(
		    session.poll_leading_game_id, session.poll_leading_label,
		    session.poll_leading_votes));
	END IF;
	FOREACH monitor IN ARRAY stopped LOOP
		RETURN NEXT api.monitor_disconnected(ctx, monitor);
	END LOOP;
	RETURN NEXT api.emit(ctx, 'session:' || wanted, 'session.ended',
	    format('{"session":{"id":%s,"is_active":0,"games_played":%s}}',
	    wanted, session.games_played));
END
$$;

-- A session with its stream and its events; its row is locked.
CREATE FUNCTION api.session_remove(ctx api.ctx, wanted bigint)
RETURNS api.answer LANGUAGE plpgsql AS $$
DECLARE
	event api.answer;
BEGIN
	DELETE FROM partyline.session s
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	event := api.emit_control(ctx, 'session.deleted', '{"tenant":'
	    || ctx.tenant || ',"stream":"session:' || wanted || '"}');
	PERFORM api.stream_remove(ctx, 'session:' || wanted);
	RETURN event;
END
$$;

CREATE FUNCTION api.session_delete(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	session partyline.session;
BEGIN
	PERFORM api.enter(ctx);
	session := api.session_lock(ctx, wanted);
	IF session.is_active THEN
		RAISE 'session_delete_active' USING ERRCODE = 'PT400';
	END IF;
	PERFORM api.votes_remove(ctx, ARRAY[wanted]);
	RETURN NEXT api.reply(200,
	    '{"message":"Session deleted successfully","sessionId":'
	    || wanted || '}');
	RETURN NEXT api.session_remove(ctx, wanted);
END
$$;

-- Who stores events looks at `archived` under the stream's lock: so does who
-- changes it.
CREATE FUNCTION api.session_mark(ctx api.ctx, wanted bigint, mark boolean)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.session s SET archived = mark
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	PERFORM FROM partyline.stream s
	WHERE s.tenant_id = ctx.tenant AND s.name = 'session:' || wanted
	FOR UPDATE;
END
$$;

-- What both do; scope is the operation's, and its place.
CREATE FUNCTION api.session_mark_kept(ctx api.ctx, scope text, wanted bigint,
    mark boolean)
RETURNS api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	session partyline.session;
BEGIN
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, scope);
		IF answer.status IS NOT NULL THEN
			RETURN answer;
		END IF;
	END IF;
	session := api.session_lock(ctx, wanted);
	IF mark AND session.is_active THEN
		RAISE 'session_archive_active' USING ERRCODE = 'PT400';
	END IF;
	PERFORM api.session_mark(ctx, wanted, mark);
	answer := api.reply(200, '{"success":true}');
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, scope, answer);
	END IF;
	RETURN answer;
END
$$;

CREATE FUNCTION api.session_archive(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	RETURN NEXT api.session_mark_kept(ctx, 'session_archive ' || wanted,
	    wanted, true);
END
$$;

CREATE FUNCTION api.session_unarchive(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	RETURN NEXT api.session_mark_kept(ctx, 'session_unarchive ' || wanted,
	    wanted, false);
END
$$;

-- archive, unarchive or delete all of ids, or none.
CREATE FUNCTION api.session_bulk(ctx api.ctx, action text, ids bigint[])
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	found_ids bigint[];
	active_ids bigint[];
	missing_ids bigint[];
	wanted bigint;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'session_bulk');
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	SELECT coalesce(array_agg(locked.id ORDER BY locked.id), '{}'),
	    array_agg(locked.id ORDER BY locked.id)
		FILTER (WHERE locked.is_active)
	INTO found_ids, active_ids
	FROM (SELECT s.id, s.is_active FROM partyline.session s
	    WHERE s.tenant_id = ctx.tenant AND s.id = ANY (ids)
	    ORDER BY s.id FOR UPDATE) locked;
	SELECT array_agg(DISTINCT w ORDER BY w) INTO missing_ids
	FROM unnest(ids) w WHERE w <> ALL (found_ids);
	IF missing_ids IS NOT NULL THEN
		RAISE 'session_not_found' USING ERRCODE = 'PT404', DETAIL =
		    '{"missingIds":' || to_json(missing_ids)::text || '}';
	END IF;
	IF active_ids IS NOT NULL AND action <> 'unarchive' THEN
		RAISE '%', CASE action WHEN 'archive'
		    THEN 'session_archive_active'
		    ELSE 'session_delete_active' END
		    USING ERRCODE = 'PT400', DETAIL =
		    '{"activeIds":' || to_json(active_ids)::text || '}';
	END IF;
	answer := api.reply(200, format('{"success":true,"affected":%s}',
	    cardinality(found_ids)));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'session_bulk', answer);
	END IF;
	RETURN NEXT answer;
	IF action = 'delete' THEN
		PERFORM api.votes_remove(ctx, found_ids);
	END IF;
	-- In the order of the streams' names.
	FOR wanted IN SELECT w FROM unnest(found_ids) w
	    ORDER BY w::text COLLATE "C" LOOP
		IF action = 'delete' THEN
			RETURN NEXT api.session_remove(ctx, wanted);
		ELSE
			PERFORM api.session_mark(ctx, wanted,
			    action = 'archive');
		END IF;
	END LOOP;
END
$$;
