-- SPDX-License-Identifier: MIT
--
-- Turns of threads: who may be at one, in which order, and what is told once.

SELECT plan(32);

CREATE FUNCTION t.ask(thread text, tenant int DEFAULT 1,
    of_thread int DEFAULT 20, of_tenant int DEFAULT 1000)
RETURNS bigint LANGUAGE sql AS $$
	SELECT (body::json->>'turnId')::bigint FROM t.server(format(
	    'api.turn_create(t.ctx(%s), %L, %L, %L, %L, %L, false, %s, %s)',
	    tenant, thread, 'havefun', 'ann', 'hello', '', of_thread,
	    of_tenant))
$$;
-- turn/lease of what is claimed.
CREATE FUNCTION t.claim(most int DEFAULT 10, of_tenant int DEFAULT 10,
    lease_ms int DEFAULT 60000) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg((a.body::json->>'turn') || '/'
	    || (a.body::json->>'lease'), ' '
	    ORDER BY a.element, (a.body::json->>'turn')::bigint)
	FROM t.fleet(format('api.turn_claim(%L, %s, 3, %s, %s)', 'ann',
	    lease_ms, most, of_tenant)) a
	WHERE a.status = 200 AND a.body::json->>'turn' IS NOT NULL
$$;
-- The status, and the types of what was told.
CREATE FUNCTION t.tell(turn bigint, lease bigint, first bigint,
    types text[], is_last boolean DEFAULT false)
RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce(a.status::text, a.body::json->>'type'),
	    ' ' ORDER BY a.status NULLS LAST, a.seq)
	FROM t.fleet(format('api.turn_say(1, %s, %s, 60000, %s, %L, %L, %L)',
	    turn, lease, first, types,
	    array_fill('{}'::text, ARRAY[cardinality(types)]), is_last)) a
$$;
-- Outcomes of what is ended.
CREATE FUNCTION t.expire(wait_ms bigint DEFAULT 60000,
    unheard_ms int DEFAULT 30000) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(a.body::json->'data'->>'outcome', ' ')
	FROM t.fleet(format('api.turn_expire(%s, %s, 3, 100)', wait_ms,
	    unheard_ms)) a WHERE a.status IS NULL
$$;

SELECT throws_ok($$SELECT t.ask('a')$$, 'PT503', 'responder_missing',
    'a tenant without a responder has no turns');
SELECT is((SELECT count(*) FROM partyline.thread), 0::bigint,
    'and no thread is made');
SELECT throws_ok(format('UPDATE partyline.tenant SET responder_url = %L '
    'WHERE id = 1', url), '23514', NULL, url)
FROM unnest(ARRAY['ftp://x/', 'http://u:p@x/', 'http:///x']) url;
UPDATE partyline.tenant SET responder_url = 'https://mind.example/';

SELECT is(t.ask('a'), 1::bigint, 'a turn');
SELECT is(t.ask('a'), 2::bigint, 'another one of the thread');
SELECT is(t.ask('b'), 3::bigint, 'one of another thread');
SELECT is((SELECT string_agg(name, ' ' ORDER BY id) FROM partyline.thread),
    'a b', 'there are two');
SELECT is(t.claim(), '1/1 3/1', 'of each thread the oldest is claimed');
SELECT is(t.claim(), NULL, 'once');
SELECT throws_ok($$SELECT t.ask('a', of_thread => 1)$$, 'PT503',
    'responder_busy', 'one more than may wait of a thread');
SELECT throws_ok($$SELECT t.ask('c', of_tenant => 1)$$, 'PT503',
    'responder_busy', 'and of a tenant');
SELECT is((SELECT count(*) FROM partyline.thread), 2::bigint,
    'no thread is made for one that is refused');
SELECT lives_ok($$SELECT t.ask('b', of_thread => 1)$$,
    'what is at work does not wait');
SELECT is((SELECT count(*) FROM partyline.turn), 4::bigint,
    'who was refused left nothing');
DELETE FROM partyline.turn WHERE id = (SELECT max(id) FROM partyline.turn);
SELECT is(t.tell(1, 1, 0, '{turn.said,turn.said}'), '200 turn.said turn.said',
    'what it says is told');
SELECT is(t.tell(1, 1, 0, '{turn.said,turn.said}'), '200',
    'what was told is not told again');
SELECT is(t.tell(1, 1, 2, '{}'), '200', 'a sign of life');
SELECT is(t.tell(1, 2, 2, '{turn.said}'), '409', 'with the lease alone');

UPDATE partyline.turn SET leased_until = now() - interval '1 second'
WHERE id = 1;
SELECT is(t.claim(), '1/2', 'a lease that ran out is another one''s');
SELECT is(t.tell(1, 1, 2, '{turn.said}'), '409', 'who had it is refused');
SELECT is(t.tell(1, 2, 2, '{turn.ended}', true), '200 turn.ended',
    'it ends');
SELECT is(t.tell(1, 2, 2, '{turn.ended}', true), '409', 'once');
SELECT is(t.claim(10, 1), NULL, 'no more of a tenant than he may have');
SELECT is(t.claim(10, 2), '2/1', 'then comes the next');

SELECT is((SELECT count(*) FROM t.server('api.turn_cancel(t.ctx(1), 2)')
    WHERE status IS NULL), 1::bigint, 'what nobody wants is told to end');
SELECT is(t.tell(2, 1, 0, '{}'), '409', 'and whoever is at it is refused');
SELECT is((SELECT count(*) FROM t.server('api.turn_cancel(t.ctx(2), 3)')
    WHERE status IS NULL), 0::bigint, 'another tenant''s is not his');
SELECT t.ask('b');
SELECT is(t.expire(0), 'busy', 'who waits for too long is told');
SELECT is(t.expire(60000, 0), 'cancelled', 'who is silent is not waited for');

SELECT is((SELECT count(*) FROM partyline.turn), 0::bigint, 'none is left');

SELECT * FROM finish();
