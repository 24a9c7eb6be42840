-- SPDX-License-Identifier: MIT
--
-- The catalog as CSV. Quotes and line ends were read by the server
-- (core/csv.h): what comes here are records with the numbers of their lines,
-- the header first,
--
--	{"records":[[1,"title","pack_name"],[2,"Quiplash 3","Party Pack 7"]],
--	 "broken":[3,"a quote is not closed"]}
--
-- broken: what could not be read, behind all records; null: there is none.

-- A line as it stands there, its columns in our order.
CREATE TYPE api.csv_line AS (
	line		int,
	pack_name	text,
	title		text,
	min_players	text,
	max_players	text,
	length_minutes	text,
	has_audience	text,
	family_friendly	text,
	game_type	text,
	secondary_type	text
);

CREATE FUNCTION api.csv_refuse(line int, reason text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE 'csv_invalid' USING ERRCODE = 'PT400', DETAIL =
	    format('{"line":%s,"reason":%s}', line, to_json(reason));
END
$$;

-- The names of the columns as they stand in the header.
CREATE FUNCTION api.csv_header(csv json)
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	known text[] := '{pack_name,title,min_players,max_players,
	    length_minutes,has_audience,family_friendly,game_type,
	    secondary_type}';
	header json := csv #> '{records,0}';
	names text[];
	wrong text;
