/* SPDX-License-Identifier: MIT */
/*
 * What pickers, bots and overlays say over /api/sessions/live.
 *
 *	auth         ──> auth_success | auth_error
 *	subscribe    ──> subscribed, and then the session's events | error
 *	unsubscribe  ──> unsubscribed
 *	ping         ──> pong
 *	poll.leading ──> nothing, but to all subscribers | error
 *	poll.start   ──> the same
 *	page_focus   ──> presence_update, and again as others come and go
 *	             <── session.started, from then on where it signed in
 *
 * Holds always:
 *  1. Who has not signed in hears no event. His rights end with his token,
 *     or when it is revoked, and then the connection is closed.
 *  2. auth_success and subscribed come before the events that follow their
 *     cursor; after them nothing is left out and nothing comes twice.
 *  3. What cannot be understood is answered with `error`; the connection
 *     stays.
 *
 *	apps = live_create(service);
 *	... a door of { LIVE_PATH, &live_acts, apps } ...
 *	live_drain(apps, spread_ms);
 *	live_destroy(&apps);		all connections were closed before
 */
#ifndef APP_LIVE_H
#define APP_LIVE_H

#include "core/service.h"
#include "transport/ws.h"

#define LIVE_PATH "/api/sessions/live"

struct live;

extern const struct ws_acts live_acts;

struct live	*live_create(struct service *service);
void		 live_destroy(struct live **live);
/* Asks all clients to come back, one after the other, over that time. */
void		 live_drain(struct live *live, int64_t spread_ms);

#endif
