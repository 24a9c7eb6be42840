/* SPDX-License-Identifier: MIT */
/*
 * A delivery from its lease to the end of its request.
 */
#include "jobs/webhook_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "base/stamp.h"
#include "core/json.h"
#include "jobs/fetch.h"
#include "jobs/webhook_sign.h"
#include "plat/loop.h"

#define SECRETS_MAX	4
#define LEASE_PARTS	3	/* times that it begins anew while it lasts */
#define AGENT		TEXT("Jackbox-Game-Picker-Webhook/1.0")

/* What is sent, as the claim has it; texts are the JSON's. */
struct task {
	text		 message;
	text		 url;
	text		 event;
	text		 payload;
	text		 secrets[SECRETS_MAX];
	unsigned	 secrets_count;
};

void
delivery_free(struct delivery *delivery)
{
	object_check(delivery, DELIVERY_MAGIC);
	must(delivery->fetch == NULL);
	timer_stop(loop_timers(delivery->webhooks->loop), &delivery->timer);
	mem_free(delivery->message);
	mem_free(delivery->origin);
	mem_free(delivery->event);
	mem_free(delivery->answer);
	object_free(&delivery);
}

void
delivery_finish(struct delivery *delivery)
{
	struct webhooks *webhooks = delivery->webhooks;

	DL_DELETE(webhooks->out, delivery);
	webhooks->out_count--;
	GAUGE_ADD(webhook_out, -1);
	delivery->is_over = true;
	timer_stop(loop_timers(webhooks->ground->loop), &delivery->timer);
	if (!delivery->is_held)
		delivery_free(delivery);
	webhooks_have_room(webhooks);
}

void
delivery_lose(struct delivery *delivery)
{
	COUNT(webhook_leases_lost);
	log_info("a webhook on its way is not ours any more",
	    F("tenant", delivery->tenant), F("webhook", delivery->webhook),
	    F("id", (const char *)delivery->message));
	fetch_cancel(&delivery->fetch);
	delivery_finish(delivery);
}

static void
plan_hold(struct delivery *delivery)
{
	struct ground *ground = delivery->webhooks->ground;

	timer_set(loop_timers(ground->loop), &delivery->timer,
	    ground->conf->work_lease / LEASE_PARTS);
}

static void
on_held(void *me, const struct db_answer *answer)
{
	struct delivery *delivery = object_cast(struct delivery,
	    DELIVERY_MAGIC, me);
	struct call_row row;

	delivery->is_held = false;
	if (delivery->is_over)
		delivery_free(delivery);
	else if (delivery->fetch == NULL)
		return;		/* its end is being recorded */
	else if (answer->result == DB_ROWS && db_rows(answer) == 1 &&
	    call_row_read(answer, 0, &row) && row.status == 409)
		delivery_lose(delivery);
	else
		plan_hold(delivery);
}

static void
on_timer(struct delivery *delivery)
{
	struct ground *ground = delivery->webhooks->ground;
	const int64_t numbers[5] = { delivery->tenant, delivery->webhook,
	    delivery->id, delivery->lease, ground->conf->work_lease };
	char digits[5][24];
	text inputs[5];

	for (unsigned i = 0; i < 5; i++) {
		snprintf(digits[i], sizeof digits[i], "%" PRId64, numbers[i]);
		inputs[i] = text_of(digits[i]);
	}
	delivery->is_held = true;
	ground_ask(ground, FUNCTION_webhook_hold, inputs, 5, on_held,
	    delivery);
}

static void
on_end(void *me, const struct fetch_end *end)
{
	struct delivery *delivery = object_cast(struct delivery,
	    DELIVERY_MAGIC, me);

	delivery->fetch = NULL;
	timer_stop(loop_timers(delivery->webhooks->ground->loop),
	    &delivery->timer);
	if (end->why == FETCH_STOPPED)
		delivery_leave(delivery);
	else
		delivery_judge(delivery, end);
}

