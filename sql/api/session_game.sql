-- SPDX-License-Identifier: MIT
--
-- What a session plays. Whoever changes it locks the session first: its
-- games_played is how many rows there are, and one at most is playing.

-- A row with what the catalog says of its game.
CREATE FUNCTION api.session_game_whole(p partyline.session_game,
    g partyline.game)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat('{"id":', p.id, ',"session_id":', p.session_id,
	    ',"game_id":', p.game_id, ',"played_at":"', p.played_text,
	    CASE WHEN p.manually_added THEN '","manually_added":1,"status":"'
		ELSE '","manually_added":0,"status":"' END, p.status,
	    coalesce('","room_code":"' || p.room_code || '","player_count":',
		'","room_code":null,"player_count":'),
	    coalesce(p.player_count::text, 'null'),
	    coalesce(',"player_count_check_status":"'
		|| p.player_count_check_status || '","source":"',
		',"player_count_check_status":null,"source":"'),
	    p.source, '","pack_name":', to_json(g.pack_name), ',"title":',
	    to_json(g.title), ',"game_type":',
	    coalesce(to_json(g.game_type)::text, 'null'),
	    ',"secondary_type":',
	    coalesce(to_json(g.secondary_type)::text, 'null'),
	    ',"min_players":', g.min_players, ',"max_players":',
	    g.max_players, ',"length_minutes":',
	    coalesce(g.length_minutes::text, 'null'), ',"popularity_score":',
	    g.upvotes - g.downvotes, ',"upvotes":', g.upvotes,
	    ',"downvotes":', g.downvotes, '}')
$$;

-- The same by its id.
CREATE FUNCTION api.session_game_text(ctx api.ctx, wanted bigint)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT api.session_game_whole(p, g)
	    FROM partyline.session_game p
	    JOIN partyline.game g
		ON g.tenant_id = p.tenant_id AND g.id = p.game_id
	    WHERE p.tenant_id = ctx.tenant AND p.id = wanted);
END
$$;

-- Its session's row is locked, and so is it then; or the refusal.
CREATE FUNCTION api.session_game_lock(ctx api.ctx, session_id bigint,
    wanted bigint)
RETURNS partyline.session_game LANGUAGE plpgsql AS $$
DECLARE
	played partyline.session_game;
BEGIN
	PERFORM FROM partyline.session s
	WHERE s.tenant_id = ctx.tenant
	    AND s.id = session_game_lock.session_id
	FOR UPDATE;
	SELECT * INTO played FROM partyline.session_game p
	WHERE p.tenant_id = ctx.tenant AND p.id = wanted
	    AND p.session_id = session_game_lock.session_id
	FOR UPDATE;
	IF NOT FOUND THEN
		RAISE 'session_game_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN played;
END
$$;

-- What was playing has been played, and no room is watched any more, but for
-- the row given. The session's row is locked. Monitors that the caller tells
-- of by api.monitor_disconnected.
CREATE FUNCTION api.session_games_demote(ctx api.ctx, wanted bigint,
    but bigint DEFAULT NULL)
RETURNS partyline.monitor[] LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.session_game p
	SET status = CASE p.status WHEN 'playing' THEN 'played'
		ELSE p.status END,
	    player_count_check_status = CASE WHEN p.player_count_check_status
		IN ('monitoring', 'checking') THEN 'stopped'
		ELSE p.player_count_check_status END
	WHERE p.tenant_id = ctx.tenant AND p.session_id = wanted
	    AND p.id IS DISTINCT FROM but
	    AND (p.status = 'playing' OR p.player_count_check_status
		IN ('monitoring', 'checking'));
	RETURN api.monitors_stop(ctx, wanted, NULL, but);
END
$$;

