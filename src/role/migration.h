/* SPDX-License-Identifier: MIT */
/*
 * Migrating at the start of a server, where migrate_url is set: by a child
 * of its own, because the master speaks no SQL and waits for nobody once the
 * server runs.
 *
 *	boot ── child: migrates ── done ──────────────── workers start
 *	  '── refused, failed ── the start ends
 *	  '── PostgreSQL away ── the workers start anyway, and beside them
 *		 a child that tries again, with growing pauses, until it is
 *		 done. The workers take connections when they know the schema.
 *
 * Holds always:
 *  1. There is at most one such child. It dies with the master, and what it
 *     was at is then undone as a whole.
 *  2. The files are read with the master's rights, the database is asked
 *     with those of a worker.
 *
 *	exit_code = migration_boot(server);	(may wait; has said why)
 *	...
 *	reaping: migration_on_exit(server, pid, status)
 */
#ifndef ROLE_MIGRATION_H
#define ROLE_MIGRATION_H

#include <stdbool.h>
#include <sys/types.h>

#include "store/migrate.h"

struct server;

/* EX_OK: migrated, nothing to do, or it goes on beside the server. */
int	migration_boot(struct server *server);
/* true: it was that child. */
bool	migration_on_exit(struct server *server, pid_t pid, int status);

/* As `partyline migrate` ends. */
int	migration_exit_code(enum migrate_end end);

#endif
