-- SPDX-License-Identifier: MIT
--
-- Votes. POST /api/votes/live is batched: each argument has one place for
-- each element, and whatever is done to all of them is one statement. Who
-- votes holds the session locked, and so nobody votes twice at once. The
-- game's row counts them in the transaction that stores them.

-- What each element votes for, by place: with a ticker whichever game has
-- it, else the game that the session played at that moment. From its start
-- on a game has it until the next one starts. Nothing where batch knows the
-- answer. Where there are several, they are locked in their order.
CREATE FUNCTION api.vote_games(ctx api.ctx, batch api.batch,
    starts timestamptz[], played bigint[], times timestamptz[],
    tickers text[])
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
	games bigint[];
	has_several boolean;
BEGIN
	IF batch.statuses IS NULL AND array_to_string(tickers, '') = '' THEN
		SELECT array_agg(w.game), min(w.game) <> max(w.game)
		INTO games, has_several
		FROM (SELECT played[width_bucket(time, starts)] AS game
		    FROM unnest(times) WITH ORDINALITY AS u (time, place)
		    ORDER BY place) w;
	ELSE
		-- All of the tenant's, once: upper is not leakproof, so that
		-- no index serves it where row-level security is on.
		SELECT array_agg(w.game), min(w.game) <> max(w.game)
		INTO games, has_several
		FROM (SELECT CASE WHEN u.status IS NOT NULL
			    OR u.same IS NOT NULL THEN NULL
			WHEN u.ticker <> '' THEN g.id
			ELSE played[width_bucket(u.time, starts)] END AS game
		    FROM unnest(times, tickers, batch.statuses,
			batch.same_as) WITH ORDINALITY
			AS u (time, ticker, status, same, place)
		    LEFT JOIN (SELECT g.id, upper(g.ticker) AS ticker
			FROM partyline.game g WHERE g.tenant_id = ctx.tenant
			    AND g.ticker IS NOT NULL) g
		    ON g.ticker = upper(u.ticker)
		    ORDER BY u.place) w;
	END IF;
	IF has_several THEN
		PERFORM FROM partyline.game g
		WHERE g.tenant_id = ctx.tenant AND g.id = ANY (games)
		ORDER BY g.id FOR NO KEY UPDATE;
	END IF;
	RETURN games;
END
$$;

-- Which of them come less than a second before or behind another vote of the
-- same name for the same game, by place. The session is locked.
CREATE FUNCTION api.vote_repeats(ctx api.ctx, usernames text[],
    games bigint[], moments timestamptz[])
RETURNS boolean[] LANGUAGE plpgsql AS $$
DECLARE
	repeats boolean[];
	is_near boolean;	-- some of them to each other
	second interval := '1 second';
BEGIN
	-- The bounds are made beneath: what is computed from a vote's own
	-- columns where it is compared is no condition of an index under
	-- row-level security.
	SELECT array_agg(c.game IS NOT NULL AND EXISTS (
		SELECT FROM partyline.live_vote v
		WHERE v.tenant_id = ctx.tenant AND v.game_id = c.game
		    AND v.username = c.username AND v.voted_at > c.earliest
		    AND v.voted_at < c.latest) ORDER BY c.place),
	    bool_or(c.is_near)
	INTO repeats, is_near
	FROM (SELECT w.place, w.game, w.username,
		w.moment - second AS earliest, w.moment + second AS latest,
		w.moment - lag(w.moment) OVER (PARTITION BY w.game,
		    w.username ORDER BY w.moment) < second AS is_near
	    FROM unnest(usernames, games, moments) WITH ORDINALITY
		AS w (username, game, moment, place)) c;
	IF NOT coalesce(is_near, false) THEN
		RETURN repeats;
	END IF;
	-- One that is refused is in nobody's way: one after the other.
	FOR n IN 2 .. cardinality(games) LOOP
		CONTINUE WHEN repeats[n] OR games[n] IS NULL;
		repeats[n] := EXISTS (
		    SELECT FROM unnest(usernames[:n - 1], games[:n - 1],
			moments[:n - 1], repeats[:n - 1])
			AS w (username, game, moment, is_repeat)
		    WHERE w.game = games[n] AND w.username = usernames[n]
			AND NOT w.is_repeat AND w.moment > moments[n] - second
			AND w.moment < moments[n] + second);
	END LOOP;
	RETURN repeats;
END
$$;

-- The games of a session, for whoever missed them.
CREATE FUNCTION api.vote_debug(ctx api.ctx, wanted bigint)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT concat('[', string_agg(format(
	    '{"title":%s,"played_at":"%s"}', to_json(g.title),
	    p.played_text), ',' ORDER BY p.played_at, p.id), ']')
	    FROM partyline.session_game p
	    JOIN partyline.game g
		ON g.tenant_id = ctx.tenant AND g.id = p.game_id
	    WHERE p.tenant_id = ctx.tenant AND p.session_id = wanted);
