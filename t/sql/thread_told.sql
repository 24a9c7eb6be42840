-- SPDX-License-Identifier: MIT
--
-- Where a socket begins in a thread's stream, and what waits for it.

SELECT plan(16);

-- From where, and how much waits.
CREATE FUNCTION t.enter(me text, sid text, alive text[], most int DEFAULT 50)
RETURNS text LANGUAGE sql AS $$
	SELECT a.seq || ' ' || (a.body::json->>'waiting') || ' '
	    || (a.body::json->>'dropped') FROM t.server(format(
	    'api.thread_enter(t.ctx(1), ''a'', %L, %L, %L, %s)', me, sid,
	    alive, most)) a
$$;
CREATE FUNCTION t.told(seq bigint, sid text DEFAULT '')
RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM t.server(format('api.thread_told(t.ctx(1), '
	    '''thread:1'', %L, %s, %L)', (SELECT epoch FROM partyline.stream
	    WHERE name = 'thread:1' AND tenant_id = 1), seq, sid))
$$;
CREATE FUNCTION t.emit_all(many int, type text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(t.ctx(1));
	FOR n IN 1 .. many LOOP
		RETURN NEXT api.emit(t.ctx(1), 'thread:1', type, '{}');
	END LOOP;
END
$$;
CREATE FUNCTION t.emit(many int, type text DEFAULT 'analysis_update')
RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM t.server(format('t.emit_all(%s, %L)', many,
	    type))
$$;

SELECT is(t.enter('h 1.1', 'x', '{h 1.1}'), '0 0 0', 'a new thread');
SELECT is(t.emit(3), 3::bigint, 'three messages');
SELECT is(t.emit(1, 'turn.ended'), 1::bigint, 'and what is for nobody');
SELECT is(t.enter('h 1.1', 'x', '{h 1.1,h 2.1}'), '0 3 0', 'they wait');
SELECT is(t.enter('h 2.1', 'y', '{h 1.1,h 2.1}'), '4 0 0',
    'for one alone');
SELECT is(t.enter('i 1.1', 'y', '{i 1.1}'), '4 0 0', 'of all hosts');
SELECT is(t.enter('h 2.1', 'y', '{h 2.1}'), '0 3 0',
    'unless his process is gone');
SELECT is(t.told(1), 1::bigint, 'the first was told');
SELECT is(t.enter('h 1.2', 'z', '{h 1.2}'), '1 2 0', 'two wait');
SELECT is(t.told(1, 'z'), 1::bigint, 'who leaves lets them go');
SELECT is(t.enter('h 2.1', 'y', '{h 1.2,h 2.1}'), '1 2 0',
    'the next one has them');
SELECT is(t.told(4, 'y'), 1::bigint, 'all was told');
SELECT is(t.emit(5), 5::bigint, 'five more');
SELECT is(t.enter('h 2.1', 'y', '{h 2.1}', 2), '7 2 3',
    'the oldest are dropped');
SELECT is((SELECT dropped FROM partyline.thread), 3::bigint, 'and counted');
SELECT is((SELECT body::jsonb FROM t.server('api.thread_waiting(t.ctx(1), '
    '10)')), '{"a":2}'::jsonb, 'what waits, for whoever looks');
