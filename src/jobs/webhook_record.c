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
#include "base/json_out.h"
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

void
delivery_settle(struct delivery *delivery, const struct call_row *row)
{
	struct json_object *json = NULL;
	bool is_known = false;

	/* It was written before, and we did not hear of it. */
	if (row->status == 409) {
		json = json_in_read(row->body);
		if (json == NULL || !json_in_bool(json, "known", &is_known))
			is_known = false;
		json_in_free(&json);
	}
	if (is_known)
		log_info("a webhook's end had been recorded before",
		    F("tenant", delivery->tenant),
		    F("webhook", delivery->webhook),
		    F("id", (const char *)delivery->message));
	if (row->status == 200 || is_known) {
		tell(delivery);
		delivery_finish(delivery);
	} else
		delivery_lose(delivery);
}

static void
write_one(const struct delivery *delivery, struct json_out *out)
{
	const struct webhook_verdict *verdict = &delivery->verdict;

	json_object_begin(out);
	json_key(out, "tenant");
	json_int(out, delivery->tenant);
	json_key(out, "webhook");
	json_int(out, delivery->webhook);
	json_key(out, "delivery");
	json_int(out, delivery->id);
	json_key(out, "lease");
	json_int(out, delivery->lease);
	if (delivery->status > 0) {
		json_key(out, "status");
		json_int(out, delivery->status);
	}
	if (verdict->outcome != WEBHOOK_DELIVERED) {
		json_key(out, "error");
		json_text_of(out, verdict->why);
	}
	if (delivery->answer != NULL) {
		json_key(out, "answer");
		json_text_of(out, delivery->answer);
	}
	json_key(out, "took_ms");
	json_int(out, delivery->us / 1000);
	if (verdict->outcome == WEBHOOK_AGAIN) {
		json_key(out, "retry_ms");
		json_int(out, verdict->retry_ms);
	}
	if (verdict->pause_ms > 0) {
		json_key(out, "pause_ms");
		json_int(out, verdict->pause_ms);
	}
	if (verdict->outcome == WEBHOOK_GONE) {
		json_key(out, "disable");
		json_text_of(out, verdict->disabled_for);
	}
	json_object_end(out);
}

void
webhooks_write_ended(struct webhooks *webhooks, struct buf *out)
{
	struct json_out json;

	must(webhooks->told_count == 0);
	json_out_init(&json, out);
	json_array_begin(&json);
	while (webhooks->ended != NULL &&
	    webhooks->told_count < WEBHOOK_TOLD_MAX) {
		struct delivery *delivery = webhooks->ended;

		webhooks->ended = delivery->ended_next;
		write_one(delivery, &json);
		webhooks->told[webhooks->told_count++] = delivery;
	}
	if (webhooks->ended == NULL)
		webhooks->ended_end = &webhooks->ended;
	json_array_end(&json);
}

/* Before those that ended since. */
void
webhooks_keep_ended(struct webhooks *webhooks)
{
	while (webhooks->told_count > 0) {
		struct delivery *delivery =
		    webhooks->told[--webhooks->told_count];

		if (delivery == NULL)
			continue;
		if (webhooks->ended == NULL)
			webhooks->ended_end = &delivery->ended_next;
		delivery->ended_next = webhooks->ended;
		webhooks->ended = delivery;
	}
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
	webhooks_record(delivery->webhooks, delivery);
}
