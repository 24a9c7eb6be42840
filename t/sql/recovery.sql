-- SPDX-License-Identifier: MIT
--
-- Sockets that can be recovered: where they begin, who may take them, from
-- where on, and until when.

SELECT plan(37);

CREATE FUNCTION t.keep(hash text, claim int, rooms text)
RETURNS json LANGUAGE sql AS $$
	SELECT body::json FROM t.server(format('api.recovery_keep(t.ctx(1), '
	    '%L, ''/live'', ''sid'', ''h 1.1'', %s, 60000, %L, ''"d"'')',
	    hash, claim, rooms))
$$;
CREATE FUNCTION t.take(hash text, places text, nsp text DEFAULT '/live',
    tenant int DEFAULT 1)
RETURNS json LANGUAGE sql AS $$
	SELECT body::json FROM t.server(format('api.recovery_take(t.ctx(%s), '
	    '%L, %L, ''h 2.1'', 60000, %L)', tenant, hash, nsp, places))
$$;
CREATE FUNCTION t.leave(hash text, claim int, life text)
RETURNS int LANGUAGE sql AS $$
	SELECT status FROM t.server(format('api.recovery_leave(t.ctx(1), '
	    '%L, %s, %s)', hash, claim, life))
$$;
CREATE FUNCTION t.at(nth int, epoch text, seq bigint)
RETURNS text LANGUAGE sql AS $$
	SELECT json_build_array(json_build_object('nth', nth, 'epoch', epoch,
	    'seq', seq))::text
$$;
CREATE FUNCTION t.is_back(hash text, places text, nsp text DEFAULT '/live',
    tenant int DEFAULT 1)
RETURNS boolean LANGUAGE sql AS $$
	SELECT (t.take(hash, places, nsp, tenant)->>'recovered')::boolean
$$;

UPDATE partyline.stream SET head = 8, lowest = 4
WHERE tenant_id = 1 AND name = 'lobby';
SELECT epoch AS epoch FROM partyline.stream
WHERE tenant_id = 1 AND name = 'lobby' \gset

-- Where it begins.
SELECT is(t.keep('a', 1, '[{"nth":0,"stream":"lobby"}]')->'rooms'->0->>'seq',
    '8', 'at the head where nothing else is said');
SELECT is(t.keep('a', 1, '[{"nth":0,"stream":"lobby","seq":5}]')->'rooms'
    ->0->>'epoch', :'epoch', 'a bare number is of this epoch');
SELECT is(t.keep('a', 1, '[{"nth":0,"stream":"lobby","epoch":"x","seq":9}]')
    ->'rooms'->0->>'epoch', 'x', 'a pair is what it is');
SELECT is(json_array_length(t.keep('a', 1, '[{"nth":1,"stream":"session:9"}]')
    ->'rooms'), 0, 'what is no stream is left out');
SELECT is(t.keep('a', 2, '[]')->>'kept', 'false', 'by another claim: no');
SELECT is(count(*), 1::bigint, 'its process is known')
FROM partyline.recovery_holder WHERE name = 'h 1.1';

-- From where on.
SELECT is(t.keep('a', 1, '[{"nth":0,"stream":"lobby","seq":5}]')->>'kept',
    'true', 'kept again');
SELECT is(t.take('a', NULL)->'rooms'->0->>'seq', '5', 'without an offset');
SELECT is(t.take('a', t.at(0, :'epoch', 7))->'rooms'->0->>'seq', '7',
    'with one');
SELECT is(t.take('a', t.at(3, :'epoch', 7))->'rooms'->0->>'seq', '5',
    'with one of another room');
SELECT is((t.take('a', '[]')->>'claim')::int, 5, 'each taking is a claim');
SELECT is(t.take('a', '[]')->>'data', '"d"', 'its data is there');
SELECT is(holder, 'h 2.1', 'and who has it')
FROM partyline.recovery WHERE hash = 'a';
SELECT ok(until > now(), 'until it keeps it')
FROM partyline.recovery WHERE hash = 'a';
SELECT is(t.keep('a', 1, '[]')->>'kept', 'false', 'who had it has not');
SELECT is(t.keep('a', 6, '[{"nth":0,"stream":"lobby","seq":5}]')->>'kept',
    'true', 'who has it keeps it');
SELECT ok(until IS NULL, 'for good')
FROM partyline.recovery WHERE hash = 'a';

-- Who may not.
SELECT is(t.is_back('b', NULL), false, 'an unknown one');
SELECT is(t.is_back('a', NULL, '/'), false, 'another namespace');
SELECT is(t.is_back('a', NULL, '/live', 2), false, 'another tenant');
SELECT is(body, '{"recovered":false}', 'another caller') FROM
    t.server('api.recovery_take(t.ctx(1, NULL, NULL, ''admin:2''), ''a'', '
    '''/live'', ''h 2.1'', 60000, NULL)');
SELECT is(count(*), 1::bigint, 'it is still there')
FROM partyline.recovery WHERE hash = 'a';
SELECT is(t.is_back('a', t.at(0, :'epoch', 3)), true, 'the lowest that can');
SELECT is(t.is_back('a', t.at(0, :'epoch', 2)), false, 'too old a number');
SELECT is(count(*), 0::bigint, 'what cannot be taken is gone')
FROM partyline.recovery WHERE hash = 'a';
SELECT is((t.keep('c', 1, '[{"nth":0,"stream":"lobby"}]')->>'kept')
    || t.is_back('c', t.at(0, :'epoch', 9)), 'truefalse', 'above the head');
SELECT is((t.keep('c', 1, '[{"nth":0,"stream":"lobby"}]')->>'kept')
    || t.is_back('c', t.at(0, 'x', 8)), 'truefalse', 'another epoch');

-- Until when.
SELECT is((t.keep('d', 1, '[]')->>'kept') || t.leave('d', 2, '1'), 'true200',
    'by another claim');
SELECT ok(until IS NULL, 'nobody leaves')
FROM partyline.recovery WHERE hash = 'd';
SELECT is(t.leave('d', 1, '-1000') || ' ' || t.is_back('d', NULL),
    '200 false', 'too late');
SELECT is((t.keep('e', 1, '[]')->>'kept') || t.leave('e', 1, 'NULL'),
    'true200', 'who goes for good');
SELECT is(count(*), 0::bigint, 'is gone')
FROM partyline.recovery WHERE hash = 'e';
UPDATE partyline.recovery_holder SET until = now() - interval '1 second';
SELECT is((t.keep('f', 1, '[]')->>'kept') || t.is_back('f', NULL),
    'truefalse', 'of a process that is silent');
SELECT is(t.keep('g', 1, '[]')->>'kept', 'true', 'and one that waits');
SELECT is(status, 200, 'another one lives')
FROM t.fleet('api.recovery_beat(''i 1.1'', 60000)');
SELECT is(count(*), 1::bigint, 'is removed') FROM
    t.fleet('api.expire(100)') WHERE body::int >= 2;
SELECT is((SELECT count(*) FROM partyline.recovery) || ' ' || (SELECT
    string_agg(name, ',') FROM partyline.recovery_holder), '0 i 1.1',
    'with its process, but not others');
