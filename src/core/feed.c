/* SPDX-License-Identifier: MIT */
/*
 * Records, rows and timers, each to the hub that it is for.
 */
#include "core/feed.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/act.h"
#include "core/control.h"
#include "core/event.h"
#include "plat/bus.h"
#include "plat/loop.h"
#include "plat/segment.h"
#include "plat/versions.h"
#include "plat/wake.h"

#define FEED_LISTENERS_MAX 4

struct feed {
	unsigned	 magic;
#define FEED_MAGIC 0x66656564
	struct service	*service;
	struct hubs	*hubs;
	struct bus	*bus;
	struct feed_listener listeners[FEED_LISTENERS_MAX];
	unsigned	 listeners_count;
	struct timer	 sweep;
	bool		 is_hasty;
	unsigned	 sweeps_left;	/* calls of the sweep at work */
	bool		 sweep_failed;
};

/* A query of a hub on its way. */
struct asked {
	struct feed	*feed;
	struct hub	*hub;
};

/* --- the rings -------------------------------------------------------- */

static void
hear(struct feed *feed, const struct ring_record *record)
{
	struct hub *hub = hub_find(feed->hubs, record->tenant,
	    record->stream);
	uint64_t seq = record->kind == RING_LIVE ? 0 : record->seq;
	struct event *event = NULL;

	/* `control` is read in order, by number; but that can be hastened. */
	if (record->tenant == TENANT_OF_ALL)
		control_read_now(feed->service->control);
	if (hub == NULL)
		return;
	if (record->has_payload && record->payload.at != NULL) {
		event = event_create(record->epoch, seq, record->payload);
		event->told_us = record->told_us;
	}
	if (seq != 0)
		hub_hear(hub, record->epoch, seq, event);
	else if (event != NULL)
		hub_live(hub, event);
	event_give(&event);
}

/* The payload names a bucket, or there is none. */
static void
sweep_what(struct feed *feed, const struct ring_record *record)
{
	int64_t bucket;

	if (record->has_payload && text_to_int64(record->payload, 0,
	    BUCKETS - 1, &bucket))
		hubs_sweep_bucket(feed->hubs, (unsigned)bucket);
	else
		hubs_sweep(feed->hubs);
}

static struct feed_listener *
find_listener(struct feed *feed, text stream)
{
	for (unsigned i = 0; i < feed->listeners_count; i++)
		if (text_is(feed->listeners[i].stream, stream))
			return (&feed->listeners[i]);
	return (NULL);
}

/* false: it is an event. */
static bool
is_said(struct feed *feed, const struct ring_record *record)
{
	const struct feed_listener *listener;

	if (record->kind != RING_LIVE)
		return (false);
	listener = find_listener(feed, record->stream);
	if (listener != NULL && record->has_payload)
		listener->hear(listener->context, record->tenant,
		    record->payload);
	return (listener != NULL);
}

static void
on_record(void *context, unsigned by, const struct ring_record *record)
{
	struct feed *feed = context;

	(void)by;
	if (is_said(feed, record))
		return;
	switch (record->kind) {
	case RING_EVENT:
	case RING_LIVE:
		hear(feed, record);
		break;
	case RING_SWEEP:
		/* What calls for it may be what the hosts are to be told. */
		control_read_now(feed->service->control);
		sweep_what(feed, record);
		break;
	}
}

static void
on_lapped(void *context, unsigned by)
{
	struct feed *feed = context;

	log_warn("news came faster than they were read, comparing with the "
	    "log", F("of_slot", by));
	versions_bump_all(feed->service->segment);
	hubs_sweep(feed->hubs);
}

void
feed_news(struct feed *feed)
{
	object_check(feed, FEED_MAGIC);
	bus_read(feed->bus);
	/* More than a turn's share: the next one goes on with it. */
	if (bus_has_news(feed->bus))
		wake_has_more(feed->service->segment, feed->service->slot);
}

