/* SPDX-License-Identifier: MIT */
/*
 * The publishing half of the relay, and the judgement on both halves: rings
 * are read only as far as Redis keeps up, and a probe that goes round says
 * whether anything does.
 */
#include "core/relay_inside.h"

#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "core/event.h"
#include "core/relay_message.h"
#include "plat/wake.h"

static struct relay *
relay_of(void *context)
{
	return (object_cast(struct relay, RELAY_MAGIC, context));
}

text
relay_channel(struct relay *relay, unsigned bucket)
{
	buf_clear(&relay->channel);
	buf_printf(&relay->channel, "%s:%u", relay->prefix, bucket);
	return (buf_text(&relay->channel));
}

text
relay_probe_channel(struct relay *relay)
{
	buf_clear(&relay->channel);
	buf_printf(&relay->channel, "%s:probe:%s", relay->prefix,
	    relay->segment->host);
	return (buf_text(&relay->channel));
}

void
relay_put(struct relay *relay, struct ring_record *record)
{
	record->to = RING_TO_ALL;
	record->generation = atomic_load(
	    &relay->segment->slots[relay->slot].generation);
	record->told_us = clock_us();
	ring_write(&relay->ring, record);
	wake_readers_but(relay->segment, relay->slot);
}

/* --- publishing -------------------------------------------------------- */

static void
begin_flight(struct relay *relay, const struct relay_flight *flight,
    text channel, text message)
{
	if (!relay_flight_begin(&relay->flights, flight))
		return;
	redis_publish(relay->publishing, channel, message);
	GAUGE_SET(relay_in_flight, relay->flights.count);
}

static void
publish(struct relay *relay, const struct ring_record *record,
    struct relay_flight *flight)
{
	relay_message_write(text_of(relay->segment->host), record,
	    &relay->message);
	flight->bytes = relay->message.len;
	begin_flight(relay, flight, relay_channel(relay,
	    bucket_of(record->tenant)), buf_text(&relay->message));
	COUNT(relay_published);
}

static void
on_record(void *context, unsigned by, const struct ring_record *record)
{
	struct relay *relay = relay_of(context);
	struct relay_flight flight = { .what = RELAY_RECORD, .slot = by,
	    .at = bus_at(relay->bus, by) };
	bool was_read = relay_mark_read(relay->segment, by, flight.at);

	/* What is for one process of this host is nobody else's. */
	if (record->to != RING_TO_ALL ||
	    (record->kind == RING_LIVE && was_read))
		return;
	publish(relay, record, &flight);
	if (relay_flights_are_full(&relay->flights) ||
	    !redis_is_up(relay->publishing))
		bus_stop(relay->bus);
}

static void
on_lapped(void *context, unsigned by)
{
	struct relay *relay = relay_of(context);

	log_warn("news came faster than Redis took them, other hosts compare "
	    "with the log", F("of_slot", by));
	relay_owe_sweep(relay->segment);
	relay_mark_read(relay->segment, by, bus_at(relay->bus, by));
}

static void
publish_sweep(struct relay *relay)
{
	struct ring_record sweep = { .kind = RING_SWEEP,
	    .tenant = TENANT_OF_ALL };
	struct relay_flight flight = { .what = RELAY_SWEEP };

	publish(relay, &sweep, &flight);
}

static bool
may_publish(const struct relay *relay)
{
	return (redis_is_up(relay->publishing) &&
	    !relay_flights_are_full(&relay->flights));
}

/* With nothing in flight, all that was read is done. */
static void
catch_up_cursors(struct relay *relay)
{
	for (unsigned i = 0; i < relay->segment->slots_count; i++)
		if (i != relay->slot)
			relay_mark_done(relay->segment, i,
			    bus_at(relay->bus, i));
}

static void
pump(struct relay *relay)
{
	if (may_publish(relay))
		bus_read(relay->bus);
	if (may_publish(relay) && relay_take_sweep(relay->segment))
		publish_sweep(relay);
	if (!redis_is_up(relay->publishing))
		return;
	if (relay->flights.count == 0)
		catch_up_cursors(relay);
	else if (!may_publish(relay))
		return;		/* an answer goes on with it */
	if (bus_has_news(relay->bus))
		timer_set(loop_timers(relay->loop), &relay->more, 0);
}

