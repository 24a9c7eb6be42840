/* SPDX-License-Identifier: MIT */
/*
 * A WebSocket that we open: ws:// or wss://, in text messages.
 *
 *	dial_open ──> connection ──> TLS ──> handshake ──> on_open
 *		      (a fetch's)	     (HTTP, 101)	 │
 *	on_close <── close, error, end, silence, timeout ── on_text…
 *
 * Holds always:
 *  1. on_close is called once for each dial_open, and never inside it or
 *     dial_say; at the latest fetcher_destroy does it. After dial_close and
 *     dial_drop nothing is called. The dial is gone when on_close returns.
 *  2. Inside each callback any dial may be closed.
 *  3. Pings are answered. After silence_ms in which nothing came the
 *     connection is given up; half of it before, a ping asks for news.
 *  4. What waits to be sent is at most DIAL_QUEUE_MAX bytes, what is kept of
 *     a message message_max.
 *  5. Certificates are checked; the guard judges as it does for requests.
 *     The connection counts as a request of its origin until it stands.
 *
 *	struct dial_request request = { .url = "wss://…/play?role=x",
 *	    .protocol = "ecast-v0", .open_timeout_ms = 10000,
 *	    .silence_ms = 60000, .message_max = 1 << 20, .guard = guard,
 *	    .on_open = on_open, .on_text = on_text, .on_close = on_close,
 *	    .me = me };
 *	dial = dial_open(fetcher, &request);
 *	dial_say(dial, TEXT("{}"));
 *	dial_close(&dial);
 */
#ifndef JOBS_DIAL_H
#define JOBS_DIAL_H

#include "jobs/fetch.h"

#define DIAL_QUEUE_MAX	(1 << 20)

struct dial;

struct dial_end {
	enum fetch_why	 why;		/* ANSWERED: it closed in order */
	const char	*words;
	int		 status;	/* of the handshake; 0: none came */
	unsigned	 code;		/* of a close frame; 1005: none */
	text		 reason;
	text		 body;		/* begin of a handshake's refusal */
	int64_t		 retry_after_s;
};

/* Everything is copied, but guard, and me. */
struct dial_request {
	const char		*url;
	const char		*protocol;	/* asked for; NULL: none */
	const struct fetch_header *headers;
	unsigned		 header_count;
	int64_t			 open_timeout_ms;
	int64_t			 silence_ms;	/* 0: no limit */
	size_t			 message_max;
	const struct guard	*guard;		/* NULL: anywhere */
	void	(*on_open)(void *me);		/* may be NULL */
	void	(*on_text)(void *me, text message);
	void	(*on_close)(void *me, const struct dial_end *end);
	void			*me;
};

struct dial	*dial_open(struct fetcher *fetcher,
		    const struct dial_request *request);
/* false: not open yet, or too much waits already. */
bool		 dial_say(struct dial *dial, text message);
/* In order: a close frame, if it is open; what it says is not waited for. */
void		 dial_close(struct dial **dial);
/* At once. */
void		 dial_drop(struct dial **dial);

#endif
