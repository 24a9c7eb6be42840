/* SPDX-License-Identifier: MIT */
/*
 * What came of a delivery's request, into its row and into the log.
 */
#include "jobs/webhook_inside.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/json.h"
#include "jobs/fetch.h"
#include "plat/loop.h"

#define NUMBERS 4		/* whose delivery it is, and its lease */

static void
write_number(int64_t number, char digits[24], text *out)
{
	snprintf(digits, 24, "%" PRId64, number);
	*out = text_of(digits);
}

static void
write_key(const struct delivery *delivery, char digits[NUMBERS][24],
    text *inputs)
{
	const int64_t numbers[NUMBERS] = { delivery->tenant,
	    delivery->webhook, delivery->id, delivery->lease };

	for (unsigned i = 0; i < NUMBERS; i++)
		write_number(numbers[i], digits[i], &inputs[i]);
}

static void
on_left(void *me, const struct db_answer *answer)
{
	struct delivery *delivery = object_cast(struct delivery,
	    DELIVERY_MAGIC, me);

	if (answer->result != DB_ROWS)
		log_info("a webhook's lease was not given back, it has to "
		    "run out", F("tenant", delivery->tenant),
		    F("webhook", delivery->webhook),
		    F("id", (const char *)delivery->message));
	delivery_finish(delivery);
}

void
delivery_leave(struct delivery *delivery)
{
	char digits[NUMBERS][24];
	text inputs[NUMBERS];

	write_key(delivery, digits, inputs);
	ground_ask(delivery->webhooks->ground, FUNCTION_webhook_leave, inputs,
	    NUMBERS, on_left, delivery);
}

static void
tell_failure(const struct delivery *delivery)
{
	static const char *const words[] = {
		[WEBHOOK_AGAIN] = "webhook was not delivered, "
		    "it will be tried again",
		[WEBHOOK_DEAD] = "webhook was not delivered, "
		    "it is given up",
		[WEBHOOK_GONE] = "webhook was not delivered, "
		    "its endpoint is disabled",
	};
	const struct webhook_verdict *verdict = &delivery->verdict;

	log_warn(words[verdict->outcome], F("tenant", delivery->tenant),
	    F("webhook", delivery->webhook),
	    F("to", (const char *)delivery->origin),
	    F("event", (const char *)delivery->event),
	    F("id", (const char *)delivery->message),
	    F("attempt", delivery->attempt),
	    F("why", verdict->outcome == WEBHOOK_GONE ?
	    (const char *)verdict->disabled_for : (const char *)verdict->why),
	    F("again_ms", verdict->retry_ms),
	    F("pause_ms", verdict->pause_ms));
}

static void
tell(const struct delivery *delivery)
{
	const struct webhook_verdict *verdict = &delivery->verdict;

	HISTOGRAM_ADD(webhook_request, delivery->us);
	if (verdict->outcome == WEBHOOK_DELIVERED) {
		COUNT(webhook_delivered);
		if (delivery->failures > 0)
			log_info("a webhook's endpoint answers again",
			    F("tenant", delivery->tenant),
			    F("webhook", delivery->webhook),
			    F("to", (const char *)delivery->origin),
			    F("failures", delivery->failures));
		return;
	}
	COUNT(webhook_failed);
	if (verdict->pause_ms > 0)
		COUNT(webhook_pauses);
	if (verdict->outcome != WEBHOOK_AGAIN)
		COUNT(webhook_dead);
	if (verdict->outcome == WEBHOOK_GONE)
		COUNT(webhook_disabled);
	tell_failure(delivery);
}

/* The last row, after which others may come up. */
static void
plan_look(struct webhooks *webhooks, text body)
{
	struct json_object *json = json_in_read(body);
	int64_t wait_ms;

	if (json != NULL && json_in_int(json, "wait_ms", &wait_ms) &&
	    wait_ms < WEBHOOK_LOOK_MS)
		webhooks_look_in(webhooks, wait_ms > 0 ? wait_ms : 0);
	json_in_free(&json);
}

/* What follows in its queue takes its place. */
static bool
begin_next(struct webhooks *webhooks, const struct db_answer *answer)
{
	bool has_next = false;
	struct call_row row;

	for (unsigned i = 0; i < db_rows(answer); i++)
		if (call_row_read(answer, i, &row) && !row.is_event &&
		    row.status == 201)
			has_next |= delivery_begin(webhooks, row.body);
	return (has_next);
}

