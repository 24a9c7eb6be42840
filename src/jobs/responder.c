/* SPDX-License-Identifier: MIT */
/*
 * Looking for turns, and for those whose time is over.
 */
#include "jobs/responder.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "core/json.h"
#include "jobs/guard.h"
#include "jobs/responder_inside.h"
#include "plat/loop.h"

#define DIGITS		24
#define EXPIRE_MOST	TEXT("100")	/* in a call; the others in the next */
#define THREADS_EVERY	60		/* turns of tending */

static void
plan(struct responders *responders, struct timer *timer, int64_t ms)
{
	if (!responders->is_stopped)
		timer_set(loop_timers(responders->ground->loop), timer, ms);
}

static text
number_text(int64_t number, char digits[DIGITS])
{
	int len = snprintf(digits, DIGITS, "%" PRId64, number);

	return (text_from(digits, (size_t)len));
}

/* --- claiming --------------------------------------------------------- */

static bool
take_row(struct responders *responders, const struct call_row *row,
    int64_t *wait_ms_out)
{
	struct json_object *json = json_in_read(row->body);
	bool is_fine, is_wanted;

	if (json == NULL)
		return (false);
	if (json_in_bool(json, "is_wanted", &is_wanted)) {
		*wait_ms_out = is_wanted ? RESPONDER_LOOK_MS :
		    RESPONDER_IDLE_MS;
		is_fine = true;
	} else
		is_fine = turn_begin(responders, (int32_t)row->element, json);
	json_in_free(&json);
	return (is_fine);
}

static bool
take_claims(struct responders *responders, const struct db_answer *answer,
    int64_t *wait_ms_out)
{
	bool is_fine = true;
	struct ground_rows rows;
	struct call_row row;

	ground_read(responders->ground, answer, &rows);
	while (ground_row(&rows, &row))
		if (!take_row(responders, &row, wait_ms_out)) {
			log_error("a claimed turn is not understood");
			is_fine = false;
		}
	return (rows.is_whole && is_fine);
}

static void
on_claimed(void *me, const struct db_answer *answer)
{
	struct responders *responders = object_cast(struct responders,
	    RESPONDERS_MAGIC, me);
	int64_t wait_ms = RESPONDER_IDLE_MS;

	if (responders->is_closed)
		return;
	ground_say(&responders->is_failing,
	    !take_claims(responders, answer, &wait_ms));
	plan(responders, &responders->look, wait_ms);
	if (responders->is_stopped)
		responders_stop(responders);
}

static void
on_look(struct responders *responders)
{
	const struct conf *conf = responders->ground->conf;
	char digits[4][DIGITS];
	text inputs[5] = { text_of(responders->host) };

	if (responders->count >= (unsigned)conf->responder_calls) {
		plan(responders, &responders->look, RESPONDER_LOOK_MS);
		return;
	}
	inputs[1] = number_text(conf->work_lease, digits[0]);
	inputs[2] = number_text(RESPONDER_ATTEMPTS, digits[1]);
	inputs[3] = number_text(conf->responder_calls - responders->count,
	    digits[2]);
	inputs[4] = number_text(conf->responder_calls_per_tenant, digits[3]);
	ground_ask(responders->ground, FUNCTION_turn_claim, inputs, 5,
	    on_claimed, responders);
}

/* --- what is over ----------------------------------------------------- */

static void
on_expired(void *me, const struct db_answer *answer)
{
	struct responders *responders = object_cast(struct responders,
	    RESPONDERS_MAGIC, me);
	struct ground_rows rows;
	struct call_row row;

	ground_read(responders->ground, answer, &rows);
	while (ground_row(&rows, &row))
		;
	COUNT_BY(responder_turns_expired, rows.told);
	plan(responders, &responders->tend, RESPONDER_TEND_MS);
}

static void
on_threads_expired(void *me, const struct db_answer *answer)
{
	struct responders *responders = object_cast(struct responders,
	    RESPONDERS_MAGIC, me);

	if (answer->result == DB_UNKNOWN)
		ground_sweep(responders->ground);
	plan(responders, &responders->tend, RESPONDER_TEND_MS);
}

static void
on_tend(struct responders *responders)
{
	static const text most = EXPIRE_MOST;
	const struct conf *conf = responders->ground->conf;
	char digits[3][DIGITS];
	text inputs[4];

	if (responders->tended++ % THREADS_EVERY == THREADS_EVERY - 1) {
		ground_ask(responders->ground, FUNCTION_thread_expire, &most,
		    1, on_threads_expired, responders);
		return;
	}
	inputs[0] = number_text(conf->responder_wait, digits[0]);
	inputs[1] = number_text(RESPONDER_UNHEARD_MS, digits[1]);
	inputs[2] = number_text(RESPONDER_ATTEMPTS, digits[2]);
	inputs[3] = most;
	ground_ask(responders->ground, FUNCTION_turn_expire, inputs, 4,
	    on_expired, responders);
}

/* --- from the beginning to the end ------------------------------------ */

struct responders *
responders_create(struct ground *ground, const char *host)
{
	struct responders *responders = object_create(struct responders,
	    RESPONDERS_MAGIC);

	responders->ground = ground;
	responders->host = host;
	responders->guard = guard_create(ground->conf);
	responders->fetcher = fetcher_create(ground);
	timer_init(&responders->look, on_look, responders);
	timer_init(&responders->tend, on_tend, responders);
	plan(responders, &responders->look, 0);
	plan(responders, &responders->tend, RESPONDER_TEND_MS);
	return (responders);
}

void
responders_stop(struct responders *responders)
{
	struct timers *timers = loop_timers(responders->ground->loop);
	struct turn *next;

	object_check(responders, RESPONDERS_MAGIC);
	responders->is_stopped = true;
	timer_stop(timers, &responders->look);
	timer_stop(timers, &responders->tend);
	for (struct turn *turn = responders->turns; turn != NULL;
	    turn = next) {
		next = turn->next;
		turn_leave(turn);
	}
}

bool
responders_are_idle(const struct responders *responders)
{
	return (responders->count == 0);
}

void
responders_close(struct responders *responders)
{
	object_check(responders, RESPONDERS_MAGIC);
	must(responders->is_stopped);
	responders->is_closed = true;
	for (struct turn *turn = responders->turns; turn != NULL;
	    turn = turn->next)
		turn_close(turn);
	fetcher_destroy(&responders->fetcher);
}

void
responders_destroy(struct responders **given)
{
	struct responders *responders = *given;

	*given = NULL;
	if (responders == NULL)
		return;
	object_check(responders, RESPONDERS_MAGIC);
	must(responders->is_closed);
	while (responders->turns != NULL)
		turn_destroy(responders->turns);
	guard_destroy(&responders->guard);
	object_free(&responders);
}
