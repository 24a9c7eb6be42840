/* SPDX-License-Identifier: MIT */
/*
 * Supervising a private server. The master calls private_tick whenever it is
 * due and private_on_exit when the process has ended; everything that takes
 * time is a state, not a wait.
 */
#include "role/private_server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"

#define LIVED_WELL_MS		10000
#define FIRST_PAUSE_MS		100
#define CLEAR_LOOK_MS		20
#define CLEAR_HURRY_MS		5000	/* an earlier one may take so long */
#define CLEAR_KILL_MS		10000
#define PING_AGAIN_MS		10	/* while it starts, at first */
#define PING_SELDOM_MS		500	/* when it takes long to start */
#define PING_LOOK_MS		5	/* while an answer is on its way */
#define PING_EVERY_MS		5000
#define PING_DEAF_MS		1000
#define PING_MOST_MS		3000
#define HANG_LEAST_MS		3000
#define KILL_AFTER_HURRY_MS	2000

static const char *const state_names[] = { "resting", "clearing", "starting",
    "running", "deaf", "stopping", "stopped" };

static void
private_state_set(struct private_server *server, enum private_state state)
{
	static const unsigned may_become[] = {
		[PRIVATE_RESTING] = 1u << PRIVATE_CLEARING |
		    1u << PRIVATE_STOPPED,
		[PRIVATE_CLEARING] = 1u << PRIVATE_STARTING |
		    1u << PRIVATE_RESTING | 1u << PRIVATE_STOPPED,
		[PRIVATE_STARTING] = 1u << PRIVATE_RUNNING |
		    1u << PRIVATE_RESTING | 1u << PRIVATE_STOPPING,
		[PRIVATE_RUNNING] = 1u << PRIVATE_DEAF |
		    1u << PRIVATE_RESTING | 1u << PRIVATE_STOPPING,
		[PRIVATE_DEAF] = 1u << PRIVATE_RUNNING |
		    1u << PRIVATE_RESTING | 1u << PRIVATE_STOPPING,
		[PRIVATE_STOPPING] = 1u << PRIVATE_STOPPED,
		[PRIVATE_STOPPED] = 0,
	};
	static const enum part_state told[] = {
		[PRIVATE_RESTING] = PART_DOWN,
		[PRIVATE_CLEARING] = PART_STARTING,
		[PRIVATE_STARTING] = PART_STARTING,
		[PRIVATE_RUNNING] = PART_OK,
		[PRIVATE_DEAF] = PART_DOWN,
		[PRIVATE_STOPPING] = PART_DOWN,
		[PRIVATE_STOPPED] = PART_DOWN,
	};

	must(may_become[server->state] & 1u << state);
	log_debug("private server changed",
	    F("server", server->acts->title),
	    F("was", state_names[server->state]),
	    F("is", state_names[state]));
	server->state = state;
	server->since_ms = server->due_ms = clock_ms();
	atomic_store(&server->place->segment->parts[server->acts->part],
	    told[state]);
}

void
private_init(struct private_server *server, const struct private_acts *acts,
    struct private_place *place)
{
	*server = (struct private_server){ .magic = PRIVATE_SERVER_MAGIC,
	    .acts = acts, .place = place, .folder = -1, .log = -1,
	    .state = PRIVATE_RESTING };
	atomic_store(&place->segment->parts[acts->part], PART_STARTING);
}

/*
 * Clearing: what an earlier server left behind, be it an orphan that still
 * works or the rest of one whose leader was killed, is asked to stop, then
 * told to, then killed. True: none is left.
 */
static bool
clear_step(struct private_server *server, int folder)
{
	struct proc_found found[PROC_FOUND_MAX];
	unsigned count = proc_find(folder, server->acts->program, found);
	int64_t waited = clock_ms() - server->since_ms;
	int number = waited >= CLEAR_KILL_MS ? SIGKILL :
	    waited >= CLEAR_HURRY_MS ? server->acts->hurry_signal :
	    server->acts->stop_signal;

	if (count == 0)
		return (true);
	if (number == server->signal_sent && number != SIGKILL)
		return (false);
	for (unsigned i = 0; i < count; i++) {
		if (!found[i].is_leader && number != SIGKILL)
			continue;
		if (number != server->signal_sent)
			log_warn("process of an earlier private server is "
			    "stopped", F("server", server->acts->title),
			    F("pid", (int)found[i].pid),
			    F("signal", number));
		kill(found[i].pid, number);
		/* One that was stopped would not even hear it. */
		kill(found[i].pid, SIGCONT);
	}
	server->signal_sent = number;
	return (false);
}