static void
take(struct delivery *delivery, const struct db_answer *answer)
{
	struct webhooks *webhooks = delivery->webhooks;
	struct call_row row;

	for (unsigned i = 0; i + 1 < db_rows(answer); i++)
		if (call_row_read(answer, i, &row) && row.is_event)
			ground_tell(webhooks->ground, (int32_t)row.element,
			    &row);
	if (db_rows(answer) == 0 ||
	    !call_row_read(answer, db_rows(answer) - 1, &row)) {
		delivery_lose(delivery);
		return;
	}
	if (row.status == 409) {
		delivery_lose(delivery);
		return;
	}
	tell(delivery);
	delivery_finish(delivery);
	if (!begin_next(webhooks, answer))
		plan_look(webhooks, row.body);
}

static void
on_recorded(void *me, const struct db_answer *answer)
{
	struct delivery *delivery = object_cast(struct delivery,
	    DELIVERY_MAGIC, me);
	struct webhooks *webhooks = delivery->webhooks;

	if (answer->result == DB_ROWS && FAULT(webhook_dies_recorded))
		raise(SIGKILL);
	if (answer->result == DB_UNKNOWN)
		ground_sweep(webhooks->ground);
	ground_say(&webhooks->is_failing, answer->result != DB_ROWS);
	if (answer->result == DB_ROWS)
		take(delivery, answer);
	else if (webhooks->ground->is_closing)
		delivery_finish(delivery);
	else
		timer_set(loop_timers(webhooks->ground->loop),
		    &delivery->timer, WEBHOOK_RETRY_MS);
}

void
delivery_record(struct delivery *delivery)
{
	struct webhooks *webhooks = delivery->webhooks;
	const struct webhook_verdict *verdict = &delivery->verdict;
	bool is_fine = verdict->outcome == WEBHOOK_DELIVERED;
	char digits[NUMBERS + 6][24];
	text inputs[14] = { TEXT_NONE };

	write_key(delivery, digits, inputs);
	if (delivery->status > 0)
		write_number(delivery->status, digits[4], &inputs[4]);
	if (!is_fine)
		inputs[5] = text_of(verdict->why);
	if (delivery->answer != NULL)
		inputs[6] = text_of(delivery->answer);
	write_number(delivery->us / 1000, digits[5], &inputs[7]);
	if (verdict->outcome == WEBHOOK_AGAIN)
		write_number(verdict->retry_ms, digits[6], &inputs[8]);
	if (verdict->pause_ms > 0)
		write_number(verdict->pause_ms, digits[7], &inputs[9]);
	if (verdict->outcome == WEBHOOK_GONE)
		inputs[10] = text_of(verdict->disabled_for);
	write_number(is_fine && webhooks_may_go_on(webhooks), digits[8],
	    &inputs[11]);
	write_number(webhooks->ground->conf->work_lease, digits[9],
	    &inputs[12]);
	inputs[13] = text_of(webhooks->host);
	ground_ask(webhooks->ground, FUNCTION_webhook_done, inputs, 14,
	    on_recorded, delivery);
}

void
delivery_judge(struct delivery *delivery, const struct fetch_end *end)
{
	const struct webhook_tried tried = {
	    .is_answered = end->why == FETCH_ANSWERED && end->status > 0,
	    .status = end->status, .retry_after_s = end->retry_after_s,
	    .words = end->words[0] != '\0' ? end->words : "no answer came",
	    .attempt = delivery->attempt,
	    .failures = delivery->failures,
	    .failing_ms = delivery->failures == 0 ? 0 :
	    delivery->failing_ms + end->us / 1000,
	    .is_test = delivery->is_test };
	struct buf answer;
	unsigned random;

	if (FAULT(webhook_dies_answered))
		raise(SIGKILL);
	secret_fill(&random, sizeof random);
	webhook_judge(&delivery->webhooks->plan, &tried, random,
	    &delivery->verdict);
	delivery->status = end->status;
	delivery->us = end->us;
	if (end->status > 0) {
		buf_init(&answer, BUF_NO_LIMIT);
		webhook_keep(end->body, &answer);
		buf_add_string(&answer, "");
		delivery->answer = buf_take(&answer);
	}
	delivery_record(delivery);
}
