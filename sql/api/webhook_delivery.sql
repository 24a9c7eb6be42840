-- SPDX-License-Identifier: MIT
--
-- Deliveries of webhooks, as jobs do them for all tenants: claimed with a
-- lease of their own, tried, and written down. A lease is a number that rises
-- with each claim; who comes with an old one is refused. One that ran out is
-- due again by itself, so nothing is to be done about hosts that died.
--
-- Whoever writes about an endpoint's deliveries holds its row of
-- webhook_queue. It says when there is something to do, and an endpoint that
-- does not answer is found by nobody until then.

-- What emit() leaves for jobs; their stream's row is locked. false: nobody
-- wants it.
CREATE FUNCTION api.webhook_queue(ctx api.ctx, type text, stream_name text,
    seq bigint, moment timestamptz, data text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	hooks bigint[] := ARRAY(SELECT w.id FROM partyline.webhook w
	    WHERE w.tenant_id = ctx.tenant AND w.enabled
		AND webhook_queue.type = ANY (w.events));
BEGIN
	IF hooks = '{}' THEN
		RETURN false;
	END IF;
	INSERT INTO partyline.webhook_outbox
	    (tenant_id, stream, seq, webhooks, event, payload, at)
	VALUES (ctx.tenant, stream_name, webhook_queue.seq, hooks, type,
	    api.webhook_payload(type, api.iso(moment), stream_name,
	    webhook_queue.seq, data), moment);
	RETURN true;
END
$$;

CREATE FUNCTION api.webhook_payload(event text, moment text, stream text,
    seq bigint, data text)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat('{"event":"', event, '","timestamp":"', moment,
	    '","stream":"', stream, '","seq":', seq, ',"data":', data, '}')
$$;

-- Same for each who gets it, and in every try.
CREATE FUNCTION api.webhook_message()
RETURNS text LANGUAGE sql AS $$
	SELECT 'msg_' || replace(gen_random_uuid()::text, '-', '')
$$;

-- A try that ended, as jobs tell of it. Success is a status of 200 to 299
-- without an error. retry_ms: until the next try; NULL: there is none.
-- pause_ms: nothing is sent to its endpoint for so long. disable: why that is
-- disabled.
CREATE TYPE api.webhook_tried AS (
	tenant		int,
	webhook		bigint,
	delivery	bigint,
	lease		bigint,
	status		int,
	error		text,
	answer		text,
	took_ms		bigint,
	retry_ms	bigint,
	pause_ms	bigint,
	disable		text
);

-- One to be leased, and how its endpoint has been.
CREATE TYPE api.webhook_picked AS (
	tenant		int,
	webhook		bigint,
	delivery	bigint,
	failures	bigint,
	failing_since	timestamptz
);

-- When there is something to do for these endpoints, whose queues are locked.
-- width: so many may be out at once; NULL: more than are. What is in here is
-- planned once; SQL functions would be planned in each call.
CREATE FUNCTION api.webhook_plan(queues partyline.webhook_queue[], width int)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.webhook_queue q
	SET due_at = least((SELECT min(d.next_at)
	    FROM partyline.webhook_delivery d
	    WHERE d.tenant_id = q.tenant_id AND d.webhook_id = q.webhook_id
		AND d.state = 'waiting' AND d.is_test), w.next)
	FROM unnest(queues) u
	JOIN partyline.webhook h
	    ON h.tenant_id = u.tenant_id AND h.id = u.webhook_id
	JOIN partyline.webhook_queue k ON k.tenant_id = u.tenant_id
	    AND k.webhook_id = u.webhook_id
	CROSS JOIN LATERAL (SELECT CASE WHEN NOT h.enabled THEN NULL
	    WHEN h.ordered THEN (SELECT d.next_at
		FROM partyline.webhook_delivery d
		WHERE d.tenant_id = u.tenant_id
		    AND d.webhook_id = u.webhook_id
		    AND d.state = 'waiting' AND NOT d.is_test
		ORDER BY d.id LIMIT 1)
	    WHEN k.failures > 0 OR (SELECT count(*)
		FROM partyline.webhook_delivery d
		WHERE d.tenant_id = u.tenant_id
		    AND d.webhook_id = u.webhook_id
		    AND d.is_out AND NOT d.is_test
		    AND d.next_at > clock_timestamp()) >= width
	    THEN (SELECT min(d.next_at)
		FROM partyline.webhook_delivery d
		WHERE d.tenant_id = u.tenant_id
		    AND d.webhook_id = u.webhook_id
		    AND d.is_out AND NOT d.is_test) END) f (first)
	CROSS JOIN LATERAL (SELECT CASE WHEN h.enabled
	    THEN coalesce(f.first, (SELECT min(d.next_at)
		FROM partyline.webhook_delivery d
		WHERE d.tenant_id = u.tenant_id
		    AND d.webhook_id = u.webhook_id
		    AND d.state = 'waiting' AND NOT d.is_test)) END) n (next)
	CROSS JOIN LATERAL (SELECT CASE WHEN n.next IS NOT NULL
	    THEN greatest(n.next, k.paused_until) END) w (next)
	WHERE q.tenant_id = u.tenant_id AND q.webhook_id = u.webhook_id;
END
$$;

-- The next events to be moved into the queues. One at a time has them; who
-- comes beside him goes on without.
CREATE FUNCTION api.webhook_emitted(most int)
RETURNS bigint[] LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM partyline.webhook_outbox)
	    OR NOT pg_try_advisory_xact_lock(
	    hashtextextended('partyline webhook outbox', 0)) THEN
		RETURN '{}';
	END IF;
	RETURN ARRAY(SELECT o.nth FROM partyline.webhook_outbox o
	    ORDER BY o.nth LIMIT most);
