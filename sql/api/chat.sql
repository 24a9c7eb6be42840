-- SPDX-License-Identifier: MIT
--
-- What was said in chat during a session, brought in afterwards, with the
-- votes that are in it.

-- Lines, by place; games: what each votes for.
CREATE TYPE api.chat AS (
	usernames	text[],
	messages	text[],
	moments		text[],
	hashes		bytea[],
	votes		smallint[],
	games		bigint[]
);

-- 1 or -1, where the line votes for the game that is being played.
CREATE FUNCTION api.chat_vote(message text)
RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN position('thisgame++' IN lower(message)) > 0
	    THEN 1::smallint
	WHEN position('thisgame--' IN lower(message)) > 0
	    THEN -1::smallint END
$$;

-- A list of {username, message, timestamp as it was written, moment}. What
-- is said twice is there once.
CREATE FUNCTION api.chat_read(lines json)
RETURNS api.chat LANGUAGE plpgsql STABLE AS $$
DECLARE
	chat api.chat;
BEGIN
	SELECT array_agg(l.username ORDER BY l.place),
	    array_agg(l.message ORDER BY l.place),
	    array_agg(l.moment ORDER BY l.place),
	    array_agg(l.hash ORDER BY l.place),
	    array_agg(api.chat_vote(l.message) ORDER BY l.place)
	INTO chat.usernames, chat.messages, chat.moments, chat.hashes,
	    chat.votes
	FROM (SELECT DISTINCT ON (h.hash) h.*
	    FROM (SELECT w.*, sha256(convert_to(concat(w.username, ':',
		    w.message, ':', w.said), 'UTF8')) AS hash
		FROM ROWS FROM (json_to_recordset(lines) AS
		    (username text, message text, "timestamp" text,
		    moment text)) WITH ORDINALITY
		    AS w (username, message, said, moment, place)) h
	    ORDER BY h.hash, h.place) l;
	RETURN chat;
END
$$;

-- Those that the session has not got yet, which is locked, and what each of
-- them votes for.
CREATE FUNCTION api.chat_new(ctx api.ctx, wanted bigint, chat api.chat,
    starts timestamptz[], played bigint[])
RETURNS api.chat LANGUAGE plpgsql STABLE AS $$
DECLARE
	news api.chat;
BEGIN
	SELECT array_agg(w.username ORDER BY w.place),
	    array_agg(w.message ORDER BY w.place),
	    array_agg(w.moment ORDER BY w.place),
	    array_agg(w.hash ORDER BY w.place),
	    array_agg(w.vote ORDER BY w.place),
	    array_agg(CASE WHEN w.vote IS NOT NULL THEN
		played[width_bucket(w.moment::timestamptz, starts)] END
		ORDER BY w.place)
	INTO news
	FROM unnest(chat.usernames, chat.messages, chat.moments, chat.hashes,
	    chat.votes) WITH ORDINALITY
	    AS w (username, message, moment, hash, vote, place)
	WHERE NOT EXISTS (SELECT FROM partyline.chat_log c
	    WHERE c.tenant_id = ctx.tenant AND c.session_id = wanted
		AND c.hash = w.hash);
	RETURN news;
END
$$;

CREATE FUNCTION api.chat_store(ctx api.ctx, wanted bigint, chat api.chat)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	count int := cardinality(chat.hashes);
	last bigint := api.next_ids(ctx, 'chat_log', count);
BEGIN
	INSERT INTO partyline.chat_log (tenant_id, id, session_id, username,
	    message, said_at, said_text, vote, game_id, hash)
	SELECT ctx.tenant, last - count + w.place, wanted, w.username,
	    w.message, w.moment::timestamptz, w.moment, w.vote, w.game,
	    w.hash
	FROM unnest(chat.usernames, chat.messages, chat.moments, chat.votes,
	    chat.games, chat.hashes) WITH ORDINALITY
	    AS w (username, message, moment, vote, game, hash, place);
	PERFORM api.stream_weigh(ctx, 'session:' || wanted,
	    (SELECT sum(octet_length(w.username) + octet_length(w.message))
	    FROM unnest(chat.usernames, chat.messages)
		AS w (username, message)));
END
$$;

-- Counts the votes in the games' rows; what each got, as JSON.
CREATE FUNCTION api.chat_count(ctx api.ctx, chat api.chat,
    processed_out OUT bigint, by_game_out OUT text)
LANGUAGE plpgsql AS $$
DECLARE
	games bigint[];
	ups bigint[];
	downs bigint[];
BEGIN
	SELECT array_agg(t.game), array_agg(t.ups), array_agg(t.downs),
	    coalesce(sum(t.ups + t.downs), 0)
	INTO games, ups, downs, processed_out
	FROM (SELECT w.game, count(*) FILTER (WHERE w.vote = 1) AS ups,
		count(*) FILTER (WHERE w.vote = -1) AS downs
	    FROM unnest(chat.games, chat.votes) AS w (game, vote)
	    WHERE w.game IS NOT NULL GROUP BY w.game) t;
	IF games IS NULL THEN
		RETURN;
	END IF;
	PERFORM api.votes_count(ctx, games, ups, downs);
	SELECT string_agg(format(
	    '"%s":{"title":%s,"upvotes":%s,"downvotes":%s}', w.game,
	    to_json(g.title), w.ups, w.downs), ',' ORDER BY w.game)
	INTO by_game_out
	FROM unnest(games, ups, downs) AS w (game, ups, downs)
	JOIN partyline.game g ON g.tenant_id = ctx.tenant AND g.id = w.game;
END
$$;

-- What the lines vote for is found as for live votes, but nobody is told.
CREATE FUNCTION api.session_chat_import(ctx api.ctx, wanted bigint,
    lines text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	chat api.chat;
	starts timestamptz[];
	played bigint[];
	count int;
	processed bigint;
	by_game text;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'session_chat_import ' || wanted);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	-- Before anything is locked, as it takes its time.
	chat := api.chat_read(lines::json);
	PERFORM api.session_lock(ctx, wanted);
	SELECT array_agg(p.played_at ORDER BY p.played_at, p.id),
	    array_agg(p.game_id ORDER BY p.played_at, p.id)
	INTO starts, played
	FROM partyline.session_game p
	WHERE p.tenant_id = ctx.tenant AND p.session_id = wanted;
	IF starts IS NULL THEN
		RAISE 'chat_without_games' USING ERRCODE = 'PT400';
	END IF;
	chat := api.chat_new(ctx, wanted, chat, starts, played);
	count := coalesce(cardinality(chat.hashes), 0);
	SELECT * INTO processed, by_game FROM api.chat_count(ctx, chat);
	IF count > 0 THEN
		PERFORM api.chat_store(ctx, wanted, chat);
	END IF;
	answer := api.reply(200, format('{"message":"Chat log imported and '
	    'processed successfully","messagesImported":%s,'
	    '"duplicatesSkipped":%s,"votesProcessed":%s,"votesByGame":{%s}}',
	    count, json_array_length(lines::json) - count, processed,
	    by_game));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'session_chat_import ' || wanted,
		    answer);
	END IF;
	RETURN NEXT answer;
END
$$;
