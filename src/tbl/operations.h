/* SPDX-License-Identifier: MIT */
/*
 * What a client can ask of the server, one row each, sorted by name.
 *
 * To add one: its row here; its function in sql/api (`api.<name>`) or, for
 * the ways LOCAL and OWN, `operation_<name>` in C; the schema of its answer
 * in tbl/schema; a subtest; make docs. Router, checks, refusals, OPTIONS,
 * 405, OpenAPI and the reference follow from the row.
 *
 *	OPERATION(name, method, path, door, who, way, limit, stream, status,
 *	    answer, text, inputs)
 *
 * door:   FRONT (listen, tls_listen) or ADMIN (admin_listen).
 * who:	   ANYONE; READER (anyone where the tenant's public_read is on, else
 *	   any token); MEMBER (any token); BOT (tokens of bots and admins);
 *	   ADMIN; USER (who has logged in at the tabletop, by the cookie
 *	   connect.sid, and tokens of admins).
 * way:	   LOCAL answers in C from memory; OWN is C around calls of SQL; the
 *	   others are the SQL function of the row's name: READ, SLOW (a read
 *	   that may take long), WRITE, BATCH (a write whose arguments are
 *	   arrays, one place for each request).
 * limit:  what it takes beside a request of the tenant's: NONE, EVENT.
 * stream: where a write tells of itself, so that writes of one stream go one
 *	   after the other, or what is followed; {id} stands for the input.
 * status, answer: of success; tbl/schema/<answer>.json has its form.
 *
 *	INPUT(name, where, kind, missing, min, max, text)
 *	INPUT_CHOICE(name, where, missing, "a|b|c", text)
 *
 * where:   PATH, QUERY or BODY. The inputs are the parameters of the SQL
 *	    function, behind its context.
 * missing: the error of an input that has to be there and is not (in a path:
 *	    of one that cannot be); `none`: it may be missing, and is NULL
 *	    then. null in a body counts as missing.
 *
 *	INPUT_ELSE(name, where, kind, missing, invalid, min, max, text)
 *	INPUT_CHOICE_ELSE(name, where, missing, invalid, "a|b|c", text)
 *
 * invalid: the error of one that is not what it has to be, in place of
 *	    input_invalid. What is missing is told before what is invalid.
 * kind, min and max: see core/input.h.
 *
 *	INPUT_LIST(name, also, kind, missing, min, max, text)
 *
 * A list in a body: its member of that name, or of the name `also`, or all
 * of the body.
 */
OPERATION(asyncapi, GET, "/asyncapi.json", FRONT, ANYONE, LOCAL, NONE, "", 200,
    asyncapi,
    "What is said over /api/sessions/live, as a document of AsyncAPI 3.0.", )
OPERATION(auth_login, POST, "/api/auth/login", FRONT, ANYONE, OWN, NONE,
    "", 200, login,
    "Exchanges an admin's key for a token that is good for a day.",
    INPUT(key, BODY, text, admin_key_required, 1, 256,
	"The admin's key."))
OPERATION(auth_ticket, POST, "/api/auth/ticket", FRONT, MEMBER, OWN, NONE,
    "", 201, ticket,
    "Makes a ticket that opens one stream once within a minute, for clients "
    "that cannot send headers.",
    INPUT(stream, BODY, text, input_missing, 1, 100,
	"session:17 or lobby."))
OPERATION(auth_verify, POST, "/api/auth/verify", FRONT, MEMBER, OWN, NONE,
    "", 200, verified,
    "Tells who the token says that the caller is.", )
OPERATION(client_example, GET, "/clients/example.html", FRONT, ANYONE, LOCAL,
    NONE, "", 200, page,
    "A page that shows how a thread's client is written.", )
OPERATION(client_file, GET, "/clients/{name}", FRONT, ANYONE, LOCAL, NONE, "",
    200, client_file,
    "Modules for pages that are clients of threads.",
    INPUT(name, PATH, text, not_found, 1, 100, "Which one."))
