-- SPDX-License-Identifier: MIT
--
-- Who is at a table: each coming and going told once, in any order of what
-- is said of it; those whose process is gone, and those who may not stay.

SELECT no_plan();

CREATE FUNCTION t.as_user(who bigint)
RETURNS api.ctx LANGUAGE sql AS $$
	SELECT ROW(1, 'login:h' || who, '', 'request', NULL, NULL,
	    '127.0.0.1')::api.ctx
$$;
-- Users 1 to 4, of whom 1 leads both sessions, 2 and 3 play, 4 is an admin.
CREATE FUNCTION t.works(calls text[], name text) RETURNS text LANGUAGE sql AS
$$ SELECT ok(bool_and(status IS NULL OR status < 300), name)
FROM unnest(calls) WITH ORDINALITY AS u (call, n),
    LATERAL (SELECT * FROM t.server(call) LIMIT 9) s $$;
SELECT t.works(array_agg(format('api.tabletop_user_insert(t.ctx(), %L, %L, '
    '%L)', 'user ' || n, 'proof', n = 4) ORDER BY n), 'four users')
FROM generate_series(1, 4) n;
SELECT t.works(array_agg(format('api.tabletop_login_insert(t.ctx(), %s, %L, '
    '%L)', n, 'proof', 'h' || n)), 'who have logged in')
FROM generate_series(1, 4) n;
SELECT t.works(array_fill('api.tabletop_session_create(t.as_user(1), ''Den'', '
    'NULL, NULL)'::text, '{2}'), 'two sessions');
SELECT t.works(array_agg(format('api.tabletop_member_add(t.as_user(1), %s, '
    '%s)', s, u)), 'with two who play')
FROM generate_series(1, 2) s, generate_series(2, 3) u;

CREATE FUNCTION t.join(who int, session int, socket text, visit int,
    process text DEFAULT '2.1', host text DEFAULT 'here')
RETURNS SETOF api.answer LANGUAGE sql AS $$
	SELECT a.* FROM t.server(format('api.tabletop_join(t.as_user(%s), '
	    '%s, %L, %s, NULL, %L, %L)', who, session, socket, visit, host,
	    process)) a
$$;
CREATE FUNCTION t.told(a api.answer) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', a.stream, (a.body::json->>'type'),
	    (a.body::json->'data'->>'socket'))
$$;
CREATE FUNCTION t.join_tells(who int, session int, socket text, visit int,
    wanted text) RETURNS text LANGUAGE sql AS $$
	SELECT is(string_agg(t.told(j), ', ') FILTER (WHERE status IS NULL),
	    wanted, format('%s joins %s, visit %s', socket, session, visit))
	FROM t.join(who, session, socket, visit) j
$$;
CREATE FUNCTION t.leave_tells(session int, socket text, visit int,
    wanted text) RETURNS text LANGUAGE sql AS $$
	SELECT is(string_agg(t.told(j), ', ') FILTER (WHERE status IS NULL),
	    wanted, format('%s leaves %s, visit %s', socket, session, visit))
	FROM t.server(format('api.tabletop_leave(t.ctx(), %s, %L, %s)',
	    session, socket, visit)) j
$$;

SELECT t.join_tells(1, 1, 'a', 1, 'table:1 user-joined a');
SELECT t.join_tells(1, 1, 'a', 1, NULL);
SELECT t.join_tells(1, 1, 'a', 2, 'table:1 user-left a, table:1 user-joined a');
SELECT t.join_tells(1, 2, 'a', 3, 'table:1 user-left a, table:2 user-joined a');
SELECT t.join_tells(1, 1, 'a', 4, 'table:1 user-joined a, table:2 user-left a');
SELECT t.join_tells(2, 1, 'b', 1, 'table:1 user-joined b');
SELECT is(body::jsonb->'present' @> '[{"userId":1,"name":"user 1",
    "socket":"a"}, {"userId":2,"name":"user 2","socket":"b"},
    {"userId":2,"name":"user 2","socket":"c"}]', true,
    'who comes is told who is there')
FROM t.join(2, 1, 'c', 1) WHERE status = 200;

