/* SPDX-License-Identifier: MIT */
/*
 * The subscribing half of the relay: which buckets are followed, and what
 * becomes of what is heard in them.
 */
#include "core/relay_inside.h"

#include <stdio.h>

#include "base/count.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "core/event.h"
#include "core/relay_message.h"
#include "plat/versions.h"

static struct relay *
relay_of(void *context)
{
	return (object_cast(struct relay, RELAY_MAGIC, context));
}

/* --- interest ---------------------------------------------------------- */

static bool
is_wanted(const struct relay *relay, unsigned bucket)
{
	const struct segment *segment = relay->segment;

	if (bucket == bucket_of(TENANT_OF_ALL))
		return (true);
	for (unsigned i = 0; i < segment->slots_count; i++)
		if (atomic_load_explicit(&segment->slots[i].interest[bucket],
		    memory_order_relaxed) != 0)
			return (true);
	return (false);
}

static void
set_bucket(struct bucket *bucket, enum bucket_state state)
{
	if (state == BUCKET_FOLLOWED)
		GAUGE_ADD(relay_buckets, 1);
	else if (bucket->state == BUCKET_FOLLOWED)
		GAUGE_ADD(relay_buckets, -1);
	bucket->state = state;
}

void
relay_hear_look(struct relay *relay)
{
	int64_t now = clock_ms();

	for (unsigned i = 0; i < BUCKETS; i++) {
		struct bucket *bucket = &relay->buckets[i];
		bool wanted = is_wanted(relay, i);

		if (wanted)
			bucket->wanted_ms = now;
		if (!redis_is_up(relay->subscribing))
			continue;
		if (wanted && bucket->state == BUCKET_LEFT) {
			set_bucket(bucket, BUCKET_ASKED);
			redis_subscribe(relay->subscribing,
			    relay_channel(relay, i));
		} else if (!wanted && bucket->state == BUCKET_FOLLOWED &&
		    now - bucket->wanted_ms > RELAY_LINGER_MS) {
			set_bucket(bucket, BUCKET_LEFT);
			redis_unsubscribe(relay->subscribing,
			    relay_channel(relay, i));
		}
	}
}

/* What was told before Redis knew of us is in the log. */
static void
on_subscribed(void *context, text channel)
{
	struct relay *relay = relay_of(context);
	struct ring_record sweep = { .kind = RING_SWEEP,
	    .has_payload = true };
	char number[16];

	if (text_is(channel, relay_probe_channel(relay))) {
		relay->is_listening = true;
		relay_probe(relay);
		return;
	}
	for (unsigned i = 0; i < BUCKETS; i++)
		if (relay->buckets[i].state == BUCKET_ASKED &&
		    text_is(channel, relay_channel(relay, i))) {
			set_bucket(&relay->buckets[i], BUCKET_FOLLOWED);
			snprintf(number, sizeof number, "%u", i);
			sweep.payload = text_of(number);
			relay_put(relay, &sweep);
			return;
		}
}

/* --- messages ---------------------------------------------------------- */

static void
hear(struct relay *relay, text message)
{
	struct ring_record record;
	text host;

	if (!relay_message_read(message, &host, &record)) {
		COUNT(relay_unreadable);
		log_debug("a message of another host cannot be read",
		    F("bytes", message.len));
		return;
	}
	if (text_is(host, text_of(relay->segment->host))) {
		COUNT(relay_dropped_own);
		return;
	}
	COUNT(relay_received);
	if (record.kind == RING_SWEEP)
		versions_bump_all(relay->segment);
	else
		versions_bump(relay->segment, record.tenant);
	relay_put(relay, &record);
}

static void
on_message(void *context, text channel, text message)
{
	struct relay *relay = relay_of(context);

	if (!text_is(channel, relay_probe_channel(relay))) {
		hear(relay, message);
		return;
	}
	relay->heard_ms = clock_ms();
	relay->has_heard = true;
	relay_judge(relay);
}

static void
on_up(void *context)
{
	struct relay *relay = relay_of(context);

	redis_subscribe(relay->subscribing, relay_probe_channel(relay));
	relay_hear_look(relay);
	relay_up(relay);
}

static void
on_down(void *context, const char *why)
{
	struct relay *relay = relay_of(context);

	relay->is_listening = false;
	for (unsigned i = 0; i < BUCKETS; i++)
		set_bucket(&relay->buckets[i], BUCKET_LEFT);
	relay_down(relay, why);
}

const struct redis_acts relay_hear_acts = { .on_up = on_up,
    .on_down = on_down, .on_subscribed = on_subscribed,
    .on_message = on_message };
