/* SPDX-License-Identifier: MIT */
/*
 * core/hub with many of everything: hubs that are swept in batches while
 * others come and go, subscriptions that leave in the middle of a delivery,
 * and what a client is told to have.
 */
#include "core/hub.h"
#include "plat/segment.h"

#include <stdio.h>

#include "tap.h"

#define HUBS	2500
#define SUBS	300

static struct subscription subs[HUBS];
static unsigned got[HUBS], told_ended[HUBS];
static unsigned sweeps, reads, alive;
static unsigned leaves_at;		/* the place that takes others along */

static unsigned
place_of(const struct subscription *sub)
{
	return ((unsigned)(sub - subs));
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	unsigned place = place_of(sub);

	got[place]++;
	/* Every third, some before it, some behind it, itself too. */
	if (leaves_at > 0 && place == leaves_at)
		for (unsigned i = 0; i < SUBS; i += 3)
			hub_leave(&subs[i]);
}

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
}

static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
}

static void
on_ended(struct subscription *sub, enum hub_end why)
{
	told_ended[place_of(sub)]++;
}

static bool
has_room(struct subscription *sub)
{
	return (true);
}

static const struct subscription_acts sub_acts = {
	.deliver = on_deliver, .subscribed = on_subscribed,
	.resync = on_resync, .ended = on_ended, .has_room = has_room };

static struct hub *last_read;

static void
on_read(void *context, struct hub *hub, uint64_t from)
{
	reads++;
	last_read = hub;
}

static void
on_state(void *context, struct hub *hub)
{
}

static void
on_sweep(void *context, struct hubs *hubs)
{
	sweeps++;
}

static void
on_interest(void *context, struct hub *hub, bool is_wanted)
{
	alive += is_wanted ? 1 : -1U;
}

static void
on_timer(void *context, struct hub *hub, enum hub_timer timer, bool is_on)
{
}

static void
on_told(void *context, struct hub *hub)
{
}

static const struct hub_acts acts = { .read = on_read, .state = on_state,
	.sweep = on_sweep, .interest = on_interest, .timer = on_timer,
	.told = on_told };
static const struct hubs_setup setup = { .acts = &acts, .gap_max = 1000,
	.hold_max = 64 };
static const struct cursor none = { .kind = CURSOR_NONE };
static const struct hub_page empty = { .epoch = { "e1", 2 }, .lowest = 1 };

static text
name_of(unsigned i)
{
	static char name[32];

	snprintf(name, sizeof name, "session:%u", i);
	return (text_of(name));
}

static void
join(struct hubs *hubs, unsigned hub, unsigned place)
{
	subscription_init(&subs[place], &sub_acts);
	hub_join(hubs, 7, name_of(hub), &subs[place], &none);
}

static void
open_all(struct hubs *hubs)
{
	for (unsigned i = 0; i < HUBS; i++) {
		join(hubs, i, i);
		hub_read_answer(last_read, &empty);
	}
}

/* All of the batch at head 0, as they are. */
static unsigned
answer_batch(struct hubs *hubs)
{
	unsigned count = 0;

	for (unsigned i = 0; i < HUB_SWEEP_MOST; i++) {
		if (hubs_swept(hubs, i) == NULL)
			continue;
		hubs_sweep_row(hubs, i, TEXT("e1"), 0);
		count++;
	}
	hubs_sweep_end(hubs, false);
	return (count);
}

