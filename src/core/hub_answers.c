/* SPDX-License-Identifier: MIT */
/*
 * The rules of hub.h about what the log answers, one function each.
 */
#include "core/hub_inside.h"

/* Rule 16: false where the hub that asked is no more. */
static bool
take_answer(struct hub *hub)
{
	must(hub->walks == 0 && hub->asks != HUB_ASKS_NOTHING);
	hub->asks = HUB_ASKS_NOTHING;
	return (hub->phase != HUB_NONE && (!HOLDS(GENERATION) ||
	    hub->sent_generation == hub->generation));
}

/* Rule 8, opening. */
static void
refuse(struct hub *hub)
{
	unsigned count = hub_walk(hub, &hub->others);

	for (unsigned i = 0; i < count; i++)
		if (hub->others.at[i] != NULL)
			hub_end_one(hub, hub->others.at[i], HUB_REFUSED);
	hub_walked(hub);
}

/* Rule 8. */
void
hub_query_failed(struct hub *hub)
{
	enum hub_query query = hub->asks;

	hub_begin(hub);
	if (take_answer(hub)) {
		if (hub->phase == HUB_OPENING)
			refuse(hub);
		else {
			if (HOLDS(WISH)) {
				hub->wants_state |= query == HUB_ASKS_STATE;
				hub->is_alien = true;
				hub->is_due |= hub->num < hub->top;
			}
			if (HOLDS(BACKOFF))
				hub_run(hub, HUB_TIMER_BACKOFF, true);
		}
	}
	hub_end(hub);
}

/* Rule 9, of those who were there when it was asked. */
static void
end_asked(struct hub *hub, struct hub_set *set)
{
	unsigned count = hub_walk(hub, set);

	for (unsigned i = 0; i < count; i++) {
		struct subscription *sub = set->at[i];

		if (sub != NULL && hub_is_asked(hub, sub))
			hub_end_one(hub, sub, sub->is_told ? HUB_DELETED :
			    HUB_MISSING);
	}
	hub_walked(hub);
}

/* Rule 9, of the others: as if they came with what they have. */
static void
let_wait(struct hub *hub, struct hub_set *set, text epoch)
{
	unsigned count = hub_walk(hub, set);

	for (unsigned i = 0; i < count; i++) {
		struct subscription *sub = set->at[i];

		if (sub == NULL || hub_is_asked(hub, sub) ||
		    sub->state == SUBSCRIPTION_WAITS)
			continue;
		hub_keep_cursor(sub, epoch);
		sub->needs_resync = false;
		hub_set_state(hub, sub, SUBSCRIPTION_WAITS);
	}
	hub_walked(hub);
}

/* Rule 9. */
void
hub_no_stream(struct hub *hub)
{
	struct hub_epoch epoch = hub->epoch;

	hub->phase = HUB_OPENING;
	hub_forget(hub);
	let_wait(hub, &hub->others, hub_epoch_text(&epoch));
	let_wait(hub, &hub->live, hub_epoch_text(&epoch));
	end_asked(hub, &hub->live);
	end_asked(hub, &hub->others);
}

void
hub_no_row(struct hub *hub)
{
	hub_begin(hub);
	if (take_answer(hub))
		hub_no_stream(hub);
	hub_end(hub);
}

/* What was heard of an epoch before the hub was in it. */
static void
recall(struct hub *hub)
{
	if (hub->alien_epoch.len == 0)
		return;
	if (!hub_epoch_is(hub_epoch_text(&hub->alien_epoch), &hub->epoch))
		hub->is_alien |= hub->phase == HUB_OPENING;
	else if (hub->alien_top > hub->top)
		hub->top = hub->alien_top;
}

/* Rule 10. */
static void
answer_opening(struct hub *hub, const struct hub_page *page)
{
	unsigned count;

	hub_told(hub);
	hub_epoch_set(&hub->epoch, page->epoch);
	hub->num = hub->top = page->head;
	recall(hub);
	hub->phase = HUB_READY;
	count = hub_walk(hub, &hub->others);
	for (unsigned i = 0; i < count; i++)
		if (hub->others.at[i] != NULL)
			hub_admit(hub, hub->others.at[i]);
	hub_walked(hub);
	hub_drain(hub);
}

/* Rule 12, one that replays: as much of the page as follows on it. */
static void
replay(struct hub *hub, unsigned place, const struct hub_page *page)
{
	struct subscription *sub = hub->others.at[place];
	uint64_t first = page->count > 0 ? page->rows[0]->seq : 0;
	uint64_t at = sub->last + 1 > first ? sub->last + 1 - first : 0;

	if (!sub->is_told)
		hub_say_subscribed(hub, sub, page->head, true, NULL);
	for (; at < page->count; at++) {
		struct event *event = page->rows[at];

		/* Whoever left is no longer in his place. */
		if (hub->others.at[place] != sub ||
		    (event->seq != sub->last + 1 && HOLDS(EXACT)) ||
		    !sub->acts->has_room(sub))
			break;
		sub->last = event->seq;
		sub->acts->deliver(sub, event);
	}
	if (hub->others.at[place] == sub && sub->last >= hub->num)
		hub_set_state(hub, sub, SUBSCRIPTION_LIVE);
}

