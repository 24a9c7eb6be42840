/* SPDX-License-Identifier: MIT */
/*
 * The jobs process: what must happen outside a request, once in the host or
 * once in the whole installation.
 */
#include "role/child.h"

#include "jobs/fetch.h"
#include "jobs/guard.h"
#include "jobs/monitors.h"
#include "jobs/polls.h"
#include "jobs/responder.h"
#include "jobs/seats.h"
#include "jobs/storage.h"
#include "jobs/webhook.h"
#include "jobs/work.h"

struct jobs {
	unsigned	 magic;
#define JOBS_MAGIC 0x6a6f6273
	struct ground	*ground;
	struct guard	*guard;
	struct fetcher	*fetcher;
	struct storage	*storage;
	struct works	*works;
	struct polls	*polls;
	struct webhooks	*webhooks;
	struct monitors	*monitors;
	struct responders *responders;
	struct seats	*seats;
};

static struct jobs *
jobs_of(struct child_self *self)
{
	return (object_cast(struct jobs, JOBS_MAGIC, self->of_role));
}

static bool
jobs_begin(struct child_self *self)
{
	struct jobs *jobs = object_create(struct jobs, JOBS_MAGIC);

	self->of_role = jobs;
	jobs->ground = ground_create(self->loop, self->conf,
	    self->segment, self->slot);
	jobs->guard = guard_create(self->conf);
	jobs->fetcher = fetcher_create(jobs->ground);
	jobs->storage = storage_create(jobs->ground);
	jobs->works = works_create(jobs->ground, self->segment->host);
	jobs->polls = polls_create(jobs->ground);
	jobs->webhooks = webhooks_create(jobs->ground, jobs->fetcher,
	    jobs->guard, self->segment->host);
	jobs->monitors = monitors_create(jobs->ground, jobs->fetcher,
	    jobs->guard, self->segment->host);
	jobs->responders = responders_create(jobs->ground,
	    self->segment->host);
	jobs->seats = seats_create(jobs->ground);
	return (true);
}

/* Nobody else tells it anything: it reads no rings. */
static void
jobs_news(struct child_self *self)
{
	webhooks_news(jobs_of(self)->webhooks);
}

static void
jobs_drain(struct child_self *self)
{
	storage_stop(jobs_of(self)->storage);
	works_stop(jobs_of(self)->works);
	polls_stop(jobs_of(self)->polls);
	webhooks_stop(jobs_of(self)->webhooks);
	monitors_stop(jobs_of(self)->monitors);
	responders_stop(jobs_of(self)->responders);
	seats_stop(jobs_of(self)->seats);
	fetcher_stop(jobs_of(self)->fetcher);
}

static bool
jobs_has_finished(struct child_self *self)
{
	return (self->is_draining && ground_is_idle(jobs_of(self)->ground) &&
	    fetcher_is_idle(jobs_of(self)->fetcher) &&
	    webhooks_are_idle(jobs_of(self)->webhooks) &&
	    responders_are_idle(jobs_of(self)->responders));
}

static void
jobs_end(struct child_self *self)
{
	struct jobs *jobs = jobs_of(self);

	responders_close(jobs->responders);
	fetcher_destroy(&jobs->fetcher);
	ground_destroy(&jobs->ground);
	storage_destroy(&jobs->storage);
	works_destroy(&jobs->works);
	polls_destroy(&jobs->polls);
	webhooks_destroy(&jobs->webhooks);
	monitors_destroy(&jobs->monitors);
	responders_destroy(&jobs->responders);
	seats_destroy(&jobs->seats);
	guard_destroy(&jobs->guard);
	object_free(&jobs);
	self->of_role = NULL;
}

const struct role_acts jobs_acts = { .begin = jobs_begin,
    .news = jobs_news, .is_told_only = true,
    .drain = jobs_drain, .has_finished = jobs_has_finished,
    .end = jobs_end };
