/* SPDX-License-Identifier: MIT */
/*
 * Requests that are held: noticing at once that a client leaves while he
 * waits for an answer, or while he listens to one without an end.
 *
 * h2o stops reading when it has a request, so it would see only when it
 * writes that nobody is there. What it reads would go where headers and body
 * still lie. So the socket is watched without reading from it.
 *
 *	held_begin ──> readable? ──> hung up: the request ends
 *	                         └─> he sent more: watched by each look only
 *	held_end <── h2o gets its socket back, before the answer's end
 *
 * Holds always:
 *  1. While it is held nothing is read, so what was lent stays.
 *  2. A client that shuts only his sending side counts as gone.
 *  3. Being held is not being idle: no limit of time ends it.
 */
#ifndef TRANSPORT_HELD_H
#define TRANSPORT_HELD_H

#include "transport/peer.h"

void	held_begin(struct peer *peer);
/* Of one that is not held: nothing. */
void	held_end(struct peer *peer);
/* At each look at one that is held. */
void	held_look(struct peer *peer);

#endif
