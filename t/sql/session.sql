-- SPDX-License-Identifier: MIT
--
-- Sessions: shapes, refusals, one active, what they emit.

SELECT plan(63);

CREATE FUNCTION t.times(body text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(body,
	    '"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', '"T"', 'g')
$$;
SELECT is((t.fleet($$api.tenant_add(t.ctx(NULL), 'other')$$)).status, 201,
    'another tenant') LIMIT 1;

-- none
SELECT is(body, '{"session":null,"message":"No active session"}',
    'no active one') FROM t.server('api.session_active(t.ctx())');
SELECT is(body, '[]', 'an empty list')
FROM t.server($$api.session_list(t.ctx(), 'default', NULL, 0)$$);
SELECT is(headers, '{"X-Total-Count":"0","X-Absolute-Total":"0"}', 'counted')
FROM t.server($$api.session_list(t.ctx(), 'default', NULL, 0)$$);
SELECT throws_ok($$SELECT t.server('api.session_get(t.ctx(), 1)')$$,
    'PT404', 'session_not_found', 'get refuses');
SELECT throws_ok($$SELECT t.server('api.session_close(t.ctx(), 1, NULL)')$$,
    'PT404', 'session_not_found', 'close refuses');
SELECT throws_ok($$SELECT t.server('api.session_delete(t.ctx(), 1)')$$,
    'PT404', 'session_not_found', 'delete refuses');
SELECT throws_ok($$SELECT t.server('api.session_archive(t.ctx(), 1)')$$,
    'PT404', 'session_not_found', 'archive refuses');
SELECT throws_ok($$SELECT t.server('api.session_unarchive(t.ctx(), 1)')$$,
    'PT404', 'session_not_found', 'unarchive refuses');

-- created
CREATE TEMP TABLE made AS SELECT row_number() OVER () AS n, a.*
FROM t.server($$api.session_create(t.ctx(), E'Fri"day\n')$$) a;
SELECT is(count(*), 2::bigint, 'an answer and an event') FROM made;
SELECT is(status, 201, 'created') FROM made WHERE n = 1;
SELECT is(t.times(body), '{"id":1,"notes":"Fri\"day\n","is_active":1,'
    '"created_at":"T","closed_at":null}', 'its shape') FROM made WHERE n = 1;
SELECT is(status, NULL, 'an event has no status') FROM made WHERE n = 2;
SELECT is(stream, 'lobby', 'it is in the lobby') FROM made WHERE n = 2;
SELECT is(seq, 1::bigint, 'its first') FROM made WHERE n = 2;
SELECT is(t.times(body), '{"type":"session.started","stream":"lobby",'
    '"seq":1,"timestamp":"T","data":{"session":{"id":1,"is_active":1,'
    '"created_at":"T","notes":"Fri\"day\n"}}}', 'the envelope')
FROM made WHERE n = 2;
SELECT is(e.payload, made.body, 'is what is stored')
FROM made, partyline.event e
WHERE n = 2 AND e.tenant_id = 1 AND e.stream = 'lobby' AND e.seq = 1;
SELECT is(e.request_id, 'request', 'with the id of its request')
FROM partyline.event e WHERE e.tenant_id = 1 AND e.stream = 'lobby';
SELECT is(s.created_text, to_char(s.created_at AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'text and time are the same')
FROM partyline.session s;
SELECT is(head::bigint, 0::bigint, 'it has a stream of its own')
FROM partyline.stream WHERE tenant_id = 1 AND name = 'session:1';
SELECT is(t.times(body), '{"id":1,"notes":"Fri\"day\n","is_active":1,'
    '"created_at":"T","closed_at":null,"games_played":0}', 'get')
FROM t.server('api.session_get(t.ctx(), 1)');
SELECT is(a.body, g.body, 'active is the same')
FROM t.server('api.session_active(t.ctx())') a,
    t.server('api.session_get(t.ctx(), 1)') g;

-- one active
SELECT throws_ok($$SELECT t.server('api.session_create(t.ctx(), NULL)')$$,
    'PT400', 'active_session_exists', 'one at a time');
SELECT is(t.detail('api.session_create(t.ctx(), NULL)'),
    '{"activeSessionId":1}', 'it is named');
SELECT is(last, 1::bigint, 'a refusal takes no number')
FROM partyline.counter WHERE tenant_id = 1 AND noun = 'session';
SELECT throws_ok($$INSERT INTO partyline.session
    (tenant_id, id, created_at, created_text) VALUES (1, 9, now(), '')$$,
    '23505', 'duplicate key value violates unique constraint '
    '"active_session_exists"', 'the index holds it');
SELECT throws_ok($$UPDATE partyline.session SET archived = true$$, '23514',
    NULL, 'an active one is never archived');
SELECT throws_ok($$UPDATE partyline.session SET is_active = false$$, '23514',
    NULL, 'a closed one has its time');
SELECT throws_ok($$SELECT t.server('api.session_delete(t.ctx(), 1)')$$,
    'PT400', 'session_delete_active', 'an active one is not deleted');
SELECT throws_ok($$SELECT t.server('api.session_archive(t.ctx(), 1)')$$,
    'PT400', 'session_archive_active', 'nor archived');

-- the other tenant
SELECT is(body, '{"session":null,"message":"No active session"}',
    'another tenant knows nothing of it')
FROM t.server('api.session_active(t.ctx(2))');
SELECT is(body::json->>'id', '1', 'and counts for itself')
FROM t.server('api.session_create(t.ctx(2), NULL)') WHERE status = 201;

-- closed
CREATE TEMP TABLE closed AS SELECT row_number() OVER () AS n, a.*
FROM t.server($$api.session_close(t.ctx(), 1, 'Great')$$) a;
SELECT is(status, 200, 'closed') FROM closed WHERE n = 1;
SELECT is(t.times(body), '{"id":1,"notes":"Great","is_active":0,'
    '"created_at":"T","closed_at":"T","games_played":0}', 'its shape')
FROM closed WHERE n = 1;
SELECT is(t.times(body), '{"type":"session.ended","stream":"session:1",'
    '"seq":1,"timestamp":"T","data":{"session":{"id":1,"is_active":0,'
    '"games_played":0}}}', 'the envelope') FROM closed WHERE n = 2;
SELECT throws_ok($$SELECT t.server('api.session_close(t.ctx(), 1, NULL)')$$,
    'PT400', 'session_closed', 'once');
SELECT is(body::json->>'id', '2', 'now there may be another')
FROM t.server('api.session_create(t.ctx(), NULL)') WHERE status = 201;
SELECT is(body::json->>'notes', NULL, 'without notes')
FROM t.server('api.session_close(t.ctx(), 2, NULL)') WHERE status = 200;

-- archive
SELECT is(body, '{"success":true}', 'archived')
FROM t.server('api.session_archive(t.ctx(), 1)');
SELECT is(body::json->>'archived', '1', 'get says so')
FROM t.server('api.session_get(t.ctx(), 1)');
SELECT is(body::json->>'id', '3', 'a third')
FROM t.server('api.session_create(t.ctx(), NULL)') WHERE status = 201;
CREATE FUNCTION t.list(wanted text, most text, skipped int)
RETURNS text LANGUAGE sql AS $$
	SELECT (SELECT string_agg(o->>'id', ' ')
	    FROM json_array_elements(body::json) o) || '|' || headers
	FROM t.server(format('api.session_list(t.ctx(), %L, %s, %s)', wanted,
	    most, skipped))
$$;
SELECT is(t.list('default', 'NULL', 0),
    '3 2|{"X-Total-Count":"2","X-Absolute-Total":"3"}', 'not by default');
SELECT is(t.list('all', 'NULL', 0),
    '3 2 1|{"X-Total-Count":"3","X-Absolute-Total":"3"}', 'all');
SELECT is(t.list('archived', 'NULL', 0),
    '1|{"X-Total-Count":"1","X-Absolute-Total":"3"}', 'archived');
SELECT is(t.list('all', '1', 1), '2|{"X-Total-Count":"3",'
    '"X-Absolute-Total":"3","X-Prev-Last-Date":"' || created_text || '"}',
    'a page, and where the one before ended')
FROM partyline.session WHERE tenant_id = 1 AND id = 3;
SELECT is(t.list('all', '1', -5),
    '3|{"X-Total-Count":"3","X-Absolute-Total":"3"}', 'before the start');
SELECT is(body, '[]', 'past the end')
FROM t.server($$api.session_list(t.ctx(), 'all', 5, 9)$$);
SELECT is(t.times((body::json->1)::text), '{"id":2,"notes":null,'
    '"is_active":0,"created_at":"T","closed_at":"T","games_played":0}',
    'an element') FROM t.server(
    $$api.session_list(t.ctx(), 'default', NULL, 0)$$);
SELECT is(body, '{"success":true}', 'unarchived')
FROM t.server('api.session_unarchive(t.ctx(), 1)');
SELECT is(body::json->>'archived', NULL, 'get says nothing of it')
FROM t.server('api.session_get(t.ctx(), 1)');

-- bulk
SELECT throws_ok($$SELECT t.server(
    'api.session_bulk(t.ctx(), ''archive'', ''{1,7,8}'')')$$, 'PT404',
    'session_not_found', 'bulk: all or none');
SELECT is(t.detail('api.session_bulk(t.ctx(), ''archive'', ''{8,1,7}'')'),
    '{"missingIds":[7,8]}', 'the missing are named');
SELECT throws_ok($$SELECT t.server(
    'api.session_bulk(t.ctx(), ''archive'', ''{1,3}'')')$$, 'PT400',
    'session_archive_active', 'bulk archives no active one');
SELECT throws_ok($$SELECT t.server(
    'api.session_bulk(t.ctx(), ''delete'', ''{1,3}'')')$$, 'PT400',
    'session_delete_active', 'nor deletes it');
SELECT is(t.detail('api.session_bulk(t.ctx(), ''delete'', ''{1,3}'')'),
    '{"activeIds":[3]}', 'the active are named');
SELECT is(body, '{"success":true,"affected":2}', 'bulk archives')
FROM t.server('api.session_bulk(t.ctx(), ''archive'', ''{2,1,2}'')');
SELECT is(count(*), 2::bigint, 'both')
FROM partyline.session WHERE tenant_id = 1 AND archived;
SELECT is(body, '{"success":true,"affected":3}', 'bulk unarchives any')
FROM t.server('api.session_bulk(t.ctx(), ''unarchive'', ''{1,2,3}'')');

-- deleted
SELECT is(array_agg(body ORDER BY body), ARRAY[
    '{"message":"Session deleted successfully","sessionId":1}',
    '{"type":"session.deleted","stream":"control","seq":2,"timestamp":"T",'
    '"data":{"tenant":1,"stream":"session:1"}}'], 'deleted, and told')
FROM (SELECT t.times(body) AS body
    FROM t.server('api.session_delete(t.ctx(), 1)')) a;
SELECT is_empty($$SELECT FROM partyline.stream
    WHERE tenant_id = 1 AND name = 'session:1'$$, 'its stream is gone');
SELECT is_empty($$SELECT FROM partyline.event
    WHERE tenant_id = 1 AND stream = 'session:1'$$, 'and its events');
SELECT is(count(*), 2::bigint, 'bulk deletes and tells')
FROM t.server('api.session_bulk(t.ctx(), ''delete'', ''{2}'')');
SELECT is(t.list('all', 'NULL', 0),
    '3|{"X-Total-Count":"1","X-Absolute-Total":"1"}', 'one is left');

SELECT * FROM finish();