END
$$;

-- Stores those that are for a game.
CREATE FUNCTION api.vote_store(ctx api.ctx, session bigint, many int,
    usernames text[], votes text[], moments text[], times timestamptz[],
    games bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	last bigint := api.next_ids(ctx, 'live_vote', many);
	stored_at timestamptz := api.moment();
	stored_text text := api.iso(stored_at);
BEGIN
	INSERT INTO partyline.live_vote (tenant_id, id, session_id, game_id,
	    username, vote, voted_at, voted_text, created_at, created_text)
	SELECT ctx.tenant, last - many + row_number() OVER (ORDER BY w.place),
	    session, w.game, w.username, CASE w.vote WHEN 'up' THEN 1
	    ELSE -1 END, w.time, w.moment, stored_at, stored_text
	FROM unnest(games, usernames, votes, moments, times) WITH ORDINALITY
	    AS w (game, username, vote, moment, time, place)
	WHERE w.game IS NOT NULL;
END
$$;

CREATE FUNCTION api.vote_create(ctx api.ctx, callers text[],
    request_ids text[], keys text[], hashes text[], usernames text[],
    votes text[], moments text[], tickers text[])
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	count int := cardinality(usernames);
	batch api.batch;
	scopes text[];
	session bigint;
	games_played int;
	starts timestamptz[];	-- when the session began a game
	played bigint[];	-- and which
	times timestamptz[] := moments;
	games bigint[];		-- by place: what is voted for
	repeats boolean[];
	places int[];		-- of those that count, as are these
	their_ids text[];
	datas text[];
	names bigint;		-- bytes
BEGIN
	PERFORM api.enter(ctx);
	IF cardinality(array_remove(keys, NULL)) > 0 THEN
		scopes := array_fill('vote_create'::text, ARRAY[count]);
		batch := api.batch_repeated(ctx, scopes, callers, keys,
		    hashes);
	END IF;

	-- Whoever closes it waits for us, or we for him; and so does whoever
	-- votes, as there is one active session. What is answered by now has
	-- to wait for nobody.
	IF batch.statuses IS NULL OR EXISTS (
	    SELECT FROM unnest(batch.statuses, batch.same_as)
		AS w (status, same)
	    WHERE w.status IS NULL AND w.same IS NULL) THEN
		SELECT s.id, s.games_played INTO session, games_played
		FROM partyline.session s
		WHERE s.tenant_id = ctx.tenant AND s.is_active
		FOR NO KEY UPDATE;
	END IF;
	IF session IS NOT NULL THEN
		SELECT array_agg(p.played_at ORDER BY p.played_at, p.id),
		    array_agg(p.game_id ORDER BY p.played_at, p.id)
		INTO starts, played
		FROM partyline.session_game p
		WHERE p.tenant_id = ctx.tenant AND p.session_id = session;
		games := api.vote_games(ctx, batch, starts, played, times,
		    tickers);
		repeats := api.vote_repeats(ctx, usernames, games, times);
	END IF;

	WITH counted AS (
		UPDATE partyline.game g SET upvotes = g.upvotes + v.ups,
		    downvotes = g.downvotes + v.downs
		FROM (SELECT w.game, count(*) FILTER (WHERE w.vote = 'up')
			AS ups, count(*) FILTER (WHERE w.vote = 'down')
			AS downs
		    FROM unnest(games, votes, repeats)
			AS w (game, vote, is_repeat)
		    WHERE NOT w.is_repeat GROUP BY w.game) v
		WHERE g.tenant_id = ctx.tenant AND g.id = v.game
		RETURNING g.id, g.upvotes - v.ups AS upvotes, g.downvotes
		    - v.downs AS downvotes, format('{"id":%s,"title":%s',
		    g.id, to_json(g.title)) AS said,
		    to_json(g.pack_name)::text AS pack_name)
	SELECT array_agg(coalesce(a.status, CASE WHEN a.same IS NULL THEN
		CASE WHEN a.refusal IS NULL THEN 200
		WHEN a.refusal = 'vote_duplicate' THEN 409 ELSE 404 END END)),
	    array_agg(CASE
		WHEN a.status IS NOT NULL THEN a.body
		WHEN a.game IS NOT NULL THEN concat('{"success":true,'
		    '"message":"Vote recorded successfully","session":{"id":',
		    session, ',"games_played":', games_played, '},"game":',
		    a.said, ',', a.totals, '},"vote":', a.said_vote, '}')
		WHEN a.refusal = 'vote_duplicate' THEN '{"message":'
		    '"Please wait at least 1 second between votes"}'
		WHEN a.refusal = 'vote_without_game' THEN format(
		    '{"debug":{"voteTimestamp":"%s","sessionGames":%s}}',
		    a.moment, (SELECT api.vote_debug(ctx, session))) END),
	    array_agg(a.refusal), array_agg(a.game),
	    array_agg(a.place) FILTER (WHERE a.game IS NOT NULL),
	    array_agg(a.request_id) FILTER (WHERE a.game IS NOT NULL),
	    array_agg(concat('{"sessionId":', session, ',"game":', a.said,
		',"pack_name":', a.pack_name, '},"vote":', a.said_vote,
		',"totals":{', a.totals, '}}'))
		FILTER (WHERE a.game IS NOT NULL),
	    sum(octet_length(a.username)) FILTER (WHERE a.game IS NOT NULL)
	INTO batch.statuses, batch.bodies, batch.refusals, games, places,
	    their_ids, datas, names
	FROM (SELECT w.*, c.id AS game, c.said, c.pack_name,
		CASE WHEN w.status IS NOT NULL OR w.same IS NOT NULL
			THEN w.kept_refusal
		    WHEN session IS NULL THEN 'no_active_session'
		    WHEN w.is_repeat THEN 'vote_duplicate'
		    WHEN c.id IS NOT NULL THEN NULL
		    WHEN w.ticker <> '' THEN 'ticker_unknown'
		    WHEN starts IS NULL THEN 'no_games_played'
		    ELSE 'vote_without_game' END AS refusal,
		concat('"upvotes":', c.upvotes + w.ups, ',"downvotes":',
		    c.downvotes + w.downs, ',"popularity_score":',
		    c.upvotes + w.ups - c.downvotes - w.downs) AS totals,
		concat('{"username":', to_json(w.username)::text,
		    ',"type":"', w.vote, '","timestamp":"', w.moment, '"}')
		    AS said_vote
	    FROM (SELECT *, count(*) FILTER (WHERE e.vote = 'up') OVER each
			AS ups,
		    count(*) FILTER (WHERE e.vote = 'down') OVER each
			AS downs
		FROM unnest(usernames, votes, moments, tickers, request_ids,
		    games, repeats, batch.statuses, batch.bodies,
		    batch.refusals, batch.same_as) WITH ORDINALITY
		    AS e (username, vote, moment, ticker, request_id, wanted,
		    is_repeat, status, body, kept_refusal, same, place)
		WINDOW each AS (PARTITION BY e.wanted, e.is_repeat
		    ORDER BY e.place)) w
	    LEFT JOIN counted c ON c.id = w.wanted AND NOT w.is_repeat
	    ORDER BY w.place) a;

	IF places IS NOT NULL THEN
		PERFORM api.vote_store(ctx, session, cardinality(places),
		    usernames, votes, moments, times, games);
		RETURN QUERY SELECT * FROM api.batch_emit(ctx,
		    'session:' || session, places, their_ids,
		    array_fill('vote.received'::text,
		    ARRAY[cardinality(places)]), datas, names);
	END IF;
	IF batch.held IS NOT NULL THEN
		batch := api.batch_keep(ctx, scopes, callers, keys, hashes,
		    batch);
	END IF;
	RETURN QUERY SELECT * FROM api.batch_answers(batch);
END
$$;

-- The newest votes, as far as they fit what is asked for. Planned for each
-- call: which index serves depends on what is given.
CREATE FUNCTION api.vote_list(ctx api.ctx, session bigint, game bigint,
    username text, vote text, page bigint, most bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	filter text := concat('v.tenant_id = $1',
	    CASE WHEN session IS NOT NULL THEN ' AND v.session_id = $2' END,
	    CASE WHEN game IS NOT NULL THEN ' AND v.game_id = $3' END,
	    CASE WHEN username IS NOT NULL THEN ' AND v.username = $4' END,
	    CASE WHEN vote IS NOT NULL THEN ' AND v.vote = $5' END);
	sign int := CASE vote WHEN 'up' THEN 1 ELSE -1 END;
	total bigint;
	lines text;
BEGIN
	PERFORM api.enter(ctx);
	page := greatest(page, 1);
	most := coalesce(nullif(most, 0), 50);
	EXECUTE 'SELECT count(*) FROM partyline.live_vote v WHERE ' || filter
	INTO total USING ctx.tenant, session, game, username, sign;
	EXECUTE 'SELECT string_agg(api.vote_line(p, g.title, g.pack_name), '
	    ''','' ORDER BY p.voted_at DESC, p.id DESC) FROM (SELECT v.* '
	    'FROM partyline.live_vote v WHERE ' || filter
	    || ' ORDER BY v.voted_at DESC, v.id DESC LIMIT $6 OFFSET $7) p '
	    'JOIN partyline.game g '
	    'ON g.tenant_id = p.tenant_id AND g.id = p.game_id'
	INTO lines USING ctx.tenant, session, game, username, sign, most,
	    (page - 1) * most;
	RETURN NEXT api.reply(200, format('{"votes":[%s],"pagination":'
	    '{"page":%s,"limit":%s,"total":%s,"total_pages":%s}}', lines,
	    page, most, total, (total + most - 1) / most));
END
$$;

CREATE FUNCTION api.vote_line(v partyline.live_vote, title text,
    pack_name text)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat('{"id":', v.id, ',"session_id":', v.session_id,
	    ',"game_id":', v.game_id, ',"game_title":', to_json(title),
	    ',"pack_name":', to_json(pack_name), ',"username":',
	    to_json(v.username), ',"vote_type":',
	    CASE v.vote WHEN 1 THEN '"up"' ELSE '"down"' END,
	    ',"timestamp":"', v.voted_text, '","created_at":"',
	    v.created_text, '"}')
$$;

-- What each game got in a session, live; the best liked first.
CREATE FUNCTION api.session_votes(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	lines text;
BEGIN
	PERFORM api.enter(ctx);
	IF NOT EXISTS (SELECT FROM partyline.session s
	    WHERE s.tenant_id = ctx.tenant AND s.id = wanted) THEN
		RAISE 'session_not_found' USING ERRCODE = 'PT404';
	END IF;
	SELECT string_agg(format('{"game_id":%s,"title":%s,"pack_name":%s,'
	    '"upvotes":%s,"downvotes":%s,"net_score":%s,"total_votes":%s}',
	    v.game_id, to_json(g.title), to_json(g.pack_name), v.ups,
	    v.total - v.ups, 2 * v.ups - v.total, v.total), ','
	    ORDER BY 2 * v.ups - v.total DESC, v.total DESC, v.game_id)
	INTO lines
	FROM (SELECT l.game_id, count(*) AS total,
		count(*) FILTER (WHERE l.vote = 1) AS ups
	    FROM partyline.live_vote l
	    WHERE l.tenant_id = ctx.tenant AND l.session_id = wanted
	    GROUP BY l.game_id) v
	JOIN partyline.game g
	    ON g.tenant_id = ctx.tenant AND g.id = v.game_id;
	RETURN NEXT api.reply(200, format('{"session_id":%s,"votes":[%s]}',
	    wanted, lines));
END
$$;

-- Counts votes in the games' rows, which it locks in their order.
CREATE FUNCTION api.votes_count(ctx api.ctx, games bigint[], ups bigint[],
    downs bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM partyline.game g
	WHERE g.tenant_id = ctx.tenant AND g.id = ANY (games)
	ORDER BY g.id FOR NO KEY UPDATE;
	UPDATE partyline.game g
	SET upvotes = greatest(g.upvotes + v.ups, 0),
	    downvotes = greatest(g.downvotes + v.downs, 0)
	FROM unnest(games, ups, downs) AS v (game, ups, downs)
	WHERE g.tenant_id = ctx.tenant AND g.id = v.game;
END
$$;

-- Removes the votes of sessions that are about to be removed, and takes them
-- out of the games' totals, those of the chat as well. The sessions are
-- locked.
CREATE FUNCTION api.votes_remove(ctx api.ctx, sessions bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	games bigint[];
	ups bigint[];
	downs bigint[];
BEGIN
	WITH gone AS (
		DELETE FROM partyline.live_vote v
		WHERE v.tenant_id = ctx.tenant
		    AND v.session_id = ANY (sessions)
		RETURNING v.game_id, v.vote)
	SELECT array_agg(t.game_id), array_agg(-t.ups), array_agg(-t.downs)
	INTO games, ups, downs
	FROM (SELECT v.game_id, count(*) FILTER (WHERE v.vote = 1) AS ups,
		count(*) FILTER (WHERE v.vote = -1) AS downs
	    FROM (SELECT g.game_id, g.vote FROM gone g
		UNION ALL
		SELECT c.game_id, c.vote FROM partyline.chat_log c
		WHERE c.tenant_id = ctx.tenant
		    AND c.session_id = ANY (sessions)
		    AND c.game_id IS NOT NULL) v
	    GROUP BY v.game_id) t;
	IF games IS NOT NULL THEN
		PERFORM api.votes_count(ctx, games, ups, downs);
	END IF;
END
$$;
