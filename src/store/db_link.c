/* SPDX-License-Identifier: MIT */
/*
 * A connection through its states. One round trip takes the role, says the
 * opening statements and asks the identity; only where that is good, the
 * next one prepares the statements, since an unknown schema may lack what
 * they name.
 *
 *	PAUSING -> CONNECTING -> GREETING -> PREPARING -> READY -> BROKEN
 *	   ^           |            |            |                   |
 *	   '-----------'------------'------------'-------------------'
 */
#include <string.h>

#include "base/count.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "store/db_inside.h"

static void on_readable(struct db_link *link);
static void on_writable(struct db_link *link);

static const char *const state_names[LINK_STATES] = { "pausing",
    "connecting", "greeting", "preparing", "ready", "broken" };
static const char *const kind_names[DB_KINDS] = { "write", "read", "slow",
    "fleet" };

static struct timers *
timers_of(const struct db_link *link)
{
	return (loop_timers(link->pool->setup.loop));
}

void
link_state_set(struct db_link *link, enum link_state state)
{
	static const unsigned may_go_to[LINK_STATES] = {
		[LINK_PAUSING] = 1u << LINK_CONNECTING | 1u << LINK_PAUSING,
		[LINK_CONNECTING] = 1u << LINK_GREETING | 1u << LINK_PAUSING,
		[LINK_GREETING] = 1u << LINK_PREPARING | 1u << LINK_PAUSING,
		[LINK_PREPARING] = 1u << LINK_READY | 1u << LINK_PAUSING,
		[LINK_READY] = 1u << LINK_BROKEN | 1u << LINK_PAUSING,
		[LINK_BROKEN] = 1u << LINK_PAUSING,
	};

	must(may_go_to[link->state] & 1u << state);
	if (link->state == LINK_READY)
		GAUGE_ADD(db_connections_ready, -1);
	if (state == LINK_READY)
		GAUGE_ADD(db_connections_ready, 1);
	log_debug("database link", F("kind", kind_names[link->kind]),
	    F("was", state_names[link->state]),
	    F("is", state_names[state]));
	link->state = state;
}

int64_t
link_timeout_ms(const struct db_link *link)
{
	return (link->kind == DB_SLOW ? link->pool->setup.slow_timeout_ms :
	    link->pool->setup.timeout_ms);
}

/* From three to five quarters of it. */
static int64_t
jittered(int64_t span_ms)
{
	uint32_t chance;

	secret_fill(&chance, sizeof chance);
	return (span_ms * 3 / 4 + span_ms * (chance % 1024) / 2048);
}

static void
disconnect(struct db_link *link)
{
	loop_forget(&link->watch);
	PQclear(link->identity);
	link->identity = NULL;
	if (link->pg != NULL)
		PQfinish(link->pg);
	link->pg = NULL;
	link_state_set(link, LINK_PAUSING);
}

/* An attempt to connect failed; why may be what libpq would free. */
static void
fail(struct db_link *link, const char *why)
{
	int64_t pause = DB_BACKOFF_FIRST_MS;

	why_from(&link->why, why);
	disconnect(link);
	for (unsigned i = 0; i < link->failures &&
	    pause < DB_BACKOFF_MOST_MS; i++)
		pause *= 2;
	if (pause > DB_BACKOFF_MOST_MS)
		pause = DB_BACKOFF_MOST_MS;
	link->failures++;
	timer_set(timers_of(link), &link->timer, jittered(pause));
	pool_link_changed(link);
}

static bool
watch_socket(struct db_link *link)
{
	loop_forget(&link->watch);
	link->watch = loop_watch_readable(link->pool->setup.loop,
	    PQsocket(link->pg), on_readable, link);
	return (link->watch != NULL);
}

static void
on_notice(void *context, const char *said)
{
	(void)context;
	log_debug("PostgreSQL says", F("notice", said));
}

static void
poll_connect(struct db_link *link, PostgresPollingStatusType wants);

static void
connect_link(struct db_link *link)
{
	if (FAULT(db_connect_refused)) {
		fail(link, "the fault db_connect_refused");
		return;
	}
	link_state_set(link, LINK_CONNECTING);
	timer_set(timers_of(link), &link->timer,
	    link->pool->setup.timeout_ms);
	link->pg = PQconnectStart(link->pool->setup.url);
	if (link->pg == NULL)
		must_never("memory is to be had");
	PQsetNoticeProcessor(link->pg, on_notice, NULL);
	if (PQstatus(link->pg) == CONNECTION_BAD)
		fail(link, PQerrorMessage(link->pg));
	else
		poll_connect(link, PGRES_POLLING_WRITING);
}

/* Says a statement of the setup: false where the line is dead. */
static bool
say(struct db_link *link, const char *sql)
{
	return (PQsendQueryParams(link->pg, sql, 0, NULL, NULL, NULL, NULL,
	    0) != 0);
}

