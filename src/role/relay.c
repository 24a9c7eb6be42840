/* SPDX-License-Identifier: MIT */
/*
 * The relay: the one process of a host that talks to Redis, so that hosts
 * hear each other's news. Without a Redis it stands by.
 */
#include "role/child.h"

#include "base/conf.h"
#include "base/log.h"
#include "core/relay.h"

static bool
idle_begin(struct child_self *self)
{
	log_info("no redis_url is set: no news of other hosts");
	(void)self;
	return (true);
}

static void
relay_drain(struct child_self *self)
{
	(void)self;
}

static bool
idle_has_finished(struct child_self *self)
{
	return (self->is_draining);
}

static void
idle_end(struct child_self *self)
{
	(void)self;
}

/* It reads no rings, so that nobody wakes it. */
static const struct role_acts idle_acts = { .begin = idle_begin,
    .drain = relay_drain, .has_finished = idle_has_finished,
    .end = idle_end };

static bool
relay_begin(struct child_self *self)
{
	struct relay_setup setup = { .loop = self->loop,
	    .segment = self->segment, .slot = self->slot,
	    .conf = self->conf };

	if (self->conf->redis_url[0] == '\0') {
		self->acts = &idle_acts;
		return (idle_begin(self));
	}
	self->of_role = relay_create(&setup);
	return (true);
}

static void
relay_on_news(struct child_self *self)
{
	relay_news(self->of_role);
}

static bool
relay_has_finished(struct child_self *self)
{
	return (self->is_draining && relay_is_idle(self->of_role));
}

static void
relay_end(struct child_self *self)
{
	struct relay *relay = self->of_role;

	relay_destroy(&relay);
	self->of_role = NULL;
}

const struct role_acts relay_acts = { .begin = relay_begin,
    .news = relay_on_news, .drain = relay_drain,
    .has_finished = relay_has_finished, .end = relay_end };
