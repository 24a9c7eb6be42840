/* SPDX-License-Identifier: MIT */
/*
 * The monitors of this process. It looks every MONITORS_LOOK_MS for rooms
 * that nobody watches, and for those of its own that somebody stopped; the
 * look says as well that the process lives.
 *
 *	look ──> 201: a room that is ours now ──> monitor
 *	  ^  └─> 410: somebody stopped it ──> dropped
 *	  └───── MONITORS_LOOK_MS
 *
 * Holds always:
 *  1. A room is watched once in the whole installation: its row is claimed,
 *     and each claim makes a new lease. Whoever is silent for work_lease has
 *     lost his rooms to the others; who ends in order gives them back.
 *  2. At most conf->monitors are watched here; further ones wait for another
 *     host.
 *  3. After a look whose answer was lost, and at the first, what is ours is
 *     claimed anew: nothing is held that nobody watches.
 *
 *	monitors = monitors_create(ground, fetcher, guard, segment->host);
 */
#ifndef JOBS_MONITORS_H
#define JOBS_MONITORS_H

#include "jobs/ground.h"

#define MONITORS_LOOK_MS 500

struct fetcher;
struct guard;
struct monitors;

/* host: operators see it as the holder, with the process behind it. */
struct monitors	*monitors_create(struct ground *ground,
		    struct fetcher *fetcher, const struct guard *guard,
		    const char *host);
/* All are given back; answers at hand are waited for by the ground. */
void		 monitors_stop(struct monitors *monitors);
/* After the ground, and after the fetcher. */
void		 monitors_destroy(struct monitors **monitors);

#endif