static bool
take_role(struct db_link *link)
{
	const char *role = link->pool->setup.role[link->kind];
	struct buf sql;
	bool is_said;

	link->has_role = role == NULL;
	if (role == NULL)
		return (true);
	buf_init(&sql, BUF_NO_LIMIT);
	buf_printf(&sql, "SET ROLE %s", role);
	is_said = say(link, sql.at);
	buf_fini(&sql);
	return (is_said);
}

static void
greet(struct db_link *link)
{
	const struct db_setup *setup = &link->pool->setup;
	bool is_said = PQsetnonblocking(link->pg, 1) == 0 &&
	    PQenterPipelineMode(link->pg) != 0;

	link_state_set(link, LINK_GREETING);
	is_said = is_said && take_role(link);
	for (unsigned i = 0; i < setup->begin_count; i++)
		is_said = is_said && say(link, setup->begin[i]);
	if (setup->identity != NULL)
		is_said = is_said && say(link, setup->identity);
	if (is_said && PQpipelineSync(link->pg) != 0)
		link_flush(link);
	else
		fail(link, PQerrorMessage(link->pg));
}

static void
prepare(struct db_link *link)
{
	const struct db_setup *setup = &link->pool->setup;
	struct buf timeout;
	bool is_said;

	link_state_set(link, LINK_PREPARING);
	buf_init(&timeout, BUF_NO_LIMIT);
	buf_printf(&timeout, "SET statement_timeout = %lld",
	    (long long)link_timeout_ms(link));
	is_said = say(link, timeout.at);
	buf_fini(&timeout);
	if (link->kind == DB_READ)
		is_said = is_said && say(link,
		    "SET default_transaction_read_only = on");
	for (unsigned i = 0; i < setup->statements_count; i++)
		if (setup->statements[i].name != NULL &&
		    statement_is_of(&setup->statements[i], link->kind))
			is_said = is_said && PQsendPrepare(link->pg,
			    setup->statements[i].name,
			    setup->statements[i].sql, 0, NULL) != 0;
	if (is_said && PQpipelineSync(link->pg) != 0)
		link_flush(link);
	else
		fail(link, PQerrorMessage(link->pg));
}

static void
get_ready(struct db_link *link)
{
	timer_stop(timers_of(link), &link->timer);
	link_state_set(link, LINK_READY);
	if (link->ready_ms != 0)
		COUNT(db_reconnects);
	link->ready_ms = clock_ms();
	link->failures = 0;
	buf_clear(&link->why);
	pool_link_changed(link);
}

/* The sync of a round trip of the setup came, and no error before it. */
static void
go_on(struct db_link *link)
{
	const struct db_setup *setup = &link->pool->setup;
	struct db_answer answer = { .result = DB_ROWS };
	const char *why = NULL;

	if (link->state == LINK_PREPARING) {
		get_ready(link);
		return;
	}
	answer.rows = link->identity;
	if (setup->on_identity != NULL)
		why = setup->on_identity(setup->context, &answer);
	PQclear(link->identity);
	link->identity = NULL;
	if (why != NULL)
		fail(link, why);
	else
		prepare(link);
}

/* All roles of the setup, each once: then one GRANT is enough. */
static void
say_what_to_grant(const struct db_link *link, struct buf *why)
{
	const struct db_setup *setup = &link->pool->setup;
	const char *before = " (as the owner of the schema: GRANT ";

	for (unsigned kind = 0; kind < DB_KINDS; kind++) {
		bool is_new = setup->role[kind] != NULL &&
		    setup->connections[kind] > 0;

		for (unsigned i = 0; i < kind && is_new; i++)
			is_new = setup->role[i] == NULL ||
			    strcmp(setup->role[i], setup->role[kind]) != 0;
		if (!is_new)
			continue;
		buf_printf(why, "%s%s", before, setup->role[kind]);
		before = ", ";
	}
	buf_printf(why, " TO \"%s\")", PQuser(link->pg));
}

/* What our statements name is not there: nobody migrated. */
static void
refused(struct db_link *link, const PGresult *result)
{
	static const char *const missing[] = { "3F000", "42883", "42P01",
	    "42704", "42703" };
	const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	bool is_missing = code != NULL && !link->has_role &&
	    strcmp(code, "22023") == 0;
	struct buf why;

	buf_init(&why, BUF_NO_LIMIT);
	why_from(&why, PQresultErrorMessage(result));
	for (size_t i = 0; code != NULL &&
	    i < sizeof missing / sizeof missing[0]; i++)
		is_missing = is_missing || strcmp(code, missing[i]) == 0;
	if (code != NULL && !link->has_role && strcmp(code, "42501") == 0)
		say_what_to_grant(link, &why);
	else if (is_missing)
		buf_add_string(&why, " (see partyline migrate)");
	fail(link, why.at);
	buf_fini(&why);
}

