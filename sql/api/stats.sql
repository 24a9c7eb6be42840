-- SPDX-License-Identifier: MIT
--
-- What people want to know afterwards: of all that was ever played, of one
-- night, of a season. Votes are those that came live and those found in
-- chat, told apart nowhere.

CREATE VIEW api.stats_vote WITH (security_invoker = true) AS
SELECT v.tenant_id, v.session_id, v.game_id, v.username, v.vote,
    v.voted_at AS at
FROM partyline.live_vote v
UNION ALL
SELECT c.tenant_id, c.session_id, c.game_id, c.username, c.vote, c.said_at
FROM partyline.chat_log c
WHERE c.vote IS NOT NULL AND c.game_id IS NOT NULL;
GRANT SELECT ON api.stats_vote TO partyline_server;

CREATE FUNCTION api.stats(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	games text;
	sessions text;
	most_played json;
	top_rated json;
	played bigint;
BEGIN
	PERFORM api.enter(ctx);
	SELECT format('"games":{"count":%s},"gamesEnabled":{"count":%s},'
	    '"packs":{"count":%s}', count(*), count(*) FILTER (
	    WHERE g.enabled), count(DISTINCT g.pack_name)) INTO games
	FROM partyline.game g WHERE g.tenant_id = ctx.tenant;
	SELECT format('"sessions":{"count":%s},"activeSessions":{"count":%s}',
	    count(*), count(*) FILTER (WHERE s.is_active)) INTO sessions
	FROM partyline.session s WHERE s.tenant_id = ctx.tenant;
	SELECT count(*) INTO played FROM partyline.session_game s
	WHERE s.tenant_id = ctx.tenant;
	most_played := to_json(ARRAY(SELECT to_json(top) FROM (
	    SELECT g.id, g.title, g.pack_name, g.play_count,
		g.upvotes - g.downvotes AS popularity_score, g.upvotes,
		g.downvotes
	    FROM partyline.game g
	    WHERE g.tenant_id = ctx.tenant AND g.play_count > 0
	    ORDER BY g.play_count DESC, g.id LIMIT 10) top));
	top_rated := to_json(ARRAY(SELECT to_json(top) FROM (
	    SELECT g.id, g.title, g.pack_name, g.play_count,
		g.upvotes - g.downvotes AS popularity_score, g.upvotes,
		g.downvotes
	    FROM partyline.game g
	    WHERE g.tenant_id = ctx.tenant AND g.upvotes > g.downvotes
	    ORDER BY g.upvotes - g.downvotes DESC, g.id LIMIT 10) top));
	RETURN NEXT api.reply(200, format('{%s,%s,"totalGamesPlayed":'
	    '{"count":%s},"mostPlayedGames":%s,"topRatedGames":%s}', games,
	    sessions, played, most_played, top_rated));
END
$$;

-- --- one session -----------------------------------------------------------

-- From one moment to another; NULL while there is no other.
CREATE FUNCTION api.minutes(began timestamptz, ended timestamptz)
RETURNS int LANGUAGE sql IMMUTABLE AS $$
	SELECT round(extract(epoch FROM ended - began) / 60)::int
$$;

-- Its games in their order, each with its minutes (until the next one began
-- or the session ended) and its votes. A vote belongs to the game as it was
-- played last before it; one before it was ever played, to the first time.
CREATE FUNCTION api.recap_games(ctx api.ctx, session partyline.session)
RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN to_json(ARRAY(SELECT to_json(line) FROM (
	    SELECT p.id, p.game_id, g.title, g.pack_name, p.status, p.source,
		p.played_text AS played_at,
		api.minutes(p.played_at, p.ended) AS minutes, p.player_count,
		count(*) FILTER (WHERE v.vote = 1) AS upvotes,
		count(*) FILTER (WHERE v.vote = -1) AS downvotes,
		coalesce(sum(v.vote), 0) AS net_score,
		count(v.vote) AS total_votes
	    FROM (SELECT s.*, coalesce(lead(s.played_at) OVER turn,
		    session.closed_at) AS ended,
		    lag(s.played_at) OVER same IS NULL AS is_first,
		    coalesce(lead(s.played_at) OVER same, 'infinity') AS again
		FROM partyline.session_game s
		WHERE s.tenant_id = ctx.tenant AND s.session_id = session.id
		WINDOW turn AS (ORDER BY s.played_at, s.id),
		    same AS (PARTITION BY s.game_id
			ORDER BY s.played_at, s.id)) p
	    JOIN partyline.game g
		ON g.tenant_id = ctx.tenant AND g.id = p.game_id
	    LEFT JOIN api.stats_vote v ON v.tenant_id = ctx.tenant
		AND v.session_id = session.id AND v.game_id = p.game_id
		AND v.at < p.again AND (v.at >= p.played_at OR p.is_first)
	    GROUP BY p.id, p.game_id, g.title, g.pack_name, p.status,
		p.source, p.played_text, p.played_at, p.ended, p.player_count
	    ORDER BY p.played_at, p.id) line));
END
$$;

-- All its votes, and how many there were in each `step` minutes since it
-- began; the first 1,440 of these that had any.
CREATE FUNCTION api.recap_votes(ctx api.ctx, session partyline.session,
    step int)
RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT to_json(votes) FROM (
	    SELECT count(*) FILTER (WHERE v.vote = 1) AS upvotes,
		count(*) FILTER (WHERE v.vote = -1) AS downvotes,
		coalesce(sum(v.vote), 0) AS net_score,
		count(*) AS total_votes,
		count(DISTINCT lower(v.username)) AS voters,
		step AS step_minutes,
		ARRAY(SELECT to_json(slot) FROM (
		    SELECT api.iso(o.slot) AS at,
			count(*) FILTER (WHERE o.vote = 1) AS upvotes,
			count(*) FILTER (WHERE o.vote = -1) AS downvotes
		    FROM (SELECT w.vote, date_bin(make_interval(mins => step),
			    w.at, session.created_at) AS slot
			FROM api.stats_vote w
			WHERE w.tenant_id = ctx.tenant
			    AND w.session_id = session.id) o
		    GROUP BY o.slot ORDER BY o.slot LIMIT 1440) slot)
		    AS over_time
	    FROM api.stats_vote v WHERE v.tenant_id = ctx.tenant
		AND v.session_id = session.id) votes);
