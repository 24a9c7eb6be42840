/* SPDX-License-Identifier: MIT */
/*
 * Making the admins in the database equal to those of the configuration,
 * once by each start and reload.
 *
 *	ask ──> what is gone is revoked, who is new is told
 *	 │		│
 *	 │		└──> hash each new key in the crew ──> ask again
 *	 └── no database: again in a second
 *
 * Holds always:
 *  1. The first worker does it, for the configuration that is in use: one
 *     that was told to leave stops.
 *  2. What the configuration does not have any more is revoked by the first
 *     call, whatever becomes of the others.
 *  3. Keys that are known already cost no hash; those that do are hashed
 *     one after the other, so that logins find a place between them.
 *  4. segment->admins_are_in says that it was done; until then a login that
 *     finds nobody may be early.
 *
 *	sync = admins_sync_create(service, crew);
 *	... each time that the server's secret was read:
 *	admins_sync_begin(sync, keyring.server_secret);
 *	... after the crew's end, before the pool's:
 *	admins_sync_stop(sync);
 *	... after the pool's:
 *	admins_sync_destroy(&sync);
 */
#ifndef CORE_ADMINS_SYNC_H
#define CORE_ADMINS_SYNC_H

#include "core/service.h"
#include "plat/crew.h"

struct admins_sync;

/* crew: NULL where there is none; then nobody new can be added. */
struct admins_sync *admins_sync_create(struct service *service,
	    struct crew *crew);
void	admins_sync_begin(struct admins_sync *sync, text server_secret);
void	admins_sync_stop(struct admins_sync *sync);
void	admins_sync_destroy(struct admins_sync **sync);

#endif
