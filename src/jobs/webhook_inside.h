/* SPDX-License-Identifier: MIT */
/*
 * What jobs/webhook*.c share: all deliveries of this process, and one.
 *
 *	webhook.c	looks, claims, counts what is free; one call at a time
 *	webhook_send.c	one delivery from its lease to the request's end
 *	webhook_record.c	what came of it
 */
#ifndef JOBS_WEBHOOK_INSIDE_H
#define JOBS_WEBHOOK_INSIDE_H

#include "jobs/webhook.h"
#include "jobs/webhook_plan.h"
#include "plat/timer.h"

struct fetch;
struct fetch_end;

#define WEBHOOK_RETRY_MS 1000	/* of what PostgreSQL did not take */
#define WEBHOOK_TOLD_MAX 128	/* ends that are recorded in one call */

struct webhooks {
	unsigned	 magic;
#define WEBHOOKS_MAGIC 0x77686b73
	struct ground	*ground;
	struct loop	*loop;		/* is there after the ground, too */
	struct fetcher	*fetcher;
	const struct guard *guard;
	const char	*host;
	struct webhook_plan plan;
	struct timer	 look;
	struct delivery	*out;		/* all of them */
	unsigned	 out_count;
	struct delivery	*ended, **ended_end;	/* not recorded yet */
	struct delivery	*told[WEBHOOK_TOLD_MAX]; /* recorded just now */
	unsigned	 told_count;
	bool		 has_left;	/* what the one before us had */
	bool		 is_asking;
	unsigned	 asked;		/* as many, then */
	int64_t		 asked_ms;
	bool		 has_more;	/* than there was room for */
	bool		 has_news;	/* since it asked last */
	bool		 had_news;	/* when it did */
	bool		 is_stopped;
	bool		 is_failing;
};

struct delivery {
	unsigned	 magic;
#define DELIVERY_MAGIC 0x64656c69
	struct webhooks	*webhooks;
	struct delivery	*next, *prev;
	struct delivery	*ended_next;
	struct fetch	*fetch;		/* NULL: none, or it ended */
	struct timer	 timer;		/* the lease */
	bool		 is_held;	/* webhook_hold is at hand */
	bool		 is_over;	/* only waits for that */

	int64_t		 tenant, webhook, id, lease;
	char		*message;	/* webhook-id */
	char		*origin;
	char		*event;
	unsigned	 attempt;	/* the first is 1 */
	unsigned	 failures;
	int64_t		 failing_ms;
	bool		 is_test;

	/* What came of it, from the end of the request on. */
	int		 status;
	int64_t		 us;
	struct webhook_verdict verdict;
	char		*answer;	/* kept of it; NULL: none came */
};

/* A row of api.webhook_claim. false: it is none. */
bool	delivery_begin(struct webhooks *webhooks, text body);
/* The request has ended. */
void	delivery_judge(struct delivery *delivery,
	    const struct fetch_end *end);
/* The ends that wait, as many as one call may have: they are `told` now. */
void	webhooks_write_ended(struct webhooks *webhooks, struct buf *out);
/* The row of one of them, which is NULL there from now on. */
void	delivery_settle(struct delivery *delivery,
	    const struct call_row *row);
/* Those that were not heard of wait again. */
void	webhooks_keep_ended(struct webhooks *webhooks);
/* It was not sent, or that is not known here: another one does it. */
void	delivery_leave(struct delivery *delivery);
/* It is not ours any more. */
void	delivery_lose(struct delivery *delivery);
/* All is done, but a call that may be at hand. */
void	delivery_finish(struct delivery *delivery);
/* After the ground, or where nothing is at hand. */
void	delivery_free(struct delivery *delivery);

/* Looks at the latest in so many milliseconds. */
void	webhooks_look_in(struct webhooks *webhooks, int64_t ms);
/* One has ended: there is room. */
void	webhooks_have_room(struct webhooks *webhooks);
/* Its end is to be recorded, with those of the same turn. */
void	webhooks_record(struct webhooks *webhooks, struct delivery *delivery);

#endif
