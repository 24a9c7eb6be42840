/* SPDX-License-Identifier: MIT */
/*
 * The book of hubs, their sets of subscriptions, what they hold, and the
 * frame around each event.
 */
#include "core/hub_inside.h"

#ifdef HUB_SWITCH
enum hub_rule hub_rule_off;
#endif

/* Sets of subscriptions. */

static struct hub_set *
set_of(struct hub *hub, unsigned state)
{
	switch (state) {
	case SUBSCRIPTION_LIVE:
		return (&hub->live);
	case SUBSCRIPTION_WAITS:
	case SUBSCRIPTION_REPLAYS:
		return (&hub->others);
	default:
		return (NULL);
	}
}

static void
set_add(struct hub_set *set, struct subscription *sub)
{
	must(set->count < UINT32_MAX);
	if (set->count == set->size) {
		set->size = set->size == 0 ? 4 : 2 * set->size;
		set->at = mem_resize(set->at, set->size * sizeof *set->at);
	}
	sub->place = set->count;
	set->at[set->count++] = sub;
}

static void
set_fill(struct hub_set *set, unsigned place)
{
	struct subscription *last = set->at[--set->count];

	if (place < set->count) {
		set->at[place] = last;
		last->place = place;
	}
}

static void
set_remove(struct hub *hub, struct hub_set *set, struct subscription *sub)
{
	must(sub->place < set->count && set->at[sub->place] == sub);
	if (hub->walks > 0) {
		set->at[sub->place] = NULL;
		set->holes++;
	} else
		set_fill(set, sub->place);
}

static void
set_tidy(struct hub_set *set)
{
	for (unsigned i = set->count; set->holes > 0;) {
		must(i > 0);
		if (set->at[--i] == NULL) {
			/* All behind it is whole, so what fills it is. */
			set_fill(set, i);
			set->holes--;
		}
	}
}

static unsigned
set_members(const struct hub_set *set)
{
	return (set->count - set->holes);
}

static void
set_free(struct hub_set *set)
{
	must(set_members(set) == 0);
	mem_free(set->at);
	*set = (struct hub_set){ .count = 0 };
}

/* Where each state may go. */
static const bool moves[4][4] = {
	[SUBSCRIPTION_OUT] = { [SUBSCRIPTION_WAITS] = true },
	[SUBSCRIPTION_WAITS] = { [SUBSCRIPTION_REPLAYS] = true,
	    [SUBSCRIPTION_LIVE] = true, [SUBSCRIPTION_OUT] = true },
	[SUBSCRIPTION_REPLAYS] = { [SUBSCRIPTION_LIVE] = true,
	    [SUBSCRIPTION_WAITS] = true, [SUBSCRIPTION_OUT] = true },
	[SUBSCRIPTION_LIVE] = { [SUBSCRIPTION_WAITS] = true,
	    [SUBSCRIPTION_OUT] = true },
};

void
hub_set_state(struct hub *hub, struct subscription *sub,
    enum subscription_state state)
{
	struct hub_set *from = set_of(hub, sub->state);
	struct hub_set *into = set_of(hub, state);

	must(moves[sub->state][state]);
	if (from != into && from != NULL)
		set_remove(hub, from, sub);
	if (from != into && into != NULL)
		set_add(into, sub);
	sub->state = (uint8_t)state;
	if (state == SUBSCRIPTION_LIVE) {
		must(hub->phase == HUB_READY && sub->last >= hub->num);
		sub->has_cursor = true;
		sub->needs_resync = false;
		bytes_give(&sub->epoch);
	}
}

void
hub_keep_cursor(struct subscription *sub, text epoch)
{
	sub->has_cursor = true;
	/* Who was to be resynced has the epoch that he came with. */
	if (sub->epoch != NULL)
		return;
	sub->epoch = bytes_create(epoch.len);
	if (epoch.len > 0)
		memcpy(sub->epoch->at, epoch.at, epoch.len);
}

void
hub_end_one(struct hub *hub, struct subscription *sub, enum hub_end why)
{
	hub_set_state(hub, sub, SUBSCRIPTION_OUT);
	bytes_give(&sub->epoch);
	sub->hub = NULL;
	sub->acts->ended(sub, why);
}

/* Hold. */

static unsigned
hold_most(const struct hub *hub)
{
	return (HOLDS(HOLD) ? hub->hubs->setup.hold_max :
	    (unsigned)hub->hubs->setup.gap_max + 2);
}

void
hub_hold_put(struct hub *hub, struct event *event)
{
	unsigned most = hold_most(hub), i = hub->hold_count;

	if (i == most)
		return;
	while (i > 0 && hub->hold[i - 1].seq > event->seq)
		i--;
	if (i > 0 && hub->hold[i - 1].seq == event->seq)
		return;
	if (hub->hold == NULL)
		hub->hold = mem_alloc(most * sizeof *hub->hold);
	memmove(&hub->hold[i + 1], &hub->hold[i],
	    (hub->hold_count - i) * sizeof *hub->hold);
	hub->hold[i] = (struct hub_held){ .seq = event->seq,
	    .event = event_share(event) };
	hub->hold_count++;
}

