-- SPDX-License-Identifier: MIT
--
-- The game that the admins of a session are about to add: all of them see
-- which, and from where it came.

-- What a client needs to show a game, for an event.
CREATE FUNCTION api.selection_game(g partyline.game)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('{"id":%s,"title":%s,"pack_name":%s,"min_players":%s,'
	    '"max_players":%s}', g.id, to_json(g.title), to_json(g.pack_name),
	    g.min_players, g.max_players)
$$;

-- source: dice, manual, poll; NULL counts as manual.
CREATE FUNCTION api.selection_create(ctx api.ctx, wanted bigint, game bigint,
    source text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	session partyline.session;
	game_text text;
	origin text := coalesce(source, 'manual');
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'selection_create ' || wanted);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	session := api.session_lock(ctx, wanted);
	IF NOT session.is_active THEN
		RAISE 'session_not_active' USING ERRCODE = 'PT400';
	END IF;
	SELECT api.selection_game(g) INTO game_text FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.id = game;
	IF NOT FOUND THEN
		RAISE 'game_not_found' USING ERRCODE = 'PT404';
	END IF;
	UPDATE partyline.session s
	SET pending_game_id = game, pending_game_source = origin
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	answer := api.reply(200, format(
	    '{"success":true,"gameId":%s,"source":"%s"}', game, origin));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'selection_create ' || wanted, answer);
	END IF;
	RETURN NEXT answer;
	RETURN NEXT api.emit(ctx, 'session:' || wanted, 'game.picked', format(
	    '{"sessionId":%s,"gameId":%s,"source":"%s","game":%s}', wanted,
	    game, origin, game_text));
END
$$;

-- Where nothing is selected, nobody is told.
CREATE FUNCTION api.selection_delete(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	session partyline.session;
BEGIN
	PERFORM api.enter(ctx);
	session := api.session_lock(ctx, wanted);
	RETURN NEXT api.reply(200, '{"success":true}');
	IF session.pending_game_id IS NULL THEN
		RETURN;
	END IF;
	UPDATE partyline.session s
	SET pending_game_id = NULL, pending_game_source = NULL
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	RETURN NEXT api.emit(ctx, 'session:' || wanted, 'game.dismissed',
	    format('{"sessionId":%s}', wanted));
END
$$;
