/* SPDX-License-Identifier: MIT */
/*
 * COPY of the files of sql/seed.
 */
#include "store/seed.h"

#include <limits.h>
#include <libpq-fe.h>
#include <string.h>

#include "base/must.h"
#include "store/sql_files.h"

/* What of a name becomes a part of SQL: letters that need no quotes. */
static bool
table_of(const struct sql_file *file, text *out)
{
	text ending;

	if (!text_cut(text_of(file->name), '.', out, &ending) ||
	    !text_is(ending, TEXT("csv")) || out->len == 0)
		return (false);
	for (size_t i = 0; i < out->len; i++)
		if (out->at[i] < 'a' || out->at[i] > 'z')
			return (false);
	return (true);
}

/* "seed/games.csv: COPY seed_games, line 7, …: what is wrong" */
static bool
has_failed(PGconn *pg, const char *what, PGresult *result, struct buf *why)
{
	ExecStatusType status = PQresultStatus(result);
	const char *said, *where;

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
	    status == PGRES_COPY_IN)
		return (false);
	said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	where = PQresultErrorField(result, PG_DIAG_CONTEXT);
	if (said == NULL)
		said = PQerrorMessage(pg);
	buf_printf(why, "seed/%s: ", what);
	if (where != NULL) {
		buf_add(why, text_from(where, strcspn(where, "\n")));
		buf_add(why, TEXT(": "));
	}
	buf_add(why, text_from(said, strcspn(said, "\n")));
	return (true);
}

static bool
say(PGconn *pg, const char *what, const char *sql, struct buf *why)
{
	PGresult *result = PQexec(pg, sql);
	bool is_done = !has_failed(pg, what, result, why);

	PQclear(result);
	return (is_done);
}

/* What was sent is taken only when its last result says so. */
static bool
send_content(PGconn *pg, const struct sql_file *file, struct buf *why)
{
	text content = buf_text(&file->content);
	PGresult *result;
	bool is_done = true;

	must(content.len <= INT_MAX);
	PQputCopyData(pg, content.at, (int)content.len);
	PQputCopyEnd(pg, NULL);
	while ((result = PQgetResult(pg)) != NULL) {
		is_done = is_done && !has_failed(pg, file->name, result, why);
		PQclear(result);
	}
	return (is_done);
}

static bool
load(PGconn *pg, const struct sql_file *file, struct buf *why)
{
	struct buf sql;
	text table;
	bool is_done;

	if (!table_of(file, &table)) {
		buf_printf(why, "seed/%s: is no name of a seed; allowed: "
		    "a-z and .csv", file->name);
		return (false);
	}
	buf_init(&sql, BUF_NO_LIMIT);
	buf_printf(&sql, "DELETE FROM partyline.seed_%.*s; "
	    "COPY partyline.seed_%.*s FROM STDIN "
	    "WITH (FORMAT csv, HEADER match, ENCODING 'UTF8')",
	    TEXT_ARGS(table), TEXT_ARGS(table));
	is_done = say(pg, file->name, sql.at, why) &&
	    send_content(pg, file, why);
	buf_fini(&sql);
	return (is_done);
}

bool
seed_load(PGconn *pg, const struct sql_files *files, struct buf *why)
{
	for (const struct sql_file *file = files->first; file != NULL;
	    file = file->next)
		if (!load(pg, file, why))
			return (false);
	return (files->first == NULL ||
	    say(pg, "*.csv", "SELECT api.catalog_fill()", why));
}