struct event *
hub_hold_take(struct hub *hub)
{
	struct event *next = NULL;
	unsigned gone = 0;

	while (gone < hub->hold_count && hub->hold[gone].seq <= hub->num)
		event_give(&hub->hold[gone++].event);
	if (gone < hub->hold_count && hub->hold[gone].seq == hub->num + 1)
		next = hub->hold[gone++].event;
	if (gone > 0) {
		hub->hold_count -= gone;
		memmove(hub->hold, &hub->hold[gone],
		    hub->hold_count * sizeof *hub->hold);
	}
	if (hub->hold_count == 0) {
		mem_free(hub->hold);
		hub->hold = NULL;
	}
	return (next);
}

void
hub_hold_empty(struct hub *hub)
{
	for (unsigned i = 0; i < hub->hold_count; i++)
		event_give(&hub->hold[i].event);
	hub->hold_count = 0;
	mem_free(hub->hold);
	hub->hold = NULL;
}

/* A hub. */

void
hub_epoch_set(struct hub_epoch *epoch, text t)
{
	must(t.len <= sizeof epoch->at);
	if (t.len > 0)
		memcpy(epoch->at, t.at, t.len);
	epoch->len = (uint8_t)t.len;
}

void
hub_run(struct hub *hub, enum hub_timer timer, bool is_on)
{
	if (hub->runs[timer] == is_on)
		return;
	hub->runs[timer] = is_on;
	hub->hubs->setup.acts->timer(hub->hubs->setup.context, hub, timer,
	    is_on);
}

void
hub_forget(struct hub *hub)
{
	hub_hold_empty(hub);
	for (unsigned i = 0; i < HUB_TIMERS; i++)
		hub_run(hub, i, false);
	hub_epoch_set(&hub->epoch, TEXT_NONE);
	hub->num = hub->top = 0;
	hub->is_due = hub->wants_state = hub->has_gap = false;
	if (hub->sweep_place > 0) {
		hub->hubs->swept[hub->sweep_place - 1] = NULL;
		hub->sweep_place = 0;
	}
}

void
hub_detach(struct hub *hub)
{
	must(hub->phase != HUB_NONE && hub->walks == 0);
	hub->phase = HUB_NONE;
	hub->generation++;
	hub_forget(hub);
	hub->is_alien = false;
	hub_epoch_set(&hub->alien_epoch, TEXT_NONE);
	hub->alien_top = 0;
	set_free(&hub->live);
	set_free(&hub->others);
	hub->hubs->setup.acts->interest(hub->hubs->setup.context, hub,
	    false);
}

static void
hub_free(struct hub *hub)
{
	struct hubs *hubs = hub->hubs;

	if (hubs->sweep_at == hub)
		hubs->sweep_at = hub->hh.next;
	HASH_DEL(hubs->table, hub);
	object_free(&hub);
}

static void
check(const struct hub *hub)
{
	must(hub->num <= hub->top);
	must(hub->hold_count <= hold_most(hub));
	must(hub->phase == HUB_READY || set_members(&hub->live) == 0);
	must(hub->hold_count == 0 || hub->hold[0].seq > hub->num);
#ifdef DEBUG_CHECKS
	for (unsigned i = 0; i < hub->live.count; i++) {
		const struct subscription *sub = hub->live.at[i];

		must(sub->hub == hub && sub->place == i);
		must(sub->state == SUBSCRIPTION_LIVE && sub->is_told);
		must(sub->last >= hub->num && sub->epoch == NULL);
	}
	for (unsigned i = 0; i < hub->others.count; i++) {
		const struct subscription *sub = hub->others.at[i];

		must(sub->hub == hub && sub->place == i);
		must(sub->state == (hub->phase == HUB_READY ?
		    SUBSCRIPTION_REPLAYS : SUBSCRIPTION_WAITS));
	}
	for (unsigned i = 1; i < hub->hold_count; i++)
		must(hub->hold[i - 1].seq < hub->hold[i].seq);
#endif
}

void
hub_begin(struct hub *hub)
{
	object_check(hub, HUB_MAGIC);
	hub->depth++;
	hub->is_unsettled = true;
}

void
hub_end(struct hub *hub)
{
	while (hub->depth == 1 && hub->is_unsettled) {
		hub->is_unsettled = false;
		set_tidy(&hub->live);
		set_tidy(&hub->others);
		check(hub);
		if (hub->phase != HUB_NONE && hub->live.count == 0 &&
		    hub->others.count == 0)
			hub_detach(hub);
		if (hub->phase != HUB_NONE)
			hub_kick(hub);
	}
	if (--hub->depth == 0 && hub->phase == HUB_NONE &&
	    hub->asks == HUB_ASKS_NOTHING)
		hub_free(hub);
}

