-- SPDX-License-Identifier: MIT
--
-- The catalog: games, and the packs that they are in. A pack is there as
-- long as it has a game.

-- As it is shown everywhere.
CREATE FUNCTION api.game_text(g partyline.game)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('{"id":%s,"pack_name":%s,"title":%s,"min_players":%s,'
	    '"max_players":%s,"length_minutes":%s,"has_audience":%s,'
	    '"family_friendly":%s,"game_type":%s,"secondary_type":%s,'
	    '"ticker":%s,"play_count":%s,"popularity_score":%s,"upvotes":%s,'
	    '"downvotes":%s,"enabled":%s,"favor_bias":%s,"created_at":"%s"}',
	    g.id, to_json(g.pack_name), to_json(g.title), g.min_players,
	    g.max_players, coalesce(g.length_minutes::text, 'null'),
	    g.has_audience::int, g.family_friendly::int,
	    coalesce(to_json(g.game_type)::text, 'null'),
	    coalesce(to_json(g.secondary_type)::text, 'null'),
	    coalesce(to_json(g.ticker)::text, 'null'), g.play_count,
	    g.upvotes - g.downvotes, g.upvotes, g.downvotes, g.enabled::int,
	    g.favor_bias, g.created_text)
$$;

CREATE FUNCTION api.pack_text(p partyline.pack)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('{"id":%s,"name":%s,"favor_bias":%s,"created_at":"%s"}',
	    p.id, to_json(p.name), p.favor_bias, p.created_text)
$$;

-- What a game takes of its tenant's storage.
CREATE FUNCTION api.game_bytes(pack_name text, title text, game_type text,
    secondary_type text, ticker text)
RETURNS int LANGUAGE sql STABLE AS $$
	SELECT octet_length(concat(pack_name, title, game_type,
	    secondary_type, ticker))
$$;

-- Whether the filters that lists and picks have in common let a game
-- through; NULL: any does. A game without a length is a short one.
CREATE FUNCTION api.game_fits(g partyline.game, players bigint, drawing text,
    length text, family boolean)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT (players IS NULL
		OR players BETWEEN g.min_players AND g.max_players)
	    AND (drawing IS NULL OR (drawing = 'only')
		= (g.game_type IS NOT DISTINCT FROM 'Drawing'))
	    AND (length IS NULL OR length = CASE
		WHEN g.length_minutes > 25 THEN 'long'
		WHEN g.length_minutes > 15 THEN 'medium' ELSE 'short' END)
	    AND (family IS NULL OR g.family_friendly = family)
$$;

-- Who adds, changes or removes games of a tenant does so alone. Before any
-- row.
CREATE FUNCTION api.catalog_lock(ctx api.ctx)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(
	    hashtextextended('catalog ' || ctx.tenant, 0));
END
$$;