bool
private_clear(struct private_server *server, int folder)
{
	server->signal_sent = 0;
	server->since_ms = clock_ms();
	while (!clear_step(server, folder)) {
		if (private_is_asked_to_stop())
			return (false);
		proc_pause(CLEAR_LOOK_MS);
	}
	return (true);
}

static void
rest_a_while(struct private_server *server)
{
	bool lived_well = server->state != PRIVATE_CLEARING &&
	    clock_ms() - server->started_ms >= LIVED_WELL_MS;

	server->deaths = lived_well ? 1 : server->deaths + 1;
	server->pause_ms = lived_well || server->pause_ms == 0 ?
	    FIRST_PAUSE_MS : server->pause_ms * 2;
	if (server->pause_ms > server->place->restart_max)
		server->pause_ms = server->place->restart_max;
	private_state_set(server, PRIVATE_RESTING);
	server->due_ms = clock_ms() + server->pause_ms;
}

static void
private_spawn(struct private_server *server)
{
	server->acts->tidy(server);
	private_begin_log(server);
	log_flush();
	server->pid = server->acts->spawn(server);
	if (server->pid < 0) {
		server->pid = 0;
		log_error("private server could not be started",
		    F("server", server->acts->title),
		    F("why", strerror(errno)));
		rest_a_while(server);
		return;
	}
	COUNT(process_starts);
	server->started_ms = server->heard_ms = clock_ms();
	server->has_beginning_logged = false;
	log_info("private server started", F("server", server->acts->title),
	    F("pid", (int)server->pid), F("user", server->user.name));
	private_state_set(server, PRIVATE_STARTING);
}

static void
ping_forget(struct private_server *server)
{
	if (server->ping != NULL)
		server->acts->ping_stop(server->ping);
	server->ping = NULL;
}

static int64_t
at_most(int64_t a, int64_t b)
{
	return (a < b ? a : b);
}

static void
heard(struct private_server *server)
{
	server->heard_ms = clock_ms();
	if (server->state == PRIVATE_RUNNING)
		return;
	log_info(server->state == PRIVATE_DEAF ?
	    "private server answers again" : "private server ready",
	    F("server", server->acts->title), F("pid", (int)server->pid),
	    F("after_ms", clock_ms() - server->since_ms));
	private_state_set(server, PRIVATE_RUNNING);
}

static void
not_heard(struct private_server *server)
{
	int64_t most = server->place->beat_timeout * 3;
	enum ping_answer answer = server->answer;

	if (answer == PING_BEGINNING || answer == PING_REFUSED)
		server->heard_ms = clock_ms();
	if (answer == PING_BEGINNING && server->state == PRIVATE_STARTING &&
	    !server->has_beginning_logged) {
		server->has_beginning_logged = true;
		log_info("private server is still starting up",
		    F("server", server->acts->title),
		    F("says", server->answered));
	}
	if (server->state == PRIVATE_RUNNING) {
		log_error("private server does not answer",
		    F("server", server->acts->title),
		    F("pid", (int)server->pid), F("why", server->answered));
		private_state_set(server, PRIVATE_DEAF);
	}
	if (most < HANG_LEAST_MS)
		most = HANG_LEAST_MS;
	if (clock_ms() - server->heard_ms < most)
		return;
	log_error("private server hangs, killed",
	    F("server", server->acts->title), F("pid", (int)server->pid),
	    F("silent_ms", clock_ms() - server->heard_ms));
	COUNT(process_hangs);
	server->heard_ms = clock_ms();
	kill(server->pid, SIGKILL);
}

static int64_t
ping_pause(const struct private_server *server)
{
	if (server->state == PRIVATE_STARTING)
		return (at_most(PING_SELDOM_MS, PING_AGAIN_MS + (clock_ms() -
		    server->since_ms) / 10));
	if (server->state == PRIVATE_DEAF)
		return (at_most(PING_DEAF_MS,
		    server->place->beat_timeout / 2));
	return (at_most(PING_EVERY_MS, server->place->beat_timeout / 2));
}

