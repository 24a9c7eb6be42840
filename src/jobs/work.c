/* SPDX-License-Identifier: MIT */
/*
 * Claiming work, and doing it call by call.
 */
#include "jobs/work.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "core/json.h"
#include "plat/loop.h"

#define INPUTS_MAX	5
#define RETRY_MS	1000
#define WAIT_LEAST_MS	100	/* where another one is at it right now */

static const struct work_kind {
	const char	*name;
	enum function	 call;
	unsigned	 inputs;	/* of those that call() has */
} kinds[] = {
	{ "expire", FUNCTION_work_expire, 4 },
	{ "retention", FUNCTION_work_retain, 4 },
	{ "webhook", FUNCTION_work_webhook, 5 },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct work {
	unsigned	 magic;
#define WORK_MAGIC 0x776b6974
	struct works	*works;
	const struct work_kind *kind;
	struct timer	 next;
	int64_t		 lease;		/* 0: not ours */
	bool		 is_failing;
};

struct works {
	unsigned	 magic;
#define WORKS_MAGIC 0x776f7273
	struct ground	*ground;
	const char	*host;
	bool		 is_stopped;
	struct work	 all[KINDS];
};

static void
on_left(void *me, const struct db_answer *answer)
{
	const struct work *work = object_cast(struct work, WORK_MAGIC, me);

	if (answer->result != DB_ROWS)
		log_info("a lease was not given back, it has to run out",
		    F("work", work->kind->name));
}

static void
leave(struct work *work)
{
	char lease[24];
	text inputs[2] = { text_of(work->kind->name), TEXT_NONE };

	snprintf(lease, sizeof lease, "%" PRId64, work->lease);
	inputs[1] = text_of(lease);
	work->lease = 0;
	ground_ask(work->works->ground, FUNCTION_work_leave, inputs, 2,
	    on_left, work);
}

/* The next step; who stops gives back instead what is not done. */
static void
plan(struct work *work, int64_t ms)
{
	struct works *works = work->works;

	if (!works->is_stopped)
		timer_set(loop_timers(works->ground->loop), &work->next, ms);
	else if (work->lease != 0)
		leave(work);
}

/* As plan, but not later than work may be due by another host's options. */
static void
plan_look(struct work *work, int64_t ms)
{
	int64_t most = work->works->ground->conf->work_round;

	if (ms > most)
		ms = most;
	plan(work, ms > WAIT_LEAST_MS ? ms : WAIT_LEAST_MS);
}

static void
on_failure(struct work *work)
{
	ground_say(&work->is_failing, true);
	plan(work, RETRY_MS);
}

static bool
has_one_row(const struct db_answer *answer, struct call_row *row)
{
	return (answer->result == DB_ROWS && db_rows(answer) == 1 &&
	    call_row_read(answer, 0, row));
}

static void
on_claim(void *me, const struct db_answer *answer)
{
	struct work *work = object_cast(struct work, WORK_MAGIC, me);
	struct json_object *json = NULL;
	struct call_row row;
	int64_t wait_ms;

	if (has_one_row(answer, &row))
		json = json_in_read(row.body);
	if (json == NULL || !json_in_int(json, "wait_ms", &wait_ms)) {
		json_in_free(&json);
		on_failure(work);
		return;
	}
	ground_say(&work->is_failing, false);
	if (json_in_int(json, "lease", &work->lease))
		plan(work, 0);
	else {
		work->lease = 0;
		plan_look(work, wait_ms);
	}
	json_in_free(&json);
}

static void
claim(struct work *work)
{
	struct works *works = work->works;
	char lease_ms[24];
	text inputs[3] = { text_of(work->kind->name), text_of(works->host),
	    TEXT_NONE };

	snprintf(lease_ms, sizeof lease_ms, "%" PRId64,
	    works->ground->conf->work_lease);
	inputs[2] = text_of(lease_ms);
	ground_ask(works->ground, FUNCTION_work_claim, inputs, 3, on_claim,
	    work);
}

static void
lose(struct work *work)
{
	log_info("another host goes on with this work",
	    F("work", work->kind->name));
	COUNT(work_leases_lost);
	work->lease = 0;
	ground_say(&work->is_failing, false);
	plan(work, WAIT_LEAST_MS);
}

static void
on_called(void *me, const struct db_answer *answer)
{
	struct work *work = object_cast(struct work, WORK_MAGIC, me);
	struct json_object *json = NULL;
	struct call_row row;
	int64_t rows;
	bool is_done;

	if (has_one_row(answer, &row)) {
		if (row.status == 409) {
			lose(work);
			return;
		}
		json = json_in_read(row.body);
	}
	if (json == NULL || !json_in_int(json, "rows", &rows) ||
	    !json_in_bool(json, "done", &is_done)) {
		json_in_free(&json);
		on_failure(work);
		return;
	}
	json_in_free(&json);
	ground_say(&work->is_failing, false);
	COUNT_BY(work_rows, rows);
	if (!is_done) {
		plan(work, 0);
		return;
	}
	COUNT(work_rounds);
	work->lease = 0;
	plan_look(work, work->works->ground->conf->work_round);
}

static void
call(struct work *work)
{
	struct ground *ground = work->works->ground;
	const int64_t numbers[INPUTS_MAX] = { work->lease,
	    ground->conf->work_lease, ground->conf->work_round,
	    ground->conf->work_batch, ground->conf->webhook_log_life };
	char digits[INPUTS_MAX][24];
	text inputs[INPUTS_MAX];

	must(work->kind->inputs <= INPUTS_MAX);
	for (unsigned i = 0; i < work->kind->inputs; i++) {
		snprintf(digits[i], sizeof digits[i], "%" PRId64, numbers[i]);
		inputs[i] = text_of(digits[i]);
	}
	ground_ask(ground, work->kind->call, inputs, work->kind->inputs,
	    on_called, work);
}

static void
on_next(struct work *work)
{
	if (work->lease != 0)
		call(work);
	else
		claim(work);
}

struct works *
works_create(struct ground *ground, const char *host)
{
	struct works *works = object_create(struct works, WORKS_MAGIC);

	works->ground = ground;
	works->host = host;
	for (unsigned i = 0; i < KINDS; i++) {
		struct work *work = &works->all[i];

		work->magic = WORK_MAGIC;
		work->works = works;
		work->kind = &kinds[i];
		timer_init(&work->next, on_next, work);
		plan(work, 0);
	}
	return (works);
}

void
works_stop(struct works *works)
{
	object_check(works, WORKS_MAGIC);
	works->is_stopped = true;
	for (unsigned i = 0; i < KINDS; i++) {
		struct work *work = &works->all[i];

		/* Else a call is at hand, and its answer comes to plan. */
		if (timer_is_set(&work->next)) {
			timer_stop(loop_timers(works->ground->loop),
			    &work->next);
			plan(work, 0);
		}
	}
}

void
works_destroy(struct works **given)
{
	struct works *works = *given;

	*given = NULL;
	if (works == NULL)
		return;
	object_check(works, WORKS_MAGIC);
	must(works->is_stopped);
	object_free(&works);
}
