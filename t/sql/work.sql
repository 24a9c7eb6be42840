-- SPDX-License-Identifier: MIT
--
-- Work with leases: claiming, calls, taking over; what retention and expiry
-- remove, and in which portions.

SELECT plan(59);

-- lease, or '-', and whether there is something to wait for.
CREATE FUNCTION t.claim(name text, host text DEFAULT 'ann',
    lease_ms int DEFAULT 60000) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(body::json->>'lease', '-') || CASE
	    WHEN (body::json->>'wait_ms')::bigint > 0 THEN ' wait' ELSE '' END
	FROM t.fleet(format('api.work_claim(%L, %L, %s)', name, host,
	    lease_ms))
$$;
CREATE FUNCTION t.call(verb text, lease bigint, most int,
    lease_ms int DEFAULT 60000) RETURNS text LANGUAGE sql AS $$
	SELECT status || ' ' || coalesce(body::json->>'rows', '') || CASE
	    WHEN (body::json->>'done')::boolean THEN ' done' ELSE '' END
	FROM t.fleet(format('api.work_%s(%s, %s, 60000, %s)', verb, lease,
	    lease_ms, most))
$$;
CREATE FUNCTION t.due() RETURNS void LANGUAGE sql AS $$
	UPDATE partyline.work SET due_at = now() - interval '1 second'
$$;
CREATE FUNCTION t.emit(stream text, count int, tenant int DEFAULT 1)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(t.ctx(tenant));
	FOR n IN 1 .. count LOOP
		RETURN NEXT api.emit(t.ctx(tenant), stream, 'some.event',
		    '{"n":' || n || '}');
	END LOOP;
END
$$;
-- Numbers that are held, and the lowest as the stream has it.
CREATE FUNCTION t.held(wanted text, tenant int DEFAULT 1)
RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(min(e.seq) || '-' || max(e.seq), 'none') || ' of '
	    || s.lowest || '-' || s.head
	FROM partyline.stream s LEFT JOIN partyline.event e
	    ON e.tenant_id = s.tenant_id AND e.stream = s.name
	WHERE s.tenant_id = tenant AND s.name = wanted
	GROUP BY s.lowest, s.head
$$;
CREATE FUNCTION t.keep(tenant int, events int, days int)
RETURNS void LANGUAGE sql AS $$
	UPDATE partyline.tenant SET retention_events = events,
	    retention_days = days WHERE id = $1
$$;
CREATE VIEW t.wrong AS
SELECT s.tenant_id, s.name FROM partyline.stream s
WHERE s.bytes <> coalesce((SELECT sum(octet_length(e.payload))
	FROM partyline.event e
	WHERE e.tenant_id = s.tenant_id AND e.stream = s.name), 0)
    OR s.head + 1 - s.lowest <> (SELECT count(*) FROM partyline.event e
	WHERE e.tenant_id = s.tenant_id AND e.stream = s.name);

-- leases
SELECT is(t.claim('retention'), '1', 'what is due can be claimed');
SELECT is(t.claim('retention', 'bob'), '- wait', 'by one');
SELECT is(leased_by, 'ann', 'who is named')
FROM partyline.work WHERE name = 'retention';
SELECT is(t.claim('expire', 'bob'), '1', 'other work is another''s');
SELECT is(t.claim('nothing'), '-', 'what there is not, nobody''s');
SELECT is(t.call('retain', 2, 10), '409 ', 'a lease that is not yet');
SELECT is(t.call('retain', 1, 10), '200 0 done', 'a round of nothing');
SELECT is(t.call('retain', 1, 10), '409 ', 'ends with its last call');
SELECT is(t.claim('retention'), '- wait', 'it is not due at once');
SELECT t.due();
SELECT is(t.claim('retention', 'ann', 0), '2', 'but later');
SELECT is(t.claim('retention', 'bob'), '3',
    'a lease that has run out is another one''s');
SELECT is(t.call('retain', 2, 10), '409 ', 'the old one is refused');
SELECT is(t.call('expire', 0, 10), '409 ', 'for other work, too');
SELECT is(t.call('retain', 3, 10), '200 0 done', 'the new one is good');
SELECT t.due();
SELECT is(t.claim('retention', 'ann', 0), '4', 'one that has run out');
SELECT is(t.call('retain', 4, 1), '200 0',
    'and was not claimed since is good still');
SELECT is(t.claim('retention', 'bob'), '- wait', 'and begins anew');
SELECT is(t.call('retain', 4, 100), '200 0 done', 'it ends');

-- by number
SELECT is((t.fleet($$api.tenant_add(t.ctx(NULL), 'other')$$)).status, 201,
    'another tenant') LIMIT 1;
SELECT is(count(*), 50::bigint, 'events') FROM (
	SELECT t.server('t.emit(''lobby'', 20)') UNION ALL
	SELECT t.server('t.emit(''lobby'', 30, 2)')) a;
