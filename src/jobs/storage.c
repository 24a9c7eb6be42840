/* SPDX-License-Identifier: MIT */
/*
 * Rounds of measuring.
 */
#include "jobs/storage.h"

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "base/stamp.h"
#include "core/json.h"
#include "plat/loop.h"
#include "plat/tenant_places.h"

#define RETRY_MS	1000
#define ASKED_MOST	256	/* tenants in a call */
#define SETTLED_TIMES	3	/* it waits, works, and is tried once more */

/* A tenant of the round at hand. */
struct measured {
	int32_t			 tenant;
	struct tenant_place	*place;
	int64_t			 mark;
};

struct storage {
	unsigned	 magic;
#define STORAGE_MAGIC 0x73746f72
	struct ground	*ground;
	struct timer	 round;
	struct timer	 settle;
	struct measured	*tenants;
	unsigned	 count;
	unsigned	 done;		/* of them */
	unsigned	 asked;		/* from done on, in the call at hand */
	bool		 is_stopped;
	bool		 is_failing;
};

static void ask_usage(struct storage *storage);

static void
plan(struct storage *storage, struct timer *timer, int64_t ms)
{
	if (!storage->is_stopped)
		timer_set(loop_timers(storage->ground->loop), timer, ms);
}

static void
round_ends(struct storage *storage, bool is_good)
{
	int64_t pause = storage->ground->conf->storage_round;

	mem_free(storage->tenants);
	storage->tenants = NULL;
	if (is_good)
		COUNT(storage_rounds);
	else if (pause > RETRY_MS)
		pause = RETRY_MS;
	ground_say(&storage->is_failing, !is_good);
	plan(storage, &storage->round, pause);
}

/* Rows by place in the array, all of them. */
static bool
take_usage(struct storage *storage, const struct db_answer *answer)
{
	struct call_row row;
	int64_t bytes;

	if (answer->result != DB_ROWS || db_rows(answer) != storage->asked)
		return (false);
	for (unsigned i = 0; i < storage->asked; i++) {
		struct measured *measured =
		    &storage->tenants[storage->done + i];

		if (!call_row_read(answer, i, &row) || row.is_event ||
		    row.element != i ||
		    !text_to_int64(row.body, 0, INT64_MAX, &bytes))
			return (false);
		tenant_place_measured(measured->place, bytes,
		    measured->mark);
	}
	storage->done += storage->asked;
	return (true);
}

static void
on_usage(void *me, const struct db_answer *answer)
{
	struct storage *storage = object_cast(struct storage, STORAGE_MAGIC,
	    me);

	if (!take_usage(storage, answer))
		round_ends(storage, false);
	else if (storage->done == storage->count)
		round_ends(storage, true);
	else
		ask_usage(storage);
}

static void
ask_usage(struct storage *storage)
{
	struct buf ids;
	text input;

	storage->asked = storage->count - storage->done;
	if (storage->asked > ASKED_MOST)
		storage->asked = ASKED_MOST;
	buf_init(&ids, BUF_NO_LIMIT);
	for (unsigned i = 0; i < storage->asked; i++)
		buf_printf(&ids, "%c%d", i == 0 ? '{' : ',',
		    (int)storage->tenants[storage->done + i].tenant);
	buf_add_char(&ids, '}');
	input = buf_text(&ids);
	ground_ask(storage->ground, FUNCTION_tenant_usage, &input, 1,
	    on_usage, storage);
	buf_fini(&ids);
}

static void
on_settled(struct storage *storage)
{
	ask_usage(storage);
}

/* false: there is no place for him, and every request of his is refused. */
static bool
mark(struct json_object *tenant, struct measured *out)
{
	int64_t id, most;

	/* null is no limit. */
	if (!json_in_int(tenant, "id", &id) || id < 1 || id > INT32_MAX ||
	    !json_in_int(tenant, "max_storage", &most))
		return (false);
	out->tenant = (int32_t)id;
	out->place = tenant_place(out->tenant);
	if (out->place == NULL)
		return (false);
	out->mark = tenant_place_mark(out->place);
	return (true);
}

static bool
mark_all(struct storage *storage, text list)
{
	struct json_object *tenants = json_in_read(list), *tenant;
	size_t count;

	storage->count = 0;
	storage->done = 0;
	if (!json_in_as_array(tenants, &count)) {
		json_in_free(&tenants);
		return (false);
	}
	storage->tenants = mem_alloc((count + 1) *
	    sizeof *storage->tenants);
	for (size_t i = 0; (tenant = json_in_element(tenants, i)) != NULL;
	    i++)
		storage->count += mark(tenant,
		    &storage->tenants[storage->count]);
	json_in_free(&tenants);
	return (true);
}

static void
on_list(void *me, const struct db_answer *answer)
{
	struct storage *storage = object_cast(struct storage, STORAGE_MAGIC,
	    me);
	bool has_taken = false;
	struct call_row row;

	if (answer->result != DB_ROWS || db_rows(answer) != 1 ||
	    !call_row_read(answer, 0, &row) ||
	    !mark_all(storage, row.body)) {
		round_ends(storage, false);
		return;
	}
	for (unsigned i = 0; i < storage->count; i++)
		has_taken |= storage->tenants[i].mark != 0;
	if (storage->count == 0)
		round_ends(storage, true);
	else if (has_taken)
		plan(storage, &storage->settle,
		    SETTLED_TIMES * storage->ground->conf->db_timeout);
	else
		ask_usage(storage);
}

static void
on_round(struct storage *storage)
{
	ground_ask(storage->ground, FUNCTION_tenant_list, NULL, 0, on_list,
	    storage);
}

struct storage *
storage_create(struct ground *ground)
{
	struct storage *storage = object_create(struct storage,
	    STORAGE_MAGIC);

	storage->ground = ground;
	timer_init(&storage->round, on_round, storage);
	timer_init(&storage->settle, on_settled, storage);
	plan(storage, &storage->round, 0);
	return (storage);
}

void
storage_stop(struct storage *storage)
{
	struct timers *timers = loop_timers(storage->ground->loop);

	storage->is_stopped = true;
	timer_stop(timers, &storage->round);
	timer_stop(timers, &storage->settle);
}

void
storage_destroy(struct storage **given)
{
	struct storage *storage = *given;

	*given = NULL;
	if (storage == NULL)
		return;
	object_check(storage, STORAGE_MAGIC);
	must(storage->is_stopped);
	mem_free(storage->tenants);
	object_free(&storage);
}
