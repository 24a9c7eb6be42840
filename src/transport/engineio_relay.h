/* SPDX-License-Identifier: MIT */
/*
 * A connection under TLS cannot move to another process. So its bytes, once
 * they are in clear, are carried between it and a pair of Unix sockets whose
 * other end moves instead. None moves to another host: they are carried to
 * a connection there.
 *
 *	client <── TLS ──> worker B <── pair ──> worker A, its session's
 *	client <─────────> host B <────────────> host A, its session's
 *
 * Holds always:
 *  1. Who does not take what is carried makes the other side wait: no more
 *     than the queue of a socket is kept in each direction.
 *  2. The end of one side is the end of the other, after what came before.
 *
 *	fd = engineio_relay_create(set, from, &places);
 *	... fd goes to the other worker ...
 */
#ifndef TRANSPORT_ENGINEIO_RELAY_H
#define TRANSPORT_ENGINEIO_RELAY_H

#include "transport/engineio_inside.h"

struct st_h2o_socket_t;

/* Takes over both; -1: there is no room, and it is closed. */
int	engineio_relay_create(struct engineio_set *set,
	    struct st_h2o_socket_t *from, struct peer_places *places);
/* Takes over all three. beyond: of the other host, switched already. */
void	engineio_relay_join(struct engineio_set *set,
	    struct st_h2o_socket_t *from, struct st_h2o_socket_t *beyond,
	    struct peer_places *places);
/* Ends as many of them as are due where all have to go in left_ms. */
void	engineio_relays_drain(struct engineio_set *set, int64_t left_ms,
	    int64_t each_ms);

#endif
