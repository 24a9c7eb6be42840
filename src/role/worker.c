/* SPDX-License-Identifier: MIT */
/*
 * A worker: accepts from the sockets that the master hands it and serves
 * HTTP until it is told to drain.
 */
#include "app/conformance.h"
#include "app/echo.h"
#include "app/live.h"
#include "app/live_socket.h"
#include "app/tabletop.h"
#include "app/threads.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "core/feed.h"
#include "core/follow.h"
#include "core/lag.h"
#include "core/service.h"
#include "core/users.h"
#include "role/child.h"
#include "role/documents.h"
#include "role/server.h"
#include "transport/http.h"

#include <unistd.h>

#define FULL_MS 1000

/* /live, and the two families at /, with who refuses the others. */
#define SOCKETIO_APPS 4

/* A listening socket we were handed: which it is, and our descriptor. */
struct handed {
	uint32_t	 listener;
	uint32_t	 ordinal;
	int		 fd;
	struct handed	*next;
};

struct worker {
	unsigned	 magic;
#define WORKER_MAGIC 0x776f726b
	struct service	*service;
	struct live	*live;
	struct ws_door	 doors[2];
	struct engineio_door engines[3];
	struct threads	*threads;	/* NULL: for test suites alone */
	struct debug_door debug;
	struct socketio	*socketio;
	struct tabletop	*tabletop;
	struct socketio_app apps[SOCKETIO_APPS];
	struct live_sockets *live_sockets;
	struct documents *documents;
	struct http	*http;
	struct handed	*handed;
	struct timer	 full;		/* set: we said FULL */
};

static struct worker *
worker_of(struct child_self *self)
{
	return (object_cast(struct worker, WORKER_MAGIC, self->of_role));
}

/* A sibling may have descriptors: it gets our sockets for a while. */
static void
on_full(void *context)
{
	struct child_self *self = context;
	struct worker *worker = worker_of(self);

	if (timer_is_set(&worker->full) || self->is_draining)
		return;
	child_say(self, CHANNEL_FULL, 1);
	timer_set(loop_timers(self->loop), &worker->full, FULL_MS);
}

static void
on_room_again(struct child_self *self)
{
	child_say(self, CHANNEL_FULL, 0);
}

/* What test suites expect, in place of the applications. */
static void
add_suites(struct worker *worker, const struct conf *conf)
{
	worker->socketio = socketio_create(&(struct socketio_setup){
	    .service = worker->service, .apps = conformance_apps,
	    .apps_count = CONFORMANCE_APPS });
	worker->engines[0] = (struct engineio_door){ ECHO_PATH, &echo_acts,
	    NULL };
	worker->engines[1] = (struct engineio_door){ conf->socketio_path,
	    &socketio_acts, worker->socketio };
}

/* The first whose rule says so has the socket; the last refuses. */
static void
add_applications(struct worker *worker, const struct conf *conf)
{
	const struct socketio_app *of_threads;
	struct socketio_app *next = worker->apps;

	worker->live_sockets = live_sockets_create(worker->service);
	worker->tabletop = tabletop_create(worker->service);
	worker->threads = threads_create(worker->service);
	worker->debug = (struct debug_door){ &threads_debug_acts,
	    worker->threads };
	of_threads = threads_apps(worker->threads);
	*next++ = live_sockets_app(worker->live_sockets);
	*next++ = of_threads[0];
	*next++ = tabletop_app(worker->tabletop);
	*next++ = of_threads[1];
	must((size_t)(next - worker->apps) == SOCKETIO_APPS);
	worker->socketio = socketio_create(&(struct socketio_setup){
	    .service = worker->service, .apps = worker->apps,
	    .apps_count = SOCKETIO_APPS, .cookie = TEXT(USERS_COOKIE) });
	worker->engines[0] = (struct engineio_door){ conf->socketio_path,
	    &socketio_acts, worker->socketio };
}

static bool
worker_begin(struct child_self *self)
{
	struct worker *worker = object_create(struct worker, WORKER_MAGIC);
	struct http_setup setup = { .loop = self->loop,
	    .segment = self->segment, .slot = self->slot,
	    .conf = self->conf, .on_full = on_full, .context = self };
	const char *why;

	self->of_role = worker;
	timer_init(&worker->full, on_room_again, self);
	worker->service = service_create(&(struct service_setup){
	    .loop = self->loop, .segment = self->segment,
	    .slot = self->slot, .ordinal = self->ordinal,
	    .conf = self->conf, .admins = self->admins });
	setup.service = worker->service;
	worker->live = live_create(worker->service);
	worker->doors[0] = (struct ws_door){ LIVE_PATH, &live_acts,
	    worker->live };
	setup.doors = worker->doors;
	if (self->conf->socketio_conformance)
		add_suites(worker, self->conf);
	else
		add_applications(worker, self->conf);
	setup.engines = worker->engines;
	setup.debug = &worker->debug;
	worker->documents = documents_create();
	setup.documents = worker->documents;
	worker->http = http_create(&setup);
	lag_watch(worker->service->lag);
	if (self->conf->tls_listen[0] != '\0' &&
	    !http_use_tls(worker->http, &why)) {
		log_error("TLS cannot be served", F("why", why));
		return (false);
	}
	return (true);
}

