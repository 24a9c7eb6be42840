-- SPDX-License-Identifier: MIT
--
-- Chat that is brought in: what votes for what, each line once, totals.

SELECT plan(30);

DELETE FROM partyline.pack;
INSERT INTO partyline.pack (tenant_id, id, name, created_at, created_text)
VALUES (1, 1, 'Pack', now(), '');
INSERT INTO partyline.game (tenant_id, id, pack_name, title, min_players,
    max_players, created_at, created_text)
SELECT 1, n, 'Pack', 'Game "' || n || '"', 1, 8, now(), ''
FROM generate_series(1, 3) n;

CREATE FUNCTION t.at(second numeric) RETURNS text LANGUAGE sql AS $$
	SELECT api.iso('2026-03-15T20:00:00Z'::timestamptz
	    + second * interval '1 second')
$$;
-- {name, message, second} each.
CREATE FUNCTION t.chat(session bigint, lines text[], key text DEFAULT NULL,
    hash text DEFAULT NULL) RETURNS SETOF api.answer LANGUAGE sql AS $$
	SELECT * FROM t.server(format('api.session_chat_import('
	    't.ctx(1, %L, %L), %s, %L)', key, hash, session,
	    (SELECT coalesce(json_agg(json_build_object('username', lines[n][1],
		'message', lines[n][2], 'timestamp', lines[n][3] || 's',
		'moment', t.at(lines[n][3]::numeric)) ORDER BY n), '[]')
		FROM generate_subscripts(lines, 1) n)))
$$;
CREATE FUNCTION t.totals() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(g.upvotes || '-' || g.downvotes, ' ' ORDER BY g.id)
	FROM partyline.game g WHERE g.tenant_id = 1
$$;
CREATE FUNCTION t.counted() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(
	    (SELECT count(*) FROM partyline.chat_log c
		WHERE c.game_id = g.id AND c.vote = 1) || '-' ||
	    (SELECT count(*) FROM partyline.chat_log c
		WHERE c.game_id = g.id AND c.vote = -1), ' ' ORDER BY g.id)
	FROM partyline.game g WHERE g.tenant_id = 1
$$;

SELECT throws_ok($$SELECT t.chat(1, '{}')$$, 'PT404', 'session_not_found',
    'no session');
SELECT is(count(*), 1::bigint, 'a session')
FROM t.server('api.session_create(t.ctx(), NULL)') WHERE status = 201;
SELECT throws_ok($$SELECT t.chat(1, '{}')$$, 'PT400', 'chat_without_games',
    'no game in it');
INSERT INTO partyline.session_game (tenant_id, id, session_id, game_id,
    played_at, played_text, source, status)
SELECT 1, n, 1, n, t.at(10 * n)::timestamptz, t.at(10 * n), 'dice', 'played'
FROM generate_series(1, 2) n;
SELECT is(body, '{"message":"Chat log imported and processed successfully",'
    '"messagesImported":0,"duplicatesSkipped":0,"votesProcessed":0,'
    '"votesByGame":{}}', 'nothing said') FROM t.chat(1, '{}');
SELECT is(count(*), 2::bigint, 'closed')
FROM t.server('api.session_close(t.ctx(), 1, NULL)');

-- what votes
SELECT is(api.chat_vote(message)::int, vote, message)
FROM (VALUES ('thisgame++', 1), ('well: ThisGame++!', 1),
    ('THISGAME--', -1), ('thisgame-- no, thisgame++', 1), ('this game++', NULL),
    ('thisgame+', NULL), ('', NULL)) v (message, vote);

-- brought in
SELECT is(body, '{"message":"Chat log imported and processed successfully",'
    '"messagesImported":7,"duplicatesSkipped":2,"votesProcessed":4,'
    '"votesByGame":{"1":{"title":"Game \"1\"","upvotes":1,"downvotes":1},'
    '"2":{"title":"Game \"2\"","upvotes":2,"downvotes":0}}}', 'all of it')
FROM t.chat(1, '{{a,thisgame++,9.999}, {a,thisgame++,10}, {b,THISGAME--,19.999},
    {b,thisgame++,20}, {a,hello,21}, {a,thisgame++,1000}, {a,hello,21},
    {"Zoë",";thisgame+ +",22}, {a,hello,21}}');
SELECT is(t.totals(), '1-1 2-0 0-0', 'counted');
SELECT is(t.totals(), t.counted(), 'as the rows are');
SELECT is(string_agg(concat_ws(' ', c.id, c.username, c.message, c.vote,
    c.game_id), ', ' ORDER BY c.id), '1 a thisgame++ 1, '
    '2 a thisgame++ 1 1, 3 b THISGAME-- -1 1, 4 b thisgame++ 1 2, 5 a hello, '
    '6 a thisgame++ 1 2, 7 Zoë ;thisgame+ +', 'in order, the votes by moment')
FROM partyline.chat_log c;
SELECT is(c.hash, sha256('a:hello:21s'),
    'the hash is of what the client wrote')
FROM partyline.chat_log c WHERE c.id = 5;
SELECT is(c.said_text, t.at(21), 'the moment is shown')
FROM partyline.chat_log c WHERE c.id = 5;
SELECT is(s.bytes::bigint, (SELECT sum(octet_length(e.payload)) FROM partyline.event e
    WHERE e.stream = 'session:1')::bigint
    + (SELECT sum(octet_length(c.username) + octet_length(c.message))
    FROM partyline.chat_log c)::bigint, 'its stream weighs what there is')
FROM partyline.stream s WHERE s.name = 'session:1';
SELECT is(s.head::bigint, 1::bigint, 'nobody is told')
FROM partyline.stream s WHERE s.name = 'session:1';
SELECT is(count(*), 0::bigint, 'there are no live votes')
FROM partyline.live_vote;

-- again
SELECT is(body, '{"message":"Chat log imported and processed successfully",'
    '"messagesImported":1,"duplicatesSkipped":2,"votesProcessed":1,'
    '"votesByGame":{"2":{"title":"Game \"2\"","upvotes":0,"downvotes":1}}}',
    'what is there is left out')
FROM t.chat(1, '{{a,thisgame++,10}, {c,thisgame--,30}, {a,hello,21}}');
SELECT is(t.totals(), '1-1 2-1 0-0', 'and counts once');
SELECT is(body::json->>'messagesImported', '1', 'with a key')
FROM t.chat(1, '{{d,hello,40}}', 'k', 'h');
SELECT is(body::json->>'messagesImported', '1', 'repeated, the same answer')
FROM t.chat(1, '{{d,hello,40}}', 'k', 'h');
SELECT throws_ok($$SELECT t.chat(1, '{{e,hello,41}}', 'k', 'x')$$, 'PT422',
    'idempotency_key_reused', 'and no other body');
SELECT is(max(id), count(*), 'ids without gaps') FROM partyline.chat_log;

-- removed with the session
SELECT is(status, 200, 'deleted')
FROM t.server('api.session_delete(t.ctx(), 1)') WHERE status IS NOT NULL;
SELECT is(t.totals(), '0-0 0-0 0-0', 'its votes count no more');
SELECT is(count(*), 0::bigint, 'and are gone') FROM partyline.chat_log;

SELECT * FROM finish();
