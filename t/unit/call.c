/* SPDX-License-Identifier: MIT */
/*
 * Statements, parameters, rows of api.answer and refusals, on results made
 * by hand.
 */
#include "store/call.h"

#include <libpq-fe.h>

#include "store/db.h"
#include "tap.h"

static PGresult *
result_of(const char *const cells[8])
{
	static char names[8][9] = { "element", "status", "body", "stream",
	    "epoch", "seq", "headers", "refusal" };
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[8] = { { .name = NULL } };

	for (int i = 0; i < 8; i++)
		columns[i].name = names[i];
	PQsetResultAttrs(result, 8, columns);
	for (int i = 0; i < 8; i++)
		PQsetvalue(result, 0, i, (char *)(uintptr_t)cells[i],
		    cells[i] != NULL ? (int)strlen(cells[i]) : -1);
	return (result);
}

static bool
reads(const char *const cells[8], struct call_row *row,
    struct db_answer *answer)
{
	*answer = (struct db_answer){ .result = DB_ROWS,
	    .rows = result_of(cells) };
	return (call_row_read(answer, 0, row));
}

static bool
is_read(const char *element, const char *status, const char *body,
    const char *stream, const char *epoch, const char *seq)
{
	const char *const cells[8] = { element, status, body, stream, epoch,
	    seq };
	struct db_answer answer;
	struct call_row row;
	bool is_good = reads(cells, &row, &answer);

	PQclear((PGresult *)(uintptr_t)answer.rows);
	return (is_good);
}

static enum call_refusal
refusal_of(const char *code)
{
	struct db_answer answer = { .result = DB_REFUSED };

	memcpy(answer.sqlstate, code, sizeof answer.sqlstate);
	return (call_refusal(&answer));
}

int
main(void)
{
	struct call_context context = { .tenant = -7, .role = TEXT("bot") };
	const text inputs[] = { TEXT("a"), TEXT_NONE };
	struct call_parameters parameters;
	struct db_answer answer;
	struct call_row row;
	struct buf sql;

	test("the statement of an operation");
	buf_init(&sql, BUF_NO_LIMIT);
	call_statement(TEXT("session_close"), 2, &sql);
	is_text(sql.at, "SELECT element, status, body, stream, epoch, seq, "
	    "headers, refusal FROM api.session_close("
	    "ROW($1, $2, $3, $4, $5, $6, $7)::api.ctx, $8, $9)");
	buf_clear(&sql);
	call_statement(TEXT("x"), 0, &sql);
	ok(strstr(sql.at, "$7)::api.ctx)") != NULL);
	buf_clear(&sql);
	call_statement_bare(TEXT("tenant_find"), 2, &sql);
	ok(strstr(sql.at, "FROM api.tenant_find($1, $2)") != NULL);
	buf_clear(&sql);
	call_statement_bare(TEXT("tenant_list"), 0, &sql);
	ok(strstr(sql.at, "FROM api.tenant_list()") != NULL);
	buf_fini(&sql);

	test("its parameters");
	call_parameters(&context, inputs, 2, &parameters);
	is(parameters.count, 9);
	is_text(parameters.at[0], "-7");
	ok(parameters.at[1].at == NULL);
	is_text(parameters.at[2], "bot");
	is_text(parameters.at[7], "a");
	ok(parameters.at[8].at == NULL);

	test("an answer, an event, a live one, a refusal in a row");
	ok(reads((const char *[]){ "3", "201", "{}", NULL, NULL, NULL,
	    "{\"a\":1}", NULL }, &row, &answer));
	ok(!row.is_event && !row.is_live);
	is(row.element, 3);
	is(row.seq, 0);
	is(row.status, 201);
	is_text(row.body, "{}");
	is_text(row.headers, "{\"a\":1}");
	ok(row.refusal.at == NULL);
	PQclear((PGresult *)(uintptr_t)answer.rows);
	ok(reads((const char *[]){ "0", NULL, "{}", "lobby", "k", "12", NULL,
	    NULL }, &row, &answer));
	ok(row.is_event && !row.is_live);
	is(row.seq, 12);
	is_text(row.stream, "lobby");
	is_text(row.epoch, "k");
	PQclear((PGresult *)(uintptr_t)answer.rows);
	ok(reads((const char *[]){ "0", NULL, "{}", "lobby", "k", NULL, NULL,
	    NULL }, &row, &answer));
	ok(row.is_event && row.is_live);
	PQclear((PGresult *)(uintptr_t)answer.rows);
	ok(reads((const char *[]){ "0", "409", NULL, NULL, NULL, NULL, NULL,
	    "taken" }, &row, &answer));
	is_text(row.refusal, "taken");
	ok(row.body.at == NULL);
	PQclear((PGresult *)(uintptr_t)answer.rows);

	test("an answer that tells of a stream");
	ok(reads((const char *[]){ "0", "200", "1", "session:7", "k3", "12",
	    NULL, NULL }, &row, &answer));
	ok(!row.is_event && !row.is_live);
	is_text(row.stream, "session:7");
	is_text(row.epoch, "k3");
	is(row.seq, 12);
	PQclear((PGresult *)(uintptr_t)answer.rows);
	ok(is_read("0", "200", "1", "session:7", "k3", "0"));
	ok(!is_read("0", "200", "1", "session:7", "k3", "-1"));

	test("what is no row of api.answer");
	ok(is_read("0", "200", NULL, NULL, NULL, NULL));
	ok(!is_read(NULL, "200", NULL, NULL, NULL, NULL));
	ok(!is_read("-1", "200", NULL, NULL, NULL, NULL));
	ok(!is_read("0", "99", NULL, NULL, NULL, NULL));
	ok(!is_read("0", NULL, NULL, "lobby", "k", "1"));
	ok(!is_read("0", NULL, "{}", NULL, "k", "1"));
	ok(!is_read("0", NULL, "{}", "lobby", NULL, "1"));
	ok(!is_read("0", NULL, "{}", "lobby", "k", "0"));

	test("what a refusal means");
	is(refusal_of("PT404"), CALL_RULE);
	is(refusal_of("PTxyz"), CALL_BROKEN);
	is(refusal_of("23505"), CALL_CONSTRAINT);
	is(refusal_of("22P02"), CALL_INPUT);
	is(refusal_of("40P01"), CALL_CONFLICT);
	is(refusal_of("40001"), CALL_CONFLICT);
	is(refusal_of("57014"), CALL_TIMEOUT);
	is(refusal_of("53100"), CALL_EXHAUSTED);
	is(refusal_of("42883"), CALL_BROKEN);
	answer = (struct db_answer){ .result = DB_REFUSED,
	    .sqlstate = "PT409" };
	is(call_rule_status(&answer), 409);
	return (done());
}
