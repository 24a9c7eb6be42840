/* SPDX-License-Identifier: MIT */
/*
 * The rules of hub.h up to the asking of the log, one function each, in
 * their order. JOIN and LEAVE are in hub.c, answers in hub_answers.c, SWEEP
 * in hub_sweep.c.
 */
#include "core/hub_inside.h"

/* Subscriptions whose memory is asked for ahead of their turn. */
#define AHEAD 8

/* Rule 17. */
void
hub_told(struct hub *hub)
{
	if (HOLDS(TOLD))
		hub->hubs->setup.acts->told(hub->hubs->setup.context, hub);
}

void
hub_say_subscribed(struct hub *hub, struct subscription *sub, uint64_t head,
    bool has_recovered, struct hub_resync *resync)
{
	sub->is_told = true;
	sub->acts->subscribed(sub, hub_epoch_text(&hub->epoch), head,
	    has_recovered, resync);
}

/* Rule 2. */
void
hub_admit(struct hub *hub, struct subscription *sub)
{
	bool has_cursor = sub->has_cursor;

	if (!has_cursor)
		sub->last = hub->num;
	if (has_cursor && sub->epoch != NULL && !hub_epoch_is(text_from(
	    sub->epoch->at, sub->epoch->len), &hub->epoch)) {
		hub_set_state(hub, sub, SUBSCRIPTION_REPLAYS);
		sub->needs_resync = true;
		hub->wants_state = true;
		return;
	}
	bytes_give(&sub->epoch);
	if (sub->last != hub->num) {
		hub_set_state(hub, sub, SUBSCRIPTION_REPLAYS);
		return;
	}
	hub_set_state(hub, sub, SUBSCRIPTION_LIVE);
	if (!sub->is_told)
		hub_say_subscribed(hub, sub, hub->num, has_cursor, NULL);
}

/* Rule 4. */
void
hub_deliver(struct hub *hub, struct event *event)
{
	unsigned count = hub_walk(hub, &hub->live);

	must(event->seq == hub->num + 1 || !HOLDS(EXACT) || !HOLDS(DROP));
	hub->num = event->seq;
	for (unsigned i = 0; i < count; i++) {
		struct subscription *sub = hub->live.at[i];

		/* At worst it is of who has left: nothing is read. */
		if (i + AHEAD < count)
			__builtin_prefetch(hub->live.at[i + AHEAD], 1);
		if (sub == NULL || (sub->last >= event->seq && HOLDS(OWN)))
			continue;
		sub->last = event->seq;
		sub->acts->deliver(sub, event);
	}
	hub_walked(hub);
}

/* Rule 3, of another epoch or while opening. */
static void
remember(struct hub *hub, text epoch, uint64_t seq)
{
	if (!hub_epoch_is(epoch, &hub->alien_epoch)) {
		hub_epoch_set(&hub->alien_epoch, epoch);
		hub->alien_top = 0;
	}
	if (seq > hub->alien_top)
		hub->alien_top = seq;
	if (hub->phase != HUB_READY)
		return;
	hub->is_alien = true;
	if (!HOLDS(ALIEN)) {
		hub_epoch_set(&hub->epoch, epoch);
		hub->num = hub->top = seq;
		hub_hold_empty(hub);
	}
}

/* Rule 3. */
void
hub_hear(struct hub *hub, text epoch, uint64_t seq, struct event *event)
{
	must(hub->walks == 0 && hub->phase != HUB_NONE);
	must(event == NULL || event->seq == seq);
	if (hub->phase == HUB_READY && seq <= hub->num && HOLDS(DROP) &&
	    hub_epoch_is(epoch, &hub->epoch))
		return;
	hub_begin(hub);
	if (hub->phase != HUB_READY || !hub_epoch_is(epoch, &hub->epoch))
		remember(hub, epoch, seq);
	else if (event != NULL && seq <= hub->num + 1)
		hub_deliver(hub, event);
	else {
		if (seq > hub->top)
			hub->top = seq;
		if (event != NULL &&
		    seq - hub->num <= hub->hubs->setup.gap_max + 1)
			hub_hold_put(hub, event);
		if (event == NULL && seq == hub->num + 1 &&
		    hub->asks == HUB_ASKS_NOTHING)
			hub->is_due = true;
	}
	if (hub->phase == HUB_READY)
		hub_drain(hub);
	hub_end(hub);
}