void
feed_listen(struct feed *feed, const struct feed_listener *listener)
{
	object_check(feed, FEED_MAGIC);
	must(find_listener(feed, listener->stream) == NULL &&
	    feed->listeners_count < FEED_LISTENERS_MAX);
	feed->listeners[feed->listeners_count++] = *listener;
}

void
feed_leave(struct feed *feed, text stream)
{
	struct feed_listener *listener = find_listener(feed, stream);

	object_check(feed, FEED_MAGIC);
	must(listener != NULL);
	*listener = feed->listeners[--feed->listeners_count];
}

void
feed_committed(struct feed *feed, int32_t tenant,
    const struct call_row *row, int64_t told_us)
{
	hear(feed, &(struct ring_record){ .tenant = tenant,
	    .kind = row->is_live ? RING_LIVE : RING_EVENT,
	    .seq = row->seq, .told_us = told_us,
	    .stream = row->stream, .epoch = row->epoch,
	    .has_payload = true, .payload = row->body });
}

void
feed_sweep(struct feed *feed)
{
	hubs_sweep(feed->hubs);
}

void
feed_deleted(struct feed *feed, int32_t tenant, text stream)
{
	struct hub *hub = hub_find(feed->hubs, tenant, stream);

	if (hub != NULL)
		hub_hear_deleted(hub);
}

/* --- the log ---------------------------------------------------------- */

static struct hub *
take_asked(void *context)
{
	struct asked *asked = context;
	struct hub *hub = asked->hub;

	mem_free(asked);
	return (hub);
}

static struct asked *
make_asked(struct feed *feed, struct hub *hub)
{
	struct asked *asked = mem_alloc(sizeof *asked);

	*asked = (struct asked){ feed, hub };
	return (asked);
}

/* The rows behind the head's; false: they are not what READ gives. */
static bool
read_rows(const struct db_answer *answer, struct hub_page *page)
{
	struct call_row row;

	for (unsigned i = 1; i < db_rows(answer); i++) {
		if (!call_row_read(answer, i, &row) || !row.is_event)
			return (false);
		page->rows[page->count++] = event_create(row.epoch, row.seq,
		    row.body);
	}
	return (true);
}

static void
on_read(void *context, const struct db_answer *answer)
{
	struct hub *hub = take_asked(context);
	struct event *rows[FEED_PAGE];
	struct hub_page page = { .rows = rows };
	struct call_row head;
	int64_t lowest;

	if (answer->result == DB_ROWS && db_rows(answer) == 0) {
		hub_no_row(hub);
		return;
	}
	if (answer->result == DB_ROWS && db_rows(answer) <= FEED_PAGE + 1 &&
	    call_row_read(answer, 0, &head) && !head.is_event &&
	    text_to_int64(head.body, 1, INT64_MAX, &lowest) &&
	    read_rows(answer, &page)) {
		page.epoch = head.epoch;
		page.lowest = (uint64_t)lowest;
		page.head = head.seq;
		hub_read_answer(hub, &page);
	} else
		hub_query_failed(hub);
	for (unsigned i = 0; i < page.count; i++)
		event_give(&rows[i]);
}

static void
on_state(void *context, const struct db_answer *answer)
{
	struct hub *hub = take_asked(context);
	struct call_row row;

	if (answer->result == DB_ROWS && db_rows(answer) == 0)
		hub_no_row(hub);
	else if (answer->result == DB_ROWS &&
	    call_row_read(answer, 0, &row) && !row.is_event &&
	    row.body.at != NULL && row.epoch.at != NULL)
		hub_state_answer(hub, row.epoch, row.seq, row.body);
	else
		hub_query_failed(hub);
}

static struct call_context
context_of(const struct hub *hub)
{
	return ((struct call_context){ .tenant = hub->tenant,
	    .request_id = TEXT("hub") });
}

