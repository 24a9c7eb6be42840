-- SPDX-License-Identifier: MIT
--
-- Streams: numbers, READ, STATE, epochs, trimming, sweeps, control.

SELECT plan(45);

CREATE FUNCTION t.emit(stream text, data text DEFAULT '{}', tenant int
    DEFAULT 1) RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(t.ctx(tenant));
	RETURN NEXT api.emit(t.ctx(tenant), stream, 'some.event', data);
END
$$;
CREATE FUNCTION t.read(stream text, first bigint, most int DEFAULT 100)
RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce('head ' || status || ' ' || body || ' ' || seq,
	    seq::text || body), ' ')
	FROM (SELECT * FROM t.server(format('api.stream_read(t.ctx(), %L, %s, %s)',
	    stream, first, most))) a
$$;
SELECT is(count(*), 2::bigint, 'a session')
FROM t.server('api.session_create(t.ctx(), NULL)');

-- emit
SELECT is(seq, 1::bigint, 'numbers begin with 1')
FROM t.server($$t.emit('session:1')$$);
SELECT is(seq, 2::bigint, 'and go on')
FROM t.server($$t.emit('session:1', '{"a":"ü"}')$$);
SELECT matches(body, '^{"type":"some\.event","stream":"session:1","seq":3,'
    '"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","data":{"b":1}}$',
    'the envelope') FROM t.server($$t.emit('session:1', '{"b":1}')$$);
SELECT throws_ok($$SELECT t.server('t.emit(''session:9'')')$$, 'PT500',
    'internal', 'it makes no stream');
SELECT throws_ok($$SELECT t.server('t.emit(''session:1'', ''{}'', 77)')$$,
    'PT500', 'internal', 'and there is none in another tenant');
CREATE FUNCTION t.fail() RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	RAISE 'number %', (SELECT seq FROM t.emit('session:1'));
END
$$;
SELECT throws_ok($$SELECT t.server('t.fail()')$$, 'P0001', 'number 4',
    'one that is rolled back');
SELECT is(seq, 4::bigint, 'was never taken')
FROM t.server($$t.emit('session:1')$$);
SELECT is(array_agg(seq ORDER BY seq), '{1,2,3,4}', 'no gap')
FROM partyline.event WHERE stream = 'session:1';
SELECT throws_ok($$INSERT INTO partyline.event SELECT * FROM partyline.event$$,
    '23505', NULL, 'no number twice');
SELECT throws_ok($$UPDATE partyline.stream SET head = -1$$, '23514', NULL,
    'no head below 0');
SELECT throws_ok($$UPDATE partyline.stream SET lowest = head + 2$$, '23514',
    NULL, 'no lowest beyond the head');
SELECT is(api.iso('2025-01-02 03:04:05+00'), '2025-01-02T03:04:05.000Z',
    'times have all digits');
SELECT is(api.iso('2025-01-02 03:04:05.120+01'), '2025-01-02T02:04:05.120Z',
    'in UTC');

-- READ
SELECT is_empty($$SELECT * FROM t.server(
    'api.stream_read(t.ctx(), ''nothing'', 1, 9)')$$, 'no stream, no row');
SELECT is_empty($$SELECT * FROM t.server(
    'api.stream_read(t.ctx(2), ''session:1'', 1, 9)')$$,
    'nor for another tenant');
SELECT is(t.read('session:1', 5), 'head 200 1 4', 'nothing above the head');
SELECT is(t.read('session:1', 1, 0), 'head 200 1 4', 'nothing asked for');
SELECT matches(t.read('session:1', 3), '^head 200 1 4 3{.*} 4{.*}$', 'a page');
SELECT matches(t.read('session:1', 2, 1), '^head 200 1 4 2{[^}]*}}$',
    'a short one');
SELECT is(epochs, 1::bigint, 'all of one epoch')
FROM (SELECT count(DISTINCT epoch) AS epochs
    FROM t.server($$api.stream_read(t.ctx(), 'session:1', 1, 9)$$)) a;
SELECT is(provolatile::text, 's', 'READ is one snapshot')
FROM pg_proc WHERE oid = 'api.stream_read'::regproc;

