/* SPDX-License-Identifier: MIT */
/*
 * What is in flight on a link. libpq gives, for each call and in their
 * order,
 *
 *	rows | error, NULL, [error of the commit, NULL,] sync
 *
 * and only the sync takes the call off: what was committed is not known
 * before. An error replaces the rows that came first.
 */
#include <utlist.h>

#include "base/count.h"
#include "base/fault.h"
#include "base/must.h"
#include "base/stamp.h"
#include "store/db_inside.h"

static bool
send_statement(struct db_link *link, const struct db_query *query)
{
	const struct db_statement *statement =
	    &link->pool->setup.statements[query->statement];
	int count = (int)query->parameters_count;

	if (statement->name == NULL)
		return (PQsendQueryParams(link->pg, statement->sql, count,
		    NULL, query->parameters, NULL, NULL, 0) != 0);
	return (PQsendQueryPrepared(link->pg, statement->name, count,
	    query->parameters, NULL, NULL, 0) != 0);
}

bool
flight_send(struct db_link *link, struct db_query *query)
{
	must(link->state == LINK_READY && query->place == NOWHERE);
	if (!send_statement(link, query)) {
		link_break(link, PQerrorMessage(link->pg));
		return (false);
	}
	query_bind(query, link);
	query->place = IN_FLIGHT;
	query->sent_us = clock_us();
	DL_APPEND(link->flight, query);
	if (link->flight_count++ == 0)
		timer_set(loop_timers(link->pool->setup.loop), &link->timer,
		    link_timeout_ms(link) + DB_PATIENCE_MS);
	COUNT(db_queries);
	GAUGE_ADD(db_in_flight, 1);
	if (PQpipelineSync(link->pg) == 0)
		link_break(link, PQerrorMessage(link->pg));
	else
		link_flush(link);
	if (FAULT(db_lost_after_send))
		link_break(link, "the fault db_lost_after_send");
	return (true);
}

static void
leave_flight(struct db_query *query)
{
	struct db_link *link = query->link;

	DL_DELETE(link->flight, query);
	link->flight_count--;
	GAUGE_ADD(db_in_flight, -1);
	query_unbind(query);
	query->link = NULL;
	query->place = NOWHERE;
}

static bool
may_repeat(const struct db_query *query, const struct db_answer *answer)
{
	text code = text_of(answer->sqlstate);

	return (answer->result == DB_REFUSED && !query->was_repeated &&
	    !query->is_abandoned && !query->pool->is_closing &&
	    clock_ms() < query->deadline_ms &&
	    (text_is(code, TEXT("40P01")) || text_is(code, TEXT("40001"))));
}

/* The sync of the oldest came. */
static void
finish_oldest(struct db_link *link)
{
	struct db_query *query = link->flight;
	struct db_answer answer;

	must(query != NULL && query->result != NULL);
	leave_flight(query);
	if (link->flight == NULL)
		timer_stop(loop_timers(link->pool->setup.loop), &link->timer);
	else
		timer_set(loop_timers(link->pool->setup.loop), &link->timer,
		    link_timeout_ms(link) + DB_PATIENCE_MS);
	HISTOGRAM_ADD(db_query, clock_us() - query->sent_us);
	answer_from(&answer, query->result);
	if (answer.result == DB_REFUSED)
		COUNT(db_query_errors);
	if (may_repeat(query, &answer)) {
		query->was_repeated = true;
		PQclear(query->result);
		query->result = NULL;
		COUNT(db_retries);
		lane_wait(query);
		return;
	}
	query_answer(query, &answer);
}

static void
take_result(struct db_link *link, PGresult *result)
{
	struct db_query *query = link->flight;

	if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
		PQclear(result);
		finish_oldest(link);
		return;
	}
	if (result_is_loss(result)) {
		link_break(link, PQresultErrorMessage(result));
		PQclear(result);
		return;
	}
	PQclear(query->result);
	query->result = result;
	if (PQresultStatus(result) == PGRES_TUPLES_OK &&
	    FAULT(db_lost_before_sync))
		link_break(link, "the fault db_lost_before_sync");
}

void
flight_read(struct db_link *link)
{
	bool is_whole = PQconsumeInput(link->pg) != 0;
	bool was_nothing = false;

	/* What came before the end of the line is still true. */
	while (link->state == LINK_READY && link->flight != NULL &&
	    !PQisBusy(link->pg)) {
		PGresult *result = PQgetResult(link->pg);

		/* Between two calls there is one NULL; two are an end. */
		if (result == NULL && was_nothing)
			break;
		was_nothing = result == NULL;
		if (result != NULL)
			take_result(link, result);
	}
	if (link->state == LINK_READY &&
	    (!is_whole || PQstatus(link->pg) == CONNECTION_BAD))
		link_break(link, PQerrorMessage(link->pg));
}

void
flight_lost(struct db_link *link)
{
	struct db_query *query, *next, *orphans = NULL;

	/* First all are taken off, because answers may bring new calls. */
	DL_FOREACH_SAFE(link->flight, query, next) {
		leave_flight(query);
		PQclear(query->result);
		query->result = NULL;
		if (query->kind == DB_READ && !query->was_lost &&
		    !query->is_abandoned && !query->pool->is_closing) {
			query->was_lost = true;
			COUNT(db_retries);
			lane_wait(query);
		} else
			DL_APPEND(orphans, query);
	}
	while ((query = link->waiting) != NULL) {
		DL_DELETE(link->waiting, query);
		query_unbind(query);
		query->link = NULL;
		query->place = IN_LANE;
		query_insert(&link->lane->waiting, query);
	}
	while ((query = orphans) != NULL) {
		DL_DELETE(orphans, query);
		if (query->kind == DB_READ)
			query_fail(query, link->pool->is_closing ?
			    DB_WHY_CLOSING : DB_WHY_LOST);
		else
			query_unknown(query);
	}
}