static void
send(struct delivery *delivery, const struct task *task)
{
	struct webhooks *webhooks = delivery->webhooks;
	char legacy[WEBHOOK_LEGACY_SIZE], stamp[24];
	int64_t stamp_s = stamp_now() / 1000;
	char *url = mem_copy_text(task->url);
	struct buf signatures;
	struct fetch_request request = { .method = "POST", .url = url,
	    .body = task->payload, .max_answer = WEBHOOK_KEPT_MAX,
	    .timeout_ms = webhooks->ground->conf->webhook_timeout,
	    .connect_timeout_ms = webhooks->ground->conf->webhook_timeout,
	    .guard = webhooks->guard, .on_end = on_end, .me = delivery };

	buf_init(&signatures, BUF_NO_LIMIT);
	webhook_sign(task->secrets, task->secrets_count, task->message,
	    stamp_s, task->payload, &signatures);
	webhook_sign_legacy(task->secrets[0], task->payload, legacy);
	snprintf(stamp, sizeof stamp, "%" PRId64, stamp_s);
	const struct fetch_header headers[] = {
		{ "Content-Type", TEXT("application/json") },
		{ "User-Agent", AGENT },
		{ "webhook-id", task->message },
		{ "webhook-timestamp", text_of(stamp) },
		{ "webhook-signature", buf_text(&signatures) },
		{ "X-Webhook-Event", task->event },
		{ "X-Webhook-Signature", text_of(legacy) },
	};
	request.headers = headers;
	request.header_count = sizeof headers / sizeof headers[0];
	delivery->fetch = fetch_start(webhooks->fetcher, &request);
	buf_fini(&signatures);
	mem_free(url);
}

static bool
read_task(struct json_object *json, struct task *out)
{
	out->secrets_count = 0;
	while (out->secrets_count < SECRETS_MAX &&
	    json_in_as_text(json_in_item(json, "secrets",
	    out->secrets_count), &out->secrets[out->secrets_count]))
		out->secrets_count++;
	return (out->secrets_count > 0 &&
	    json_in_text(json, "id", &out->message) &&
	    json_in_text(json, "url", &out->url) &&
	    json_in_text(json, "event", &out->event) &&
	    json_in_text(json, "payload", &out->payload));
}

static bool
read_numbers(struct json_object *json, struct delivery *out,
    int64_t *age_ms_out)
{
	int64_t attempt, failures;

	if (!json_in_int(json, "tenant", &out->tenant) ||
	    !json_in_int(json, "webhook", &out->webhook) ||
	    !json_in_int(json, "delivery", &out->id) ||
	    !json_in_int(json, "lease", &out->lease) ||
	    !json_in_int(json, "attempt", &attempt) || attempt < 1 ||
	    !json_in_int(json, "failures", &failures) || failures < 0 ||
	    !json_in_int(json, "failing_ms", &out->failing_ms) ||
	    !json_in_bool(json, "test", &out->is_test) ||
	    !json_in_int(json, "age_ms", age_ms_out))
		return (false);
	out->attempt = attempt < 1000000 ? (unsigned)attempt : 1000000;
	out->failures = failures < 1000000 ? (unsigned)failures : 1000000;
	return (true);
}

bool
delivery_begin(struct webhooks *webhooks, text body)
{
	struct delivery *delivery = object_create(struct delivery,
	    DELIVERY_MAGIC);
	struct json_object *json = json_in_read(body);
	struct task task;
	int64_t age_ms;

	delivery->webhooks = webhooks;
	timer_init(&delivery->timer, on_timer, delivery);
	if (json == NULL || !read_task(json, &task) ||
	    !read_numbers(json, delivery, &age_ms)) {
		json_in_free(&json);
		delivery_free(delivery);
		return (false);
	}
	delivery->message = mem_copy_text(task.message);
	delivery->origin = mem_copy_text(webhook_origin(task.url));
	delivery->event = mem_copy_text(task.event);
	DL_APPEND(webhooks->out, delivery);
	webhooks->out_count++;
	GAUGE_ADD(webhook_out, 1);
	if (delivery->attempt == 1)
		HISTOGRAM_ADD(webhook_lag, age_ms * 1000);
	plan_hold(delivery);
	send(delivery, &task);
	json_in_free(&json);
	return (true);
}