SELECT t.leave_tells(2, 'a', 9, NULL);
SELECT t.leave_tells(1, 'a', 3, NULL);
SELECT t.leave_tells(1, 'a', 4, 'table:1 user-left a');
SELECT t.leave_tells(1, 'a', 4, NULL);

-- what the workers' deaths leave
CREATE FUNCTION t.swept(host text, alive text, judges boolean,
    most int DEFAULT 100)
RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(CASE WHEN s.status IS NULL THEN t.told(s)
	    ELSE s.body END, ', ')
	FROM t.fleet(format('api.work_tabletop_seats(%L, %L, %L, 10000, %s)',
	    host, alive, judges, most)) s
$$;
CREATE FUNCTION t.age(seconds int) RETURNS bigint LANGUAGE sql AS $$
	WITH older AS (UPDATE partyline.tabletop_seat
	    SET since = clock_timestamp() - seconds * interval '1 second'
	    RETURNING 1)
	SELECT count(*) FROM older
$$;
SELECT is(t.swept('here', '{1.1,2.1}', true), '{"rows":0}', 'all live');
SELECT is(t.swept('here', '{1.1}', true), '{"rows":0}',
    'it may have begun after these were counted');
SELECT ok(t.age(2) = 2, 'some time later');
SELECT is(t.swept('there', '{}', false), '{"rows":0}',
    'other hosts'' are not judged at once');
SELECT is(t.swept('there', '{}', true), '{"rows":0}', 'nor while young');
SELECT is(t.swept('here', '{1.1,2.2}', false, 1),
    'table:1 user-left b, {"rows":1}', 'a slot has another owner');
SELECT is(t.swept('here', '{1.1,2.2}', false),
    'table:1 user-left c, {"rows":1}', 'the next one');
SELECT is(t.swept('here', '{}', true), '{"rows":0}', 'each once');
SELECT is(count(*), 2::bigint, 'one more') FROM t.join(2, 1, 'd', 1);
SELECT is(count(*), 2::bigint, 'and one of another host')
FROM t.join(3, 2, 'e', 1, '2.1', 'far');
SELECT ok(t.age(20) = 2, 'long ago');
SELECT is(status, 200, 'a host') FROM unnest('{here,far}'::text[]) h,
    t.fleet(format('api.host_beat(%L, false)', h));
SELECT is(t.swept('far', '{2.1}', true), '{"rows":0}', 'a host that beats');
UPDATE partyline.host SET heartbeat = heartbeat - interval '11 s'
WHERE id = 'here';
SELECT is(t.swept('far', '{2.1}', false), '{"rows":0}', 'one that does not');
SELECT is(t.swept('far', '{2.1}', true), 'table:1 user-left d, {"rows":1}',
    'when it is judged');
DELETE FROM partyline.host;
SELECT is(t.swept('here', '{}', true), 'table:2 user-left e, {"rows":1}',
    'one that has stopped');

-- who may not stay
SELECT is(count(*), 2::bigint, 'there they are')
FROM generate_series(1, 4) n, t.join(n, 1, substr('abcd', n, 1), 9)
GROUP BY n;
CREATE FUNCTION t.tells(call text, wanted text) RETURNS text LANGUAGE sql
AS $$
	SELECT is(string_agg(t.told(s), ', ' ORDER BY s.seq)
	    FILTER (WHERE status IS NULL), wanted, call) FROM t.server(call) s
$$;
SELECT t.tells('api.tabletop_member_remove(t.as_user(1), 1, 2)',
    'table:1 member-removed, table:1 user-left b');
SELECT t.tells('api.tabletop_session_update(t.as_user(1), 1, NULL, NULL, '
    'NULL, 3)', 'table:1 session-updated, table:1 user-left a');
SELECT t.tells('api.tabletop_member_remove(t.as_user(3), 1, 3)',
    'table:1 member-removed');
SELECT is(array_agg(socket ORDER BY socket), '{c,d}',
    'who leads it and admins may')
FROM partyline.tabletop_seat;
SELECT is(count(*), 2::bigint, 'a session goes')
FROM t.server('api.tabletop_session_delete(t.as_user(4), 1)');
SELECT is(count(*), 0::bigint, 'with who is in it')
FROM partyline.tabletop_seat;

SELECT * FROM finish();
