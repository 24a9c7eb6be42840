-- SPDX-License-Identifier: MIT
--
-- Live votes: what they are for, what is refused and in which order, totals,
-- events, batches; the lists of them.

SELECT plan(67);

DELETE FROM partyline.pack;
INSERT INTO partyline.pack (tenant_id, id, name, created_at, created_text)
VALUES (1, 1, 'Pack "1"', now(), '');
INSERT INTO partyline.game (tenant_id, id, pack_name, title, min_players,
    max_players, ticker, created_at, created_text)
SELECT 1, n, 'Pack "1"', 'Game ' || n, 1, 8,
    CASE WHEN n IN (3, 4) THEN 'TK' || n END, now(), ''
FROM generate_series(1, 5) n;

CREATE FUNCTION t.at(second numeric) RETURNS text LANGUAGE sql AS $$
	SELECT api.iso('2026-03-15T20:00:00Z'::timestamptz
	    + second * interval '1 second')
$$;
CREATE FUNCTION t.play(id bigint, session bigint, game bigint,
    second numeric) RETURNS void LANGUAGE sql AS $$
	INSERT INTO partyline.session_game (tenant_id, id, session_id,
	    game_id, played_at, played_text, source, status)
	VALUES (1, id, session, game, t.at(second)::timestamptz, t.at(second),
	    'dice', 'played')
$$;

-- One batch: who, how, which second, which ticker; keys and hashes.
CREATE FUNCTION t.votes(who text[], how text[], seconds numeric[],
    tickers text[] DEFAULT NULL, keys text[] DEFAULT NULL,
    hashes text[] DEFAULT NULL, tenant int DEFAULT 1)
RETURNS SETOF api.answer LANGUAGE sql AS $$
	SELECT * FROM t.server(format('api.vote_create(t.ctx(%s), %L, %L, %L, '
	    '%L, %L, %L, %L, %L)', tenant,
	    array_fill('bot:1'::text, ARRAY[cardinality(who)]),
	    (SELECT array_agg('r' || n) FROM generate_subscripts(who, 1) n),
	    coalesce(keys, array_fill(NULL::text, ARRAY[cardinality(who)])),
	    coalesce(hashes, array_fill(NULL::text, ARRAY[cardinality(who)])),
	    who, how,
	    (SELECT array_agg(t.at(s) ORDER BY n) FROM unnest(seconds)
		WITH ORDINALITY u (s, n)),
	    coalesce(tickers, array_fill(NULL::text, ARRAY[cardinality(who)]))))
$$;
CREATE FUNCTION t.vote(who text, second numeric, ticker text DEFAULT NULL,
    how text DEFAULT 'up', tenant int DEFAULT 1)
RETURNS SETOF api.answer LANGUAGE sql AS $$
	SELECT * FROM t.votes(ARRAY[who], ARRAY[how], ARRAY[second],
	    ARRAY[ticker], NULL, NULL, tenant)
$$;
-- Statuses and refusals in their order.
CREATE FUNCTION t.said(answers api.answer[]) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', a.status, a.refusal), ', '
	    ORDER BY a.element)
	FROM unnest(answers) a WHERE a.status IS NOT NULL
$$;
CREATE FUNCTION t.totals() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(g.upvotes || '-' || g.downvotes, ' ' ORDER BY g.id)
	FROM partyline.game g WHERE g.tenant_id = 1
$$;
-- The same, counted.
CREATE FUNCTION t.counted() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(
	    (SELECT count(*) FROM partyline.live_vote v
		WHERE v.game_id = g.id AND v.vote = 1) || '-' ||
	    (SELECT count(*) FROM partyline.live_vote v
		WHERE v.game_id = g.id AND v.vote = -1), ' ' ORDER BY g.id)
	FROM partyline.game g WHERE g.tenant_id = 1
$$;

-- the order of refusals
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '404 no_active_session',
    'no session') FROM t.vote('a', 0) a;
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '404 no_active_session',
    'a ticker needs one as well') FROM t.vote('a', 0, 'TK3') a;
SELECT is(count(*), 1::bigint, 'a session')
FROM t.server('api.session_create(t.ctx(), NULL)') WHERE status = 201;
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '404 no_games_played', 'no game')
FROM t.vote('a', 0) a;
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '404 ticker_unknown',
    'a ticker that is none') FROM t.vote('a', 0, 'TK9') a;
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '200',
    'a ticker needs no game in the session, nor its case')
