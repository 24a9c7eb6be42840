/* SPDX-License-Identifier: MIT */
/*
 * Sockets at tables whose worker, or whole host, is gone: each host looks for
 * those of its own processes every SEATS_LOOK_MS, and for those of hosts that
 * say nothing any more.
 *
 * Holds always:
 *  1. Each going is told once in the whole installation: a row is locked,
 *     removed and told of in one transaction.
 *  2. A host is judged only by who has seen PostgreSQL answer at once for
 *     SEATS_PATIENCE_MS: after it was away all hosts look dead for a moment.
 *  3. Where somebody was wrong, the worker that has the socket hears it, and
 *     takes the seat back (app/tabletop_seat).
 *
 *	seats = seats_create(ground);
 */
#ifndef JOBS_SEATS_H
#define JOBS_SEATS_H

#include "jobs/ground.h"

#define SEATS_LOOK_MS	  500
#define SEATS_SLOW_MS	  1000		/* PostgreSQL is not well */
#define SEATS_PATIENCE_MS 10000
#define SEATS_SILENCE	  TEXT("10000")	/* ms, of a host's heartbeat */

struct seats;

struct seats	*seats_create(struct ground *ground);
/* It looks no more; a look at hand is waited for by the ground. */
void		 seats_stop(struct seats *seats);
/* After the ground. */
void		 seats_destroy(struct seats **seats);

#endif
