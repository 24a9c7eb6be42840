-- SPDX-License-Identifier: MIT
--
-- Idempotency-Key: same key same answer, effect once; and batches.

SELECT plan(33);

CREATE FUNCTION t.create(key text, hash text, caller text DEFAULT 'admin:1',
    tenant int DEFAULT 1) RETURNS SETOF api.answer LANGUAGE sql AS $$
	SELECT * FROM t.server(format('api.session_create(t.ctx(%s, %L, %L, %L), NULL)',
	    tenant, key, hash, caller))
$$;
CREATE TEMP TABLE first AS SELECT * FROM t.create('k', 'h') WHERE status > 0;
SELECT is(status, 201, 'the first takes effect') FROM first;
CREATE TEMP TABLE second AS SELECT * FROM t.create('k', 'h');
SELECT is(array_agg(s.body), array_agg(f.body), 'the second is told the same')
FROM first f, second s;
SELECT is(count(*), 1::bigint, 'without an event') FROM second;
SELECT is(count(*), 1::bigint, 'there is one session') FROM partyline.session;
SELECT throws_ok($$SELECT t.create('k', 'other')$$, 'PT422',
    'idempotency_key_reused', 'another body is refused');
SELECT throws_ok($$SELECT t.create('k', 'h', 'admin:2')$$, 'PT400',
    'active_session_exists', 'another caller has keys of his own');
SELECT throws_ok($$SELECT t.create('l', 'h')$$, 'PT400',
    'active_session_exists', 'so is another key');
SELECT is(count(*), 1::bigint, 'a refusal is not kept')
FROM partyline.idempotency;
SELECT is(count(*), 2::bigint, 'closed with the same key')
FROM t.server($$api.session_close(t.ctx(1, 'k', 'c'), 1, NULL)$$);
SELECT is(count(*), 1::bigint, 'again')
FROM t.server($$api.session_close(t.ctx(1, 'k', 'c'), 1, NULL)$$);
SELECT is(count(*), 1::bigint, 'the key still answers the first')
FROM t.create('k', 'h') WHERE body = (SELECT body FROM first);
SELECT is(count(*), 2::bigint, 'anonymous callers have no keys')
FROM t.create('k', 'h', NULL);
SELECT is(body::json->>'success', 'true', 'archive keeps')
FROM t.server($$api.session_archive(t.ctx(1, 'k', 'a'), 1)$$);
SELECT is(body::json->>'success', 'true', 'unarchive keeps')
FROM t.server($$api.session_unarchive(t.ctx(1, 'k', 'u'), 1)$$);
SELECT is(body::json->>'success', 'true', 'and the repeated has no effect')
FROM t.server($$api.session_archive(t.ctx(1, 'k', 'a'), 1)$$);
SELECT is(archived, false, 'see') FROM partyline.session WHERE id = 1;
SELECT is(body::json->>'affected', '1', 'bulk keeps')
FROM t.server($$api.session_bulk(t.ctx(1, 'k', 'b'), 'archive', '{1}')$$);
SELECT throws_ok($$SELECT t.server(
    'api.session_bulk(t.ctx(1, ''k'', ''x''), ''archive'', ''{1}'')')$$,
    'PT422', 'idempotency_key_reused', 'and knows its body');
UPDATE partyline.idempotency SET at = now() - interval '25 hours'
WHERE scope = 'session_create';
SELECT is(count(*), 2::bigint, 'after a day a key is free')
FROM t.server('api.session_close(t.ctx(), 2, NULL)');
SELECT is(body::json->>'id', '3', 'and takes effect anew')
FROM t.create('k', 'h') WHERE status = 201;

-- batches
UPDATE partyline.idempotency SET at = now();
CREATE FUNCTION t.batch(callers text[], keys text[], hashes text[],
    ids bigint[]) RETURNS SETOF api.answer LANGUAGE sql AS $$
	SELECT * FROM t.server(format('api.session_event_create(t.ctx(), %L, '
	    '%L, %L, %L, %L, %L, %L)', callers,
	    (SELECT array_agg('r' || n ORDER BY n) FROM generate_subscripts(ids, 1) n),
	    keys, hashes, ids, array_fill('custom.x'::text,
	    ARRAY[cardinality(ids)]),
	    (SELECT array_agg('{"n":' || n || '}' ORDER BY n)
		FROM generate_subscripts(ids, 1) n)))
$$;
CREATE TEMP TABLE batch AS SELECT * FROM t.batch(
    '{a,a,a,b,a,a,NULL,a}', '{k,NULL,k,k,k,l,k,NULL}',
    '{h,NULL,h,h,x,h,h,NULL}', '{3,3,3,3,3,1,3,77}');
SELECT is(array_agg(element || ':' || status || coalesce(':' || refusal, '')
    ORDER BY element), ARRAY['0:201', '1:201', '2:201', '3:201',
    '4:422:idempotency_key_reused', '5:400:session_archived', '6:201',
    '7:404:session_not_found'], 'each has his answer')
FROM batch WHERE status > 0;
SELECT is(array_agg(element || ':' || seq || ':' || (body::json->'data'->>'n')
    ORDER BY seq), '{0:1:1,1:2:2,3:3:4,6:4:7}', 'numbers in their order')
FROM batch WHERE status IS NULL;
SELECT is(body, '{"stream":"session:3","epoch":"' || s.epoch || '","seq":2}',
    'the answer names stream, epoch and number')
FROM batch, partyline.stream s
WHERE s.name = 'session:3' AND element = 1 AND status > 0;
SELECT is(array_agg(request_id ORDER BY seq), '{r1,r2,r4,r7}',
    'each event has the id of its request')
FROM partyline.event WHERE stream = 'session:3';
SELECT is(head::bigint, 4::bigint, 'the head is the last') FROM partyline.stream
WHERE name = 'session:3';
SELECT is(array_agg(DISTINCT e.payload = b.body), '{t}', 'stored as told')
FROM partyline.event e JOIN batch b ON b.seq = e.seq
WHERE e.stream = 'session:3';
SELECT is(c.body, b.body, 'the same element, the same answer')
FROM batch b, t.batch('{a}', '{k}', '{h}', '{3}') c
WHERE b.element = 0 AND b.status > 0;
SELECT is(array_agg(refusal), '{idempotency_key_reused}', 'not another one')
FROM t.batch('{a}', '{k}', '{x}', '{3}');
SELECT is(array_agg(element || ':' || seq ORDER BY element), '{0:5,1:2,2:6}',
    'several streams in one batch')
FROM t.batch('{NULL,NULL,NULL}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}',
    '{3,2,3}') a WHERE a.status IS NULL;
SELECT is(body, '{"success":true}', 'no longer archived')
FROM t.server('api.session_unarchive(t.ctx(), 1)');
SELECT is(count(*), 1::bigint, 'a refused element''s key is free')
FROM t.batch('{a}', '{l}', '{other}', '{1}') WHERE status = 201;
SELECT is(count(*), 0::bigint, 'an empty batch')
FROM t.batch('{}', '{}', '{}', '{}');

-- what has had its time
UPDATE partyline.idempotency SET at = now() - interval '25 hours';
SELECT is(b.body::bigint, c.count, 'old keys are swept away')
FROM (SELECT count(*) FROM partyline.idempotency) c,
    t.fleet('api.expire(1000)') b;

SELECT * FROM finish();
