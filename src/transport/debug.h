/* SPDX-License-Identifier: MIT */
/*
 * /debug/: which sockets the tenant's threads have, for whoever looks for a
 * fault. These are paths of older clients, which is why they are not below
 * /api.
 *
 * Holds always:
 *  1. They are not there without debug_key; two of them are, for the default
 *     tenant, where debug_open is on.
 *  2. Who shows neither the key nor an admin's token learns nothing.
 */
#ifndef TRANSPORT_DEBUG_H
#define TRANSPORT_DEBUG_H

#include "core/op.h"

enum debug_what {
	DEBUG_ALL_SESSIONS, DEBUG_THREAD_SESSIONS, DEBUG_WEBSOCKET_SESSIONS
};

/* Who knows. The op waits already; thread is lent by it. */
struct debug_acts {
	void	(*answer)(void *context, struct op *op,
		    enum debug_what what, text thread);
};

struct debug_door {
	const struct debug_acts *acts;	/* NULL: nobody knows anything */
	void		*context;
};

void	operation_debug_all_sessions(struct op *op);
void	operation_debug_thread_sessions(struct op *op);
void	operation_debug_websocket_sessions(struct op *op);

/* Whether it is one of these paths, whose tenant its host says. */
bool	debug_is_at(text path);

#endif
