/* SPDX-License-Identifier: MIT */
/*
 * A world around one hub, for its tests: the log of one stream and what was
 * committed to it (here), clients that check all that they are told
 * (hub_client.h), and a driver that asks and answers when it is told to
 * (hub_driver.h).
 *
 *	log ── commit ──> news: may be heard late, repeatedly, never
 *	 │
 *	 └ query: sent, seen (its snapshot), answered or failed
 *
 * The first violation stands in world.wrong.
 */
#ifndef UNIT_HUB_WORLD_H
#define UNIT_HUB_WORLD_H

#define HUB_SWITCH
#ifndef DEBUG_CHECKS
#define DEBUG_CHECKS 1
#endif
#include "core/hub.c"
#include "core/hub_answers.c"
#include "core/hub_rules.c"
#include "core/hub_sweep.c"

#include <stdarg.h>

#include "tap.h"

/* Each test uses what it needs. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define NUMBERS	12		/* the highest of any stream */
#define EPOCHS	24
#define CLIENTS	4
#define PAGE	8		/* the most; world.page has it */
#define NEWS	96

struct record {
	unsigned	 epoch;
	uint64_t	 seq;
	unsigned	 id;		/* rises with each commit */
	bool		 has_payload;
};

/* What a query saw. */
struct sight {
	bool		 exists;
	unsigned	 epoch;
	uint64_t	 lowest;
	uint64_t	 head;
	unsigned	 count;
	struct event	*rows[PAGE];
};

struct client {
	struct subscription sub;
	unsigned	 which;
	bool		 is_told;
	unsigned	 epoch;
	uint64_t	 last;
	unsigned	 joined;	/* step */
	struct cursor	 cursor;
	char		 cursor_epoch[8];
	bool		 is_full;
};

static struct world {
	const char	*wrong;
	struct hubs	*hubs;
	unsigned	 page;
	uint64_t	 gap_max;
	unsigned	 hold_max;
	unsigned	 step;
	/* The log. */
	bool		 exists;
	bool		 is_cold;	/* put back unseen; no writes */
	unsigned	 epoch;
	unsigned	 epochs;
	uint64_t	 lowest;
	uint64_t	 head;
	unsigned	 ids[EPOCHS][NUMBERS + 2];
	unsigned	 commits;
	unsigned	 told;		/* commits that the caches know of */
	unsigned	 missing;	/* the last step without the stream */
	unsigned	 deletions;
	struct record	 news[NEWS];
	unsigned	 news_count;
	/* The driver. */
	enum hub_query	 query;
	uint64_t	 from;
	unsigned	 known_epoch;
	uint64_t	 known_top;
	uint64_t	 lowest_when_sent;
	bool		 has_two_snapshots;
	bool		 has_seen;
	struct sight	 sight;
	unsigned	 queries;
	bool		 fails_at_once;	/* the next query does */
	bool		 is_failing;
	bool		 is_sweeping;
	bool		 has_sweep_seen;
	struct sight	 sweep_sight;
	bool		 has_interest;
	bool		 timers[HUB_TIMERS];
	/* Clients. */
	struct client	*clients[CLIENTS];
	void		(*on_moment)(struct client *client);
	void		(*on_gone)(unsigned which);
	bool		 keeps_story;
	struct buf	 stories[CLIENTS];
	struct buf	 asked;
	struct {
		uint64_t delivered, replayed, resyncs, states, reads;
		uint64_t failures, deleted, held, bumps, live;
	} tally;
} world;

#define wrong_unless(x, what)						\
	do {								\
		if (!(x) && world.wrong == NULL)			\
			world.wrong = (what);				\
	} while (0)

static const text stream = TEXT("session:7");

static text
epoch_text(unsigned epoch)
{
	static char names[EPOCHS][4];

	if (epoch >= EPOCHS)
		must_never("there are epochs left");
	snprintf(names[epoch], sizeof names[epoch], "e%u", epoch);
	return (text_of(names[epoch]));
}

static unsigned
epoch_number(text t)
{
	int64_t number = 0;

	must(text_to_int64(text_from(t.at + 1, t.len - 1), 0, EPOCHS - 1,
	    &number));
	return ((unsigned)number);
}

static struct hub *
the_hub(void)
{
	return (hub_find(world.hubs, 1, stream));
}

/* The log. */

static struct event *
event_of(unsigned epoch, uint64_t seq)
{
	unsigned id = world.ids[epoch][seq];

	return (event_create(epoch_text(epoch), seq,
	    text_from((const char *)&id, sizeof id)));
}

static void
commit(bool has_payload)
{
	must(world.exists && world.head < NUMBERS &&
	    world.news_count < NEWS);
	world.head++;
	world.ids[world.epoch][world.head] = ++world.commits;
	world.news[world.news_count++] = (struct record){
	    .epoch = world.epoch, .seq = world.head, .id = world.commits,
	    .has_payload = has_payload };
}

/* The log up to a number goes on under another name. */
static void
renew(uint64_t head)
{
	unsigned old = world.epoch;

	world.epoch = ++world.epochs;
	must(world.epoch < EPOCHS);
	world.head = head;
	if (world.lowest > head + 1)
		world.lowest = head + 1;
	for (uint64_t i = 1; i <= head; i++)
		world.ids[world.epoch][i] = world.ids[old][i];
	world.is_cold = false;
}

static void
delete(void)
{
	world.exists = false;
	world.is_cold = false;
	world.deletions++;
	world.missing = world.step;
}

static void
import(uint64_t head)
{
	world.epoch = ++world.epochs;
	must(world.epoch < EPOCHS);
	world.exists = true;
	world.lowest = 1;
	for (world.head = 0; world.head < head;)
		world.ids[world.epoch][++world.head] = ++world.commits;
}

static void
look(struct sight *sight)
{
	*sight = (struct sight){ .exists = world.exists,
	    .epoch = world.epoch, .lowest = world.lowest,
	    .head = world.head };
}

#endif
