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

-- All that was changed in a row; NULL where nothing was.
CREATE FUNCTION api.import_changes(noun text, id bigint, changes text[])
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT string_agg(api.import_note(noun, id, 'changed', c), ',')
	FROM unnest(changes) c
$$;

CREATE FUNCTION api.import_tell(done api.imported, note text)
RETURNS api.imported LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF note IS NOT NULL THEN
		done.notes := concat_ws(',', done.notes, note);
	END IF;
	RETURN done;
END
$$;

-- What the tenant's nouns take, by the stream that they are counted in.
CREATE FUNCTION api.import_weights(ctx api.ctx)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT coalesce(jsonb_object_agg(t.stream, t.weight), '{}')
	FROM (SELECT w.stream, sum(w.bytes) AS weight
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
	    GROUP BY w.stream) t);
END
$$;

-- The streams weigh so much more now, or less.
CREATE FUNCTION api.import_weigh(ctx api.ctx, before jsonb, after jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	name text;
	more bigint;
BEGIN
	FOR name IN SELECT k FROM jsonb_object_keys(before || after) k
	    ORDER BY k COLLATE "C" LOOP
		more := coalesce((after->>name)::bigint, 0)
		    - coalesce((before->>name)::bigint, 0);
		IF more <> 0 THEN
			PERFORM api.stream_weigh(ctx, name, more);
		END IF;
	END LOOP;
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
    webhooks text, highest text)
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
	of_hooks api.imported;
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
	before := api.import_weights(ctx);

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
	of_hooks := api.import_webhooks(ctx, webhooks);

	UPDATE partyline.session s SET games_played = p.count
	FROM (SELECT w.id, (SELECT count(*) FROM partyline.session_game g
		WHERE g.tenant_id = ctx.tenant AND g.session_id = w.id)
	    FROM unnest(of_sessions.ids) w (id)) p
	WHERE s.tenant_id = ctx.tenant AND s.id = p.id
	    AND s.games_played <> p.count;
	PERFORM api.import_weigh(ctx, before, api.import_weights(ctx));

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
		('chat_logs', of_chat.ids, of_chat.added, of_chat.updated),
		('webhooks', of_hooks.ids, of_hooks.added, of_hooks.updated))
		t (name, ids, added, updated)),
	    concat_ws(',', notes, of_packs.notes,
		of_games.notes, of_sessions.notes,
		of_played.notes, of_votes.notes,
		of_chat.notes, of_hooks.notes)));
END
$$;
