/* SPDX-License-Identifier: MIT */
/*
 * Between responder.c, which claims turns, and responder_turn.c, which does
 * them.
 */
#ifndef JOBS_RESPONDER_INSIDE_H
#define JOBS_RESPONDER_INSIDE_H

#include "jobs/fetch.h"
#include "jobs/responder.h"
#include "jobs/responder_item.h"
#include "jobs/responder_reply.h"
#include "plat/timer.h"

struct json_object;

struct responders {
	unsigned	 magic;
#define RESPONDERS_MAGIC 0x72657370
	struct ground	*ground;
	const char	*host;
	struct guard	*guard;
	struct fetcher	*fetcher;
	struct turn	*turns;
	unsigned	 count;
	struct timer	 look;
	struct timer	 tend;
	unsigned	 tended;
	bool		 is_stopped;
	bool		 is_closed;
	bool		 is_failing;
};

/*
 *		 on_end		      its last call
 *	asking ─────────> ending ───────────────────> gone
 *	   └────────────────┴── refused, left, closed ──┘
 */
struct turn {
	unsigned	 magic;
#define TURN_MAGIC 0x7475726e
	struct responders *responders;
	struct turn	*prev, *next;
	int32_t		 tenant;
	struct item_turn of;
	int64_t		 lease;
	int64_t		 said;		/* events before those of `sent` */
	int64_t		 asked_ms;
	bool		 has_said;
	struct fetch	*fetch;		/* NULL: it is over */
	struct reply	 reply;
	bool		 has_reply;
	const char	*outcome;	/* NULL: asking */
	struct buf	 error;		/* what the client is told */
	struct item_batch gathered;
	struct item_batch sent;		/* of the call that is on its way */
	bool		 is_calling;
	bool		 is_last;	/* and that is its end */
	struct timer	 next_call;
};

/* An answer of turn_claim; false: it is none. */
bool	turn_begin(struct responders *responders, int32_t tenant,
	    struct json_object *claimed);
/* Where nothing was said yet, another one may as well do it. */
void	turn_leave(struct turn *turn);
/* No call is made and nothing is heard any more. */
void	turn_close(struct turn *turn);
void	turn_destroy(struct turn *turn);

#endif
