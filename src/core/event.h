/* SPDX-License-Identifier: MIT */
/*
 * Telling what was committed: to the other processes of this host, through
 * this process's ring, and to the subscribers of this one.
 *
 * Holds always:
 *  1. An event is told after its commit, and after the cache's version of
 *     its tenant was bumped.
 *  2. Telling never waits and never fails; what gets lost, readers repair by
 *     number.
 *
 *	event_changed(service, tenant);		... whatever a write answers
 *	event_tell(service, tenant, &row);	... each event of its rows
 *	event_sweep(service);			... an outcome is not known
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <stdint.h>

#include "core/service.h"
#include "store/call.h"

/* Whose stream `control` is: the installation's. */
#define TENANT_OF_ALL 0

void	event_changed(struct service *service, int32_t tenant);
void	event_tell(struct service *service, int32_t tenant,
	    const struct call_row *row);
void	event_sweep(struct service *service);
/*
 * What processes tell each other beside events, at most once and to no
 * client: feed_listen.
 */
void	event_say(struct service *service, int32_t tenant, text stream,
	    text payload);

/* For who has no service: a row as a record, and a record for all others. */
struct ring_record event_record(int32_t tenant, const struct call_row *row);
void	event_put(struct segment *segment, unsigned slot,
	    struct ring_writer *ring, struct ring_record *record);
/* Wakes this host's jobs where they are to send the event to somebody. */
void	event_queued(struct segment *segment, const struct call_row *row);

#endif
