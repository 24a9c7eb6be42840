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

-- What emit() leaves for jobs; their stream's row is locked. hooks: who
-- wants it.
CREATE FUNCTION api.webhook_queue(ctx api.ctx, hooks bigint[], event text,
    stream_name text, seq bigint, moment timestamptz, data text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO partyline.webhook_outbox
	    (tenant_id, stream, seq, webhooks, event, payload, at)
	VALUES (ctx.tenant, stream_name, webhook_queue.seq, hooks,
	    webhook_queue.event, api.webhook_payload(webhook_queue.event,
	    api.iso(moment), stream_name, webhook_queue.seq, data), moment);
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

-- How many are being sent, without those whose lease ran out.
CREATE FUNCTION api.webhook_out(queue partyline.webhook_queue)
RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT count(*) FROM partyline.webhook_delivery d
	    WHERE d.tenant_id = queue.tenant_id
		AND d.webhook_id = queue.webhook_id
		AND d.is_out AND NOT d.is_test
		AND d.next_at > clock_timestamp());
END
$$;

-- When there is something to do; the queue's row is locked. width: so many
-- may be out at once; NULL: more than are.
CREATE FUNCTION api.webhook_due(queue partyline.webhook_queue,
    hook partyline.webhook, width int)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
	test timestamptz;
	next timestamptz;
BEGIN
	SELECT min(d.next_at) INTO test FROM partyline.webhook_delivery d
	WHERE d.tenant_id = queue.tenant_id
	    AND d.webhook_id = queue.webhook_id
	    AND d.state = 'waiting' AND d.is_test;
	IF NOT hook.enabled THEN
		RETURN test;
	END IF;
	IF hook.ordered THEN
		SELECT d.next_at INTO next FROM partyline.webhook_delivery d
		WHERE d.tenant_id = queue.tenant_id
		    AND d.webhook_id = queue.webhook_id
		    AND d.state = 'waiting' AND NOT d.is_test
		ORDER BY d.id LIMIT 1;
	ELSE
		IF queue.failures > 0 OR api.webhook_out(queue) >= width THEN
			SELECT min(d.next_at) INTO next
			FROM partyline.webhook_delivery d
			WHERE d.tenant_id = queue.tenant_id
			    AND d.webhook_id = queue.webhook_id
			    AND d.is_out AND NOT d.is_test;
		END IF;
		IF next IS NULL THEN
			SELECT min(d.next_at) INTO next
			FROM partyline.webhook_delivery d
			WHERE d.tenant_id = queue.tenant_id
			    AND d.webhook_id = queue.webhook_id
			    AND d.state = 'waiting' AND NOT d.is_test;
		END IF;
	END IF;
	IF next IS NOT NULL THEN
		next := greatest(next, queue.paused_until);
	END IF;
	RETURN least(test, next);
END
$$;