/* Rule 12, those that replay. */
static void
replay_all(struct hub *hub, const struct hub_page *page)
{
	unsigned count = hub_walk(hub, &hub->others);

	for (unsigned i = 0; i < count; i++) {
		struct subscription *sub = hub->others.at[i];

		if (sub == NULL || sub->needs_resync || !hub_is_asked(hub, sub))
			continue;
		if ((sub->last > page->head && HOLDS(HEAD)) ||
		    (page->lowest > sub->last + 1 &&
		    sub->last < page->head && HOLDS(EXACT))) {
			sub->needs_resync = true;
			hub->wants_state = true;
		} else
			replay(hub, i, page);
	}
	hub_walked(hub);
}

/* Rule 12. */
static void
answer_read(struct hub *hub, const struct hub_page *page)
{
	uint64_t before = hub->num;

	if (page->head > hub->num)
		hub_told(hub);
	if (page->head > hub->top)
		hub->top = page->head;
	for (unsigned i = 0; i < page->count; i++)
		if (page->rows[i]->seq == hub->num + 1 ||
		    (page->rows[i]->seq > hub->num && !HOLDS(EXACT)))
			hub_deliver(hub, page->rows[i]);
	replay_all(hub, page);
	if (!HOLDS(STAY) && page->count > 0 &&
	    page->rows[page->count - 1]->seq == page->head &&
	    page->head > hub->num)
		hub->num = page->head;
	if (page->lowest > hub->num + 1 && hub->num < page->head) {
		hub->has_gap = true;
		hub->wants_state = true;
	}
	hub_drain(hub);
	if (hub->num < hub->top && hub->num > before)
		hub->is_due = true;
}

/* Rule 11. */
static bool
is_elsewhere(const struct hub *hub, const struct hub_page *page)
{
	return ((!hub_epoch_is(page->epoch, &hub->epoch) && HOLDS(EPOCH)) ||
	    page->head < hub->sent_top);
}

void
hub_read_answer(struct hub *hub, const struct hub_page *page)
{
	hub_begin(hub);
	must(hub->asks == HUB_READS);
	if (take_answer(hub)) {
		if (hub->phase == HUB_OPENING)
			answer_opening(hub, page);
		else if (is_elsewhere(hub, page))
			hub->wants_state = true;
		else
			answer_read(hub, page);
	}
	hub_end(hub);
}

/* One goes on from the head; a callback comes last. */
static void
resync_one(struct hub *hub, struct subscription *sub, uint64_t head,
    struct hub_resync *resync)
{
	sub->last = head;
	sub->needs_resync = false;
	if (sub->state != SUBSCRIPTION_LIVE) {
		bytes_give(&sub->epoch);
		if (head >= hub->num)
			hub_set_state(hub, sub, SUBSCRIPTION_LIVE);
	}
	if (sub->is_told)
		sub->acts->resync(sub, hub_epoch_text(&hub->epoch), head,
		    resync);
	else
		hub_say_subscribed(hub, sub, head, false, resync);
}

/* Rule 13. */
static void
answer_state_elsewhere(struct hub *hub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	unsigned live, others;

	hub_told(hub);
	hub_epoch_set(&hub->epoch, epoch);
	hub->num = hub->top = head;
	hub_hold_empty(hub);
	recall(hub);
	hub->wants_state = hub->has_gap = false;
	others = hub_walk(hub, &hub->others);
	live = hub_walk(hub, &hub->live);
	for (unsigned i = 0; i < live; i++)
		if (hub->live.at[i] != NULL)
			resync_one(hub, hub->live.at[i], head, resync);
	for (unsigned i = 0; i < others; i++)
		if (hub->others.at[i] != NULL)
			resync_one(hub, hub->others.at[i], head, resync);
	hub_walked(hub);
	hub_walked(hub);
	hub_drain(hub);
}

/* Rule 14, those that waited for it. */
static void
resync_flagged(struct hub *hub, uint64_t head, struct hub_resync *resync)
{
	unsigned count = hub_walk(hub, &hub->others);

	for (unsigned i = 0; i < count; i++) {
		struct subscription *sub = hub->others.at[i];

		if (sub == NULL || !sub->needs_resync)
			continue;
		if (hub_is_asked(hub, sub))
			resync_one(hub, sub, head, resync);
		else
			hub->wants_state = true;
	}
	hub_walked(hub);
}

/* Rule 14. */
static void
answer_state(struct hub *hub, uint64_t head, struct hub_resync *resync)
{
	unsigned count = hub_walk(hub, &hub->live);
	bool is_moved = hub->has_gap && hub->num < head;

	if (head > hub->num)
		hub_told(hub);
	if (is_moved && HOLDS(MOVE))
		hub->num = head;
	if (head > hub->top)
		hub->top = head;
	hub->has_gap = false;
	for (unsigned i = 0; i < count && is_moved; i++)
		if (hub->live.at[i] != NULL && hub->live.at[i]->last < head)
			resync_one(hub, hub->live.at[i], head, resync);
	hub_walked(hub);
	resync_flagged(hub, head, resync);
	hub_drain(hub);
}

void
hub_state_answer(struct hub *hub, text epoch, uint64_t head, text body)
{
	struct hub_resync resync = { .body = body };

	hub_begin(hub);
	must(hub->asks == HUB_ASKS_STATE);
	if (take_answer(hub)) {
		must(hub->phase == HUB_READY);
		if (hub_epoch_is(epoch, &hub->epoch))
			answer_state(hub, head, &resync);
		else
			answer_state_elsewhere(hub, epoch, head, &resync);
	}
	for (unsigned i = 0; i < EVENT_FORMS; i++)
		bytes_give(&resync.forms[i]);
	hub_end(hub);
}
