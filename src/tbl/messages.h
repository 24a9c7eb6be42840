/* SPDX-License-Identifier: MIT */
/*
 * What is said over /api/sessions/live beside the events, one row each,
 * sorted by name, which is its "type".
 *
 *	MESSAGE(name, direction, answers, text)
 *
 * direction: FROM_CLIENT or FROM_SERVER. answers: what the server says to it,
 * by blanks. The form of each is src/tbl/schema/live_<name>.json; each
 * FROM_CLIENT has an `on_<name>` in app/live.c.
 */
MESSAGE(auth, FROM_CLIENT, "auth_success auth_error error",
    "Signs in, and follows the lobby from then on.")
MESSAGE(auth_error, FROM_SERVER, "",
    "The token is missing, or nobody believes it.")
MESSAGE(auth_success, FROM_SERVER, "",
    "The client is signed in; events of the lobby follow.")
MESSAGE(error, FROM_SERVER, "",
    "What was said came to nothing; the connection stays.")
MESSAGE(ping, FROM_CLIENT, "pong",
    "Asks for a sign of life; needs no sign-in.")
MESSAGE(pong, FROM_SERVER, "",
    "Where all stands that the client follows.")
MESSAGE(resync, FROM_SERVER, "",
    "Events cannot be told one by one any more: the state instead.")
MESSAGE(subscribe, FROM_CLIENT, "subscribed error",
    "Follows a session, from a place on or from now.")
MESSAGE(subscribed, FROM_SERVER, "",
    "The client follows the session; its events come behind this.")
MESSAGE(unsubscribe, FROM_CLIENT, "unsubscribed error",
    "Follows a session no longer.")
MESSAGE(unsubscribed, FROM_SERVER, "",
    "Nothing more of the session comes.")