BEGIN
	IF header IS NULL THEN
		PERFORM api.csv_refuse(coalesce((csv #>> '{broken,0}')::int,
		    1), coalesce(csv #>> '{broken,1}', 'there is no header'));
	END IF;
	SELECT array_agg(lower(trim(n.name)) ORDER BY n.place) INTO names
	FROM json_array_elements_text(header) WITH ORDINALITY
	    AS n (name, place)
	WHERE n.place > 1;
	SELECT coalesce(
	    (SELECT 'there is no column ' || n.name
		FROM unnest(names) WITH ORDINALITY AS n (name, place)
		WHERE n.name <> ALL (known) ORDER BY n.place LIMIT 1),
	    (SELECT n.name || ' stands there twice' FROM unnest(names)
		AS n (name) GROUP BY n.name HAVING count(*) > 1 LIMIT 1),
	    (SELECT 'the column ' || n.name || ' is missing'
		FROM unnest(known[1:4]) AS n (name)
		WHERE n.name <> ALL (names) LIMIT 1))
	INTO wrong;
	IF wrong IS NOT NULL THEN
		PERFORM api.csv_refuse((header ->> 0)::int, wrong);
	END IF;
	RETURN names;
END
$$;

-- A whole number between bounds, spaces around it or not.
CREATE FUNCTION api.csv_is_number(field text, least_value int, most int)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN trim(field) ~ '^[0-9]{1,9}$'
	    THEN trim(field)::int BETWEEN least_value AND most ELSE false END
$$;

CREATE FUNCTION api.csv_is_truth(field text)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT field IS NULL OR lower(trim(field)) IN ('', '1', '0', 'true',
	    'false', 'yes', 'no')
$$;

-- What is wrong with a line; NULL: nothing. The bounds are those of POST.
CREATE FUNCTION api.csv_wrong(l api.csv_line)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE
	WHEN l.pack_name = '' THEN 'pack_name is missing'
	WHEN length(l.pack_name) > 200 THEN
	    'pack_name has more than 200 characters'
	WHEN l.title = '' THEN 'title is missing'
	WHEN length(l.title) > 200 THEN 'title has more than 200 characters'
	WHEN NOT api.csv_is_number(l.min_players, 1, 1000) THEN
	    'min_players must be a whole number from 1 to 1000'
	WHEN NOT api.csv_is_number(l.max_players, 1, 1000) THEN
	    'max_players must be a whole number from 1 to 1000'
	WHEN trim(l.max_players)::int < trim(l.min_players)::int THEN
	    'max_players must not be below min_players'
	WHEN trim(l.length_minutes) <> ''
	    AND NOT api.csv_is_number(l.length_minutes, 1, 1440) THEN
	    'length_minutes must be a whole number from 1 to 1440, or empty'
	WHEN NOT api.csv_is_truth(l.has_audience) THEN
	    'has_audience must be 1, 0, true, false, yes, no or empty'
	WHEN NOT api.csv_is_truth(l.family_friendly) THEN
	    'family_friendly must be 1, 0, true, false, yes, no or empty'
	WHEN length(l.game_type) > 100 THEN
	    'game_type has more than 100 characters'
	WHEN length(l.secondary_type) > 100 THEN
	    'secondary_type has more than 100 characters'
	END
$$;

-- All lines in our order of columns, or the refusal of the first bad one.
CREATE FUNCTION api.csv_lines(csv json)
RETURNS api.csv_line[] LANGUAGE plpgsql AS $$
DECLARE
	header text[] := api.csv_header(csv);
	width int := cardinality(header);
	lines api.csv_line[];
	ragged int;
BEGIN
	SELECT min((r ->> 0)::int) INTO ragged
	FROM json_array_elements(csv -> 'records') r
	WHERE json_array_length(r) <> width + 1;
	-- Element 0 is the number of the line, so a place is an index.
	lines := ARRAY(SELECT ROW((r ->> 0)::int,
	    r ->> array_position(header, 'pack_name'),
	    r ->> array_position(header, 'title'),
	    r ->> array_position(header, 'min_players'),
	    r ->> array_position(header, 'max_players'),
	    r ->> array_position(header, 'length_minutes'),
	    r ->> array_position(header, 'has_audience'),
	    r ->> array_position(header, 'family_friendly'),
	    r ->> array_position(header, 'game_type'),
	    r ->> array_position(header, 'secondary_type'))::api.csv_line
	    FROM json_array_elements(csv -> 'records')
		WITH ORDINALITY AS records (r, place)
	    WHERE place > 1 AND (ragged IS NULL OR (r ->> 0)::int < ragged)
	    ORDER BY place);
	PERFORM api.csv_refuse(bad.line, bad.reason)
	FROM (SELECT l.line, api.csv_wrong(l) AS reason
	    FROM unnest(lines) l) bad
	WHERE bad.reason IS NOT NULL ORDER BY bad.line LIMIT 1;
	IF ragged IS NOT NULL THEN
		PERFORM api.csv_refuse(ragged,
		    format('it must have %s fields, as the header has', width));
	END IF;
	IF csv ->> 'broken' IS NOT NULL THEN
		PERFORM api.csv_refuse((csv #>> '{broken,0}')::int,
		    csv #>> '{broken,1}');
	END IF;
	RETURN lines;
END
$$;

-- The same, each game once, as rows that could be the tenant's: id is the
-- number of the line.
CREATE FUNCTION api.csv_games(ctx api.ctx, lines api.csv_line[])
RETURNS partyline.game[] LANGUAGE plpgsql AS $$
DECLARE
	games partyline.game[];
	game partyline.game;
BEGIN
	game.tenant_id := ctx.tenant;
	game.created_at := api.moment();
	game.created_text := api.iso(game.created_at);
	SELECT array_agg(jsonb_populate_record(game, jsonb_build_object(
	    'id', l.line, 'pack_name', l.pack_name, 'title', l.title,
	    'min_players', trim(l.min_players),
	    'max_players', trim(l.max_players),
	    'length_minutes', nullif(trim(l.length_minutes), ''),
	    'has_audience', coalesce(lower(trim(l.has_audience))
		IN ('1', 'true', 'yes'), false),
	    'family_friendly', coalesce(lower(trim(l.family_friendly))
		IN ('1', 'true', 'yes'), false),
	    'game_type', nullif(l.game_type, ''),
	    'secondary_type', nullif(l.secondary_type, '')))
	    ORDER BY l.line)
	INTO games
	FROM (SELECT DISTINCT ON (u.pack_name, u.title) u.*
	    FROM unnest(lines) u
	    ORDER BY u.pack_name, u.title, u.line) l;
	RETURN coalesce(games, '{}');
END
$$;

-- Those that are not there yet; how many they were.
CREATE FUNCTION api.csv_add(ctx api.ctx, games partyline.game[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	new_games partyline.game[];
	before bigint;
BEGIN
	SELECT array_agg(n ORDER BY n.id) INTO new_games
	FROM unnest(games) n
	WHERE NOT EXISTS (SELECT FROM partyline.game g
	    WHERE g.tenant_id = ctx.tenant AND g.pack_name = n.pack_name
	    AND g.title = n.title);
	IF new_games IS NULL THEN
		RETURN 0;
	END IF;
	before := api.next_ids(ctx, 'game', cardinality(new_games))
	    - cardinality(new_games);
	PERFORM api.pack_add(ctx, ARRAY(SELECT n.pack_name
	    FROM unnest(new_games) n));
	INSERT INTO partyline.game (tenant_id, id, pack_name, title,
	    min_players, max_players, length_minutes, has_audience,
	    family_friendly, game_type, secondary_type, created_at,
	    created_text, bytes)
	SELECT ctx.tenant, before + row_number() OVER (ORDER BY n.id),
	    n.pack_name, n.title, n.min_players, n.max_players,
	    n.length_minutes, n.has_audience, n.family_friendly, n.game_type,
	    n.secondary_type, n.created_at, n.created_text,
	    api.game_bytes(n.pack_name, n.title, n.game_type,
		n.secondary_type, NULL)
	FROM unnest(new_games) n;
	RETURN cardinality(new_games);
END
$$;

-- What is there gets what the lines say. What they say already is left as
-- it is.
CREATE FUNCTION api.csv_update(ctx api.ctx, games partyline.game[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.game g
	SET min_players = n.min_players, max_players = n.max_players,
	    length_minutes = n.length_minutes, has_audience = n.has_audience,
	    family_friendly = n.family_friendly, game_type = n.game_type,
	    secondary_type = n.secondary_type,
	    bytes = api.game_bytes(g.pack_name, g.title, n.game_type,
		n.secondary_type, g.ticker)
	FROM unnest(games) n
	WHERE g.tenant_id = ctx.tenant AND g.pack_name = n.pack_name
	    AND g.title = n.title AND (g.min_players, g.max_players,
	    g.length_minutes, g.has_audience, g.family_friendly, g.game_type,
	    g.secondary_type) IS DISTINCT FROM (n.min_players, n.max_players,
	    n.length_minutes, n.has_audience, n.family_friendly, n.game_type,
	    n.secondary_type);
END
$$;

CREATE FUNCTION api.game_is_used(g partyline.game)
RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM partyline.session_game s
	    WHERE s.tenant_id = g.tenant_id AND s.game_id = g.id)
	OR EXISTS (SELECT FROM partyline.live_vote v
	    WHERE v.tenant_id = g.tenant_id AND v.game_id = g.id)
$$;

-- What no line has goes; what a session used is only disabled.
CREATE FUNCTION api.csv_remove(ctx api.ctx, games partyline.game[],
    OUT removed bigint, OUT disabled bigint)
LANGUAGE plpgsql AS $$
DECLARE
	gone bigint[];
BEGIN
	gone := ARRAY(SELECT g.id FROM partyline.game g
	    WHERE g.tenant_id = ctx.tenant AND NOT EXISTS (
		SELECT FROM unnest(games) n WHERE n.title = g.title
		AND n.pack_name = g.pack_name));
	DELETE FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.id = ANY (gone)
	    AND NOT api.game_is_used(g);
	GET DIAGNOSTICS removed = ROW_COUNT;
	UPDATE partyline.game g SET enabled = false
	WHERE g.tenant_id = ctx.tenant AND g.id = ANY (gone) AND g.enabled;
	GET DIAGNOSTICS disabled = ROW_COUNT;
	PERFORM api.pack_remove_empty(ctx);
END
$$;

CREATE FUNCTION api.catalog_bytes(ctx api.ctx)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT coalesce(sum(g.bytes), 0) FROM partyline.game g
	    WHERE g.tenant_id = ctx.tenant);
END
$$;

-- All lines or none. mode: append adds what is not there; replace makes the
-- catalog what the lines say.
CREATE FUNCTION api.game_import(ctx api.ctx, csv json, mode text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	lines api.csv_line[];
	games partyline.game[];
	before bigint;
	added bigint;
	updated bigint := 0;
	removed bigint := 0;
	disabled bigint := 0;
	replaces boolean := coalesce(mode, 'append') = 'replace';
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'game_import');
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	lines := api.csv_lines(csv);
	games := api.csv_games(ctx, lines);
	PERFORM api.catalog_lock(ctx);
	PERFORM FROM partyline.pack p
	WHERE p.tenant_id = ctx.tenant ORDER BY p.id FOR UPDATE;
	PERFORM FROM partyline.game g
	WHERE replaces AND g.tenant_id = ctx.tenant ORDER BY g.id FOR UPDATE;
	before := api.catalog_bytes(ctx);
	IF replaces THEN
		PERFORM api.csv_update(ctx, games);
		SELECT r.removed, r.disabled INTO removed, disabled
		FROM api.csv_remove(ctx, games) r;
	END IF;
	added := api.csv_add(ctx, games);
	IF replaces THEN
		updated := cardinality(games) - added;
	END IF;
	answer := api.reply(200, format('{"message":'
	    '"Successfully imported %s games","count":%1$s,"mode":"%s",'
	    '"added":%s,"updated":%s,"skipped":%s,"removed":%s,'
	    '"disabled":%s}', added + updated,
	    CASE WHEN replaces THEN 'replace' ELSE 'append' END, added,
	    updated, cardinality(lines) - added - updated, removed,
	    disabled));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'game_import', answer);
	END IF;
	RETURN NEXT answer;
	PERFORM api.stream_weigh(ctx, 'lobby',
	    api.catalog_bytes(ctx) - before);
END
$$;

-- A field of a line: in quotes where it has to be.
CREATE FUNCTION api.csv_field(field text)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN field IS NULL THEN ''
	    WHEN field ~ E'[",\r\n]' THEN
		'"' || replace(field, '"', '""') || '"'
	    ELSE field END
$$;

CREATE FUNCTION api.game_export(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	answer api.answer;
	lines text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT string_agg(concat_ws(',', api.csv_field(g.pack_name),
	    api.csv_field(g.title), g.min_players, g.max_players,
	    coalesce(g.length_minutes::text, ''), g.has_audience::int,
	    g.family_friendly::int, api.csv_field(g.game_type),
	    api.csv_field(g.secondary_type)) || E'\r\n', '' ORDER BY
	    g.pack_name COLLATE "C", g.title COLLATE "C") INTO lines
	FROM partyline.game g WHERE g.tenant_id = ctx.tenant;
	answer := api.reply(200, 'pack_name,title,min_players,max_players,'
	    'length_minutes,has_audience,family_friendly,game_type,'
	    || E'secondary_type\r\n' || coalesce(lines, ''));
	answer.headers := '{"Content-Type":"text/csv; charset=utf-8",'
	    '"Content-Disposition":"attachment; filename=games.csv"}';
	RETURN NEXT answer;
END
$$;
