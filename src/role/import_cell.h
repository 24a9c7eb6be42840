/* SPDX-License-Identifier: MIT */
/*
 * A value of today's server's database into one of ours, as JSON. Its columns
 * have types only by custom, so that anything may stand anywhere.
 *
 *	flag	0, 1, "true", "yes"			true
 *	time	"2026-03-15 19:00:00", 1773601200	"2026-03-15T19:00:…Z"
 *	vote	1, "down", "thisgame++"			1, -1
 *	text	at most so many characters, UTF-8, no NUL
 *
 * Holds always:
 *  1. One value is written, whatever came of it.
 *  2. What cannot be is told, and `otherwise` stands in its place; what is
 *     SQL's NULL is told only where something else stands in its place.
 *
 *	switch (import_cell(&column, &cell, &json, &why)) ...
 */
#ifndef ROLE_IMPORT_CELL_H
#define ROLE_IMPORT_CELL_H

#include <stdbool.h>

#include "base/json_out.h"
#include "store/sqlite_file.h"

enum import_kind {
	IMPORT_choice,		/* one of `choices` */
	IMPORT_flag,
	IMPORT_hash,		/* SHA-256, in hexadecimal digits */
	IMPORT_number,		/* from least to most */
	IMPORT_room,		/* [A-Z0-9]{4} */
	IMPORT_text,		/* of at most `most` characters */
	IMPORT_ticker,		/* [A-Z0-9]{2,4} */
	IMPORT_time,
	IMPORT_vote
};

struct import_column {
	const char	*name;		/* there; NULL: behind the last */
	const char	*as;		/* here */
	enum import_kind kind;
	bool		 is_needed;	/* without it a row is nothing */
	int64_t		 least, most;
	const char	*choices;	/* separated by blanks */
	const char	*otherwise;	/* JSON; NULL: null */
};

enum import_result {
	IMPORT_AS_IT_WAS,
	IMPORT_MENDED,		/* why says how */
	IMPORT_IMPOSSIBLE	/* the row is nothing without it */
};

/* why is cleared first. */
enum import_result import_cell(const struct import_column *column,
	    const struct cell *cell, struct json_out *json,
	    struct buf *why);

/* false: it is no whole number, in whatever form. */
bool	import_integer(const struct cell *cell, int64_t *out);

#endif
