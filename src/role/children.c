/* SPDX-License-Identifier: MIT */
/*
 * Posts and children: who is missing is started, who is replaced is told to
 * leave, who died is buried and his things are taken back.
 *
 *	 fork		 READY		   DRAIN		reaped
 *	------> STARTING ------> READY ------------> DRAINING ------> DEAD
 *		   |		   |				       ^
 *		   `---------------`-------- died -------------------'
 */
#include "role/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "plat/addresses.h"
#include "plat/channel.h"
#include "plat/tenant_places.h"
#include "plat/wake.h"
#include "role/migration.h"
#include "role/quickstart.h"

#define LIVED_WELL_MS	10000	/* who lives so long may come back at once */
#define FIRST_PAUSE_MS	100
#define LEAVE_GRACE_MS	1000	/* between a child's deadline and its end */
#define HURRY_MS	1000	/* what a second reload leaves the first's */

static const char *const state_names[] = { "starting", "ready", "draining",
    "dead" };

static void
child_state_set(struct child *child, enum child_state state)
{
	static const unsigned may_become[] = {
		[CHILD_STARTING] = 1u << CHILD_READY | 1u << CHILD_DRAINING |
		    1u << CHILD_DEAD,
		[CHILD_READY] = 1u << CHILD_DRAINING | 1u << CHILD_DEAD,
		[CHILD_DRAINING] = 1u << CHILD_DEAD,
		[CHILD_DEAD] = 0,
	};

	must(may_become[child->state] & 1u << state);
	log_debug("process changed", F("of", role_name(child->role)),
	    F("ordinal", child->ordinal), F("pid", (int)child->pid),
	    F("was", state_names[child->state]),
	    F("is", state_names[state]));
	child->state = state;
}

void
posts_init(struct server *server, unsigned workers)
{
	server->relay.role = ROLE_RELAY;
	server->jobs.role = ROLE_JOBS;
	for (unsigned i = 0; i < ORDINALS_MAX; i++) {
		server->posts[i].role = ROLE_WORKER;
		server->posts[i].ordinal = i + 1;
		server->acceptor[i] = NOBODY;
	}
	server->workers = workers;
}

static void
child_fork(struct server *server, struct post *post)
{
	int slot = segment_give_slot(server->segment, post->role,
	    post->ordinal);
	int ours, theirs;
	struct child *child;
	sigset_t none;
	pid_t pid;

	if (slot < 0) {
		/* Both generations are there; wait for the old to leave. */
		post->not_before_ms = clock_ms() + FIRST_PAUSE_MS;
		return;
	}
	if (!channel_open(&ours, &theirs)) {
		log_error("process could not be started",
		    F("of", role_name(post->role)),
		    F("why", strerror(errno)));
		segment_void_slot(server->segment, (unsigned)slot);
		post->not_before_ms = clock_ms() + 1000;
		return;
	}
	log_flush();
	pid = fork();
	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		close(ours);
		child_begin(server, post->role, post->ordinal,
		    (unsigned)slot, theirs);
	}
	close(theirs);
	if (pid < 0) {
		log_error("process could not be started",
		    F("of", role_name(post->role)),
		    F("why", strerror(errno)));
		close(ours);
		segment_void_slot(server->segment, (unsigned)slot);
		post->not_before_ms = clock_ms() + 1000;
		return;
	}
	COUNT(process_starts);
	child = object_create(struct child, CHILD_MAGIC);
	child->role = post->role;
	child->ordinal = post->ordinal;
	child->slot = (unsigned)slot;
	child->pid = pid;
	child->channel = ours;
	child->started_ms = clock_ms();
	child->post = post;
	atomic_store(&server->segment->slots[slot].pid, pid);
	post->child = child;
	post->wants_new = false;
	DL_APPEND(server->children, child);
	log_info("process started", F("of", role_name(child->role)),
	    F("ordinal", child->ordinal), F("pid", (int)pid),
	    F("slot", slot));
}

static void
child_leave(struct server *server, struct child *child)
{
	struct channel_message message = { .word = CHANNEL_DRAIN,
	    .number = (uint32_t)server->conf->drain_timeout };

	if (child->post != NULL && child->post->child == child)
		child->post->child = NULL;
	child->post = NULL;
	if (child->state == CHILD_DRAINING)
		return;
	child_state_set(child, CHILD_DRAINING);
	child->leave_by_ms = clock_ms() + server->conf->drain_timeout +
	    LEAVE_GRACE_MS;
	atomic_store(&server->segment->slots[child->slot].is_draining, 1);
	if (!channel_send(child->channel, &message, -1))
		kill(child->pid, SIGKILL);
	log_info("process leaves", F("of", role_name(child->role)),
	    F("ordinal", child->ordinal), F("pid", (int)child->pid));
}

