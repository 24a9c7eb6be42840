/* SPDX-License-Identifier: MIT */
/*
 * The functions of tbl/functions.h, as a pool prepares and calls them.
 *
 *	place = count;
 *	function_statement(FUNCTION_tenant_list, &arena, &statements[count++]);
 *	... db_pool_create ...
 *	function_call(pool, place, &(struct function_call){
 *	    .function = FUNCTION_tenant_list, .on_answer = on_list,
 *	    .me = control });
 */
#ifndef CORE_FUNCTION_H
#define CORE_FUNCTION_H

#include <stdbool.h>

#include "store/call.h"
#include "store/db.h"

struct arena;

enum function {
#define FUNCTION(name, ...) FUNCTION_##name,
#include "tbl/functions.h"
#undef FUNCTION
	FUNCTIONS
};

struct function_call {
	enum function	 function;
	const struct call_context *context;	/* NULL: the row says WITHOUT */
	text		 stream;	/* as in struct db_call */
	const text	*inputs;
	unsigned	 count;
	void		(*on_answer)(void *, const struct db_answer *);
	void		*me;
};

/* Of an operation or a function; its texts are constant or in the arena. */
void	function_statement_named(const char *name, bool has_context,
	    unsigned inputs, enum db_kind lane, struct arena *arena,
	    struct db_statement *out);
void	function_statement(enum function function, struct arena *arena,
	    struct db_statement *out);
/* place: of its statement, in the pool's. */
void	function_call(struct db_pool *pool, unsigned place,
	    const struct function_call *call);

#endif
