-- SPDX-License-Identifier: MIT
--
-- Monitors of rooms: one at most for each row of session_game.
--
--	start ──> (look: claimed) ──> report … ──> ended: report, or stop
--
-- A report tells what the monitor sees now, all of it, and what is new in it
-- is found here and told in the same transaction. So one that comes twice
-- tells once, and whoever goes on after a death tells what nobody told yet.
--
-- Whoever starts, stops or reports holds the session's row, and then that of
-- session_game. Who looks locks rows of monitor alone, and waits for none.

-- The row of session_game is locked. A monitor that runs, of the same room,
-- goes on.
CREATE FUNCTION api.monitor_start(ctx api.ctx, played partyline.session_game)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO partyline.monitor AS m (tenant_id, id, session_id,
	    game_id, room_code, max_players, begun_at)
	SELECT ctx.tenant, played.id, played.session_id, played.game_id,
	    played.room_code, g.max_players, api.moment()
	FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.id = played.game_id
	ON CONFLICT (tenant_id, id) DO UPDATE
	SET room_code = EXCLUDED.room_code, begun_at = EXCLUDED.begun_at,
	    lease = m.lease + 1, leased_by = NULL, ended_at = NULL,
	    reason = NULL, app_tag = NULL,
	    max_players = EXCLUDED.max_players,
	    players = '{}', player_ids = '{}', heard_count = NULL,
	    player_count = NULL, lobby_state = NULL, game_state = NULL,
	    can_start = false, is_starting = false, is_connected = false,
	    is_started = false, is_finished = false, shard_id = NULL,
	    shard_secret = NULL
	WHERE m.ended_at IS NOT NULL OR m.room_code <> EXCLUDED.room_code;
END
$$;

-- What a row says whose room is to be watched: `checking` until it has said
-- welcome.
CREATE FUNCTION api.monitor_stage(played partyline.session_game)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN EXISTS (SELECT FROM partyline.monitor m
	    WHERE m.tenant_id = played.tenant_id AND m.id = played.id
		AND m.room_code = played.room_code AND m.ended_at IS NULL
		AND m.is_connected) THEN 'monitoring' ELSE 'checking' END
$$;

-- Those of a session's games, or of one of them, or of all but one. Which of
-- them had found their room: the caller tells of these.
CREATE FUNCTION api.monitors_stop(ctx api.ctx, of_session bigint,
    wanted bigint, but bigint DEFAULT NULL)
RETURNS partyline.monitor[] LANGUAGE plpgsql AS $$
DECLARE
	stopped partyline.monitor[];
BEGIN
	WITH gone AS (
		UPDATE partyline.monitor m
		SET ended_at = api.moment(), reason = 'manually_stopped'
		WHERE m.tenant_id = ctx.tenant AND m.session_id = of_session
		    AND m.ended_at IS NULL
		    AND (wanted IS NULL OR m.id = wanted)
		    AND m.id IS DISTINCT FROM but
		RETURNING m.*)
	SELECT array_agg(ROW(g.*)::partyline.monitor ORDER BY g.id)
	    FILTER (WHERE g.is_connected) INTO stopped FROM gone g;
	RETURN coalesce(stopped, '{}');
END
$$;

-- What each of its events begins with.
CREATE FUNCTION api.monitor_opening(m partyline.monitor)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('{"sessionId":%s,"gameId":%s,"catalogGameId":%s,'
	    '"roomCode":"%s"', m.session_id, m.id, m.game_id, m.room_code)
$$;

CREATE FUNCTION api.monitor_string(t text)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT coalesce(to_json(t)::text, 'null')
$$;

CREATE FUNCTION api.monitor_players(m partyline.monitor)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat(',"playerCount":', coalesce(m.player_count, 0),
	    ',"players":', to_json(m.players))
$$;

CREATE FUNCTION api.monitor_disconnected(ctx api.ctx, m partyline.monitor)
RETURNS api.answer LANGUAGE plpgsql AS $$
BEGIN
	RETURN api.emit(ctx, 'session:' || m.session_id, 'room.disconnected',
	    concat(api.monitor_opening(m), ',"reason":"', m.reason,
	    '","finalPlayerCount":', coalesce(m.player_count, 0), '}'));
