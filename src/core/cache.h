/* SPDX-License-Identifier: MIT */
/*
 * Answers of public reads, kept as long as nothing changed. Each worker has
 * its own; what changed they learn from the versions in the segment.
 *
 *	version read ──> query sent ──> snapshot ──> answer kept, tagged
 *	                 a write commits ──> bump ──> the writer tells of it
 *
 * Holds always:
 *  1. Nobody reads less than he was told: an answer is given out only while
 *     the version is the one read before its query was sent, and whoever
 *     tells of a change bumps first.
 *  2. None is given out that is older than CACHE_LIFE_MS: PostgreSQL may
 *     commit after the worker that asked for it is dead.
 *  3. The same holds for those who wait for a query that somebody else sent:
 *     they join it only while its version stands.
 *  4. At most `bytes`, of what is kept and not in use; what was not asked
 *     for the longest goes first.
 *
 *	if (cache_find(cache, op)) { cache_reply(op); return; }
 *	if (cache_join(cache, op))
 *		return;		... another one's query will answer op too
 *	... send the query; when it ends, with 200:
 *	others = cache_end(cache, op, body, headers);
 *	if (op->cached != NULL) cache_reply(op), and all of others the same
 */
#ifndef CORE_CACHE_H
#define CORE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/op.h"

#define CACHE_LIFE_MS	5000
#define CACHE_TARGET_MAX 1024	/* longer ones are not kept */

struct cache;

struct cache	*cache_create(struct segment *segment);
/* After all queries ended. */
void		 cache_destroy(struct cache **cache);

/* What may be kept, and for how long at most; 0 of either: nothing. */
void	cache_bound(struct cache *cache, int64_t bytes, int64_t life_ms);

/* What is kept of the op's tenant and target, held in op->cached. */
bool	cache_find(struct cache *cache, struct op *op);
void	cache_reply(struct op *op);

/* true: op waits for the query of another. false: op has to ask itself. */
bool	cache_join(struct cache *cache, struct op *op);
/*
 * The query of op ended. body at NULL: with nothing to keep. headers: as
 * in op_add_headers. Those who waited for it come back, linked by next; if
 * the answer is kept it is held by them and by op.
 */
struct op *cache_end(struct cache *cache, struct op *op, text body,
	    text headers);

void	cache_give(struct cached **cached);

#endif
