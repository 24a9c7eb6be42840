/* SPDX-License-Identifier: MIT */
/*
 * Lanes: which waiting call goes next, and where to. A call waits in its
 * lane while it may go anywhere, and at a link once its stream is bound to
 * that link; whoever called first goes first.
 */
#include <string.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "store/db_inside.h"

/*
 * What our functions stand on, whatever the database's own defaults are: a
 * lock that is taken first and a look after it want READ COMMITTED. Our
 * statements are small and always the same: to plan them anew, or to compile
 * them, costs more than it brings. They look rows up by key, and a plan made
 * while its table had a page of rows would read all of it ever after.
 */
static const char *const begin[] = {
    "SET client_encoding = 'UTF8'",
    "SET default_transaction_isolation = 'read committed'",
    "SET plan_cache_mode = force_generic_plan",
    "SET jit = off",
    "SET enable_seqscan = off",
};

void
db_setup_from(struct db_setup *setup, const struct conf *conf)
{
	for (unsigned kind = 0; kind < DB_KINDS; kind++)
		setup->role[kind] = "partyline_server";
	setup->role[DB_FLEET] = "partyline_fleet";
	setup->begin = begin;
	setup->begin_count = sizeof begin / sizeof begin[0];
	setup->identity = "SELECT * FROM api.connect()";
	setup->url = conf->database_url;
	setup->connections[DB_WRITE] = (unsigned)conf->db_connections;
	setup->connections[DB_READ] = (unsigned)conf->db_read_connections;
	setup->connections[DB_SLOW] = (unsigned)conf->db_slow_connections;
	setup->connections[DB_FLEET] = 1;
	setup->depth = (unsigned)conf->db_depth;
	setup->queue = (unsigned)conf->db_queue;
	setup->timeout_ms = conf->db_timeout;
	setup->slow_timeout_ms = conf->db_slow_timeout;
}

struct db_pool *
db_pool_create(const struct db_setup *setup)
{
	struct db_pool *pool = object_create(struct db_pool, DB_POOL_MAGIC);

	must(setup->depth > 0 && setup->timeout_ms > 0 &&
	    setup->slow_timeout_ms > 0);
	pool->setup = *setup;
	pool->state = DB_STARTING;
	buf_init(&pool->why, BUF_NO_LIMIT);
	for (unsigned kind = 0; kind < DB_KINDS; kind++) {
		struct db_lane *lane = &pool->lanes[kind];

		lane->count = setup->connections[kind];
		if (lane->count == 0)
			continue;
		lane->links = mem_alloc(lane->count * sizeof *lane->links);
		for (unsigned i = 0; i < lane->count; i++)
			link_init(&lane->links[i], pool, kind);
	}
	return (pool);
}

static void
fail_waiting(struct db_lane *lane, enum db_why why)
{
	/* As many as there are: an answer may bring new calls. */
	for (unsigned i = lane->waiting_count; i > 0 &&
	    lane->waiting != NULL; i--)
		query_fail(lane->waiting, why);
}

void
db_pool_destroy(struct db_pool **given)
{
	struct db_pool *pool = *given;

	*given = NULL;
	if (pool == NULL)
		return;
	object_check(pool, DB_POOL_MAGIC);
	must(pool->answering == 0);
	pool->is_closing = true;
	for (unsigned kind = 0; kind < DB_KINDS; kind++) {
		struct db_lane *lane = &pool->lanes[kind];

		for (unsigned i = 0; i < lane->count; i++)
			link_fini(&lane->links[i]);
		fail_waiting(lane, DB_WHY_CLOSING);
		mem_free(lane->links);
	}
	must(pool->queries == 0 && pool->streams == NULL);
	buf_fini(&pool->why);
	object_free(&pool);
}

enum db_state
db_pool_state(const struct db_pool *pool)
{
	return (pool->state);
}

bool
db_pool_is_idle(const struct db_pool *pool)
{
	return (pool->queries == 0);
}

static bool
has_room(const struct db_link *link)
{
	return (link->state == LINK_READY &&
	    link->flight_count < link->pool->setup.depth);
}

void
lane_wait(struct db_query *query)
{
	struct db_lane *lane = &query->pool->lanes[query->kind];
	int64_t left_ms = query->deadline_ms - clock_ms();

	must(query->place == NOWHERE && query->bound == NULL);
	query->place = IN_LANE;
	query_insert(&lane->waiting, query);
	lane->waiting_count++;
	GAUGE_ADD(db_waiting, 1);
	timer_set(loop_timers(query->pool->setup.loop), &query->late,
	    left_ms > 0 ? left_ms : 0);
}

/* From where it waits, in list, to the link. */
static void
send_waiting(struct db_query **list, struct db_link *link)
{
	struct db_query *query = *list;

	timer_stop(loop_timers(query->pool->setup.loop), &query->late);
	DL_DELETE(*list, query);
	link->lane->waiting_count--;
	GAUGE_ADD(db_waiting, -1);
	query->place = NOWHERE;
	if (flight_send(link, query))
		return;
	query_unbind(query);
	query->link = NULL;
	lane_wait(query);
}

/* Where nothing binds it: the least loaded, its home before its equals. */
static struct db_link *
choose(const struct db_lane *lane, const struct db_query *query)
{
	unsigned home = query_home(query, lane->count);
	struct db_link *best = NULL;

	for (unsigned i = 0; i < lane->count; i++) {
		struct db_link *link =
		    &lane->links[(home + i) % lane->count];

		if (has_room(link) && (best == NULL ||
		    link->flight_count < best->flight_count))
			best = link;
	}
	return (best);
}