/* The book. */

struct key {
	size_t	len;
	char	at[sizeof(int32_t) + RING_STREAM_MAX];
};

static bool
make_key(int32_t tenant, text stream, struct key *key_out)
{
	if (stream.len > RING_STREAM_MAX)
		return (false);
	memcpy(key_out->at, &tenant, sizeof tenant);
	memcpy(key_out->at + sizeof tenant, stream.at, stream.len);
	key_out->len = sizeof tenant + stream.len;
	return (true);
}

struct hubs *
hubs_create(const struct hubs_setup *setup)
{
	struct hubs *hubs = object_create(struct hubs, HUBS_MAGIC);

	hubs->setup = *setup;
	return (hubs);
}

void
hubs_destroy(struct hubs **given)
{
	struct hubs *hubs = *given;

	*given = NULL;
	if (hubs == NULL)
		return;
	object_check(hubs, HUBS_MAGIC);
	must(hubs->table == NULL && !hubs->is_sweeping);
	object_free(&hubs);
}

unsigned
hubs_count(const struct hubs *hubs)
{
	object_check(hubs, HUBS_MAGIC);
	return (HASH_COUNT(hubs->table));
}

static struct hub *
look_up(struct hubs *hubs, const struct key *key)
{
	struct hub *hub;

	HASH_FIND(hh, hubs->table, key->at, key->len, hub);
	return (hub);
}

struct hub *
hub_find(struct hubs *hubs, int32_t tenant, text stream)
{
	struct hub *hub = NULL;
	struct key key;

	object_check(hubs, HUBS_MAGIC);
	if (make_key(tenant, stream, &key))
		hub = look_up(hubs, &key);
	return (hub != NULL && hub->phase != HUB_NONE ? hub : NULL);
}

static struct hub *
hub_for(struct hubs *hubs, int32_t tenant, text stream)
{
	struct hub *hub;
	struct key key;

	must(make_key(tenant, stream, &key));
	hub = look_up(hubs, &key);
	if (hub == NULL) {
		hub = object_create_sized(sizeof *hub + key.len, HUB_MAGIC);
		hub->hubs = hubs;
		hub->tenant = tenant;
		memcpy(hub->key, key.at, key.len);
		hub->stream = text_from(hub->key + sizeof tenant,
		    stream.len);
		HASH_ADD_KEYPTR(hh, hubs->table, hub->key, key.len, hub);
	}
	return (hub);
}

/* Subscriptions. */

void
subscription_init(struct subscription *sub,
    const struct subscription_acts *acts)
{
	*sub = (struct subscription){ .acts = acts };
}

/* Rule 1. */
void
hub_join(struct hubs *hubs, int32_t tenant, text stream,
    struct subscription *sub, const struct cursor *cursor)
{
	struct hub *hub;

	object_check(hubs, HUBS_MAGIC);
	must(sub->hub == NULL && sub->acts != NULL);
	hub = hub_for(hubs, tenant, stream);
	hub_begin(hub);
	if (hub->phase == HUB_NONE) {
		hub->phase = HUB_OPENING;
		hubs->setup.acts->interest(hubs->setup.context, hub, true);
	}
	sub->hub = hub;
	sub->number = ++hub->joins;
	sub->last = cursor->seq;
	sub->is_told = sub->needs_resync = false;
	sub->has_cursor = cursor->kind != CURSOR_NONE;
	if (cursor->kind == CURSOR_PAIR)
		hub_keep_cursor(sub, cursor->epoch);
	hub_set_state(hub, sub, SUBSCRIPTION_WAITS);
	if (hub->phase == HUB_READY)
		hub_admit(hub, sub);
	hub_end(hub);
}

/* Rule 16; the last one's leaving is seen at the end of the event. */
void
hub_leave(struct subscription *sub)
{
	struct hub *hub = sub->hub;

	if (hub == NULL)
		return;
	hub_begin(hub);
	hub_set_state(hub, sub, SUBSCRIPTION_OUT);
	bytes_give(&sub->epoch);
	sub->hub = NULL;
	hub_end(hub);
}

void
hub_room(struct subscription *sub)
{
	struct hub *hub = sub->hub;

	if (sub->state != SUBSCRIPTION_REPLAYS)
		return;
	hub_begin(hub);
	hub_end(hub);
}

bool
hub_head(const struct subscription *sub, text *epoch_out, uint64_t *seq_out)
{
	const struct hub *hub = sub->hub;

	if (hub == NULL || hub->phase != HUB_READY || !sub->is_told)
		return (false);
	*epoch_out = hub_epoch_text(&hub->epoch);
	*seq_out = sub->state == SUBSCRIPTION_LIVE ? sub->last : hub->num;
	return (true);
}
