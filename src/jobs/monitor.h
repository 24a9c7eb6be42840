/* SPDX-License-Identifier: MIT */
/*
 * The monitor of one room: it looks for the room, stays connected to it as
 * a shard, and reports what it sees.
 *
 *		  ┌──────────── pausing <─────────────┐ lost: 2, 4, 8 s,
 *		  v		^		      │ then it ends
 *	begin ──> checking ──> dialing ──> watching ──┤
 *		  │ (REST)     │ (shard)   │  ^  beat: status, probe
 *		  │	       │	   └──┴─> report
 *		  │ absent     │ refused   │ finished, gone
 *		  └────────────┴───────────┴──> ending ──> over
 *
 * Holds always:
 *  1. At most one call of SQL is on its way. A report says all that is
 *     known, so one that failed is only said again.
 *  2. Every call carries the lease; refused means that the monitor is not
 *     ours or has ended, and nothing more leaves us: no event, no status.
 *  3. Nothing of SQL is held while the network is waited for.
 *  4. A room that is lost is asked for over REST first: gone is the end,
 *     else its place is taken again by id and secret.
 *
 *	monitor = monitor_create(&setup, tenant, row);
 *	...
 *	monitor_drop(&monitor);		over, without a word
 */
#ifndef JOBS_MONITOR_H
#define JOBS_MONITOR_H

#include "base/text.h"

struct fetcher;
struct ground;
struct guard;
struct monitor;

/* Lent, and there longer than any monitor. */
struct monitor_setup {
	struct ground		*ground;
	struct fetcher		*fetcher;
	const struct guard	*guard;
	/* It is over, and gone when this returns. */
	void			(*on_over)(void *me, struct monitor *monitor);
	void			*me;
};

struct monitor_key {
	int64_t	tenant;
	int64_t	id;		/* of the session's list */
};

/* row: of partyline.monitor, with its lease. NULL: it cannot be read. */
struct monitor	*monitor_create(const struct monitor_setup *setup,
		    int32_t tenant, text row);
/* NULL stays NULL. on_over is not called. */
void		 monitor_drop(struct monitor **monitor);

const struct monitor_key *monitor_key(const struct monitor *monitor);
/* Of a row: the key and the lease; false where it is none. */
bool		 monitor_read(int32_t tenant, text row,
		    struct monitor_key *key_out, int64_t *lease_out);
/* The same monitor under a new lease. */
void		 monitor_renew(struct monitor *monitor, int64_t lease);
int64_t		 monitor_lease(const struct monitor *monitor);

#endif
