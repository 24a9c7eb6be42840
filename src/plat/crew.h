/* SPDX-License-Identifier: MIT */
/*
 * A crew: a few threads for work that would hold up the loop, such as the
 * slow hash of an admin's key.
 *
 *	loop			thread
 *	----------------------------------------
 *	crew_do  ── queue ──▶	work(context)
 *	done(context) ◀── eventfd ──┘
 *
 * Holds always:
 *  1. At most `threads` jobs are at work and queue_most wait beside them, or
 *     are done and not told of; crew_do refuses what is over that.
 *  2. done runs on the loop, once for each job taken, in the order in which
 *     the work ended; after crew_destroy began it runs for none.
 *  3. work touches nothing but what its context owns: it neither counts nor
 *     logs, nor calls the loop. Until done, the job and its context are the
 *     crew's.
 *  4. Threads begin with the first job, so never before a fork that comes
 *     earlier, and take no signals but those of broken memory.
 *
 *	crew_job_init(&login->job, hash_the_key, on_hashed, login);
 *	if (!crew_do(crew, &login->job))
 *		op_fail(op, ...);
 */
#ifndef PLAT_CREW_H
#define PLAT_CREW_H

#include <stdbool.h>

#include "plat/loop.h"

#define CREW_THREADS_MAX 16

struct crew;

/* Inside its owner, who is free to go when done was called. */
struct crew_job {
	void		(*work)(void *);
	void		(*done)(void *);
	void		 *context;
	struct crew_job	 *next;
};

/* Compiles only if both take a pointer of the context's type. */
#define crew_job_init(job, work, done, context)				\
	crew_job_init_checked((job),					\
	    (void (*)(void *))(1 ? (work) :				\
	    (void (*)(__typeof__(context)))NULL),			\
	    (void (*)(void *))(1 ? (done) :				\
	    (void (*)(__typeof__(context)))NULL), (context))
void	crew_job_init_checked(struct crew_job *job, void (*work)(void *),
	    void (*done)(void *), void *context);

/* NULL, with errno: there are no descriptors left. */
struct crew *crew_create(struct loop *loop, unsigned threads,
	    unsigned queue_most);
/*
 * Waits for the jobs at work; those that wait are dropped. Their owners free
 * them after it. Not to be called from a done.
 */
void	crew_destroy(struct crew **crew);

/* false: too many wait, or no thread can be had. */
bool	crew_do(struct crew *crew, struct crew_job *job);

#endif
