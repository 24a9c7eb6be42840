-- SPDX-License-Identifier: MIT
--
-- Webhooks as admins manage them: what they want, what became of it, and
-- sending it again. Their secrets are told to nobody.

-- As GET shows it.
CREATE FUNCTION api.webhook_text(w partyline.webhook)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat('{"id":', w.id, ',"name":', to_json(w.name)::text,
	    ',"url":', to_json(w.url)::text, ',"events":',
	    to_json(w.events)::text, ',"enabled":', w.enabled::text,
	    ',"ordered":', w.ordered::text, ',"created_at":"',
	    w.created_text, '"', ',"disabled_reason":'
	    || to_json(w.disabled_reason)::text || ',"disabled_at":"'
	    || w.disabled_text || '"', '}')
$$;

-- Where requests may go: http or https, a host, no name and password. What
-- the host stands for is judged when it is connected to.
CREATE FUNCTION api.webhook_check(url text, secret text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	port text := substring(url FROM '^[^/]*//[^/?#]*:([^]/?#:]*)(?:[/?#]|$)');
BEGIN
	IF url !~* '^https?://(?:[a-z0-9._~%-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:[/?#][!-~]*)?$'
	    OR port::int NOT BETWEEN 1 AND 65535 THEN
		RAISE 'webhook_url_invalid' USING ERRCODE = 'PT400';
	END IF;
	IF secret LIKE 'whsec\_%' AND secret !~ '^whsec_(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$' THEN
		RAISE 'webhook_secret_invalid' USING ERRCODE = 'PT400';
	END IF;
END
$$;

-- An endpoint's queue, locked; or the refusal.
CREATE FUNCTION api.webhook_own(ctx api.ctx, wanted bigint)
RETURNS partyline.webhook_queue LANGUAGE plpgsql AS $$
DECLARE
	queue partyline.webhook_queue;
BEGIN
	SELECT * INTO queue FROM partyline.webhook_queue q
	WHERE q.tenant_id = ctx.tenant AND q.webhook_id = wanted
	FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE 'webhook_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN queue;
END
$$;

-- Whether there is one; its row is not locked.
CREATE FUNCTION api.webhook_find(ctx api.ctx, wanted bigint)
RETURNS partyline.webhook LANGUAGE plpgsql STABLE AS $$
DECLARE
	hook partyline.webhook;
BEGIN
	SELECT * INTO hook FROM partyline.webhook w
	WHERE w.tenant_id = ctx.tenant AND w.id = wanted;
	IF NOT FOUND THEN
		RAISE 'webhook_not_found' USING ERRCODE = 'PT404';
	END IF;
	RETURN hook;
END
$$;

-- The queue, which is locked, goes on at once: it was told something new.
CREATE FUNCTION api.webhook_wake(queue partyline.webhook_queue)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.webhook_queue q SET deliveries = queue.deliveries,
	    failures = queue.failures, paused_until = NULL
	WHERE q.tenant_id = queue.tenant_id
	    AND q.webhook_id = queue.webhook_id;
	PERFORM api.webhook_plan(ARRAY[queue], NULL);
END
$$;

CREATE FUNCTION api.webhook_list(ctx api.ctx)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	lines text;
BEGIN
	PERFORM api.enter(ctx);
	SELECT string_agg(api.webhook_text(w), ',' ORDER BY w.id) INTO lines
	FROM partyline.webhook w WHERE w.tenant_id = ctx.tenant;
	RETURN NEXT api.reply(200, concat('[', lines, ']'));
END
$$;

CREATE FUNCTION api.webhook_get(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM api.enter(ctx);
	RETURN NEXT api.reply(200,
	    api.webhook_text(api.webhook_find(ctx, wanted)));
END
$$;

CREATE FUNCTION api.webhook_create(ctx api.ctx, name text, url text,
    secret text, events text[], enabled boolean, ordered boolean)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	hook partyline.webhook;
	moment timestamptz := api.moment();
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'webhook_create');
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	PERFORM api.webhook_check(url, secret);
	INSERT INTO partyline.webhook (tenant_id, id, name, url, secret,
	    events, enabled, ordered, created_at, created_text)
	VALUES (ctx.tenant, api.next_id(ctx, 'webhook'), webhook_create.name,
	    webhook_create.url, webhook_create.secret, webhook_create.events,
	    coalesce(webhook_create.enabled, true),
	    coalesce(webhook_create.ordered, false), moment, api.iso(moment))
	RETURNING * INTO hook;
	-- Who has the counter's row is alone.
	IF (SELECT count(*) FROM partyline.webhook w
	    WHERE w.tenant_id = ctx.tenant) > 1000 THEN
		RAISE 'webhooks_full' USING ERRCODE = 'PT409';
	END IF;
	INSERT INTO partyline.webhook_queue (tenant_id, webhook_id)
	VALUES (ctx.tenant, hook.id);
	answer := api.reply(201, concat(rtrim(api.webhook_text(hook), '}'),
	    ',"message":"Webhook created successfully"}'));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'webhook_create', answer);
	END IF;
	RETURN NEXT answer;