/* Fills a post, or prepares the replacement of who is in it. */
static void
post_fill(struct server *server, struct post *post)
{
	struct child *old = post->child;
	bool may_overlap = post->role == ROLE_WORKER;

	if (old != NULL && !post->wants_new)
		return;
	if (old != NULL && !may_overlap) {
		/* Two relays would publish twice: the old one goes first. */
		child_leave(server, old);
		return;
	}
	if (!may_overlap) {
		struct child *child;

		DL_FOREACH(server->children, child)
			if (child->role == post->role)
				return;
	}
	if (clock_ms() < post->not_before_ms)
		return;
	if (old != NULL && old->state == CHILD_STARTING)
		child_leave(server, old);
	/*
	 * A ready worker stays, without a post, until the new one is ready;
	 * children_hear then sends it away.
	 */
	if (post->child != NULL) {
		post->child->post = NULL;
		post->child = NULL;
	}
	child_fork(server, post);
	if (post->child == NULL && old != NULL &&
	    old->state == CHILD_READY) {
		old->post = post;
		post->child = old;
	}
}

void
posts_fill(struct server *server)
{
	if (server->stage != STAGE_RUNNING)
		return;
	for (unsigned i = 0; i < server->workers; i++)
		post_fill(server, &server->posts[i]);
	post_fill(server, &server->relay);
	post_fill(server, &server->jobs);
}

void
posts_renew(struct server *server, unsigned workers)
{
	struct child *child;
	int64_t hurry = clock_ms() + HURRY_MS;

	/* Two generations fit at once: who is leaving for the last reload
	 * has to hurry. */
	DL_FOREACH(server->children, child)
		if (child->state == CHILD_DRAINING &&
		    child->leave_by_ms > hurry)
			child->leave_by_ms = hurry;
	for (unsigned i = 0; i < ORDINALS_MAX; i++) {
		struct post *post = &server->posts[i];

		post->pause_ms = 0;
		post->not_before_ms = 0;
		if (i < workers)
			post->wants_new = post->child != NULL;
		else if (post->child != NULL) {
			/* Leaves when a sibling accepts for it. */
			post->child->post = NULL;
			post->child = NULL;
		}
	}
	server->relay.wants_new = server->jobs.wants_new = true;
	server->workers = workers;
	posts_fill(server);
}

/* Who is ready, has no post and is not needed any more is sent away. */
static void
dismiss_replaced(struct server *server)
{
	struct child *child;

	DL_FOREACH(server->children, child) {
		struct post *post;

		if (child->role != ROLE_WORKER || child->post != NULL ||
		    child->state != CHILD_READY)
			continue;
		post = &server->posts[child->ordinal - 1];
		if (child->ordinal > server->workers)
			post = &server->posts[0];
		if (post->child == NULL || post->child->state != CHILD_READY)
			continue;
		child_leave(server, child);
	}
}

void
children_hear(struct server *server, struct child *child)
{
	struct channel_message message;
	enum channel_got got;
	int fd;

	while ((got = channel_receive(child->channel, &message, &fd)) ==
	    CHANNEL_GOT) {
		if (fd >= 0)
			close(fd);
		if (message.word == CHANNEL_READY &&
		    child->state == CHILD_STARTING) {
			child_state_set(child, CHILD_READY);
			log_info("process ready",
			    F("of", role_name(child->role)),
			    F("ordinal", child->ordinal),
			    F("pid", (int)child->pid));
		} else if (message.word == CHANNEL_FULL)
			child->is_full = message.number != 0;
		ordinals_assign(server);
		dismiss_replaced(server);
	}
	if (got == CHANNEL_END && child->channel >= 0) {
		close(child->channel);	/* reaping tells the rest */
		child->channel = -1;
	}
}