FROM t.vote('a', 0, 'tK3') a;
SELECT t.play(1, 1, 1, 10);
SELECT t.play(2, 1, 2, 20);
SELECT t.play(3, 1, 1, 20);
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '404 vote_without_game',
    'before the first game') FROM t.vote('a', 9.999) a;
SELECT is(body, '{"debug":{"voteTimestamp":"2026-03-15T20:00:09.999Z",'
    '"sessionGames":[{"title":"Game 1","played_at":"' || t.at(10) || '"},'
    '{"title":"Game 2","played_at":"' || t.at(20) || '"},'
    '{"title":"Game 1","played_at":"' || t.at(20) || '"}]}}',
    'and what there is instead') FROM t.vote('a', 9.999);

-- which game
SELECT is((body::json->'game'->>'id'), '1', 'from its start on')
FROM t.vote('b', 10) WHERE status > 0;
SELECT is((body::json->'game'->>'id'), '1', 'up to the next one')
FROM t.vote('b', 19.999) WHERE status > 0;
SELECT is((body::json->'game'->>'id'), '1', 'of two at once the later')
FROM t.vote('b', 21) WHERE status > 0;
UPDATE partyline.session_game SET game_id = 4 WHERE id = 3;
SELECT is((body::json->'game'->>'id'), '4', 'the last has no end')
FROM t.vote('b', 1e6) WHERE status > 0;
SELECT is((body::json->'game'->>'id'), '3', 'a ticker asks for no moment')
FROM t.vote('b', 15, 'TK3') WHERE status > 0;
SELECT is((body::json->'game'->>'id'), '1', 'an empty one is none')
FROM t.vote('c', 15, '') WHERE status > 0;
SELECT is(t.totals(), t.counted(), 'the totals are those of the rows');

-- shapes
UPDATE partyline.session SET games_played = 3 WHERE id = 1;
CREATE TEMP TABLE voted AS
SELECT * FROM t.vote(E'Zo"\u00eb', 30, NULL, 'down');
SELECT is(body, '{"success":true,"message":"Vote recorded successfully",'
    '"session":{"id":1,"games_played":3},"game":{"id":4,"title":"Game 4",'
    '"upvotes":1,"downvotes":1,"popularity_score":0},'
    '"vote":{"username":"Zo\"ë","type":"down","timestamp":"' || t.at(30)
    || '"}}', 'the answer') FROM voted WHERE status = 200;
SELECT is(regexp_replace(body, '"timestamp":"[^"]*"', '"timestamp":"T"'),
    '{"type":"vote.received","stream":"session:1","seq":' || seq
    || ',"timestamp":"T","data":{"sessionId":1,"game":{"id":4,'
    '"title":"Game 4","pack_name":"Pack \"1\""},"vote":{"username":"Zo\"ë",'
    '"type":"down","timestamp":"' || t.at(30) || '"},"totals":{"upvotes":1,'
    '"downvotes":1,"popularity_score":0}}}', 'the event')
FROM voted WHERE status IS NULL;
SELECT is(e.payload, voted.body, 'is what is stored') FROM partyline.event e
JOIN voted ON e.seq = voted.seq WHERE e.stream = 'session:1';
SELECT is(concat_ws('|', v.id, v.session_id, v.game_id, v.username, v.vote,
    v.voted_text, v.created_text = api.iso(v.created_at)),
    '8|1|4|Zo"ë|-1|' || t.at(30) || '|t', 'and the row')
FROM partyline.live_vote v WHERE v.username LIKE 'Zo%';
SELECT is(s.bytes::bigint, (SELECT sum(octet_length(e.payload)) FROM partyline.event e
    WHERE e.stream = 'session:1')
    + (SELECT sum(octet_length(v.username)) FROM partyline.live_vote v)::bigint,
    'its stream weighs what there is')
FROM partyline.stream s WHERE s.name = 'session:1';

-- again within a second
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '409 vote_duplicate',
    'again, ' || second || ' seconds later')
FROM unnest('{0,0.999,-0.999}'::numeric[]) second,
    t.vote(E'Zo"\u00eb', 30 + second) a GROUP BY second;
SELECT is(body, '{"message":"Please wait at least 1 second between votes"}',
    'and what to do') FROM t.vote(E'Zo"\u00eb', 30);
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '200',
    'again, ' || second || ' seconds later')
FROM unnest('{1,-1}'::numeric[]) second,
    t.vote(E'Zo"\u00eb', 30 + second) a GROUP BY second;
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '200', 'somebody else')
FROM t.vote('zo', 30) a;
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '200', 'for something else')
FROM t.vote(E'Zo"\u00eb', 30, 'TK3') a;

