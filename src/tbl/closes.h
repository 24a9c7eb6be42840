/* SPDX-License-Identifier: MIT */
/*
 * Why the server closes a live connection, one row each, sorted by name. The
 * close frame's reason is {"code":"<name>","again":"<again>"}, and
 * "retry_after_ms" where there is one.
 *
 *	CLOSE(name, number, again, text)
 *
 * again: now (reconnect, and resume where it stopped), later (the same, but
 * not at once), sign_in (the same with a new token), never.
 */
CLOSE(draining, 1012, now,
    "The server is being replaced or stopped; another one takes over.")
CLOSE(message_too_long, 1009, never,
    "A message is longer than live_message_max.")
CLOSE(protocol_error, 1002, never,
    "What was sent is not WebSocket.")
CLOSE(revoked, 4003, sign_in,
    "The token, or whoever it was made for, was revoked.")
CLOSE(sign_in_timeout, 4001, now,
    "No auth message came within live_sign_in.")
CLOSE(silent, 4008, now,
    "Nothing was heard of the client for live_silence.")
CLOSE(slow, 4009, now,
    "The client took its events too slowly; none is lost, as it can resume.")
CLOSE(tenant_gone, 4004, never,
    "The tenant was removed.")
CLOSE(text_invalid, 1007, never,
    "A text is not UTF-8.")
CLOSE(token_expired, 4002, sign_in,
    "The token's time is over.")
CLOSE(too_many_connections, 4030, later,
    "The caller has more connections than connections_per_caller.")
CLOSE(too_many_messages, 4029, later,
    "More messages a minute than live_messages, or all of the address, the "
    "caller or the tenant more than messages_per_address and so on.")
CLOSE(unavailable, 1013, later,
    "The database could not be asked.")
