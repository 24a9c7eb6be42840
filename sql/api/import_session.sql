-- SPDX-License-Identifier: MIT
--
-- Sessions of today's server, with what was played, voted and said in them.

-- A session as it is to be stored. is_last: no other one of the file that is
-- active is newer. has_poll: NULL where the file does not say.
CREATE FUNCTION api.import_session_fit(games bigint[],
    session partyline.session, is_last boolean, has_poll boolean,
    OUT fit partyline.session, OUT note text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	changes text[];
BEGIN
	fit := session;
	fit.is_active := coalesce(fit.is_active, fit.closed_at IS NULL);
	fit.archived := coalesce(fit.archived, false);
	IF fit.created_at IS NULL THEN
		fit.created_at := coalesce(fit.closed_at, 'epoch');
		changes := changes || format('created_at is missing: taken '
		    'as %s', api.iso(fit.created_at));
	END IF;
	IF fit.is_active AND NOT is_last THEN
		fit.is_active := false;
		changes := changes || 'another session is active, too: '
		    'this one is closed'::text;
	END IF;
	IF fit.is_active AND fit.archived THEN
		fit.archived := false;
		changes := changes || 'it is active: not archived'::text;
	END IF;
	IF fit.is_active AND fit.closed_at IS NOT NULL THEN
		fit.closed_at := NULL;
		changes := changes || 'it is active: closed_at is left '
		    'empty'::text;
	ELSIF NOT fit.is_active AND fit.closed_at IS NULL THEN
		fit.closed_at := fit.created_at;
		changes := changes || format('closed_at is missing: taken '
		    'as %s', api.iso(fit.closed_at));
	END IF;
	IF fit.is_active AND fit.pending_game_id <> ALL (games) THEN
		fit.pending_game_id := NULL;
		changes := changes || 'the game that is selected is not '
		    'there: left empty'::text;
	END IF;
	IF fit.is_active AND fit.poll_started_at IS NULL AND (has_poll
	    OR fit.poll_ending_at IS NOT NULL) THEN
		changes := changes || 'a poll runs of which the start is '
		    'not known: it is left out'::text;
	END IF;
	IF NOT fit.is_active OR fit.pending_game_id IS NULL THEN
		fit.pending_game_id := NULL;
		fit.pending_game_source := NULL;
	ELSE
		fit.pending_game_source := coalesce(fit.pending_game_source,
		    'manual');
	END IF;
	IF NOT fit.is_active OR fit.poll_started_at IS NULL
	    OR NOT has_poll THEN
		fit.poll_started_at := NULL;
		fit.poll_ending_at := NULL;
		fit.poll_leading_game_id := NULL;
	END IF;
	IF fit.poll_leading_game_id IS NULL THEN
		fit.poll_leading_label := NULL;
		fit.poll_leading_votes := NULL;
	ELSE
		fit.poll_leading_label := coalesce(fit.poll_leading_label,
		    '');
		fit.poll_leading_votes := coalesce(fit.poll_leading_votes, 0);
	END IF;
	fit.created_text := api.iso(fit.created_at);
	fit.closed_text := api.iso(fit.closed_at);
	fit.poll_started_text := api.iso(fit.poll_started_at);
	fit.poll_ending_text := api.iso(fit.poll_ending_at);
	note := api.import_changes('sessions', session.id, changes);
END
$$;

-- One that was closed here stays closed. games: the ids of those that were
-- brought in.
CREATE FUNCTION api.import_sessions(ctx api.ctx, rows text, games bigint[])
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[] := '{}';
	notes text[] := '{}';
	added bigint := 0;
	updated bigint := 0;
	given record;
	fitted record;
	session partyline.session;
	old partyline.session;
	active bigint;
BEGIN
	-- Who is closed makes room for who is active.
	FOR given IN SELECT s AS session, j.value->>'poll_active' AS has_poll,
		row_number() OVER (PARTITION BY s.id) > 1 AS is_second,
		row_number() OVER (PARTITION BY coalesce(s.is_active,
		    s.closed_at IS NULL) ORDER BY s.created_at DESC NULLS LAST,
		    s.id DESC) = 1 AS is_last
	    FROM json_array_elements(rows::json) j,
		json_populate_record(NULL::partyline.session, j.value) s
	    ORDER BY coalesce(s.is_active, s.closed_at IS NULL), s.id LOOP
		session := given.session;
		SELECT * INTO old FROM partyline.session s
		WHERE s.tenant_id = ctx.tenant AND s.id = session.id;
		fitted := api.import_session_fit(games, session,
		    given.is_last, given.has_poll::boolean);
		session := fitted.fit;
		IF fitted.note IS NOT NULL THEN
			notes := notes || fitted.note;
		END IF;
		IF given.is_second OR old.created_at
		    <> session.created_at THEN
			notes := notes || api.import_note('sessions',
			    session.id, 'left_out',
			    'another session has its id');
			CONTINUE;
		END IF;
		IF session.is_active AND NOT old.is_active THEN
			notes := notes || api.import_note('sessions',
			    session.id, 'changed',
			    'it was closed here: it stays closed');
			session.closed_at := old.closed_at;
			fitted := api.import_session_fit(games, session,
			    false, false);
			session := fitted.fit;
		END IF;
		SELECT s.id INTO active FROM partyline.session s
		WHERE s.tenant_id = ctx.tenant AND s.is_active
		    AND s.id <> session.id;
		IF FOUND AND session.is_active THEN
			RAISE 'import_session_active' USING ERRCODE = 'PT409',
			    DETAIL = format('{"activeSessionId":%s,'
			    '"sessionId":%s}', active, session.id);
		END IF;
		session.tenant_id := ctx.tenant;
		session.games_played := coalesce(old.games_played, 0);
		ids := ids || session.id;
		IF old.id IS NULL THEN
			INSERT INTO partyline.session SELECT session.*;
			PERFORM api.stream_create(ctx,
			    'session:' || session.id);
			added := added + 1;
		ELSIF old IS DISTINCT FROM session THEN
			PERFORM api.import_session_put(session);
			updated := updated + 1;
		END IF;
	END LOOP;
	RETURN ROW(ids, added, updated,
	    nullif(array_to_string(notes, ','), ''));
END
$$;

CREATE FUNCTION api.import_session_put(session partyline.session)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.session s
	SET notes = session.notes, is_active = session.is_active,
	    archived = session.archived, closed_at = session.closed_at,
	    closed_text = session.closed_text,
	    pending_game_id = session.pending_game_id,
	    pending_game_source = session.pending_game_source,
	    poll_started_at = session.poll_started_at,
	    poll_started_text = session.poll_started_text,
	    poll_ending_at = session.poll_ending_at,
	    poll_ending_text = session.poll_ending_text,
	    poll_leading_game_id = session.poll_leading_game_id,
	    poll_leading_label = session.poll_leading_label,
	    poll_leading_votes = session.poll_leading_votes
	WHERE s.tenant_id = session.tenant_id AND s.id = session.id;
END
$$;

-- A game of a session as it is to be stored. is_last: it plays, and none of
-- the session that plays came later.
CREATE FUNCTION api.import_played_fit(ctx api.ctx,
    played partyline.session_game, is_last boolean,
    OUT fit partyline.session_game, OUT note text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	session partyline.session;
	changes text[];
BEGIN
	SELECT * INTO session FROM partyline.session s
	WHERE s.tenant_id = ctx.tenant AND s.id = played.session_id;
	fit := played;
	fit.tenant_id := ctx.tenant;
	IF fit.played_at IS NULL THEN
		fit.played_at := session.created_at;
		changes := changes || format('played_at is missing: taken '
		    'as %s', session.created_text);
	END IF;
	fit.played_text := api.iso(fit.played_at);
	fit.manually_added := coalesce(fit.manually_added, false);
	fit.source := coalesce(fit.source, CASE WHEN fit.manually_added
	    THEN 'manual' ELSE 'dice' END);
	fit.status := coalesce(fit.status, 'played');
	IF fit.status = 'playing' AND NOT session.is_active THEN
		fit.status := 'played';
		changes := changes || 'its session is closed: played'::text;
	ELSIF fit.status = 'playing' AND (NOT is_last OR EXISTS (
	    SELECT FROM partyline.session_game s
	    WHERE s.tenant_id = ctx.tenant AND s.status = 'playing'
		AND s.session_id = fit.session_id AND s.id <> fit.id)) THEN
		fit.status := 'played';
		changes := changes || 'another game of the session is '
		    'playing: played'::text;
	END IF;
	IF fit.player_count_check_status IN ('monitoring', 'checking')
	    AND fit.status <> 'playing' THEN
		fit.player_count_check_status := 'stopped';
		changes := changes || 'nobody watches its room any more: '
		    'stopped'::text;
	ELSIF fit.player_count_check_status IN ('monitoring', 'checking') THEN
		fit.player_count_check_status := CASE WHEN fit.room_code
		    IS NULL THEN 'stopped' ELSE 'checking' END;
	END IF;
	note := api.import_changes('session_games', played.id, changes);
END
$$;

-- Why a row has no place: what it belongs to was not brought in.
CREATE FUNCTION api.import_dangles(session bigint, sessions bigint[],
    game bigint, games bigint[])
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN session <> ALL (sessions)
		THEN format('its session %s was not brought in', session)
	    WHEN game <> ALL (games)
		THEN format('its game %s was not brought in', game) END
$$;

-- A room that was watched there is watched here.
CREATE FUNCTION api.import_watch(ctx api.ctx, played partyline.session_game)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF played.player_count_check_status = 'checking' THEN
		PERFORM api.monitor_start(ctx, played);
	END IF;
END
$$;

CREATE FUNCTION api.import_session_games(ctx api.ctx, rows text,
    sessions bigint[], games bigint[])
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[] := '{}';
	notes text[] := '{}';
	added bigint := 0;
	updated bigint := 0;
	given record;
	fitted record;
	played partyline.session_game;
	old partyline.session_game;
	why text;
BEGIN
	-- What plays no longer makes room for what does.
	FOR given IN SELECT s AS played, row_number() OVER (
		PARTITION BY s.session_id, s.status
		ORDER BY s.played_at DESC NULLS LAST, s.id DESC) = 1
		AS is_last,
		row_number() OVER (PARTITION BY s.id) > 1 AS is_second
	    FROM json_populate_recordset(NULL::partyline.session_game,
		rows::json) s
	    ORDER BY coalesce(s.status = 'playing', false), s.id LOOP
		played := given.played;
		why := api.import_dangles(played.session_id, sessions,
		    played.game_id, games);
		SELECT * INTO old FROM partyline.session_game s
		WHERE s.tenant_id = ctx.tenant AND s.id = played.id;
		IF why IS NULL THEN
			fitted := api.import_played_fit(ctx, played,
			    given.is_last);
			played := fitted.fit;
			IF fitted.note IS NOT NULL THEN
				notes := notes || fitted.note;
			END IF;
			IF given.is_second OR old.session_id
			    <> played.session_id OR old.game_id
			    <> played.game_id OR old.played_at
			    <> played.played_at THEN
				why := 'another row has its id';
			END IF;
		END IF;
		IF why IS NOT NULL THEN
			notes := notes || api.import_note('session_games',
			    played.id, 'left_out', why);
			CONTINUE;
		END IF;
		ids := ids || played.id;
		IF played.player_count_check_status = 'checking'
		    AND old.room_code = played.room_code THEN
			played.player_count_check_status :=
			    old.player_count_check_status;
		END IF;
		IF old.id IS NULL THEN
			INSERT INTO partyline.session_game SELECT played.*;
			PERFORM api.import_watch(ctx, played);
			added := added + 1;
		ELSIF old IS DISTINCT FROM played THEN
			UPDATE partyline.session_game s
			SET manually_added = played.manually_added,
			    source = played.source, status = played.status,
			    room_code = played.room_code,
			    player_count = played.player_count,
			    player_count_check_status =
				played.player_count_check_status
			WHERE s.tenant_id = ctx.tenant AND s.id = played.id;
			PERFORM api.import_watch(ctx, played);
			updated := updated + 1;
		END IF;
	END LOOP;
	RETURN ROW(ids, added, updated,
	    nullif(array_to_string(notes, ','), ''));
END
$$;

-- Votes never change.
CREATE FUNCTION api.import_live_votes(ctx api.ctx, rows text,
    sessions bigint[], games bigint[])
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	done api.imported := ROW('{}', 0, 0, NULL);
BEGIN
	WITH looked AS (
		SELECT g.*, v.id IS NOT NULL AS is_here, coalesce(
		    api.import_dangles(g.session_id, sessions, g.game_id,
			games),
		    CASE WHEN row_number() OVER (PARTITION BY g.id) > 1
			OR v.session_id <> g.session_id
			OR v.game_id <> g.game_id
			OR v.username <> g.username OR v.vote <> g.vote
			OR v.voted_at <> g.voted_at
			THEN 'another vote has its id' END) AS why
		FROM json_populate_recordset(NULL::partyline.live_vote,
		    rows::json) g
		LEFT JOIN partyline.live_vote v
		    ON v.tenant_id = ctx.tenant AND v.id = g.id
	), stored AS (
		INSERT INTO partyline.live_vote (tenant_id, id, session_id,
		    game_id, username, vote, voted_at, voted_text,
		    created_at, created_text)
		SELECT ctx.tenant, l.id, l.session_id, l.game_id, l.username,
		    l.vote, l.voted_at, api.iso(l.voted_at),
		    coalesce(l.created_at, l.voted_at),
		    api.iso(coalesce(l.created_at, l.voted_at))
		FROM looked l WHERE l.why IS NULL AND NOT l.is_here
	)
	SELECT array_agg(l.id) FILTER (WHERE l.why IS NULL),
	    count(*) FILTER (WHERE l.why IS NULL AND NOT l.is_here), 0,
	    string_agg(api.import_note('live_votes', l.id, 'left_out',
		l.why), ',' ORDER BY l.id) FILTER (WHERE l.why IS NOT NULL)
	INTO done FROM looked l;
	RETURN done;
END
$$;

-- Lines of chat neither; the same line of a session is told by its hash. A
-- vote in it counted for the game of that moment.
CREATE FUNCTION api.import_chat_logs(ctx api.ctx, rows text,
    sessions bigint[])
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	done api.imported := ROW('{}', 0, 0, NULL);
BEGIN
	WITH given AS (
		SELECT g.id, g.session_id, g.username, g.message, g.said_at,
		    coalesce(g.vote, api.chat_vote(g.message)) AS vote,
		    coalesce(decode(j.value->>'said_hash', 'hex'),
			sha256(convert_to(concat(g.username, ':', g.message,
			':', api.iso(g.said_at)), 'UTF8'))) AS hash
		FROM json_array_elements(rows::json) j,
		    json_populate_record(NULL::partyline.chat_log,
			j.value) g
	), looked AS (
		SELECT g.*, h.id IS NOT NULL AS is_here, coalesce(
		    api.import_dangles(g.session_id, sessions, NULL, NULL),
		    CASE WHEN row_number() OVER (PARTITION BY g.session_id,
			g.hash ORDER BY g.id) > 1
			THEN 'the session has the same line already'
		    WHEN h.id IS NULL AND (c.id IS NOT NULL
			OR row_number() OVER (PARTITION BY g.id) > 1)
			THEN 'another line has its id' END) AS why
		FROM given g
		LEFT JOIN partyline.chat_log c
		    ON c.tenant_id = ctx.tenant AND c.id = g.id
		LEFT JOIN partyline.chat_log h ON h.tenant_id = ctx.tenant
		    AND h.session_id = g.session_id AND h.hash = g.hash
	), stored AS (
		INSERT INTO partyline.chat_log (tenant_id, id, session_id,
		    username, message, said_at, said_text, vote, game_id,
		    hash)
		SELECT ctx.tenant, l.id, l.session_id, l.username, l.message,
		    l.said_at, api.iso(l.said_at), l.vote,
		    CASE WHEN l.vote IS NOT NULL THEN
			(SELECT p.game_id FROM partyline.session_game p
			WHERE p.tenant_id = ctx.tenant
			    AND p.session_id = l.session_id
			    AND p.played_at <= l.said_at
			ORDER BY p.played_at DESC, p.id DESC LIMIT 1) END,
		    l.hash
		FROM looked l WHERE l.why IS NULL AND NOT l.is_here
	)
	SELECT array_agg(l.id) FILTER (WHERE l.why IS NULL),
	    count(*) FILTER (WHERE l.why IS NULL AND NOT l.is_here), 0,
	    string_agg(api.import_note('chat_logs', l.id, 'left_out',
		l.why), ',' ORDER BY l.id) FILTER (WHERE l.why IS NOT NULL)
	INTO done FROM looked l;
	RETURN done;
END
$$;