static void
worker_release(struct worker *worker, uint32_t listener, uint32_t ordinal)
{
	struct handed **at = &worker->handed;

	while (*at != NULL) {
		struct handed *handed = *at;

		if (handed->listener == listener &&
		    handed->ordinal == ordinal) {
			http_stop_accepting(worker->http, handed->fd);
			close(handed->fd);
			*at = handed->next;
			mem_free(handed);
		} else
			at = &handed->next;
	}
}

static void
count_adopted(struct child_self *self)
{
	int64_t adopted = 0;

	for (const struct handed *handed = worker_of(self)->handed;
	    handed != NULL; handed = handed->next)
		adopted += handed->ordinal != self->ordinal;
	GAUGE_SET(ordinals_adopted, adopted);
}

static void
worker_accept(struct child_self *self, const struct channel_message *message,
    int fd)
{
	struct worker *worker = worker_of(self);

	worker_release(worker, message->listener, message->ordinal);
	if (message->word == CHANNEL_ACCEPT && fd >= 0) {
		struct handed *handed = mem_alloc(sizeof *handed);

		*handed = (struct handed){ message->listener,
		    message->ordinal, fd, worker->handed };
		worker->handed = handed;
		http_accept_from(worker->http, fd,
		    message->kind == LISTEN_ADMIN ? DOOR_ADMIN : DOOR_FRONT,
		    message->kind == LISTEN_TLS, message->is_shared);
	}
	count_adopted(self);
}

/* Before that it would refuse what the old one still answers. */
static bool
worker_is_ready(struct child_self *self)
{
	return (worker_of(self)->service->is_ready);
}

static void
worker_news(struct child_self *self)
{
	feed_news(worker_of(self)->service->feed);
}

static void
worker_drain(struct child_self *self)
{
	struct worker *worker = worker_of(self);
	int64_t left_ms;

	/* Where the server stops, nobody else accepts what waits there. */
	while (worker->handed != NULL) {
		http_accept_waiting(worker->http, worker->handed->fd);
		worker_release(worker, worker->handed->listener,
		    worker->handed->ordinal);
	}
	http_drain(worker->http);
	/* Who is told last has the other half for his goodbye. */
	left_ms = (self->leave_by_ms - clock_ms()) / 2;
	live_drain(worker->live, self->conf->drain_spread < left_ms ?
	    self->conf->drain_spread : left_ms);
	http_drain_engines(worker->http, self->conf->drain_spread <
	    left_ms ? self->conf->drain_spread : left_ms);
	follows_drain(worker->service->follows, self->conf->drain_spread);
}

static bool
worker_has_finished(struct child_self *self)
{
	struct worker *worker = worker_of(self);

	/* Who has gone may have left work that others are to hear of. */
	return (http_connections(worker->http) == 0 &&
	    (worker->threads == NULL ||
	    threads_have_finished(worker->threads)) &&
	    (worker->tabletop == NULL ||
	    tabletop_has_finished(worker->tabletop)) &&
	    service_has_finished(worker->service));
}

static void
worker_end(struct child_self *self)
{
	struct worker *worker = worker_of(self);

	timer_stop(loop_timers(self->loop), &worker->full);
	http_close_sockets(worker->http);
	live_destroy(&worker->live);
	socketio_destroy(&worker->socketio);
	live_sockets_destroy(&worker->live_sockets);
	threads_close(worker->threads);
	service_close(worker->service);
	threads_destroy(&worker->threads);
	tabletop_destroy(&worker->tabletop);
	http_destroy(&worker->http);
	documents_destroy(&worker->documents);
	service_destroy(&worker->service);
	object_free(&worker);
	self->of_role = NULL;
}

const struct role_acts worker_acts = { .begin = worker_begin,
    .is_ready = worker_is_ready, .accept = worker_accept,
    .news = worker_news, .drain = worker_drain,
    .has_finished = worker_has_finished, .end = worker_end };
