/* SPDX-License-Identifier: MIT */
/*
 * What tenants with a max_storage hold, measured in rounds and told to
 * plat/tenant_places, where the workers of the host count what is written
 * between two measurements.
 *
 *	tenant_list ─> mark ─> (settle) ─> tenant_usage ─> measured ─> rest
 *
 * Holds always:
 *  1. What was taken before a mark is committed or given up when its tenant
 *     is measured: a call waits for db_timeout at most, works for as long,
 *     and is tried once more. Where nothing was ever taken, as at a start,
 *     nothing is waited for.
 *  2. What cannot be measured is as it was; it is tried again in a second,
 *     and /readyz says meanwhile that jobs are degraded.
 *  3. Other hosts' writes, and a limit that is new, count from the next round
 *     on.
 *
 *	storage = storage_create(ground);
 */
#ifndef JOBS_STORAGE_H
#define JOBS_STORAGE_H

#include "jobs/ground.h"

struct storage;

struct storage	*storage_create(struct ground *ground);
/* No round begins any more; one that waits is given up. */
void		 storage_stop(struct storage *storage);
/* After the ground. */
void		 storage_destroy(struct storage **storage);

#endif