END
$$;

-- Moves these events into the endpoints' queues, in their order.
CREATE FUNCTION api.webhook_move(events bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := clock_timestamp();
BEGIN
	IF cardinality(events) = 0 THEN
		RETURN;
	END IF;
	WITH moved AS (
		INSERT INTO partyline.webhook_delivery AS d (tenant_id,
		    webhook_id, id, message, event, payload, created_at,
		    queued_at, next_at)
		SELECT q.tenant_id, q.webhook_id, q.deliveries
		    + row_number() OVER (PARTITION BY q.tenant_id,
			q.webhook_id ORDER BY o.nth), o.message, o.event,
		    o.payload, o.at, o.at, moment
		FROM (SELECT b.*, api.webhook_message() AS message
		    FROM partyline.webhook_outbox b
		    WHERE b.nth = ANY (events)) o
		CROSS JOIN unnest(o.webhooks) AS w (id)
		JOIN partyline.webhook_queue q ON q.tenant_id = o.tenant_id
		    AND q.webhook_id = w.id
		RETURNING d.tenant_id, d.webhook_id)
	UPDATE partyline.webhook_queue q
	SET deliveries = q.deliveries + m.count,
	    due_at = CASE WHEN NOT h.enabled
		OR (h.ordered AND q.due_at IS NOT NULL) THEN q.due_at
		ELSE least(q.due_at, greatest(moment, q.paused_until)) END
	FROM (SELECT v.tenant_id, v.webhook_id, count(*) AS count
	    FROM moved v GROUP BY v.tenant_id, v.webhook_id) m
	JOIN partyline.webhook h
	    ON h.tenant_id = m.tenant_id AND h.id = m.webhook_id
	WHERE q.tenant_id = m.tenant_id AND q.webhook_id = m.webhook_id;

	DELETE FROM partyline.webhook_outbox o WHERE o.nth = ANY (events);
END
$$;

-- Locks the queues of what was tried and of what these events are for, all at
-- once in one order.
CREATE FUNCTION api.webhook_lock_all(tried api.webhook_tried[],
    events bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM partyline.webhook_queue q
	WHERE (q.tenant_id, q.webhook_id) IN (
	    SELECT t.tenant, t.webhook FROM unnest(tried) t UNION
	    SELECT o.tenant_id, unnest(o.webhooks)
	    FROM partyline.webhook_outbox o WHERE o.nth = ANY (events))
	ORDER BY q.tenant_id, q.webhook_id FOR NO KEY UPDATE;
END
$$;

-- What of these endpoints is to be sent now, whose queues are locked: all
-- tests, and others as long as not more than `width` are out at once. What
-- failed last time is tried with one alone.
CREATE FUNCTION api.webhook_pick(queues partyline.webhook_queue[], most int,
    width int, moment timestamptz)
RETURNS api.webhook_picked[] LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN ARRAY(SELECT ROW(q.tenant_id, q.webhook_id, c.id,
	    q.failures, q.failing_since)::api.webhook_picked
	FROM unnest(queues) WITH ORDINALITY q
	JOIN partyline.webhook h ON h.tenant_id = q.tenant_id
	    AND h.id = q.webhook_id
	CROSS JOIN LATERAL (SELECT h.enabled AND (q.paused_until IS NULL
	    OR q.paused_until <= moment) AS may, greatest(0,
	    CASE WHEN h.ordered OR q.failures > 0 THEN 1 ELSE width END
	    - (SELECT count(*) FROM partyline.webhook_delivery d
		WHERE d.tenant_id = q.tenant_id
		    AND d.webhook_id = q.webhook_id
		    AND d.is_out AND NOT d.is_test
		    AND d.next_at > moment)) AS room) r
	CROSS JOIN LATERAL (
	    (SELECT d.id FROM partyline.webhook_delivery d
	    WHERE d.tenant_id = q.tenant_id AND d.webhook_id = q.webhook_id
		AND d.state = 'waiting' AND d.is_test AND d.next_at <= moment
	    ORDER BY d.next_at, d.id LIMIT most)
	    UNION ALL
	    (SELECT o.id FROM (SELECT d.id, d.next_at
		FROM partyline.webhook_delivery d
		WHERE r.may AND h.ordered AND r.room > 0
		    AND d.tenant_id = q.tenant_id
		    AND d.webhook_id = q.webhook_id
		    AND d.state = 'waiting' AND NOT d.is_test
		ORDER BY d.id LIMIT 1) o WHERE o.next_at <= moment)
	    UNION ALL
	    (SELECT d.id FROM partyline.webhook_delivery d
	    WHERE r.may AND NOT h.ordered AND d.tenant_id = q.tenant_id
		AND d.webhook_id = q.webhook_id AND d.state = 'waiting'
		AND NOT d.is_test AND d.next_at <= moment
	    ORDER BY d.next_at, d.id LIMIT r.room)) c
	ORDER BY q.ordinality LIMIT most);
END
$$;

-- Leases them, as jobs read them.
CREATE FUNCTION api.webhook_lease(picked api.webhook_picked[], host_id text,
    lease_ms int, moment timestamptz)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY
	UPDATE partyline.webhook_delivery d
	SET lease = d.lease + 1, is_out = true, leased_by = host_id,
	    next_at = moment + lease_ms * interval '1 millisecond'
	FROM unnest(picked) p, partyline.webhook h
	WHERE d.tenant_id = p.tenant AND d.webhook_id = p.webhook
	    AND d.id = p.delivery
	    AND h.tenant_id = p.tenant AND h.id = p.webhook
	RETURNING d.tenant_id, 201, json_build_object(
	    'tenant', d.tenant_id, 'webhook', d.webhook_id,
	    'delivery', d.id, 'lease', d.lease, 'id', d.message,
	    'url', h.url, 'secrets', CASE WHEN h.former_until > moment
		THEN ARRAY[h.secret, h.former_secret]
		ELSE ARRAY[h.secret] END,
	    'event', d.event, 'payload', d.payload,
	    'attempt', d.attempts + 1, 'failures', p.failures,
	    'failing_ms', CASE WHEN p.failures = 0 THEN 0 ELSE greatest(0,
		floor(extract(epoch FROM moment - p.failing_since)
		* 1000)::bigint) END,
	    'ordered', h.ordered, 'test', d.is_test,
	    'age_ms', greatest(0, floor(extract(epoch FROM moment
		- d.queued_at) * 1000)::bigint))::text,
	    NULL::text, NULL::text, NULL::bigint, NULL::text, NULL::text;
END
$$;

-- Hands out what is to be sent now, at most so many: of whoever is due,
-- longest first, and then of `ours`, whose queues are locked. When all these
-- are to be looked at again is written down.
CREATE FUNCTION api.webhook_hand_out(ours api.webhook_tried[], host_id text,
    lease_ms int, most int, width int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := clock_timestamp();
	queues partyline.webhook_queue[] := ARRAY(
	    SELECT q FROM partyline.webhook_queue q
	    WHERE q.due_at <= moment ORDER BY q.due_at LIMIT most
	    FOR NO KEY UPDATE SKIP LOCKED);
	picked api.webhook_picked[];
BEGIN
	IF cardinality(ours) > 0 THEN
		queues := queues || ARRAY(
		    SELECT q FROM (SELECT DISTINCT t.tenant, t.webhook
			FROM unnest(ours) t) o
		    JOIN partyline.webhook_queue q
			ON q.tenant_id = o.tenant AND q.webhook_id = o.webhook
		    WHERE (q.tenant_id, q.webhook_id) NOT IN (
			SELECT u.tenant_id, u.webhook_id
			FROM unnest(queues) u));
	END IF;
	IF cardinality(queues) = 0 THEN
		RETURN;
	END IF;
	IF most > 0 THEN
		picked := api.webhook_pick(queues, most, width, moment);
	END IF;
	-- Where the last one of an endpoint ended there is none.
	IF cardinality(picked) > 0 THEN
		RETURN QUERY SELECT * FROM api.webhook_lease(picked, host_id,
		    lease_ms, moment);
	END IF;
	PERFORM api.webhook_plan(queues, width);
END
$$;

-- How long until something is due; NULL: nothing is known of.
CREATE FUNCTION api.webhook_wait()
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT ceil(greatest(0, extract(epoch FROM
	    q.due_at - clock_timestamp())) * 1000)
	    FROM partyline.webhook_queue q WHERE q.due_at IS NOT NULL
	    ORDER BY q.due_at LIMIT 1);
END
$$;

-- The last row of what was handed out before it: how many that were, of `many`
-- events that were moved, and when to come again.
CREATE FUNCTION api.webhook_end(taken bigint, many int)
RETURNS api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN api.reply(200, format('{"rows":%s,"moved":%s,"wait_ms":%s}',
	    taken, many, coalesce(CASE WHEN many >= 1000 THEN 0
	    ELSE api.webhook_wait() END::text, 'null')));
END
$$;

-- What is to be sent now, at most so many, and of one endpoint not more than
-- `width` out at once: a row with status 201 for each. The last row has 200:
-- how many there are, how many events were moved, when to come again.
CREATE FUNCTION api.webhook_claim(host_id text, lease_ms int, most int,
    width int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	events bigint[] := api.webhook_emitted(1000);
	taken bigint;
BEGIN
	IF cardinality(events) > 0 THEN
		PERFORM api.webhook_lock_all('{}', events);
		PERFORM api.webhook_move(events);
	END IF;
	RETURN QUERY SELECT * FROM api.webhook_hand_out('{}', host_id,
	    lease_ms, most, width);
	GET DIAGNOSTICS taken = ROW_COUNT;
	RETURN NEXT api.webhook_end(taken, cardinality(events));
END
$$;

-- The queue of a delivery that is out under this lease, locked; nothing where
-- another one has it since, or its endpoint is gone.
CREATE FUNCTION api.webhook_lock(tenant int, webhook bigint, delivery bigint,
    number bigint)
RETURNS partyline.webhook_queue LANGUAGE plpgsql AS $$
DECLARE
	queue partyline.webhook_queue;
BEGIN
	SELECT * INTO queue FROM partyline.webhook_queue q
	WHERE q.tenant_id = tenant AND q.webhook_id = webhook
	FOR NO KEY UPDATE;
	PERFORM FROM partyline.webhook_delivery d
	WHERE d.tenant_id = tenant AND d.webhook_id = webhook
	    AND d.id = delivery AND d.lease = number AND d.is_out;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	RETURN queue;
END
$$;

-- Why the server gives an endpoint up; what waits stays until somebody
-- enables it again. The event is for whoever called.
CREATE FUNCTION api.webhook_disable(hook partyline.webhook, reason text)
RETURNS api.answer LANGUAGE plpgsql AS $$
DECLARE
	event api.answer;
BEGIN
	UPDATE partyline.webhook w SET enabled = false,
	    disabled_reason = reason, disabled_text = api.iso(api.moment())
	WHERE w.tenant_id = hook.tenant_id AND w.id = hook.id;
	event := api.emit(ROW(hook.tenant_id, NULL, NULL, 'webhook', NULL,
	    NULL, NULL)::api.ctx, 'lobby', 'webhook.disabled',
	    format('{"webhookId":%s,"reason":%s}', hook.id,
	    to_json(reason)));
	event.element := hook.tenant_id;
	RETURN event;
END
$$;

-- Is it one of those that an endpoint took?
CREATE FUNCTION api.webhook_is_fine(status int, error text)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(status BETWEEN 200 AND 299, false) AND error IS NULL
$$;

-- What tries came to, into the deliveries, the log and the queues, which are
-- locked; of one endpoint in the given order. For each a row with 200, whose
-- element is its place; or with 409 where nothing was written, because the
-- lease is another one's, or its end was written before (`known`).
CREATE FUNCTION api.webhook_write(tried api.webhook_tried[])
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := api.moment();
	moment_text text := api.iso(moment);
BEGIN
	-- A test that fails says nothing about those that wait; one that
	-- arrives lets them go.
	RETURN QUERY
	WITH ended AS MATERIALIZED (
		SELECT t.*, d.is_test, CASE
		    WHEN api.webhook_is_fine(t.status, t.error)
			THEN 'delivered'
		    WHEN t.disable IS NOT NULL THEN 'disabled'
		    WHEN t.retry_ms IS NULL OR d.is_test THEN 'dead'
		    ELSE 'retry' END AS outcome
		FROM unnest(tried) WITH ORDINALITY t
		JOIN partyline.webhook_delivery d ON d.tenant_id = t.tenant
		    AND d.webhook_id = t.webhook AND d.id = t.delivery
		WHERE d.lease = t.lease AND d.is_out),
	written AS (
		UPDATE partyline.webhook_delivery d
		SET attempts = d.attempts + 1, is_out = false,
		    state = CASE e.outcome WHEN 'delivered' THEN 'delivered'
			WHEN 'retry' THEN 'waiting' ELSE 'dead' END,
		    next_at = CASE WHEN e.outcome = 'retry' THEN moment
			+ e.retry_ms * interval '1 millisecond' END
		FROM ended e WHERE d.tenant_id = e.tenant
		    AND d.webhook_id = e.webhook AND d.id = e.delivery
		RETURNING e.*, d.attempts, d.event),
	logged AS (
		INSERT INTO partyline.webhook_log (tenant_id, webhook_id, id,
		    delivery_id, attempt, event, status, error, answer,
		    took_ms, created_at, created_text)
		SELECT w.tenant, w.webhook, q.logs + row_number() OVER
		    (PARTITION BY w.tenant, w.webhook ORDER BY w.ordinality),
		    w.delivery, w.attempts, w.event, w.status, w.error,
		    w.answer, w.took_ms, moment, moment_text
		FROM written w JOIN partyline.webhook_queue q
		    ON q.tenant_id = w.tenant AND q.webhook_id = w.webhook),
	fine AS (
		SELECT e.tenant, e.webhook, count(*) AS count,
		    coalesce(max(e.ordinality) FILTER (
			WHERE e.outcome = 'delivered'), 0) AS last
		FROM ended e GROUP BY e.tenant, e.webhook),
	since AS (
		SELECT f.tenant, f.webhook, f.count, f.last > 0 AS is_fine,
		    count(e.ordinality) AS failures,
		    max(e.pause_ms) AS pause_ms
		FROM fine f LEFT JOIN ended e ON e.tenant = f.tenant
		    AND e.webhook = f.webhook AND e.ordinality > f.last
		    AND NOT e.is_test
		GROUP BY f.tenant, f.webhook, f.count, f.last),
	queued AS (
		UPDATE partyline.webhook_queue q SET logs = q.logs + s.count,
		    failures = CASE WHEN s.is_fine THEN 0 ELSE q.failures END
			+ s.failures,
		    failing_since = CASE
			WHEN NOT s.is_fine AND q.failures > 0
			    THEN q.failing_since
			WHEN s.failures > 0 THEN moment END,
		    paused_until = CASE WHEN s.pause_ms IS NOT NULL
			THEN moment + s.pause_ms * interval '1 millisecond'
			WHEN NOT s.is_fine THEN q.paused_until END
		FROM since s
		WHERE q.tenant_id = s.tenant AND q.webhook_id = s.webhook
		RETURNING q.tenant_id, q.webhook_id, q.failures)
	SELECT t.ordinality::int - 1,
	    CASE WHEN w.outcome IS NULL THEN 409 ELSE 200 END,
	    CASE WHEN w.outcome IS NOT NULL THEN
		concat('{"outcome":"', w.outcome, '","failures":',
		    q.failures, ',"attempt":', w.attempts, '}')
	    WHEN EXISTS (SELECT FROM partyline.webhook_delivery d
		WHERE d.tenant_id = t.tenant AND d.webhook_id = t.webhook
		    AND d.id = t.delivery AND d.lease = t.lease
		    AND NOT d.is_out) THEN '{"known":true}'
	    ELSE '{"known":false}' END,
	    NULL::text, NULL::text, NULL::bigint, NULL::text, NULL::text
	FROM unnest(tried) WITH ORDINALITY t
	LEFT JOIN written w ON w.ordinality = t.ordinality
	LEFT JOIN queued q ON q.tenant_id = w.tenant
	    AND q.webhook_id = w.webhook
	ORDER BY t.ordinality;
END
$$;

-- Who of them is to be disabled; before it is written down.
CREATE FUNCTION api.webhook_gone(tried api.webhook_tried[])
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	gone record;
	hook partyline.webhook;
BEGIN
	FOR gone IN SELECT h.tenant_id, h.id, max(t.disable) AS reason
	    FROM unnest(tried) t
	    JOIN partyline.webhook_delivery d ON d.tenant_id = t.tenant
		AND d.webhook_id = t.webhook AND d.id = t.delivery
	    JOIN partyline.webhook h
		ON h.tenant_id = t.tenant AND h.id = t.webhook
	    WHERE t.disable IS NOT NULL AND d.lease = t.lease AND d.is_out
		AND NOT api.webhook_is_fine(t.status, t.error) AND h.enabled
	    GROUP BY h.tenant_id, h.id ORDER BY h.tenant_id, h.id LOOP
		SELECT * INTO hook FROM partyline.webhook h
		WHERE h.tenant_id = gone.tenant_id AND h.id = gone.id;
		RETURN NEXT api.webhook_disable(hook, gone.reason);
	END LOOP;
END
$$;

-- What tries came to: a JSON array of api.webhook_tried. Then what is to be
-- sent now, as api.webhook_claim has it; with `most` 0 nothing is. Events
-- come first, then a row for each try, as api.webhook_write has them, then
-- those of webhook_claim.
CREATE FUNCTION api.webhook_done(ended text, host_id text, lease_ms int,
    most int, width int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	tried api.webhook_tried[] := ARRAY(SELECT t FROM
	    json_populate_recordset(NULL::api.webhook_tried, ended::json) t);
	events bigint[] := CASE WHEN most > 0 THEN api.webhook_emitted(1000)
	    ELSE '{}' END;
	taken bigint;
BEGIN
	PERFORM api.webhook_lock_all(tried, events);
	IF EXISTS (SELECT FROM unnest(tried) t WHERE t.disable IS NOT NULL)
	    THEN
		RETURN QUERY SELECT * FROM api.webhook_gone(tried);
	END IF;
	RETURN QUERY SELECT * FROM api.webhook_write(tried);
	PERFORM api.webhook_move(events);
	RETURN QUERY SELECT * FROM api.webhook_hand_out(tried, host_id,
	    lease_ms, most, width);
	GET DIAGNOSTICS taken = ROW_COUNT;
	RETURN NEXT api.webhook_end(taken, cardinality(events));
END
$$;

-- Gives one back that was not sent: no try is counted, and it is due.
CREATE FUNCTION api.webhook_leave(tenant int, webhook bigint,
    delivery bigint, number bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	queue partyline.webhook_queue := api.webhook_lock(tenant, webhook,
	    delivery, number);
BEGIN
	IF queue.webhook_id IS NULL THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	UPDATE partyline.webhook_delivery d
	SET is_out = false, next_at = clock_timestamp()
	WHERE d.tenant_id = tenant AND d.webhook_id = webhook
	    AND d.id = delivery;
	PERFORM api.webhook_plan(ARRAY[queue], NULL);
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- All that a host has out: due again, and no try is counted. Its jobs process
-- asks for it at its start, because the one before it died.
CREATE FUNCTION api.webhook_leave_all(host_id text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	queue partyline.webhook_queue;
	gone int := 0;
	count int;
BEGIN
	FOR queue IN SELECT * FROM partyline.webhook_queue q
	    WHERE (q.tenant_id, q.webhook_id) IN (
		SELECT d.tenant_id, d.webhook_id
		FROM partyline.webhook_delivery d
		WHERE d.leased_by = host_id AND d.is_out)
	    ORDER BY q.tenant_id, q.webhook_id FOR NO KEY UPDATE LOOP
		UPDATE partyline.webhook_delivery d
		SET is_out = false, next_at = clock_timestamp()
		WHERE d.tenant_id = queue.tenant_id
		    AND d.webhook_id = queue.webhook_id
		    AND d.leased_by = host_id AND d.is_out;
		GET DIAGNOSTICS count = ROW_COUNT;
		gone := gone + count;
		PERFORM api.webhook_plan(ARRAY[queue], NULL);
	END LOOP;
	RETURN NEXT api.reply(200, '{"rows":' || gone || '}');
END
$$;

-- The lease of one that is not sent yet begins anew.
CREATE FUNCTION api.webhook_hold(tenant int, webhook bigint,
    delivery bigint, number bigint, lease_ms int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	queue partyline.webhook_queue := api.webhook_lock(tenant, webhook,
	    delivery, number);
BEGIN
	IF queue.webhook_id IS NULL THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	UPDATE partyline.webhook_delivery d
	SET next_at = clock_timestamp() + lease_ms * interval '1 millisecond'
	WHERE d.tenant_id = tenant AND d.webhook_id = webhook
	    AND d.id = delivery;
	RETURN NEXT api.reply(200, '{}');
END
$$;
