/* SPDX-License-Identifier: MIT */
/*
 * HTTP as a worker serves it: h2o set up, listening sockets, TLS.
 *
 *	http = http_create(&setup);
 *	if (tls_listen is set && !http_use_tls(http, &why)) ...
 *	http_accept_from(http, fd, DOOR_FRONT, false, false);
 *	...
 *	http_stop_accepting(http, fd);
 *	http_drain(http);
 *	... turns of the loop, until http_connections(http) is 0 ...
 *	http_destroy(&http);
 *
 * Holds always:
 *  1. HTTP/1.1 alone: HTTP/2 is off in the configuration and in ALPN.
 *  2. A listening socket is duplicated; the caller's own is neither shut
 *     nor closed here.
 *  3. Where no descriptors are left, accepting pauses and goes on; it never
 *     spins.
 *  4. When draining no request is lost: answers say Connection: close, and
 *     an idle connection is closed only once it has been quiet for 2 s.
 */
#ifndef TRANSPORT_HTTP_H
#define TRANSPORT_HTTP_H

#include <stdbool.h>

#include "core/op.h"

struct debug_door;
struct documents;
struct engineio_door;
struct http;
struct ws_door;
struct loop;

struct http_setup {
	struct loop		*loop;
	struct segment		*segment;
	unsigned		 slot;
	const struct conf	*conf;
	struct service		*service;	/* closed before */
	const struct ws_door	*doors;		/* or NULL; see rest.h */
	const struct engineio_door *engines;	/* the same */
	struct documents	*documents;	/* or NULL; kept by him */
	const struct debug_door	*debug;		/* the same */
	/* There are no descriptors left to accept with; may be NULL. */
	void			(*on_full)(void *context);
	void			*context;
};

struct http	*http_create(const struct http_setup *setup);
/* Closes whatever is still open. */
void		 http_destroy(struct http **http);

/* Reads tls_certificate and tls_key; false, and why. */
bool		 http_use_tls(struct http *http, const char **why_out);

/*
 * Both may be said again. is_shared: other processes accept from the same
 * socket, so only one is taken each time.
 */
void		 http_accept_from(struct http *http, int fd, enum door door,
		    bool is_tls, bool is_shared);
void		 http_stop_accepting(struct http *http, int fd);
/* What waits in its queue, before it may be closed for good. */
void		 http_accept_waiting(struct http *http, int fd);

void		 http_drain(struct http *http);
/* Ends Engine.IO sessions, one after the other, over that time. */
void		 http_drain_engines(struct http *http, int64_t spread_ms);
/*
 * Cuts all WebSocket connections and ends all sessions; their applications
 * are told.
 */
void		 http_close_sockets(struct http *http);
unsigned	 http_connections(const struct http *http);

#endif
