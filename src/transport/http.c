/* SPDX-License-Identifier: MIT */
/*
 * h2o within its traps, and accepting.
 */
#include "transport/http.h"

#include <errno.h>
#include <fcntl.h>
#include <h2o.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/stamp.h"
#include "plat/deflate.h"
#include "plat/loop.h"
#include "plat/tls.h"
#include "transport/peer.h"
#include "transport/rest.h"

#define WAITING_MOST	4096	/* more than a queue holds */
#define ACCEPTS_AT_ONCE 16
#define EARLY_MOST 4096
#define PAUSE_MS 100
/* h2o's own limits run on the wall clock and are meant never to be reached. */
#define FAR_AWAY_MS (7 * 24 * 3600 * 1000ULL)
#define TURNS_TO_CLOSE 100

struct http_listener {
	unsigned	 magic;
#define HTTP_LISTENER_MAGIC 0x6c73746e
	struct http	*http;
	int		 fd;		/* the caller's; tells them apart */
	h2o_socket_t	*sock;		/* of our duplicate */
	enum door	 door;
	bool		 is_tls;
	bool		 is_shared;
	struct timer	 pause;
	struct http_listener *prev, *next;
};

struct http {
	unsigned	 magic;
#define HTTP_MAGIC 0x68747470
	struct loop	*loop;
	struct op_ground ground;
	h2o_globalconf_t config;
	h2o_context_t	 context;
	h2o_hostconf_t	*hosts[DOORS][2];	/* each a list of one */
	h2o_accept_ctx_t accept[DOORS];
	h2o_accept_ctx_t accept_tls;
	SSL_CTX		*tls;
	struct peers	*peers;
	struct rest	*rest;
	struct http_listener *listeners;
	int64_t		 complained_ms;
	void			(*on_full)(void *);
	void			*full_context;
};

static size_t
largest_body(const struct conf *conf)
{
	return ((size_t)(conf->max_body > conf->engineio_max_payload ?
	    conf->max_body : conf->engineio_max_payload));
}

static void
configure(struct http *http)
{
	h2o_globalconf_t *config = &http->config;

	h2o_config_init(config);
	config->server_name = h2o_iovec_init("", 0);
	config->http1.upgrade_to_http2 = 0;
	config->http1.req_timeout = FAR_AWAY_MS;
	config->handshake_timeout = FAR_AWAY_MS;
	/* One more, because h2o refuses a chunked body that just fits. */
	config->max_request_entity_size = largest_body(http->ground.conf) + 1;
	/* Large bodies stay in memory, where body_memory bounds them. */
	h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX;
	for (enum door door = 0; door < DOORS; door++) {
		const char *name = door_name(door);

		http->hosts[door][0] = h2o_config_register_host(config,
		    h2o_iovec_init(name, strlen(name)), 65535);
		must(http->hosts[door][0] != NULL);
		rest_serve(http->rest, http->hosts[door][0]);
	}
}

struct http *
http_create(const struct http_setup *setup)
{
	struct http *http = object_create(struct http, HTTP_MAGIC);

	http->loop = setup->loop;
	http->on_full = setup->on_full;
	http->full_context = setup->context;
	http->ground = (struct op_ground){ .segment = setup->segment,
	    .slot = setup->slot, .conf = setup->conf,
	    .service = setup->service, .documents = setup->documents,
	    .debug = setup->debug };
	http->rest = rest_create(&http->ground, http->loop,
	    setup->doors, setup->engines);
	http->peers = peers_create(http->loop, &http->ground);
	configure(http);
	h2o_context_init(&http->context, loop_h2o(http->loop),
	    &http->config);
	for (enum door door = 0; door < DOORS; door++)
		http->accept[door] = (h2o_accept_ctx_t){
		    .ctx = &http->context, .hosts = http->hosts[door] };
	return (http);
}

bool
http_use_tls(struct http *http, const char **why_out)
{
	const struct conf *conf = http->ground.conf;

	must(http->tls == NULL);
	http->tls = tls_create(conf->tls_certificate, conf->tls_key,
	    why_out);
	http->accept_tls = http->accept[DOOR_FRONT];
	http->accept_tls.ssl_ctx = http->tls;
	return (http->tls != NULL);
}

static void
complain(struct http *http, int error)
{
	int64_t now = clock_ms();

	if (http->complained_ms != 0 && now - http->complained_ms < 1000)
		return;
	http->complained_ms = now;
	log_warn(error == EMFILE || error == ENFILE ?
	    "connections wait until there are descriptors again" :
	    "connections cannot be accepted, trying again",
	    F("why", (const char *)strerror(error)),
	    F("connections", http_connections(http)));
}

