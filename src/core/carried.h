/* SPDX-License-Identifier: MIT */
/*
 * JSON that is handed on in exactly the bytes it came in: cutting it up
 * without reading it, so that whoever gets it finds what was sent.
 *
 * Holds always:
 *  1. All of it passed json_in_may_be_carried before: here nothing is
 *     checked once more.
 *  2. Values are texts within what was given, without blanks around them.
 *
 *	text rest, value;
 *
 *	if (carried_begin(array, &rest))
 *		while (carried_next(&rest, &value)) ...
 */
#ifndef CORE_CARRIED_H
#define CORE_CARRIED_H

#include <stdbool.h>

#include "base/buf.h"

enum carried_kind {
	CARRIED_OBJECT, CARRIED_ARRAY, CARRIED_TEXT, CARRIED_NUMBER,
	CARRIED_BOOL, CARRIED_NULL
};

/* Of a value without blanks around it. */
enum carried_kind carried_kind(text value);
/* false: it is no array. */
bool	carried_begin(text array, text *rest_out);
/*
 * The array's next value; false: there is none. What is left are values with
 * commas between.
 */
bool	carried_next(text *rest, text *value_out);
/* false: it is no whole number of 64 bits, as it is written. */
bool	carried_as_int(text value, int64_t *out);
/*
 * false: it is no string, or means NUL or half a pair. *out points into it
 * or, where it has escapes, into spelled.
 */
bool	carried_as_text(text value, struct buf *spelled, text *out);
/* Whether it is a string that means this. */
bool	carried_is(text value, text wanted);

#endif
