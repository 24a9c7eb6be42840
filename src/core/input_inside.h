/* SPDX-License-Identifier: MIT */
/*
 * What the files of core/input share.
 *
 *	input.c		finds the inputs of a row, and answers for those that
 *			are not what they have to be
 *	input_value.c	one value of each kind
 *	input_words.c	what each has to be, in words
 *
 * Holds always:
 *  1. A value passes or not, and says no more; where it is a list, also which
 *     line of it is wrong.
 *
 *	struct input_value value = { .op = op, .input = input,
 *	    .given = segment, .out = &op->inputs[place] };
 *	if (!input_from_text(&value)) ...
 */
#ifndef CORE_INPUT_INSIDE_H
#define CORE_INPUT_INSIDE_H

#include "core/chat.h"
#include "core/input.h"

/* One value on its way from the client to op->inputs. */
struct input_value {
	struct op	*op;
	const struct input_row *input;
	text		 given;		/* as text, or the text of the body */
	struct json_object *json;	/* as JSON */
	text		*out;
	struct chat_fault *fault_out;
};

/* Of a path or a query. */
bool	input_from_text(const struct input_value *value);
/* Of a body. */
bool	input_from_json(const struct input_value *value);

#endif