static void
pump_link(struct db_lane *lane, struct db_link *link)
{
	while (link->waiting != NULL && has_room(link) &&
	    (lane->waiting == NULL ||
	    link->waiting->number < lane->waiting->number))
		send_waiting(&link->waiting, link);
}

void
lane_pump(struct db_lane *lane)
{
	for (;;) {
		struct db_query *query;
		struct db_link *link;

		for (unsigned i = 0; i < lane->count; i++)
			pump_link(lane, &lane->links[i]);
		query = lane->waiting;
		if (query == NULL)
			return;
		link = query_bound_to(query);
		if (link != NULL) {
			DL_DELETE(lane->waiting, query);
			query_bind(query, link);
			query->place = AT_LINK;
			query_insert(&link->waiting, query);
			continue;
		}
		link = choose(lane, query);
		if (link == NULL)
			return;
		send_waiting(&lane->waiting, link);
	}
}

static bool
has_nul(const struct db_call *call)
{
	for (unsigned i = 0; i < call->parameters_count; i++)
		if (call->parameters[i].len > 0 &&
		    memchr(call->parameters[i].at, '\0',
		    call->parameters[i].len) != NULL)
			return (true);
	return (false);
}

bool
statement_is_of(const struct db_statement *statement, enum db_kind kind)
{
	return (statement->lanes == 0 || (statement->lanes & 1u << kind));
}

struct db_query *
db_call(struct db_pool *pool, const struct db_call *call)
{
	struct db_lane *lane;
	struct db_query *query;

	object_check(pool, DB_POOL_MAGIC);
	must(call->statement < pool->setup.statements_count &&
	    call->kind < DB_KINDS && call->on_answer != NULL);
	must(statement_is_of(&pool->setup.statements[call->statement],
	    call->kind));
	lane = &pool->lanes[call->kind];
	must(lane->count > 0);
	query = query_create(pool, call);
	if (has_nul(call)) {
		/* What PostgreSQL would say if it could see it. */
		query_answer(query, &(struct db_answer){ .result = DB_REFUSED,
		    .sqlstate = "22021",
		    .message = TEXT("a text has a zero byte") });
		return (NULL);
	}
	if (pool->is_closing || lane->is_away) {
		query_fail(query, pool->is_closing ? DB_WHY_CLOSING :
		    DB_WHY_AWAY);
		return (NULL);
	}
	lane_wait(query);
	lane_pump(lane);
	if (query->place != IN_FLIGHT &&
	    lane->waiting_count > pool->setup.queue) {
		COUNT(db_queue_full);
		query_fail(query, DB_WHY_FULL);
		return (NULL);
	}
	return (query);
}

static bool
lane_has(const struct db_lane *lane, bool (*is)(const struct db_link *))
{
	for (unsigned i = 0; i < lane->count; i++)
		if (is(&lane->links[i]))
			return (true);
	return (false);
}

static bool
is_ready(const struct db_link *link)
{
	return (link->state == LINK_READY);
}

/* It was not tried since it was ready, or since the pool was made. */
static bool
is_untried(const struct db_link *link)
{
	return (link->failures == 0);
}

static void
tell_state(struct db_pool *pool, text why)
{
	enum db_state state = DB_UP;

	for (unsigned kind = 0; kind < DB_KINDS; kind++)
		if (pool->lanes[kind].is_away)
			state = DB_DOWN;
		else if (pool->lanes[kind].count > 0 && state != DB_DOWN &&
		    !lane_has(&pool->lanes[kind], is_ready))
			state = pool->state == DB_DOWN ? DB_DOWN :
			    pool->state == DB_UP ? DB_UP : DB_STARTING;
	if (state == pool->state && (state != DB_DOWN || why.len == 0 ||
	    text_is(why, buf_text(&pool->why))))
		return;
	if (state == DB_DOWN)
		log_warn("PostgreSQL cannot be used", F("why", why));
	else if (pool->state == DB_DOWN)
		log_info("PostgreSQL can be used again");
	pool->state = state;
	buf_clear(&pool->why);
	if (state == DB_DOWN)
		buf_add(&pool->why, why);
	if (pool->setup.on_state != NULL)
		pool->setup.on_state(pool->setup.context, state,
		    pool->why.len > 0 ? pool->why.at : "");
}

void
pool_link_changed(struct db_link *link)
{
	struct db_pool *pool = link->pool;
	struct db_lane *lane = link->lane;

	if (link->state == LINK_READY) {
		lane->is_away = false;
		for (unsigned kind = 0; kind < DB_KINDS; kind++)
			for (unsigned i = 0; i < pool->lanes[kind].count; i++)
				link_hasten(&pool->lanes[kind].links[i]);
		tell_state(pool, TEXT_NONE);
		lane_pump(lane);
		return;
	}
	if (!lane_has(lane, is_ready) && !lane_has(lane, is_untried))
		lane->is_away = true;
	else if (link->failures == 1)
		log_warn("a connection to PostgreSQL cannot be made",
		    F("why", buf_text(&link->why)));
	tell_state(pool, buf_text(&link->why));
	if (lane->is_away)
		fail_waiting(lane, DB_WHY_AWAY);
}
