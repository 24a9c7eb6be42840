-- SPDX-License-Identifier: MIT
--
-- Webhooks: what emit leaves, how it is handed out, and what comes of it.

SELECT plan(52);

-- Rows as the product makes them; the calls themselves are tested over REST.
CREATE FUNCTION t.hook(wanted bigint, types text[], in_order boolean
    DEFAULT false, of_tenant int DEFAULT 1)
RETURNS void LANGUAGE sql AS $$
	INSERT INTO partyline.webhook (tenant_id, id, name, url, secret,
	    events, ordered, created_at, created_text)
	VALUES (of_tenant, wanted, 'Hook ' || wanted,
	    'https://hook.example/' || wanted, 'secret ' || wanted, types,
	    in_order, now(), '2026-01-01T00:00:00.000Z');
	INSERT INTO partyline.webhook_queue (tenant_id, webhook_id)
	VALUES (of_tenant, wanted);
$$;
CREATE FUNCTION t.tell(nth int, type text DEFAULT 'game.added')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM t.server(format($c$api.session_event_create(t.ctx(1),
	    ARRAY['admin:1'], ARRAY['request'], ARRAY[NULL::text],
	    ARRAY[NULL::text], ARRAY[1::bigint], ARRAY[%L],
	    ARRAY['{"n":%s}'])$c$, type, nth));
END
$$;
-- What a claim hands out, without what nobody can foretell.
CREATE FUNCTION t.claim(most int DEFAULT 100, width int DEFAULT 8,
    host text DEFAULT 'host-a')
RETURNS TABLE (webhook bigint, delivery bigint, lease bigint, n int,
    attempt int) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT (c.body::json->>'webhook')::bigint,
	    (c.body::json->>'delivery')::bigint,
	    (c.body::json->>'lease')::bigint,
	    ((c.body::json->>'payload')::json->'data'->>'n')::int,
	    (c.body::json->>'attempt')::int
	FROM t.fleet(format('api.webhook_claim(%L, 60000, %s, %s)', host,
	    most, width)) c WHERE c.status = 201 ORDER BY 1, 2;
END
$$;
CREATE FUNCTION t.tried(webhook bigint, delivery bigint, lease bigint,
    status int, retry_ms int DEFAULT NULL, pause_ms int DEFAULT NULL,
    disable text DEFAULT NULL)
RETURNS json LANGUAGE sql AS $$
	SELECT json_build_object('tenant', 1, 'webhook', webhook,
	    'delivery', delivery, 'lease', lease, 'status', status,
	    'error', CASE WHEN status IS NULL THEN 'connection refused' END,
	    'answer', 'said', 'took_ms', 5, 'retry_ms', retry_ms,
	    'pause_ms', pause_ms, 'disable', disable)
$$;
-- The outcome, and how many further ones came.
CREATE FUNCTION t.done(webhook bigint, delivery bigint, lease bigint,
    status int, retry_ms int DEFAULT NULL, pause_ms int DEFAULT NULL,
    disable text DEFAULT NULL, more int DEFAULT 0)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT concat_ws(' ', max(coalesce(d.body::json->>'outcome',
	    d.status::text)) FILTER (WHERE d.status <> 201),
	    nullif(count(*) FILTER (WHERE d.status = 201), 0),
	    max(d.body::json->>'type'))
	FROM t.fleet(format('api.webhook_done(%L, %L, 60000, %s, 8)',
	    json_build_array(t.tried(webhook, delivery, lease, status,
	    retry_ms, pause_ms, disable)), 'host-a', more)) d
	WHERE d.body::json->'rows' IS NULL);
END
$$;
CREATE FUNCTION t.wait()
RETURNS bigint LANGUAGE sql AS $$
	SELECT (c.body::json->>'wait_ms')::bigint
	FROM t.fleet('api.webhook_claim(''host-a'', 60000, 100, 8)') c
	WHERE c.status = 200
$$;
CREATE FUNCTION t.due(wanted bigint)
RETURNS void LANGUAGE sql AS $$
	UPDATE partyline.webhook_delivery SET next_at = now() - interval '1 s'
	WHERE webhook_id = wanted AND state = 'waiting';
	UPDATE partyline.webhook_queue SET due_at = now() - interval '1 s',
	    paused_until = NULL WHERE webhook_id = wanted;
$$;

SELECT lives_ok($$SELECT t.server('api.session_create(t.ctx(1), NULL)')$$,
    'a session');
SELECT is((SELECT count(*) FROM partyline.webhook_outbox), 0::bigint,
    'nobody wants its event, and so nothing is queued');
SELECT is(t.wait(), NULL::bigint, 'and nothing is known to wait for');

-- --- what emit leaves -------------------------------------------------------

