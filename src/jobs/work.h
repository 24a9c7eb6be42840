/* SPDX-License-Identifier: MIT */
/*
 * Work that is done once in the whole installation, by whichever host comes
 * first: rows of partyline.work, claimed with a lease.
 *
 *	(pause) ──> claim ──> call ──> call ──> done ──┐
 *	   ^	      │ another one's	│ lost, failed │
 *	   └──────────┴─────────────────┴──────────────┘
 *
 * Holds always:
 *  1. A work's call is one short transaction that carries the number of the
 *     lease; PostgreSQL refuses it once another host has claimed the work.
 *     Nothing is held between two calls.
 *  2. Each call begins the lease anew, so it is the sign of life as well.
 *     Whoever dies in the middle is silent from then on, and after
 *     work_lease another host goes on from the last call that was committed.
 *  3. Who stops in the middle gives its lease back, and another one goes on
 *     within a second.
 *  4. A call that failed is tried again while the lease is ours, and /readyz
 *     says meanwhile that jobs are degraded.
 *
 * To add one: its row in a migration, api.work_<verb> with the same inputs
 * as its siblings (what else it has to know comes behind them), a row of
 * functions.h, a line in `kinds`.
 *
 *	works = works_create(ground, segment->host);
 */
#ifndef JOBS_WORK_H
#define JOBS_WORK_H

#include "jobs/ground.h"

struct works;

/* host: whoever looks at the rows sees it there. */
struct works	*works_create(struct ground *ground, const char *host);
/*
 * No call is made any more but to give leases back; those at hand are waited
 * for by the ground.
 */
void		 works_stop(struct works *works);
/* After the ground. */
void		 works_destroy(struct works **works);

#endif