static void
ask_read(void *context, struct hub *hub, uint64_t from)
{
	struct feed *feed = context;
	struct call_context call = context_of(hub);
	char number[24];
	text inputs[3] = { hub->stream };

	snprintf(number, sizeof number, "%" PRIu64, from);
	inputs[1] = text_of(number);
	inputs[2] = from == 0 ? TEXT("0") : TEXT("256");
	COUNT(log_reads);
	service_ask(feed->service, FUNCTION_stream_read, &call, TEXT_NONE,
	    inputs, 3, on_read, make_asked(feed, hub));
}

static void
ask_state(void *context, struct hub *hub)
{
	struct feed *feed = context;
	struct call_context call = context_of(hub);
	char number[24], stream[RING_STREAM_MAX + 24];
	text inputs[3] = { hub->stream,
	    text_from(hub->epoch.at, hub->epoch.len) };

	snprintf(number, sizeof number, "%" PRIu64, hub->top);
	inputs[2] = text_of(number);
	/* It takes the row's lock: after the writes of the stream. */
	snprintf(stream, sizeof stream, "%d %.*s", (int)hub->tenant,
	    TEXT_ARGS(hub->stream));
	COUNT(log_states);
	service_ask(feed->service, FUNCTION_stream_state, &call,
	    text_of(stream), inputs, 3, on_state, make_asked(feed, hub));
}

/* --- sweeps ----------------------------------------------------------- */

/* A batch of the sweep: its first hub's place. */
struct swept {
	struct feed	*feed;
	unsigned	 first;
};

static void
on_heads(void *context, const struct db_answer *answer)
{
	struct swept *swept = context;
	struct feed *feed = swept->feed;
	unsigned first = swept->first;
	struct call_row row;

	mem_free(swept);
	if (answer->result != DB_ROWS)
		feed->sweep_failed = true;
	else
		for (unsigned i = 0; i < db_rows(answer); i++)
			if (call_row_read(answer, i, &row))
				hubs_sweep_row(feed->hubs,
				    first + row.element, row.epoch, row.seq);
	if (--feed->sweeps_left == 0)
		hubs_sweep_end(feed->hubs, feed->sweep_failed);
}

/* From a place on, at most HUB_SWEEP_MOST; how many there were. */
static unsigned
sweep_batch(struct feed *feed, unsigned first)
{
	struct swept *swept;
	struct buf tenants, names;
	const struct hub *hub;
	unsigned count = 0;
	char number[16];
	text inputs[2];

	buf_init(&tenants, BUF_NO_LIMIT);
	buf_init(&names, BUF_NO_LIMIT);
	for (; count < HUB_SWEEP_MOST && (hub = hubs_swept(feed->hubs,
	    first + count)) != NULL; count++) {
		snprintf(number, sizeof number, "%" PRId32, hub->tenant);
		call_array_add(&tenants, text_of(number));
		call_array_add(&names, hub->stream);
	}
	if (count > 0) {
		call_array_end(&tenants);
		call_array_end(&names);
		inputs[0] = buf_text(&tenants);
		inputs[1] = buf_text(&names);
		swept = mem_alloc(sizeof *swept);
		*swept = (struct swept){ feed, first };
		feed->sweeps_left++;
		service_ask(feed->service, FUNCTION_stream_heads, NULL,
		    TEXT_NONE, inputs, 2, on_heads, swept);
	}
	buf_fini(&tenants);
	buf_fini(&names);
	return (count);
}

static void
ask_sweep(void *context, struct hubs *hubs)
{
	struct feed *feed = context;
	unsigned first = 0, count;

	must(feed->sweeps_left == 0);
	COUNT(sweeps);
	feed->sweep_failed = false;
	/* One more, so that an answer at once does not end it too early. */
	feed->sweeps_left = 1;
	do {
		count = sweep_batch(feed, first);
		first += count;
	} while (count == HUB_SWEEP_MOST);
	if (--feed->sweeps_left == 0)
		hubs_sweep_end(hubs, feed->sweep_failed);
}

