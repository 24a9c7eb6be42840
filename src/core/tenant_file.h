/* SPDX-License-Identifier: MIT */
/*
 * A tenant as a file: lines of JSON, each ended by a line feed.
 *
 *	{"format":"partyline-tenant","version":1,"schema":9,"slug":"games",
 *	 "id":2,"at":"2026-05-01T20:30:00.000Z","keys":"…"}
 *	{"table":"session","columns":["id","notes","is_active",…]}
 *	["1","Friday","f",…]			a row: a text for each column,
 *	["2",null,"t",…]			as PostgreSQL writes it, or null
 *	{"table":"session_game","columns":[…]}
 *	…
 *	{"rows":{"session":2,"session_game":31,…},"sha256":"…"}
 *
 * The digest is of all bytes before the last line. What a table is, and
 * what its values are, only the database knows; the order of the tables is
 * that in which they can be put back.
 *
 * Holds always:
 *  1. The reader takes any bytes. What it hands out is well-formed: a row
 *     has as many values as its table has columns, and passed the grammar
 *     of core/json.h. At the first thing that is wrong it is broken for good
 *     and `why` says it in a line.
 *  2. A file is whole only if all of it was read: the counts and the digest
 *     are right, and nothing is behind them. Until then what was read counts
 *     for nothing.
 *  3. It never holds more than a line, which is at most
 *     TENANT_FILE_LINE_MAX bytes long, and makes nothing of a row.
 *  4. What the writer wrote is a whole file to the reader.
 *
 *	struct tenant_file *file = tenant_file_create(SCHEMA_VERSION);
 *	do {
 *		switch (tenant_file_read(file, &input)) {
 *		case TENANT_FILE_MORE:	... another piece of input ...
 *		case TENANT_FILE_ROW:	take(tenant_file_line(file));
 *		...
 *	} while (...);
 *	if (!tenant_file_is_whole(file))
 *		say(tenant_file_why(file));
 *	tenant_file_destroy(&file);
 */
#ifndef CORE_TENANT_FILE_H
#define CORE_TENANT_FILE_H

#include "base/buf.h"

#define TENANT_FILE_FORMAT	"partyline-tenant"
#define TENANT_FILE_VERSION	1
#define TENANT_FILE_LINE_MAX	((size_t)16 << 20)
#define TENANT_FILE_TABLES_MAX	64
#define TENANT_FILE_COLUMNS_MAX	64
#define TENANT_FILE_NAME_MAX	63

enum tenant_file_part {
	TENANT_FILE_MORE,	/* the input is used up */
	TENANT_FILE_OPENING,
	TENANT_FILE_TABLE,
	TENANT_FILE_ROW,
	TENANT_FILE_CLOSING,
	TENANT_FILE_BROKEN
};

struct tenant_file;

/* schema: the newest that is read. */
struct tenant_file *tenant_file_create(int64_t schema);
void	tenant_file_destroy(struct tenant_file **file);

/* Takes what it reads off the front of input. */
enum tenant_file_part tenant_file_read(struct tenant_file *file,
	    text *input);
/* Where the input ends. */
bool	tenant_file_is_whole(struct tenant_file *file);
const char *tenant_file_why(const struct tenant_file *file);

/* Until the next reading: the line that was read, and its number from 1. */
text	tenant_file_line(const struct tenant_file *file);
uint64_t tenant_file_line_number(const struct tenant_file *file);
/* Of the opening. */
int64_t	tenant_file_schema(const struct tenant_file *file);
/* Of the newest table; its columns as PostgreSQL's text of an array. */
const char *tenant_file_table(const struct tenant_file *file);
text	tenant_file_columns(const struct tenant_file *file);
/* Of all tables, until now. */
uint64_t tenant_file_rows(const struct tenant_file *file);

/* Writing: each adds lines to out, which others may empty in between. */
struct tenant_writer;
struct tenant_writer *tenant_writer_create(text opening, struct buf *out);
void	tenant_writer_destroy(struct tenant_writer **writer);
void	tenant_writer_table(struct tenant_writer *writer, text name,
	    text line);
/* false: it is longer than a line can be. */
bool	tenant_writer_row(struct tenant_writer *writer, text line);
void	tenant_writer_close(struct tenant_writer *writer);
uint64_t tenant_writer_rows(const struct tenant_writer *writer);

#endif
