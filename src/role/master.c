/* SPDX-License-Identifier: MIT */
/*
 * The master's loop: signals, the lines to the children, the control
 * socket, and a look around every second.
 */
#include "role/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "core/admins.h"
#include "role/command.h"
#include "role/control.h"
#include "role/notify.h"
#include "role/quickstart.h"

#define LOOK_AROUND_MS	1000
#define PRIVATE_STOP_MS	20000
#define LEAVE_GRACE_MS	2000
#define SAME_WISH_MS	500

static const char *const stage_names[] = { "running", "workers leave",
    "relay and jobs leave", "private servers stop", "over" };

static int
catch_signals(void)
{
	static const int caught[] = { SIGHUP, SIGUSR1, SIGTERM, SIGQUIT,
	    SIGINT, SIGCHLD };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
		sigaddset(&set, caught[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	must(fd >= 0);
	return (fd);
}

static void
stage_set(struct server *server, enum stage stage, int64_t within_ms)
{
	log_info("server stops", F("stage", stage_names[stage]));
	server->stage = stage;
	server->stage_until_ms = clock_ms() + within_ms;
}

static void
server_stop(struct server *server, const char *why)
{
	if (server->stage != STAGE_RUNNING) {
		/* One wish can arrive twice: at us and at our group. */
		if (clock_ms() - server->stopped_ms < SAME_WISH_MS)
			return;
		log_warn("asked to stop a second time, stopping at once",
		    F("by", why));
		server->stage_until_ms = 0;
		children_kill(server);
		return;
	}
	log_info("server stopping", F("by", why));
	server->stopped_ms = clock_ms();
	notify_stopping();
	/* Workers empty their sockets' queues as their last act of
	 * accepting; only then may the sockets close. */
	children_leave(server, ROLE_WORKER);
	listeners_unlink(&server->listeners);
	listeners_close(&server->listeners);
	stage_set(server, STAGE_WORKERS_LEAVE,
	    server->conf->drain_timeout + LEAVE_GRACE_MS);
}

/* The stages of stopping; each begins when the one before is done. */
static void
stage_advance(struct server *server)
{
	bool is_late = clock_ms() >= server->stage_until_ms;

	switch (server->stage) {
	case STAGE_RUNNING:
	case STAGE_OVER:
		break;
	case STAGE_WORKERS_LEAVE:
		if (is_late)
			children_kill(server);
		if (children_count(server, ROLE_WORKER) > 0)
			break;
		children_leave(server, ROLE_RELAY);
		stage_set(server, STAGE_REST_LEAVES, is_late ? 0 :
		    server->conf->drain_timeout + LEAVE_GRACE_MS);
		break;
	case STAGE_REST_LEAVES:
		if (is_late)
			children_kill(server);
		if (children_count(server, ROLE_RELAY) > 0)
			break;
		stage_set(server, STAGE_PRIVATE_STOPS, PRIVATE_STOP_MS);
		if (server->quickstart != NULL)
			quickstart_stop_begin(server->quickstart);
		/* FALLTHROUGH */
	case STAGE_PRIVATE_STOPS:
		if (server->quickstart != NULL && is_late)
			quickstart_kill(server->quickstart);
		if (server->quickstart == NULL ||
		    quickstart_has_stopped(server->quickstart))
			server->stage = STAGE_OVER;
		break;
	}
}

/* The whole of it, or NULL: a line in problems for all that is wrong. */
static struct conf *
read_anew(struct server *server, struct admins **admins_out,
    struct buf *problems)
{
	struct conf *conf = command_conf(server->command, problems);

	*admins_out = NULL;
	if (conf != NULL && server->quickstart != NULL)
		quickstart_fill(server->quickstart, conf);
	if (conf != NULL)
		*admins_out = admins_read(conf, problems);
	if (*admins_out != NULL && listeners_resize(&server->listeners,
	    workers_wanted(conf), problems))
		return (conf);
	admins_destroy(admins_out);
	conf_destroy(&conf);
	return (NULL);
}

static void
server_reload(struct server *server)
{
	struct buf problems, names;
	struct admins *admins;
	struct conf *conf;
	enum log_level level;
	unsigned workers;

	COUNT(reloads);
	if (server->stage != STAGE_RUNNING)
		return;
	buf_init(&problems, BUF_NO_LIMIT);
	buf_init(&names, BUF_NO_LIMIT);
	conf = read_anew(server, &admins, &problems);
	if (conf == NULL) {
		COUNT(reloads_refused);
		log_error("reload refused, the former configuration stays",
		    F("why", text_trim(buf_text(&problems))));
		goto out;
	}
	notify_reloading();
	conf_needs_restart(server->conf, conf, &names);
	if (names.len > 0)
		log_warn("options changed that need a restart",
		    F("options", buf_text(&names)));
	conf_keep_boot_options(conf, server->conf);
	workers = workers_wanted(conf);
	/* Children that live on have their own copy of the former one. */
	conf_destroy(&server->conf);
	server->conf = conf;
	admins_destroy(&server->admins);
	server->admins = admins;
	if (server->quickstart != NULL)
		quickstart_use_conf(server->quickstart, conf);
	if (log_level_named(text_of(conf->log_level), &level))
		atomic_store(&server->segment->log_level, level);
	server_reopen_log(server);
	log_info("server reloads", F("workers", workers));
	posts_renew(server, workers);
	ordinals_assign(server);
	notify_ready();
out:
	buf_fini(&problems);
	buf_fini(&names);
}

static void
on_signals(struct server *server, int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) == (ssize_t)sizeof info)
		switch (info.ssi_signo) {
		case SIGHUP:
			server_reload(server);
			break;
		case SIGUSR1:
			server_reopen_log(server);
			break;
		case SIGTERM:
		case SIGQUIT:
		case SIGINT:
			server_stop(server, info.ssi_signo == SIGTERM ?
			    "TERM" : info.ssi_signo == SIGQUIT ? "QUIT" :
			    "INT");
			break;
		case SIGCHLD:
			children_reap(server);
			break;
		default:
			must_never("only these signals are caught");
		}
}