SELECT t.hook(1, '{game.added,session.ended}');
SELECT t.hook(2, '{game.added}', true);
SELECT t.hook(3, '{vote.received}');
SELECT t.tell(1);
SELECT t.tell(2, 'vote.received');
SELECT t.tell(3, 'custom.dice');
SELECT results_eq($$SELECT event, webhooks, payload::json->>'event',
    payload::json->>'seq', payload::json->'data'->>'n',
    payload::json->>'stream' FROM partyline.webhook_outbox ORDER BY nth$$,
    $$VALUES ('game.added', '{1,2}'::bigint[], 'game.added', '1', '1',
	'session:1'),
	('vote.received', '{3}', 'vote.received', '2', '2', 'session:1')$$,
    'a row for each event that somebody wants, with who does');
SELECT is((SELECT o.payload::json->>'timestamp'
    FROM partyline.webhook_outbox o WHERE o.seq = 1),
    (SELECT e.payload::json->>'timestamp' FROM partyline.event e
    WHERE e.stream = 'session:1' AND e.seq = 1), 'at the event''s moment');
UPDATE partyline.webhook SET enabled = false WHERE id = 3;
SELECT t.tell(4, 'vote.received');
SELECT is((SELECT count(*) FROM partyline.webhook_outbox), 2::bigint,
    'nothing for one that is disabled');
UPDATE partyline.webhook SET enabled = true WHERE id = 3;
SELECT lives_ok($$SELECT t.server('api.session_close(t.ctx(1), 1, NULL)')$$,
    'an event that is emitted alone');
SELECT is((SELECT o.webhooks FROM partyline.webhook_outbox o
    WHERE o.event = 'session.ended'), '{1}'::bigint[], 'is queued as well');

-- --- handing out ------------------------------------------------------------

SELECT results_eq('SELECT * FROM t.claim()',
    $$VALUES (1::bigint, 1::bigint, 1::bigint, 1, 1), (1, 2, 1, NULL, 1),
	(2, 1, 1, 1, 1), (3, 1, 1, 2, 1)$$,
    'all of them, each numbered in its endpoint');
SELECT is((SELECT count(*) FROM partyline.webhook_outbox), 0::bigint,
    'moved into the queues');
SELECT is((SELECT count(DISTINCT message) FROM partyline.webhook_delivery
    WHERE event = 'game.added'), 1::bigint,
    'one webhook-id of an event for all endpoints');
SELECT is_empty('SELECT * FROM t.claim()', 'nobody else gets them');
SELECT is(t.wait() BETWEEN 50000 AND 60000, true, 'until the lease ends');

-- --- what comes of it -------------------------------------------------------

SELECT is(t.done(1, 1, 2, 200), '409', 'another lease''s is refused');
SELECT is(t.done(9, 1, 1, 200), '409', 'and so is one of nobody');
SELECT is((SELECT count(*) FROM partyline.webhook_log), 0::bigint,
    'and not written down');
SELECT is(t.done(1, 1, 1, 204), 'delivered', 'a success');
SELECT is(t.done(1, 1, 1, 500), '409', 'it is no longer out');
SELECT is(t.done(1, 2, 1, NULL, 5000), 'retry', 'one that failed');
SELECT results_eq('SELECT id, delivery_id, attempt, event, status, error,
    answer FROM partyline.webhook_log WHERE webhook_id = 1 ORDER BY id',
    $$VALUES (1::bigint, 1::bigint, 1::bigint, 'game.added', 204,
	NULL::text, 'said'),
	(2, 2, 1, 'session.ended', NULL, 'connection refused', 'said')$$,
    'both are in the log');
SELECT is_empty('SELECT * FROM t.claim()', 'not before its time');
SELECT is(t.wait() BETWEEN 3000 AND 5000, true, 'which is told');
SELECT t.due(1);
SELECT results_eq('SELECT * FROM t.claim()',
    $$VALUES (1::bigint, 2::bigint, 2::bigint, NULL::int, 2)$$,
    'then again, as the second try');
SELECT is(t.done(1, 2, 2, 503, 5000, 40000), 'retry',
    'the endpoint is left alone for a while');
UPDATE partyline.webhook_delivery SET next_at = now() - interval '1 s'
WHERE state = 'waiting' AND webhook_id = 1;
SELECT t.tell(5);
SELECT is_empty('SELECT * FROM t.claim()', 'nothing before that, whatever is due');
SELECT t.due(1);
SELECT is((SELECT count(*) FROM t.claim()), 1::bigint,
    'then with one alone');
SELECT is((SELECT t.done(1, d.id, d.lease, 500) FROM
    partyline.webhook_delivery d WHERE d.webhook_id = 1 AND d.is_out),
    'dead', 'without a further try it is dead');

-- A host died.
SELECT is((SELECT count(*) FROM t.claim()), 1::bigint, 'the other one');
UPDATE partyline.webhook_delivery SET next_at = now() - interval '1 s'
WHERE is_out AND webhook_id = 1;
UPDATE partyline.webhook_queue SET due_at = now() WHERE webhook_id = 1;
SELECT is((SELECT c.lease FROM t.claim(100, 8, 'host-b') c)
    > 1, true, 'a lease that ran out is somebody else''s');