-- trimming
SELECT is(body, '3', 'the first two are forgotten')
FROM t.server($$api.stream_trim(t.ctx(), 'session:1', 3)$$);
SELECT matches(t.read('session:1', 1), '^head 200 3 4 3{.*} 4{.*}$',
    'READ says so');
SELECT is(body, '3', 'the lowest never falls')
FROM t.server($$api.stream_trim(t.ctx(), 'session:1', 1)$$);
SELECT is(body, '5', 'nor passes the head')
FROM t.server($$api.stream_trim(t.ctx(), 'session:1', 99)$$);
SELECT is(t.read('session:1', 1), 'head 200 5 4', 'none is held');
SELECT is(seq, 5::bigint, 'the numbers go on')
FROM t.server($$t.emit('session:1')$$);

-- STATE
SELECT is_empty($$SELECT * FROM t.server(
    'api.stream_state(t.ctx(), ''nothing'', NULL, 0)')$$,
    'no stream, no state');
CREATE TEMP TABLE state AS
SELECT * FROM t.server($$api.stream_state(t.ctx(), 'session:1', NULL, 0)$$);
SELECT is(state.body, '{"from":5,"state":' || g.body || '}',
    'the session as GET gives it')
FROM state, t.server('api.session_get(t.ctx(), 1)') g;
SELECT is(seq, 5::bigint, 'at the head') FROM state;
SELECT is(a.body, '{"from":1,"state":' || g.body || '}',
    'the lobby''s is the active session')
FROM t.server($$api.stream_state(t.ctx(), 'lobby', NULL, 0)$$) a,
    t.server('api.session_active(t.ctx())') g;
SELECT is(a.epoch, state.epoch, 'a head that is high enough: same epoch')
FROM state, t.server(format('api.stream_state(t.ctx(), %L, %L, 5)',
    'session:1', state.epoch)) a;
SELECT is(a.epoch, state.epoch, 'another epoch known: no renewal')
FROM state, t.server($$api.stream_state(t.ctx(), 'session:1', 'x', 99)$$) a;
SELECT isnt(a.epoch, state.epoch, 'a head that was put back: a new epoch')
FROM state, t.server(format('api.stream_state(t.ctx(), %L, %L, 6)',
    'session:1', state.epoch)) a;
SELECT isnt(s.epoch, state.epoch, 'and it stays')
FROM state, partyline.stream s WHERE s.name = 'session:1';
SELECT matches(epoch, '^[0-9a-f]{12}$', 'epochs are short')
FROM partyline.stream WHERE name = 'session:1';

-- sweeps
SELECT is(array_agg(element || stream || seq ORDER BY element),
    '{0lobby1,3session:15,4control0}', 'heads by place; none for the missing')
FROM t.fleet($$api.stream_heads('{1,1,2,1,0}',
    '{lobby,nothing,session:1,session:1,control}')$$);
SELECT is(count(*), 0::bigint, 'the server sees none without a tenant')
FROM t.server($$api.stream_heads('{1}', '{lobby}')$$);

-- control
CREATE FUNCTION t.tell() RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(t.ctx());
	RETURN NEXT api.emit_control(t.ctx(), 'some.event', '{}');
	RETURN NEXT api.emit(t.ctx(), 'lobby', 'some.event', '{}');
END
$$;
SELECT is(array_agg(stream || seq), '{control1,lobby2}',
    'the tenant is back after control')
FROM t.server('t.tell()');
SELECT is(tenant_id, 0, 'control is tenant 0''s')
FROM partyline.event WHERE stream = 'control';
SELECT is(count(*), 1::bigint, 'a host says that it lives')
FROM t.fleet($$api.host_beat('one', true)$$);
SELECT matches(a.body, '^{"lowest":1,"hosts":\[{"id":"one","degraded":true,'
    '"age_ms":\d+}\]}$', 'whoever reads control learns it')
FROM t.server('api.control_read(1, 10)') a WHERE status = 200;
SELECT is(count(*), 2::bigint, 'and its events')
FROM t.server('api.control_read(1, 10)');
SELECT is(a.body, '{"lowest":1,"hosts":[]}', 'until it leaves')
FROM t.fleet($$api.host_leave('one')$$) b,
    t.server('api.control_read(2, 1)') a;

SELECT * FROM finish();