END
$$;

-- What is NULL stays as it is. A former secret signs for another day, so that
-- the other side can change its own meanwhile.
CREATE FUNCTION api.webhook_update(ctx api.ctx, wanted bigint, new_name text,
    new_url text, new_secret text, new_events text[], is_enabled boolean,
    is_ordered boolean)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	queue partyline.webhook_queue;
	hook partyline.webhook;
BEGIN
	PERFORM api.enter(ctx);
	queue := api.webhook_own(ctx, wanted);
	IF num_nonnulls(new_name, new_url, new_secret, new_events,
	    is_enabled, is_ordered) = 0 THEN
		RAISE 'webhook_unchanged' USING ERRCODE = 'PT400';
	END IF;
	PERFORM api.webhook_check(coalesce(new_url, 'http://a'), new_secret);
	UPDATE partyline.webhook w SET name = coalesce(new_name, w.name),
	    url = coalesce(new_url, w.url),
	    secret = coalesce(new_secret, w.secret),
	    former_secret = CASE WHEN new_secret <> w.secret THEN w.secret
		ELSE w.former_secret END,
	    former_until = CASE WHEN new_secret <> w.secret
		THEN now() + interval '24 hours' ELSE w.former_until END,
	    events = coalesce(new_events, w.events),
	    enabled = coalesce(is_enabled, w.enabled),
	    ordered = coalesce(is_ordered, w.ordered),
	    disabled_reason = CASE WHEN is_enabled THEN NULL
		ELSE w.disabled_reason END,
	    disabled_text = CASE WHEN is_enabled THEN NULL
		ELSE w.disabled_text END
	WHERE w.tenant_id = ctx.tenant AND w.id = wanted
	RETURNING * INTO hook;
	IF is_enabled OR new_url IS NOT NULL THEN
		queue.failures := 0;
	END IF;
	PERFORM api.webhook_wake(queue);
	RETURN NEXT api.reply(200, api.webhook_text(hook));
END
$$;

-- What it left behind goes by age.
CREATE FUNCTION api.webhook_delete(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.webhook_own(ctx, wanted);
	DELETE FROM partyline.webhook w
	WHERE w.tenant_id = ctx.tenant AND w.id = wanted;
	RETURN NEXT api.reply(200, format('{"message":"Webhook deleted '
	    'successfully","webhookId":%s}', wanted));
END
$$;

-- Sends something that no stream has, once, whether it is enabled or not.
CREATE FUNCTION api.webhook_test(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	scope text := 'webhook_test ' || wanted;
	queue partyline.webhook_queue;
	moment timestamptz;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, scope);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	queue := api.webhook_own(ctx, wanted);
	moment := api.moment();
	queue.deliveries := queue.deliveries + 1;
	INSERT INTO partyline.webhook_delivery (tenant_id, webhook_id, id,
	    message, event, payload, is_test, created_at, queued_at, next_at)
	VALUES (ctx.tenant, wanted, queue.deliveries, api.webhook_message(),
	    'webhook.test', format('{"event":"webhook.test","timestamp":"%s",'
	    '"data":{"webhookId":%s,"message":"This is a test"}}',
	    api.iso(moment), wanted), true, moment, moment, moment);
	PERFORM api.webhook_wake(queue);
	answer := api.reply(200, format('{"message":"Test webhook sent",'
	    '"note":"Check webhook_logs table for delivery status",'
	    '"deliveryId":%s}', queue.deliveries));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, scope, answer);
	END IF;
	RETURN NEXT answer;