SELECT is((SELECT t.done(1, d.id, d.lease - 1, 200) FROM
    partyline.webhook_delivery d WHERE d.webhook_id = 1 AND d.is_out),
    '409', 'whose who had it does not end');
SELECT is((SELECT t.done(1, d.id, d.lease, 200) FROM
    partyline.webhook_delivery d WHERE d.webhook_id = 1 AND d.is_out),
    'delivered', 'he does');
SELECT is((SELECT failures::bigint FROM partyline.webhook_queue
    WHERE webhook_id = 1), 0::bigint, 'and the endpoint is well again');

-- --- order ------------------------------------------------------------------

SELECT is_empty('SELECT * FROM t.claim()',
    'in order: none while the one before is out');
SELECT is(t.done(2, 1, 1, 500, 5000), 'retry', 'it failed');
SELECT is_empty('SELECT * FROM t.claim()', 'and those behind wait for it');
SELECT t.due(2);
SELECT results_eq('SELECT webhook, delivery FROM t.claim()',
    $$VALUES (2::bigint, 1::bigint)$$, 'it comes first again');
SELECT is(t.done(2, 1, 2, 200, NULL, NULL, NULL, 1), 'delivered 1',
    'the next one is handed out at once');

-- --- given up ---------------------------------------------------------------

SELECT is(t.done(2, 2, 1, 410, 5000, NULL, '410 Gone'),
    'disabled webhook.disabled', 'one that is gone is disabled, and told of');
SELECT results_eq('SELECT enabled, disabled_reason FROM partyline.webhook
    WHERE id = 2', $$VALUES (false, '410 Gone')$$, 'with the reason');
SELECT t.tell(6);
SELECT is((SELECT count(*) FROM t.claim() c WHERE c.webhook = 2), 0::bigint,
    'nothing is handed out for it');

-- --- width, giving back -----------------------------------------------------

SELECT t.tell(n, 'vote.received') FROM generate_series(10, 19) n;
SELECT is((SELECT count(*) FROM t.claim(100, 4)), 3::bigint,
    'so many are out at once, of one endpoint');
SELECT is((SELECT count(*) FROM t.claim(100, 4)), 0::bigint, 'and no more');
SELECT is((SELECT f.status FROM t.fleet('api.webhook_leave(1, 3, 2, 1)') f),
    200, 'one is given back');
SELECT is((SELECT c.attempt FROM t.claim(100, 12) c WHERE c.delivery = 2), 1,
    'it was no try');
SELECT is((SELECT f.status FROM t.fleet(
    'api.webhook_hold(1, 3, 2, 2, 90000)') f), 200, 'a lease begins anew');

-- --- what is old ------------------------------------------------------------

SELECT is((SELECT (c.body::json->>'lease')::int FROM t.fleet(
    'api.work_claim(''webhook'', ''host-a'', 60000)') c), 1, 'a round');
SELECT is((SELECT w.body::json->>'rows' FROM t.fleet(
    'api.work_webhook(1, 60000, 1000, 2, 3600000)') w), '0',
    'nothing is old');
SELECT is((SELECT w.status FROM t.fleet(
    'api.work_webhook(0, 60000, 1000, 2, 3600000)') w), 409,
    'nor is it for who has no lease');
UPDATE partyline.webhook_delivery SET queued_at = now() - interval '2 hours';
UPDATE partyline.webhook_log SET created_at = now() - interval '2 hours'
WHERE id = 1;
DELETE FROM partyline.webhook WHERE id = 1;
SELECT t.fleet('api.work_claim(''webhook'', ''host-a'', 60000)');
UPDATE partyline.work SET lease = 9, leased_until = now() + interval '1 min'
WHERE name = 'webhook';
SELECT is((SELECT w.body::json->>'rows' FROM t.fleet(
    'api.work_webhook(9, 60000, 1000, 2, 3600000)') w), '4',
    'so many at a time');
SELECT is((SELECT count(*) FROM generate_series(1, 9) n, t.fleet(format(
    'api.work_webhook(9, 60000, 1000, 2, %s)', 3600000 + n)) w
    WHERE w.status = 200) > 1, true, 'and again');
SELECT is_empty($$SELECT d.id FROM partyline.webhook_delivery d
    LEFT JOIN partyline.webhook w ON w.id = d.webhook_id
    WHERE d.state <> 'waiting' OR w.enabled IS NOT TRUE$$,
    'what has ended is gone, and what nobody waits for');
SELECT is((SELECT count(*) FROM partyline.webhook_delivery
    WHERE webhook_id = 3 AND state = 'waiting'), 11::bigint,
    'what somebody waits for is there');
SELECT * FROM finish();
