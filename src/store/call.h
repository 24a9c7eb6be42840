/* SPDX-License-Identifier: MIT */
/*
 * Between an operation and its function in the database: the statement that
 * calls api.<name>, its parameters, the rows of api.answer that come back,
 * and what a refusal means.
 *
 *	api.session_create(ctx, input, …)
 *	  element | status | body | stream    | epoch | seq | headers | refusal
 *	        0 |    201 | {…}  |	      |	      |	    |	      |
 *	        0 |	   | {…}  | session:7 | k3    |	 12 |	      |
 *	        0 |	   | {…}  | session:7 | k3    |	    |	      |
 *	        1 |    409 | {…}  |	      |	      |	    |	      | name
 *	        0 |    200 | 1    | session:7 | k3    |	 12 |	      |
 *
 * The first is an answer, the next an event, the third a LIVE one, the next
 * the refusal of an element of a batch, whose body are its extras. The last
 * is an answer that tells of a stream, with its head.
 *
 * Holds always:
 *  1. A statement's parameters are those of the context, in the order of
 *     the type api.ctx, then the inputs.
 *  2. Texts are lent: parameters until db_call returned, rows as long as
 *     the answer they were read from.
 *
 *	call_statement(TEXT("session_create"), 3, &sql);
 *	...
 *	call_parameters(&context, inputs, 3, &parameters);
 *	call.parameters = parameters.at;
 *	call.parameters_count = parameters.count;
 *	...
 *	for (i = 0; i < db_rows(answer); i++)
 *		if (!call_row_read(answer, i, &row)) ...
 */
#ifndef STORE_CALL_H
#define STORE_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct db_answer;

#define CALL_CONTEXT	7		/* parameters of api.ctx */
#define CALL_INPUTS_MAX	32

struct call_context {
	int32_t	tenant;
	text	caller;			/* at NULL: anonymous */
	text	role;
	text	request_id;
	text	idempotency_key;	/* at NULL: none */
	text	request_hash;
	text	address;
};

struct call_parameters {
	text		at[CALL_CONTEXT + CALL_INPUTS_MAX];
	unsigned	count;
	char		tenant[12];
};

struct call_row {
	unsigned	element;
	bool		is_event;
	unsigned	status;		/* of an answer */
	text		body;		/* JSON; at NULL: an answer has none */
	text		headers;	/* JSON; at NULL: no more than usual */
	text		refusal;	/* the error's name; at NULL: none */
	text		stream;		/* of an event, as are these; of an
					 * answer where it tells of a stream */
	text		epoch;
	bool		is_live;	/* an event that has no number */
	bool		is_queued;	/* an event that a webhook waits for */
	uint64_t	seq;		/* of an answer: the stream's head */
};

/* Why PostgreSQL refused, as far as it matters to whoever answers. */
enum call_refusal {
	CALL_RULE,	/* PTnnn: message names the error, detail has extras */
	CALL_CONSTRAINT,/* a rule that holds always: constraint names it */
	CALL_INPUT,	/* a value that no type takes */
	CALL_CONFLICT,	/* deadlock or serialization, twice */
	CALL_TIMEOUT,	/* statement_timeout, or ended by an operator */
	CALL_EXHAUSTED,	/* disk, memory or connections of PostgreSQL */
	CALL_BROKEN	/* all else: ours to mend */
};

/* SELECT … FROM api.name(ROW($1, …)::api.ctx, $8, …) */
void	call_statement(text name, unsigned inputs, struct buf *out);
/* Of a function that takes no context: the inputs are its parameters. */
void	call_statement_bare(text name, unsigned inputs, struct buf *out);
/* The parameters are not to be copied: one of them points into the struct. */
void	call_parameters(const struct call_context *context,
	    const text *inputs, unsigned count,
	    struct call_parameters *parameters_out);
/*
 * PostgreSQL's text of an array, which is all that is in out: an element, at
 * NULL: NULL; then the end, also of an empty one.
 */
void	call_array_add(struct buf *out, text element);
void	call_array_end(struct buf *out);
/* false: it is no row of api.answer. */
bool	call_row_read(const struct db_answer *answer, unsigned row,
	    struct call_row *out);
enum call_refusal call_refusal(const struct db_answer *answer);
/* nnn of a CALL_RULE. */
unsigned call_rule_status(const struct db_answer *answer);

#endif
