/* SPDX-License-Identifier: MIT */
/*
 * Statements of functions, and calls of them.
 */
#include "core/function.h"

#include "base/mem.h"
#include "base/must.h"

static const struct function_row {
	const char	*name;
	enum db_kind	 lane;
	bool		 has_context;
	unsigned	 inputs;
} function_rows[FUNCTIONS] = {
#define WITH true
#define WITHOUT false
#define FUNCTION(name, lane, context, inputs, text)			\
	{ #name, DB_##lane, context, inputs },
#include "tbl/functions.h"
#undef FUNCTION
#undef WITH
#undef WITHOUT
};

void
function_statement_named(const char *name, bool has_context,
    unsigned inputs, enum db_kind lane, struct arena *arena,
    struct db_statement *out)
{
	struct buf sql;

	buf_init(&sql, BUF_NO_LIMIT);
	if (has_context)
		call_statement(text_of(name), inputs, &sql);
	else
		call_statement_bare(text_of(name), inputs, &sql);
	out->name = name;
	out->sql = arena_copy(arena, sql.at, sql.len);
	out->lanes = 1u << lane;
	buf_fini(&sql);
}

void
function_statement(enum function function, struct arena *arena,
    struct db_statement *out)
{
	const struct function_row *row = &function_rows[function];

	function_statement_named(row->name, row->has_context, row->inputs,
	    row->lane, arena, out);
}

void
function_call(struct db_pool *pool, unsigned place,
    const struct function_call *wanted)
{
	const struct function_row *row = &function_rows[wanted->function];
	struct call_parameters parameters;
	struct db_call call = { .kind = row->lane, .statement = place,
	    .stream = wanted->stream, .parameters = wanted->inputs,
	    .parameters_count = wanted->count,
	    .on_answer = wanted->on_answer, .context = wanted->me };

	must((wanted->context != NULL) == row->has_context &&
	    wanted->count == row->inputs);
	if (wanted->context != NULL) {
		call_parameters(wanted->context, wanted->inputs,
		    wanted->count, &parameters);
		call.parameters = parameters.at;
		call.parameters_count = parameters.count;
	}
	db_call(pool, &call);
}
