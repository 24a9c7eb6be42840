/* SPDX-License-Identifier: MIT */
/*
 * Which schemas are taken, on answers of api.connect() made by hand.
 */
#include "store/schema.h"

#include <libpq-fe.h>

#include "store/db.h"
#include "tap.h"

static const char *
check(const char *version, int rows)
{
	static char name[] = "x";
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[3] = { { .name = name }, { .name = name },
	    { .name = name } };
	struct db_answer answer = { .result = DB_ROWS, .rows = result };
	const char *cells[3] = { "f", version, "abc" }, *why;

	PQsetResultAttrs(result, 3, columns);
	for (int row = 0; row < rows; row++)
		for (int i = 0; i < 3; i++)
			PQsetvalue(result, row, i,
			    (char *)(uintptr_t)cells[i], cells[i] != NULL ?
			    (int)strlen(cells[i]) : -1);
	why = schema_check(&answer);
	PQclear(result);
	return (why);
}

int
main(void)
{
	char version[16], wanted[128];

	test("our own is taken");
	snprintf(version, sizeof version, "%d", SCHEMA_VERSION);
	ok(check(version, 1) == NULL);

	test("an older one is refused, with what to do");
	snprintf(version, sizeof version, "%d", SCHEMA_VERSION - 1);
	snprintf(wanted, sizeof wanted, "the database's schema is %s, this "
	    "program needs %d: run partyline migrate", version,
	    SCHEMA_VERSION);
	is_text(check(version, 1), wanted);
	ok(strstr(check(NULL, 1), "schema is 0") != NULL);

	test("a newer one is refused");
	snprintf(version, sizeof version, "%d", SCHEMA_VERSION + 1);
	ok(strstr(check(version, 1), "belongs to a newer one") != NULL);

	test("what is no answer is refused");
	ok(check("x", 1) != NULL);
	ok(check("4", 0) != NULL);
	ok(check("4", 2) != NULL);
	return (done());
}
