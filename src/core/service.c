/* SPDX-License-Identifier: MIT */
/*
 * Statements made from the tables, the pool that prepares them, and the
 * parts of the service in the order they need each other.
 */
#include "core/service.h"

#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/batch.h"
#include "core/cache.h"
#include "core/control.h"
#include "core/feed.h"
#include "core/follow.h"
#include "core/lag.h"
#include "core/sign_in.h"
#include "core/tenant.h"
#include "core/users.h"
#include "core/who.h"
#include "plat/segment.h"
#include "store/schema.h"

#define VERDICTS_MAX 4096

#define NO_STATEMENT ((unsigned)-1)

/* DB_KINDS: an operation without SQL of its name. */
static enum db_kind
lane_of(enum way way)
{
	switch (way) {
	case WAY_READ:
		return (DB_READ);
	case WAY_SLOW:
		return (DB_SLOW);
	case WAY_WRITE:
	case WAY_BATCH:
		return (DB_WRITE);
	case WAY_LOCAL:
	case WAY_OWN:
		break;
	}
	return (DB_KINDS);
}

static unsigned
inputs_of(const struct operation_row *row)
{
	unsigned count = row->way == WAY_BATCH ? BATCH_INPUTS : 0;

	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++)
		count++;
	return (count);
}

static unsigned
make_statements(struct service *service, struct db_statement *statements)
{
	unsigned count = 0;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		const struct operation_row *row = &operation_rows[i];
		enum db_kind lane = lane_of(row->way);

		service->of_operation[i] = NO_STATEMENT;
		if (lane == DB_KINDS)
			continue;
		function_statement_named(row->name, true, inputs_of(row),
		    lane, &service->arena, &statements[count]);
		service->of_operation[i] = count++;
	}
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		function_statement(i, &service->arena, &statements[count]);
		service->of_function[i] = count++;
	}
	return (count);
}

static const char *
on_identity(void *context, const struct db_answer *answer)
{
	(void)context;
	return (schema_check(answer));
}

static void
on_state(void *context, enum db_state state, const char *why)
{
	struct service *service = context;

	(void)why;
	GAUGE_SET(db_up, state == DB_UP);
	/* News may have come while nobody heard them. */
	if (state == DB_UP && service->control != NULL) {
		control_read_now(service->control);
		feed_sweep(service->feed);
	}
}

static struct db_pool *
make_pool(struct service *service)
{
	struct db_statement *statements = arena_alloc(&service->arena,
	    (OPERATIONS + FUNCTIONS) * sizeof *statements);
	struct db_setup setup = { .loop = service->loop,
	    .statements = statements, .on_identity = on_identity,
	    .on_state = on_state, .context = service };

	setup.statements_count = make_statements(service, statements);
	db_setup_from(&setup, service->conf);
	return (db_pool_create(&setup));
}

struct service *
service_create(const struct service_setup *setup)
{
	struct service *service = object_create(struct service,
	    SERVICE_MAGIC);

	service->loop = setup->loop;
	service->segment = setup->segment;
	service->slot = setup->slot;
	service->ordinal = setup->ordinal;
	service->conf = setup->conf;
	service->admins = setup->admins;
	arena_init(&service->arena);
	ring_writer_init(&service->ring,
	    segment_ring(setup->segment, setup->slot));
	service->tenants = tenant_book_create(setup->conf->public_read);
	service->who = who_book_create(VERDICTS_MAX);
	service->cache = cache_create(setup->segment);
	cache_bound(service->cache, setup->conf->read_cache, CACHE_LIFE_MS);
	service->pool = make_pool(service);
	service->batches = batches_create(service);
	service->sign_in = sign_in_create(service);
	service->users = users_create(service);
	service->feed = feed_create(service);
	service->follows = follows_create(service);
	service->lag = lag_create(service->loop);
	service->control = control_create(service);
	return (service);
}

void
service_close(struct service *service)
{
	struct db_pool *pool = service->pool;

	object_check(service, SERVICE_MAGIC);
	service->is_closing = true;
	service->is_ready = false;
	sign_in_close(service->sign_in);
	users_close(service->users);
	batches_close(service->batches);
	/* Who is answered may call once more, and is told that it closes. */
	db_pool_destroy(&pool);
	service->pool = NULL;
	control_destroy(&service->control);
	feed_close(service->feed);
}

void
service_destroy(struct service **given)
{
	struct service *service = *given;

	*given = NULL;
	if (service == NULL)
		return;
	object_check(service, SERVICE_MAGIC);
	must(service->is_closing);
	lag_destroy(&service->lag);
	follows_destroy(&service->follows);
	feed_destroy(&service->feed);
	users_destroy(&service->users);
	sign_in_destroy(&service->sign_in);
	batches_destroy(&service->batches);
	cache_destroy(&service->cache);
	who_book_destroy(&service->who);
	tenant_book_destroy(&service->tenants);
	arena_fini(&service->arena);
	object_free(&service);
}

bool
service_has_finished(struct service *service)
{
	return (db_pool_is_idle(service->pool) &&
	    control_leave(service->control));
}

enum db_state
service_state(const struct service *service)
{
	return (service->is_closing ? DB_DOWN :
	    db_pool_state(service->pool));
}

void
service_ask(struct service *service, enum function function,
    const struct call_context *context, text stream, const text *inputs,
    unsigned count, void (*on_answer)(void *, const struct db_answer *),
    void *me)
{
	function_call(service->pool, service->of_function[function],
	    &(struct function_call){ .function = function,
	    .context = context, .stream = stream, .inputs = inputs,
	    .count = count, .on_answer = on_answer, .me = me });
}
