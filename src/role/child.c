/* SPDX-License-Identifier: MIT */
/*
 * The first and the last things that every child does, and its loop.
 */
#include "role/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "plat/proc.h"
#include "plat/wake.h"
#include "role/control.h"
#include "role/quickstart.h"
#include "role/server.h"

#define BEAT_MS		1000
#define TURN_MOST_MS	1000

static void
on_beat(struct child_self *self)
{
	while (FAULT(child_hangs))
		for (;;)
			pause();
	GAUGE_SET(beat_ms, clock_ms());
	timer_set(loop_timers(self->loop), &self->beat,
	    self->conf->beat_timeout / 4 < BEAT_MS ?
	    self->conf->beat_timeout / 4 : BEAT_MS);
}

void
child_say(struct child_self *self, enum channel_word word, uint32_t number)
{
	struct channel_message message = { .word = word, .number = number };

	channel_send(self->channel, &message, -1);
}

static void
child_drain(struct child_self *self, int64_t within_ms)
{
	if (self->is_draining)
		return;
	self->is_draining = true;
	self->leave_by_ms = clock_ms() + within_ms;
	GAUGE_SET(draining, 1);
	self->acts->drain(self);
}

static void
use_log(int fd)
{
	static int in_use = -1;

	log_use_fd(fd);
	if (in_use >= 0)
		close(in_use);
	in_use = fd;
}

static void
on_channel(struct child_self *self)
{
	struct channel_message message;
	enum channel_got got;
	int fd;

	while ((got = channel_receive(self->channel, &message, &fd)) ==
	    CHANNEL_GOT)
		switch (message.word) {
		case CHANNEL_ACCEPT:
		case CHANNEL_RELEASE:
			if (self->acts->accept != NULL && !self->is_draining)
				self->acts->accept(self, &message, fd);
			else if (fd >= 0)
				close(fd);
			break;
		case CHANNEL_DRAIN:
			if (!FAULT(child_wont_drain))
				child_drain(self, message.number);
			break;
		case CHANNEL_LOG:
			use_log(fd);
			break;
		default:
			must_never("the master says only these");
		}
	if (got == CHANNEL_END && !self->is_draining) {
		log_error("master is gone, finishing and leaving");
		loop_forget(&self->channel_watch);
		child_drain(self, self->conf->drain_timeout);
	} else if (got == CHANNEL_END)
		loop_forget(&self->channel_watch);
}

static void
on_wake(struct child_self *self)
{
	uint64_t times;

	while (read(wake_fd(self->slot), &times, sizeof times) > 0)
		;
}

/* What is read here may be written to clients in the turn that follows. */
static bool
before_wait(struct child_self *self)
{
	if (self->acts->news == NULL)
		return (true);
	wake_before_sleep(self->segment, self->slot);
	if (!wake_take_news(self->segment, self->slot))
		return (true);
	wake_after_sleep(self->segment, self->slot);
	self->acts->news(self);
	return (false);
}

static void
after_wait(struct child_self *self)
{
	if (self->acts->news != NULL)
		wake_after_sleep(self->segment, self->slot);
}

/* What was the master's is not ours: its lock, lines, listeners, control. */
void
child_close_masters(struct server *server)
{
	struct child *child;

	for (child = server->children; child != NULL; child = child->next)
		if (child->channel >= 0)
			close(child->channel);
	listeners_close(&server->listeners);
	close(server->segment_fd);
	close(server->state_dir);
	close(server->lock);
	control_close_in_child(server);
	if (server->quickstart != NULL)
		quickstart_close_in_child(server->quickstart);
}

static void
give_up_rights(const struct conf *conf)
{
	const char *why;

	if (geteuid() == 0 && !proc_become(conf->user, &why)) {
		log_error("rights could not be given up", F("why", why));
		exit(EX_NOPERM);
	}
	/* A worker that could still do everything must not run. */
	if (geteuid() == 0 || getuid() == 0) {
		log_error("refusing to work as root");
		exit(EX_NOPERM);
	}
}

static void
say_when_ready(struct child_self *self)
{
	if (self->has_said_ready || (self->acts->is_ready != NULL &&
	    !self->acts->is_ready(self) && clock_ms() < self->ready_by_ms))
		return;
	self->has_said_ready = true;
	child_say(self, CHANNEL_READY, 0);
}

static void
child_run(struct child_self *self)
{
	timer_init(&self->beat, on_beat, self);
	on_beat(self);
	self->channel_watch = loop_watch_readable(self->loop, self->channel,
	    on_channel, self);
	self->wake_watch = loop_watch_readable(self->loop,
	    wake_fd(self->slot), on_wake, self);
	loop_around_wait(self->loop, before_wait, after_wait, self);
	if (!self->acts->begin(self))
		exit(EX_UNAVAILABLE);
	if (self->acts->news != NULL)
		wake_listen(self->segment, self->slot,
		    self->acts->is_told_only ? LISTENS_ROLE : LISTENS_RINGS);
	self->ready_by_ms = clock_ms() + READY_MOST_MS;
	say_when_ready(self);
	while (!self->is_draining || (!self->acts->has_finished(self) &&
	    clock_ms() < self->leave_by_ms)) {
		loop_turn(self->loop, self->is_draining ? 50 : TURN_MOST_MS);
		say_when_ready(self);
	}
	if (!self->acts->has_finished(self))
		log_warn("work left undone at the deadline");
	self->acts->end(self);
	timer_stop(loop_timers(self->loop), &self->beat);
	loop_forget(&self->channel_watch);
	loop_forget(&self->wake_watch);
	loop_destroy(&self->loop);
}

void
child_begin(struct server *server, enum role role, unsigned ordinal,
    unsigned slot, int channel)
{
	static const int not_ours[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT,
	    SIGUSR1, SIGPIPE };
	struct child_self *self = object_create(struct child_self,
	    CHILD_SELF_MAGIC);
	char title[32];

	/* What is sent to the whole group, by a terminal or a service
	 * manager, means the master; he tells us in his own order. */
	for (size_t i = 0; i < sizeof not_ours / sizeof not_ours[0]; i++)
		signal(not_ours[i], SIG_IGN);
	if (ordinal != 0)
		snprintf(title, sizeof title, "%s %u", role_name(role),
		    ordinal);
	else
		snprintf(title, sizeof title, "%s", role_name(role));
	proc_title(title);
	log_use(server->log_fd, title, &server->segment->log_level);
	counts = &server->segment->slots[slot].counts;
	must_record_in(server->segment->slots[slot].panic);
	GAUGE_SET(started_ms, clock_ms());
	if (FAULT(child_dies_at_start))
		exit(EX_SOFTWARE);
	child_close_masters(server);
	give_up_rights(server->conf);
	self->role = role;
	self->ordinal = ordinal;
	self->slot = slot;
	self->conf = server->conf;
	self->admins = server->admins;
	self->segment = server->segment;
	self->channel = channel;
	self->acts = role == ROLE_WORKER ? &worker_acts :
	    role == ROLE_RELAY ? &relay_acts : &jobs_acts;
	self->loop = loop_create();
	log_gather();
	child_run(self);
	log_flush();
	object_free(&self);
	exit(EX_OK);
}
