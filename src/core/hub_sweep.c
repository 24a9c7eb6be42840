/* SPDX-License-Identifier: MIT */
/*
 * The sweep: all hubs, or those of some buckets, batch by batch, compared
 * with the log.
 */
#include "core/hub_inside.h"

#include "plat/segment.h"

_Static_assert(BUCKETS <= 64, "a bit for each");

/* Rule 15; no row: epoch is TEXT_NONE. */
static void
compare(struct hub *hub, text epoch, uint64_t head)
{
	must(hub->walks == 0 && hub->phase == HUB_READY);
	hub_begin(hub);
	hub_run(hub, HUB_TIMER_BACKOFF, false);
	if (!HOLDS(SWEEP) && epoch.at == NULL) {
		hub->sent_joins = hub->joins;
		hub_no_stream(hub);
	} else if (!hub_epoch_is(epoch, &hub->epoch) || head < hub->swept_num)
		hub->is_alien = true;
	else if (head > hub->top)
		hub->top = head;
	if (hub->phase == HUB_READY)
		hub_drain(hub);
	hub_end(hub);
}

static bool
fill_batch(struct hubs *hubs)
{
	struct hub *hub = hubs->sweep_at;
	unsigned count = 0;

	for (; hub != NULL && count < HUB_SWEEP_MOST; hub = hub->hh.next) {
		if (hub->phase != HUB_READY || (hubs->swept_buckets &
		    UINT64_C(1) << bucket_of(hub->tenant)) == 0)
			continue;
		hub->swept_num = hub->num;
		hubs->swept[count++] = hub;
		hub->sweep_place = count;
	}
	hubs->sweep_at = hub;
	hubs->swept[count] = NULL;
	hubs->swept_count = count;
	return (count > 0);
}

/* The next batch, or the next sweep, or the end. */
static void
sweep_on(struct hubs *hubs)
{
	while (!fill_batch(hubs)) {
		if (hubs->wants_sweep == 0) {
			hubs->is_sweeping = false;
			return;
		}
		hubs->swept_buckets = hubs->wants_sweep;
		hubs->wants_sweep = 0;
		hubs->sweep_at = hubs->table;
	}
	hubs->setup.acts->sweep(hubs->setup.context, hubs);
}

static void
want_sweep(struct hubs *hubs, uint64_t buckets)
{
	object_check(hubs, HUBS_MAGIC);
	hubs->wants_sweep |= buckets;
	if (hubs->is_sweeping)
		return;
	hubs->is_sweeping = true;
	sweep_on(hubs);
}

void
hubs_sweep(struct hubs *hubs)
{
	want_sweep(hubs, UINT64_MAX);
}

void
hubs_sweep_bucket(struct hubs *hubs, unsigned bucket)
{
	must(bucket < BUCKETS);
	want_sweep(hubs, UINT64_C(1) << bucket);
}

struct hub *
hubs_swept(const struct hubs *hubs, unsigned place)
{
	object_check(hubs, HUBS_MAGIC);
	return (place < hubs->swept_count ? hubs->swept[place] : NULL);
}

/* What left meanwhile is no longer in it. */
static struct hub *
take_swept(struct hubs *hubs, unsigned place)
{
	struct hub *hub = hubs_swept(hubs, place);

	if (hub != NULL) {
		hubs->swept[place] = NULL;
		hub->sweep_place = 0;
	}
	return (hub);
}

void
hubs_sweep_row(struct hubs *hubs, unsigned place, text epoch, uint64_t head)
{
	struct hub *hub = take_swept(hubs, place);

	if (hub != NULL)
		compare(hub, epoch, head);
}

void
hubs_sweep_end(struct hubs *hubs, bool has_failed)
{
	must(hubs->is_sweeping);
	for (unsigned i = 0; i < hubs->swept_count; i++) {
		struct hub *hub = take_swept(hubs, i);

		if (hub != NULL && !has_failed)
			compare(hub, TEXT_NONE, 0);
	}
	hubs->swept_count = 0;
	/* The next sweep is for what a failed one did not reach. */
	if (has_failed)
		hubs->sweep_at = NULL;
	sweep_on(hubs);
}
