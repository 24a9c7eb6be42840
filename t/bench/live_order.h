/* SPDX-License-Identifier: MIT */
/*
 * The order of a room's events: whoever is first to get one sets it, and all
 * others must get the same.
 *
 *	static struct order order;
 *	uint32_t place = 0;	of one socket, behind its last event
 *
 *	if (order_take(&order, &place, event, seq) == ORDER_RIGHT)
 *		deliveries++;
 *
 * Holds always:
 *  1. An event is in the order once.
 *  2. A socket's place moves only over events that it got.
 */
#ifndef LIVE_ORDER_H
#define LIVE_ORDER_H

#include <stdint.h>

struct order {
	uint32_t *events;
	uint32_t count, size;
	long	 last_seq;	/* as the server numbers; 0: none yet */
	long	 gaps;		/* in that */
};

enum order_verdict {
	ORDER_RIGHT,
	ORDER_REPEATED,
	ORDER_WRONG
};

/* seq: the server's number of it, or 0. */
enum order_verdict order_take(struct order *order, uint32_t *place,
	    uint32_t event, long seq);

#endif
