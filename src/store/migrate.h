/* SPDX-License-Identifier: MIT */
/*
 * Bringing a database to the schema of this program.
 *
 *	sql/migration/0001_begin.sql	each is run once, in order, in a
 *	sql/migration/0002_more.sql	transaction of its own, and recorded
 *					in partyline.schema_version
 *	sql/api/NAME.sql		all in one transaction after that,
 *					whenever they or the schema changed;
 *					their digest: partyline.api_version
 *
 * Holds always:
 *  1. One at a time, under an advisory lock of the database: who comes
 *     second waits, and finds what the first one left.
 *  2. A file and its record commit together. What fails leaves the database
 *     as it was after the last file that did not.
 *  3. Nothing is run where the record and the files disagree: a migration
 *     that was changed after it ran, one that is missing before one that
 *     ran, or one that the program does not know.
 *  4. The bookkeeping tables, and the schema `partyline` that they are in,
 *     are made here and nowhere else.
 *  5. It blocks: for commands, and for a start before there is a loop.
 *
 *	struct migrate_report report;
 *	if (migrate_run(url, folder, &report, &why) != MIGRATE_OK) ...
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <stdbool.h>

#include "base/buf.h"

enum migrate_end {
	MIGRATE_OK,
	MIGRATE_FILES,		/* the folder is not as it should be */
	MIGRATE_AWAY,		/* the database cannot be reached */
	MIGRATE_REFUSED,	/* the database is not one for these files */
	MIGRATE_FAILED		/* a file failed */
};

struct migrate_report {
	unsigned	from;		/* the schema's version before */
	unsigned	to;		/* and now */
	unsigned	ran;		/* migrations */
	bool		has_replaced_api;
};

/* why gets one line, if it is not MIGRATE_OK; the report holds in any case. */
enum migrate_end migrate_run(const char *url, const char *folder,
	    struct migrate_report *report_out, struct buf *why);

/*
 * The folder of the SQL files: as configured, or, where that is empty,
 * ../sql of the program's folder (the source tree), or the installed one.
 */
void	migrate_folder(const char *configured, struct buf *out);

#endif
