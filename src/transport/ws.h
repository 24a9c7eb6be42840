/* SPDX-License-Identifier: MIT */
/*
 * WebSocket connections of a worker: handshake, frames, compression, pings,
 * silence and slowness. What is said over them is an application's.
 *
 *	h2o request ──> ws_upgrade ──> 101 ──> plat/sock ──> plat/frame
 *	                                           │ on_text
 *	application <──────────────────────────────┘
 *	application ──> ws_send_text, ws_send_event ──> one write a turn
 *
 * Holds always:
 *  1. on_close is told once, last, whoever closed it and why; a connection
 *     whose application said ws_close is told so, too.
 *  2. A numbered event is delivered, or the connection is closed so that the
 *     client can resume: only LIVE ones may be left out or replaced.
 *  3. An event is framed once for all connections, and once more deflated.
 *  4. Inside its callbacks an application may send, close and leave hubs.
 *
 *	static const struct ws_acts acts = { … };
 *	... http_setup.doors has { "/api/sessions/live", &acts, context } ...
 *	on_open(ws, context): ws_set_application(ws, me)
 */
#ifndef TRANSPORT_WS_H
#define TRANSPORT_WS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "core/bound.h"
#include "core/hub_event.h"

struct op_ground;
struct ws;
struct tenant;

enum close {
#define CLOSE(name, ...) CLOSE_##name,
#include "tbl/closes.h"
#undef CLOSE
	CLOSES
};

struct close_row {
	const char	*name;
	unsigned	 number;
	const char	*again;
	const char	*text;
};
extern const struct close_row close_rows[CLOSES];

struct ws_acts {
	/* It is open. What it returns is the application's own of it. */
	void	*(*on_open)(struct ws *ws, void *context);
	void	 (*on_text)(void *application, text message);
	/* There is room again for what was replayed. */
	void	 (*on_room)(void *application);
	void	 (*on_close)(void *application);
};

/* A path that is upgraded, and by whom it is served. */
struct ws_door {
	const char	*path;
	const struct ws_acts *acts;
	void		*context;
};

/* Copied. */
void	ws_send_text(struct ws *ws, text message);
void	ws_send_event(struct ws *ws, struct event *event);
/* Whether more can be replayed. */
bool	ws_has_room(const struct ws *ws);
/* retry_after_ms 0: not said. on_close comes later. */
void	ws_close(struct ws *ws, enum close why, int64_t retry_after_ms);

struct tenant *ws_tenant(const struct ws *ws);
/* As whom it is counted; it becomes a caller when it signs in. */
struct bound_client *ws_bound(struct ws *ws);
/* For operations that are said. It outlives the connection. */
const struct op_ground *ws_ground(const struct ws *ws);

#endif
