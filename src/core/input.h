/* SPDX-License-Identifier: MIT */
/*
 * What an operation is given: each input of its row found in path, query or
 * body, checked, and written as PostgreSQL reads it.
 *
 *	kind	 in path and query     in a body    min, max
 *	text	 text		       text	    characters
 *	integer	 digits, maybe a -     a number	    value
 *	boolean	 true, false, 1, 0     the same	    -
 *	id	 digits		       a number	    value, from 1; max 0: any
 *	choice	 one of the words      the same	    -
 *	custom	 -		       custom.<name>	bytes
 *	object	 -		       an object    bytes as written
 *	ids	 -		       ids	    how many
 *	events	 -		       their types  how many
 *	page	 digits or `all` (NULL)	    -	    value
 *	skip	 digits; else 0		    -	    value, cut to max
 *	cursor	 41 or k3:41		    -	    -
 *	ticket	 text		       -	    -
 *	room	 four of A-Z and 0-9   the same	    -
 *	moment	 ISO 8601	       the same	    -
 *	chat	 -		       lines	    how many
 *	csv	 -		       CSV	    characters
 *	day	 YYYY-MM-DD	       -	    -
 *
 * Holds always:
 *  1. What is refused is named: error, field, and what it has to be.
 *  2. What passes cannot make PostgreSQL refuse the value's form.
 *  3. Texts lie in the op or in what it was lent; an object is exactly the
 *     bytes the client wrote. CSV is handed on as records, and where it is
 *     none, with the line (csv_as_json): its function refuses it.
 *  4. A ticket stands for a token: with one, nobody looks at the token of a
 *     READER. Whose row has such an input proves it before he does anything
 *     (core/follow).
 *  5. Members and parameters that no input names are ignored, so that newer
 *     clients can talk to older servers.
 *
 *	if (!input_read(op))
 *		return;		... it was answered
 *	... op->inputs[0 .. op->inputs_count - 1]
 */
#ifndef CORE_INPUT_H
#define CORE_INPUT_H

#include "core/op.h"

/*
 * In the order of the row; ids come out sorted, each once. An empty text
 * or room counts as missing where it has to be there and min is above 0.
 * false: op was failed, with the error that names what is wrong.
 */
bool	input_read(struct op *op);

/* Whether it is stored as it came, so that it counts to max_storage. */
bool	input_is_kept(const struct input_row *input);

/*
 * A list: all of a body may be it, and as a member it has a second name,
 * `choices` of its row.
 */
bool	input_is_list(const struct input_row *input);

const char *input_kind_name(enum input_kind kind);
const char *input_place_name(enum input_place place);

/*
 * What the input has to be, in words that follow its name: "must be a text
 * of at most 100 characters".
 */
void	input_rule(const struct input_row *input, struct buf *out);

#endif
