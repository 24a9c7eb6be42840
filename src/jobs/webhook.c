/* SPDX-License-Identifier: MIT */
/*
 * Looking for deliveries that are due, as many as there is room for.
 */
#include "jobs/webhook_inside.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/fault.h"
#include "base/stamp.h"
#include "core/json.h"
#include "plat/loop.h"

#define BUSY_MS 20		/* another one is just at it */

static unsigned
room(const struct webhooks *webhooks)
{
	unsigned most = (unsigned)webhooks->ground->conf->webhook_at_once;

	return (most > webhooks->out_count ? most - webhooks->out_count : 0);
}

void
webhooks_look_in(struct webhooks *webhooks, int64_t ms)
{
	struct timer *look = &webhooks->look;

	if (webhooks->is_stopped || webhooks->is_claiming)
		return;
	if (!timer_is_set(look) || look->due_ms > clock_ms() + ms)
		timer_set(loop_timers(webhooks->ground->loop), look, ms);
}

void
webhooks_have_room(struct webhooks *webhooks)
{
	if (webhooks->has_more)
		webhooks_look_in(webhooks, 0);
}

bool
webhooks_may_go_on(const struct webhooks *webhooks)
{
	return (!webhooks->is_stopped && !webhooks->has_more);
}

/* The last row. false: it is none. */
static bool
read_end(struct webhooks *webhooks, text body, int64_t *wait_ms_out)
{
	struct json_object *json = json_in_read(body);
	int64_t rows = 0, wait_ms, least;
	bool is_fine = json != NULL && json_in_int(json, "rows", &rows);

	*wait_ms_out = WEBHOOK_LOOK_MS;
	webhooks->has_more = is_fine && rows >= webhooks->asked;
	least = rows > 0 ? 0 : BUSY_MS;
	if (webhooks->has_more)
		*wait_ms_out = 0;
	else if (is_fine && json_in_int(json, "wait_ms", &wait_ms) &&
	    wait_ms < WEBHOOK_LOOK_MS)
		*wait_ms_out = wait_ms > least ? wait_ms : least;
	json_in_free(&json);
	return (is_fine);
}

static bool
take(struct webhooks *webhooks, const struct db_answer *answer,
    int64_t *wait_ms_out)
{
	bool has_end = false, is_fine = true;
	struct call_row row;

	if (answer->result != DB_ROWS)
		return (false);
	if (db_rows(answer) > 1 && FAULT(webhook_dies_claimed))
		raise(SIGKILL);
	for (unsigned i = 0; i < db_rows(answer); i++) {
		if (!call_row_read(answer, i, &row) || row.is_event)
			return (false);
		if (row.status == 201)
			is_fine &= delivery_begin(webhooks, row.body);
		else
			has_end = read_end(webhooks, row.body,
			    wait_ms_out);
	}
	return (has_end && is_fine);
}

static void
on_claim(void *me, const struct db_answer *answer)
{
	struct webhooks *webhooks = object_cast(struct webhooks,
	    WEBHOOKS_MAGIC, me);
	int64_t wait_ms = WEBHOOK_RETRY_MS;

	webhooks->is_claiming = false;
	ground_say(&webhooks->is_failing, !take(webhooks, answer, &wait_ms));
	if (webhooks->is_failing)
		wait_ms = WEBHOOK_RETRY_MS;
	/* Where there is no room, whoever ends looks. */
	if (room(webhooks) > 0)
		webhooks_look_in(webhooks, wait_ms);
	else
		webhooks->has_more = true;
}

static void
claim(struct webhooks *webhooks)
{
	const struct conf *conf = webhooks->ground->conf;
	const int64_t numbers[3] = { conf->work_lease, room(webhooks),
	    webhook_each(room(webhooks),
	    (unsigned)conf->webhook_per_endpoint) };
	text inputs[4] = { text_of(webhooks->host) };
	char digits[3][24];

	if (room(webhooks) == 0) {
		webhooks->has_more = true;
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		snprintf(digits[i], sizeof digits[i], "%" PRId64, numbers[i]);
		inputs[i + 1] = text_of(digits[i]);
	}
	webhooks->is_claiming = true;
	webhooks->asked = room(webhooks);
	ground_ask(webhooks->ground, FUNCTION_webhook_claim, inputs, 4,
	    on_claim, webhooks);
}

static void
on_left(void *me, const struct db_answer *answer)
{
	struct webhooks *webhooks = object_cast(struct webhooks,
	    WEBHOOKS_MAGIC, me);
	bool is_done = answer->result == DB_ROWS;

	webhooks->is_claiming = false;
	webhooks->has_left = is_done;
	ground_say(&webhooks->is_failing, !is_done);
	webhooks_look_in(webhooks, is_done ? 0 : WEBHOOK_RETRY_MS);
}

static void
on_look(struct webhooks *webhooks)
{
	text host = text_of(webhooks->host);

	if (webhooks->has_left) {
		claim(webhooks);
		return;
	}
	webhooks->is_claiming = true;
	ground_ask(webhooks->ground, FUNCTION_webhook_leave_all, &host, 1,
	    on_left, webhooks);
}

struct webhooks *
webhooks_create(struct ground *ground, struct fetcher *fetcher,
    const struct guard *guard, const char *host)
{
	struct webhooks *webhooks = object_create(struct webhooks,
	    WEBHOOKS_MAGIC);

	webhooks->ground = ground;
	webhooks->fetcher = fetcher;
	webhooks->guard = guard;
	webhooks->host = host;
	webhook_plan_init(&webhooks->plan, ground->conf);
	timer_init(&webhooks->look, on_look, webhooks);
	webhooks_look_in(webhooks, 0);
	return (webhooks);
}

void
webhooks_stop(struct webhooks *webhooks)
{
	object_check(webhooks, WEBHOOKS_MAGIC);
	webhooks->is_stopped = true;
	timer_stop(loop_timers(webhooks->ground->loop), &webhooks->look);
}

bool
webhooks_are_idle(const struct webhooks *webhooks)
{
	object_check(webhooks, WEBHOOKS_MAGIC);
	return (webhooks->out == NULL && !webhooks->is_claiming);
}

void
webhooks_destroy(struct webhooks **given)
{
	struct webhooks *webhooks = *given;
	struct delivery *delivery, *next;

	*given = NULL;
	if (webhooks == NULL)
		return;
	object_check(webhooks, WEBHOOKS_MAGIC);
	must(webhooks->is_stopped);
	DL_FOREACH_SAFE(webhooks->out, delivery, next)
		delivery_free(delivery);
	object_free(&webhooks);
}
