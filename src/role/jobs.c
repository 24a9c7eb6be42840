/* SPDX-License-Identifier: MIT */
/*
 * The jobs process: what must happen outside a request, once in the whole
 * installation. It starts, beats and leaves like every child.
 */
#include "role/child.h"

#include "base/log.h"

static bool
jobs_begin(struct child_self *self)
{
	log_debug("jobs begins", F("slot", self->slot));
	return (true);
}

static void
jobs_drain(struct child_self *self)
{
	(void)self;
}

static bool
jobs_has_finished(struct child_self *self)
{
	return (self->is_draining);
}

static void
jobs_end(struct child_self *self)
{
	(void)self;
}

const struct role_acts jobs_acts = { .begin = jobs_begin,
    .drain = jobs_drain, .has_finished = jobs_has_finished,
    .end = jobs_end };