SELECT t.due();
SELECT t.keep(1, 5, NULL);
SELECT is(t.claim('retention'), '5', 'claimed');
SELECT is(t.call('retain', 5, 4), '200 4', 'at most four');
SELECT is(t.held('lobby'), '5-20 of 5-20', 'the oldest');
SELECT is_empty('SELECT * FROM t.wrong', 'all is counted');
SELECT is(t.call('retain', 5, 10), '200 10', 'the next call goes on');
SELECT is(t.call('retain', 5, 10), '200 1 done', 'to the end');
SELECT is(t.held('lobby'), '16-20 of 16-20', 'five are left');
SELECT is(t.held('lobby', 2), '1-30 of 1-30', 'of the other one all');
SELECT is_empty('SELECT * FROM t.wrong', 'all is counted');
SELECT is(body, '16', 'READ says where it begins')
FROM t.server($$api.stream_read(t.ctx(), 'lobby', 1, 1)$$) WHERE status = 200;

-- by age
UPDATE partyline.event SET at = now() - interval '2 days 1 minute'
WHERE stream = 'lobby' AND seq <= 18;
SELECT t.due();
SELECT t.keep(1, NULL, 2);
SELECT t.keep(2, NULL, 3);
SELECT is(t.claim('retention'), '6', 'claimed');
SELECT is(t.call('retain', 6, 100), '200 3 done', 'what is too old');
SELECT is(t.held('lobby'), '19-20 of 19-20', 'goes');
SELECT is(t.held('lobby', 2), '1-30 of 1-30', 'what is not, stays');
UPDATE partyline.event SET at = now() - interval '9 days'
WHERE stream = 'lobby';
SELECT t.due();
SELECT is(t.claim('retention'), '7', 'claimed');
SELECT is(t.call('retain', 7, 20), '200 20', 'of several');
SELECT is(t.call('retain', 7, 20), '200 12 done', 'to the end');
SELECT is(t.held('lobby'), 'none of 21-20', 'none is left');
SELECT is(t.held('lobby', 2), 'none of 31-30', 'of both');
SELECT is_empty('SELECT * FROM t.wrong', 'all is counted');
SELECT is(count(*), 1::bigint, 'the numbers go on')
FROM t.server('t.emit(''lobby'', 1)') WHERE seq = 21;

-- one stream a call
SELECT is(count(*), 10::bigint, 'ten streams of another one')
FROM generate_series(1, 10) n, t.rows('none', '', format(
    'INSERT INTO partyline.stream (tenant_id, name) VALUES (2, %L)',
    'table:' || n)) r;
SELECT is(count(*), 10::bigint, 'of three events') FROM (SELECT n
FROM generate_series(1, 10) n, t.server(format('t.emit(%L, 3, 2)',
    'table:' || n)) GROUP BY n) a;
SELECT t.keep(1, NULL, NULL);
SELECT t.keep(2, 1, NULL);
SELECT t.due();
SELECT is(t.claim('retention'), '8', 'claimed');
CREATE TEMP TABLE calls AS
SELECT n, t.call('retain', 8, 1) AS said FROM generate_series(1, 60) n;
SELECT is(count(*) FILTER (WHERE said = '200 1'), 20::bigint,
    'a row a call') FROM calls;
SELECT is(count(*) FILTER (WHERE said = '200 0 done'), 1::bigint,
    'until the end') FROM calls;
SELECT is_empty($$SELECT t.held(name, 2) FROM partyline.stream
    WHERE name LIKE 'table:%' AND t.held(name, 2) <> '3-3 of 3-3'$$,
    'each has its last');
SELECT is(place_stream, '', 'the next round begins at the beginning')
FROM partyline.work WHERE name = 'retention';

-- control
UPDATE partyline.event SET at = now() - interval '29 days'
WHERE tenant_id = 0;
SELECT t.due();
SELECT is(t.claim('retention'), '9', 'claimed');
SELECT is(t.call('retain', 9, 100), '200 0 done',
    'control keeps its events for 30 days');
UPDATE partyline.event SET at = now() - interval '31 days'
WHERE tenant_id = 0;
SELECT t.due();
SELECT is(t.claim('retention') || t.call('retain', 10, 100),
    '10200 1 done', 'no longer');
SELECT is(t.held('control', 0), 'none of 2-1', 'none is left');

-- expiry
INSERT INTO partyline.ticket
SELECT 1, n, 'lobby', 'ann', 'admin', now() - n * interval '1 second'
FROM generate_series(-2, 5) n;
SELECT is(t.call('expire', 1, 4), '200 4', 'what has expired');
SELECT is(t.call('expire', 1, 4), '200 2', 'goes in portions');
SELECT is(t.call('expire', 1, 4), '200 0 done', 'until there is none');
INSERT INTO partyline.token_revocation
SELECT 1, 'token', n, now(), '', CASE WHEN n > 0
    THEN now() - n * interval '1 second' END
FROM generate_series(-1, 5) n;
SELECT t.due();
SELECT is(t.claim('expire') || ' ' || t.call('expire', 2, 4), '2 200 4',
    'so do revocations');
SELECT is(t.call('expire', 2, 4), '200 1', 'in portions');
SELECT is(t.call('expire', 2, 4), '200 0 done', 'until there is none');
SELECT is((SELECT count(*) FROM partyline.token_revocation), 2::bigint,
    'but for those that never end');

SELECT * FROM finish();
