/* SPDX-License-Identifier: MIT */
/*
 * What waits to be sent to one client: references to shared bytes, in order,
 * bounded by their sum.
 *
 *	put ──> | … | … | … |──── take ────> | … | … | ──> sent
 *		 waiting		      on its way
 *
 * Holds always:
 *  1. What was taken stays until it was sent, whatever else happens: its
 *     bytes are lent to whoever sends them.
 *  2. It takes a piece while all that is in it, each with OUTBOX_COST, is at
 *     most `most` with that; an empty one takes any.
 *
 *	if (!outbox_put(&outbox, bytes, most, now_ms)) ...
 *	count = outbox_take(&outbox, pieces, 64);
 *	...
 *	outbox_sent(&outbox);
 */
#ifndef TRANSPORT_OUTBOX_H
#define TRANSPORT_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

#define OUTBOX_COST 64		/* of each piece, beside its length */

struct outbox_piece {
	struct bytes	*bytes;
	int64_t		 since_ms;
};

/* All zero is an empty one. */
struct outbox {
	struct outbox_piece *ring;
	unsigned	 size;		/* a power of two, or 0 */
	unsigned	 first;
	unsigned	 count;
	unsigned	 taken;		/* of them, the first ones */
	size_t		 weight;	/* of all */
};

/* Takes a reference of its own; false: it does not fit. */
bool	outbox_put(struct outbox *outbox, struct bytes *bytes, size_t most,
	    int64_t now_ms);
/* After all that was taken was sent: the next pieces, still ours. */
unsigned outbox_take(struct outbox *outbox, struct bytes **out,
	    unsigned most);
void	outbox_sent(struct outbox *outbox);
/* Forgets what waits. */
void	outbox_shed(struct outbox *outbox);
/* All, when nobody sends any more. */
void	outbox_empty(struct outbox *outbox);

/* Since when the oldest piece is there; INT64_MAX: there is none. */
int64_t	outbox_since_ms(const struct outbox *outbox);

static inline bool
outbox_waits(const struct outbox *outbox)
{
	return (outbox->count > outbox->taken);
}

#endif