END
$$;

-- step: of the votes over time, in minutes; 5 without it.
CREATE FUNCTION api.session_recap(ctx api.ctx, wanted bigint, step int)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	session partyline.session;
	players json;
	chat json;
BEGIN
	PERFORM api.enter(ctx);
	SELECT * INTO session FROM partyline.session s
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	IF NOT FOUND THEN
		RAISE 'session_not_found' USING ERRCODE = 'PT404';
	END IF;
	SELECT to_json(p) INTO players
	FROM (SELECT max(s.player_count) AS most, min(s.player_count) AS fewest,
	    round(avg(s.player_count), 1) AS average
	    FROM partyline.session_game s
	    WHERE s.tenant_id = ctx.tenant AND s.session_id = wanted) p;
	SELECT to_json(c) INTO chat
	FROM (SELECT count(*) AS messages,
	    count(DISTINCT lower(l.username)) AS people
	    FROM partyline.chat_log l
	    WHERE l.tenant_id = ctx.tenant AND l.session_id = wanted) c;
	RETURN NEXT api.reply(200, format('{"session":%s},"minutes":%s,'
	    '"games":%s,"votes":%s,"players":%s,"chat":%s}',
	    api.session_head(session), coalesce(api.minutes(
	    session.created_at, session.closed_at)::text, 'null'),
	    api.recap_games(ctx, session),
	    api.recap_votes(ctx, session, coalesce(step, 5)), players, chat));
END
$$;

-- --- a season --------------------------------------------------------------

