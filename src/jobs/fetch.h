/* SPDX-License-Identifier: MIT */
/*
 * Requests that the jobs make over HTTP, on the loop, by libcurl.
 *
 *	fetch_start ──> waits ──> at work ──> on_head ──> on_body… ──> on_end
 *		  (bounds: all,		      (is_stream)
 *		   one origin)
 *
 * Libcurl's sockets are in an epoll set of the fetcher, which is one
 * descriptor to the loop.
 *
 * Holds always:
 *  1. on_end is called once for each fetch_start, and never inside it; at
 *     the latest fetcher_destroy does it. After fetch_cancel nothing is
 *     called. The fetch is gone when on_end returns.
 *  2. Inside each callback any fetch may be started and cancelled.
 *  3. Of each origin (scheme, host, port) outgoing_per_origin requests are at
 *     work at most, outgoing_at_once of all; the others wait: those of one
 *     origin in their order, and origins take turns. Waiting has no end
 *     here: who does not want to wait cancels.
 *  4. No redirect is followed, no proxy used, no cookie kept, no password
 *     sent. HTTP/1.1 alone. Certificates are checked.
 *  5. What an answer can make us hold is bounded: FETCH_HEAD_MAX, and
 *     max_answer.
 *  6. Only FETCH_ANSWERED means that the answer came to its end, or to
 *     where we stopped reading (is_cut). With any other why, status may
 *     still be that of an answer that broke off.
 *
 *	struct fetch_request request = { .method = "POST", .url = url,
 *	    .body = body, .headers = headers, .header_count = 2,
 *	    .timeout_ms = 15000, .connect_timeout_ms = 5000,
 *	    .max_answer = 2048, .guard = guard, .on_end = on_end, .me = me };
 *	fetch = fetch_start(fetcher, &request);
 */
#ifndef JOBS_FETCH_H
#define JOBS_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define FETCH_HEAD_MAX	 65536	/* bytes of all headers, those of 1xx too */
#define FETCH_OVERREAD	 65536	/* read and not kept, for the connection */
#define FETCH_WORDS_SIZE 192

struct fetch;
struct fetcher;
struct ground;
struct guard;

enum fetch_why {
	FETCH_ANSWERED,
	FETCH_BAD_URL,		/* or one that the guard does not take */
	FETCH_NOT_ALLOWED,	/* the guard refused each address */
	FETCH_NO_NAME,		/* its look-up failed */
	FETCH_REFUSED,
	FETCH_UNREACHABLE,
	FETCH_TLS,
	FETCH_TIMED_OUT,
	FETCH_CUT,		/* the connection ended too early */
	FETCH_BAD_ANSWER,	/* it is not HTTP */
	FETCH_TOO_LARGE,	/* headers; or a stream over max_answer */
	FETCH_STOPPED,		/* we are ending */
	FETCH_FAILED		/* any other; words has it */
};

struct fetch_end {
	enum fetch_why	 why;
	const char	*words;		/* "connection refused", or "" */
	int		 status;	/* 0: no answer came */
	text		 body;		/* what was kept of it */
	bool		 is_cut;	/* there is more */
	int64_t		 retry_after_s;	/* 0: it does not say */
	int64_t		 us;		/* at work, without the waiting */
};

struct fetch_header {
	const char	*name;
	text		 value;		/* without control signs */
};

/* Everything is copied, but guard, and me. */
struct fetch_request {
	const char		*method;
	const char		*url;
	const struct fetch_header *headers;
	unsigned		 header_count;
	text			 body;
	int64_t			 timeout_ms;	/* of all; 0: none */
	int64_t			 connect_timeout_ms;
	int64_t			 silence_ms;	/* nothing came; 0: none */
	size_t			 max_answer;
	bool			 is_stream;	/* on_body gets it all */
	/* Nothing is sent: on_connected gets the socket, to own and close. */
	bool			 is_connection;
	const struct guard	*guard;		/* NULL: anywhere */
	/* Each may be NULL, but on_end. */
	void	(*on_head)(void *me, int status, text content_type);
	void	(*on_body)(void *me, text piece);
	void	(*on_connected)(void *me, int fd);
	void	(*on_end)(void *me, const struct fetch_end *end);
	void			*me;
};

struct fetcher	*fetcher_create(struct ground *ground);
/* What waits ends as FETCH_STOPPED, and so does what is started later. */
void		 fetcher_stop(struct fetcher *fetcher);
/* Nothing is at work. */
bool		 fetcher_is_idle(const struct fetcher *fetcher);
/*
 * Before the ground, and before those whose on_end it calls; dials that are
 * left are told on_close.
 */
void		 fetcher_destroy(struct fetcher **fetcher);

struct fetch	*fetch_start(struct fetcher *fetcher,
		    const struct fetch_request *request);
void		 fetch_cancel(struct fetch **fetch);
const char	*fetch_why_name(enum fetch_why why);

#endif