CREATE FUNCTION api.session_game_list(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT string_agg(api.session_game_whole(p, g), ','
	    ORDER BY p.played_at, p.id) INTO body
	FROM partyline.session_game p
	JOIN partyline.game g
	    ON g.tenant_id = p.tenant_id AND g.id = p.game_id
	WHERE p.tenant_id = ctx.tenant AND p.session_id = wanted;
	IF body IS NULL THEN
		PERFORM FROM partyline.session s
		WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
		IF NOT FOUND THEN
			RAISE 'session_not_found' USING ERRCODE = 'PT404';
		END IF;
	END IF;
	RETURN NEXT api.reply(200, concat('[', body, ']'));
END
$$;

-- What was playing is over before this one begins. by_hand, room, how: NULL
-- where they are not told.
CREATE FUNCTION api.session_game_add(ctx api.ctx, wanted bigint,
    game_id bigint, by_hand boolean, room text, how text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	session partyline.session;
	game partyline.game;
	played partyline.session_game;
	stopped partyline.monitor[];
	monitor partyline.monitor;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'session_game_add ' || wanted);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	UPDATE partyline.session s SET games_played = s.games_played + 1,
	    pending_game_id = NULL, pending_game_source = NULL
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted AND s.is_active
	RETURNING * INTO session;
	IF NOT FOUND THEN
		PERFORM api.session_lock(ctx, wanted);
		RAISE 'add_to_closed_session' USING ERRCODE = 'PT400';
	END IF;
	stopped := api.session_games_demote(ctx, wanted);
	UPDATE partyline.game g SET play_count = g.play_count + 1
	WHERE g.tenant_id = ctx.tenant AND g.id = session_game_add.game_id
	RETURNING * INTO game;
	IF NOT FOUND THEN
		RAISE 'game_not_found' USING ERRCODE = 'PT404';
	END IF;
	played.played_at := api.moment();
	INSERT INTO partyline.session_game (tenant_id, id, session_id,
	    game_id, played_at, played_text, manually_added, source,
	    room_code, player_count_check_status)
	VALUES (ctx.tenant, api.next_id(ctx, 'session_game'), wanted,
	    game.id, played.played_at, api.iso(played.played_at),
	    coalesce(by_hand, false), coalesce(how, CASE WHEN by_hand
	    THEN 'manual' ELSE 'dice' END), room,
	    CASE WHEN room IS NOT NULL THEN 'checking' END)
	RETURNING * INTO played;
	IF room IS NOT NULL THEN
		PERFORM api.monitor_start(ctx, played);
	END IF;
	answer := api.reply(201, api.session_game_whole(played, game));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'session_game_add ' || wanted, answer);
	END IF;
	RETURN NEXT answer;
	FOREACH monitor IN ARRAY stopped LOOP
		RETURN NEXT api.monitor_disconnected(ctx, monitor);
	END LOOP;
	RETURN NEXT api.emit(ctx, 'session:' || wanted, 'game.added', concat(
	    '{"session":{"id":', wanted, ',"is_active":true,"games_played":',
	    session.games_played, '},"game":{"id":', game.id, ',"title":',
	    to_json(game.title), ',"pack_name":', to_json(game.pack_name),
	    ',"min_players":', game.min_players, ',"max_players":',
	    game.max_players, CASE WHEN played.manually_added
	    THEN ',"manually_added":true' ELSE ',"manually_added":false' END,
	    ',"room_code":"' || room || '"', '}}'));
END
$$;