OPERATION(conversation_learning, POST, "/conversation/learning", FRONT, READER,
    OWN, EVENT, "", 200, turn,
    "Teaches the tenant's responder, as /havefun asks it.",
    INPUT(thread_id, BODY, text, none, 0, 200,
	"Which conversation: learning_thread without it. Its turns are "
	"answered one after the other.")
    INPUT(user_input, BODY, text, none, 0, 100000, "What is asked.")
    INPUT(user_id, BODY, text, none, 0, 200, "Who asks: learner without it.")
    INPUT(graph_version_id, BODY, text, none, 0, 200,
	"Handed on to the responder.")
    INPUT(use_websocket, BODY, boolean, none, 0, 0,
	"Whether the thread's sockets get what the responder thinks, in place "
	"of this answer; false without it."))
OPERATION(debug_all_sessions, GET, "/debug/all-sessions", FRONT, ANYONE, OWN,
    NONE, "", 200, debug_all_sessions,
    "How many sockets the tenant's threads have, and what waits.",
    INPUT(api_key, QUERY, text, none, 0, 256, "debug_key."))
OPERATION(debug_thread_sessions, GET, "/debug/thread-sessions", FRONT, ANYONE,
    OWN, NONE, "", 200, debug_thread_sessions,
    "The sockets that are registered for a thread.",
    INPUT(thread_id, QUERY, text, none, 0, 200, "The thread.")
    INPUT(api_key, QUERY, text, none, 0, 256, "debug_key."))
OPERATION(debug_websocket_sessions, GET, "/debug/websocket-sessions", FRONT,
    ANYONE, OWN, NONE, "", 200, debug_websocket_sessions,
    "All sockets of the tenant's threads.",
    INPUT(api_key, QUERY, text, none, 0, 256, "debug_key."))
OPERATION(docs, GET, "/docs", FRONT, ANYONE, LOCAL, NONE, "", 200, page,
    "Both documents as a page for people.", )
OPERATION(game_create, POST, "/api/games", FRONT, ADMIN, WRITE, NONE,
    "lobby", 201, game,
    "Adds a game to the catalog, and its pack where it is the first one.",
    INPUT(pack_name, BODY, text, game_fields_missing, 1, 200, "Its pack.")
    INPUT(title, BODY, text, game_fields_missing, 1, 200,
	"Its title, once in a pack.")
    INPUT(min_players, BODY, integer, game_fields_missing, 1, 1000,
	"So many have to play.")
    INPUT(max_players, BODY, integer, game_fields_missing, 1, 1000,
	"So many can.")
    INPUT(length_minutes, BODY, integer, none, 1, 1440,
	"How long it takes, where that is known.")
    INPUT(has_audience, BODY, boolean, none, 0, 0,
	"Whether more can watch and vote; false without it.")
    INPUT(family_friendly, BODY, boolean, none, 0, 0,
	"Whether children can play; false without it.")
    INPUT(game_type, BODY, text, none, 0, 100,
	"What players do; Drawing is what filters look for.")
    INPUT(secondary_type, BODY, text, none, 0, 100, "And what else.")
    INPUT(ticker, BODY, text, none, 0, 4,
	"A symbol to vote by, of 2 to 4 letters or digits in any case."))
OPERATION(game_delete, DELETE, "/api/games/{id}", FRONT, ADMIN, WRITE, NONE,
    "lobby", 200, message,
    "Removes a game that no session used, and its pack with the last one.",
    INPUT(id, PATH, id, game_not_found, 1, 0, "The game."))
OPERATION(game_export, GET, "/api/games/export/csv", FRONT, ADMIN, SLOW,
    NONE, "", 200, games_csv,
    "The catalog as CSV, which the import takes.", )
