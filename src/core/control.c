/* SPDX-License-Identifier: MIT */
/*
 * Reading `control`, and heeding it.
 */
#include "core/control.h"

#include <stdio.h>

#include "base/conf.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "core/cache.h"
#include "core/feed.h"
#include "core/json.h"
#include "core/sign_in.h"
#include "core/tenant.h"
#include "core/who.h"
#include "plat/loop.h"
#include "plat/segment.h"
#include "plat/versions.h"

#define JITTER_MS 50

/* Lists that are read whole; each is fed to its book. */
enum list { LIST_TENANTS, LIST_SECRETS, LIST_REVOCATIONS, LISTS };

enum leave { STAYS, LEAVES, HAS_LEFT };

struct control {
	unsigned	 magic;
#define CONTROL_MAGIC 0x6e657773
	struct service	*service;
	struct timer	 timer;
	bool		 is_reading;	/* a query is on its way */
	bool		 is_wanted;	/* and one more after it */
	bool		 has_all;	/* up to num, of epoch */
	char		 epoch[RING_EPOCH_MAX + 1];
	int64_t		 num;
	unsigned	 lists_left;
	bool		 lists_failed;
	char		 next_epoch[RING_EPOCH_MAX + 1];
	int64_t		 next_num;
	bool		 has_others;	/* other hosts live */
	unsigned	 others;
	enum leave	 leave;
};

static void read_control(struct control *control);

static void
plan(struct control *control, int64_t ms)
{
	if (!control->service->is_closing)
		timer_set(loop_timers(control->service->loop),
		    &control->timer, ms);
}

static void
on_timer(struct control *control)
{
	read_control(control);
}

static void
reading_ends(struct control *control)
{
	unsigned char random;

	control->is_reading = false;
	secret_fill(&random, sizeof random);
	plan(control, control->is_wanted ? 0 :
	    CONTROL_MS - random * JITTER_MS / 255);
	control->is_wanted = false;
}

static bool
feed(struct service *service, enum list list, text body)
{
	switch (list) {
	case LIST_TENANTS:
		return (tenant_book_put_all(service->tenants, body));
	case LIST_SECRETS:
		return (sign_in_use_secrets(service->sign_in, body));
	case LIST_REVOCATIONS:
		return (sign_in_use_revocations(service->sign_in, body));
	case LISTS:
		break;
	}
	return (false);
}

/* All lists are in: what `control` said up to next_num is known. */
static void
lists_end(struct control *control)
{
	struct service *service = control->service;

	if (!control->lists_failed) {
		control->has_all = true;
		control->num = control->next_num;
		memcpy(control->epoch, control->next_epoch,
		    sizeof control->epoch);
		versions_bump_all(service->segment);
		if (!service->is_ready)
			log_info("serving", F("tenants",
			    tenant_book_count(service->tenants)));
		service->is_ready = true;
		sign_in_on_ready(service->sign_in);
	}
	reading_ends(control);
}

static void
on_list(struct control *control, enum list list,
    const struct db_answer *answer)
{
	struct call_row row;

	if (answer->result != DB_ROWS || db_rows(answer) != 1 ||
	    !call_row_read(answer, 0, &row) ||
	    !feed(control->service, list, row.body))
		control->lists_failed = true;
	if (--control->lists_left == 0)
		lists_end(control);
}

static void
on_tenants(void *me, const struct db_answer *answer)
{
	on_list(me, LIST_TENANTS, answer);
}

static void
on_secrets(void *me, const struct db_answer *answer)
{
	on_list(me, LIST_SECRETS, answer);
}

static void
on_revocations(void *me, const struct db_answer *answer)
{
	on_list(me, LIST_REVOCATIONS, answer);
}

static void
read_lists(struct control *control, const struct call_row *head)
{
	struct service *service = control->service;

	control->next_num = (int64_t)head->seq;
	snprintf(control->next_epoch, sizeof control->next_epoch, "%.*s",
	    TEXT_ARGS(head->epoch));
	control->lists_left = LISTS;
	control->lists_failed = false;
	service_ask(service, FUNCTION_tenant_list, NULL, TEXT_NONE, NULL, 0,
	    on_tenants, control);
	service_ask(service, FUNCTION_secret_list, NULL, TEXT_NONE, NULL, 0,
	    on_secrets, control);
	service_ask(service, FUNCTION_revocation_list, NULL, TEXT_NONE, NULL,
	    0, on_revocations, control);
}

static bool
is_other_host(const struct control *control, struct json_object *host)
{
	int64_t age_ms;
	text id;

	return (json_in_text(host, "id", &id) &&
	    json_in_int(host, "age_ms", &age_ms) && age_ms < HOST_DEAD_MS &&
	    !text_is(id, text_of(control->service->segment->host)));
}

