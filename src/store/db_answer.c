/* SPDX-License-Identifier: MIT */
/*
 * What a result of libpq says: rows, or a refusal with its SQLSTATE.
 */
#include <string.h>

#include "base/must.h"
#include "store/db_inside.h"

static text
field_of(const PGresult *result, int code)
{
	return (text_of(PQresultErrorField(result, code)));
}

bool
result_is_loss(const PGresult *result)
{
	return (PQresultStatus(result) == PGRES_FATAL_ERROR &&
	    PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL);
}

void
answer_from(struct db_answer *answer, const PGresult *result)
{
	text code = field_of(result, PG_DIAG_SQLSTATE);

	*answer = (struct db_answer){ .result = DB_ROWS };
	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		answer->rows = result;
		return;
	default:
		break;
	}
	answer->result = DB_REFUSED;
	if (code.len >= sizeof answer->sqlstate)
		code.len = sizeof answer->sqlstate - 1;
	if (code.len == 0)
		code = TEXT("XX000");
	memcpy(answer->sqlstate, code.at, code.len);
	answer->message = field_of(result, PG_DIAG_MESSAGE_PRIMARY);
	answer->detail = field_of(result, PG_DIAG_MESSAGE_DETAIL);
	answer->constraint = field_of(result, PG_DIAG_CONSTRAINT_NAME);
}

void
why_from(struct buf *why, const char *said)
{
	static const char *const begins[] = { "failed: ", "ERROR:  ",
	    "FATAL:  ", "PANIC:  " };

	buf_clear(why);
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
		const char *found = strstr(said, begins[i]);

		if (found != NULL)
			said = found + strlen(begins[i]);
	}
	buf_add(why, text_from(said, strcspn(said, "\n")));
}

unsigned
db_rows(const struct db_answer *answer)
{
	return (answer->rows != NULL ? (unsigned)PQntuples(answer->rows) : 0);
}

text
db_field(const struct db_answer *answer, unsigned row, unsigned column)
{
	int r = (int)row, c = (int)column;

	must(answer->rows != NULL && r < PQntuples(answer->rows) &&
	    c < PQnfields(answer->rows));
	if (PQgetisnull(answer->rows, r, c))
		return (TEXT_NONE);
	return (text_from(PQgetvalue(answer->rows, r, c),
	    (size_t)PQgetlength(answer->rows, r, c)));
}

const char *
db_result_name(enum db_result result)
{
	static const char *const names[] = { [DB_ROWS] = "rows",
	    [DB_REFUSED] = "refused", [DB_FAILED] = "failed",
	    [DB_UNKNOWN] = "unknown" };

	return (names[result]);
}

const char *
db_why_name(enum db_why why)
{
	static const char *const names[] = { [DB_WHY_NONE] = "none",
	    [DB_WHY_FULL] = "full", [DB_WHY_AWAY] = "away",
	    [DB_WHY_LATE] = "late", [DB_WHY_LOST] = "lost",
	    [DB_WHY_CLOSING] = "closing" };

	return (names[why]);
}