-- The packs of these names that are not there yet. Behind the lock of the
-- catalog and the counter of games.
CREATE FUNCTION api.pack_add(ctx api.ctx, names text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	new_names text[];
	before bigint;		-- the last id of those that are there
	moment timestamptz := api.moment();
BEGIN
	SELECT array_agg(DISTINCT n COLLATE "C") INTO new_names
	FROM unnest(names) n
	WHERE NOT EXISTS (SELECT FROM partyline.pack p
	    WHERE p.tenant_id = ctx.tenant AND p.name = n);
	IF new_names IS NULL THEN
		RETURN;
	END IF;
	before := api.next_ids(ctx, 'pack', cardinality(new_names))
	    - cardinality(new_names);
	INSERT INTO partyline.pack
	    (tenant_id, id, name, created_at, created_text)
	SELECT ctx.tenant, before + n.place, n.name, moment,
	    api.iso(moment)
	FROM unnest(new_names) WITH ORDINALITY AS n (name, place);
END
$$;

-- Packs that have lost their last game; their rows are locked.
CREATE FUNCTION api.pack_remove_empty(ctx api.ctx)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM partyline.pack p
	WHERE p.tenant_id = ctx.tenant AND NOT EXISTS (
	    SELECT FROM partyline.game g
	    WHERE g.tenant_id = ctx.tenant AND g.pack_name = p.name);
END
$$;

-- Gives the tenants that wait for it the catalog of sql/seed; once.
CREATE FUNCTION api.catalog_fill(wanted int DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	ctx api.ctx;
	count bigint := (SELECT count(*) FROM partyline.seed_games);
	before bigint;
	moment timestamptz := api.moment();
	tenant_before text := current_setting('partyline.tenant', true);
BEGIN
	IF count = 0 THEN
		RETURN;
	END IF;
	FOR ctx.tenant IN DELETE FROM partyline.catalog_due d
	    WHERE wanted IS NULL OR d.tenant_id = wanted
	    RETURNING d.tenant_id LOOP
		PERFORM set_config('partyline.tenant', ctx.tenant::text, true);
		CONTINUE WHEN EXISTS (SELECT FROM partyline.game g
		    WHERE g.tenant_id = ctx.tenant);
		before := api.next_ids(ctx, 'game', count) - count;
		PERFORM api.pack_add(ctx, ARRAY(SELECT s.pack_name
		    FROM partyline.seed_games s));
		INSERT INTO partyline.game (tenant_id, id, pack_name, title,
		    min_players, max_players, length_minutes, has_audience,
		    family_friendly, game_type, secondary_type, ticker,
		    created_at, created_text)
		SELECT ctx.tenant, before + row_number() OVER (
			ORDER BY s.pack_name COLLATE "C",
			s.title COLLATE "C"),
		    s.pack_name, s.title, s.min_players, s.max_players,
		    s.length_minutes, coalesce(s.has_audience, false),
		    coalesce(s.family_friendly, false), s.game_type,
		    s.secondary_type, t.ticker, moment, api.iso(moment)
		FROM partyline.seed_games s
		LEFT JOIN partyline.seed_tickers t USING (pack_name, title);
	END LOOP;
	PERFORM set_config('partyline.tenant', coalesce(tenant_before, ''),
	    true);
END
$$;

-- --- looking ---------------------------------------------------------------

CREATE FUNCTION api.game_list(ctx api.ctx, enabled boolean, players bigint,
    drawing text, length text, family boolean, pack text)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT string_agg(api.game_text(g), ',' ORDER BY
	    g.pack_name COLLATE "C", g.title COLLATE "C") INTO body
	FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant
	    AND (game_list.enabled IS NULL OR g.enabled = game_list.enabled)
	    AND (pack IS NULL OR g.pack_name = pack)
	    AND api.game_fits(g, players, drawing, length, family);
	RETURN NEXT api.reply(200, '[' || coalesce(body, '') || ']');
END
$$;

CREATE FUNCTION api.game_get(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT api.game_text(g) INTO body FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.id = wanted;
	IF NOT FOUND THEN
		RAISE 'game_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN NEXT api.reply(200, body);
END
$$;

CREATE FUNCTION api.pack_list(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT string_agg(api.pack_text(p), ',' ORDER BY p.name COLLATE "C")
	INTO body FROM partyline.pack p WHERE p.tenant_id = ctx.tenant;
	RETURN NEXT api.reply(200, '[' || coalesce(body, '') || ']');
END
$$;

CREATE FUNCTION api.pack_meta(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT string_agg(pack.line, ',' ORDER BY pack.name COLLATE "C")
	INTO body
	FROM (SELECT g.pack_name AS name,
	    format('{"name":%s,"total_count":%s,"enabled_count":%s,'
		'"total_plays":%s}', to_json(g.pack_name), count(*),
		count(*) FILTER (WHERE g.enabled), sum(g.play_count)) AS line
	    FROM partyline.game g WHERE g.tenant_id = ctx.tenant
	    GROUP BY g.pack_name) pack;
	RETURN NEXT api.reply(200, '[' || coalesce(body, '') || ']');
END
$$;

-- --- changing games --------------------------------------------------------

-- The row of a game, locked; or the refusal.
CREATE FUNCTION api.game_lock(ctx api.ctx, wanted bigint)
RETURNS partyline.game LANGUAGE plpgsql AS $$
DECLARE
	game partyline.game;
BEGIN
	SELECT * INTO game FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.id = wanted
	FOR UPDATE;
	IF NOT FOUND THEN
		RAISE 'game_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN game;
END
$$;

CREATE FUNCTION api.game_create(ctx api.ctx, new_pack text, new_title text,
    new_min int, new_max int, new_length int, new_audience boolean,
    new_family boolean, new_type text, new_secondary text, new_ticker text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	game partyline.game;
	moment timestamptz;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'game_create');
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	PERFORM api.catalog_lock(ctx);
	PERFORM FROM partyline.pack p
	WHERE p.tenant_id = ctx.tenant AND p.name = new_pack FOR KEY SHARE;
	game.id := api.next_id(ctx, 'game');
	PERFORM api.pack_add(ctx, ARRAY[new_pack]);
	moment := api.moment();
	new_type := nullif(new_type, '');
	new_secondary := nullif(new_secondary, '');
	new_ticker := upper(nullif(new_ticker, ''));
	INSERT INTO partyline.game (tenant_id, id, pack_name, title,
	    min_players, max_players, length_minutes, has_audience,
	    family_friendly, game_type, secondary_type, ticker, created_at,
	    created_text, bytes)
	VALUES (ctx.tenant, game.id, new_pack, new_title, new_min, new_max,
	    new_length, coalesce(new_audience, false),
	    coalesce(new_family, false), new_type, new_secondary, new_ticker,
	    moment, api.iso(moment), api.game_bytes(new_pack, new_title,
	    new_type, new_secondary, new_ticker))
	RETURNING * INTO game;
	answer := api.reply(201, api.game_text(game));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'game_create', answer);
	END IF;
	RETURN NEXT answer;
	PERFORM api.stream_weigh(ctx, 'lobby', game.bytes);
END
$$;

-- All of it anew. enabled and ticker stay where they are NULL; the bias and
-- what was counted in any case.
CREATE FUNCTION api.game_update(ctx api.ctx, wanted bigint, new_pack text,
    new_title text, new_min int, new_max int, new_length int,
    new_audience boolean, new_family boolean, new_type text,
    new_secondary text, new_ticker text, new_enabled boolean)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	game partyline.game;
	before int;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.catalog_lock(ctx);
	PERFORM FROM partyline.pack p
	WHERE p.tenant_id = ctx.tenant AND p.name IN (new_pack, (
	    SELECT g.pack_name FROM partyline.game g
	    WHERE g.tenant_id = ctx.tenant AND g.id = wanted))
	ORDER BY p.id FOR UPDATE;
	game := api.game_lock(ctx, wanted);
	before := game.bytes;
	PERFORM api.pack_add(ctx, ARRAY[new_pack]);
	game.game_type := nullif(new_type, '');
	game.secondary_type := nullif(new_secondary, '');
	IF new_ticker IS NOT NULL THEN
		game.ticker := upper(nullif(new_ticker, ''));
	END IF;
	UPDATE partyline.game g
	SET pack_name = new_pack, title = new_title, min_players = new_min,
	    max_players = new_max, length_minutes = new_length,
	    has_audience = coalesce(new_audience, false),
	    family_friendly = coalesce(new_family, false),
	    game_type = game.game_type, secondary_type = game.secondary_type,
	    ticker = game.ticker, enabled = coalesce(new_enabled, g.enabled),
	    bytes = api.game_bytes(new_pack, new_title, game.game_type,
		game.secondary_type, game.ticker)
	WHERE g.tenant_id = ctx.tenant AND g.id = wanted
	RETURNING * INTO game;
	PERFORM api.pack_remove_empty(ctx);
	RETURN NEXT api.reply(200, api.game_text(game));
	PERFORM api.stream_weigh(ctx, 'lobby', game.bytes - before);
END
$$;

-- One that a session used stays: the constraint game_in_use refuses.
CREATE FUNCTION api.game_delete(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	game partyline.game;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.catalog_lock(ctx);
	PERFORM FROM partyline.pack p
	WHERE p.tenant_id = ctx.tenant AND p.name = (
	    SELECT g.pack_name FROM partyline.game g
	    WHERE g.tenant_id = ctx.tenant AND g.id = wanted)
	FOR UPDATE;
	game := api.game_lock(ctx, wanted);
	DELETE FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.id = wanted;
	PERFORM api.pack_remove_empty(ctx);
	RETURN NEXT api.reply(200,
	    '{"message":"Game deleted successfully"}');
	PERFORM api.stream_weigh(ctx, 'lobby', -game.bytes);
END
$$;

CREATE FUNCTION api.game_toggle(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	body text;
BEGIN
	PERFORM api.enter(ctx);
	UPDATE partyline.game g SET enabled = NOT g.enabled
	WHERE g.tenant_id = ctx.tenant AND g.id = wanted
	RETURNING api.game_text(g) INTO body;
	IF NOT FOUND THEN
		RAISE 'game_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN NEXT api.reply(200, body);
END
$$;

CREATE FUNCTION api.game_favor(ctx api.ctx, wanted bigint, bias int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	UPDATE partyline.game g SET favor_bias = bias
	WHERE g.tenant_id = ctx.tenant AND g.id = wanted;
	IF NOT FOUND THEN
		RAISE 'game_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN NEXT api.reply(200, format('{"message":'
	    '"Favor bias updated successfully","favor_bias":%s}', bias));
END
$$;

-- --- changing packs --------------------------------------------------------

CREATE FUNCTION api.pack_favor(ctx api.ctx, wanted text, bias int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	UPDATE partyline.pack p SET favor_bias = bias
	WHERE p.tenant_id = ctx.tenant AND p.name = wanted;
	IF NOT FOUND THEN
		RAISE 'pack_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN NEXT api.reply(200, format('{"message":'
	    '"Pack favor bias updated successfully","favor_bias":%s}', bias));
END
$$;

-- All games of a pack at once.
CREATE FUNCTION api.pack_toggle(ctx api.ctx, wanted text, new_enabled boolean)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	affected bigint;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM FROM partyline.pack p
	WHERE p.tenant_id = ctx.tenant AND p.name = wanted FOR UPDATE;
	IF NOT FOUND THEN
		RAISE 'pack_not_found' USING ERRCODE = 'PT404';
	END IF;
	PERFORM FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.pack_name = wanted
	ORDER BY g.id FOR UPDATE;
	UPDATE partyline.game g SET enabled = new_enabled
	WHERE g.tenant_id = ctx.tenant AND g.pack_name = wanted;
	GET DIAGNOSTICS affected = ROW_COUNT;
	RETURN NEXT api.reply(200, format(
	    '{"message":"Pack %s successfully","gamesAffected":%s}',
	    CASE WHEN new_enabled THEN 'enabled' ELSE 'disabled' END,
	    affected));
END
$$;