/* News between hosts are late where one of two has its relay cut off. */
static void
heed_hosts(struct control *control, struct json_object *head)
{
	struct service *service = control->service;
	const struct conf *conf = service->conf;
	unsigned others = 0;
	bool has_others, is_late = segment_is_cut_off(
	    service->segment), other_is_late;
	struct json_object *host;

	for (size_t i = 0; (host = json_in_item(head, "hosts", i)) != NULL;
	    i++)
		if (is_other_host(control, host)) {
			others++;
			is_late = is_late || (json_in_bool(host, "degraded",
			    &other_is_late) && other_is_late);
		}
	has_others = others > 0;
	control->others = others;
	feed_hurry(service->feed, has_others && is_late);
	if (has_others == control->has_others)
		return;
	control->has_others = has_others;
	log_info(has_others ? "other hosts live: answers are kept for "
	    "read_cache_ms" : "no other host lives",
	    F("read_cache_ms", conf->read_cache_ms));
	cache_bound(service->cache, conf->read_cache,
	    has_others ? conf->read_cache_ms : CACHE_LIFE_MS);
}

/* One tenant anew; where that fails, all of them. */
static void
on_tenant(void *me, const struct db_answer *answer)
{
	struct control *control = me;
	struct call_row row;

	if (answer->result == DB_ROWS && db_rows(answer) == 0)
		return;		/* removed since: that is told, too */
	if (answer->result != DB_ROWS || !call_row_read(answer, 0, &row) ||
	    !tenant_book_put(control->service->tenants, row.body)) {
		control->has_all = false;
		control_read_now(control);
	}
}

static void
heed_tenant(struct control *control, struct json_object *data, bool is_gone)
{
	struct service *service = control->service;
	int64_t tenant;
	char digits[24];
	text input;

	if (!json_in_int(data, "tenant", &tenant))
		return;
	if (is_gone) {
		tenant_book_remove(service->tenants, (int32_t)tenant);
		return;
	}
	snprintf(digits, sizeof digits, "%lld", (long long)tenant);
	input = text_of(digits);
	service_ask(service, FUNCTION_tenant_get, NULL, TEXT_NONE, &input, 1,
	    on_tenant, control);
}

/* Its stream went with it. */
static void
heed_deleted(struct service *service, struct json_object *data)
{
	int64_t tenant;
	text stream;

	if (json_in_int(data, "tenant", &tenant) &&
	    json_in_text(data, "stream", &stream))
		feed_deleted(service->feed, (int32_t)tenant, stream);
}

static void
heed(struct control *control, const struct call_row *row)
{
	struct service *service = control->service;
	struct json_object *event = json_in_read(row->body), *data;
	text type;

	versions_bump_all(service->segment);
	data = event != NULL ? json_in_object(event, "data") : NULL;
	if (data == NULL || !json_in_text(event, "type", &type))
		log_error("an event of control is not understood",
		    F("seq", row->seq));
	else if (text_is(type, TEXT("tenant.removed")))
		heed_tenant(control, data, true);
	else if (text_begins(type, TEXT("tenant.")))
		heed_tenant(control, data, false);
	else if (text_is(type, TEXT("epoch.renewed")))
		feed_sweep(service->feed);
	else if (text_begins(type, TEXT("secret.")))
		control->has_all = false;
	else if (text_ends(type, TEXT(".deleted")))
		heed_deleted(service, data);
	else if (!sign_in_heed(service->sign_in, type, data)) {
		log_error("an event of control is not understood",
		    F("seq", row->seq), F("type", type));
		control->has_all = false;
	}
	json_in_free(&event);
}

/* The events behind the head's row. */
static void
heed_page(struct control *control, const struct db_answer *answer)
{
	struct call_row row;

	for (unsigned i = 1; i < db_rows(answer); i++) {
		if (!call_row_read(answer, i, &row) || !row.is_event ||
		    (int64_t)row.seq != control->num + 1) {
			control->has_all = false;
			return;
		}
		heed(control, &row);
		control->num = (int64_t)row.seq;
	}
}