static void
plan_sweep(struct feed *feed)
{
	int64_t ms = feed->is_hasty ? SWEEP_HASTY_MS : SWEEP_MS;
	unsigned char random;

	secret_fill(&random, sizeof random);
	timer_set(loop_timers(feed->service->loop), &feed->sweep,
	    ms - ms / 8 * random / 255);
}

static void
on_sweep(struct feed *feed)
{
	hubs_sweep(feed->hubs);
	plan_sweep(feed);
}

void
feed_hurry(struct feed *feed, bool is_degraded)
{
	if (feed->is_hasty == is_degraded)
		return;
	feed->is_hasty = is_degraded;
	log_info(is_degraded ? "news of other hosts may be late, comparing "
	    "with the log more often" : "news of other hosts come in time");
	plan_sweep(feed);
}

/* --- what else hubs want ---------------------------------------------- */

void
feed_want(struct feed *feed, int32_t tenant, bool is_wanted)
{
	const struct service *service = feed->service;
	_Atomic uint32_t *count = &service->segment->slots[service->slot].
	    interest[bucket_of(tenant)];

	if (!is_wanted)
		atomic_fetch_sub(count, 1);
	else if (atomic_fetch_add(count, 1) == 0)
		wake_role(service->segment, ROLE_RELAY);
}

static void
on_interest(void *context, struct hub *hub, bool is_wanted)
{
	feed_want(context, hub->tenant, is_wanted);
	GAUGE_ADD(hubs, is_wanted ? 1 : -1);
}

static void
on_gap(struct hub *hub)
{
	hub_ring(hub, HUB_TIMER_GAP);
}

static void
on_backoff(struct hub *hub)
{
	hub_ring(hub, HUB_TIMER_BACKOFF);
}

static void
on_timer(void *context, struct hub *hub, enum hub_timer which, bool is_on)
{
	struct feed *feed = context;
	struct timers *timers = loop_timers(feed->service->loop);
	struct timer *timer = &hub->timers[which];

	if (!is_on) {
		timer_stop(timers, timer);
		return;
	}
	if (which == HUB_TIMER_GAP)
		timer_init(timer, on_gap, hub);
	else
		timer_init(timer, on_backoff, hub);
	timer_set(timers, timer, which == HUB_TIMER_GAP ? GAP_MS :
	    BACKOFF_MS);
}

static void
on_told(void *context, struct hub *hub)
{
	struct feed *feed = context;

	versions_bump(feed->service->segment, hub->tenant);
}

struct feed *
feed_create(struct service *service)
{
	static const struct hub_acts hub_acts = { ask_read, ask_state,
	    ask_sweep, on_interest, on_timer, on_told };
	static const struct bus_acts bus_acts = { on_record, on_lapped };
	struct feed *feed = object_create(struct feed, FEED_MAGIC);
	struct hubs_setup setup = { .acts = &hub_acts, .context = feed,
	    .gap_max = (uint64_t)service->conf->gap_max,
	    .hold_max = (unsigned)service->conf->hold_max };

	feed->service = service;
	feed->hubs = hubs_create(&setup);
	feed->bus = bus_create(service->segment, service->slot, false,
	    &bus_acts, feed);
	timer_init(&feed->sweep, on_sweep, feed);
	plan_sweep(feed);
	return (feed);
}

void
feed_close(struct feed *feed)
{
	object_check(feed, FEED_MAGIC);
	timer_stop(loop_timers(feed->service->loop), &feed->sweep);
}

void
feed_destroy(struct feed **given)
{
	struct feed *feed = *given;

	*given = NULL;
	if (feed == NULL)
		return;
	object_check(feed, FEED_MAGIC);
	hubs_destroy(&feed->hubs);
	bus_destroy(&feed->bus);
	object_free(&feed);
}

struct hubs *
feed_hubs(struct feed *feed)
{
	return (feed->hubs);
}
