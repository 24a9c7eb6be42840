/* SPDX-License-Identifier: MIT */
/*
 * Polls that end by themselves: each host looks every POLLS_LOOK_MS, and at
 * the very moment when it knows of one, for what is due.
 *
 *	poll_end(delay) ──> poll_ending_at ──> work_end_polls ──> voting.ended
 *
 * Holds always:
 *  1. A poll ends once in the whole installation: its session's row is
 *     locked, looked at and cleared in one transaction with its event. What
 *     another host is just ending is left to it.
 *  2. No host is needed for it: whichever looks first does it. Who dies in
 *     the middle has done nothing, or all of it; then the others' sweeps
 *     find what it did not tell.
 *  3. It ends at the earliest when it is due, by the database's clock, and
 *     POLLS_LOOK_MS later at the latest, where PostgreSQL answers at once.
 *
 *	polls = polls_create(ground);
 */
#ifndef JOBS_POLLS_H
#define JOBS_POLLS_H

#include "jobs/ground.h"

#define POLLS_LOOK_MS 250

struct polls;

struct polls	*polls_create(struct ground *ground);
/* It looks no more; a look at hand is waited for by the ground. */
void		 polls_stop(struct polls *polls);
/* After the ground. */
void		 polls_destroy(struct polls **polls);

#endif
