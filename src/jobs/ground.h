/* SPDX-License-Identifier: MIT */
/*
 * What the jobs of a process stand on: its loop, its configuration, and a
 * way to PostgreSQL as the fleet role, which sees of all tenants what the
 * catalogue lists.
 *
 * Holds always:
 *  1. Every question is answered, at the latest by ground_destroy: then as
 *     one that failed, and is_closing is set.
 *  2. An event is told after its commit and after its tenant's version was
 *     bumped, as core/event does it.
 *  3. The gauge jobs_failing says how many jobs cannot be done at present;
 *     the way to PostgreSQL counts as one of them. /readyz tells of it.
 *
 *	ground = ground_create(loop, conf, segment, slot);
 *	storage = storage_create(ground);
 *	...
 *	storage_stop(storage);
 *	... turns of the loop, until ground_is_idle(ground) ...
 *	ground_destroy(&ground);
 *	storage_destroy(&storage);
 */
#ifndef JOBS_GROUND_H
#define JOBS_GROUND_H

#include <stdbool.h>

#include "base/mem.h"
#include "core/function.h"
#include "plat/ring.h"

struct conf;
struct loop;
struct segment;

struct ground {
	unsigned		 magic;
#define GROUND_MAGIC 0x67726f75
	struct loop		*loop;
	const struct conf	*conf;
	struct segment		*segment;
	unsigned		 slot;
	struct ring_writer	 ring;
	struct db_pool		*pool;
	bool			 is_closing;
	bool			 is_away;	/* PostgreSQL is */
	bool			 has_to_sweep;	/* when it is there again */
	struct arena		 arena;
	unsigned		 place[FUNCTIONS];	/* in the pool's */
};

struct ground	*ground_create(struct loop *loop, const struct conf *conf,
		    struct segment *segment, unsigned slot);
void		 ground_destroy(struct ground **ground);
/* Whether nothing is on its way to PostgreSQL. */
bool		 ground_is_idle(const struct ground *ground);

/* Calls a function of the fleet's lane that takes no context. */
void	ground_ask(struct ground *ground, enum function function,
	    const text *inputs, unsigned count,
	    void (*on_answer)(void *, const struct db_answer *), void *me);

/*
 * An event that a job committed, told to the workers of this host and to the
 * other hosts; what a job may have committed, and may not, which is looked for
 * as soon as PostgreSQL can be asked. Until then what is kept is still served.
 */
void	ground_tell(struct ground *ground, int32_t tenant,
	    const struct call_row *row);
void	ground_sweep(struct ground *ground);

/*
 * Walks over the rows of an answer: what is an event is told by the way, what
 * is none is given out. An outcome that is not known is swept for.
 *
 *	ground_read(ground, answer, &rows);
 *	while (ground_row(&rows, &row))
 *		...
 *	return (rows.is_whole);
 */
struct ground_rows {
	struct ground	*ground;
	const struct db_answer *answer;
	int32_t		 tenant;	/* of all events; 0: each says whose */
	unsigned	 next;
	unsigned	 told;		/* events, so far */
	bool		 is_whole;	/* false: it has no rows, or bad ones */
};

void	ground_read(struct ground *ground, const struct db_answer *answer,
	    struct ground_rows *rows);
bool	ground_row(struct ground_rows *rows, struct call_row *row_out);

/* What a job was is kept by the job; it begins as false. */
void	ground_say(bool *is_failing, bool fails);

#endif
