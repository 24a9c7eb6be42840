/* SPDX-License-Identifier: MIT */
/*
 * What can go wrong for a client: rows of tbl/errors.h.
 *
 * Holds always:
 *  1. ERR_none is 0: a function that returns an enum err is fine when it
 *     returns false.
 *  2. Nothing outside the table makes up a code, a status or a text.
 *
 *	enum err err = query_check(query);
 *	if (err != ERR_none)
 *		op_fail(op, err);
 */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

#include "base/text.h"

enum err {
	ERR_none,
#define ERROR(name, status, text) ERR_##name,
#include "tbl/errors.h"
#undef ERROR
	ERRORS
};

struct error_row {
	text		code;
	unsigned	status;
	text		words;
};
extern const struct error_row error_rows[ERRORS];

/* ERR_none: there is no such row. */
enum err error_named(text code);
/* The row for a status that a library made up; internal if there is none. */
enum err error_of_status(unsigned status);
/* What stands behind the number in the first line of an answer. */
const char *status_reason(unsigned status);

#endif
