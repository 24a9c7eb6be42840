-- SPDX-License-Identifier: MIT
--
-- What a thread's sockets were told, and what waits for them. The log is the
-- queue: it begins behind thread.told, and whoever registers is told the
-- stream from there on.
--
--	thread_enter ──> claimed ──> thread_told … ──> thread_told
--	  from where	             told rises	       the claim is let go
--
-- While somebody is being told what waited, who registers then begins behind
-- that; where the claimer's process is gone, or silent for too long, he
-- begins where the claimer did.

-- The types of events that are for sockets.
CREATE FUNCTION api.thread_is_for_sockets(type text)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT type IN ('analysis_update', 'knowledge', 'learning_intent',
	    'learning_knowledge', 'next_action')
$$;

-- Where a socket begins: seq, of the stream. me: "host slot.generation" of
-- the caller; alive: the same of all processes of his host.
CREATE FUNCTION api.thread_enter(ctx api.ctx, thread text, me text, sid text,
    alive text[], most int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	wanted bigint;
	row partyline.thread;
	first bigint;
	waiting bigint;
	too_many bigint := 0;
	moment timestamptz := clock_timestamp();
BEGIN
	PERFORM api.enter(ctx);
	wanted := api.thread_take(ctx, thread);
	SELECT * INTO row FROM partyline.thread t
	WHERE t.tenant_id = ctx.tenant AND t.id = wanted;
	SELECT 0, 200, s.name, s.epoch, s.head
	INTO answer.element, answer.status, answer.stream, answer.epoch,
	    answer.seq
	FROM partyline.stream s
	WHERE s.tenant_id = ctx.tenant AND s.name = 'thread:' || wanted;
	first := least(row.told, answer.seq);
	IF row.claimed_until > moment AND row.claimed_to > first
	    AND (row.claimed_by = ANY (alive)
		OR split_part(row.claimed_by, ' ', 1)
		    <> split_part(me, ' ', 1)) THEN
		first := least(row.claimed_to, answer.seq);
	END IF;
	SELECT count(*) INTO waiting FROM partyline.event e
	WHERE e.tenant_id = ctx.tenant AND e.stream = answer.stream
	    AND e.seq > first AND e.seq <= answer.seq
	    AND api.thread_is_for_sockets(e.type);
	IF waiting > most THEN
		too_many := waiting - most;
		waiting := most;
		SELECT e.seq INTO first FROM partyline.event e
		WHERE e.tenant_id = ctx.tenant AND e.stream = answer.stream
		    AND e.seq > first AND e.seq <= answer.seq
		    AND api.thread_is_for_sockets(e.type)
		ORDER BY e.seq OFFSET too_many - 1 LIMIT 1;
	END IF;
	IF waiting > 0 THEN
		UPDATE partyline.thread t SET dropped = t.dropped + too_many,
		    told = CASE WHEN too_many > 0 THEN first ELSE t.told END,
		    claimed_to = answer.seq, claimed_by = me,
		    claimed_until = moment + interval '2 seconds',
		    claimed_sid = sid
		WHERE t.tenant_id = ctx.tenant AND t.id = wanted;
	END IF;
	answer.seq := first;
	answer.body := format('{"waiting":%s,"dropped":%s}', waiting,
	    too_many);
	RETURN NEXT answer;
END
$$;

-- Its sockets were told up to there. sid: the socket that needs its claim no
-- longer; empty: none.
CREATE FUNCTION api.thread_told(ctx api.ctx, stream_name text,
    known_epoch text, seq bigint, sid text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	UPDATE partyline.thread t
	SET told = CASE WHEN t.told > s.head THEN seq
		ELSE greatest(t.told, seq) END,
	    claimed_until = CASE WHEN t.claimed_sid = sid THEN NULL
		ELSE t.claimed_until END
	FROM partyline.stream s
	WHERE t.tenant_id = ctx.tenant AND s.tenant_id = ctx.tenant
	    AND t.id = split_part(stream_name, ':', 2)::bigint
	    AND s.name = stream_name AND s.epoch = known_epoch
	    AND seq <= s.head;
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- Threads in which something waits, at most so many, with how much it is.
CREATE FUNCTION api.thread_waiting(ctx api.ctx, most int)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	counts text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT coalesce(json_object_agg(w.name, w.count ORDER BY w.name),
	    '{}')::text
	INTO counts FROM (
		SELECT t.name, (SELECT count(*) FROM partyline.event e
		    WHERE e.tenant_id = ctx.tenant AND e.stream = s.name
		    AND e.seq > t.told
		    AND api.thread_is_for_sockets(e.type)) AS count
		FROM partyline.thread t
		JOIN partyline.stream s ON s.tenant_id = ctx.tenant
		    AND s.name = 'thread:' || t.id
		WHERE t.tenant_id = ctx.tenant AND s.head > t.told
		ORDER BY t.active_at DESC LIMIT most) w
	WHERE w.count > 0;
	RETURN NEXT api.reply(200, counts);
END
$$;
