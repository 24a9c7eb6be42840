/* SPDX-License-Identifier: MIT */
/*
 * Server-Sent Events: a stream as EventSource and `curl -N` read it.
 *
 *	retry: 1400		how long to wait before coming back
 *	id: k3:41		where it stands, though nothing happened yet
 *
 *	id: k3:42		an event: its envelope, under no name
 *	data: {"type":"vote.received","seq":42,…}
 *
 *	data: {"type":"game.status",…}
 *				a LIVE one has no number, so the id stays
 *	event: resync		the state instead of the events up to its id
 *	id: k4:7
 *	data: {"from":1,"state":{…}}
 *
 *	:			a sign of life
 *
 *	event: deleted		the last one: there is no such stream any more
 *	event: closing		the last one: {"code":…,"again":…}
 *
 * Holds always:
 *  1. The id of a block is where the client stands who has read it; with it
 *     as Last-Event-ID, at any worker, all goes on without gap or repeat.
 *  2. Each event is written in this form once, for all clients of a worker.
 *  3. It ends with its stream, with its client's rights, with its worker, or
 *     because its client is too slow; the last three can be resumed.
 */
#ifndef TRANSPORT_SSE_H
#define TRANSPORT_SSE_H

#include "core/op.h"

void	operation_lobby_stream(struct op *op);
void	operation_session_stream(struct op *op);

/* A block of id (at NULL: none), name (at NULL: none) and data, by lines. */
struct bytes;
struct bytes *sse_block(text name, text id, text data);

#endif