OPERATION(game_favor, PATCH, "/api/games/{id}/favor", FRONT, ADMIN, WRITE,
    NONE, "lobby", 200, favor,
    "Lets a game be picked more often, or less.",
    INPUT(id, PATH, id, game_not_found, 1, 0, "The game.")
    INPUT_ELSE(favor_bias, BODY, integer, favor_invalid, favor_invalid, -1, 1,
	"1, 0 or -1: with three times, once or 0.2 times the weight."))
OPERATION(game_get, GET, "/api/games/{id}", FRONT, READER, READ, NONE, "",
    200, game,
    "One game of the catalog.",
    INPUT(id, PATH, id, game_not_found, 1, 0, "The game."))
OPERATION(game_import, POST, "/api/games/import/csv", FRONT, ADMIN, WRITE,
    NONE, "lobby", 200, games_imported,
    "Adds what a CSV text has, or makes the catalog what it says; all lines "
    "or none.",
    INPUT(csvData, BODY, csv, input_missing, 1, 1048576,
	"A line for each game, behind one with the names of the columns.")
    INPUT_CHOICE(mode, BODY, none, "append|replace",
	"append, without it: what is there stays as it is. replace: it gets "
	"what the line says, and what no line has goes, or is disabled where "
	"a session used it."))
OPERATION(game_list, GET, "/api/games", FRONT, READER, READ, NONE, "", 200,
    games,
    "The catalog by packs and titles.",
    INPUT(enabled, QUERY, boolean, none, 0, 0, "Only those, or the others.")
    INPUT(playerCount, QUERY, integer, none, 1, 1000000,
	"Only what so many can play.")
    INPUT_CHOICE(drawing, QUERY, none, "only|exclude",
	"Only games of drawing, or none of them.")
    INPUT_CHOICE(length, QUERY, none, "short|medium|long",
	"Up to 15 minutes, or of no known length; up to 25; longer.")
    INPUT(familyFriendly, QUERY, boolean, none, 0, 0,
	"Only what children can play, or the others.")
    INPUT(pack, QUERY, text, none, 0, 200, "Only this pack."))
OPERATION(game_toggle, PATCH, "/api/games/{id}/toggle", FRONT, ADMIN, WRITE,
    NONE, "lobby", 200, game,
    "Enables a game that was disabled, and the other way round.",
    INPUT(id, PATH, id, game_not_found, 1, 0, "The game."))
OPERATION(game_update, PUT, "/api/games/{id}", FRONT, ADMIN, WRITE, NONE,
    "lobby", 200, game,
    "Puts a game's description in the place of the one it had.",
    INPUT(id, PATH, id, game_not_found, 1, 0, "The game.")
    INPUT(pack_name, BODY, text, game_fields_missing, 1, 200, "Its pack.")
    INPUT(title, BODY, text, game_fields_missing, 1, 200,
	"Its title, once in a pack.")
    INPUT(min_players, BODY, integer, game_fields_missing, 1, 1000,
	"So many have to play.")
    INPUT(max_players, BODY, integer, game_fields_missing, 1, 1000,
	"So many can.")
    INPUT(length_minutes, BODY, integer, none, 1, 1440,
	"How long it takes, where that is known.")
    INPUT(has_audience, BODY, boolean, none, 0, 0,
	"Whether more can watch and vote; false without it.")
    INPUT(family_friendly, BODY, boolean, none, 0, 0,
	"Whether children can play; false without it.")
    INPUT(game_type, BODY, text, none, 0, 100,
	"What players do; Drawing is what filters look for.")
    INPUT(secondary_type, BODY, text, none, 0, 100, "And what else.")
    INPUT(ticker, BODY, text, none, 0, 4,
	"A symbol to vote by; an empty one takes it away. It stays without "
	"this.")
    INPUT(enabled, BODY, boolean, none, 0, 0,
	"Whether it can be picked; as it was without this."))
