/* SPDX-License-Identifier: MIT */
/*
 * Who got what, and in which order.
 */
#include "live_order.h"

#include <stdio.h>
#include <stdlib.h>

static int
is_known(const struct order *order, uint32_t until, uint32_t event)
{
	for (uint32_t i = until; i-- > 0;)
		if (order->events[i] == event)
			return (1);
	return (0);
}

static void
add(struct order *order, uint32_t event, long seq)
{
	if (order->count == order->size) {
		order->size = order->size * 2 + 64;
		order->events = realloc(order->events,
		    order->size * sizeof(*order->events));
		if (order->events == NULL) {
			perror("realloc");
			exit(1);
		}
	}
	order->events[order->count++] = event;
	if (seq != 0 && order->last_seq != 0 && seq != order->last_seq + 1)
		order->gaps++;
	order->last_seq = seq;
}

enum order_verdict
order_take(struct order *order, uint32_t *place, uint32_t event, long seq)
{
	if (*place == order->count && !is_known(order, *place, event))
		add(order, event, seq);
	if (*place < order->count && order->events[*place] == event) {
		(*place)++;
		return (ORDER_RIGHT);
	}
	return (is_known(order, *place, event) ? ORDER_REPEATED : ORDER_WRONG);
}
