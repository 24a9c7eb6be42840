/* SPDX-License-Identifier: MIT */
/*
 * Following a stream by a request that is held: who may, which one, from
 * where and until when. It is what long poll (core/poll) and SSE
 * (transport/sse) have in common.
 *
 *	operation ──> ticket? ──> begin: held, in the list ──> in the hub
 *	              403            │
 *	                             │ rights end, draining ──> end
 *	                             │ client leaves ─────────> gone
 *
 * Which stream is the row's; its inputs `since` and `ticket` are looked at
 * here, and Last-Event-ID, which goes before `since`: a page that comes back
 * by itself asks for the address that it began with.
 *
 * Holds always:
 *  1. Nobody follows for longer than FOLLOW_LOOK_MS after his token ended or
 *     was revoked, be it that he showed it himself or a ticket made with it,
 *     or after reading needs a token and he has none.
 *  2. follow_close takes it out of hub and list, before its op is answered
 *     or gone; the owner calls it, once.
 *  3. In the list there are only those whose ops are held.
 *
 *	operation_x(op): follow_admit(op, begin);
 *	begin(op):	 if (follow_begin(&me->follow, op, &acts, me))
 *				 follow_join(&me->follow);
 *	...
 *	follow_close(&me->follow);
 *	op_reply(op, …);
 */
#ifndef CORE_FOLLOW_H
#define CORE_FOLLOW_H

#include "core/bound.h"
#include "core/hub.h"
#include "core/service.h"

#define FOLLOW_LOOK_MS	500
#define FOLLOW_DRAIN_MS	50

enum follow_end {
	FOLLOW_DRAINS,		/* the worker leaves: come back */
	FOLLOW_EXPIRED,		/* the token's time is over */
	FOLLOW_REVOKED,
	FOLLOW_NOT_PUBLIC	/* reading needs a token now */
};

struct follow;
struct follows;

struct follow_acts {
	struct subscription_acts sub;
	/* When draining they end one after the other, not all at once. */
	bool	 is_lasting;
	/* Its time is over. It may stay where it is about to end anyway. */
	void	(*end)(struct follow *follow, enum follow_end why);
	/* Its client has gone. It is closed; it is freed in there. */
	void	(*gone)(struct follow *follow);
	/* Now and then; may be NULL. It does not end in there. */
	void	(*look)(struct follow *follow, int64_t now_ms);
};

struct follow {
	unsigned	 magic;
#define FOLLOW_MAGIC 0x666f6c6c
	struct follows	*follows;
	struct op	*op;
	const struct follow_acts *acts;
	void		*owner;
	struct follow	*prev, *next;
	struct subscription sub;
	struct bound_held connection;
	struct bound_held subscription;
};

struct follows	*follows_create(struct service *service);
/* After the last follower is gone. */
void		 follows_destroy(struct follows **follows);
/* All are told FOLLOW_DRAINS, those that last over that time. */
void		 follows_drain(struct follows *follows, int64_t spread_ms);
bool		 follows_are_draining(const struct follows *follows);

/* begin is called, at once or later; or op was failed. */
void	follow_admit(struct op *op, void (*begin)(struct op *op));
/*
 * Holds the op. false: it was failed, being one too many, or its client has
 * gone, and so has the op.
 */
bool	follow_begin(struct follow *follow, struct op *op,
	    const struct follow_acts *acts, void *owner);
/* From the cursor that it came with. Its callbacks may come before this. */
void	follow_join(struct follow *follow);
void	follow_close(struct follow *follow);

/* Its owner, of a callback of its subscription. */
static inline struct follow *
follow_of(struct subscription *sub)
{
	return (object_cast(struct follow, FOLLOW_MAGIC,
	    (char *)sub - offsetof(struct follow, sub)));
}

/* lobby, session:17: in the arena. */
text	follow_stream(struct op *op);

#endif