OPERATION(havefun, POST, "/havefun", FRONT, READER, OWN, EVENT, "", 200, turn,
    "Asks the tenant's responder, and streams what it answers.",
    INPUT(thread_id, BODY, text, none, 0, 200,
	"Which conversation: chat_thread without it. Its turns are "
	"answered one after the other.")
    INPUT(user_input, BODY, text, none, 0, 100000, "What is asked.")
    INPUT(user_id, BODY, text, none, 0, 200,
	"Who asks: thefusionlab without it.")
    INPUT(graph_version_id, BODY, text, none, 0, 200,
	"Handed on to the responder.")
    INPUT(use_websocket, BODY, boolean, none, 0, 0,
	"Whether the thread's sockets get what the responder thinks, in place "
	"of this answer; false without it."))
OPERATION(health, GET, "/health", FRONT, ANYONE, LOCAL, NONE, "", 200,
    health,
    "Whether the server is up, in the form that today's clients ask for.", )
OPERATION(livez, GET, "/livez", FRONT, ANYONE, LOCAL, NONE, "", 200, livez,
    "200 while the process answers at all.", )
OPERATION(lobby_events, GET, "/api/events", FRONT, READER, OWN, NONE,
    "lobby", 200, events,
    "The tenant's events behind a number; where there are none, as soon as "
    "there are some.",
    INPUT(since, QUERY, cursor, none, 0, 0,
	"Where the client stopped. Without it: from now on.")
    INPUT(limit, QUERY, integer, none, 1, 1000,
	"At most so many events; 100 without it.")
    INPUT(wait, QUERY, integer, none, 0, 60,
	"How many seconds to wait for the first event; 0 without it.")
    INPUT(ticket, QUERY, ticket, none, 0, 0,
	"In place of a token."))
OPERATION(lobby_stream, GET, "/api/stream", FRONT, READER, OWN, NONE,
    "lobby", 200, event_stream,
    "The tenant's events as they happen (Server-Sent Events).",
    INPUT(since, QUERY, cursor, none, 0, 0,
	"Where the client stopped, unless Last-Event-ID says it. Without "
	"either: from now on.")
    INPUT(ticket, QUERY, ticket, none, 0, 0,
	"In place of a token."))
OPERATION(metrics, GET, "/metrics", ADMIN, ANYONE, LOCAL, NONE, "", 200,
    metrics,
    "All counters of all processes in Prometheus' text format.", )
OPERATION(openapi, GET, "/openapi.json", FRONT, ANYONE, LOCAL, NONE, "", 200,
    openapi,
    "What can be asked over HTTP, as a document of OpenAPI 3.1.", )
OPERATION(pack_favor, PATCH, "/api/games/packs/{name}/favor", FRONT, ADMIN,
    WRITE, NONE, "lobby", 200, favor,
    "Lets a pack's games be picked more often, or less.",
    INPUT(name, PATH, text, pack_not_found, 1, 200, "The pack.")
    INPUT_ELSE(favor_bias, BODY, integer, favor_invalid, favor_invalid, -1, 1,
	"1, 0 or -1: with twice, once or 0.3 times the weight."))
OPERATION(pack_list, GET, "/api/games/packs", FRONT, READER, READ, NONE, "",
    200, packs,
    "The packs of the catalog.", )
OPERATION(pack_meta, GET, "/api/games/meta/packs", FRONT, READER, READ, NONE,
    "", 200, packs_meta,
    "How many games each pack has, how many of them are enabled, and how "
    "often they were played.", )
OPERATION(pack_toggle, PATCH, "/api/games/packs/{name}/toggle", FRONT, ADMIN,
    WRITE, NONE, "lobby", 200, pack_toggled,
    "Enables or disables all games of a pack.",
    INPUT(name, PATH, text, pack_not_found, 1, 200, "The pack.")
    INPUT(enabled, BODY, boolean, input_missing, 0, 0,
	"Whether they can be picked."))
