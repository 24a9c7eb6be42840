/* SPDX-License-Identifier: MIT */
/*
 * The files of a folder that end alike, as .sql: names, contents and
 * digests, read once.
 *
 * Holds always:
 *  1. They are in the order of their names (bytes), and only those with
 *     the ending; a folder below is not looked into.
 *  2. Content is UTF-8 without a zero byte: what libpq would cut off or
 *     PostgreSQL refuse without saying where is refused here.
 *
 *	struct sql_files files;
 *	if (!sql_files_read(&files, "sql", "api", ".sql", &why)) ...
 *	for (file = files.first; file != NULL; file = file->next) ...
 *	sql_files_fini(&files);
 */
#ifndef STORE_SQL_FILES_H
#define STORE_SQL_FILES_H

#include <stdbool.h>

#include "base/buf.h"

#define SQL_DIGEST_SIZE 65

struct sql_file {
	struct sql_file	*next;
	char		*name;		/* without the folder */
	unsigned	 version;	/* of NNNN_name.sql; 0: another name */
	struct buf	 content;
	char		 sha256[SQL_DIGEST_SIZE];
};

struct sql_files {
	struct sql_file	*first;
	unsigned	 count;
	char		 sha256[SQL_DIGEST_SIZE];  /* of names and contents */
};

/* false: why says what is wrong with which file; there are no files then. */
bool	sql_files_read(struct sql_files *files, const char *folder,
	    const char *below, const char *ending, struct buf *why);
void	sql_files_fini(struct sql_files *files);

/* 1 to 9999 of a migration's name, 0 of any other. */
unsigned sql_file_version(text name);
/* The line that the character stands in; both are counted from 1. */
unsigned sql_file_line(const struct sql_file *file, unsigned character);

#endif