-- Playing demotes what was; what plays no longer is not watched.
CREATE FUNCTION api.session_game_status(ctx api.ctx, session_id bigint,
    wanted bigint, new_status text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	played partyline.session_game;
	stopped partyline.monitor[] := '{}';
	monitor partyline.monitor;
BEGIN
	PERFORM api.enter(ctx);
	played := api.session_game_lock(ctx, session_id, wanted);
	IF new_status <> played.status THEN
		IF new_status = 'playing' THEN
			stopped := api.session_games_demote(ctx, session_id,
			    wanted);
		ELSIF played.status = 'playing' THEN
			stopped := api.session_games_demote(ctx, session_id);
		END IF;
		UPDATE partyline.session_game p SET status = new_status
		WHERE p.tenant_id = ctx.tenant AND p.id = wanted;
	END IF;
	RETURN NEXT api.reply(200, format(
	    '{"message":"Status updated successfully","status":"%s"}',
	    new_status));
	FOREACH monitor IN ARRAY stopped LOOP
		RETURN NEXT api.monitor_disconnected(ctx, monitor);
	END LOOP;
END
$$;

-- The room of a game that plays is watched, and it is another one now.
CREATE FUNCTION api.session_game_room(ctx api.ctx, session_id bigint,
    wanted bigint, room text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	played partyline.session_game;
	stopped partyline.monitor[] := '{}';
	monitor partyline.monitor;
BEGIN
	PERFORM api.enter(ctx);
	played := api.session_game_lock(ctx, session_id, wanted);
	IF room IS DISTINCT FROM played.room_code THEN
		stopped := api.monitors_stop(ctx, session_id, wanted);
		UPDATE partyline.session_game p SET room_code = room,
		    player_count_check_status =
			CASE WHEN p.status = 'playing' THEN 'checking'
			WHEN p.player_count_check_status IN ('monitoring',
			    'checking') THEN 'stopped'
			ELSE p.player_count_check_status END
		WHERE p.tenant_id = ctx.tenant AND p.id = wanted
		RETURNING * INTO played;
		IF played.status = 'playing' THEN
			PERFORM api.monitor_start(ctx, played);
		END IF;
	END IF;
	RETURN NEXT api.reply(200, api.session_game_text(ctx, wanted));
	FOREACH monitor IN ARRAY stopped LOOP
		RETURN NEXT api.monitor_disconnected(ctx, monitor);
	END LOOP;
END
$$;

-- By hand. A room that is watched goes on being watched.
CREATE FUNCTION api.session_game_players(ctx api.ctx, session_id bigint,
    wanted bigint, players int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	played partyline.session_game;
BEGIN
	PERFORM api.enter(ctx);
	played := api.session_game_lock(ctx, session_id, wanted);
	UPDATE partyline.session_game p
	SET player_count = players, player_count_check_status =
	    CASE WHEN p.player_count_check_status IN ('monitoring',
		'checking') THEN p.player_count_check_status
	    ELSE 'completed' END
	WHERE p.tenant_id = ctx.tenant AND p.id = wanted
	RETURNING * INTO played;
	UPDATE partyline.monitor m
	SET player_count = session_game_players.players
	WHERE m.tenant_id = ctx.tenant AND m.id = wanted
	    AND m.ended_at IS NULL;
	RETURN NEXT api.reply(200, format('{"message":'
	    '"Player count updated successfully","player_count":%s}',
	    players));
	RETURN NEXT api.session_game_counted(ctx, played);
END
$$;

-- Tells how many players a row has now.
CREATE FUNCTION api.session_game_counted(ctx api.ctx,
    played partyline.session_game)
RETURNS api.answer LANGUAGE plpgsql AS $$
BEGIN
	RETURN api.emit(ctx, 'session:' || played.session_id,
	    'player-count.updated', format('{"sessionId":%s,"gameId":%s,'
	    '"catalogGameId":%s,"playerCount":%s,"status":"%s"}',
	    played.session_id, played.id, played.game_id,
	    played.player_count, played.player_count_check_status));
END
$$;

-- How often its game was played stays as it was: it was.
CREATE FUNCTION api.session_game_remove(ctx api.ctx, session_id bigint,
    wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	stopped partyline.monitor[];
	monitor partyline.monitor;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.session_game_lock(ctx, session_id, wanted);
	stopped := api.monitors_stop(ctx, session_id, wanted);
	DELETE FROM partyline.session_game p
	WHERE p.tenant_id = ctx.tenant AND p.id = wanted;
	UPDATE partyline.session s SET games_played = s.games_played - 1
	WHERE s.tenant_id = ctx.tenant
	    AND s.id = session_game_remove.session_id;
	RETURN NEXT api.reply(200,
	    '{"message":"Game removed from session successfully"}');
	FOREACH monitor IN ARRAY stopped LOOP
		RETURN NEXT api.monitor_disconnected(ctx, monitor);
	END LOOP;
END
$$;

-- As the room's monitor sees it, or as the row tells where none does.
CREATE FUNCTION api.session_game_live(ctx api.ctx, session_id bigint,
    wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT api.monitor_status_text(m) INTO body
	FROM partyline.monitor m
	WHERE m.tenant_id = ctx.tenant AND m.id = wanted
	    AND m.session_id = session_game_live.session_id
	    AND m.ended_at IS NULL AND m.is_connected;
	IF FOUND THEN
		RETURN NEXT api.reply(200, body);
		RETURN;
	END IF;
	SELECT concat('{"sessionId":', p.session_id, ',"gameId":', p.id,
	    ',"catalogGameId":', p.game_id, ',"roomCode":',
	    coalesce('"' || p.room_code || '"', 'null'),
	    ',"appTag":null,"maxPlayers":', g.max_players, ',"playerCount":',
	    coalesce(p.player_count::text, 'null'),
	    ',"players":[],"lobbyState":null,"gameState":null,',
	    CASE p.status
	    WHEN 'playing' THEN '"gameStarted":true,"gameFinished":false'
	    WHEN 'played' THEN '"gameStarted":true,"gameFinished":true'
	    ELSE '"gameStarted":false,"gameFinished":false' END,
	    CASE WHEN p.player_count_check_status
		IN ('monitoring', 'checking') THEN ',"monitoring":true}'
	    ELSE ',"monitoring":false}' END) INTO body
	FROM partyline.session_game p
	JOIN partyline.game g
	    ON g.tenant_id = p.tenant_id AND g.id = p.game_id
	WHERE p.tenant_id = ctx.tenant AND p.id = wanted
	    AND p.session_id = session_game_live.session_id;
	IF NOT FOUND THEN
		RAISE 'session_game_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN NEXT api.reply(200, body);
END
$$;

-- What both do: watch is whether the room is watched from now on.
CREATE FUNCTION api.session_game_watch(ctx api.ctx, scope text,
    session_id bigint, wanted bigint, watch boolean)
RETURNS api.answer[] LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	answers api.answer[];
	played partyline.session_game;
	monitor partyline.monitor;
BEGIN
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, concat(scope, ' ', session_id,
		    ' ', wanted));
		IF answer.status IS NOT NULL THEN
			RETURN ARRAY[answer];
		END IF;
	END IF;
	played := api.session_game_lock(ctx, session_id, wanted);
	IF watch AND played.room_code IS NULL THEN
		RAISE 'room_code_missing' USING ERRCODE = 'PT400';
	END IF;
	UPDATE partyline.session_game p SET player_count_check_status =
	    CASE WHEN watch THEN api.monitor_stage(played) ELSE 'stopped' END
	WHERE p.tenant_id = ctx.tenant AND p.id = wanted;
	answer := api.reply(200, CASE WHEN watch THEN
	    '{"message":"Room monitor started","status":"monitoring"}'
	    ELSE '{"message":"Room monitor and player count check stopped",'
	    '"status":"stopped"}' END);
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, concat(scope, ' ', session_id, ' ',
		    wanted), answer);
	END IF;
	answers := ARRAY[answer];
	IF watch THEN
		PERFORM api.monitor_start(ctx, played);
		RETURN answers;
	END IF;
	FOREACH monitor IN ARRAY
	    api.monitors_stop(ctx, session_id, wanted) LOOP
		answers := answers || api.monitor_disconnected(ctx, monitor);
	END LOOP;
	RETURN answers;
END
$$;

CREATE FUNCTION api.session_game_check_start(ctx api.ctx, session_id bigint,
    wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	RETURN QUERY SELECT * FROM unnest(api.session_game_watch(ctx,
	    'session_game_check_start', session_id, wanted, true));
END
$$;

CREATE FUNCTION api.session_game_check_stop(ctx api.ctx, session_id bigint,
    wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	RETURN QUERY SELECT * FROM unnest(api.session_game_watch(ctx,
	    'session_game_check_stop', session_id, wanted, false));
END
$$;
