/* SPDX-License-Identifier: MIT */
/*
 * libpq in its simplest form, in single-row mode.
 */
#include "store/straight.h"

#include "base/mem.h"
#include "store/db_inside.h"

struct straight {
	unsigned	 magic;
#define STRAIGHT_MAGIC 0x73747261
	PGconn		*pg;
	PGresult	*last;		/* that the answer points into */
	struct arena	 inputs;	/* of a statement, each with a NUL */
};

struct straight *
straight_open(const char *url, struct buf *why)
{
	static const char *const names[] = { "connect_timeout",
	    "client_encoding", "dbname", NULL };
	const char *const values[] = { STRAIGHT_CONNECT_S, "UTF8", url,
	    NULL };
	struct straight *straight = object_create(struct straight,
	    STRAIGHT_MAGIC);

	arena_init(&straight->inputs);
	straight->pg = PQconnectdbParams(names, values, 1);
	if (PQstatus(straight->pg) != CONNECTION_OK) {
		why_from(why, PQerrorMessage(straight->pg));
		straight_close(&straight);
	}
	return (straight);
}

void
straight_close(struct straight **given)
{
	struct straight *straight = *given;

	if (straight == NULL)
		return;
	object_check(straight, STRAIGHT_MAGIC);
	PQclear(straight->last);
	PQfinish(straight->pg);
	arena_fini(&straight->inputs);
	object_free(given);
}

static void
set_answer(struct straight *straight, PGresult *result,
    struct db_answer *answer_out)
{
	PQclear(straight->last);
	straight->last = result;
	if (result == NULL || result_is_loss(result))
		*answer_out = (struct db_answer){ .result = DB_UNKNOWN };
	else
		answer_from(answer_out, result);
}

bool
straight_say(struct straight *straight, const char *sql,
    struct db_answer *answer_out)
{
	object_check(straight, STRAIGHT_MAGIC);
	set_answer(straight, PQexec(straight->pg, sql), answer_out);
	return (answer_out->result == DB_ROWS);
}

static bool
send_off(struct straight *straight, const char *sql, const text *inputs,
    unsigned count)
{
	const char **values;
	bool is_sent;

	arena_init(&straight->inputs);
	values = arena_alloc(&straight->inputs,
	    (count + 1) * sizeof(char *));
	for (unsigned i = 0; i < count; i++)
		values[i] = inputs[i].at == NULL ? NULL :
		    arena_copy(&straight->inputs, inputs[i].at,
		    inputs[i].len);
	is_sent = PQsendQueryParams(straight->pg, sql, (int)count, NULL,
	    values, NULL, NULL, 0) == 1 &&
	    PQsetSingleRowMode(straight->pg) == 1;
	arena_fini(&straight->inputs);
	arena_init(&straight->inputs);
	return (is_sent);
}

static void
hand_out(const PGresult *result, straight_row_fn **on_row, void *context)
{
	struct db_answer row = { .result = DB_ROWS,
	    .rows = (const struct pg_result *)result };

	if (*on_row != NULL && !(*on_row)(context, &row))
		*on_row = NULL;
}

bool
straight_ask(struct straight *straight, const char *sql, const text *inputs,
    unsigned count, straight_row_fn *on_row, void *context,
    struct db_answer *answer_out)
{
	PGresult *result, *last = NULL;

	object_check(straight, STRAIGHT_MAGIC);
	if (!send_off(straight, sql, inputs, count)) {
		set_answer(straight, NULL, answer_out);
		return (false);
	}
	/* After the rows comes one without any, or what went wrong. */
	while ((result = PQgetResult(straight->pg)) != NULL) {
		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
			hand_out(result, &on_row, context);
			PQclear(result);
		} else {
			PQclear(last);
			last = result;
		}
	}
	set_answer(straight, last, answer_out);
	return (answer_out->result == DB_ROWS);
}
