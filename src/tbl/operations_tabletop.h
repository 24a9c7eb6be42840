/* SPDX-License-Identifier: MIT */
/* Of tbl/operations.h, which says what is in a row: the tabletop's. */
OPERATION(tabletop_chat_list, GET, "/api/tabletop/sessions/{id}/chat", FRONT,
    USER, READ, NONE, "", 200, tabletop_chat,
    "What was said to a session, the newest of it, in that order.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(before, QUERY, id, none, 1, 0, "Only what was said before this.")
    INPUT(limit, QUERY, integer, none, 1, 200,
	"At most so many; 50 without it."))
OPERATION(tabletop_encounter_create, POST,
    "/api/tabletop/sessions/{id}/encounters", FRONT, USER, WRITE, EVENT,
    "table:{id}", 201, tabletop_encounter,
    "Adds an encounter to a session that the caller leads.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(name, BODY, text, input_missing, 1, 200, "What it is called."))
OPERATION(tabletop_encounter_list, GET,
    "/api/tabletop/sessions/{id}/encounters", FRONT, USER, READ, NONE, "",
    200, tabletop_encounters,
    "The encounters of a session.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(tabletop_login, POST, "/api/tabletop/login", FRONT, ANYONE, OWN,
    NONE, "", 200, tabletop_user,
    "Exchanges name and password for the cookie connect.sid, which is good "
    "for two weeks.",
    INPUT(name, BODY, text, input_missing, 1, 100, "The user's name.")
    INPUT(password, BODY, text, input_missing, 1, 256, "His password."))
OPERATION(tabletop_logout, POST, "/api/tabletop/logout", FRONT, USER, OWN,
    NONE, "", 204, nothing,
    "Ends the login that the request came with, and takes the cookie away.",
    )
OPERATION(tabletop_me, GET, "/api/tabletop/me", FRONT, USER, READ, NONE, "",
    200, tabletop_user,
    "Who is asking; an admin by his token has no id.", )
OPERATION(tabletop_member_add, POST, "/api/tabletop/sessions/{id}/members",
    FRONT, USER, WRITE, EVENT, "table:{id}", 200, tabletop_session,
    "Lets a user play in a session that the caller leads.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(userId, BODY, id, input_missing, 1, 0, "The user."))
OPERATION(tabletop_member_remove, DELETE,
    "/api/tabletop/sessions/{id}/members/{userId}", FRONT, USER, WRITE,
    NONE, "table:{id}", 200, tabletop_session,
    "Lets a user play in a session no longer; his sockets leave it.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(userId, PATH, id, user_not_found, 1, 0, "The user."))
OPERATION(tabletop_session_create, POST, "/api/tabletop/sessions", FRONT,
    USER, WRITE, NONE, "lobby", 201, tabletop_session,
    "Makes a session, which the caller leads as its game master.",
    INPUT(name, BODY, text, input_missing, 1, 200, "What it is called.")
    INPUT(description, BODY, text, none, 0, 10000, "And what it is about.")
    INPUT(gameMasterId, BODY, id, none, 1, 0,
	"Another game master, whom only admins can name."))
OPERATION(tabletop_session_delete, DELETE, "/api/tabletop/sessions/{id}",
    FRONT, USER, WRITE, NONE, "table:{id}", 200, success,
    "Removes a session that the caller leads, with all that belongs to it.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(tabletop_session_get, GET, "/api/tabletop/sessions/{id}", FRONT,
    USER, READ, NONE, "", 200, tabletop_session,
    "A session that the caller plays in.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session."))
OPERATION(tabletop_session_list, GET, "/api/tabletop/sessions", FRONT, USER,
    READ, NONE, "", 200, tabletop_sessions,
    "The sessions that the caller plays in, the newest first; all of them "
    "for admins.", )
OPERATION(tabletop_session_update, PATCH, "/api/tabletop/sessions/{id}",
    FRONT, USER, WRITE, EVENT, "table:{id}", 200, tabletop_session,
    "Changes what is said of a session that the caller leads.",
    INPUT(id, PATH, id, session_not_found, 1, 0, "The session.")
    INPUT(name, BODY, text, none, 1, 200, "What it is called.")
    INPUT(description, BODY, text, none, 0, 10000, "What it is about.")
    INPUT_CHOICE(status, BODY, none, "active|paused|ended|scheduled",
	"How it stands.")
    INPUT(gameMasterId, BODY, id, none, 1, 0, "Who leads it from now on."))
OPERATION(tabletop_token_list, GET, "/api/tabletop/encounters/{id}/tokens",
    FRONT, USER, READ, NONE, "", 200, tabletop_tokens,
    "The tokens of an encounter.",
    INPUT(id, PATH, id, encounter_not_found, 1, 0, "The encounter."))
OPERATION(tabletop_user_create, POST, "/api/tabletop/users", FRONT, USER,
    OWN, NONE, "lobby", 201, tabletop_user,
    "Makes a user, for admins alone.",
    INPUT(name, BODY, text, input_missing, 1, 100,
	"His name, which nobody else has.")
    INPUT(password, BODY, text, input_missing, 1, 256, "His password.")
    INPUT(isAdmin, BODY, boolean, none, 0, 0,
	"Whether he may do all that admins can here; false without it."))
