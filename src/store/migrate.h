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
 *	sql/seed/NAME.csv		with them, store/seed.h
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
 *  5. It blocks: for commands, and for a process that does nothing else.
 *  6. The files are read before the database is asked, so that who reads
 *     them may give up his rights in between.
 *
 *	struct migrate_files *files = migrate_files_read(folder, &why);
 *	struct migrate_report report;
 *
 *	if (files == NULL)
 *		MIGRATE_FILES ...
 *	if (migrate_run(url, files, &report, &why) != MIGRATE_OK) ...
 *	migrate_files_free(&files);
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <stdbool.h>

#include "base/buf.h"

enum migrate_end {
	MIGRATE_OK,
	MIGRATE_FILES,		/* the folder is not as it should be */
	MIGRATE_AWAY,		/* the database is not to be reached, or lost */
	MIGRATE_REFUSED,	/* the database is not one for these files */
	MIGRATE_FAILED		/* a file failed */
};

#define MIGRATE_CONNECT_S "10"	/* unless the url says otherwise */

struct migrate_report {
	unsigned	from;		/* the schema's version before */
	unsigned	to;		/* and now */
	unsigned	ran;		/* migrations */
	bool		has_replaced_api;
};

struct migrate_files;

/* NULL: the folder is not as it should be, and why has one line. */
struct migrate_files *migrate_files_read(const char *folder,
	    struct buf *why);
void	migrate_files_free(struct migrate_files **files);

/* why gets one line, if it is not MIGRATE_OK; the report holds in any case. */
enum migrate_end migrate_run(const char *url,
	    const struct migrate_files *files,
	    struct migrate_report *report_out, struct buf *why);
/* Gives a login role the roles that the server takes, where it lacks one. */
enum migrate_end migrate_grant(const char *url, const char *login,
	    struct buf *why);

/*
 * The folder of the SQL files: as configured, or, where that is empty,
 * ../sql of the program's folder (the source tree), or the installed one.
 */
void	migrate_folder(const char *configured, struct buf *out);

#endif