OPERATION(pick, POST, "/api/pick", FRONT, READER, READ, NONE, "", 200, pick,
    "Picks a game by chance. Games and packs that are favored come three "
    "times and twice as often, those that are not wanted at 0.2 and 0.3 of "
    "the usual. Says among how many, with which weight in which sum.",
    INPUT(playerCount, BODY, integer, none, 1, 1000000,
	"Only games for so many.")
    INPUT_CHOICE(drawing, BODY, none, "only|exclude",
	"Only games of the type Drawing, or only others.")
    INPUT_CHOICE(length, BODY, none, "short|medium|long",
	"Only games of at most 15 minutes or of unknown length, of 16 to 25, "
	"or of more.")
    INPUT(familyFriendly, BODY, boolean, none, 0, 0,
	"Only games that are family friendly, or only others.")
    INPUT(sessionId, BODY, id, none, 1, 0,
	"Leaves out the last two that this session played.")
    INPUT(excludePlayed, BODY, boolean, none, 0, 0,
	"Leaves out all that the session played.")
    INPUT(count, BODY, integer, none, 1, 100,
	"So many different ones, or as many as there are. The answer has "
	"games and weights then, in place of game and weight."))
OPERATION(poll_end, POST, "/api/sessions/{id}/voting/end", FRONT, ADMIN,
    WRITE, EVENT, "session:{id}", 200, poll_ended,
    "Ends a session's poll, at once or after a delay; its stream is told "
    "voting.ended or poll.ending.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(delay, BODY, integer, none, 0, 300,
	"In how many seconds; 0 without it."))
OPERATION(poll_end_cancel, POST, "/api/sessions/{id}/voting/cancel-end",
    FRONT, ADMIN, WRITE, EVENT, "session:{id}", 200, success,
    "Lets a poll go on that was about to end; its stream is told "
    "poll.ending.cancelled.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(poll_lead, POST, "/api/sessions/{id}/voting/leading", FRONT, BOT,
    WRITE, EVENT, "session:{id}", 200, success,
    "Says who is in front in a session's poll; its stream is told "
    "poll.leading.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(gameId, BODY, integer, input_missing, 0, 9007199254740991,
	"The game; 0 is something else.")
    INPUT(label, BODY, text, input_missing, 1, 200, "What people call it.")
    INPUT(votes, BODY, integer, input_missing, 0, 9007199254740991,
	"How many want it."))
OPERATION(poll_start, POST, "/api/sessions/{id}/voting/start", FRONT, ADMIN,
    WRITE, EVENT, "session:{id}", 200, poll_started,
    "Begins a poll in the active session; its stream is told poll.start.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(readyz, GET, "/readyz", FRONT, ANYONE, LOCAL, NONE, "", 200,
    readyz,
    "200 when the server can do its work, 503 when it cannot; each part by "
    "name with its state.", )
OPERATION(selection_create, POST, "/api/sessions/{id}/game-selection", FRONT,
    ADMIN, WRITE, EVENT, "session:{id}", 200, selection,
    "Shows all admins the game that is about to be added; the session's "
    "stream is told game.picked.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(gameId, BODY, id, input_missing, 1, 0, "The game.")
    INPUT_CHOICE(source, BODY, none, "dice|manual|poll",
	"Where it came from; manual without it."))
OPERATION(selection_delete, DELETE, "/api/sessions/{id}/game-selection",
    FRONT, ADMIN, WRITE, EVENT, "session:{id}", 200, success,
    "Selects no game any more; the session's stream is told game.dismissed, "
    "where there was one.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(session_active, GET, "/api/sessions/active", FRONT, READER, READ,
    NONE, "", 200, session_active,
    "The session that is going on, if there is one.", )
OPERATION(session_archive, POST, "/api/sessions/{id}/archive", FRONT, ADMIN,
    WRITE, NONE, "session:{id}", 200, success,
    "Takes a closed session out of the default list.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(session_bulk, POST, "/api/sessions/bulk", FRONT, ADMIN, WRITE,
    NONE, "lobby", 200, session_bulk,
    "Archives, unarchives or deletes several sessions, all or none.",
    INPUT_CHOICE(action, BODY, input_missing, "archive|unarchive|delete",
	"What to do with them.")
    INPUT(ids, BODY, ids, input_missing, 1, 1000, "The sessions."))