static void
on_more(struct relay *relay)
{
	pump(relay);
}

static void
on_published(void *context)
{
	struct relay *relay = relay_of(context);

	relay_flight_end(&relay->flights);
	GAUGE_SET(relay_in_flight, relay->flights.count);
	if (relay->flights.count == 0 ||
	    (relay_flights_have_room(&relay->flights) &&
	    bus_has_news(relay->bus)))
		pump(relay);
}

static void
on_up(void *context)
{
	struct relay *relay = relay_of(context);

	relay_up(relay);
	pump(relay);
}

/* Who never got an answer is read again; LIVE records then count as sent. */
static void
go_back(struct relay *relay)
{
	relay_flights_lose(&relay->flights);
	GAUGE_SET(relay_in_flight, 0);
	for (unsigned i = 0; i < relay->segment->slots_count; i++)
		if (i != relay->slot)
			bus_seek(relay->bus, i, atomic_load(
			    &relay->segment->slots[i].relay_done));
}

static void
on_down(void *context, const char *why)
{
	struct relay *relay = relay_of(context);

	go_back(relay);
	relay_down(relay, why);
}

/* --- whether news come and go ------------------------------------------ */

static bool
are_both_up(const struct relay *relay)
{
	return (redis_is_up(relay->publishing) &&
	    redis_is_up(relay->subscribing));
}

static void
say_part(struct relay *relay, enum part_state state)
{
	atomic_store(&relay->segment->parts[PART_REDIS], state);
}

static void
become_good(struct relay *relay)
{
	relay->is_good = true;
	say_part(relay, PART_OK);
	log_info(relay->complaints.count > 0 ?
	    "Redis can be used again, news of other hosts come in time" :
	    "news go to other hosts and come from them");
	relay->complaints.count = 0;
}

/* Whoever reads a sweep looks at control too, and tells the other hosts. */
static void
become_bad(struct relay *relay)
{
	struct ring_record sweep = { .kind = RING_SWEEP };

	relay->is_good = false;
	atomic_store(&relay->segment->relay_good_ms, 0);
	relay_put(relay, &sweep);
}

void
relay_judge(struct relay *relay)
{
	int64_t now = clock_ms();
	bool is_good = are_both_up(relay) && relay->has_heard &&
	    now - relay->heard_ms <= RELAY_DEAF_MS;

	if (is_good && !relay->is_good)
		become_good(relay);
	else if (!is_good && relay->is_good)
		become_bad(relay);
	if (is_good)
		atomic_store(&relay->segment->relay_good_ms, now);
}

void
relay_probe(struct relay *relay)
{
	struct relay_flight flight = { .what = RELAY_PROBE };

	if (!are_both_up(relay) || !relay->is_listening)
		return;
	relay->probed_ms = clock_ms();
	begin_flight(relay, &flight, relay_probe_channel(relay), TEXT("?"));
}

void
relay_up(struct relay *relay)
{
	if (!are_both_up(relay))
		return;
	if (relay->has_connected)
		COUNT(relay_reconnects);
	relay->has_connected = true;
	relay->heard_ms = clock_ms();
	relay->has_heard = false;
	relay_probe(relay);
}

static bool
was_said(const struct relay *relay, const char *why)
{
	for (unsigned i = 0; i < relay->complaints.count &&
	    i < COMPLAINTS; i++)
		if (strcmp(relay->complaints.said[i], why) == 0)
			return (true);
	return (false);
}

/* Each reason is told once, until all is well again. */
void
relay_down(struct relay *relay, const char *why)
{
	say_part(relay, PART_DOWN);
	relay_judge(relay);
	if (was_said(relay, why))
		return;
	snprintf(relay->complaints.said[relay->complaints.count++ %
	    COMPLAINTS], sizeof relay->complaints.said[0], "%s", why);
	log_warn("Redis cannot be used, news of other hosts are late",
	    F("why", why));
}

