/* SPDX-License-Identifier: MIT */
/*
 * Moments of a turn's events, and one look at the clock at its end.
 */
#include "core/lag.h"

#include "base/count.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "core/hub_event.h"
#include "plat/loop.h"

#define MOST 1024		/* of one turn; more are not measured */

struct lag {
	unsigned	 magic;
#define LAG_MAGIC 0x6c616720
	struct loop	*loop;
	unsigned	 count;
	int64_t		 told_us[MOST];
};

struct lag *
lag_create(struct loop *loop)
{
	struct lag *lag = object_create(struct lag, LAG_MAGIC);

	lag->loop = loop;
	return (lag);
}

static void
on_turns_end(struct lag *lag)
{
	int64_t now_us;

	if (lag->count == 0)
		return;
	now_us = clock_us();
	for (unsigned i = 0; i < lag->count; i++)
		HISTOGRAM_ADD(delivery, now_us > lag->told_us[i] ?
		    now_us - lag->told_us[i] : 0);
	lag->count = 0;
}

void
lag_watch(struct lag *lag)
{
	loop_at_turns_end(lag->loop, on_turns_end, lag);
}

void
lag_note(struct lag *lag, struct event *event)
{
	object_check(lag, LAG_MAGIC);
	if (event->told_us != 0 && lag->count < MOST)
		lag->told_us[lag->count++] = event->told_us;
	/* Another form of it is not another event. */
	event->told_us = 0;
}

void
lag_destroy(struct lag **given)
{
	struct lag *lag = *given;

	*given = NULL;
	if (lag == NULL)
		return;
	object_check(lag, LAG_MAGIC);
	loop_leave_turns_end(lag->loop, lag);
	object_free(&lag);
}