static void
test_batches(void)
{
	struct hubs *hubs = hubs_create(&setup);

	test("a sweep goes over all hubs, batch by batch");
	open_all(hubs);
	is(hubs_count(hubs), HUBS);
	is(alive, HUBS);
	hubs_sweep(hubs);
	is(answer_batch(hubs), HUB_SWEEP_MOST);
	is(answer_batch(hubs), HUB_SWEEP_MOST);
	is(answer_batch(hubs), HUBS - 2 * HUB_SWEEP_MOST);
	is(sweeps, 3);

	test("a sweep of a bucket is of its hubs alone, and more of one more");
	hubs_sweep_bucket(hubs, bucket_of(7));
	is(answer_batch(hubs), HUB_SWEEP_MOST);
	is(answer_batch(hubs), HUB_SWEEP_MOST);
	is(answer_batch(hubs), HUBS - 2 * HUB_SWEEP_MOST);
	sweeps = 0;
	hubs_sweep_bucket(hubs, bucket_of(8));
	is(sweeps, 0);
	/* What is wanted meanwhile comes behind it. */
	hubs_sweep(hubs);
	hubs_sweep_bucket(hubs, bucket_of(8));
	for (unsigned i = 0; i < 3; i++)
		answer_batch(hubs);
	is(sweeps, 3);

	test("hubs that leave are in no answer and in no later batch");
	hubs_sweep(hubs);
	reads = 0;
	/* Of this batch, the first of the next one, and of the last one. */
	hub_leave(&subs[5]);
	hub_leave(&subs[HUB_SWEEP_MOST]);
	hub_leave(&subs[HUBS - 1]);
	is(answer_batch(hubs), HUB_SWEEP_MOST - 1);
	is(answer_batch(hubs), HUB_SWEEP_MOST);
	is(answer_batch(hubs), HUBS - 2 * HUB_SWEEP_MOST - 2);
	is(reads, 0);

	test("who has no row is looked up; who failed is not");
	hubs_sweep(hubs);
	hubs_sweep_end(hubs, true);
	is(reads, 0);
	hubs_sweep(hubs);
	for (unsigned i = 1; i < HUB_SWEEP_MOST; i++)
		hubs_sweep_row(hubs, i, TEXT("e1"), 0);
	hubs_sweep_end(hubs, false);
	is(reads, 1);
	hub_no_row(last_read);
	is(told_ended[0], 1);
	while (hubs_swept(hubs, 0) != NULL)
		answer_batch(hubs);
	for (unsigned i = 0; i < HUBS; i++)
		hub_leave(&subs[i]);
	is(hubs_count(hubs), 0);
	is(alive, 0);
	hubs_destroy(&hubs);
}

static void
tell(struct hubs *hubs, uint64_t seq)
{
	struct event *event = event_create(TEXT("e1"), seq, TEXT("{}"));

	hub_hear(hub_find(hubs, 7, name_of(0)), TEXT("e1"), seq, event);
	event_give(&event);
}

static void
test_set(void)
{
	struct hubs *hubs = hubs_create(&setup);
	unsigned wrong = 0;

	test("a third leaves in the middle of a delivery");
	memset(got, 0, sizeof got);
	for (unsigned i = 0; i < SUBS; i++)
		join(hubs, 0, i);
	hub_read_answer(last_read, &empty);
	leaves_at = SUBS / 2;
	tell(hubs, 1);
	leaves_at = 0;
	tell(hubs, 2);
	for (unsigned i = 0; i < SUBS; i++) {
		unsigned wanted = i % 3 != 0 ? 2 : i <= SUBS / 2 ? 1 : 0;

		wrong += got[i] != wanted;
	}
	is(wrong, 0);
	is(hub_find(hubs, 7, name_of(0))->live.count, SUBS - SUBS / 3);
	for (unsigned i = 0; i < SUBS; i++)
		hub_leave(&subs[i]);
	hubs_destroy(&hubs);
}

static void
test_head(void)
{
	struct hubs *hubs = hubs_create(&setup);
	uint64_t seq = 99;
	text epoch;

	test("what a client has");
	ok(!hub_head(&subs[0], &epoch, &seq));
	join(hubs, 0, 0);
	ok(!hub_head(&subs[0], &epoch, &seq));
	hub_read_answer(last_read, &empty);
	tell(hubs, 1);
	ok(hub_head(&subs[0], &epoch, &seq));
	is_text(epoch, "e1");
	is(seq, 1);

	test("names of one tenant are not another's");
	ok(hub_find(hubs, 7, name_of(0)) != NULL);
	ok(hub_find(hubs, 8, name_of(0)) == NULL);
	ok(hub_find(hubs, 7, name_of(10)) == NULL);
	hub_leave(&subs[0]);
	hub_leave(&subs[0]);
	ok(hub_find(hubs, 7, name_of(0)) == NULL);
	hubs_destroy(&hubs);
}

static void
test_event(void)
{
	struct event *event = event_create(TEXT("e1"), 4,
	    TEXT("{\"type\":\"vote.received\",\"seq\":4}"));
	struct event *other;

	test("an event, its type and its forms");
	is_text(event_type(event), "vote.received");
	is_text(event_type(event), "vote.received");
	is_text(event->epoch, "e1");
	event->forms[EVENT_SSE] = bytes_create(3);
	other = event_share(event);
	event_give(&event);
	ok(event == NULL);
	is(other->forms[EVENT_SSE]->len, 3);
	event_give(&other);
	event = event_create(TEXT_NONE, 0, TEXT("[]"));
	is_text(event_type(event), "");
	event_give(&event);
	event_give(&event);
}

int
main(void)
{
	test_batches();
	test_set();
	test_head();
	test_event();
	return (done());
}
