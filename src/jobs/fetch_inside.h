/* SPDX-License-Identifier: MIT */
/*
 * What the files of the fetcher share: fetcher.c has the queue and libcurl's
 * multi handle, fetch.c one request, fetch_end.c how it ended.
 *
 *	fetch_start ──> WAITING ──> AT_WORK ──> TELLING ──> gone
 *		  └────> DOOMED ────────────────┘
 *
 * Holds always:
 *  1. A fetch is in exactly one list, by its state; in none while TELLING.
 *  2. Libcurl's functions are never called inside its callbacks: what is
 *     cancelled there is removed after the call (is_cancelled).
 */
#ifndef JOBS_FETCH_INSIDE_H
#define JOBS_FETCH_INSIDE_H

#include <curl/curl.h>
#include <uthash.h>

#include "base/buf.h"
#include "jobs/fetch.h"
#include "jobs/guard.h"
#include "plat/timer.h"

enum fetch_state { FETCH_WAITING, FETCH_DOOMED, FETCH_AT_WORK,
    FETCH_TELLING };

struct origin {
	UT_hash_handle	 hh;
	struct origin	*prev, *next;	/* those whose turn will come */
	struct fetch	*waiting;
	unsigned	 at_work;
	bool		 is_in_turn;
	char		 key[];
};

struct fetch {
	unsigned	 magic;
#define FETCH_MAGIC 0x66746368
	enum fetch_state state;
	struct fetch	*prev, *next;
	struct fetcher	*fetcher;
	struct origin	*origin;	/* NULL: doomed */
	struct fetch_request request;	/* without its headers */
	char		*method;
	char		*url;
	char		*sent;		/* the body */
	struct curl_slist *headers;
	CURL		*easy;		/* AT_WORK */
	struct timer	 silence;
	int64_t		 began_us;
	size_t		 head_len;	/* of all headers so far */
	size_t		 body_len;	/* of the answer so far */
	struct buf	 kept;
	enum fetch_why	 why;		/* of ours; ANSWERED: curl tells */
	bool		 is_cancelled;
	bool		 has_head;
	bool		 has_enough;	/* we broke off; it is answered */
	bool		 was_opened;	/* a socket, for any address */
	char		 refusal[GUARD_WHY_SIZE];	/* or "" */
	char		 words[FETCH_WORDS_SIZE];
	char		 error[CURL_ERROR_SIZE];
};

/* What dials have in common; the fetcher keeps it and ends it. */
struct dials {
	struct dial		*all;
	struct ssl_ctx_st	*tls;		/* once one needed it */
};

struct dials *fetcher_dials(struct fetcher *fetcher);
struct ground *fetcher_ground(const struct fetcher *fetcher);
/* Those that are left are told that we are ending. */
void	 dials_end(struct dials *dials);

/* NULL: libcurl takes it not; why and words say so. */
CURL	*fetch_prepare(struct fetch *fetch, const char *ca_file);
void	 fetch_begin_silence(struct fetch *fetch);
void	 fetch_free(struct fetch *fetch);

/* A cause of ours, which what libcurl makes of it must not hide. */
void	 fetch_doom(struct fetch *fetch, enum fetch_why why,
	    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Words and all else, while its handle stands; NULL: it never began. */
void	 fetch_read_end(struct fetch *fetch, CURLcode code,
	    struct fetch_end *out);
/* Ends it for the cause that fetch_doom gave. Not inside libcurl. */
void	 fetch_break(struct fetch *fetch);
struct timers *fetch_timers(const struct fetch *fetch);

#endif
