/* SPDX-License-Identifier: MIT */
/*
 * The side of WebSocket connections that HTTP sees: all those of a worker,
 * and how a request becomes one.
 *
 * Holds always:
 *  1. A connection keeps the places that its request had among the host's,
 *     its address's and its tenant's, and gives them back once.
 *  2. After ws_set_close there is none, and none begins.
 *
 *	set = ws_set_create(ground, loop);
 *	ws_upgrade(set, peer, door);		for a request with Upgrade
 *	ws_set_close(set);			before the applications end
 *	ws_set_destroy(&set);
 */
#ifndef TRANSPORT_WS_UPGRADE_H
#define TRANSPORT_WS_UPGRADE_H

#include "core/act.h"
#include "transport/peer.h"
#include "transport/ws.h"

struct ws_set;

struct ws_set	*ws_set_create(const struct op_ground *ground,
		    struct loop *loop);
void		 ws_set_close(struct ws_set *set);
void		 ws_set_destroy(struct ws_set **set);
size_t		 ws_set_count(const struct ws_set *set);
/* For whoever upgrades in other ways; NULL once it is closed. */
struct socks	*ws_set_socks(const struct ws_set *set);

/* Answers peer->op, or makes a connection of it. */
void		 ws_upgrade(struct ws_set *set, struct peer *peer,
		    const struct ws_door *door);

#endif
