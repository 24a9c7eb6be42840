/* SPDX-License-Identifier: MIT */
/*
 * The database of today's picker server, read as a whole into what
 * api.picker_import takes: for each table a JSON array of rows whose members
 * are called as our columns are.
 *
 * Servers of different ages have different columns: one that is not there is
 * no member. What else is in the file is told and left there.
 *
 * Holds always:
 *  1. Rows are in `rows`, and each row that is not, and each value that is
 *     not as it was, is a note.
 *  2. Notes are JSON objects, separated by commas:
 *     {"table":"games","id":7,"what":"changed","why":"…"}
 *     what: changed, left_out, not_carried; id null: of the whole table.
 *
 *	struct import_file import;
 *
 *	import_file_init(&import);
 *	is_good = import_file_read(&import, sqlite_file, &why);
 *	import_file_fini(&import);
 */
#ifndef ROLE_IMPORT_FILE_H
#define ROLE_IMPORT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct sqlite_file;

enum import_table {
	IMPORT_GAMES, IMPORT_PACKS, IMPORT_SESSIONS, IMPORT_SESSION_GAMES,
	IMPORT_LIVE_VOTES, IMPORT_CHAT_LOGS, IMPORT_WEBHOOKS,
	IMPORT_TABLES
};

struct import_file {
	struct {
		struct buf	rows;		/* a JSON array */
		int64_t		count;		/* that were read */
		int64_t		highest;	/* id that was ever given */
	} tables[IMPORT_TABLES];
	struct buf notes;
};

const char *import_table_name(enum import_table table);

void	import_file_init(struct import_file *import);
void	import_file_fini(struct import_file *import);
/* false: it is not what it should be, and why says so, without its name. */
bool	import_file_read(struct import_file *import,
	    struct sqlite_file *file, struct buf *why);
/* Puts one more note; id below 0: of the whole table. */
void	import_note(struct import_file *import, text table, int64_t id,
	    const char *what, text why);

#endif
