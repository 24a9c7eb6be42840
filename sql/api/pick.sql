-- SPDX-License-Identifier: MIT
--
-- A game by chance. Weights are whole hundredths: of a game 300, 100 or 20,
-- of its pack the same 2, 1 or 0.3 times.

-- A whole number below `most`, which is far below 2^48; each is as likely.
-- From PostgreSQL's strong source: these are 48 of the 122 random bits.
CREATE FUNCTION api.chance(most bigint)
RETURNS bigint LANGUAGE sql AS $$
	SELECT ('x' || left(replace(gen_random_uuid()::text, '-', ''), 12)
	    )::bit(48)::bigint % most
$$;

CREATE FUNCTION api.pick_weight(g partyline.game, p partyline.pack)
RETURNS int LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE g.favor_bias WHEN 1 THEN 30 WHEN 0 THEN 10 ELSE 2 END
	    * CASE p.favor_bias WHEN 1 THEN 20 WHEN 0 THEN 10 ELSE 3 END
$$;

CREATE FUNCTION api.pick_shown(weight bigint)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT trim_scale(round(weight / 100.0, 2))::text
$$;

-- Games, weights, and what they came from; wanted: NULL for one alone.
CREATE FUNCTION api.pick_text(ctx api.ctx, ids bigint[], weights text[],
    wanted int)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	games text;
BEGIN
	SELECT string_agg(api.game_text(g), ',' ORDER BY w.nth) INTO games
	FROM unnest(ids) WITH ORDINALITY AS w (id, nth)
	JOIN partyline.game g ON g.tenant_id = ctx.tenant AND g.id = w.id;
	IF wanted IS NULL THEN
		RETURN concat('{"game":', games, ',"weight":', weights[1]);
	END IF;
	RETURN concat('{"games":[', games, '],"weights":[',
	    array_to_string(weights, ','), ']');
END
$$;

-- STABLE, so that all of it sees one snapshot; it draws anew in each call.
-- With a session, all that it played is left out, or else the last two. One
-- that is not there has played nothing.
CREATE FUNCTION api.pick(ctx api.ctx, players int, drawing text, length text,
    family boolean, session_id bigint, exclude_played boolean, wanted int)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	played bigint[];
	enabled bigint;
	matching bigint;
	pool bigint[];
	weights int[];
	total bigint;
	rest bigint;		-- the weight of what was not drawn yet
	place bigint;
	n int;
	ids bigint[] := '{}';
	shown text[] := '{}';
	facts text;
BEGIN
	PERFORM api.enter(ctx);
	IF session_id IS NOT NULL THEN
		played := ARRAY(SELECT p.game_id FROM partyline.session_game p
		    WHERE p.tenant_id = ctx.tenant
			AND p.session_id = pick.session_id
		    ORDER BY p.played_at DESC, p.id DESC
		    LIMIT CASE WHEN exclude_played THEN NULL ELSE 2 END);
	END IF;
	SELECT count(*), count(*) FILTER (WHERE w.fits),
	    array_agg(w.id) FILTER (WHERE w.fits AND w.is_new),
	    array_agg(w.weight) FILTER (WHERE w.fits AND w.is_new),
	    sum(w.weight) FILTER (WHERE w.fits AND w.is_new)
	INTO enabled, matching, pool, weights, total
	FROM (SELECT g.id, api.pick_weight(g, k) AS weight,
	    api.game_fits(g, players, drawing, length, family) AS fits,
	    coalesce(g.id <> ALL (played), true) AS is_new
	    FROM partyline.game g
	    JOIN partyline.pack k
		ON k.tenant_id = g.tenant_id AND k.name = g.pack_name
	    WHERE g.tenant_id = ctx.tenant AND g.enabled) w;
	IF total IS NULL THEN
		facts := format('{"poolSize":0,"totalEnabled":%s}', enabled);
		IF matching > 0 THEN
			RAISE 'all_games_played' USING ERRCODE = 'PT404',
			    DETAIL = facts;
		END IF;
		RAISE 'no_game_matches' USING ERRCODE = 'PT404',
		    DETAIL = facts;
	END IF;
	rest := total;
	FOR drawn IN 1 .. least(coalesce(wanted, 1), cardinality(pool)) LOOP
		place := api.chance(rest);
		n := 0;
		LOOP
			n := n + 1;
			place := place - weights[n];
			EXIT WHEN place < 0;
		END LOOP;
		ids := ids || pool[n];
		shown := shown || api.pick_shown(weights[n]);
		rest := rest - weights[n];
		weights[n] := 0;
	END LOOP;
	RETURN NEXT api.reply(200, concat(
	    api.pick_text(ctx, ids, shown, wanted),
	    ',"poolSize":', cardinality(pool), ',"totalEnabled":', enabled,
	    ',"totalWeight":', api.pick_shown(total), '}'));
END
$$;
