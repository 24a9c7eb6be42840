/* SPDX-License-Identifier: MIT */
/*
 * Statements of operations, and rows of api.answer.
 */
#include "store/call.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/must.h"
#include "store/db.h"

static void
begin_statement(text name, unsigned inputs, struct buf *out)
{
	must(inputs <= CALL_INPUTS_MAX);
	buf_printf(out, "SELECT element, status, body, stream, epoch, seq, "
	    "headers, refusal FROM api.%.*s(", TEXT_ARGS(name));
}

void
call_statement_bare(text name, unsigned inputs, struct buf *out)
{
	begin_statement(name, inputs, out);
	for (unsigned i = 1; i <= inputs; i++)
		buf_printf(out, "%s$%u", i == 1 ? "" : ", ", i);
	buf_add_char(out, ')');
}

void
call_statement(text name, unsigned inputs, struct buf *out)
{
	begin_statement(name, inputs, out);
	buf_add_string(out, "ROW(");
	for (unsigned i = 1; i <= CALL_CONTEXT; i++)
		buf_printf(out, "%s$%u", i == 1 ? "" : ", ", i);
	buf_add_string(out, ")::api.ctx");
	for (unsigned i = 1; i <= inputs; i++)
		buf_printf(out, ", $%u", CALL_CONTEXT + i);
	buf_add_char(out, ')');
}

void
call_parameters(const struct call_context *context, const text *inputs,
    unsigned count, struct call_parameters *out)
{
	must(count <= CALL_INPUTS_MAX);
	snprintf(out->tenant, sizeof out->tenant, "%" PRId32,
	    context->tenant);
	out->at[0] = text_of(out->tenant);
	out->at[1] = context->caller;
	out->at[2] = context->role;
	out->at[3] = context->request_id;
	out->at[4] = context->idempotency_key;
	out->at[5] = context->request_hash;
	out->at[6] = context->address;
	for (unsigned i = 0; i < count; i++)
		out->at[CALL_CONTEXT + i] = inputs[i];
	out->count = CALL_CONTEXT + count;
}

void
call_array_add(struct buf *out, text element)
{
	buf_add_char(out, out->len == 0 ? '{' : ',');
	if (element.at == NULL) {
		buf_add_string(out, "NULL");
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < element.len; i++) {
		if (element.at[i] == '"' || element.at[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, element.at[i]);
	}
	buf_add_char(out, '"');
}

void
call_array_end(struct buf *out)
{
	buf_add_string(out, out->len == 0 ? "{}" : "}");
}

static bool
read_number(text t, int64_t min, int64_t max, int64_t *out)
{
	return (t.at != NULL && text_to_int64(t, min, max, out));
}

bool
call_row_read(const struct db_answer *answer, unsigned row,
    struct call_row *out)
{
	text status = db_field(answer, row, 1), seq = db_field(answer, row, 5);
	int64_t element, number;

	*out = (struct call_row){ .is_event = status.at == NULL,
	    .body = db_field(answer, row, 2),
	    .stream = db_field(answer, row, 3),
	    .epoch = db_field(answer, row, 4),
	    .is_live = status.at == NULL && seq.at == NULL,
	    .is_queued = status.at == NULL &&
	    db_field(answer, row, 6).at != NULL,
	    .headers = db_field(answer, row, 6),
	    .refusal = db_field(answer, row, 7) };
	if (!read_number(db_field(answer, row, 0), 0, INT32_MAX, &element))
		return (false);
	out->element = (unsigned)element;
	if (!out->is_event) {
		if (!read_number(status, 200, 599, &number))
			return (false);
		out->status = (unsigned)number;
		if (seq.at != NULL &&
		    !read_number(seq, 0, INT64_MAX, &number))
			return (false);
		out->seq = seq.at != NULL ? (uint64_t)number : 0;
		return (true);
	}
	if (out->body.at == NULL || out->stream.at == NULL)
		return (false);
	if (out->is_live)
		return (true);
	if (out->epoch.at == NULL || !read_number(seq, 1, INT64_MAX, &number))
		return (false);
	out->seq = (uint64_t)number;
	return (true);
}

unsigned
call_rule_status(const struct db_answer *answer)
{
	int64_t status;

	if (!text_to_int64(text_of(answer->sqlstate + 2), 400, 599, &status))
		return (0);
	return ((unsigned)status);
}

enum call_refusal
call_refusal(const struct db_answer *answer)
{
	/* A class of two letters, or a whole code; the first that fits. */
	static const struct {
		text			code;
		enum call_refusal	means;
	} codes[] = {
		{ TEXT("22"), CALL_INPUT },
		{ TEXT("23"), CALL_CONSTRAINT },
		{ TEXT("40001"), CALL_CONFLICT },
		{ TEXT("40P01"), CALL_CONFLICT },
		{ TEXT("53"), CALL_EXHAUSTED },
		{ TEXT("54"), CALL_INPUT },
		{ TEXT("55P03"), CALL_TIMEOUT },
		{ TEXT("57014"), CALL_TIMEOUT },
		{ TEXT("58030"), CALL_EXHAUSTED },
	};
	text code = text_of(answer->sqlstate);

	must(answer->result == DB_REFUSED);
	if (text_begins(code, TEXT("PT")) && call_rule_status(answer) != 0)
		return (CALL_RULE);
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (text_begins(code, codes[i].code))
			return (codes[i].means);
	return (CALL_BROKEN);
}
