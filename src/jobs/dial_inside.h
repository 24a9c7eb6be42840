/* SPDX-License-Identifier: MIT */
/*
 * What the files of a dial share: dial.c has its life, dial_talk.c what goes
 * over its connection.
 *
 *	CONNECTING ──> SHAKING ──> ASKING ──┬──> OPEN ────┐
 *	(a fetch)      (TLS)	   (HTTP)   └──> REFUSED ─┴──> ENDING ──> GONE
 *
 * Holds always:
 *  1. Whatever happens to a dial comes in by one of few doors (the socket, a
 *     timer, its fetch), each of which holds it while it is inside, so that
 *     a callback may drop it.
 *  2. From ENDING on nothing of it is open any more.
 */
#ifndef JOBS_DIAL_INSIDE_H
#define JOBS_DIAL_INSIDE_H

#include "base/buf.h"
#include "jobs/dial.h"
#include "jobs/dial_handshake.h"
#include "jobs/dial_pipe.h"
#include "plat/frame.h"
#include "plat/timer.h"

struct loop_watch;

enum dial_state { DIAL_CONNECTING, DIAL_SHAKING, DIAL_ASKING, DIAL_REFUSED,
    DIAL_OPEN, DIAL_ENDING, DIAL_GONE };

struct dial {
	unsigned	 magic;
#define DIAL_MAGIC 0x6469616c
	enum dial_state	 state;
	unsigned	 holders;	/* doors that are inside */
	struct dial	*prev, *next;
	struct fetcher	*fetcher;
	struct fetch	*fetch;		/* CONNECTING */
	struct dial_request request;	/* without its headers */
	char		*protocol;
	struct dial_target target;
	char		 key[HANDSHAKE_KEY_SIZE];
	struct pipe	 pipe;
	struct loop_watch *watch;
	struct timer	 limit;		/* to open; then silence */
	struct timer	 soon;		/* more to read, or the end */
	struct buf	 out;		/* what waits to be sent */
	size_t		 sent;		/* of it */
	struct buf	 got;		/* of the handshake's answer */
	struct handshake_answer answer;
	struct frame_rules rules;
	struct frame_reader reader;
	int64_t		 heard_ms;
	bool		 has_asked;	/* by a ping, since then */
	struct dial_end	 end;		/* ENDING */
	bool		 is_closing;	/* ours went: no fault counts */
	char		 reason[FRAME_CONTROL_MAX];
	char		 words[FETCH_WORDS_SIZE];
};

struct loop	*dial_loop(const struct dial *dial);
void	 dial_state_set(struct dial *dial, enum dial_state state);
void	 dial_hold(struct dial *dial);
void	 dial_give(struct dial *dial);
/* Told from a timer, because whoever is in the middle of something asks. */
void	 dial_end_as(struct dial *dial, enum fetch_why why,
	    const char *words);

/* The doors, but the fetch's. */
void	 dial_on_readable(struct dial *dial);
void	 dial_on_limit(struct dial *dial);
void	 dial_read_more(struct dial *dial);

void	 dial_shake(struct dial *dial);
/* false: too much waits. */
bool	 dial_put(struct dial *dial, enum frame_kind kind, text payload);
void	 dial_put_close(struct dial *dial, unsigned code);

#endif