static void
read_setup(struct db_link *link)
{
	bool is_whole = PQconsumeInput(link->pg) != 0;
	bool was_nothing = false;

	while ((link->state == LINK_GREETING ||
	    link->state == LINK_PREPARING) && !PQisBusy(link->pg)) {
		PGresult *result = PQgetResult(link->pg);

		if (result == NULL && was_nothing)
			break;
		was_nothing = result == NULL;
		switch (PQresultStatus(result)) {
		case PGRES_TUPLES_OK:
			PQclear(link->identity);
			link->identity = result;
			continue;
		case PGRES_PIPELINE_SYNC:
			go_on(link);
			break;
		case PGRES_COMMAND_OK:
			link->has_role = true;
			break;
		default:
			if (result != NULL)
				refused(link, result);
			break;
		}
		PQclear(result);
	}
	if ((link->state == LINK_GREETING || link->state == LINK_PREPARING) &&
	    (!is_whole || PQstatus(link->pg) == CONNECTION_BAD))
		fail(link, PQerrorMessage(link->pg));
}

static void
poll_connect(struct db_link *link, PostgresPollingStatusType wants)
{
	switch (wants) {
	case PGRES_POLLING_OK:
	case PGRES_POLLING_READING:
	case PGRES_POLLING_WRITING:
		break;
	default:
		fail(link, PQerrorMessage(link->pg));
		return;
	}
	/* libpq may have gone on to another socket. */
	if (!watch_socket(link)) {
		fail(link, "no descriptor is left");
		return;
	}
	link->wants_write = wants == PGRES_POLLING_WRITING;
	if (wants == PGRES_POLLING_OK)
		greet(link);
	else if (link->wants_write)
		loop_once_writable(link->watch, on_writable, link);
}

static void
on_readable(struct db_link *link)
{
	object_check(link, DB_LINK_MAGIC);
	switch (link->state) {
	case LINK_CONNECTING:
		if (!link->wants_write)
			poll_connect(link, PQconnectPoll(link->pg));
		return;
	case LINK_GREETING:
	case LINK_PREPARING:
		read_setup(link);
		return;
	case LINK_READY:
		flight_read(link);
		lane_pump(link->lane);
		return;
	default:
		return;
	}
}

static void
on_writable(struct db_link *link)
{
	object_check(link, DB_LINK_MAGIC);
	if (link->state != LINK_CONNECTING)
		link_flush(link);
	else if (link->wants_write)
		poll_connect(link, PQconnectPoll(link->pg));
}

void
link_flush(struct db_link *link)
{
	if (link->state == LINK_BROKEN || link->pg == NULL)
		return;
	switch (PQflush(link->pg)) {
	case 0:
		return;
	case 1:
		loop_once_writable(link->watch, on_writable, link);
		return;
	}
	if (link->state == LINK_READY)
		link_break(link, PQerrorMessage(link->pg));
	else
		fail(link, PQerrorMessage(link->pg));
}

void
link_break(struct db_link *link, const char *why)
{
	if (link->state != LINK_READY)
		return;
	why_from(&link->why, why);
	link_state_set(link, LINK_BROKEN);
	timer_set(timers_of(link), &link->timer, 0);
}

static void
bury(struct db_link *link)
{
	bool was_short = clock_ms() - link->ready_ms < 1000;

	COUNT(db_lost);
	log_warn("a connection to PostgreSQL was lost",
	    F("kind", kind_names[link->kind]), F("why", buf_text(&link->why)),
	    F("in_flight", link->flight_count));
	disconnect(link);
	timer_set(timers_of(link), &link->timer,
	    was_short ? jittered(DB_BACKOFF_FIRST_MS) : 0);
	flight_lost(link);
	lane_pump(link->lane);
}

static void
on_timer(struct db_link *link)
{
	object_check(link, DB_LINK_MAGIC);
	switch (link->state) {
	case LINK_PAUSING:
		connect_link(link);
		return;
	case LINK_READY:
		link_break(link, "no answer came in time");
		return;
	case LINK_BROKEN:
		bury(link);
		return;
	default:
		fail(link, "no answer came in time");
	}
}

void
link_hasten(struct db_link *link)
{
	if (link->state == LINK_PAUSING)
		timer_set(timers_of(link), &link->timer, jittered(20));
}

void
link_init(struct db_link *link, struct db_pool *pool, enum db_kind kind)
{
	*link = (struct db_link){ .magic = DB_LINK_MAGIC, .pool = pool,
	    .lane = &pool->lanes[kind], .kind = kind,
	    .state = LINK_PAUSING };
	buf_init(&link->why, BUF_NO_LIMIT);
	timer_init(&link->timer, on_timer, link);
	timer_set(timers_of(link), &link->timer, 0);
}

void
link_fini(struct db_link *link)
{
	object_check(link, DB_LINK_MAGIC);
	disconnect(link);
	timer_stop(timers_of(link), &link->timer);
	flight_lost(link);
	buf_fini(&link->why);
	link->magic = 0;
}
