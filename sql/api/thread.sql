-- SPDX-License-Identifier: MIT
--
-- Threads and their turns. A worker stores a question and follows the
-- thread's stream; the jobs process of any host claims it, asks the tenant's
-- responder, and tells what that says:
--
--	turn_create ──> turn_claim ──> turn_say … ──> turn_say, the last
--	                turn.started   turn.said,	turn.ended
--	                               analysis_update, …
--
-- Of a thread only the oldest turn is ever at work. Whoever says something
-- shows the number of his lease, and is refused once another one has it or
-- the turn is gone.

-- As resync shows it.
CREATE FUNCTION api.thread_text(ctx api.ctx, wanted bigint)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('threadId', t.name, 'turns',
	    coalesce((SELECT json_agg(w.id ORDER BY w.id)
		FROM partyline.turn w WHERE w.tenant_id = ctx.tenant
		AND w.thread_id = wanted), '[]'))::text
	FROM partyline.thread t
	WHERE t.tenant_id = ctx.tenant AND t.id = wanted);
END
$$;

-- The thread of that name, locked, and made with its stream where there is
-- none.
CREATE FUNCTION api.thread_take(ctx api.ctx, wanted text)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
	moment timestamptz := api.moment();
BEGIN
	UPDATE partyline.thread t SET active_at = moment
	WHERE t.tenant_id = ctx.tenant AND t.name = wanted
	RETURNING t.id INTO found;
	IF found IS NOT NULL THEN
		RETURN found;
	END IF;
	INSERT INTO partyline.thread AS t (tenant_id, id, name, created_at,
	    active_at)
	VALUES (ctx.tenant, api.next_id(ctx, 'thread'), wanted, moment,
	    moment)
	ON CONFLICT ON CONSTRAINT thread_name
	DO UPDATE SET active_at = moment
	RETURNING t.id INTO found;
	IF NOT EXISTS (SELECT FROM partyline.stream s
	    WHERE s.tenant_id = ctx.tenant AND s.name = 'thread:' || found)
	THEN
		PERFORM api.stream_create(ctx, 'thread:' || found,
		    octet_length(wanted));
	END IF;
	RETURN found;
END
$$;

-- Whether so many turns wait, of a thread or of all; it counts no further.
CREATE FUNCTION api.turns_wait(ctx api.ctx, of_thread bigint, many int)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN many <= (SELECT count(*) FROM (SELECT FROM partyline.turn w
	    WHERE w.tenant_id = ctx.tenant AND w.leased_until IS NULL
		AND (of_thread IS NULL OR w.thread_id = of_thread)
	    LIMIT many) v);
END
$$;

