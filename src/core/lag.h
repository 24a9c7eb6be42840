/* SPDX-License-Identifier: MIT */
/*
 * How long events take from their commit to the sockets of live clients, as
 * HISTOGRAM delivery.
 *
 *	heard of the commit: told_us	 framed	   all written: measured
 *	        |                          |                |
 *	────────┴── ring, bus, hub ────────┴── turn's end ──┴──>
 *
 * Holds always:
 *  1. Once for each event and worker, however many clients: when it is first
 *     framed it is noted, and measured when the turn has written to all.
 *  2. The clock is the host's monotonic one. It begins when a process of
 *     this host heard of the commit, from PostgreSQL or from another host's
 *     relay; clocks of different hosts are never compared.
 *  3. What was read from the log is not measured: it was asked for.
 *
 *	lag = lag_create(loop);
 *	... http_create ...	those who write at a turn's end
 *	lag_watch(lag);		after them
 *	... a transport that makes an event's form: lag_note(lag, event);
 *	lag_destroy(&lag);
 */
#ifndef CORE_LAG_H
#define CORE_LAG_H

struct event;
struct lag;
struct loop;

struct lag	*lag_create(struct loop *loop);
void		 lag_watch(struct lag *lag);
void		 lag_note(struct lag *lag, struct event *event);
void		 lag_destroy(struct lag **lag);

#endif
