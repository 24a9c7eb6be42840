/* SPDX-License-Identifier: MIT */
/*
 * Batched operations: requests of one operation on one stream that come
 * while a call is on its way go together in the next one, so that a crowd
 * costs one commit and not a thousand.
 *
 *	 a ──> call 1 ─────────────> answers a
 *	   b, c, d wait          ──> call 2 ──> answers b, c, d
 *
 * Holds always:
 *  1. Places in the call are in the order of arrival, so ids and numbers are
 *     too.
 *  2. One call of a stream is on its way at a time; the first goes at the
 *     end of the turn of the loop.
 *  3. Each element has an answer of its own. Where PostgreSQL refuses a call
 *     as a whole, its elements are tried one by one, so that none suffers
 *     from another; unless it refuses because it has no time or no room.
 *  4. At most BATCH_MOST elements and BATCH_BYTES of input are in a call; at
 *     most `db_queue` wait for one stream, one more is refused.
 *
 *	batch_add(service->batches, op);	... op is answered later
 */
#ifndef CORE_BATCH_H
#define CORE_BATCH_H

#include "core/service.h"

#define BATCH_MOST	256
#define BATCH_BYTES	262144
/* Before the inputs: callers, request ids, keys, hashes. */
#define BATCH_INPUTS	4

struct batches;

struct batches	*batches_create(struct service *service);
/* What still waits for the turn's end is sent; no more is added. */
void		 batches_close(struct batches *batches);
/* After the pool: all are answered then. */
void		 batches_destroy(struct batches **batches);
void		 batch_add(struct batches *batches, struct op *op);

#endif
