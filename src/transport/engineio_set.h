/* SPDX-License-Identifier: MIT */
/*
 * The side of Engine.IO that HTTP sees: all sessions of a worker, and how a
 * request reaches its session.
 *
 * Holds always:
 *  1. A session that polls has a place among the connections of the host,
 *     its address and its tenant, as a connection has; one with a WebSocket
 *     has those of its socket.
 *  2. After engineio_set_close there is none, and none begins; the
 *     applications were told.
 *
 *	set = engineio_set_create(ground, loop, socks, doors);
 *	door = engineio_door_of(set, path);	whose it is, or NULL
 *	engineio_request(set, peer, door);
 *	engineio_set_drain(set, spread_ms);
 *	engineio_set_close(set);		before the sockets end
 *	engineio_set_destroy(&set);
 */
#ifndef TRANSPORT_ENGINEIO_SET_H
#define TRANSPORT_ENGINEIO_SET_H

#include "core/act.h"
#include "transport/engineio.h"
#include "transport/peer.h"

struct engineio_set;
struct socks;

/* doors: NULL where there are none. */
struct engineio_set *engineio_set_create(const struct op_ground *ground,
		    struct loop *loop, struct socks *socks,
		    const struct engineio_door *doors);
void		 engineio_set_drain(struct engineio_set *set,
		    int64_t spread_ms);
void		 engineio_set_close(struct engineio_set *set);
void		 engineio_set_destroy(struct engineio_set **set);
/* Sessions that have no socket of their own. */
size_t		 engineio_set_count(const struct engineio_set *set);

const struct engineio_door *engineio_door_of(const struct engineio_set *set,
		    text path);
/* Answers peer->op, holds it, or makes a connection of it. */
void		 engineio_request(struct engineio_set *set,
		    struct peer *peer, const struct engineio_door *door);
/* What h2o refused; the answer is sent by the caller. */
void		 engineio_refuse(struct op *op, unsigned status);

#endif
