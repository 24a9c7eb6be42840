/* SPDX-License-Identifier: MIT */
/*
 * Delivering webhooks. What is to be sent stands in rows, each endpoint's in
 * a queue of its own; here is only what is on its way.
 *
 *	webhook_claim ──> request ──> answer ──> webhook_done
 *	   ^	 ^	     │ (webhook_hold)	    │ (what is due then)
 *	   │	 └───────────│──────────────────────┘
 *	   └── look	     └ stopped ──> webhook_leave
 *
 * Holds always:
 *  1. A delivery is sent under a lease, which begins anew while it lasts.
 *     Who finds that another one has it gives his request up, and what he
 *     then writes is refused.
 *  2. No transaction is open while an endpoint is waited for. Dying between
 *     any two steps leaves a lease that runs out, or that the next jobs
 *     process of the host gives back at its start; so it is sent again, with
 *     the same webhook-id. Once a success is recorded it is not.
 *  3. What is on its way is bounded by webhook_at_once, and one endpoint has
 *     at most half of what is left of that. Whatever waits, waits in rows.
 *  4. What an event of this host left is looked for at once: whoever told of
 *     the event wakes this process. A due delivery is looked for
 *     WEBHOOK_LOOK_MS after the last look at the latest.
 *
 *	webhooks = webhooks_create(ground, fetcher, guard, segment->host);
 *	...
 *	webhooks_stop(webhooks);	 and fetcher_stop(fetcher)
 *	... until webhooks_are_idle(webhooks) ...
 */
#ifndef JOBS_WEBHOOK_H
#define JOBS_WEBHOOK_H

#include "jobs/ground.h"

#define WEBHOOK_LOOK_MS 250

struct fetcher;
struct guard;
struct webhooks;

/* host: who has a lease; its jobs process before this one is dead. */
struct webhooks	*webhooks_create(struct ground *ground,
		    struct fetcher *fetcher, const struct guard *guard,
		    const char *host);
/* There is something to be sent, on this host. */
void		 webhooks_news(struct webhooks *webhooks);
/* Nothing more is claimed; what was sent is waited for and recorded. */
void		 webhooks_stop(struct webhooks *webhooks);
bool		 webhooks_are_idle(const struct webhooks *webhooks);
/* After the fetcher and the ground. */
void		 webhooks_destroy(struct webhooks **webhooks);

#endif
