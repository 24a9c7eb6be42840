/* SPDX-License-Identifier: MIT */
/*
 * What drives a hub, for its tests: it asks the log, and answers, fails or
 * rings when it is told to.
 *
 *	begin_world(page, gap_max, hold_max);
 *	join(which, cursor);		... the hub asks
 *	see();				the snapshot, where it matters
 *	answer();			or fail()
 *	end_world();
 */
#ifndef UNIT_HUB_DRIVER_H
#define UNIT_HUB_DRIVER_H

#include "hub_client.h"

static void
ask(enum hub_query query)
{
	wrong_unless(world.query == HUB_ASKS_NOTHING, "two queries at once");
	world.query = query;
	world.has_seen = false;
	world.queries++;
	if (world.asked.len > 0)
		buf_add_string(&world.asked, ", ");
}

static void fail(void);

static void
fail_at_once(void)
{
	if (!world.fails_at_once)
		return;
	world.fails_at_once = false;
	fail();
}

static void
on_read(void *context, struct hub *hub, uint64_t from)
{
	ask(HUB_READS);
	world.from = from;
	world.lowest_when_sent = world.lowest;
	world.known_epoch = world.epoch;
	if (world.keeps_story)
		buf_printf(&world.asked, "READ %u", (unsigned)from);
	world.tally.reads++;
	fail_at_once();
}

static void
on_state(void *context, struct hub *hub)
{
	ask(HUB_ASKS_STATE);
	world.known_epoch = epoch_number(hub_epoch_text(&hub->epoch));
	world.known_top = hub->top;
	if (world.keeps_story)
		buf_printf(&world.asked, "STATE e%u:%u", world.known_epoch,
		    (unsigned)hub->top);
	world.tally.states++;
	fail_at_once();
}

static void
on_sweep(void *context, struct hubs *hubs)
{
	wrong_unless(!world.is_sweeping, "two sweeps at once");
	wrong_unless(hubs_swept(hubs, 0) == the_hub() &&
	    hubs_swept(hubs, 1) == NULL, "a sweep of something else");
	world.is_sweeping = true;
	world.has_sweep_seen = false;
}

static void
on_interest(void *context, struct hub *hub, bool is_wanted)
{
	wrong_unless(world.has_interest != is_wanted, "interest twice");
	world.has_interest = is_wanted;
}

static void
on_timer(void *context, struct hub *hub, enum hub_timer timer, bool is_on)
{
	wrong_unless(world.timers[timer] != is_on, "a timer twice");
	world.timers[timer] = is_on;
}

static void
on_told(void *context, struct hub *hub)
{
	world.told = world.commits;
	world.tally.bumps++;
	if (world.keeps_story) {
		if (world.asked.len > 0)
			buf_add_string(&world.asked, ", ");
		buf_add_string(&world.asked, "told");
	}
}

static const struct hub_acts driver_acts = { .read = on_read,
	.state = on_state, .sweep = on_sweep, .interest = on_interest,
	.timer = on_timer, .told = on_told };

/* The snapshot of what was asked. */
static void
see(void)
{
	struct sight *sight = &world.sight;

	must(world.query != HUB_ASKS_NOTHING && !world.has_seen);
	world.has_seen = true;
	if (world.query == HUB_ASKS_STATE && world.exists &&
	    world.epoch == world.known_epoch &&
	    world.head < world.known_top)
		renew(world.head);
	look(sight);
	if (world.query != HUB_READS || !world.exists || world.from == 0)
		return;
	for (uint64_t seq = world.from > world.lowest ? world.from :
	    world.lowest; seq <= world.head && sight->count < world.page;
	    seq++)
		sight->rows[sight->count++] = event_of(world.epoch, seq);
	if (world.has_two_snapshots && world.epoch == world.known_epoch)
		sight->lowest = world.lowest_when_sent;
}

static void
forget_sight(struct sight *sight)
{
	for (unsigned i = 0; i < sight->count; i++)
		event_give(&sight->rows[i]);
	sight->count = 0;
}

