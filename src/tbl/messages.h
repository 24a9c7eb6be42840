/* SPDX-License-Identifier: MIT */
/*
 * What is said over /api/sessions/live beside the events, one row each,
 * sorted by name.
 *
 *	MESSAGE(name, type, direction, answers, text)
 *
 * type: its "type". direction: FROM_CLIENT or FROM_SERVER. answers: what the
 * server says to it, by blanks. The form of each is
 * src/tbl/schema/live_<name>.json; each FROM_CLIENT has an `on_<name>` in
 * app/live.c.
 */
MESSAGE(auth, "auth", FROM_CLIENT, "auth_success auth_error error",
    "Signs in, and follows the lobby from then on.")
MESSAGE(auth_error, "auth_error", FROM_SERVER, "",
    "The token is missing, or nobody believes it.")
MESSAGE(auth_success, "auth_success", FROM_SERVER, "",
    "The client is signed in; events of the lobby follow.")
MESSAGE(error, "error", FROM_SERVER, "",
    "What was said came to nothing; the connection stays.")
MESSAGE(page_focus, "page_focus", FROM_CLIENT, "presence_update error",
    "Says which page the client shows, and hears who else is there.")
MESSAGE(ping, "ping", FROM_CLIENT, "pong",
    "Asks for a sign of life; needs no sign-in.")
MESSAGE(poll_leading, "poll.leading", FROM_CLIENT, "error",
    "Says who is in front in a session's poll; it comes to all subscribers.")
MESSAGE(poll_start, "poll.start", FROM_CLIENT, "error",
    "Begins a poll, as POST /api/sessions/{id}/voting/start does.")
MESSAGE(pong, "pong", FROM_SERVER, "",
    "Where all stands that the client follows.")
MESSAGE(presence_update, "presence_update", FROM_SERVER, "",
    "Which admins show the client's page.")
MESSAGE(resync, "resync", FROM_SERVER, "",
    "Events cannot be told one by one any more: the state instead.")
MESSAGE(subscribe, "subscribe", FROM_CLIENT, "subscribed error",
    "Follows a session, from a place on or from now.")
MESSAGE(subscribed, "subscribed", FROM_SERVER, "",
    "The client follows the session; its events come behind this.")
MESSAGE(unsubscribe, "unsubscribe", FROM_CLIENT, "unsubscribed error",
    "Follows a session no longer.")
MESSAGE(unsubscribed, "unsubscribed", FROM_SERVER, "",
    "Nothing more of the session comes.")
