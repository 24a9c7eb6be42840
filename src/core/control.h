/* SPDX-License-Identifier: MIT */
/*
 * The news of the whole installation, as a worker follows them: the stream
 * `control` read every CONTROL_MS, and which hosts live.
 *
 *	read control ──> first time, or news may have been missed:
 *	     │		 read tenants, keys and revocations, then be ready
 *	     └───────> each event in order: tenant, admin, token, secret
 *
 * Holds always:
 *  1. What is kept is at least as new as the number it was read up to: all
 *     lists are asked for after the head was.
 *  2. An event is heeded once, in the order of numbers. A number below the
 *     last one, a gap or another epoch: all is read anew.
 *  3. Before anything of an event is heeded, the cache's versions are bumped:
 *     commands write without a worker, and `control` is how that is told.
 *  4. What failed is tried again at the next reading.
 *  5. The row of this host goes with the last of its workers that finishes,
 *     so that the others need not wait until it counts as dead.
 *
 *	service->control = control_create(service);
 *	... service->is_ready becomes true ...
 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include <stdbool.h>

#include "core/service.h"

#define CONTROL_MS	500
#define HOST_BEAT_MS	1000
#define HOST_DEAD_MS	10000

struct control;

struct control	*control_create(struct service *service);
void		 control_destroy(struct control **control);
/*
 * Nothing is on its way and nothing will be: it reads no more. false: it is
 * still taking leave of the other hosts, ask again.
 */
bool		 control_leave(struct control *control);
/* Hosts that live beside this one, as far as it knows. */
unsigned	 control_others(const struct control *control);
/* As soon as no reading is on its way. */
void		 control_read_now(struct control *control);
/* The same, and all lists. */
void		 control_read_all(struct control *control);

#endif
