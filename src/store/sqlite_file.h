/* SPDX-License-Identifier: MIT */
/*
 * A database file of SQLite, read from outside and left as it is.
 *
 *	FILE alone			read where it is, as if it were on a CD
 *	FILE, and FILE-wal or		somebody was cut off in his work: copied
 *	FILE-journal with something	to a folder of our own, and ended there
 *
 * Holds always:
 *  1. Nothing is written into the file, or made beside it.
 *  2. What the file says of itself is not trusted: no triggers, views or
 *     virtual tables of it are run.
 *  3. It fails once: after the first failure there are no more rows, and
 *     `why` says what it was. A file that was written to while it was read
 *     is a failure, which sqlite_file_end finds.
 *
 *	struct sqlite_file *file = sqlite_file_open(path, &problem, &why);
 *
 *	if (sqlite_file_select(file, "SELECT id, title FROM games"))
 *		while (sqlite_file_next(file))
 *			sqlite_file_cell(file, 1, &cell) ...
 *	is_good = sqlite_file_end(file);
 *	sqlite_file_close(&file);
 */
#ifndef STORE_SQLITE_FILE_H
#define STORE_SQLITE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct sqlite_file;

enum sqlite_file_problem {
	SQLITE_FILE_UNREADABLE,	/* it is not there, or not for us */
	SQLITE_FILE_WRONG	/* no such database, or a damaged one */
};

enum cell_kind { CELL_NOTHING, CELL_INTEGER, CELL_REAL, CELL_BYTES };

struct cell {
	enum cell_kind	kind;
	int64_t		integer;
	double		real;
	text		bytes;		/* text or not, UTF-8 or not */
};

/* NULL: why says so, without the path. */
struct sqlite_file *sqlite_file_open(const char *path,
	    enum sqlite_file_problem *problem_out, struct buf *why);
void	sqlite_file_close(struct sqlite_file **file);

/* One at a time. false: it failed. */
bool	sqlite_file_select(struct sqlite_file *file, const char *sql);
/* false: there are no more, or it failed. */
bool	sqlite_file_next(struct sqlite_file *file);
/* Its bytes are lent until the next row. */
void	sqlite_file_cell(struct sqlite_file *file, unsigned column,
	    struct cell *cell_out);

/* Whether all went well, and the file is as it was at the beginning. */
bool	sqlite_file_end(struct sqlite_file *file);
/* Of who failed. */
const char *sqlite_file_why(const struct sqlite_file *file);

#endif