static enum part_state
post_state(const struct post *post)
{
	if (post->child == NULL)
		return (post->pause_ms > 0 ? PART_DOWN : PART_STARTING);
	return (post->child->state == CHILD_READY ? PART_OK : PART_STARTING);
}

static enum part_state
jobs_state(const struct server *server)
{
	enum part_state state = post_state(&server->jobs);
	const struct slot *slot;

	if (state != PART_OK)
		return (state);
	slot = &server->segment->slots[server->jobs.child->slot];
	return (atomic_load(&slot->counts.gauges[GAUGE_jobs_failing]) == 0 ?
	    PART_OK : PART_DEGRADED);
}

static enum part_state
relay_state(const struct server *server)
{
	enum part_state state = post_state(&server->relay);

	return (state == PART_OK && server->conf->redis_url[0] != '\0' &&
	    segment_is_cut_off(server->segment) ? PART_DEGRADED : state);
}

/* What /readyz tells of the processes that serve no requests. */
static void
say_parts(struct server *server)
{
	atomic_store(&server->segment->parts[PART_RELAY],
	    relay_state(server));
	atomic_store(&server->segment->parts[PART_JOBS],
	    jobs_state(server));
}

static bool
is_all_ready(const struct server *server)
{
	if (post_state(&server->relay) != PART_OK ||
	    post_state(&server->jobs) != PART_OK)
		return (false);
	for (unsigned i = 0; i < server->workers; i++)
		if (post_state(&server->posts[i]) != PART_OK)
			return (false);
	return (true);
}

static void
say_ready(struct server *server)
{
	if (server->has_said_ready || !is_all_ready(server))
		return;
	server->has_said_ready = true;
	log_info("server ready", F("workers", server->workers),
	    F("listen", server->conf->listen));
	notify_ready();
	if (server->quickstart != NULL)
		quickstart_greet(server->quickstart, server->conf, stdout);
}

static int64_t
wait_ms(struct server *server)
{
	int64_t most = children_wait_ms(server, LOOK_AROUND_MS);

	if (server->quickstart != NULL) {
		int64_t due = quickstart_tick(server->quickstart);

		if (due < most)
			most = due;
	}
	if (server->stage != STAGE_RUNNING) {
		int64_t left = server->stage_until_ms - clock_ms();

		/* Stopping looks around more often. */
		if (left > 50 || left < 0)
			left = 50;
		if (left < most)
			most = left;
	}
	return (most < 0 ? 0 : most);
}

static unsigned
poll_children(struct server *server, struct pollfd *polls, unsigned most)
{
	struct child *child;
	unsigned count = 0;

	for (child = server->children; child != NULL && count < most;
	    child = child->next)
		if (child->channel >= 0)
			polls[count++] = (struct pollfd){
			    .fd = child->channel, .events = POLLIN };
	return (count);
}

static void
polled_children(struct server *server, const struct pollfd *polls,
    unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct child *child;

		if (polls[i].revents == 0)
			continue;
		for (child = server->children; child != NULL;
		    child = child->next)
			if (child->channel == polls[i].fd)
				break;
		if (child != NULL)
			children_hear(server, child);
	}
}

static void
look_around(struct server *server)
{
	children_check_beats(server);
	children_reap(server);
	ordinals_close_dry(server);
	say_parts(server);
	say_ready(server);
	stage_advance(server);
	GAUGE_SET(beat_ms, clock_ms());
}

int
master_run(struct server *server)
{
	int signals = catch_signals();
	unsigned most = (unsigned)server->conf->max_processes +
	    CONTROL_POLLS + 1;
	struct pollfd *polls = mem_alloc(most * sizeof *polls);

	GAUGE_SET(started_ms, clock_ms());
	posts_fill(server);
	while (server->stage != STAGE_OVER) {
		unsigned children, lines;
		int64_t wait = wait_ms(server);

		polls[0] = (struct pollfd){ .fd = signals, .events = POLLIN };
		children = poll_children(server, polls + 1,
		    most - CONTROL_POLLS - 1);
		lines = control_poll(server, polls + 1 + children,
		    CONTROL_POLLS);
		if (poll(polls, 1 + children + lines, (int)wait) < 0 &&
		    errno != EINTR)
			must_never("poll takes what it is given");
		if (polls[0].revents != 0)
			on_signals(server, signals);
		polled_children(server, polls + 1, children);
		control_polled(server, polls + 1 + children, lines);
		look_around(server);
	}
	log_info("server stopped");
	mem_free(polls);
	close(signals);
	control_close(server);
	return (EX_OK);
}