void
hub_live(struct hub *hub, struct event *event)
{
	unsigned count;

	must(hub->walks == 0 && event->seq == 0);
	hub_begin(hub);
	count = hub_walk(hub, &hub->live);
	for (unsigned i = 0; i < count; i++) {
		struct subscription *sub = hub->live.at[i];

		if (i + AHEAD < count)
			__builtin_prefetch(hub->live.at[i + AHEAD], 1);
		if (sub != NULL)
			sub->acts->deliver(sub, event);
	}
	hub_walked(hub);
	hub_end(hub);
}

/* Rule 5. */
void
hub_drain(struct hub *hub)
{
	struct event *event;

	while ((event = hub_hold_take(hub)) != NULL) {
		hub_deliver(hub, event);
		event_give(&event);
	}
	if (hub->top <= hub->num) {
		hub->top = hub->num;
		hub->is_due = false;
		hub_run(hub, HUB_TIMER_GAP, false);
	} else if (!hub->is_due && HOLDS(TIMER))
		hub_run(hub, HUB_TIMER_GAP, true);
}

/* Rule 6, and the end of rule 8's back-off. */
void
hub_ring(struct hub *hub, enum hub_timer timer)
{
	must(hub->walks == 0 && hub->runs[timer]);
	hub_begin(hub);
	hub->runs[timer] = false;
	if (timer == HUB_TIMER_GAP)
		hub->is_due = true;
	hub_end(hub);
}

static void
sending(struct hub *hub, enum hub_query query)
{
	must(hub->asks == HUB_ASKS_NOTHING);
	hub->asks = query;
	hub->is_alien = hub->is_due = false;
	hub->sent_generation = hub->generation;
	hub->sent_joins = hub->joins;
	hub->sent_top = HOLDS(HIGHEST) ? hub->top : hub->num;
}

static void
send_read(struct hub *hub, uint64_t from)
{
	sending(hub, HUB_READS);
	hub->hubs->setup.acts->read(hub->hubs->setup.context, hub, from);
}

static void
send_state(struct hub *hub)
{
	sending(hub, HUB_ASKS_STATE);
	hub->wants_state = false;
	hub->hubs->setup.acts->state(hub->hubs->setup.context, hub);
}

/* Of those that replay the one that is farthest behind; its next number. */
static uint64_t
next_replayed(const struct hub *hub)
{
	uint64_t next = 0;

	for (unsigned i = 0; i < hub->others.count; i++) {
		const struct subscription *sub = hub->others.at[i];

		if (!sub->needs_resync &&
		    (next == 0 || sub->last + 1 < next) &&
		    sub->acts->has_room(hub->others.at[i]))
			next = sub->last + 1;
	}
	return (next);
}

/* Rule 7. */
void
hub_kick(struct hub *hub)
{
	uint64_t next;

	if (hub->asks != HUB_ASKS_NOTHING || hub->runs[HUB_TIMER_BACKOFF])
		return;
	if (hub->phase == HUB_OPENING)
		send_read(hub, 0);
	else if (hub->is_due &&
	    hub->top - hub->num > hub->hubs->setup.gap_max) {
		hub->has_gap = true;
		send_state(hub);
	} else if (hub->wants_state)
		send_state(hub);
	else if (hub->is_alien || hub->is_due)
		send_read(hub, hub->num + 1);
	else if ((next = next_replayed(hub)) > 0)
		send_read(hub, next);
}

/* Rule 16. */
void
hub_hear_deleted(struct hub *hub)
{
	must(hub->walks == 0 && hub->phase != HUB_NONE);
	hub_begin(hub);
	hub->is_alien = true;
	if (!HOLDS(LOOK)) {
		hub->sent_joins = hub->joins;
		hub_no_stream(hub);
	}
	hub_end(hub);
}
