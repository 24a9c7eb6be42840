/* SPDX-License-Identifier: MIT */
/*
 * Looking for polls that are due.
 */
#include "jobs/polls.h"

#include "base/count.h"
#include "core/json.h"
#include "plat/loop.h"

#define MOST		TEXT("100")	/* in a look; the others in the next */
#define MOST_COUNT	100
#define BUSY_MS		20		/* another one is just at it */

struct polls {
	unsigned	 magic;
#define POLLS_MAGIC 0x706f6c73
	struct ground	*ground;
	struct timer	 look;
	bool		 is_stopped;
	bool		 is_failing;
};

static void
plan(struct polls *polls, int64_t ms)
{
	if (!polls->is_stopped)
		timer_set(loop_timers(polls->ground->loop), &polls->look, ms);
}

/* When to look again; false: it is no answer. */
static bool
read_end(text body, int64_t *wait_ms_out)
{
	struct json_object *json = json_in_read(body);
	int64_t rows, wait_ms;
	bool is_fine = json != NULL && json_in_int(json, "rows", &rows);

	*wait_ms_out = POLLS_LOOK_MS;
	if (is_fine && rows == MOST_COUNT)
		*wait_ms_out = 0;
	else if (is_fine && json_in_int(json, "wait_ms", &wait_ms) &&
	    wait_ms < POLLS_LOOK_MS)
		*wait_ms_out = wait_ms > BUSY_MS ? wait_ms : BUSY_MS;
	json_in_free(&json);
	return (is_fine);
}

static bool
take(struct polls *polls, const struct db_answer *answer,
    int64_t *wait_ms_out)
{
	bool has_end = false;
	struct ground_rows rows;
	struct call_row row;

	ground_read(polls->ground, answer, &rows);
	while (ground_row(&rows, &row))
		has_end = read_end(row.body, wait_ms_out);
	COUNT_BY(polls_ended, rows.told);
	return (rows.is_whole && has_end);
}

static void
on_ended(void *me, const struct db_answer *answer)
{
	struct polls *polls = object_cast(struct polls, POLLS_MAGIC, me);
	int64_t wait_ms = POLLS_LOOK_MS;

	ground_say(&polls->is_failing, !take(polls, answer, &wait_ms));
	plan(polls, wait_ms);
}

static void
on_look(struct polls *polls)
{
	static const text most = MOST;

	ground_ask(polls->ground, FUNCTION_work_end_polls, &most, 1,
	    on_ended, polls);
}

struct polls *
polls_create(struct ground *ground)
{
	struct polls *polls = object_create(struct polls, POLLS_MAGIC);

	polls->ground = ground;
	timer_init(&polls->look, on_look, polls);
	plan(polls, 0);
	return (polls);
}

void
polls_stop(struct polls *polls)
{
	object_check(polls, POLLS_MAGIC);
	polls->is_stopped = true;
	timer_stop(loop_timers(polls->ground->loop), &polls->look);
}

void
polls_destroy(struct polls **given)
{
	struct polls *polls = *given;

	*given = NULL;
	if (polls == NULL)
		return;
	object_check(polls, POLLS_MAGIC);
	must(polls->is_stopped);
	object_free(&polls);
}
