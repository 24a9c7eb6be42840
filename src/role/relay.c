/* SPDX-License-Identifier: MIT */
/*
 * The relay: the one process of a host that talks to Redis, so that hosts
 * hear each other's news. It starts, beats and leaves like every child.
 */
#include "role/child.h"

#include "base/log.h"

static bool
relay_begin(struct child_self *self)
{
	log_debug("relay begins", F("slot", self->slot));
	return (true);
}

static void
relay_drain(struct child_self *self)
{
	(void)self;
}

static bool
relay_has_finished(struct child_self *self)
{
	return (self->is_draining);
}

static void
relay_end(struct child_self *self)
{
	(void)self;
}

const struct role_acts relay_acts = { .begin = relay_begin,
    .drain = relay_drain, .has_finished = relay_has_finished,
    .end = relay_end };