OPERATION(session_chat_import, POST, "/api/sessions/{id}/chat-import", FRONT,
    BOT, WRITE, NONE, "session:{id}", 200, chat_imported,
    "Keeps the chat of a session, each line once, and counts the votes in "
    "it (thisgame++ and thisgame--) for the game that was played then.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT_LIST(chatData, "messages", chat, input_missing, 0, 20000,
	"What was said."))
OPERATION(session_close, POST, "/api/sessions/{id}/close", FRONT, ADMIN,
    WRITE, EVENT, "session:{id}", 200, session,
    "Ends a session; its stream is told session.ended.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(notes, BODY, text, none, 0, 10000,
	"Replaces the notes, where given."))
OPERATION(session_create, POST, "/api/sessions", FRONT, ADMIN, WRITE, EVENT,
    "lobby", 201, session_created,
    "Begins a session; the lobby is told session.started. Only one can be "
    "active.",
    INPUT(notes, BODY, text, none, 0, 10000, "Whatever is to be noted."))
OPERATION(session_delete, DELETE, "/api/sessions/{id}", FRONT, ADMIN, WRITE,
    NONE, "session:{id}", 200, session_deleted,
    "Removes a closed session with all that belongs to it.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(session_event_create, POST, "/api/sessions/{id}/events", FRONT,
    BOT, BATCH, EVENT, "session:{id}", 201, stored,
    "Puts an event of the clients' own into the session's stream, for every "
    "subscriber.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(type, BODY, custom, input_missing, 8, 64,
	"custom. and a name of letters, digits, dots, - and _.")
    INPUT(data, BODY, object, input_missing, 2, 4096,
	"An object, handed on as it is."))
OPERATION(session_events, GET, "/api/sessions/{id}/events", FRONT, READER,
    OWN, NONE, "session:{id}", 200, events,
    "A session's events behind a number; where there are none, as soon as "
    "there are some.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(since, QUERY, cursor, none, 0, 0,
	"Where the client stopped. Without it: from now on.")
    INPUT(limit, QUERY, integer, none, 1, 1000,
	"At most so many events; 100 without it.")
    INPUT(wait, QUERY, integer, none, 0, 60,
	"How many seconds to wait for the first event; 0 without it.")
    INPUT(ticket, QUERY, ticket, none, 0, 0,
	"In place of a token."))
OPERATION(session_export, GET, "/api/sessions/{id}/export", FRONT, ADMIN,
    SLOW, NONE, "", 200, session_export,
    "A session with what was played and said, as a file.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(format, QUERY, text, none, 0, 100,
	"json or csv; txt is all else."))
OPERATION(session_game_add, POST, "/api/sessions/{id}/games", FRONT, ADMIN,
    WRITE, EVENT, "session:{id}", 201, session_game,
    "Adds a game to an active session, as the one that is playing; what was "
    "playing has been played then. Its stream is told game.added.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(game_id, BODY, id, input_missing, 1, 0, "The game.")
    INPUT(manually_added, BODY, boolean, none, 0, 0,
	"Whether somebody chose it; false without it.")
    INPUT_ELSE(room_code, BODY, room, none, room_code_invalid, 4, 4,
	"Where it is played. That room is watched from now on.")
    INPUT_CHOICE(source, BODY, none, "dice|manual|poll",
	"Where it came from. Without it: manual if manually_added, else "
	"dice."))
OPERATION(session_game_check_start, POST,
    "/api/sessions/{id}/games/{game}/start-player-check", FRONT, ADMIN,
    WRITE, NONE, "session:{id}", 200, session_game_check,
    "Watches the room of a game from now on.",
    INPUT(id, PATH, id, session_game_not_found, 1, 0, "The session.")
    INPUT(game, PATH, id, session_game_not_found, 1, 0,
	"What it played, by the id of its list."))
