-- SPDX-License-Identifier: MIT
--
-- A session as a file: JSON for programs, text to read, CSV for tables.
-- What is in them, and in which order, stays as it is: people compare them.

CREATE FUNCTION api.export_players(g partyline.game)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN g.min_players = g.max_players
	    THEN g.min_players::text
	    ELSE concat(g.min_players, '-', g.max_players) END
$$;

CREATE FUNCTION api.export_vote(vote smallint)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE vote WHEN 1 THEN 'up' WHEN -1 THEN 'down' END
$$;

CREATE FUNCTION api.export_json(session partyline.session)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN format('{"session":{"id":%s,"created_at":"%s","closed_at":%s,'
	    '"is_active":%s,"notes":%s,"games_played":%s},"games":[%s],'
	    '"chat_logs":[%s]}', session.id, session.created_text,
	    coalesce(to_json(session.closed_text)::text, 'null'),
	    session.is_active::int,
	    coalesce(to_json(session.notes)::text, 'null'),
	    session.games_played, (
		SELECT string_agg(format('{"title":%s,"pack":%s,"players":"%s",'
		    '"type":%s,"played_at":"%s","manually_added":%s,'
		    '"source":"%s","status":"%s"}', to_json(g.title),
		    to_json(g.pack_name), api.export_players(g),
		    coalesce(to_json(g.game_type)::text, 'null'),
		    p.played_text, p.manually_added::int, p.source,
		    p.status), ',' ORDER BY p.played_at, p.id)
		FROM partyline.session_game p JOIN partyline.game g
		    ON g.tenant_id = p.tenant_id AND g.id = p.game_id
		WHERE p.tenant_id = session.tenant_id
		    AND p.session_id = session.id), (
		SELECT string_agg(format('{"username":%s,"message":%s,'
		    '"timestamp":"%s","vote":%s}', to_json(c.username),
		    to_json(c.message), c.said_text,
		    coalesce(to_json(api.export_vote(c.vote))::text, 'null')),
		    ',' ORDER BY c.said_at, c.id)
		FROM partyline.chat_log c
		WHERE c.tenant_id = session.tenant_id
		    AND c.session_id = session.id));
END
$$;

-- A text whose further lines stand below its first.
CREATE FUNCTION api.export_lines(lines text, indent text)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT replace(regexp_replace(lines, E'\r\n?', E'\n', 'g'), E'\n',
	    E'\n' || indent)
$$;

CREATE FUNCTION api.export_txt(session partyline.session)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	title text := 'Session ' || session.id;
	none text := E'None.\n';
BEGIN
	RETURN concat(title, E'\n', repeat('=', length(title)), E'\n\n',
	    'Created:      ', session.created_text, E'\n',
	    'Closed:       ', coalesce(session.closed_text, 'still active'),
	    E'\n', 'Games played: ', session.games_played, E'\n',
	    'Notes:        ' || api.export_lines(nullif(session.notes, ''),
		repeat(' ', 14)) || E'\n',
	    E'\nGames\n-----\n\n', coalesce((
		SELECT string_agg(format(E'%s. %s (%s)\n   Players: %s\n%s'
		    '   Played:  %s\n   Source:  %s\n   Status:  %s\n',
		    l.n, l.title, l.pack_name, l.players,
		    '   Type:    ' || l.game_type || E'\n', l.played_text,
		    l.source, l.status), E'\n' ORDER BY l.n)
		FROM (SELECT row_number() OVER (ORDER BY p.played_at, p.id)
		    AS n, p.played_text, p.source, p.status, g.title,
		    g.pack_name, g.game_type, api.export_players(g) AS players
		    FROM partyline.session_game p JOIN partyline.game g
			ON g.tenant_id = p.tenant_id AND g.id = p.game_id
		    WHERE p.tenant_id = session.tenant_id
			AND p.session_id = session.id) l), none),
	    E'\nChat\n----\n\n', coalesce((
		SELECT string_agg(format(E'[%s] %s: %s%s\n', c.said_text,
		    c.username, api.export_lines(c.message, '    '),
		    ' (' || api.export_vote(c.vote) || ')'), '' ORDER BY
		    c.said_at, c.id)
		FROM partyline.chat_log c
		WHERE c.tenant_id = session.tenant_id
		    AND c.session_id = session.id), none));
END
$$;

-- What was played and what was said in one table, by time.
CREATE FUNCTION api.export_csv(session partyline.session)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN E'kind,time,title,pack,players,type,source,status,username,'
	    'message,vote\r\n' || coalesce((
		SELECT string_agg(line || E'\r\n', '' ORDER BY at, kind DESC,
		    id)
		FROM (SELECT 'game' AS kind, p.played_at AS at, p.id,
		    concat_ws(',', 'game', p.played_text,
			api.csv_field(g.title), api.csv_field(g.pack_name),
			api.export_players(g), api.csv_field(g.game_type),
			p.source, p.status, ',,') AS line
		    FROM partyline.session_game p JOIN partyline.game g
			ON g.tenant_id = p.tenant_id AND g.id = p.game_id
		    WHERE p.tenant_id = session.tenant_id
			AND p.session_id = session.id
		    UNION ALL
		    SELECT 'chat', c.said_at, c.id, concat_ws(',', 'chat',
			c.said_text, ',,,,,', api.csv_field(c.username),
			api.csv_field(c.message),
			coalesce(api.export_vote(c.vote), ''))
		    FROM partyline.chat_log c
		    WHERE c.tenant_id = session.tenant_id
			AND c.session_id = session.id) l), '');
END
$$;

-- wanted: json, csv; all else is text.
CREATE FUNCTION api.session_export(ctx api.ctx, id bigint, wanted text)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	answer api.answer;
	session partyline.session;
	kind text := CASE WHEN wanted IN ('json', 'csv') THEN wanted
	    ELSE 'txt' END;
BEGIN
	PERFORM api.enter(ctx);
	SELECT * INTO session FROM partyline.session s
	WHERE s.tenant_id = ctx.tenant AND s.id = session_export.id;
	IF NOT FOUND THEN
		RAISE 'session_not_found' USING ERRCODE = 'PT404';
	END IF;
	answer := api.reply(200, CASE kind
	    WHEN 'json' THEN api.export_json(session)
	    WHEN 'csv' THEN api.export_csv(session)
	    ELSE api.export_txt(session) END);
	answer.headers := format('{%s"Content-Disposition":'
	    '"attachment; filename=session-%s.%s"}', CASE kind
	    WHEN 'json' THEN ''
	    WHEN 'csv' THEN '"Content-Type":"text/csv; charset=utf-8",'
	    ELSE '"Content-Type":"text/plain; charset=utf-8",' END, id, kind);
	RETURN NEXT answer;
END
$$;
