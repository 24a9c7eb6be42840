/* SPDX-License-Identifier: MIT */
/*
 * Small traces of a hub: what happens, then what was asked of the log and
 * what each client was told.
 *
 *	begin_live("a number that comes early", 2);	ann is live at 2
 *	commits(1);
 *	hear(3);
 *	heard(ANN, "3");
 *	asked("");
 *	end();
 *
 * What clients are told: "at e1:2" subscribed without a cursor, "again e1:2"
 * with one that was heeded, "anew e1:2" with the state; "3" an event,
 * "live" one without a number; "resync e2:1", "missing", "deleted",
 * "refused". Of the log: "READ 3", "STATE e1:4"; "told" are the caches.
 */
#ifndef UNIT_HUB_TRACE_H
#define UNIT_HUB_TRACE_H

#include "hub_driver.h"

/* One client each, by place. */
enum { ANN, BOB, CAT, DAN };

static const struct cursor none = { .kind = CURSOR_NONE };

static void
begin(const char *name)
{
	test(name);
	begin_world(4, 4, 2);
	world.keeps_story = true;
}

static void
end(void)
{
	end_world();
	ok(world.wrong == NULL);
	if (world.wrong != NULL)
		fprintf(stderr, "# %s\n", world.wrong);
}

static struct cursor
since(uint64_t seq)
{
	return ((struct cursor){ .kind = CURSOR_NUMBER, .seq = seq });
}

static struct cursor
pair(unsigned epoch, uint64_t seq)
{
	return ((struct cursor){ .kind = CURSOR_PAIR, .seq = seq,
	    .epoch = epoch_text(epoch) });
}

static void
commits(unsigned count)
{
	while (count-- > 0)
		commit(true);
}

/* What was committed so many-eth, with what came along. */
static void
hear(unsigned number)
{
	hear_record(&world.news[number - 1], true);
}

static void
hear_bare(unsigned number)
{
	hear_record(&world.news[number - 1], false);
}

/* What was asked, and said of the caches, since the last look. */
#define asked(words)							\
	do {								\
		is_text(buf_text(&world.asked), (words));		\
		buf_clear(&world.asked);				\
	} while (0)

/* What a client was told since the last look. */
#define heard(who, words)						\
	do {								\
		is_text(buf_text(&world.stories[who]), (words));	\
		buf_clear(&world.stories[who]);				\
	} while (0)

/* A hub at the head of a log with so many events; ann is live. */
static void
begin_live(const char *name, unsigned count)
{
	begin(name);
	commits(count);
	join(ANN, none);
	answer();
	buf_clear(&world.asked);
	buf_clear(&world.stories[ANN]);
}

static void
sweep(void)
{
	hubs_sweep(world.hubs);
	sweep_end(false);
}

#endif