static void
ping_step(struct private_server *server)
{
	enum ping_answer answer;
	int64_t now = clock_ms();

	if (server->ping == NULL) {
		server->ping = server->acts->ping_start(server);
		server->ping_by_ms = now + at_most(PING_MOST_MS,
		    server->place->beat_timeout);
	}
	answer = server->acts->ping_poll(server->ping);
	server->due_ms = now + PING_LOOK_MS;
	if (answer == PING_WAITING && now < server->ping_by_ms)
		return;
	server->answer = answer;
	snprintf(server->answered, sizeof server->answered, "%s",
	    answer == PING_WAITING ? "no answer in time" :
	    server->acts->ping_why(server->ping));
	ping_forget(server);
	if (answer == PING_OK)
		heard(server);
	else
		not_heard(server);
	server->due_ms = clock_ms() + ping_pause(server);
}

void
private_tick(struct private_server *server)
{
	object_check(server, PRIVATE_SERVER_MAGIC);
	if (clock_ms() < server->due_ms)
		return;
	switch (server->state) {
	case PRIVATE_RESTING:
		server->signal_sent = 0;
		private_state_set(server, PRIVATE_CLEARING);
		/* FALLTHROUGH */
	case PRIVATE_CLEARING:
		if (clear_step(server, server->folder))
			private_spawn(server);
		else
			server->due_ms = clock_ms() + CLEAR_LOOK_MS;
		break;
	case PRIVATE_STARTING:
	case PRIVATE_RUNNING:
	case PRIVATE_DEAF:
		ping_step(server);
		break;
	case PRIVATE_STOPPING:
	case PRIVATE_STOPPED:
		server->due_ms = INT64_MAX;
		break;
	}
}

int64_t
private_wait_ms(const struct private_server *server)
{
	int64_t left;

	if (server->due_ms == INT64_MAX)
		return (INT64_MAX);
	left = server->due_ms - clock_ms();
	return (left < 0 ? 0 : left);
}

void
private_on_exit(struct private_server *server, int status)
{
	object_check(server, PRIVATE_SERVER_MAGIC);
	ping_forget(server);
	server->pid = 0;
	if (server->state == PRIVATE_STOPPING) {
		log_info("private server stopped",
		    F("server", server->acts->title),
		    F("how", proc_status_text(status)));
		private_state_set(server, PRIVATE_STOPPED);
		return;
	}
	COUNT(process_deaths);
	rest_a_while(server);
	log_error("private server ended", F("server", server->acts->title),
	    F("how", proc_status_text(status)),
	    F("said", private_last_words(server)),
	    F("again_in_ms", server->pause_ms));
}

void
private_stop(struct private_server *server)
{
	switch (server->state) {
	case PRIVATE_RESTING:
	case PRIVATE_CLEARING:
		private_state_set(server, PRIVATE_STOPPED);
		break;
	case PRIVATE_STARTING:
	case PRIVATE_RUNNING:
	case PRIVATE_DEAF:
		ping_forget(server);
		private_state_set(server, PRIVATE_STOPPING);
		server->signal_sent = server->acts->stop_signal;
		if (server->acts->part == PART_POSTGRES &&
		    FAULT(postgres_stop_hangs))
			break;
		kill(server->pid, server->acts->stop_signal);
		kill(server->pid, SIGCONT);
		break;
	case PRIVATE_STOPPING:
	case PRIVATE_STOPPED:
		break;
	}
}

void
private_kill(struct private_server *server)
{
	int64_t now = clock_ms();
	int number = server->acts->hurry_signal;

	private_stop(server);
	if (server->state != PRIVATE_STOPPING ||
	    server->signal_sent == SIGKILL)
		return;
	if (server->signal_sent == number) {
		if (now - server->since_ms < KILL_AFTER_HURRY_MS)
			return;
		number = SIGKILL;
	}
	log_warn("private server does not stop, told again",
	    F("server", server->acts->title), F("pid", (int)server->pid),
	    F("signal", number));
	server->signal_sent = number;
	server->since_ms = now;
	kill(server->pid, number);
}

void
private_close_in_child(struct private_server *server)
{
	if (server->ping != NULL)
		server->acts->ping_abandon(server->ping);
	server->ping = NULL;
	close(server->folder);
	close(server->log);
}