static void
on_control(void *me, const struct db_answer *answer)
{
	struct control *control = me;
	struct service *service = control->service;
	struct json_object *head;
	struct call_row row;
	int64_t lowest;

	if (answer->result != DB_ROWS || db_rows(answer) == 0 ||
	    !call_row_read(answer, 0, &row) || row.is_event) {
		reading_ends(control);
		return;
	}
	head = json_in_read(row.body);
	if (head == NULL || !json_in_int(head, "lowest", &lowest))
		lowest = INT64_MAX;
	else
		heed_hosts(control, head);
	json_in_free(&head);
	/* Its own epoch is renewed with all the others. */
	if (control->has_all &&
	    !text_is(row.epoch, text_of(control->epoch))) {
		feed_sweep(service->feed);
		control->has_all = false;
	}
	if (control->has_all &&
	    ((int64_t)row.seq < control->num || lowest > control->num + 1))
		control->has_all = false;
	if (control->has_all)
		heed_page(control, answer);
	if (!control->has_all) {
		read_lists(control, &row);
		return;
	}
	control->is_wanted = control->is_wanted ||
	    (int64_t)row.seq > control->num;
	reading_ends(control);
}

static void
on_beat(void *me, const struct db_answer *answer)
{
	struct control *control = me;

	/* Another worker may do better, now. */
	if (answer->result != DB_ROWS)
		atomic_store(&control->service->segment->host_beat_ms, 0);
}

/* The one of the host's workers that comes first does it for all. */
static void
beat(struct control *control)
{
	struct segment *segment = control->service->segment;
	int64_t now = clock_ms(), last = atomic_load(&segment->host_beat_ms);
	bool is_cut_off = segment_is_cut_off(segment);
	text inputs[2] = { text_of(segment->host),
	    is_cut_off ? TEXT("t") : TEXT("f") };

	/* What is new is told at once. */
	if ((now - last < HOST_BEAT_MS &&
	    atomic_load(&segment->host_told_cut_off) == is_cut_off) ||
	    !atomic_compare_exchange_strong(&segment->host_beat_ms, &last,
	    now))
		return;
	atomic_store(&segment->host_told_cut_off, is_cut_off);
	service_ask(control->service, FUNCTION_host_beat, NULL, TEXT_NONE,
	    inputs, 2, on_beat, control);
}

static void
read_control(struct control *control)
{
	char first[24];
	text inputs[2] = { TEXT_NONE, TEXT("1000") };

	if (control->leave != STAYS)
		return;
	if (control->is_reading) {
		control->is_wanted = true;
		return;
	}
	control->is_reading = true;
	beat(control);
	snprintf(first, sizeof first, "%lld",
	    (long long)(control->has_all ? control->num + 1 : INT64_MAX));
	inputs[0] = text_of(first);
	service_ask(control->service, FUNCTION_control_read, NULL, TEXT_NONE,
	    inputs, 2, on_control, control);
}

unsigned
control_others(const struct control *control)
{
	object_check(control, CONTROL_MAGIC);
	return (control->others);
}

struct control *
control_create(struct service *service)
{
	struct control *control = object_create(struct control,
	    CONTROL_MAGIC);

	control->service = service;
	timer_init(&control->timer, on_timer, control);
	plan(control, 0);
	return (control);
}

void
control_destroy(struct control **given)
{
	struct control *control = *given;

	*given = NULL;
	if (control == NULL)
		return;
	object_check(control, CONTROL_MAGIC);
	timer_stop(loop_timers(control->service->loop), &control->timer);
	object_free(&control);
}

static void
on_left(void *me, const struct db_answer *answer)
{
	struct control *control = me;

	(void)answer;
	control->leave = HAS_LEFT;
}

/* Of those who finish at once, at least the last to say so finds that. */
static bool
is_last_worker(const struct service *service)
{
	const struct segment *segment = service->segment;

	for (unsigned i = 0; i < segment->slots_count; i++) {
		const struct slot *slot = &segment->slots[i];

		if (atomic_load(&slot->role) == ROLE_WORKER &&
		    !atomic_load(&slot->has_finished))
			return (false);
	}
	return (true);
}

bool
control_leave(struct control *control)
{
	struct service *service = control->service;
	text input = text_of(service->segment->host);

	object_check(control, CONTROL_MAGIC);
	if (control->leave != STAYS)
		return (control->leave == HAS_LEFT);
	atomic_store(&service->segment->slots[service->slot].has_finished, 1);
	control->leave = LEAVES;
	if (is_last_worker(service))
		service_ask(service, FUNCTION_host_leave, NULL, TEXT_NONE,
		    &input, 1, on_left, control);
	else
		control->leave = HAS_LEFT;
	return (control->leave == HAS_LEFT);
}

void
control_read_all(struct control *control)
{
	object_check(control, CONTROL_MAGIC);
	control->has_all = false;
	control_read_now(control);
}

void
control_read_now(struct control *control)
{
	if (control->is_reading)
		control->is_wanted = true;
	else
		plan(control, 0);
}