-- Moves what was emitted into the endpoints' queues, at most so many events,
-- in their order. One at a time does it; who comes beside him goes on without.
CREATE FUNCTION api.webhook_move(most int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	events bigint[];
	moment timestamptz := clock_timestamp();
BEGIN
	IF NOT pg_try_advisory_xact_lock(
	    hashtextextended('partyline webhook outbox', 0)) THEN
		RETURN 0;
	END IF;
	events := ARRAY(SELECT o.nth FROM partyline.webhook_outbox o
	    ORDER BY o.nth LIMIT most);
	IF cardinality(events) = 0 THEN
		RETURN 0;
	END IF;
	PERFORM FROM partyline.webhook_queue q
	WHERE (q.tenant_id, q.webhook_id) IN (
	    SELECT o.tenant_id, unnest(o.webhooks)
	    FROM partyline.webhook_outbox o WHERE o.nth = ANY (events))
	ORDER BY q.tenant_id, q.webhook_id FOR NO KEY UPDATE;

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
	RETURN cardinality(events);
END
$$;

-- One to be sent, as jobs read it.
CREATE FUNCTION api.webhook_task(d partyline.webhook_delivery,
    hook partyline.webhook, queue partyline.webhook_queue)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT json_build_object('tenant', d.tenant_id,
	    'webhook', d.webhook_id, 'delivery', d.id, 'lease', d.lease,
	    'id', d.message, 'url', hook.url,
	    'secrets', CASE WHEN hook.former_until > clock_timestamp()
		THEN ARRAY[hook.secret, hook.former_secret]
		ELSE ARRAY[hook.secret] END,
	    'event', d.event, 'payload', d.payload,
	    'attempt', d.attempts + 1, 'failures', queue.failures,
	    'failing_ms', CASE WHEN queue.failures = 0 THEN 0
		ELSE greatest(0, floor(extract(epoch FROM clock_timestamp()
		    - queue.failing_since) * 1000)::bigint) END,
	    'ordered', hook.ordered, 'test', d.is_test,
	    'age_ms', greatest(0, floor(extract(epoch FROM clock_timestamp()
		- d.queued_at) * 1000)::bigint))::text
$$;

-- Leases what is due of one endpoint, whose queue is locked: at most so many
-- now, and not more than `width` out at once. What failed last time is tried
-- with one alone.
CREATE FUNCTION api.webhook_take(queue partyline.webhook_queue,
    hook partyline.webhook, host_id text, lease_ms int, most int, width int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := clock_timestamp();
	room int := least(most, CASE WHEN hook.ordered
	    OR queue.failures > 0 THEN 1 ELSE width END
	    - api.webhook_out(queue));
	ids bigint[] := ARRAY(SELECT d.id FROM partyline.webhook_delivery d
	    WHERE d.tenant_id = queue.tenant_id
		AND d.webhook_id = queue.webhook_id AND d.state = 'waiting'
		AND d.is_test AND d.next_at <= moment
	    ORDER BY d.next_at, d.id LIMIT most);
BEGIN
	room := least(room, most - cardinality(ids));
	IF room < 1 OR NOT hook.enabled OR queue.paused_until > moment THEN
		NULL;
	ELSIF hook.ordered THEN
		ids := ids || ARRAY(SELECT h.id FROM (
		    SELECT d.id, d.next_at FROM partyline.webhook_delivery d
		    WHERE d.tenant_id = queue.tenant_id
			AND d.webhook_id = queue.webhook_id
			AND d.state = 'waiting' AND NOT d.is_test
		    ORDER BY d.id LIMIT 1) h WHERE h.next_at <= moment);
	ELSE
		ids := ids || ARRAY(SELECT d.id
		    FROM partyline.webhook_delivery d
		    WHERE d.tenant_id = queue.tenant_id
			AND d.webhook_id = queue.webhook_id
			AND d.state = 'waiting' AND NOT d.is_test
			AND d.next_at <= moment
		    ORDER BY d.next_at, d.id LIMIT room);
	END IF;
	RETURN QUERY
	UPDATE partyline.webhook_delivery d
	SET lease = d.lease + 1, is_out = true, leased_by = host_id,
	    next_at = moment + lease_ms * interval '1 millisecond'
	WHERE d.tenant_id = queue.tenant_id
	    AND d.webhook_id = queue.webhook_id AND d.id = ANY (ids)
	RETURNING d.tenant_id, 201, api.webhook_task(d, hook, queue),
	    NULL::text, NULL::text, NULL::bigint, NULL::text, NULL::text;
END
$$;

-- How long until something is due; NULL: nothing is known of.
CREATE FUNCTION api.webhook_wait()
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT ceil(greatest(0, extract(epoch FROM
	    min(q.due_at) - clock_timestamp())) * 1000)
	    FROM partyline.webhook_queue q WHERE q.due_at IS NOT NULL);
END
$$;

-- What is to be sent now, at most so many, and of one endpoint not more than
-- `width` out at once: a row with status 201 for each. The last row has 200:
-- how many there are, how many events were moved, when to come again.
CREATE FUNCTION api.webhook_claim(host_id text, lease_ms int, most int,
    width int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	moved bigint := api.webhook_move(1000);
	queue partyline.webhook_queue;
	hook partyline.webhook;
	taken int := 0;
	count int;
BEGIN
	FOR queue IN SELECT * FROM partyline.webhook_queue q
	    WHERE q.due_at <= clock_timestamp()
	    ORDER BY q.due_at LIMIT most FOR NO KEY UPDATE SKIP LOCKED LOOP
		SELECT * INTO hook FROM partyline.webhook w
		WHERE w.tenant_id = queue.tenant_id
		    AND w.id = queue.webhook_id;
		RETURN QUERY SELECT * FROM api.webhook_take(queue, hook,
		    host_id, lease_ms, most - taken, width);
		GET DIAGNOSTICS count = ROW_COUNT;
		taken := taken + count;
		UPDATE partyline.webhook_queue q
		SET due_at = api.webhook_due(queue, hook, width)
		WHERE q.tenant_id = queue.tenant_id
		    AND q.webhook_id = queue.webhook_id;
		EXIT WHEN taken >= most;
	END LOOP;
	RETURN NEXT api.reply(200, format(
	    '{"rows":%s,"moved":%s,"wait_ms":%s}', taken, moved,
	    coalesce(CASE WHEN moved >= 1000 THEN 0
	    ELSE api.webhook_wait() END::text, 'null')));
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

-- What came of a try, into the log and into the queue.
CREATE FUNCTION api.webhook_write(queue partyline.webhook_queue,
    delivery bigint, outcome text, status int, error text, answer text,
    took_ms bigint, retry_ms bigint, pause_ms bigint)
RETURNS partyline.webhook_delivery LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := api.moment();
	tried partyline.webhook_delivery;
	is_fine boolean := outcome = 'delivered';
BEGIN
	UPDATE partyline.webhook_delivery d
	SET attempts = d.attempts + 1, is_out = false,
	    state = CASE outcome WHEN 'delivered' THEN 'delivered'
		WHEN 'retry' THEN 'waiting' ELSE 'dead' END,
	    next_at = CASE WHEN outcome = 'retry'
		THEN moment + retry_ms * interval '1 millisecond' END
	WHERE d.tenant_id = queue.tenant_id
	    AND d.webhook_id = queue.webhook_id AND d.id = delivery
	RETURNING * INTO tried;
	INSERT INTO partyline.webhook_log (tenant_id, webhook_id, id,
	    delivery_id, attempt, event, status, error, answer, took_ms,
	    created_at, created_text)
	VALUES (tried.tenant_id, tried.webhook_id, queue.logs + 1, tried.id,
	    tried.attempts, tried.event, webhook_write.status,
	    webhook_write.error, webhook_write.answer, webhook_write.took_ms,
	    moment, api.iso(moment));
	-- A test that fails says nothing about those that wait; one that
	-- arrives lets them go.
	UPDATE partyline.webhook_queue q SET logs = q.logs + 1,
	    failures = CASE WHEN is_fine THEN 0 WHEN tried.is_test
		THEN q.failures ELSE q.failures + 1 END,
	    failing_since = CASE WHEN is_fine THEN NULL WHEN tried.is_test
		THEN q.failing_since
		WHEN q.failures = 0 THEN moment ELSE q.failing_since END,
	    paused_until = CASE WHEN is_fine THEN NULL
		WHEN tried.is_test OR pause_ms IS NULL THEN q.paused_until
		ELSE moment + pause_ms * interval '1 millisecond' END
	WHERE q.tenant_id = queue.tenant_id
	    AND q.webhook_id = queue.webhook_id;
	RETURN tried;
END
$$;

-- What a try came to. Success is a status of 200 to 299 without an error.
-- retry_ms: until the next one; NULL: there is none. pause_ms: nothing is
-- sent there for so long. disable: why the endpoint is disabled. more: so
-- many of it are handed out at once. Events, then these, as api.webhook_claim
-- has them, then a row with 200; or one with 409: nothing was written.
CREATE FUNCTION api.webhook_done(tenant int, webhook bigint, delivery bigint,
    number bigint, status int, error text, answer text, took_ms bigint,
    retry_ms bigint, pause_ms bigint, disable text, more int, lease_ms int,
    host_id text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	queue partyline.webhook_queue := api.webhook_lock(tenant, webhook,
	    delivery, number);
	hook partyline.webhook;
	tried partyline.webhook_delivery;
	outcome text;
BEGIN
	IF queue.webhook_id IS NULL THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	SELECT w.* INTO hook FROM partyline.webhook w
	WHERE w.tenant_id = tenant AND w.id = webhook;
	outcome := CASE
	    WHEN status BETWEEN 200 AND 299 AND error IS NULL
		THEN 'delivered'
	    WHEN disable IS NOT NULL THEN 'disabled'
	    WHEN retry_ms IS NULL OR (SELECT d.is_test
		FROM partyline.webhook_delivery d WHERE d.tenant_id = tenant
		AND d.webhook_id = webhook AND d.id = delivery)
		THEN 'dead'
	    ELSE 'retry' END;
	tried := api.webhook_write(queue, delivery, outcome, status, error,
	    answer, took_ms, retry_ms, pause_ms);
	SELECT q.* INTO queue FROM partyline.webhook_queue q
	WHERE q.tenant_id = tenant AND q.webhook_id = webhook;
	IF outcome = 'disabled' AND hook.enabled THEN
		RETURN NEXT api.webhook_disable(hook, disable);
		hook.enabled := false;
	END IF;
	IF more > 0 THEN
		RETURN QUERY SELECT * FROM api.webhook_take(queue, hook,
		    host_id, lease_ms, more, api.webhook_out(queue) + more);
	END IF;
	UPDATE partyline.webhook_queue q
	SET due_at = api.webhook_due(queue, hook, NULL)
	WHERE q.tenant_id = tenant AND q.webhook_id = webhook;
	RETURN NEXT api.reply(200, format('{"outcome":"%s","failures":%s,'
	    '"attempt":%s,"wait_ms":%s}', outcome, queue.failures,
	    tried.attempts, coalesce(api.webhook_wait()::text, 'null')));
END
$$;

-- Gives one back that was not sent: no try is counted, and it is due.
CREATE FUNCTION api.webhook_leave(tenant int, webhook bigint,
    delivery bigint, number bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	queue partyline.webhook_queue := api.webhook_lock(tenant, webhook,
	    delivery, number);
	hook partyline.webhook;
BEGIN
	IF queue.webhook_id IS NULL THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	UPDATE partyline.webhook_delivery d
	SET is_out = false, next_at = clock_timestamp()
	WHERE d.tenant_id = tenant AND d.webhook_id = webhook
	    AND d.id = delivery;
	SELECT w.* INTO hook FROM partyline.webhook w
	WHERE w.tenant_id = tenant AND w.id = webhook;
	UPDATE partyline.webhook_queue q
	SET due_at = api.webhook_due(queue, hook, NULL)
	WHERE q.tenant_id = tenant AND q.webhook_id = webhook;
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- All that a host has out: due again, and no try is counted. Its jobs process
-- asks for it at its start, because the one before it died.
CREATE FUNCTION api.webhook_leave_all(host_id text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	queue partyline.webhook_queue;
	hook partyline.webhook;
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
		SELECT w.* INTO hook FROM partyline.webhook w
		WHERE w.tenant_id = queue.tenant_id
		    AND w.id = queue.webhook_id;
		UPDATE partyline.webhook_queue q
		SET due_at = api.webhook_due(queue, hook, NULL)
		WHERE q.tenant_id = queue.tenant_id
		    AND q.webhook_id = queue.webhook_id;
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
