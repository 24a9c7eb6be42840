/* SPDX-License-Identifier: MIT */
/*
 * Looking for seats of processes that are gone.
 */
#include "jobs/seats.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/count.h"
#include "base/stamp.h"
#include "core/json.h"
#include "plat/loop.h"
#include "plat/segment.h"
#include "store/call.h"

#define MOST		TEXT("100")	/* in a look; the others in the next */
#define MOST_COUNT	100

struct seats {
	unsigned	 magic;
#define SEATS_MAGIC 0x73656174
	struct ground	*ground;
	struct timer	 look;
	int64_t		 asked_ms;
	int64_t		 good_since_ms;		/* 0: it is not */
	bool		 is_stopped;
	bool		 is_failing;
};

static void
plan(struct seats *seats, int64_t ms)
{
	if (!seats->is_stopped)
		timer_set(loop_timers(seats->ground->loop), &seats->look, ms);
}

static bool
read_end(text body, int64_t *wait_ms_out)
{
	struct json_object *json = json_in_read(body);
	int64_t rows;
	bool is_fine = json != NULL && json_in_int(json, "rows", &rows);

	*wait_ms_out = is_fine && rows == MOST_COUNT ? 0 : SEATS_LOOK_MS;
	json_in_free(&json);
	return (is_fine);
}

static bool
take(struct seats *seats, const struct db_answer *answer,
    int64_t *wait_ms_out)
{
	bool has_end = false;
	struct ground_rows rows;
	struct call_row row;

	ground_read(seats->ground, answer, &rows);
	while (ground_row(&rows, &row))
		has_end = read_end(row.body, wait_ms_out);
	COUNT_BY(tabletop_seats_swept, rows.told);
	return (rows.is_whole && has_end);
}

static void
on_looked(void *me, const struct db_answer *answer)
{
	struct seats *seats = object_cast(struct seats, SEATS_MAGIC, me);
	int64_t wait_ms = SEATS_LOOK_MS, now = clock_ms();
	bool is_fine = take(seats, answer, &wait_ms);

	ground_say(&seats->is_failing, !is_fine);
	if (!is_fine || now - seats->asked_ms >= SEATS_SLOW_MS)
		seats->good_since_ms = 0;
	else if (seats->good_since_ms == 0)
		seats->good_since_ms = now;
	plan(seats, wait_ms);
}

/* "slot.generation" of each process here. */
static void
write_alive(const struct segment *segment, struct buf *alive)
{
	char one[32];

	for (unsigned i = 0; i < segment->slots_count; i++) {
		const struct slot *slot = &segment->slots[i];

		if (atomic_load(&slot->role) == ROLE_NONE)
			continue;
		snprintf(one, sizeof one, "%u.%" PRIu32, i,
		    atomic_load(&slot->generation));
		call_array_add(alive, text_of(one));
	}
	call_array_end(alive);
}

static void
on_look(struct seats *seats)
{
	const struct segment *segment = seats->ground->segment;
	int64_t now = clock_ms();
	/* A turn that came late says nothing of how the others are. */
	bool judges = seats->good_since_ms != 0 &&
	    now - seats->good_since_ms >= SEATS_PATIENCE_MS &&
	    now - seats->asked_ms < SEATS_LOOK_MS + SEATS_SLOW_MS;
	struct buf alive;
	text inputs[5];

	buf_init(&alive, BUF_NO_LIMIT);
	write_alive(segment, &alive);
	inputs[0] = text_of(segment->host);
	inputs[1] = buf_text(&alive);
	inputs[2] = judges ? TEXT("true") : TEXT("false");
	inputs[3] = SEATS_SILENCE;
	inputs[4] = MOST;
	seats->asked_ms = now;
	ground_ask(seats->ground, FUNCTION_work_tabletop_seats, inputs, 5,
	    on_looked, seats);
	buf_fini(&alive);
}

struct seats *
seats_create(struct ground *ground)
{
	struct seats *seats = object_create(struct seats, SEATS_MAGIC);

	seats->ground = ground;
	timer_init(&seats->look, on_look, seats);
	plan(seats, 0);
	return (seats);
}

void
seats_stop(struct seats *seats)
{
	object_check(seats, SEATS_MAGIC);
	seats->is_stopped = true;
	timer_stop(loop_timers(seats->ground->loop), &seats->look);
}

void
seats_destroy(struct seats **given)
{
	struct seats *seats = *given;

	*given = NULL;
	if (seats == NULL)
		return;
	object_check(seats, SEATS_MAGIC);
	must(seats->is_stopped);
	object_free(&seats);
}