END
$$;

-- As status-live and game.status have it.
CREATE FUNCTION api.monitor_status_text(m partyline.monitor)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN concat(api.monitor_opening(m), ',"appTag":',
	    api.monitor_string(m.app_tag), ',"maxPlayers":',
	    m.max_players, api.monitor_players(m),
	    ',"lobbyState":', api.monitor_string(m.lobby_state),
	    ',"gameState":', api.monitor_string(m.game_state),
	    ',"gameStarted":', m.is_started::text, ',"gameFinished":',
	    m.is_finished::text, ',"monitoring":', (m.ended_at IS NULL)::text,
	    '}');
END
$$;

-- Says that a holder lives; then a row with status 201 for each monitor that
-- is its own from now on, at most so many, and one with status 410 for each
-- that somebody stopped. afresh: what it holds is given out again with a new
-- lease, because an answer was lost. element is the tenant.
CREATE FUNCTION api.monitor_look(holder text, lease_ms int, most int,
    afresh boolean)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := clock_timestamp();
	claimed int;
BEGIN
	DELETE FROM partyline.monitor_holder h
	WHERE h.name IN (SELECT d.name FROM partyline.monitor_holder d
	    WHERE d.until < moment AND d.name <> holder
	    FOR UPDATE SKIP LOCKED);
	PERFORM FROM partyline.monitor_holder h WHERE h.name = holder
	    AND h.until > moment + lease_ms * interval '0.67 ms';
	IF NOT FOUND THEN
		INSERT INTO partyline.monitor_holder AS h (name, until)
		VALUES (holder, moment + lease_ms * interval '1 ms')
		ON CONFLICT (name) DO UPDATE SET until = EXCLUDED.until;
	END IF;
	RETURN QUERY
	WITH free AS (
		SELECT m.tenant_id, m.id FROM partyline.monitor m
		WHERE m.ended_at IS NULL AND (NOT EXISTS (
		    SELECT FROM partyline.monitor_holder h
		    WHERE h.name = m.leased_by AND h.until > moment)
		    OR afresh AND m.leased_by = holder)
		ORDER BY m.leased_by = holder DESC NULLS LAST LIMIT most
		FOR UPDATE OF m SKIP LOCKED)
	UPDATE partyline.monitor m
	SET lease = m.lease + 1, leased_by = holder
	FROM free f WHERE m.tenant_id = f.tenant_id AND m.id = f.id
	RETURNING m.tenant_id, 201, row_to_json(m.*)::text, NULL::text,
	    NULL::text, NULL::bigint, NULL::text, NULL::text;
	GET DIAGNOSTICS claimed = ROW_COUNT;
	RETURN QUERY
	UPDATE partyline.monitor m SET leased_by = NULL
	WHERE m.leased_by = holder AND m.ended_at IS NOT NULL
	RETURNING m.tenant_id, 410, format('{"id":%s,"lease":%s}', m.id,
	    m.lease), NULL::text, NULL::text, NULL::bigint, NULL::text,
	    NULL::text;
	RETURN NEXT api.reply(200, format('{"claimed":%s}', claimed));
END
$$;

