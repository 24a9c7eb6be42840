/* SPDX-License-Identifier: MIT */
/*
 * Turns of threads: each is put to its tenant's responder, and what that says
 * is told in the thread's stream, piece by piece as it comes.
 *
 *	turn_claim ──> fetch ──> reply ──> item ──> (RESPONDER_GATHER_MS)
 *	     ^		                                    │
 *	     │ RESPONDER_LOOK_MS	     turn_say <─────┘
 *	     └ the lease runs out: another host     │ 409: given up
 *					            └ the last one: it is over
 *
 * Holds always:
 *  1. Of a thread one turn is at work at a time, in the order they came; of a
 *     tenant responder_calls_per_tenant, of a process responder_calls.
 *  2. Whoever dies in the middle is silent from then on; after work_lease
 *     another host asks the responder anew, RESPONDER_ATTEMPTS times in all.
 *     What was told stays told, and nothing is told twice for one call.
 *  3. Nobody waits for the network with a transaction. Every call carries
 *     the lease, and where it is refused, the request ends at once: another
 *     host has the turn, or nobody wants its answer.
 *  4. A turn that nobody is at for responder_wait ends as busy, and one whose
 *     listener is silent for RESPONDER_UNHEARD_MS as cancelled.
 *  5. What a responder can make us keep is bounded by responder_answer, and
 *     how long it takes by responder_timeout.
 *
 *	responders = responders_create(ground, segment->host);
 *	...
 *	responders_stop(responders);
 *	... turns of the loop, until responders_are_idle(responders) ...
 *	responders_close(responders);
 *	ground_destroy(&ground);
 *	responders_destroy(&responders);
 */
#ifndef JOBS_RESPONDER_H
#define JOBS_RESPONDER_H

#include "jobs/ground.h"

#define RESPONDER_LOOK_MS	100
#define RESPONDER_IDLE_MS	1000	/* where no tenant has one */
#define RESPONDER_TEND_MS	1000
#define RESPONDER_GATHER_MS	50
#define RESPONDER_BEAT_MS	1000
#define RESPONDER_RETRY_MS	500
#define RESPONDER_CONNECT_MS	5000
#define RESPONDER_UNHEARD_MS	30000
#define RESPONDER_ATTEMPTS	3

struct responders;

/* host: whoever looks at the rows sees it there. */
struct responders *responders_create(struct ground *ground,
		    const char *host);
/*
 * Claims no more, and gives back what was not answered yet; the others come
 * to their end.
 */
void		 responders_stop(struct responders *responders);
bool		 responders_are_idle(const struct responders *responders);
/* Gives up what is at work. Before the ground. */
void		 responders_close(struct responders *responders);
/* After the ground. */
void		 responders_destroy(struct responders **responders);

#endif
