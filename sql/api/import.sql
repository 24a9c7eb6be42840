-- SPDX-License-Identifier: MIT
--
-- What today's server had, brought in as a whole and again, by `partyline
-- import sqlite`. Ids and times stay. A row that is here already is the same
-- row when its id and the moment it was made are the same; then what the file
-- says of it counts. Whatever else has its id here stays, and the row is left
-- out, and so is what belongs to it. What was brought in is no event: nobody
-- is told.

-- Of one table: the ids that are here now, how many of them were added or
-- changed, and what is to be told, as elements of a JSON array.
CREATE TYPE api.imported AS (
	ids	bigint[],
	added	bigint,
	updated	bigint,
	notes	text
);

-- what: changed, left_out, replaced.
CREATE FUNCTION api.import_note(noun text, id bigint, what text, why text)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('{"table":"%s","id":%s,"what":"%s","why":%s}', noun,
	    coalesce(id::text, 'null'), what, to_json(why))
$$;

CREATE FUNCTION api.import_tell(done api.imported, note text)
RETURNS api.imported LANGUAGE plpgsql STABLE AS $$
BEGIN
	done.notes := concat_ws(',', done.notes, note);
	RETURN done;
END
$$;

-- The catalog that we put there gives way, while nobody has used or changed
-- any of it. How many games that were.
CREATE FUNCTION api.import_displace(ctx api.ctx)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	gone bigint;
BEGIN
	DELETE FROM partyline.catalog_due d WHERE d.tenant_id = ctx.tenant;
	IF EXISTS (SELECT FROM partyline.game g
		WHERE g.tenant_id = ctx.tenant AND (g.bytes > 0
		    OR g.play_count > 0 OR g.upvotes > 0 OR g.downvotes > 0
		    OR NOT g.enabled OR g.favor_bias <> 0))
	    OR EXISTS (SELECT FROM partyline.pack p
		WHERE p.tenant_id = ctx.tenant AND p.favor_bias <> 0)
	    OR EXISTS (SELECT FROM partyline.session_game s
		WHERE s.tenant_id = ctx.tenant)
	    OR EXISTS (SELECT FROM partyline.live_vote v
		WHERE v.tenant_id = ctx.tenant) THEN
		RETURN 0;
	END IF;
	DELETE FROM partyline.game g WHERE g.tenant_id = ctx.tenant;
	GET DIAGNOSTICS gone = ROW_COUNT;
	DELETE FROM partyline.pack p WHERE p.tenant_id = ctx.tenant;
	RETURN gone;
END
$$;

-- Packs without a game are none; a name is a pack, whatever its id was.
CREATE FUNCTION api.import_packs(ctx api.ctx, rows text, games text)
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	done api.imported := ROW('{}', 0, 0, NULL);
	pack partyline.pack;
	old partyline.pack;
	used text[] := ARRAY(SELECT DISTINCT g.pack_name FROM
	    json_populate_recordset(NULL::partyline.game, games::json) g);
BEGIN
	FOR pack IN SELECT * FROM json_populate_recordset(
	    NULL::partyline.pack, rows::json) p ORDER BY p.id LOOP
		pack.favor_bias := coalesce(pack.favor_bias, 0);
		pack.created_at := coalesce(pack.created_at, 'epoch');
		IF pack.name <> ALL (used) THEN
			done := api.import_tell(done, api.import_note('packs',
			    pack.id, 'left_out', 'no game is in it'));
			CONTINUE;
		END IF;
		SELECT * INTO old FROM partyline.pack p
		WHERE p.tenant_id = ctx.tenant AND p.name = pack.name;
		IF old.id = ANY (done.ids) THEN
			done := api.import_tell(done, api.import_note('packs',
			    pack.id, 'left_out', format('pack %s of the file '
			    'has the same name', old.id)));
		ELSIF old.id IS NOT NULL THEN
			UPDATE partyline.pack p
			SET favor_bias = pack.favor_bias
			WHERE p.tenant_id = ctx.tenant AND p.id = old.id
			    AND p.favor_bias <> pack.favor_bias;
			IF FOUND THEN
				done.updated := done.updated + 1;
			END IF;
			done.ids := done.ids || old.id;
		ELSE
			IF EXISTS (SELECT FROM partyline.pack p
			    WHERE p.tenant_id = ctx.tenant
				AND p.id = pack.id) THEN
				done := api.import_tell(done, api.import_note(
				    'packs', pack.id, 'changed',
				    'another pack has its id here: it has a '
				    'new one'));
				UPDATE partyline.counter c
				SET last = c.last + 1
				WHERE c.tenant_id = ctx.tenant
				    AND c.noun = 'pack'
				RETURNING c.last INTO pack.id;
			END IF;
			INSERT INTO partyline.pack (tenant_id, id, name,
			    favor_bias, created_at, created_text)
			VALUES (ctx.tenant, pack.id, pack.name,
			    pack.favor_bias, pack.created_at,
			    api.iso(pack.created_at));
			done.added := done.added + 1;
			done.ids := done.ids || pack.id;
		END IF;
	END LOOP;
	RETURN done;
END
$$;

-- What the tenant has counted for its games beside the rows of the file.
CREATE FUNCTION api.import_counted_here(ctx api.ctx, played bigint[],
    voted bigint[], said bigint[])
RETURNS TABLE (game bigint, plays bigint, ups bigint, downs bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY
	SELECT c.game_id, sum(c.plays)::bigint,
	    count(*) FILTER (WHERE c.vote = 1),
	    count(*) FILTER (WHERE c.vote = -1)
	FROM (SELECT s.game_id, 1 AS plays, NULL::smallint AS vote
	    FROM partyline.session_game s
	    WHERE s.tenant_id = ctx.tenant AND s.id <> ALL (played)
	    UNION ALL SELECT v.game_id, 0, v.vote FROM partyline.live_vote v
	    WHERE v.tenant_id = ctx.tenant AND v.id <> ALL (voted)
	    UNION ALL SELECT l.game_id, 0, l.vote FROM partyline.chat_log l
	    WHERE l.tenant_id = ctx.tenant AND l.game_id IS NOT NULL
		AND l.id <> ALL (said)) c
	GROUP BY c.game_id;
END
$$;

-- A game as it is to be stored, with what had to be changed for that.
CREATE FUNCTION api.import_game_fit(ctx api.ctx, game partyline.game,
    INOUT done api.imported, OUT fit partyline.game)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	other bigint;
BEGIN
	fit := game;
	fit.created_at := coalesce(fit.created_at, 'epoch');
	fit.created_text := api.iso(fit.created_at);
	fit.has_audience := coalesce(fit.has_audience, false);
	fit.family_friendly := coalesce(fit.family_friendly, false);
	fit.enabled := coalesce(fit.enabled, true);
	fit.favor_bias := coalesce(fit.favor_bias, 0);
	fit.play_count := coalesce(fit.play_count, 0);
	fit.upvotes := coalesce(fit.upvotes, 0);
	fit.downvotes := coalesce(fit.downvotes, 0);
	fit.min_players := coalesce(fit.min_players, 1);
	fit.max_players := coalesce(fit.max_players, 100);
	fit.game_type := nullif(fit.game_type, '');
	fit.secondary_type := nullif(fit.secondary_type, '');
	IF fit.max_players < fit.min_players THEN
		fit.max_players := fit.min_players;
		done := api.import_tell(done, api.import_note('games',
		    fit.id, 'changed', format('max_players was less than '
		    'min_players: taken as %s', fit.min_players)));
	END IF;
	SELECT g.id INTO other FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.pack_name = fit.pack_name
	    AND g.title = fit.title AND g.id <> fit.id;
	IF FOUND THEN
		fit.title := concat(fit.title, ' (', fit.id, ')');
		done := api.import_tell(done, api.import_note('games',
		    fit.id, 'changed', format('game %s has the same pack and '
		    'title: this one is called %s', other, fit.title)));
	END IF;
	SELECT g.id INTO other FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND upper(g.ticker) = fit.ticker
	    AND g.id <> fit.id;
	IF FOUND THEN
		done := api.import_tell(done, api.import_note('games',
		    fit.id, 'changed', format('game %s has the ticker %s: '
		    'left empty', other, fit.ticker)));
		fit.ticker := NULL;
	END IF;
	fit.bytes := api.game_bytes(fit.pack_name, fit.title, fit.game_type,
	    fit.secondary_type, fit.ticker);
END
$$;

-- Their packs are here. played, voted, said: what the file counts itself.
CREATE FUNCTION api.import_games(ctx api.ctx, rows text, played bigint[],
    voted bigint[], said bigint[])
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	done api.imported := ROW('{}', 0, 0, NULL);
	given record;
	fitted record;
	game partyline.game;
	old partyline.game;
BEGIN
	FOR given IN SELECT g AS game, coalesce(h.plays, 0) AS plays,
	    coalesce(h.ups, 0) AS ups, coalesce(h.downs, 0) AS downs
	    FROM json_populate_recordset(NULL::partyline.game, rows::json) g
	    LEFT JOIN api.import_counted_here(ctx, played, voted, said) h
		ON h.game = g.id
	    ORDER BY g.id LOOP
		game := given.game;
		SELECT * INTO old FROM partyline.game g
		WHERE g.tenant_id = ctx.tenant AND g.id = game.id;
		IF game.id = ANY (done.ids) OR old.created_at <>
		    coalesce(game.created_at, 'epoch') THEN
			done := api.import_tell(done, api.import_note('games',
			    game.id, 'left_out', 'another game has its id'));
			CONTINUE;
		END IF;
		fitted := api.import_game_fit(ctx, game, done);
		done := fitted.done;
		game := fitted.fit;
		game.tenant_id := ctx.tenant;
		game.play_count := game.play_count + given.plays;
		game.upvotes := game.upvotes + given.ups;
		game.downvotes := game.downvotes + given.downs;
		done.ids := done.ids || game.id;
		IF old.id IS NULL THEN
			INSERT INTO partyline.game SELECT game.*;
			done.added := done.added + 1;
		ELSIF old IS DISTINCT FROM game THEN
			UPDATE partyline.game g
			SET pack_name = game.pack_name, title = game.title,
			    min_players = game.min_players,
			    max_players = game.max_players,
			    length_minutes = game.length_minutes,
			    has_audience = game.has_audience,
			    family_friendly = game.family_friendly,
			    game_type = game.game_type,
			    secondary_type = game.secondary_type,
			    ticker = game.ticker,
			    play_count = game.play_count,
			    upvotes = game.upvotes,
			    downvotes = game.downvotes,
			    enabled = game.enabled,
			    favor_bias = game.favor_bias, bytes = game.bytes
			WHERE g.tenant_id = ctx.tenant AND g.id = game.id;
			done.updated := done.updated + 1;
		END IF;
	END LOOP;
	RETURN done;
END
$$;

-- A session as it is to be stored. is_last: no other one of the file that is
-- active is newer. has_poll: NULL where the file does not say.
CREATE FUNCTION api.import_session_fit(games bigint[],
    session partyline.session, is_last boolean, has_poll boolean,
    INOUT done api.imported, OUT fit partyline.session)
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
	done.notes := concat_ws(',', done.notes, (SELECT string_agg(
	    api.import_note('sessions', session.id, 'changed', c), ',')
	    FROM unnest(changes) c));
END
$$;

-- One that was closed here stays closed. games: the ids of those that were
-- brought in.
CREATE FUNCTION api.import_sessions(ctx api.ctx, rows text, games bigint[])
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	done api.imported := ROW('{}', 0, 0, NULL);
	given record;
	fitted record;
	session partyline.session;
	old partyline.session;
	active bigint;
BEGIN
	-- Who is closed makes room for who is active.
	FOR given IN SELECT s AS session, j.value->>'poll_active' AS has_poll,
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
		    given.is_last, given.has_poll::boolean, done);
		done := fitted.done;
		session := fitted.fit;
		IF session.id = ANY (done.ids)
		    OR old.created_at <> session.created_at THEN
			done := api.import_tell(done, api.import_note(
			    'sessions', session.id, 'left_out',
			    'another session has its id'));
			CONTINUE;
		END IF;
		IF session.is_active AND NOT old.is_active THEN
			done := api.import_tell(done, api.import_note(
			    'sessions', session.id, 'changed',
			    'it was closed here: it stays closed'));
			session.closed_at := old.closed_at;
			fitted := api.import_session_fit(games, session,
			    false, false, NULL);
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
		done.ids := done.ids || session.id;
		IF old.id IS NULL THEN
			INSERT INTO partyline.session SELECT session.*;
			PERFORM api.stream_create(ctx,
			    'session:' || session.id);
			done.added := done.added + 1;
		ELSIF old IS DISTINCT FROM session THEN
			PERFORM api.import_session_put(session);
			done.updated := done.updated + 1;
		END IF;
	END LOOP;
	RETURN done;
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
    INOUT done api.imported, OUT fit partyline.session_game)
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
	END IF;
	done.notes := concat_ws(',', done.notes, (SELECT string_agg(
	    api.import_note('session_games', played.id, 'changed', c), ',')
	    FROM unnest(changes) c));
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

CREATE FUNCTION api.import_session_games(ctx api.ctx, rows text,
    sessions bigint[], games bigint[])
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	done api.imported := ROW('{}', 0, 0, NULL);
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
		AS is_last
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
			    given.is_last, done);
			done := fitted.done;
			played := fitted.fit;
			IF played.id = ANY (done.ids) OR old.session_id
			    <> played.session_id OR old.game_id
			    <> played.game_id OR old.played_at
			    <> played.played_at THEN
				why := 'another row has its id';
			END IF;
		END IF;
		IF why IS NOT NULL THEN
			done := api.import_tell(done, api.import_note(
			    'session_games', played.id, 'left_out', why));
			CONTINUE;
		END IF;
		done.ids := done.ids || played.id;
		IF old.id IS NULL THEN
			INSERT INTO partyline.session_game SELECT played.*;
			done.added := done.added + 1;
		ELSIF old IS DISTINCT FROM played THEN
			UPDATE partyline.session_game s
			SET manually_added = played.manually_added,
			    source = played.source, status = played.status,
			    room_code = played.room_code,
			    player_count = played.player_count,
			    player_count_check_status =
				played.player_count_check_status
			WHERE s.tenant_id = ctx.tenant AND s.id = played.id;
			done.updated := done.updated + 1;
		END IF;
	END LOOP;
	RETURN done;
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

-- What the tenant's nouns take, by the stream that they are counted in.
CREATE FUNCTION api.import_weights(ctx api.ctx)
RETURNS TABLE (stream text, weight bigint) LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY
	SELECT w.stream, sum(w.bytes)::bigint
	FROM (SELECT 'lobby' AS stream, g.bytes FROM partyline.game g
	    WHERE g.tenant_id = ctx.tenant
	    UNION ALL
	    SELECT 'session:' || s.id, octet_length(s.notes)
	    FROM partyline.session s
	    WHERE s.tenant_id = ctx.tenant AND s.notes IS NOT NULL
	    UNION ALL
	    SELECT 'session:' || v.session_id, octet_length(v.username)
	    FROM partyline.live_vote v WHERE v.tenant_id = ctx.tenant
	    UNION ALL
	    SELECT 'session:' || c.session_id,
		octet_length(c.username) + octet_length(c.message)
	    FROM partyline.chat_log c WHERE c.tenant_id = ctx.tenant) w
	GROUP BY w.stream;
END
$$;

-- Behind everything that the file ever gave an id to. highest: an object, by
-- noun.
CREATE FUNCTION api.import_counters(ctx api.ctx, highest text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO partyline.counter AS c (tenant_id, noun, last)
	SELECT ctx.tenant, h.key, h.value::bigint
	FROM json_each_text(highest::json) h ORDER BY h.key COLLATE "C"
	ON CONFLICT (tenant_id, noun) DO UPDATE
	SET last = greatest(c.last, excluded.last);
END
$$;

CREATE FUNCTION api.import_ids(rows text)
RETURNS bigint[] LANGUAGE sql STABLE AS $$
	SELECT ARRAY(SELECT r.id FROM json_to_recordset(rows::json)
	    AS r (id bigint))
$$;

-- All of it, or nothing. The arrays have our columns as members.
CREATE FUNCTION api.picker_import(ctx api.ctx, games text, packs text,
    sessions text, session_games text, live_votes text, chat_logs text,
    highest text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	gone bigint;
	before jsonb;
	of_packs api.imported;
	of_games api.imported;
	of_sessions api.imported;
	of_played api.imported;
	of_votes api.imported;
	of_chat api.imported;
	notes text;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.catalog_lock(ctx);
	PERFORM api.tenant_hold(ctx);
	PERFORM api.import_counters(ctx, highest);
	gone := api.import_displace(ctx);
	IF gone > 0 THEN
		notes := api.import_note('games', NULL, 'replaced', format(
		    'the catalog that was put here at first, of %s games, '
		    'gave way', gone));
	END IF;
	SELECT coalesce(jsonb_object_agg(w.stream, w.weight), '{}')
	INTO before FROM api.import_weights(ctx) w;

	of_packs := api.import_packs(ctx, packs, games);
	PERFORM api.pack_add(ctx, ARRAY(SELECT DISTINCT g.pack_name
	    FROM json_populate_recordset(NULL::partyline.game,
		games::json) g));
	of_games := api.import_games(ctx, games,
	    api.import_ids(session_games), api.import_ids(live_votes),
	    api.import_ids(chat_logs));
	PERFORM api.pack_remove_empty(ctx);
	of_sessions := api.import_sessions(ctx, sessions, of_games.ids);
	of_played := api.import_session_games(ctx, session_games,
	    of_sessions.ids, of_games.ids);
	of_votes := api.import_live_votes(ctx, live_votes, of_sessions.ids,
	    of_games.ids);
	of_chat := api.import_chat_logs(ctx, chat_logs, of_sessions.ids);

	UPDATE partyline.session s SET games_played = p.count
	FROM (SELECT w.id, (SELECT count(*) FROM partyline.session_game g
		WHERE g.tenant_id = ctx.tenant AND g.session_id = w.id)
	    FROM unnest(of_sessions.ids) w (id)) p
	WHERE s.tenant_id = ctx.tenant AND s.id = p.id
	    AND s.games_played <> p.count;
	UPDATE partyline.stream s SET bytes = s.bytes + w.weight
	    - coalesce((before->>w.stream)::bigint, 0)
	FROM (SELECT * FROM api.import_weights(ctx) i
	    ORDER BY i.stream COLLATE "C") w
	WHERE s.tenant_id = ctx.tenant AND s.name = w.stream
	    AND w.weight <> coalesce((before->>w.stream)::bigint, 0);

	RETURN NEXT api.reply(200, format('{"tables":{%s},"notes":[%s]}',
	    (SELECT string_agg(format('"%s":{"here":%s,"added":%s,'
		'"updated":%s}', t.name, coalesce(cardinality(t.ids), 0),
		t.added, t.updated), ',')
	    FROM (VALUES ('packs', of_packs.ids, of_packs.added,
		    of_packs.updated),
		('games', of_games.ids, of_games.added, of_games.updated),
		('sessions', of_sessions.ids, of_sessions.added,
		    of_sessions.updated),
		('session_games', of_played.ids, of_played.added,
		    of_played.updated),
		('live_votes', of_votes.ids, of_votes.added,
		    of_votes.updated),
		('chat_logs', of_chat.ids, of_chat.added, of_chat.updated))
		t (name, ids, added, updated)),
	    concat_ws(',', notes, nullif(of_packs.notes, ''),
		nullif(of_games.notes, ''), nullif(of_sessions.notes, ''),
		nullif(of_played.notes, ''), nullif(of_votes.notes, ''),
		nullif(of_chat.notes, ''))));
END
$$;