-- Gives back all that it holds: whoever looks next goes on.
CREATE FUNCTION api.monitor_leave(holder text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM partyline.monitor_holder h WHERE h.name = holder;
	UPDATE partyline.monitor m SET leased_by = NULL
	WHERE m.leased_by = holder;
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- The row for the rest of the transaction, below those of its session and of
-- its game; nothing, where the lease is another one's or it has ended.
CREATE FUNCTION api.monitor_hold(of_tenant int, wanted bigint, number bigint)
RETURNS partyline.monitor LANGUAGE plpgsql AS $$
DECLARE
	m partyline.monitor;
BEGIN
	PERFORM FROM partyline.session s
	WHERE s.tenant_id = of_tenant AND s.id = (
	    SELECT v.session_id FROM partyline.monitor v
	    WHERE v.tenant_id = of_tenant AND v.id = wanted)
	FOR NO KEY UPDATE;
	PERFORM FROM partyline.session_game p
	WHERE p.tenant_id = of_tenant AND p.id = wanted
	FOR NO KEY UPDATE;
	SELECT * INTO m FROM partyline.monitor v
	WHERE v.tenant_id = of_tenant AND v.id = wanted AND v.lease = number
	    AND v.ended_at IS NULL
	FOR NO KEY UPDATE;
	RETURN m;
END
$$;

-- What became of the row of session_game; its state, for those who are told
-- how many play. A room that closed has been played.
CREATE FUNCTION api.monitor_note(m partyline.monitor)
RETURNS partyline.session_game LANGUAGE plpgsql AS $$
DECLARE
	played partyline.session_game;
BEGIN
	UPDATE partyline.session_game p
	SET player_count = coalesce(m.player_count, p.player_count),
	    status = CASE WHEN p.status = 'playing'
		AND m.reason = 'room_closed' THEN 'played'
		ELSE p.status END,
	    player_count_check_status = CASE m.reason
		WHEN 'room_closed' THEN 'completed'
		WHEN 'manually_stopped' THEN 'stopped'
		ELSE CASE WHEN m.reason IS NOT NULL THEN 'failed'
		    WHEN m.is_connected THEN 'monitoring'
		    ELSE 'checking' END END
	WHERE p.tenant_id = m.tenant_id AND p.id = m.id
	RETURNING * INTO played;
	RETURN played;
END
$$;

CREATE FUNCTION api.monitor_write(m partyline.monitor)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.monitor v
	SET app_tag = m.app_tag, max_players = m.max_players,
	    players = m.players, player_ids = m.player_ids,
	    heard_count = m.heard_count, player_count = m.player_count,
	    lobby_state = m.lobby_state, game_state = m.game_state,
	    can_start = m.can_start, is_starting = m.is_starting,
	    is_connected = m.is_connected, is_started = m.is_started,
	    is_finished = m.is_finished, shard_id = m.shard_id,
	    shard_secret = m.shard_secret, ended_at = m.ended_at,
	    reason = m.reason
	WHERE v.tenant_id = m.tenant_id AND v.id = m.id;
END
$$;

-- Old and new, as the events between them.
CREATE FUNCTION api.monitor_tell(ctx api.ctx, old partyline.monitor,
    m partyline.monitor, played partyline.session_game)
RETURNS api.answer[] LANGUAGE plpgsql AS $$
DECLARE
	told api.answer[] := '{}';
	stream text := 'session:' || m.session_id;
	opening text := api.monitor_opening(m);
	players text := api.monitor_players(m);
	most text := ',"maxPlayers":' || m.max_players;
BEGIN
	IF m.is_connected AND NOT old.is_connected THEN
		told := told || api.emit(ctx, stream, 'room.connected',
		    concat(opening, ',"appTag":',
		    api.monitor_string(m.app_tag), most, players,
		    ',"lobbyState":', api.monitor_string(m.lobby_state),
		    ',"gameState":', api.monitor_string(m.game_state), '}'));
	ELSIF m.is_connected THEN
		FOR n IN cardinality(old.players) + 1
		    .. cardinality(m.players) LOOP
			told := told || api.emit(ctx, stream,
			    'lobby.player-joined', concat(opening,
			    ',"playerName":', to_json(m.players[n]),
			    ',"playerCount":', m.player_count, ',"players":',
			    to_json(m.players[1:n]), most, '}'));
		END LOOP;
	END IF;
	IF m.player_count IS DISTINCT FROM old.player_count THEN
		told := told || api.session_game_counted(ctx, played);
	END IF;
	IF old.is_connected AND NOT m.is_started
	    AND (m.lobby_state, m.can_start, m.is_starting) IS DISTINCT FROM
	    (old.lobby_state, old.can_start, old.is_starting) THEN
		told := told || api.emit(ctx, stream, 'lobby.updated', concat(
		    opening, ',"lobbyState":',
		    api.monitor_string(m.lobby_state), ',"gameCanStart":',
		    m.can_start::text, ',"gameIsStarting":',
		    m.is_starting::text, ',"playerCount":',
		    coalesce(m.player_count, 0), '}'));
	END IF;
	IF m.is_started AND NOT old.is_started THEN
		told := told || api.emit(ctx, stream, 'game.started',
		    concat(opening, players, most, '}'));
	END IF;
	IF m.is_finished AND NOT old.is_finished THEN
		told := told || api.emit(ctx, stream, 'game.ended',
		    concat(opening, players, '}'));
	END IF;
	IF m.reason IS NOT NULL THEN
		told := told || api.monitor_disconnected(ctx, m);
	END IF;
	RETURN told;
END
$$;

-- What the monitor sees now, as a JSON object of columns; and why it ends,
-- where it does. 409: it may write no more. element of an event is its
-- tenant.
CREATE FUNCTION api.monitor_report(of_tenant int, wanted bigint,
    number bigint, seen text, why text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	ctx api.ctx := ROW(of_tenant, NULL, NULL, 'room monitor', NULL, NULL,
	    NULL);
	old partyline.monitor := api.monitor_hold(of_tenant, wanted, number);
	m partyline.monitor;
	played partyline.session_game;
	event api.answer;
BEGIN
	IF old.id IS NULL THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	m := json_populate_record(old, seen::json);
	IF m.heard_count IS DISTINCT FROM old.heard_count THEN
		m.player_count := m.heard_count;
	END IF;
	IF why IS NOT NULL THEN
		m.reason := why;
		m.ended_at := api.moment();
	END IF;
	PERFORM api.monitor_write(m);
	IF (m.player_count, m.reason, m.is_connected) IS DISTINCT FROM
	    (old.player_count, old.reason, old.is_connected) THEN
		played := api.monitor_note(m);
	END IF;
	FOREACH event IN ARRAY api.monitor_tell(ctx, old, m, played) LOOP
		event.element := of_tenant;
		RETURN NEXT event;
	END LOOP;
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- game.status, for those who are there. 409 as above.
CREATE FUNCTION api.monitor_status(of_tenant int, wanted bigint,
    number bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	m partyline.monitor;
	event api.answer;
BEGIN
	SELECT * INTO m FROM partyline.monitor v
	WHERE v.tenant_id = of_tenant AND v.id = wanted AND v.lease = number
	    AND v.ended_at IS NULL;
	IF NOT FOUND THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	event := api.live('session:' || m.session_id, 'game.status',
	    api.monitor_status_text(m));
	event.element := of_tenant;
	RETURN NEXT event;
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- For operators: those that run, of all tenants or of one; with is_all those
-- that have ended, too.
CREATE FUNCTION api.monitor_list(of_tenant int, is_all boolean)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN NEXT api.reply(200, coalesce((SELECT json_agg(
	    json_build_object('tenant', t.slug, 'session', m.session_id,
	    'game', m.id, 'room', m.room_code, 'app', m.app_tag,
	    'players', m.player_count, 'max_players', m.max_players,
	    'state', CASE WHEN m.ended_at IS NOT NULL THEN 'ended'
		WHEN m.is_started THEN 'playing'
		WHEN m.is_connected THEN 'lobby' ELSE 'connecting' END,
	    'holder', CASE WHEN m.ended_at IS NULL THEN (SELECT h.name
		FROM partyline.monitor_holder h WHERE h.name = m.leased_by
		AND h.until > clock_timestamp()) END,
	    'reason', m.reason, 'begun_at', api.iso(m.begun_at),
	    'ended_at', api.iso(m.ended_at))
	    ORDER BY m.begun_at, m.tenant_id, m.id)
	    FROM partyline.monitor m
	    JOIN partyline.tenant t ON t.id = m.tenant_id
	    WHERE (of_tenant IS NULL OR m.tenant_id = of_tenant)
		AND (is_all OR m.ended_at IS NULL))::text, '[]'));
END
$$;