/* Why it died, in words. */
static void
log_death(const struct server *server, const struct child *child, int status,
    bool was_asked)
{
	const struct slot *slot = &server->segment->slots[child->slot];
	char panic[PANIC_SIZE];

	memcpy(panic, slot->panic, sizeof panic);
	panic[sizeof panic - 1] = '\0';
	if (was_asked) {
		log_info("process left", F("of", role_name(child->role)),
		    F("ordinal", child->ordinal), F("pid", (int)child->pid));
		return;
	}
	if (child->state == CHILD_DRAINING && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGKILL) {
		log_warn("process did not leave in time and was killed",
		    F("of", role_name(child->role)),
		    F("ordinal", child->ordinal), F("pid", (int)child->pid));
		return;
	}
	log_error("process died", F("of", role_name(child->role)),
	    F("ordinal", child->ordinal), F("pid", (int)child->pid),
	    F("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
	    F("signal_name", WIFSIGNALED(status) ?
	    sigabbrev_np(WTERMSIG(status)) : NULL),
	    F("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
	    F("was", state_names[child->state]),
	    F("hung", child->was_hanging),
	    F("panic", panic[0] != '\0' ? panic : NULL),
	    F("lived_ms", clock_ms() - child->started_ms));
}

static void
post_back_off(const struct server *server, struct post *post,
    const struct child *child)
{
	if (clock_ms() - child->started_ms >= LIVED_WELL_MS) {
		post->pause_ms = 0;
		return;
	}
	post->not_before_ms = clock_ms() + post->pause_ms;
	if (post->pause_ms > 0)
		log_warn("process keeps dying, waiting before its next start",
		    F("of", role_name(post->role)),
		    F("ordinal", post->ordinal),
		    F("wait_ms", post->pause_ms));
	post->pause_ms = post->pause_ms == 0 ? FIRST_PAUSE_MS :
	    post->pause_ms * 2;
	if (post->pause_ms > server->conf->restart_max)
		post->pause_ms = server->conf->restart_max;
}

/* The dead one may have committed what it never told: all compare. */
static void
post_sweep(struct server *server)
{
	struct ring_record sweep = { .kind = RING_SWEEP, .to = RING_TO_ALL };

	ring_write(&server->ring, &sweep);
	wake_readers_but(server->segment, 0);
	COUNT(sweeps_posted);
}

static void
child_bury(struct server *server, struct child *child, int status)
{
	bool was_asked = child->state == CHILD_DRAINING &&
	    WIFEXITED(status) && WEXITSTATUS(status) == 0;

	log_death(server, child, status, was_asked);
	child_state_set(child, CHILD_DEAD);
	ordinals_forget(server, child);
	addresses_void(child->slot);
	tenant_places_void(child->slot);
	segment_void_slot(server->segment, child->slot);
	if (!was_asked) {
		COUNT(process_deaths);
		post_sweep(server);
	}
	if (child->post != NULL) {
		if (server->stage == STAGE_RUNNING)
			post_back_off(server, child->post, child);
		child->post->child = NULL;
	}
	if (child->channel >= 0)
		close(child->channel);
	DL_DELETE(server->children, child);
	object_free(&child);
}

void
children_reap(struct server *server)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child;

		DL_SEARCH_SCALAR(server->children, child, pid, pid);
		if (child != NULL)
			child_bury(server, child, status);
		else if (!migration_on_exit(server, pid, status) &&
		    server->quickstart != NULL)
			quickstart_on_exit(server->quickstart, pid, status);
	}
	posts_fill(server);
	ordinals_assign(server);
	dismiss_replaced(server);
}

void
children_check_beats(struct server *server)
{
	int64_t now = clock_ms();
	struct child *child;

	DL_FOREACH(server->children, child) {
		struct counts *its = &server->segment->slots[child->slot]
		    .counts;
		int64_t beat = atomic_load(&its->gauges[GAUGE_beat_ms]);

		if (beat < child->started_ms)
			beat = child->started_ms;
		if (now - beat > server->conf->beat_timeout &&
		    !child->was_hanging) {
			log_error("process shows no sign of life, killed",
			    F("of", role_name(child->role)),
			    F("ordinal", child->ordinal),
			    F("pid", (int)child->pid),
			    F("silent_ms", now - beat));
			child->was_hanging = true;
			COUNT(process_hangs);
			kill(child->pid, SIGKILL);
		}
		if (child->state == CHILD_DRAINING &&
		    now >= child->leave_by_ms) {
			kill(child->pid, SIGKILL);
			child->leave_by_ms = INT64_MAX;
		}
	}
}

void
children_leave(struct server *server, enum role role)
{
	struct child *child;

	DL_FOREACH(server->children, child)
		if ((child->role == ROLE_WORKER) == (role == ROLE_WORKER))
			child_leave(server, child);
}

void
children_kill(struct server *server)
{
	struct child *child;

	DL_FOREACH(server->children, child)
		kill(child->pid, SIGKILL);
}

void
children_use_log(struct server *server)
{
	struct channel_message message = { .word = CHANNEL_LOG };
	struct child *child;

	DL_FOREACH(server->children, child)
		channel_send(child->channel, &message, server->log_fd);
}

unsigned
children_count(const struct server *server, enum role role)
{
	const struct child *child;
	unsigned count = 0;

	DL_FOREACH(server->children, child)
		count += (child->role == ROLE_WORKER) ==
		    (role == ROLE_WORKER);
	return (count);
}

static int64_t
sooner(int64_t most, int64_t due)
{
	int64_t left = due - clock_ms();

	return (left < 0 ? 0 : left < most ? left : most);
}

int64_t
children_wait_ms(const struct server *server, int64_t most)
{
	const struct child *child;

	DL_FOREACH(server->children, child)
		if (child->state == CHILD_DRAINING)
			most = sooner(most, child->leave_by_ms);
	if (server->stage != STAGE_RUNNING)
		return (most);
	for (unsigned i = 0; i < server->workers; i++)
		if (server->posts[i].child == NULL ||
		    server->posts[i].wants_new)
			most = sooner(most, server->posts[i].not_before_ms);
	if (server->relay.child == NULL)
		most = sooner(most, server->relay.not_before_ms);
	if (server->jobs.child == NULL)
		most = sooner(most, server->jobs.not_before_ms);
	return (most);
}