/* With who it is, which h2o's own accept does not tell. */
static h2o_socket_t *
accept_one(const struct http_listener *listener, struct peer_from *from)
{
	int fd;

	if (FAULT(accept_no_files)) {
		errno = EMFILE;
		return (NULL);
	}
	from->at.ss_family = AF_UNSPEC;
	from->len = sizeof from->at;
	fd = accept4(h2o_socket_get_fd(listener->sock),
	    (struct sockaddr *)&from->at, &from->len,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return (NULL);
	return (h2o_evloop_socket_create(loop_h2o(listener->http->loop), fd,
	    H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION));
}

/*
 * What came before it was accepted, which most of the requests that open a
 * connection have: such a one need not be watched for it.
 */
static void
read_early(h2o_socket_t *client)
{
	char early[EARLY_MOST];
	ssize_t len = recv(h2o_socket_get_fd(client), early, sizeof early,
	    MSG_DONTWAIT);

	/* That it ended, or broke, h2o finds out by itself. */
	if (len <= 0)
		return;
	memcpy(h2o_buffer_reserve(&client->input, (size_t)len).base, early,
	    (size_t)len);
	client->input->size += (size_t)len;
}

static void
serve(const struct http_listener *listener, h2o_socket_t *client,
    const struct peer_from *from)
{
	struct http *http = listener->http;

	if (peers_accept(http->peers, client, listener->door, from) == NULL)
		return;
	if (!listener->is_tls)
		read_early(client);
	h2o_accept(listener->is_tls ? &http->accept_tls :
	    &http->accept[listener->door], client);
}

/* At most so many; false: not all that waits could be accepted. */
static bool
accept_some(struct http_listener *listener, unsigned most)
{
	for (unsigned i = 0; i < most; i++) {
		struct peer_from from;
		h2o_socket_t *client = accept_one(listener, &from);

		if (client != NULL) {
			serve(listener, client, &from);
			continue;
		}
		if (errno == EAGAIN)
			return (true);
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		complain(listener->http, errno);
		return (false);
	}
	return (true);
}

static void
on_acceptable(h2o_socket_t *sock, const char *error)
{
	struct http_listener *listener = object_cast(struct http_listener,
	    HTTP_LISTENER_MAGIC, sock->data);
	struct http *http = listener->http;

	(void)error;
	loop_arrival_us(http->loop);
	if (accept_some(listener, listener->is_shared ? 1 :
	    ACCEPTS_AT_ONCE))
		return;
	h2o_socket_read_stop(listener->sock);
	timer_set(loop_timers(http->loop), &listener->pause, PAUSE_MS);
	if (http->on_full != NULL)
		http->on_full(http->full_context);
}

static void
on_pause_over(struct http_listener *listener)
{
	h2o_socket_read_start(listener->sock, on_acceptable);
}

static struct http_listener *
find_listener(struct http *http, int fd)
{
	struct http_listener *listener;

	DL_FOREACH(http->listeners, listener)
		if (listener->fd == fd)
			break;
	return (listener);
}

void
http_accept_from(struct http *http, int fd, enum door door, bool is_tls,
    bool is_shared)
{
	struct http_listener *listener;
	int copy;

	object_check(http, HTTP_MAGIC);
	must(!is_tls || http->tls != NULL);
	if (find_listener(http, fd) != NULL)
		return;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		log_error("a listening socket cannot be used",
		    F("why", (const char *)strerror(errno)));
		return;
	}
	listener = object_create(struct http_listener, HTTP_LISTENER_MAGIC);
	listener->http = http;
	listener->fd = fd;
	listener->door = door;
	listener->is_tls = is_tls;
	listener->is_shared = is_shared;
	timer_init(&listener->pause, on_pause_over, listener);
	listener->sock = h2o_evloop_socket_create(loop_h2o(http->loop), copy,
	    H2O_SOCKET_FLAG_DONT_READ);
	listener->sock->data = listener;
	h2o_socket_read_start(listener->sock, on_acceptable);
	DL_APPEND(http->listeners, listener);
}

void
http_stop_accepting(struct http *http, int fd)
{
	struct http_listener *listener = find_listener(http, fd);

	if (listener == NULL)
		return;
	timer_stop(loop_timers(http->loop), &listener->pause);
	h2o_socket_close(listener->sock);
	DL_DELETE(http->listeners, listener);
	object_free(&listener);
}

void
http_accept_waiting(struct http *http, int fd)
{
	struct http_listener *listener = find_listener(http, fd);

	if (listener != NULL)
		accept_some(listener, WAITING_MOST);
}

void
http_drain(struct http *http)
{
	/*
	 * What h2o_context_request_shutdown does, without the timer that it
	 * starts for HTTP/2, which forbids disposing for a second.
	 */
	http->context.shutdown_requested = 1;
	peers_drain(http->peers);
}

void
http_drain_engines(struct http *http, int64_t spread_ms)
{
	engineio_set_drain(rest_engineio_set(http->rest), spread_ms);
}

void
http_close_sockets(struct http *http)
{
	engineio_set_close(rest_engineio_set(http->rest));
	ws_set_close(rest_ws_set(http->rest));
}

unsigned
http_connections(const struct http *http)
{
	return (http->peers->count +
	    (unsigned)ws_set_count(rest_ws_set(http->rest)) +
	    (unsigned)engineio_set_count(rest_engineio_set(http->rest)));
}

void
http_destroy(struct http **given)
{
	struct http *http = *given;
	h2o_multithread_queue_t *queue;

	*given = NULL;
	if (http == NULL)
		return;
	object_check(http, HTTP_MAGIC);
	while (http->listeners != NULL)
		http_stop_accepting(http, http->listeners->fd);
	engineio_set_close(rest_engineio_set(http->rest));
	peers_close(http->peers);
	for (unsigned i = 0; i < TURNS_TO_CLOSE &&
	    http_connections(http) > 0; i++)
		loop_turn(http->loop, 10);
	must(http_connections(http) == 0);
	loop_turn(http->loop, 0);
	/* h2o takes its queue apart and leaves the pieces to us. */
	queue = http->context.queue;
	h2o_context_dispose(&http->context);
	mem_free(queue);
	loop_turn(http->loop, 0);
	h2o_config_dispose(&http->config);
	peers_destroy(&http->peers);
	rest_destroy(&http->rest);
	tls_destroy(&http->tls);
	deflate_end();
	object_free(&http);
}
