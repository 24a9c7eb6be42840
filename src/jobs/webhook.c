/* SPDX-License-Identifier: MIT */
/*
 * Looking for deliveries that are due, as many as there is room for, and
 * saying how those ended that were. One call at a time does both, so that
 * what ends while it is on its way goes together in the next.
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
#define NEWS_MS 10		/* between looks for what is new */

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

	if (webhooks->is_asking ||
	    (webhooks->is_stopped && webhooks->ended == NULL))
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

void
webhooks_record(struct webhooks *webhooks, struct delivery *delivery)
{
	delivery->ended_next = NULL;
	*webhooks->ended_end = delivery;
	webhooks->ended_end = &delivery->ended_next;
	webhooks_look_in(webhooks, webhooks->is_failing ?
	    WEBHOOK_RETRY_MS : 0);
}

/* At once, but not for each of many. */
static void
look_for_news(struct webhooks *webhooks)
{
	int64_t ms = webhooks->asked_ms + NEWS_MS - clock_ms();

	if (webhooks->has_news && !webhooks->is_failing)
		webhooks_look_in(webhooks, ms > 0 ? ms : 0);
}

void
webhooks_news(struct webhooks *webhooks)
{
	object_check(webhooks, WEBHOOKS_MAGIC);
	webhooks->has_news = true;
	look_for_news(webhooks);
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
	/* Another host may be moving what the news were of. */
	if (rows == 0 && webhooks->had_news)
		*wait_ms_out = BUSY_MS;
	if (webhooks->has_more)
		*wait_ms_out = 0;
	else if (is_fine && json_in_int(json, "wait_ms", &wait_ms) &&
	    wait_ms < *wait_ms_out)
		*wait_ms_out = wait_ms > least ? wait_ms : least;
	json_in_free(&json);
	return (is_fine);
}

/* Events, a row for each end, what is to be sent, the last row. */
static bool
take(struct webhooks *webhooks, struct ground_rows *rows,
    int64_t *wait_ms_out)
{
	unsigned told = 0;
	bool has_end = false, is_fine = true;
	struct call_row row;

	while (ground_row(rows, &row))
		if (told < webhooks->told_count) {
			delivery_settle(webhooks->told[told], &row);
			webhooks->told[told++] = NULL;
		} else if (row.status == 201)
			is_fine &= delivery_begin(webhooks, row.body);
		else
			has_end = read_end(webhooks, row.body,
			    wait_ms_out);
	return (rows->is_whole && has_end && is_fine);
}

static bool
hear(struct webhooks *webhooks, const struct db_answer *answer,
    int64_t *wait_ms_out)
{
	struct ground_rows rows;
	bool is_fine;

	ground_read(webhooks->ground, answer, &rows);
	if (!rows.is_whole) {
		webhooks_keep_ended(webhooks);
		return (false);
	}
	if (webhooks->told_count > 0 && FAULT(webhook_dies_recorded))
		raise(SIGKILL);
	if (db_rows(answer) > webhooks->told_count + 1 &&
	    FAULT(webhook_dies_claimed))
		raise(SIGKILL);
	is_fine = take(webhooks, &rows, wait_ms_out);
	webhooks_keep_ended(webhooks);
	return (is_fine);
}

static void
on_answer(void *me, const struct db_answer *answer)
{
	struct webhooks *webhooks = object_cast(struct webhooks,
	    WEBHOOKS_MAGIC, me);
	int64_t wait_ms = WEBHOOK_RETRY_MS;

	ground_say(&webhooks->is_failing, !hear(webhooks, answer, &wait_ms));
	webhooks->is_asking = false;
	if (webhooks->ground->is_closing)
		return;
	if (webhooks->is_failing)
		wait_ms = WEBHOOK_RETRY_MS;
	else if (webhooks->ended != NULL)
		wait_ms = 0;
	/* Where there is no room, whoever ends looks. */
	if (room(webhooks) > 0 || webhooks->ended != NULL)
		webhooks_look_in(webhooks, wait_ms);
	else
		webhooks->has_more = true;
	look_for_news(webhooks);
}

/* How long a lease is, how many more, how many of them for one endpoint. */
static void
write_numbers(const struct webhooks *webhooks, char digits[3][24],
    text inputs[3])
{
	const struct conf *conf = webhooks->ground->conf;
	unsigned most = webhooks->asked;
	const int64_t numbers[3] = { conf->work_lease, most,
	    webhook_each(most, (unsigned)conf->webhook_per_endpoint) };

	for (unsigned i = 0; i < 3; i++) {
		snprintf(digits[i], 24, "%" PRId64, numbers[i]);
		inputs[i] = text_of(digits[i]);
	}
}

static void
on_left(void *me, const struct db_answer *answer)
{
	struct webhooks *webhooks = object_cast(struct webhooks,
	    WEBHOOKS_MAGIC, me);
	bool is_done = answer->result == DB_ROWS;

	webhooks->is_asking = false;
	webhooks->has_left = is_done;
	ground_say(&webhooks->is_failing, !is_done);
	webhooks_look_in(webhooks, is_done ? 0 : WEBHOOK_RETRY_MS);
}

static void
ask(struct webhooks *webhooks)
{
	struct buf ended;
	text inputs[5];
	char digits[3][24];

	buf_init(&ended, BUF_NO_LIMIT);
	webhooks_write_ended(webhooks, &ended);
	/* Those that ended make room for as many. */
	webhooks->asked = webhooks->is_stopped ? 0 :
	    room(webhooks) + webhooks->told_count;
	webhooks->is_asking = true;
	webhooks->asked_ms = clock_ms();
	webhooks->had_news = webhooks->has_news;
	webhooks->has_news = false;
	inputs[0] = buf_text(&ended);
	inputs[1] = text_of(webhooks->host);
	write_numbers(webhooks, digits, inputs + 2);
	if (webhooks->told_count > 0)
		ground_ask(webhooks->ground, FUNCTION_webhook_done, inputs,
		    5, on_answer, webhooks);
	else
		ground_ask(webhooks->ground, FUNCTION_webhook_claim,
		    inputs + 1, 4, on_answer, webhooks);
	buf_fini(&ended);
}

static void
on_look(struct webhooks *webhooks)
{
	text host = text_of(webhooks->host);

	if (!webhooks->has_left) {
		webhooks->is_asking = true;
		ground_ask(webhooks->ground, FUNCTION_webhook_leave_all,
		    &host, 1, on_left, webhooks);
	} else if (webhooks->ended != NULL || room(webhooks) > 0)
		ask(webhooks);
	else
		webhooks->has_more = true;
}

struct webhooks *
webhooks_create(struct ground *ground, struct fetcher *fetcher,
    const struct guard *guard, const char *host)
{
	struct webhooks *webhooks = object_create(struct webhooks,
	    WEBHOOKS_MAGIC);

	webhooks->ground = ground;
	webhooks->loop = ground->loop;
	webhooks->fetcher = fetcher;
	webhooks->guard = guard;
	webhooks->host = host;
	webhooks->ended_end = &webhooks->ended;
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
	if (webhooks->ended == NULL)
		timer_stop(loop_timers(webhooks->ground->loop),
		    &webhooks->look);
}

bool
webhooks_are_idle(const struct webhooks *webhooks)
{
	object_check(webhooks, WEBHOOKS_MAGIC);
	return (webhooks->out == NULL && !webhooks->is_asking);
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
	timer_stop(loop_timers(webhooks->loop), &webhooks->look);
	DL_FOREACH_SAFE(webhooks->out, delivery, next)
		delivery_free(delivery);
	object_free(&webhooks);
}