static struct hub *
asker(void)
{
	struct key key;

	must(make_key(1, stream, &key));
	return (look_up(world.hubs, &key));
}

static void
answer(void)
{
	struct sight sight;
	enum hub_query query = world.query;
	char state[16];

	if (!world.has_seen)
		see();
	sight = world.sight;
	world.sight.count = 0;
	world.query = HUB_ASKS_NOTHING;
	if (!sight.exists)
		hub_no_row(asker());
	else if (query == HUB_READS)
		hub_read_answer(asker(), &(struct hub_page){
		    .epoch = epoch_text(sight.epoch),
		    .lowest = sight.lowest, .head = sight.head,
		    .rows = sight.rows, .count = sight.count });
	else {
		snprintf(state, sizeof state, "e%u:%u", sight.epoch,
		    (unsigned)sight.head);
		hub_state_answer(asker(), epoch_text(sight.epoch),
		    sight.head, text_of(state));
	}
	forget_sight(&sight);
}

static void
fail(void)
{
	must(world.query != HUB_ASKS_NOTHING);
	forget_sight(&world.sight);
	world.query = HUB_ASKS_NOTHING;
	world.is_failing = true;
	world.tally.failures++;
	hub_query_failed(asker());
	world.is_failing = false;
}

static void
ring(enum hub_timer timer)
{
	must(world.timers[timer]);
	world.timers[timer] = false;
	hub_ring(the_hub(), timer);
}

static void
sweep_see(void)
{
	must(world.is_sweeping);
	look(&world.sweep_sight);
	world.has_sweep_seen = true;
}

static void
sweep_end(bool has_failed)
{
	const struct sight *sight = &world.sweep_sight;

	must(world.is_sweeping);
	if (!world.has_sweep_seen)
		sweep_see();
	world.is_sweeping = false;
	if (!has_failed && sight->exists)
		hubs_sweep_row(world.hubs, 0, epoch_text(sight->epoch),
		    sight->head);
	hubs_sweep_end(world.hubs, has_failed);
}

static void
hear_record(const struct record *record, bool has_payload)
{
	struct event *event = NULL;

	/* Whoever told of it had bumped. */
	if (record->id > world.told)
		world.told = record->id;
	if (the_hub() == NULL)
		return;
	if (has_payload) {
		event = event_create(epoch_text(record->epoch), record->seq,
		    text_from((const char *)&record->id,
		    sizeof record->id));
	}
	hub_hear(the_hub(), epoch_text(record->epoch), record->seq, event);
	event_give(&event);
}

/* Between two schedules or traces. */

static void
begin_world(unsigned page, uint64_t gap_max, unsigned hold_max)
{
	struct hubs_setup setup = { .acts = &driver_acts,
	    .gap_max = gap_max, .hold_max = hold_max };

	memset(&world, 0, sizeof world);
	world.hubs = hubs_create(&setup);
	world.page = page;
	world.gap_max = gap_max;
	world.hold_max = hold_max;
	world.exists = true;
	world.epoch = world.epochs = 1;
	world.lowest = 1;
	world.step = 1;
	for (unsigned i = 0; i < CLIENTS; i++)
		buf_init(&world.stories[i], BUF_NO_LIMIT);
	buf_init(&world.asked, BUF_NO_LIMIT);
}

static void
end_world(void)
{
	world.on_moment = NULL;
	world.on_gone = NULL;
	for (unsigned i = 0; i < CLIENTS; i++)
		if (world.clients[i] != NULL)
			leave(i);
	while (world.is_sweeping)
		sweep_end(true);
	while (world.query != HUB_ASKS_NOTHING)
		fail();
	wrong_unless(!world.has_interest, "interest is left");
	wrong_unless(!world.timers[HUB_TIMER_GAP] &&
	    !world.timers[HUB_TIMER_BACKOFF], "a timer is left");
	hubs_destroy(&world.hubs);
	for (unsigned i = 0; i < CLIENTS; i++)
		buf_fini(&world.stories[i]);
	buf_fini(&world.asked);
}

#endif
