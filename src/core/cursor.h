/* SPDX-License-Identifier: MIT */
/*
 * Where a client stopped: nothing, a bare number, or a number with the epoch
 * that it counts in.
 *
 *	since=41  since=k3:41		  in a query, in Last-Event-ID
 *	41  {"epoch":"k3","seq":41}	  in JSON
 *
 * A bare number counts in whatever epoch is the present one; only the pair
 * is proof.
 *
 * Holds always:
 *  1. A number is at most CURSOR_SEQ_MAX, so that the next one is still one
 *     of PostgreSQL's.
 *  2. An epoch is 1 to RING_EPOCH_MAX signs of ASCII that are seen; none of
 *     them a colon.
 *  3. What is read points into what it was read from; what is refused sets
 *     nothing.
 *
 *	struct cursor cursor = { CURSOR_NONE };
 *
 *	if (!cursor_read(since, &cursor)) ...
 *	hub_join(hubs, tenant, stream, &sub, &cursor);
 */
#ifndef CORE_CURSOR_H
#define CORE_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json_object;

enum cursor_kind { CURSOR_NONE, CURSOR_NUMBER, CURSOR_PAIR };

#define CURSOR_SEQ_MAX ((uint64_t)INT64_MAX - 1)

struct cursor {
	enum cursor_kind kind;
	uint64_t	 seq;
	text		 epoch;		/* of a pair */
};

/* false: it is neither form. */
bool	cursor_read(text t, struct cursor *out);
/* NULL, which is also what null is, is no cursor. */
bool	cursor_read_json(struct json_object *value, struct cursor *out);
/* As cursor_read reads it; nothing for none. */
void	cursor_write(const struct cursor *cursor, struct buf *out);

#endif