OPERATION(session_game_check_stop, POST,
    "/api/sessions/{id}/games/{game}/stop-player-check", FRONT, ADMIN,
    WRITE, NONE, "session:{id}", 200, session_game_check,
    "Watches the room of a game no longer.",
    INPUT(id, PATH, id, session_game_not_found, 1, 0, "The session.")
    INPUT(game, PATH, id, session_game_not_found, 1, 0,
	"What it played, by the id of its list."))
OPERATION(session_game_list, GET, "/api/sessions/{id}/games", FRONT, READER,
    READ, NONE, "", 200, session_games,
    "What a session played, in that order, with what the catalog says of "
    "each.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(session_game_live, GET,
    "/api/sessions/{id}/games/{game}/status-live", FRONT, READER, READ, NONE,
    "", 200, session_game_live,
    "What is known of the room of a game.",
    INPUT(id, PATH, id, session_game_not_found, 1, 0, "The session.")
    INPUT(game, PATH, id, session_game_not_found, 1, 0,
	"What it played, by the id of its list."))
OPERATION(session_game_players, PATCH,
    "/api/sessions/{id}/games/{game}/player-count", FRONT, ADMIN, WRITE,
    EVENT, "session:{id}", 200, session_game_players,
    "Says how many play; the session's stream is told player-count.updated.",
    INPUT(id, PATH, id, session_game_not_found, 1, 0, "The session.")
    INPUT(game, PATH, id, session_game_not_found, 1, 0,
	"What it played, by the id of its list.")
    INPUT(player_count, BODY, integer, input_missing, 0, 1000000,
	"How many."))
OPERATION(session_game_remove, DELETE, "/api/sessions/{id}/games/{game}",
    FRONT, ADMIN, WRITE, NONE, "session:{id}", 200, message,
    "Takes a game out of what a session played. How often the game was "
    "played in all stays as it is.",
    INPUT(id, PATH, id, session_game_not_found, 1, 0, "The session.")
    INPUT(game, PATH, id, session_game_not_found, 1, 0,
	"What it played, by the id of its list."))
OPERATION(session_game_room, PATCH,
    "/api/sessions/{id}/games/{game}/room-code", FRONT, ADMIN, WRITE, NONE,
    "session:{id}", 200, session_game,
    "Says in which room a game is played.",
    INPUT(id, PATH, id, session_game_not_found, 1, 0, "The session.")
    INPUT(game, PATH, id, session_game_not_found, 1, 0,
	"What it played, by the id of its list.")
    INPUT_ELSE(room_code, BODY, room, input_missing, room_code_invalid, 4, 4,
	"The room."))
OPERATION(session_game_status, PATCH,
    "/api/sessions/{id}/games/{game}/status", FRONT, ADMIN, WRITE, NONE,
    "session:{id}", 200, session_game_status,
    "Says what became of a game. One at most is playing: the one that was "
    "has been played then.",
    INPUT(id, PATH, id, session_game_not_found, 1, 0, "The session.")
    INPUT(game, PATH, id, session_game_not_found, 1, 0,
	"What it played, by the id of its list.")
    INPUT_CHOICE_ELSE(status, BODY, status_invalid, status_invalid,
	"playing|played|skipped", "What became of it."))
OPERATION(session_get, GET, "/api/sessions/{id}", FRONT, READER, READ, NONE,
    "", 200, session,
    "One session.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(session_list, GET, "/api/sessions", FRONT, READER, READ, NONE, "",
    200, sessions,
    "Sessions, the newest first. X-Total-Count has how many the filter "
    "shows, X-Absolute-Total how many there are, X-Prev-Last-Date when the "
    "one before the first of this page was made.",
    INPUT_CHOICE(filter, QUERY, none, "default|all|archived",
	"default hides what is archived.")
    INPUT(limit, QUERY, page, none, 0, 1000000000,
	"At most so many, or all.")
    INPUT(offset, QUERY, skip, none, 0, 1000000000,
	"So many of the newest are left out. What is no number counts as 0."))