-- batches
SELECT is(t.totals(), t.counted(), 'the totals are those of the rows');
CREATE TEMP TABLE batch AS SELECT * FROM t.votes(
    '{x,y,x,x,x,z,z,q}', '{up,up,down,up,up,down,down,up}',
    '{100,100,100.6,101.2,5,100,100,100}',
    '{NULL,NULL,NULL,NULL,NULL,TK3,NULL,NOPE}');
SELECT is(t.said(array_agg(ROW(b.*)::api.answer)), '200, 200, 409 vote_duplicate, 200, '
    '404 vote_without_game, 200, 200, 404 ticker_unknown',
    'each by himself; what is refused is in nobody''s way')
FROM batch b;
SELECT is(array_agg(body::json->'game'->>'upvotes' || '-'
    || (body::json->'game'->>'downvotes') ORDER BY element),
    '{5-1,6-1,7-1,3-1,7-2}', 'each is told the totals with his own')
FROM batch WHERE status = 200;
SELECT is(array_agg(element || ':' || (body::json->'data'->'totals'->>'upvotes')
    ORDER BY seq), '{0:5,1:6,3:7,5:3,6:7}', 'and so are the others, in order')
FROM batch WHERE status IS NULL;
SELECT is(max(seq) - min(seq) + 1, count(*), 'without a gap')
FROM batch WHERE status IS NULL;
SELECT is(array_agg(e.request_id ORDER BY e.seq), '{r1,r2,r4,r6,r7}',
    'each with its request') FROM partyline.event e JOIN batch b
ON b.seq = e.seq WHERE e.stream = 'session:1' AND b.status IS NULL;
SELECT is(t.totals(), t.counted(), 'the totals are those of the rows');
SELECT is(s.head::bigint, (SELECT max(seq) FROM batch), 'the head is the last')
FROM partyline.stream s WHERE s.name = 'session:1';
SELECT is(s.bytes::bigint, (SELECT sum(octet_length(e.payload)) FROM partyline.event e
    WHERE e.stream = 'session:1')
    + (SELECT sum(octet_length(v.username)) FROM partyline.live_vote v)::bigint,
    'its weight is right')
FROM partyline.stream s WHERE s.name = 'session:1';
SELECT is(count(*), 0::bigint, 'an empty batch')
FROM t.votes('{}', '{}', '{}');

-- keys
CREATE TEMP TABLE keyed AS SELECT * FROM t.votes('{k,k,k,l,m}',
    '{up,up,up,up,up}', '{200,200,200,5,300}', NULL, '{a,a,a,b,NULL}',
    '{h,h,x,h,NULL}');
SELECT is(t.said(array_agg(ROW(k.*)::api.answer)), '200, 200, 422 idempotency_key_reused'
    ', 404 vote_without_game, 200', 'a key has its effect once') FROM keyed k;
SELECT is(count(DISTINCT body), 1::bigint, 'and one answer') FROM keyed
WHERE element < 2 AND status > 0;
SELECT is(count(*), 2::bigint, 'two events') FROM keyed WHERE status IS NULL;
CREATE TEMP TABLE again AS SELECT * FROM t.votes('{k,l}', '{up,up}',
    '{200,400}', NULL, '{a,b}', '{h,h2}');
SELECT is(a.body, k.body, 'it is told again') FROM again a, keyed k
WHERE a.element = 0 AND k.element = 0 AND a.status > 0 AND k.status > 0;
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '200, 200',
    'what was refused can be tried again') FROM again a;
SELECT is(count(*), 1::bigint, 'one event') FROM again WHERE status IS NULL;
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '200', 'answers that are kept alone')
FROM t.votes('{k}', '{up}', '{200}', NULL, '{a}', '{h}') a;
SELECT is(t.totals(), t.counted(), 'the totals are those of the rows');

-- lists
CREATE FUNCTION t.list(filters text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT string_agg(concat(v->>'username', ' ',
	    v->>'game_id', ' ', v->>'vote_type'), ', ')
	    FROM json_array_elements(body::json->'votes') v), '') || ' | '
	    || (body::json->>'pagination')
	FROM t.server(format('api.vote_list(t.ctx(), %s)', filters))
$$;
SELECT is(t.list('NULL, NULL, NULL, NULL, NULL, 2'), 'b 4 up, l 4 up | '
    '{"page":1,"limit":2,"total":20,"total_pages":10}', 'the newest first');