-- Of these sessions, by the day that their week or month began on.
CREATE FUNCTION api.trend_periods(ctx api.ctx, nights bigint[], unit text)
RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN to_json(ARRAY(SELECT to_json(line) FROM (
	    WITH night AS (SELECT s.id, date_trunc(unit, s.created_at
		    AT TIME ZONE 'UTC')::date AS period,
		api.minutes(s.created_at, s.closed_at) AS minutes
		FROM partyline.session s
		WHERE s.tenant_id = ctx.tenant AND s.id = ANY (nights)),
	    went AS (SELECT n.period, count(*) AS sessions,
		coalesce(sum(n.minutes), 0) AS minutes
		FROM night n GROUP BY n.period),
	    played AS (SELECT n.period, count(*) AS games,
		count(DISTINCT s.game_id) AS different_games,
		round(avg(s.player_count), 1) AS average_players
		FROM night n JOIN partyline.session_game s
		    ON s.tenant_id = ctx.tenant AND s.session_id = n.id
		GROUP BY n.period),
	    voted AS (SELECT n.period,
		count(*) FILTER (WHERE v.vote = 1) AS upvotes,
		count(*) FILTER (WHERE v.vote = -1) AS downvotes,
		count(DISTINCT lower(v.username)) AS voters
		FROM night n JOIN api.stats_vote v
		    ON v.tenant_id = ctx.tenant AND v.session_id = n.id
		GROUP BY n.period)
	    SELECT w.period AS "from", (w.period
		+ ('1 ' || unit)::interval)::date - 1 AS "to", w.sessions,
		w.minutes, coalesce(p.games, 0) AS games,
		coalesce(p.different_games, 0) AS different_games,
		p.average_players, coalesce(v.upvotes, 0) AS upvotes,
		coalesce(v.downvotes, 0) AS downvotes,
		coalesce(v.voters, 0) AS voters
	    FROM went w LEFT JOIN played p USING (period)
	    LEFT JOIN voted v USING (period) ORDER BY w.period) line));
END
$$;

-- The ten games that they played most.
CREATE FUNCTION api.trend_games(ctx api.ctx, nights bigint[])
RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN to_json(ARRAY(SELECT to_json(line) FROM (
	    SELECT g.id, g.title, g.pack_name, p.plays,
		coalesce(v.upvotes, 0) AS upvotes,
		coalesce(v.downvotes, 0) AS downvotes
	    FROM (SELECT s.game_id, count(*) AS plays
		FROM partyline.session_game s
		WHERE s.tenant_id = ctx.tenant
		    AND s.session_id = ANY (nights)
		GROUP BY s.game_id) p
	    JOIN partyline.game g
		ON g.tenant_id = ctx.tenant AND g.id = p.game_id
	    LEFT JOIN (SELECT w.game_id,
		count(*) FILTER (WHERE w.vote = 1) AS upvotes,
		count(*) FILTER (WHERE w.vote = -1) AS downvotes
		FROM api.stats_vote w WHERE w.tenant_id = ctx.tenant
		    AND w.session_id = ANY (nights)
		GROUP BY w.game_id) v ON v.game_id = p.game_id
	    ORDER BY p.plays DESC, g.id LIMIT 10) line));
END
$$;

-- Both days are a part of it; without them it is the year until today. Times
-- are UTC's, weeks begin on Monday.
CREATE FUNCTION api.stats_trends(ctx api.ctx, first date, last date,
    unit text)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	nights bigint[];
BEGIN
	PERFORM api.enter(ctx);
	unit := coalesce(unit, 'week');
	last := coalesce(last, (now() AT TIME ZONE 'UTC')::date);
	first := coalesce(first, (last - interval '1 year')::date + 1);
	IF first > last THEN
		RAISE 'season_backwards' USING ERRCODE = 'PT400';
	END IF;
	nights := ARRAY(SELECT s.id FROM partyline.session s
	    WHERE s.tenant_id = ctx.tenant
	    AND s.created_at >= first::timestamp AT TIME ZONE 'UTC'
	    AND s.created_at < (last + 1)::timestamp AT TIME ZONE 'UTC');
	RETURN NEXT api.reply(200, format('{"from":"%s","to":"%s","by":"%s",'
	    '"periods":%s,"games":%s}', first, last, unit,
	    api.trend_periods(ctx, nights, unit),
	    api.trend_games(ctx, nights)));
END
$$;
