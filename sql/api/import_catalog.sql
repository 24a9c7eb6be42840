-- SPDX-License-Identifier: MIT
--
-- The catalog of today's server: its packs and games.

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

-- What the tenant has counted for its games beside the rows of the file, by
-- the game's id: how often it was played, its votes up and down.
CREATE FUNCTION api.import_counted_here(ctx api.ctx, played bigint[],
    voted bigint[], said bigint[])
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT coalesce(jsonb_object_agg(c.game_id,
	    jsonb_build_array(c.plays, c.ups, c.downs)), '{}')
	FROM (SELECT r.game_id, sum(r.plays) AS plays,
	    count(*) FILTER (WHERE r.vote = 1) AS ups,
	    count(*) FILTER (WHERE r.vote = -1) AS downs
	    FROM (SELECT s.game_id, 1 AS plays, NULL::smallint AS vote
		FROM partyline.session_game s
		WHERE s.tenant_id = ctx.tenant AND s.id <> ALL (played)
		UNION ALL SELECT v.game_id, 0, v.vote
		FROM partyline.live_vote v
		WHERE v.tenant_id = ctx.tenant AND v.id <> ALL (voted)
		UNION ALL SELECT l.game_id, 0, l.vote
		FROM partyline.chat_log l
		WHERE l.tenant_id = ctx.tenant AND l.game_id IS NOT NULL
		    AND l.id <> ALL (said)) r
	    GROUP BY r.game_id) c);
END
$$;

-- A game as it is to be stored, and what had to be changed for that.
CREATE FUNCTION api.import_game_fit(ctx api.ctx, game partyline.game,
    OUT fit partyline.game, OUT note text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	changes text[];
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
		changes := changes || format('max_players was less than '
		    'min_players: taken as %s', fit.min_players);
	END IF;
	SELECT g.id INTO other FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.pack_name = fit.pack_name
	    AND g.title = fit.title AND g.id <> fit.id;
	IF FOUND THEN
		fit.title := concat(fit.title, ' (', fit.id, ')');
		changes := changes || format('game %s has the same pack and '
		    'title: this one is called %s', other, fit.title);
	END IF;
	SELECT g.id INTO other FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND upper(g.ticker) = fit.ticker
	    AND g.id <> fit.id;
	IF FOUND THEN
		changes := changes || format('game %s has the ticker %s: '
		    'left empty', other, fit.ticker);
		fit.ticker := NULL;
	END IF;
	fit.bytes := api.game_bytes(fit.pack_name, fit.title, fit.game_type,
	    fit.secondary_type, fit.ticker);
	note := api.import_changes('games', fit.id, changes);
END
$$;

-- Their packs are here. played, voted, said: what the file counts itself.
CREATE FUNCTION api.import_games(ctx api.ctx, rows text, played bigint[],
    voted bigint[], said bigint[])
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[] := '{}';
	notes text[] := '{}';
	added bigint := 0;
	updated bigint := 0;
	here jsonb := api.import_counted_here(ctx, played, voted, said);
	counted jsonb;
	given record;
	fitted record;
	game partyline.game;
	old partyline.game;
BEGIN
	FOR given IN SELECT g AS game,
	    row_number() OVER (PARTITION BY g.id) > 1 AS is_second
	    FROM json_populate_recordset(NULL::partyline.game, rows::json) g
	    ORDER BY g.id LOOP
		game := given.game;
		SELECT * INTO old FROM partyline.game g
		WHERE g.tenant_id = ctx.tenant AND g.id = game.id;
		IF given.is_second OR old.created_at <>
		    coalesce(game.created_at, 'epoch') THEN
			notes := notes || api.import_note('games', game.id,
			    'left_out', 'another game has its id');
			CONTINUE;
		END IF;
		fitted := api.import_game_fit(ctx, game);
		game := fitted.fit;
		IF fitted.note IS NOT NULL THEN
			notes := notes || fitted.note;
		END IF;
		game.tenant_id := ctx.tenant;
		counted := here->(game.id::text);
		game.play_count := game.play_count
		    + coalesce((counted->>0)::int, 0);
		game.upvotes := game.upvotes + coalesce((counted->>1)::int, 0);
		game.downvotes := game.downvotes
		    + coalesce((counted->>2)::int, 0);
		ids := ids || game.id;
		IF old.id IS NULL THEN
			INSERT INTO partyline.game SELECT game.*;
			added := added + 1;
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
			updated := updated + 1;
		END IF;
	END LOOP;
	RETURN ROW(ids, added, updated,
	    nullif(array_to_string(notes, ','), ''));
END
$$;
