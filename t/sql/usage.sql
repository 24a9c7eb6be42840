-- SPDX-License-Identifier: MIT
--
-- What tenants take: each stream knows its bytes, whatever happens to it.

SELECT plan(22);

CREATE FUNCTION t.usage(ids int[]) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(body ORDER BY element) FROM t.fleet(format(
	    'api.tenant_usage(%L)', ids))
$$;
CREATE FUNCTION t.emit(stream text, data text, tenant int DEFAULT 1)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(t.ctx(tenant));
	RETURN NEXT api.emit(t.ctx(tenant), stream, 'some.event', data);
END
$$;
-- Streams that do not take what they say.
CREATE VIEW t.wrong AS
SELECT s.tenant_id, s.name FROM partyline.stream s
WHERE s.bytes <> coalesce((SELECT sum(octet_length(e.payload))
	FROM partyline.event e
	WHERE e.tenant_id = s.tenant_id AND e.stream = s.name), 0)
    + coalesce((SELECT octet_length(n.notes) FROM partyline.session n
	WHERE n.tenant_id = s.tenant_id AND s.name = 'session:' || n.id), 0);
CREATE FUNCTION t.bytes(wanted text) RETURNS bigint LANGUAGE sql AS $$
	SELECT bytes FROM partyline.stream WHERE tenant_id = 1 AND name = wanted
$$;

SELECT is(t.usage('{1}'), '{0}', 'nothing is nothing');
SELECT is((t.fleet($$api.tenant_add(t.ctx(NULL), 'other')$$)).status, 201,
    'another tenant') LIMIT 1;
SELECT is(count(*), 2::bigint, 'a session with notes of eight bytes')
FROM t.server('api.session_create(t.ctx(), ''Spiel: ü'')');
SELECT is(t.bytes('session:1'), 9::bigint, 'and one more in UTF-8');
SELECT is_empty('SELECT * FROM t.wrong', 'so far');
SELECT is(count(*), 1::bigint, 'an event')
FROM t.server($$t.emit('session:1', '{"a":"ü"}')$$);
SELECT is_empty('SELECT * FROM t.wrong', 'is counted');
SELECT is(count(*), 12::bigint, 'more, across the tenth')
FROM generate_series(1, 12) n, t.server(format('t.emit(%L, %L)',
    'session:1', '{"n":' || n || '}'));
SELECT is_empty('SELECT * FROM t.wrong', 'all are');
SELECT is(count(*), 4::bigint, 'a batch of two')
FROM t.server($$api.session_event_create(t.ctx(), '{NULL,NULL}', '{r,s}',
    '{NULL,NULL}', '{h,h}', '{1,1}', '{game.note,game.note}',
    '{"{\"a\":\"ü\"}","{}"}')$$);
SELECT is_empty('SELECT * FROM t.wrong', 'is counted too');
SELECT is(count(*), 2::bigint, 'closed with other notes')
FROM t.server('api.session_close(t.ctx(), 1, ''short'')');
SELECT is_empty('SELECT * FROM t.wrong', 'the old ones are gone');
SELECT is(body, '8', 'the first seven are forgotten')
FROM t.server($$api.stream_trim(t.ctx(), 'session:1', 8)$$);
SELECT is_empty('SELECT * FROM t.wrong', 'and take nothing more');
SELECT is(t.usage('{2,1,77}'), ARRAY['0', (SELECT sum(bytes)::text
    FROM partyline.stream WHERE tenant_id = 1), '0'],
    'a tenant takes what his streams take, by place');
SELECT cmp_ok((t.usage('{1}'))[1]::bigint, '>', t.bytes('session:1'),
    'of which the session is one');
SELECT is(count(*), 2::bigint, 'it is removed')
FROM t.server('api.session_delete(t.ctx(), 1)');
SELECT is(t.usage('{1}'), ARRAY[t.bytes('lobby')::text],
    'and takes nothing more');
SELECT is_empty('SELECT * FROM t.wrong', 'nor is control forgotten');
SELECT throws_ok($$UPDATE partyline.stream SET bytes = -1$$, '23514', NULL,
    'never less than nothing');
SELECT is(array_agg(body), '{0}', 'the server sees nobody''s')
FROM t.server($$api.tenant_usage('{1}')$$);

SELECT * FROM finish();
