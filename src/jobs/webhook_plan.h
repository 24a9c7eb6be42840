/* SPDX-License-Identifier: MIT */
/*
 * What follows from a try to deliver a webhook. No clock, no loop, no
 * database: who calls says what was, and does what comes out.
 *
 *	2xx ──> delivered		else, and retries left ──> again
 *	410 ──> gone: no more for this endpoint
 *	none left ──> dead: kept, and sent again only when somebody asks
 *
 * An endpoint that fails is left alone, whatever waits for it, for as long
 * as it has been failing: so for longer and longer. That is its circuit
 * breaker: WEBHOOK_BREAKS_AT failures in a row open it, and after each pause
 * one try shows whether it can be closed.
 *
 * Holds always:
 *  1. A retry comes no earlier than the schedule has it, and at most a fifth
 *     later: the jitter keeps what failed together from coming together.
 *  2. 429 and 503 are believed: nothing goes to that endpoint for as long
 *     as Retry-After says, at most as long as the longest wait.
 *  3. A pause is never longer than pause_max, but for 2.
 *  4. A test is one try and changes nothing else.
 *
 *	webhook_plan_init(&plan, conf);
 *	webhook_judge(&plan, &tried, random, &verdict);
 */
#ifndef JOBS_WEBHOOK_PLAN_H
#define JOBS_WEBHOOK_PLAN_H

#include "base/spans.h"

struct conf;

#define WEBHOOK_BREAKS_AT	3
#define WEBHOOK_WHY_SIZE	256
#define WEBHOOK_KEPT_MAX	2048	/* bytes of an answer */

struct webhook_plan {
	struct spans	schedule;	/* waits between tries */
	int64_t		pause_max;	/* ms, as the next */
	int64_t		disable_after;	/* of nothing but failures */
};

struct webhook_tried {
	bool		 is_answered;	/* to its end */
	int		 status;	/* 0: none came */
	int64_t		 retry_after_s;	/* 0: it does not say */
	const char	*words;		/* why it was not answered */
	unsigned	 attempt;	/* of this delivery; the first is 1 */
	unsigned	 failures;	/* of the endpoint before, in a row */
	int64_t		 failing_ms;	/* since the first of them */
	bool		 is_test;
};

enum webhook_outcome { WEBHOOK_DELIVERED, WEBHOOK_AGAIN, WEBHOOK_DEAD,
    WEBHOOK_GONE };

struct webhook_verdict {
	enum webhook_outcome	outcome;
	int64_t			retry_ms;	/* of WEBHOOK_AGAIN */
	int64_t			pause_ms;	/* 0: none */
	char			why[WEBHOOK_WHY_SIZE];	/* "": delivered */
	/* Of WEBHOOK_GONE: what the endpoint is disabled for. */
	char			disabled_for[WEBHOOK_WHY_SIZE];
};

void	webhook_plan_init(struct webhook_plan *plan, const struct conf *conf);
/* random: any number, each as likely. */
void	webhook_judge(const struct webhook_plan *plan,
	    const struct webhook_tried *tried, unsigned random,
	    struct webhook_verdict *out);

/*
 * How many deliveries one endpoint may have on the way, where free more have
 * room: it never takes more than half of what is left, so there is room for
 * the next one however many are slow.
 */
unsigned webhook_each(unsigned free, unsigned most);

/* An answer as it can be kept: UTF-8 without control signs but \t and \n. */
void	webhook_keep(text answer, struct buf *out);
/* Scheme, host and port: what of a URL may be told in a log. */
text	webhook_origin(text url);

#endif
