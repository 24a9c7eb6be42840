/* SPDX-License-Identifier: MIT */
/*
 * All sessions of a worker: what the end of a turn does for them, and how
 * they come to their end together.
 */
#include "transport/engineio_set.h"

#include <utlist.h>

#include "base/conf.h"
#include "base/stamp.h"
#include "core/tenant.h"
#include "transport/engineio_forward.h"
#include "transport/engineio_line.h"
#include "transport/engineio_relay.h"

#define END_ROUNDS 16		/* what callbacks make, in the same turn */
#define DRAIN_MS 50

/* --- the turn's end ---------------------------------------------------- */

void
engineio_mark(struct engineio *engine)
{
	struct engineio_set *set = engine->set;

	if (engine->is_marked)
		return;
	if (set->marked == NULL && loop_is_ending(set->loop))
		loop_again(set->loop);
	engine->is_marked = true;
	DL_APPEND(set->marked, engine);
}

static void
destroy(struct engineio *engine)
{
	must(engine->wire == NULL && engine->probe == NULL &&
	    !engineio_has_poll(engine));
	engineio_queue_shed(engine);
	engineio_places_give(engine);
	tenant_give(&engine->tenant);
	object_free(&engine);
}

/* Its application may do anything with any session in there. */
static void
serve(struct engineio *engine)
{
	if (engine->state == SESSION_OPEN) {
		if (engineio_has_poll(engine))
			engineio_poll_flush(engine, 0);
		if (engine->wants_room && engineio_has_room(engine))
			engineio_tell_room(engine);
		return;
	}
	if (!engine->is_told) {
		engine->is_told = true;
		engine->door->acts->on_close(engine->application,
		    engine->why);
	}
	if (engine->state == SESSION_CLOSED && !engine->is_marked)
		destroy(engine);
}

static void
on_turns_end(struct engineio_set *set)
{
	for (unsigned n = 0; n < END_ROUNDS && set->marked != NULL; n++) {
		struct engineio *last = set->marked->prev, *engine;

		do {
			engine = set->marked;
			DL_DELETE(set->marked, engine);
			engine->is_marked = false;
			serve(engine);
		} while (engine != last && set->marked != NULL);
	}
	if (set->marked != NULL)
		loop_again(set->loop);
}

/* --- all of them ------------------------------------------------------- */

static void on_drain(struct engineio_set *set);

struct engineio_set *
engineio_set_create(const struct op_ground *ground, struct loop *loop,
    struct socks *socks, const struct engineio_door *doors)
{
	struct engineio_set *set = object_create(struct engineio_set,
	    ENGINEIO_SET_MAGIC);

	set->ground = ground;
	set->loop = loop;
	set->socks = socks;
	set->doors = doors;
	set->frames.message_max = (size_t)ground->conf->engineio_max_payload;
	timer_init(&set->drain, on_drain, set);
	loop_at_turns_end(loop, on_turns_end, set);
	if (doors != NULL) {
		engineio_place_of(ground->segment, ground->slot, &set->place);
		engineio_listener_open(set);
		engineio_forwards_open(set);
	}
	return (set);
}

/* One after the other, so that they do not come back all at once. */
static void
on_drain(struct engineio_set *set)
{
	int64_t left_ms = set->drained_ms - clock_ms();
	size_t count = HASH_COUNT(set->sessions), share = count;
	struct engineio *engine, *next;

	if (left_ms > DRAIN_MS)
		share = (size_t)(((int64_t)count * DRAIN_MS + left_ms - 1) /
		    left_ms);
	HASH_ITER(hh, set->sessions, engine, next) {
		if (share == 0)
			break;
		if (engine->state != SESSION_OPEN)
			continue;
		engineio_close(engine, ENGINEIO_SHUTTING_DOWN);
		share--;
	}
	engineio_relays_drain(set, left_ms, DRAIN_MS);
	timer_set(loop_timers(set->loop), &set->drain, DRAIN_MS);
}

void
engineio_set_drain(struct engineio_set *set, int64_t spread_ms)
{
	object_check(set, ENGINEIO_SET_MAGIC);
	if (set->doors == NULL || set->is_draining || set->is_closed)
		return;
	set->is_draining = true;
	set->drained_ms = clock_ms() + spread_ms;
	on_drain(set);
}

void
engineio_set_close(struct engineio_set *set)
{
	struct engineio *engine, *next;

	object_check(set, ENGINEIO_SET_MAGIC);
	if (set->is_closed)
		return;
	set->is_closed = true;
	timer_stop(loop_timers(set->loop), &set->drain);
	HASH_ITER(hh, set->sessions, engine, next)
		engineio_break(engine, ENGINEIO_SHUTTING_DOWN,
		    ENGINEIO_CLOSE);
	while (set->marked != NULL)
		on_turns_end(set);
	engineio_listener_close(set);
	engineio_forwards_close(set);
	loop_again(set->loop);
}

void
engineio_set_destroy(struct engineio_set **given)
{
	struct engineio_set *set = *given;

	*given = NULL;
	if (set == NULL)
		return;
	engineio_set_close(set);
	loop_leave_turns_end(set->loop, set);
	for (unsigned i = 0; i < sizeof set->packets /
	    sizeof set->packets[0]; i++)
		engineio_message_give(&set->packets[i]);
	object_free(&set);
}

size_t
engineio_set_count(const struct engineio_set *set)
{
	size_t count = 0;

	for (const struct engineio *engine = set->sessions; engine != NULL;
	    engine = engine->hh.next)
		count += engine->wire == NULL;
	return (count);
}
