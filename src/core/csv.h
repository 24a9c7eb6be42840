/* SPDX-License-Identifier: MIT */
/*
 * CSV as RFC 4180 has it: records of fields, in quotes or not.
 *
 *	title,pack_name CRLF		record at line 1
 *	"Tee ""K.O.""",Pack 3 LF	record at line 2
 *	"two
 *	lines",Pack 4			record at line 3, the last line needs
 *					no end
 *
 * Lines end in CRLF or LF; those with nothing in them are no records. A byte
 * order mark before the first one is left out.
 *
 * Holds always:
 *  1. A record's fields are what stands there, without the quotes that
 *     enclose a field and with those inside once. Nothing is trimmed.
 *  2. What is not CSV ends it: the records before it were read, and problem
 *     and line say what is wrong and where.
 *  3. Fields lie in the arena or in what was read.
 *
 *	csv_init(&csv, &arena, text);
 *	while (csv_next(&csv))
 *		... csv.line, csv.fields[0 .. csv.count - 1]
 *	if (csv.problem != NULL)
 *		... csv.line
 */
#ifndef CORE_CSV_H
#define CORE_CSV_H

#include <stdbool.h>

#include "base/buf.h"

#define CSV_FIELDS_MAX 64

struct arena;

struct csv {
	struct arena	*arena;
	text		 rest;
	unsigned	 next_line;	/* where rest begins */
	unsigned	 line;		/* where the record begins */
	unsigned	 count;
	text		 fields[CSV_FIELDS_MAX];
	const char	*problem;	/* NULL: none so far */
};

void	csv_init(struct csv *csv, struct arena *arena, text t);
/* false: there are no more, or problem is set. */
bool	csv_next(struct csv *csv);

/*
 * All of it as JSON, for a function in the database:
 *
 *	{"records":[[1,"title","pack_name"],[2,"Tee K.O.","Pack 3"]],
 *	 "broken":[3,"a quote is not closed"]}
 *
 * broken is null where nothing is.
 */
void	csv_as_json(struct arena *arena, text t, struct buf *out);

#endif