OPERATION(session_recap, GET, "/api/sessions/{id}/recap", FRONT, READER,
    READ, NONE, "", 200, session_recap,
    "A night as it went: its games with their minutes and votes, votes over "
    "time, players, chat.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(step, QUERY, integer, none, 1, 1440,
	"Votes over time are counted in so many minutes; 5 without it."))
OPERATION(session_stream, GET, "/api/sessions/{id}/stream", FRONT, READER,
    OWN, NONE, "session:{id}", 200, event_stream,
    "A session's events as they happen (Server-Sent Events).",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(since, QUERY, cursor, none, 0, 0,
	"Where the client stopped, unless Last-Event-ID says it. Without "
	"either: from now on.")
    INPUT(ticket, QUERY, ticket, none, 0, 0,
	"In place of a token."))
OPERATION(session_unarchive, POST, "/api/sessions/{id}/unarchive", FRONT,
    ADMIN, WRITE, NONE, "session:{id}", 200, success,
    "Puts an archived session back into the default list.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(session_votes, GET, "/api/sessions/{id}/votes", FRONT, READER,
    READ, NONE, "", 200, session_votes,
    "What each game got in a session's live votes, the best liked first.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(stats, GET, "/api/stats", FRONT, READER, READ, NONE, "", 200,
    stats,
    "Totals, and the games that were played most and liked best.", )
OPERATION(stats_trends, GET, "/api/stats/trends", FRONT, READER, SLOW, NONE,
    "", 200, stats_trends,
    "A season by weeks or months: sessions, games, minutes, votes, players; "
    "and what was played most in it.",
    INPUT(from, QUERY, day, none, 0, 0,
	"Its first day, in UTC; a year before the last one without it.")
    INPUT(to, QUERY, day, none, 0, 0, "Its last day; today without it.")
    INPUT_CHOICE(by, QUERY, none, "week|month",
	"What it is cut into; weeks without it, which begin on Monday."))
OPERATION(status, GET, "/status", ADMIN, ANYONE, LOCAL, NONE, "", 200,
    status,
    "All counters, by process and in sum, as JSON.", )
#include "tbl/operations_tabletop.h"
OPERATION(vote_create, POST, "/api/votes/live", FRONT, BOT, BATCH, EVENT,
    "lobby", 200, vote_recorded,
    "Votes for the game that the active session played at that moment, or "
    "for the one with that ticker; the session's stream is told "
    "vote.received.",
    INPUT(username, BODY, text, vote_fields_missing, 1, 100, "Who votes.")
    INPUT_CHOICE_ELSE(vote, BODY, vote_fields_missing, vote_invalid,
	"up|down", "How.")
    INPUT_ELSE(timestamp, BODY, moment, vote_fields_missing,
	timestamp_invalid, 0, 0, "When.")
    INPUT(ticker, BODY, text, none, 0, 16,
	"The symbol of a game, in any case of letters."))
OPERATION(vote_list, GET, "/api/votes", FRONT, READER, READ, NONE, "", 200,
    votes,
    "Live votes, the newest first.",
    INPUT(session_id, QUERY, id, none, 1, 0, "Only of this session.")
    INPUT(game_id, QUERY, id, none, 1, 0, "Only for this game.")
    INPUT(username, QUERY, text, none, 1, 100, "Only of this name.")
    INPUT_CHOICE(vote_type, QUERY, none, "up|down", "Only these.")
    INPUT(page, QUERY, skip, none, 0, 1000000000,
	"Which page; 0 is the first one, as 1 is.")
    INPUT(limit, QUERY, skip, none, 0, 100,
	"At most so many on a page; 50 without it and for 0."))
#include "tbl/operations_webhook.h"
