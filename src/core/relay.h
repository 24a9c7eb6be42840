/* SPDX-License-Identifier: MIT */
/*
 * Carrying news between hosts: what this host's processes put into their
 * rings goes to Redis, what other hosts' relays published comes into our own
 * ring.
 *
 *	rings of this host ──> PUBLISH   <prefix>:<bucket> ──> other relays
 *	our ring <── bump <── SUBSCRIBE  <prefix>:<bucket> <── other relays
 *	      probe: PUBLISH <prefix>:probe:<host> ──> heard by ourselves?
 *
 * A bucket is a 64th of the tenants (bucket_of); `control`, of tenant 0, is
 * in the first one, which every relay follows, and so is a sweep of all.
 *
 * Holds always:
 *  1. Only what is lost is late: what was read is published, or the sweep
 *     that repairs it is. It may be published twice; numbers tell. A LIVE
 *     record is published at most once.
 *  2. What is in flight is bounded (relay_flight.h). While Redis is slow or
 *     away rings are not read: they lap, and a sweep of all follows.
 *  3. A bucket is followed while a process of this host wants it, and
 *     RELAY_LINGER_MS longer. After each acknowledgement a sweep of that
 *     bucket goes into our ring, for what was told before it.
 *  4. The tenant's version is bumped before a foreign record is in our ring;
 *     our own host's messages never get there.
 *  5. A probe goes round each second. Where none came within RELAY_DEAF_MS,
 *     both connections are made anew: one that hears nothing looks well.
 *  6. The segment says when news last came and went (segment_is_cut_off):
 *     falsely for RELAY_STALE_MS at most, and not at all where a connection
 *     was lost.
 *
 *	relay = relay_create(&setup);
 *	... when others wrote to their rings or want other buckets:
 *	relay_news(relay);
 *	... leaving: until relay_is_idle(relay)
 *	relay_destroy(&relay);
 */
#ifndef CORE_RELAY_H
#define CORE_RELAY_H

#include <stdbool.h>

struct conf;
struct loop;
struct relay;
struct segment;

#define RELAY_TICK_MS	500
#define RELAY_PROBE_MS	1000
#define RELAY_DEAF_MS	3000
#define RELAY_LINGER_MS	10000

struct relay_setup {
	struct loop		*loop;
	struct segment		*segment;
	unsigned		 slot;
	const struct conf	*conf;		/* with a redis_url */
};

struct relay	*relay_create(const struct relay_setup *setup);
void		 relay_destroy(struct relay **relay);
void		 relay_news(struct relay *relay);
/* Nothing is left that could be published now. */
bool		 relay_is_idle(const struct relay *relay);

#endif