END
$$;

-- Its tries, the newest first.
CREATE FUNCTION api.webhook_logs(ctx api.ctx, wanted bigint, most bigint,
    before bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	lines text;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.webhook_find(ctx, wanted);
	SELECT string_agg(concat('{"id":', l.id, ',"webhook_id":', wanted,
	    ',"delivery_id":', l.delivery_id, ',"attempt":', l.attempt,
	    ',"event_type":"', l.event, '","payload":',
	    coalesce(d.payload, 'null'), ',"response_status":',
	    coalesce(l.status::text, 'null'), ',"error_message":',
	    coalesce(to_json(l.error)::text, 'null'), ',"response_body":',
	    coalesce(to_json(l.answer)::text, 'null'), ',"took_ms":',
	    l.took_ms, ',"created_at":"', l.created_text, '"}'), ','
	    ORDER BY l.id DESC) INTO lines
	FROM (SELECT * FROM partyline.webhook_log v
	    WHERE v.tenant_id = ctx.tenant AND v.webhook_id = wanted
		AND v.id < coalesce(before, 9223372036854775807)
	    ORDER BY v.id DESC LIMIT coalesce(most, 50)) l
	LEFT JOIN partyline.webhook_delivery d ON d.tenant_id = ctx.tenant
	    AND d.webhook_id = wanted AND d.id = l.delivery_id;
	RETURN NEXT api.reply(200, concat('[', lines, ']'));
END
$$;

CREATE FUNCTION api.webhook_delivery_text(d partyline.webhook_delivery)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat('{"id":', d.id, ',"webhook_id":', d.webhook_id,
	    ',"message_id":"', d.message, '","event_type":"', d.event,
	    '","payload":', d.payload, ',"state":"', d.state, '","test":',
	    d.is_test::text, ',"attempts":', d.attempts,
	    ',"created_at":"', api.iso(d.created_at), '","next_attempt_at":',
	    coalesce('"' || api.iso(date_trunc('milliseconds', CASE
		WHEN NOT d.is_out THEN d.next_at END)) || '"', 'null'), '}')
$$;

-- The newest first; state: NULL for all.
CREATE FUNCTION api.webhook_deliveries(ctx api.ctx, wanted bigint,
    wanted_state text, most bigint, before bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	lines text;
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.webhook_find(ctx, wanted);
	SELECT string_agg(api.webhook_delivery_text(d::partyline
	    .webhook_delivery), ',' ORDER BY d.id DESC) INTO lines
	FROM (SELECT * FROM partyline.webhook_delivery v
	    WHERE v.tenant_id = ctx.tenant AND v.webhook_id = wanted
		AND v.id < coalesce(before, 9223372036854775807)
		AND v.state = coalesce(wanted_state, v.state)
	    ORDER BY v.id DESC LIMIT coalesce(most, 50)) d;
	RETURN NEXT api.reply(200, concat('[', lines, ']'));
END
$$;

-- Queues deliveries anew, as if they had never been tried: with the same
-- webhook-id, at once. What is out or waits is let be. The endpoint's queue
-- is locked.
CREATE FUNCTION api.webhook_again(queue partyline.webhook_queue,
    ids bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := api.moment();
BEGIN
	UPDATE partyline.webhook_delivery d
	SET state = 'waiting', attempts = 0, queued_at = moment,
	    next_at = moment
	WHERE d.tenant_id = queue.tenant_id
	    AND d.webhook_id = queue.webhook_id AND d.id = ANY (ids)
	    AND NOT d.is_out;
	PERFORM api.webhook_wake(queue);
END
$$;

CREATE FUNCTION api.webhook_redeliver(ctx api.ctx, wanted bigint,
    delivery bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	scope text := format('webhook_redeliver %s %s', wanted, delivery);
	queue partyline.webhook_queue;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, scope);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	queue := api.webhook_own(ctx, wanted);
	PERFORM FROM partyline.webhook_delivery d
	WHERE d.tenant_id = ctx.tenant AND d.webhook_id = wanted
	    AND d.id = delivery;
	IF NOT FOUND THEN
		RAISE 'delivery_not_found' USING ERRCODE = 'PT404';
	END IF;
	PERFORM api.webhook_again(queue, ARRAY[delivery]);
	answer := api.reply(200, '{"success":true}');
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, scope, answer);
	END IF;
	RETURN NEXT answer;
END
$$;

-- A range, by the moment of the event and behind a delivery: what is dead, or
-- with `all` what was delivered as well; a thousand at a time.
CREATE FUNCTION api.webhook_replay_range(queue partyline.webhook_queue,
    wanted_state text, since timestamptz, until timestamptz, behind bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[] := ARRAY(SELECT d.id FROM partyline.webhook_delivery d
	    WHERE d.tenant_id = queue.tenant_id
		AND d.webhook_id = queue.webhook_id AND NOT d.is_test
		AND d.id > coalesce(behind, 0)
		AND (d.state = 'dead'
		    OR (wanted_state = 'all' AND d.state = 'delivered'))
		AND d.created_at >= coalesce(since, '-infinity')
		AND d.created_at <= coalesce(until, 'infinity')
	    ORDER BY d.id LIMIT 1000);
	count int := cardinality(ids);
BEGIN
	IF count > 0 THEN
		PERFORM api.webhook_again(queue, ids);
	END IF;
	RETURN format('{"queued":%s,"last":%s,"more":%s}', count,
	    coalesce(ids[count]::text, 'null'), (count = 1000)::text);
END
$$;

CREATE FUNCTION api.webhook_replay(ctx api.ctx, wanted bigint, state text,
    since timestamptz, until timestamptz, behind bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	scope text := 'webhook_replay ' || wanted;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, scope);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	answer := api.reply(200, api.webhook_replay_range(
	    api.webhook_own(ctx, wanted), state, since, until, behind));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, scope, answer);
	END IF;
	RETURN NEXT answer;
END
$$;

-- For people at the keyboard: each webhook with where its queue stands.
CREATE FUNCTION api.webhook_overview(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	lines text;
BEGIN
	PERFORM api.enter(ctx);
	IF wanted IS NOT NULL THEN
		PERFORM api.webhook_find(ctx, wanted);
	END IF;
	SELECT string_agg(concat(rtrim(api.webhook_text(w), '}'),
	    ',"waiting":', d.waiting, ',"dead":', d.dead, ',"oldest":"'
	    || api.iso(d.oldest) || '"', ',"failures":', q.failures,
	    ',"paused_until":"' || api.iso(date_trunc('milliseconds',
		nullif(q.paused_until, 'infinity'))) || '"', ',"last_try":'
	    || (SELECT json_build_object('at', l.created_text,
		'status', l.status, 'error', l.error)
		FROM partyline.webhook_log l WHERE l.tenant_id = w.tenant_id
		AND l.webhook_id = w.id AND l.id = q.logs), '}'), ','
	    ORDER BY w.id) INTO lines
	FROM partyline.webhook w
	JOIN partyline.webhook_queue q
	    ON q.tenant_id = w.tenant_id AND q.webhook_id = w.id
	CROSS JOIN LATERAL (SELECT
		count(*) FILTER (WHERE v.state = 'waiting') AS waiting,
		count(*) FILTER (WHERE v.state = 'dead'
		    AND NOT v.is_test) AS dead,
		min(v.created_at) FILTER (WHERE v.state = 'waiting') AS oldest
	    FROM partyline.webhook_delivery v
	    WHERE v.tenant_id = w.tenant_id AND v.webhook_id = w.id) d
	WHERE w.tenant_id = ctx.tenant AND w.id = coalesce(wanted, w.id);
	RETURN NEXT api.reply(200, concat('[', lines, ']'));
END
$$;