static void
look_whether_deaf(struct relay *relay)
{
	static const char why[] = "Redis is silent: nothing came round for "
	    "3 seconds";

	if (!are_both_up(relay) ||
	    clock_ms() - relay->heard_ms <= RELAY_DEAF_MS)
		return;
	COUNT(relay_deaf);
	redis_break(relay->publishing, why);
	redis_break(relay->subscribing, why);
}

static void
on_tick(struct relay *relay)
{
	relay_hear_look(relay);
	if (clock_ms() - relay->probed_ms >= RELAY_PROBE_MS)
		relay_probe(relay);
	relay_judge(relay);
	look_whether_deaf(relay);
	timer_set(loop_timers(relay->loop), &relay->tick, RELAY_TICK_MS);
}

void
relay_news(struct relay *relay)
{
	object_check(relay, RELAY_MAGIC);
	relay_hear_look(relay);
	pump(relay);
}

/* --- its life ---------------------------------------------------------- */

/*
 * Our slot's ring may hold what its last owner wrote and nobody published.
 * We do not read our own ring, so that is told as a sweep.
 */
static void
take_over_ring(struct relay *relay)
{
	struct slot *slot = &relay->segment->slots[relay->slot];
	uint64_t tail;

	ring_writer_init(&relay->ring, segment_ring(relay->segment,
	    relay->slot));
	tail = relay->ring.tail;
	if (atomic_load(&slot->relay_done) != tail)
		relay_owe_sweep(relay->segment);
	atomic_store(&slot->relay_read, tail);
	relay_mark_done(relay->segment, relay->slot, tail);
}

struct relay *
relay_create(const struct relay_setup *setup)
{
	static const struct bus_acts bus_acts = { on_record, on_lapped };
	static const struct redis_acts acts = { .on_up = on_up,
	    .on_down = on_down, .on_published = on_published };
	struct relay *relay = object_create(struct relay, RELAY_MAGIC);
	struct redis_setup redis = { .loop = setup->loop,
	    .url = setup->conf->redis_url, .context = relay };

	relay->loop = setup->loop;
	relay->segment = setup->segment;
	relay->slot = setup->slot;
	relay->prefix = setup->conf->redis_prefix;
	buf_init(&relay->channel, BUF_NO_LIMIT);
	buf_init(&relay->message, BUF_NO_LIMIT);
	relay_flights_init(&relay->flights, relay->segment);
	take_over_ring(relay);
	relay->bus = bus_create(relay->segment, relay->slot, false,
	    &bus_acts, relay);
	go_back(relay);
	if (atomic_load(&relay->segment->parts[PART_REDIS]) == PART_UNUSED)
		say_part(relay, PART_STARTING);
	redis.acts = &acts;
	relay->publishing = redis_create(&redis);
	redis.acts = &relay_hear_acts;
	relay->subscribing = redis_create(&redis);
	timer_init(&relay->tick, on_tick, relay);
	timer_init(&relay->more, on_more, relay);
	timer_set(loop_timers(relay->loop), &relay->tick, RELAY_TICK_MS);
	return (relay);
}

void
relay_destroy(struct relay **given)
{
	struct relay *relay = *given;

	*given = NULL;
	if (relay == NULL)
		return;
	object_check(relay, RELAY_MAGIC);
	redis_destroy(&relay->publishing);
	redis_destroy(&relay->subscribing);
	timer_stop(loop_timers(relay->loop), &relay->tick);
	timer_stop(loop_timers(relay->loop), &relay->more);
	bus_destroy(&relay->bus);
	buf_fini(&relay->channel);
	buf_fini(&relay->message);
	object_free(&relay);
}

bool
relay_is_idle(const struct relay *relay)
{
	return (!redis_is_up(relay->publishing) || (relay->flights.count ==
	    relay->flights.probes && !bus_has_news(relay->bus) &&
	    !relay_owes_sweep(relay->segment)));
}
