/* SPDX-License-Identifier: MIT */
/*
 * A pool that has the fleet's lane alone.
 */
#include "jobs/ground.h"

#include <signal.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/fault.h"
#include "core/event.h"
#include "core/legacy.h"
#include "plat/segment.h"
#include "plat/versions.h"
#include "store/schema.h"

/* What jobs ask. */
static const enum function asked[] = { FUNCTION_monitor_leave,
    FUNCTION_monitor_look, FUNCTION_monitor_report, FUNCTION_monitor_status,
    FUNCTION_tenant_list,
    FUNCTION_tenant_usage, FUNCTION_thread_expire, FUNCTION_turn_claim,
    FUNCTION_turn_expire, FUNCTION_turn_leave, FUNCTION_turn_say,
    FUNCTION_webhook_claim, FUNCTION_webhook_done, FUNCTION_webhook_hold,
    FUNCTION_webhook_leave, FUNCTION_webhook_leave_all,
    FUNCTION_work_claim, FUNCTION_work_end_polls,
    FUNCTION_work_expire, FUNCTION_work_leave, FUNCTION_work_retain,
    FUNCTION_work_tabletop_seats, FUNCTION_work_webhook };
#define ASKED (sizeof asked / sizeof asked[0])
#define NOBODY_ASKS ((unsigned)-1)

void
ground_say(bool *is_failing, bool fails)
{
	GAUGE_ADD(jobs_failing, (int)fails - (int)*is_failing);
	*is_failing = fails;
}

static void
sweep(struct ground *ground)
{
	struct ring_record record = { .kind = RING_SWEEP };

	ground->has_to_sweep = false;
	versions_bump_all(ground->segment);
	event_put(ground->segment, ground->slot, &ground->ring, &record);
}

/* Who lost a call makes another connection, and can look then. */
static const char *
on_identity(void *context, const struct db_answer *answer)
{
	struct ground *ground = object_cast(struct ground, GROUND_MAGIC,
	    context);
	const char *why = schema_check(answer);

	if (why == NULL && ground->has_to_sweep)
		sweep(ground);
	return (why);
}

static void
on_state(void *context, enum db_state state, const char *why)
{
	struct ground *ground = object_cast(struct ground, GROUND_MAGIC,
	    context);

	(void)why;
	GAUGE_SET(db_up, state == DB_UP);
	ground_say(&ground->is_away, state == DB_DOWN);
}

struct ground *
ground_create(struct loop *loop, const struct conf *conf,
    struct segment *segment, unsigned slot)
{
	struct ground *ground = object_create(struct ground, GROUND_MAGIC);
	struct db_setup setup = { .loop = loop, .statements_count = ASKED,
	    .on_identity = on_identity, .on_state = on_state,
	    .context = ground };
	struct db_statement *statements;

	ground->loop = loop;
	ground->conf = conf;
	ground->segment = segment;
	ground->slot = slot;
	ring_writer_init(&ground->ring, segment_ring(segment, slot));
	arena_init(&ground->arena);
	statements = arena_alloc(&ground->arena, ASKED * sizeof *statements);
	for (unsigned i = 0; i < FUNCTIONS; i++)
		ground->place[i] = NOBODY_ASKS;
	for (unsigned i = 0; i < ASKED; i++) {
		function_statement(asked[i], &ground->arena, &statements[i]);
		ground->place[asked[i]] = i;
	}
	setup.statements = statements;
	db_setup_from(&setup, conf);
	for (enum db_kind kind = 0; kind < DB_KINDS; kind++)
		if (kind != DB_FLEET)
			setup.connections[kind] = 0;
	ground->pool = db_pool_create(&setup);
	return (ground);
}

void
ground_destroy(struct ground **given)
{
	struct ground *ground = *given;

	*given = NULL;
	if (ground == NULL)
		return;
	object_check(ground, GROUND_MAGIC);
	ground->is_closing = true;
	db_pool_destroy(&ground->pool);
	arena_fini(&ground->arena);
	object_free(&ground);
}

bool
ground_is_idle(const struct ground *ground)
{
	return (db_pool_is_idle(ground->pool));
}

void
ground_ask(struct ground *ground, enum function function,
    const text *inputs, unsigned count,
    void (*on_answer)(void *, const struct db_answer *), void *me)
{
	must(ground->place[function] != NOBODY_ASKS);
	/* The pool answers what is under way as it ends. */
	if (ground->is_closing)
		return;
	function_call(ground->pool, ground->place[function],
	    &(struct function_call){ .function = function,
	    .inputs = inputs, .count = count, .on_answer = on_answer,
	    .me = me });
}

void
ground_tell(struct ground *ground, int32_t tenant,
    const struct call_row *row)
{
	struct ring_record record = event_record(tenant, row);

	versions_bump(ground->segment, tenant);
	if (FAULT(writer_dies_before_ring))
		raise(SIGKILL);
	event_put(ground->segment, ground->slot, &ground->ring, &record);
	event_queued(ground->segment, row);
	COUNT(events);
	if (ground->conf->log_legacy)
		legacy_written(row->body);
}

void
ground_sweep(struct ground *ground)
{
	ground->has_to_sweep = true;
}

void
ground_read(struct ground *ground, const struct db_answer *answer,
    struct ground_rows *rows)
{
	if (answer->result == DB_UNKNOWN)
		ground_sweep(ground);
	*rows = (struct ground_rows){ .ground = ground, .answer = answer,
	    .is_whole = answer->result == DB_ROWS };
}

bool
ground_row(struct ground_rows *rows, struct call_row *row_out)
{
	while (rows->is_whole && rows->next < db_rows(rows->answer)) {
		rows->is_whole = call_row_read(rows->answer, rows->next++,
		    row_out);
		if (!rows->is_whole)
			break;
		if (!row_out->is_event)
			return (true);
		ground_tell(rows->ground, rows->tenant != 0 ? rows->tenant :
		    (int32_t)row_out->element, row_out);
		rows->told++;
	}
	return (false);
}
