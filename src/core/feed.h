/* SPDX-License-Identifier: MIT */
/*
 * What feeds a worker's hubs: the rings of the other processes, its own
 * commits, and the log wherever those are not enough.
 *
 *	rings ──────┐		    ┌── READ, STATE ──> api.stream_…
 *	own commits ┼──> hubs ──────┼── SWEEP every 5 s ──> api.stream_heads
 *	control ────┘		    └── interest ──> this process's slot
 *
 * Holds always:
 *  1. News never move a hub further than HUB's rules say: all here only
 *     carries.
 *  2. Every SWEEP_MS all heads are compared with the log, so silence is
 *     proof; every SWEEP_HASTY_MS while the host's relay or another host
 *     says that its news do not get through.
 *  3. Who was too slow for a ring compares at once, and believes no answer
 *     that he kept.
 *
 *	feed = feed_create(service);
 *	hub_join(feed_hubs(feed), tenant, stream, &sub, &cursor);
 *	... when other processes wrote to their rings: feed_news(feed);
 */
#ifndef CORE_FEED_H
#define CORE_FEED_H

#include "core/hub.h"
#include "core/service.h"

#define SWEEP_MS	5000
#define SWEEP_HASTY_MS	100
#define FEED_PAGE	256
#define GAP_MS		5
#define BACKOFF_MS	500

struct feed;

struct feed	*feed_create(struct service *service);
/* After the pool was destroyed: nothing is asked any more. */
void		 feed_close(struct feed *feed);
/* After that, when all subscriptions have left. */
void		 feed_destroy(struct feed **feed);
struct hubs	*feed_hubs(struct feed *feed);

void	feed_news(struct feed *feed);
/* An event that this process committed, and when it heard so. */
void	feed_committed(struct feed *feed, int32_t tenant,
	    const struct call_row *row, int64_t told_us);
/* What this process wrote may be there, and may not. */
void	feed_sweep(struct feed *feed);
/* `control` says that a noun was deleted, with its stream. */
void	feed_deleted(struct feed *feed, int32_t tenant, text stream);
/* What event_say says of a stream, which no client can follow. */
struct feed_listener {
	text	 stream;
	void	(*hear)(void *context, int32_t tenant, text payload);
	void	*context;
};
void	feed_listen(struct feed *feed, const struct feed_listener *listener);
void	feed_leave(struct feed *feed, text stream);
/*
 * Whether one more listener, or one less, is there for what this tenant's are
 * told on other hosts.
 */
void	feed_want(struct feed *feed, int32_t tenant, bool is_wanted);
/* Whether news from other hosts may be late. */
void	feed_hurry(struct feed *feed, bool is_degraded);

#endif