-- Its answer tells where the stream stands before anything is said. Where so
-- many wait already it is refused: the thread's row and the counter's are
-- locked, and so nobody slips by.
CREATE FUNCTION api.turn_create(ctx api.ctx, thread text, kind text,
    user_id text, user_input text, graph_version_id text,
    use_websocket boolean, most_of_thread int, most_of_tenant int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	number bigint;
	thread_id bigint;
	moment timestamptz := clock_timestamp();
BEGIN
	PERFORM api.enter(ctx);
	IF NOT EXISTS (SELECT FROM partyline.tenant t
	    WHERE t.id = ctx.tenant AND t.responder_url IS NOT NULL) THEN
		RAISE 'responder_missing' USING ERRCODE = 'PT503';
	END IF;
	thread_id := api.thread_take(ctx, thread);
	number := api.next_id(ctx, 'turn');
	IF api.turns_wait(ctx, thread_id, most_of_thread)
	    OR api.turns_wait(ctx, NULL, most_of_tenant) THEN
		RAISE 'responder_busy' USING ERRCODE = 'PT503';
	END IF;
	INSERT INTO partyline.turn (tenant_id, id, thread_id, kind, user_id,
	    user_input, graph_version_id, use_websocket, request_id,
	    created_at, heard_at)
	VALUES (ctx.tenant, number, thread_id, kind, user_id, user_input,
	    graph_version_id, use_websocket, ctx.request_id, moment, moment);
	SELECT 0, 201, '{"turnId":' || number || '}', s.name, s.epoch, s.head
	INTO answer.element, answer.status, answer.body, answer.stream,
	    answer.epoch, answer.seq
	FROM partyline.stream s
	WHERE s.tenant_id = ctx.tenant AND s.name = 'thread:' || thread_id;
	RETURN NEXT answer;
END
$$;

-- A sign of life of who wants the answer. false: nobody is at it any more.
CREATE FUNCTION api.turn_listen(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	UPDATE partyline.turn w SET heard_at = clock_timestamp()
	WHERE w.tenant_id = ctx.tenant AND w.id = wanted;
	RETURN NEXT api.reply(200, '{"waits":' || FOUND || '}');
END
$$;

-- The end of a turn: its event. why: what its client is told, if anything.
CREATE FUNCTION api.turn_end_text(number bigint, outcome text, why text)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat('{"turnId":', number, ',"outcome":"', outcome, '"',
	    ',"error":' || to_json(why), '}')
$$;

-- Nobody wants the answer any more. Whoever is at it is refused from now on.
CREATE FUNCTION api.turn_cancel(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	thread_id bigint;
BEGIN
	PERFORM api.enter(ctx);
	DELETE FROM partyline.turn w
	WHERE w.tenant_id = ctx.tenant AND w.id = wanted
	RETURNING w.thread_id INTO thread_id;
	RETURN NEXT api.reply(200, '{}');
	IF thread_id IS NOT NULL THEN
		RETURN NEXT api.emit(ctx, 'thread:' || thread_id,
		    'turn.ended', api.turn_end_text(wanted, 'cancelled',
		    NULL));
	END IF;
END
$$;

-- --- for jobs, of all tenants ----------------------------------------------

-- A context for events of that tenant.
CREATE FUNCTION api.turn_ctx(tenant int, request_id text)
RETURNS api.ctx LANGUAGE sql STABLE AS $$
	SELECT ROW(tenant, NULL, NULL, request_id, NULL, NULL,
	    NULL)::api.ctx
$$;

-- Claims turns, at most `most`, and of a tenant so many that he has not more
-- than `most_of_tenant` at work. Tenants come by turns, his turns by age; of
-- a thread only the oldest. An answer for each, and its event; element is the
-- tenant. The last answer says when to come again.
CREATE FUNCTION api.turn_claim(host_id text, lease_ms int,
    most_attempts int, most int, most_of_tenant int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := clock_timestamp();
	due record;
	event api.answer;
	answer api.answer;
	count int := 0;
BEGIN
	FOR due IN WITH waiting AS MATERIALIZED (
		SELECT w.tenant_id, w.id, row_number() OVER
		    (PARTITION BY w.tenant_id ORDER BY w.id) AS nth
		FROM partyline.turn w
		WHERE coalesce(w.leased_until <= moment, true)
		    AND w.attempt < most_attempts
		    AND NOT EXISTS (SELECT FROM partyline.turn o
			WHERE o.tenant_id = w.tenant_id
			AND o.thread_id = w.thread_id AND o.id < w.id)
	    ), picked AS (
		SELECT t.tenant_id, t.id
		FROM waiting w
		JOIN partyline.turn t USING (tenant_id, id)
		WHERE coalesce(t.leased_until <= moment, true)
		    AND w.nth <= most_of_tenant - (SELECT count(*)
			FROM partyline.turn o
			WHERE o.tenant_id = w.tenant_id
			AND o.leased_until > moment)
		ORDER BY w.nth, t.created_at LIMIT most
		FOR UPDATE OF t SKIP LOCKED
	    ), claimed AS (
		UPDATE partyline.turn t SET lease = t.lease + 1,
		    attempt = t.attempt + 1, leased_by = host_id,
		    leased_until = moment
			+ lease_ms * interval '1 millisecond'
		FROM picked p
		WHERE t.tenant_id = p.tenant_id AND t.id = p.id
		RETURNING t.*
	    )
	    SELECT c.*, h.name, o.responder_url FROM claimed c
	    JOIN partyline.thread h
		ON h.tenant_id = c.tenant_id AND h.id = c.thread_id
	    JOIN partyline.tenant o ON o.id = c.tenant_id
	    ORDER BY c.tenant_id, ('thread:' || c.thread_id) COLLATE "C"
	LOOP
		event := api.emit(api.turn_ctx(due.tenant_id, due.request_id),
		    'thread:' || due.thread_id, 'turn.started', format(
		    '{"turnId":%s,"threadId":%s,"attempt":%s}', due.id,
		    to_json(due.name), due.attempt));
		event.element := due.tenant_id;
		RETURN NEXT event;
		answer := api.reply(200, json_build_object(
		    'turn', due.id, 'lease', due.lease, 'said', due.said,
		    'url', due.responder_url, 'request', due.request_id,
		    'kind', due.kind, 'use_websocket', due.use_websocket,
		    'question', json_build_object('thread_id', due.name,
			'turn_id', due.id, 'attempt', due.attempt,
			'kind', due.kind, 'user_input', due.user_input,
			'user_id', due.user_id,
			'graph_version_id', due.graph_version_id,
			'use_websocket', due.use_websocket)::text)::text);
		answer.element := due.tenant_id;
		RETURN NEXT answer;
		count := count + 1;
	END LOOP;
	RETURN NEXT api.reply(200, format('{"rows":%s,"is_wanted":%s}', count,
	    to_json(EXISTS (SELECT FROM partyline.tenant t
	    WHERE t.responder_url IS NOT NULL))));
END
$$;

-- What the responder said, from the `first`th of the turn's events on; none
-- is a sign of life. What was told before is not told again, so that who did
-- not hear what became of his call repeats it. is_last: the turn is over, and
-- the last event says so. 409: it is another one's, or nobody wants it.
CREATE FUNCTION api.turn_say(tenant int, wanted bigint, number bigint,
    lease_ms int, first bigint, types text[], datas text[], is_last boolean)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	turn partyline.turn;
	count int := cardinality(types);
BEGIN
	SELECT * INTO turn FROM partyline.turn w
	WHERE w.tenant_id = tenant AND w.id = wanted AND w.lease = number
	FOR UPDATE;
	IF NOT FOUND THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	IF is_last THEN
		DELETE FROM partyline.turn w
		WHERE w.tenant_id = tenant AND w.id = wanted;
	ELSE
		UPDATE partyline.turn w SET said = first + count,
		    leased_until = clock_timestamp()
			+ lease_ms * interval '1 millisecond'
		WHERE w.tenant_id = tenant AND w.id = wanted;
	END IF;
	RETURN NEXT api.reply(200, '{}');
	IF count > 0 AND turn.said = first THEN
		RETURN QUERY SELECT * FROM api.batch_emit(
		    api.turn_ctx(tenant, turn.request_id),
		    'thread:' || turn.thread_id,
		    array_fill(tenant + 1, ARRAY[count]),
		    array_fill(turn.request_id, ARRAY[count]), types, datas);
	END IF;
END
$$;

-- Gives a turn back before anything was said: another host goes on at once.
CREATE FUNCTION api.turn_leave(tenant int, wanted bigint, number bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.turn w SET leased_until = NULL,
	    attempt = w.attempt - 1
	WHERE w.tenant_id = tenant AND w.id = wanted AND w.lease = number;
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- Ends turns that waited for too long before anybody was at them, that nobody
-- has listened to for so long, or that died with their hosts again and again.
-- element of an event is its tenant.
CREATE FUNCTION api.turn_expire(wait_ms bigint, unheard_ms int,
    most_attempts int, most int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := clock_timestamp();
	due record;
	event api.answer;
	gone int := 0;
BEGIN
	FOR due IN SELECT w.*,
	    w.heard_at <= moment - unheard_ms * interval '1 millisecond'
		AS is_unheard
	    FROM partyline.turn w
	    WHERE w.heard_at <= moment - unheard_ms * interval '1 millisecond'
		OR (w.attempt = 0 AND w.created_at
		    <= moment - wait_ms * interval '1 millisecond')
		OR (w.attempt >= most_attempts
		    AND coalesce(w.leased_until <= moment, true))
	    ORDER BY w.tenant_id, ('thread:' || w.thread_id) COLLATE "C",
		w.id
	    LIMIT most FOR UPDATE SKIP LOCKED
	LOOP
		DELETE FROM partyline.turn w
		WHERE w.tenant_id = due.tenant_id AND w.id = due.id;
		event := api.emit(api.turn_ctx(due.tenant_id, due.request_id),
		    'thread:' || due.thread_id, 'turn.ended',
		    api.turn_end_text(due.id,
		    CASE WHEN due.is_unheard THEN 'cancelled'
			WHEN due.attempt = 0 THEN 'busy'
			ELSE 'failed' END,
		    CASE WHEN due.is_unheard THEN NULL
			WHEN due.attempt = 0
			THEN 'Server busy. Please try again.'
			ELSE 'The answer was interrupted. Please try again.'
			END));
		event.element := due.tenant_id;
		RETURN NEXT event;
		gone := gone + 1;
	END LOOP;
	RETURN NEXT api.reply(200, '{"rows":' || gone || '}');
END
$$;

-- Removes threads in which nothing happened for as long as their tenant keeps
-- events, or for 30 days.
CREATE FUNCTION api.thread_expire(most int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	due record;
	ctx api.ctx;
	gone int := 0;
BEGIN
	FOR due IN SELECT h.tenant_id, h.id, 'thread:' || h.id AS stream
	    FROM partyline.thread h
	    JOIN partyline.tenant o ON o.id = h.tenant_id
	    WHERE h.active_at < now()
		- make_interval(days => coalesce(o.retention_days, 30))
		AND NOT EXISTS (SELECT FROM partyline.turn w
		    WHERE w.tenant_id = h.tenant_id AND w.thread_id = h.id)
	    ORDER BY h.tenant_id, ('thread:' || h.id) COLLATE "C"
	    LIMIT most FOR UPDATE OF h SKIP LOCKED
	LOOP
		ctx := api.turn_ctx(due.tenant_id, 'thread expiry');
		DELETE FROM partyline.thread h
		WHERE h.tenant_id = due.tenant_id AND h.id = due.id;
		PERFORM api.emit_control(ctx, 'thread.deleted', format(
		    '{"tenant":%s,"stream":"%s"}', due.tenant_id,
		    due.stream));
		PERFORM api.stream_remove(ctx, due.stream);
		gone := gone + 1;
	END LOOP;
	RETURN NEXT api.reply(200, '{"rows":' || gone || '}');
END
$$;
