/* SPDX-License-Identifier: MIT */
/*
 * Loading what catalogs begin with: the CSV files of sql/seed, each into a
 * table of its name. PostgreSQL reads the CSV itself.
 *
 *	sql/seed/games.csv  ──COPY──>  partyline.seed_games
 *
 * Holds always:
 *  1. It happens in the transaction that is open. Who sees the tables sees
 *     the files as they were, or as they are, and nothing in between.
 *  2. The first line of a file names all columns of its table, in their
 *     order; a file that does not is refused.
 *  3. It blocks.
 *
 *	if (!seed_load(pg, &files, &why)) ...
 */
#ifndef STORE_SEED_H
#define STORE_SEED_H

#include <stdbool.h>

#include "base/buf.h"

struct pg_conn;
struct sql_files;

/*
 * In place of what the tables had; then api.catalog_fill() gives it to those
 * who wait for it. false: why has one line, and the transaction has failed.
 */
bool	seed_load(struct pg_conn *pg, const struct sql_files *files,
	    struct buf *why);

#endif
