/* SPDX-License-Identifier: MIT */
/*
 * A call on its way: the pool's own copy of what the caller asked, in one
 * piece of memory, and the stream that it binds to a link.
 */
#include <string.h>
#include <utlist.h>

#include "base/count.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "store/db_inside.h"

static void
on_late(struct db_query *query)
{
	object_check(query, DB_QUERY_MAGIC);
	COUNT(db_late);
	query_fail(query, DB_WHY_LATE);
}

static char *
put(char **at, text t)
{
	char *put_at = *at;

	if (t.len > 0)
		memcpy(put_at, t.at, t.len);
	put_at[t.len] = '\0';
	*at += t.len + 1;
	return (put_at);
}

struct db_query *
query_create(struct db_pool *pool, const struct db_call *call)
{
	size_t pointers = call->parameters_count * sizeof(char *);
	size_t size = sizeof(struct db_query) + pointers + call->stream.len +
	    1;
	struct db_query *query;
	char *at;

	for (unsigned i = 0; i < call->parameters_count; i++)
		size += call->parameters[i].len + 1;
	query = object_create_sized(size, DB_QUERY_MAGIC);
	query->parameters = (const char **)(query + 1);
	at = (char *)(query + 1) + pointers;
	for (unsigned i = 0; i < call->parameters_count; i++)
		query->parameters[i] = call->parameters[i].at == NULL ? NULL :
		    put(&at, call->parameters[i]);
	query->parameters_count = call->parameters_count;
	if (call->kind == DB_WRITE && call->stream.len > 0)
		query->stream = text_from(put(&at, call->stream),
		    call->stream.len);
	query->pool = pool;
	query->place = NOWHERE;
	query->number = ++pool->last_number;
	query->deadline_ms = call->deadline_ms != 0 ? call->deadline_ms :
	    clock_ms() + pool->setup.timeout_ms;
	query->statement = call->statement;
	query->kind = call->kind;
	query->on_answer = call->on_answer;
	query->context = call->context;
	timer_init(&query->late, on_late, query);
	pool->queries++;
	return (query);
}

/* Out of the list it stands in; counted out too. */
static void
leave(struct db_query *query)
{
	struct db_lane *lane = &query->pool->lanes[query->kind];

	timer_stop(loop_timers(query->pool->setup.loop), &query->late);
	switch (query->place) {
	case IN_LANE:
		DL_DELETE(lane->waiting, query);
		break;
	case AT_LINK:
		DL_DELETE(query->link->waiting, query);
		break;
	case IN_FLIGHT:
	case NOWHERE:
		return;
	}
	lane->waiting_count--;
	GAUGE_ADD(db_waiting, -1);
	query_unbind(query);
	query->link = NULL;
	query->place = NOWHERE;
}

void
query_destroy(struct db_query **given)
{
	struct db_query *query = *given;

	object_check(query, DB_QUERY_MAGIC);
	leave(query);
	must(query->place == NOWHERE && query->bound == NULL);
	PQclear(query->result);
	query->pool->queries--;
	object_free(given);
}

void
query_bind(struct db_query *query, struct db_link *link)
{
	struct db_pool *pool = query->pool;
	struct db_stream *stream;
	text key = query->stream;

	query->link = link;
	if (key.len == 0 || query->bound != NULL)
		return;
	HASH_FIND(hh, pool->streams, key.at, key.len, stream);
	if (stream == NULL) {
		stream = mem_alloc(sizeof *stream + key.len);
		stream->link = link;
		stream->len = key.len;
		memcpy(stream->key, key.at, key.len);
		HASH_ADD_KEYPTR(hh, pool->streams, stream->key, stream->len,
		    stream);
	}
	must(stream->link == link);
	stream->count++;
	query->bound = stream;
}

void
query_unbind(struct db_query *query)
{
	struct db_stream *stream = query->bound;

	if (stream == NULL)
		return;
	query->bound = NULL;
	if (--stream->count > 0)
		return;
	HASH_DEL(query->pool->streams, stream);
	mem_free(stream);
}

struct db_link *
query_bound_to(const struct db_query *query)
{
	struct db_stream *stream;

	if (query->stream.len == 0)
		return (NULL);
	HASH_FIND(hh, query->pool->streams, query->stream.at,
	    query->stream.len, stream);
	return (stream != NULL ? stream->link : NULL);
}

/* FNV-1a: the same stream has the same home in every process. */
unsigned
query_home(const struct db_query *query, unsigned count)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < query->stream.len; i++)
		hash = (hash ^ (unsigned char)query->stream.at[i]) *
		    16777619u;
	return (hash % count);
}

void
query_insert(struct db_query **list, struct db_query *query)
{
	struct db_query *after;

	/* Nearly always it is the newest. */
	if (*list == NULL || (*list)->prev->number < query->number) {
		DL_APPEND(*list, query);
		return;
	}
	after = *list;
	while (after->number < query->number)
		after = after->next;
	DL_PREPEND_ELEM(*list, after, query);
}

void
query_answer(struct db_query *query, const struct db_answer *answer)
{
	struct db_pool *pool = query->pool;

	leave(query);
	must(query->place == NOWHERE);
	if (answer->result == DB_UNKNOWN)
		COUNT(db_outcomes_unknown);
	if (!query->is_abandoned) {
		pool->answering++;
		query->on_answer(query->context, answer);
		pool->answering--;
	}
	query_destroy(&query);
}

void
query_fail(struct db_query *query, enum db_why why)
{
	struct db_answer answer = { .result = DB_FAILED, .why = why };

	query_answer(query, &answer);
}

void
query_unknown(struct db_query *query)
{
	struct db_answer answer = { .result = DB_UNKNOWN };

	query_answer(query, &answer);
}

void
db_abandon(struct db_query **given)
{
	struct db_query *query = *given;

	*given = NULL;
	if (query == NULL)
		return;
	object_check(query, DB_QUERY_MAGIC);
	if (query->place == IN_LANE || query->place == AT_LINK)
		query_destroy(&query);
	else
		query->is_abandoned = true;
}