SELECT is(t.list('NULL, NULL, NULL, NULL, 10, 2'), 'b 1 up, a 3 up | '
    '{"page":10,"limit":2,"total":20,"total_pages":10}', 'the last page');
SELECT is(t.list('NULL, NULL, NULL, NULL, 11, 2'), ' | '
    '{"page":11,"limit":2,"total":20,"total_pages":10}', 'behind it');
SELECT is(t.list('1, 3, NULL, ''down'', 0, 0'), 'z 3 down | '
    '{"page":1,"limit":50,"total":1,"total_pages":1}', 'as far as it fits');
SELECT is(t.list('NULL, NULL, ''q'', NULL, NULL, NULL'), ' | '
    '{"page":1,"limit":50,"total":0,"total_pages":0}', 'none');
SELECT is(t.list('2, NULL, NULL, NULL, NULL, NULL'), ' | '
    '{"page":1,"limit":50,"total":0,"total_pages":0}', 'a session without');
SELECT is((body::json->'votes'->0)::text, NULL, 'another tenant sees none')
FROM t.server($$api.vote_list(t.ctx(2), NULL, NULL, NULL, NULL, NULL, NULL)$$);
SELECT is((body::json->'votes'->0)::text, '{"id":5,"session_id":1,"game_id":4,'
    '"game_title":"Game 4","pack_name":"Pack \"1\"","username":"b",'
    '"vote_type":"up","timestamp":"' || t.at(1e6) || '","created_at":"'
    || (SELECT created_text FROM partyline.live_vote WHERE id = 5) || '"}',
    'its shape')
FROM t.server($$api.vote_list(t.ctx(), NULL, NULL, NULL, NULL, NULL, 1)$$);
SELECT is(body, '{"session_id":1,"votes":['
    '{"game_id":4,"title":"Game 4","pack_name":"Pack \"1\"","upvotes":10,'
    '"downvotes":2,"net_score":8,"total_votes":12},'
    '{"game_id":1,"title":"Game 1","pack_name":"Pack \"1\"","upvotes":4,'
    '"downvotes":0,"net_score":4,"total_votes":4},'
    '{"game_id":3,"title":"Game 3","pack_name":"Pack \"1\"","upvotes":3,'
    '"downvotes":1,"net_score":2,"total_votes":4}]}', 'by game')
FROM t.server('api.session_votes(t.ctx(), 1)');
SELECT throws_ok($$SELECT t.server('api.session_votes(t.ctx(), 2)')$$,
    'PT404', 'session_not_found', 'of no session');

-- what they are for stays
SELECT throws_ok($$DELETE FROM partyline.game WHERE id = 3$$, '23503', NULL,
    'a game that somebody voted for is not removed');
SELECT is(t.rows('partyline_server', '1', $$DELETE FROM partyline.game g
    WHERE g.tenant_id = 1 AND g.title = 'Game 5'$$), 1::bigint,
    'one that nobody did is');

-- removed with their tenant
SELECT is((t.fleet($$api.tenant_add(t.ctx(NULL), 'other')$$)).status, 201,
    'another tenant') LIMIT 1;
INSERT INTO partyline.live_vote (tenant_id, id, session_id, game_id,
    username, vote, voted_at, voted_text, created_at, created_text)
SELECT 2, v.id, v.session_id, (SELECT min(g.id) FROM partyline.game g
    WHERE g.tenant_id = 2), v.username, v.vote, v.voted_at, v.voted_text,
    v.created_at, v.created_text FROM partyline.live_vote v;
SELECT is(count(*), 2::bigint, 'which is removed')
FROM t.fleet($$api.tenant_remove(t.ctx(NULL), 'other')$$);
SELECT is(array_agg(DISTINCT tenant_id), '{1}', 'with its votes alone')
FROM partyline.live_vote;

-- removed with their session
SELECT is(count(*), 2::bigint, 'closed')
FROM t.server('api.session_close(t.ctx(), 1, NULL)');
SELECT is(t.said(array_agg(ROW(a.*)::api.answer)), '404 no_active_session',
    'a closed one takes no votes') FROM t.vote('late', 1000) a;
SELECT is(status, 200, 'deleted')
FROM t.server('api.session_delete(t.ctx(), 1)') WHERE status IS NOT NULL;
SELECT is(count(*), 0::bigint, 'its votes are gone') FROM partyline.live_vote;
SELECT is(t.totals(), '0-0 0-0 0-0 0-0', 'and count no more');
SELECT is(count(*), 1::bigint, 'a session')
FROM t.server('api.session_create(t.ctx(), NULL)') WHERE status = 201;

SELECT * FROM finish();
