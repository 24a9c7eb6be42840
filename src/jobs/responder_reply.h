/* SPDX-License-Identifier: MIT */
/*
 * Reading what a responder answers, piece by piece as it comes: JSON objects,
 * in one of three forms that its Content-Type names.
 *
 *	text/event-stream	data: {"type":"analysis",…}	blocks of lines
 *	application/x-ndjson	{"type":"analysis",…}		one on a line
 *	application/json	{"message":"…"} or [{…},{…}]	all of it
 *
 * Holds always:
 *  1. Each object is told once, in order, as soon as its last byte is there:
 *     valid by core/json, without blanks and breaks, of REPLY_ITEM_MAX bytes
 *     and REPLY_DEPTH_MAX levels at most.
 *  2. Where the pieces are cut makes no difference.
 *  3. At most `most` bytes are read, and so many are kept at once.
 *  4. After the first thing that is wrong nothing more is told.
 *
 *	reply_init(&reply, REPLY_EVENTS, most, on_item, me);
 *	if (!reply_read(&reply, piece) || !reply_end(&reply))
 *		... reply.problem says in words what it was
 *	reply_fini(&reply);
 */
#ifndef JOBS_RESPONDER_REPLY_H
#define JOBS_RESPONDER_REPLY_H

#include "base/buf.h"

#define REPLY_ITEM_MAX	65536
#define REPLY_DEPTH_MAX	16	/* events have it inside of more */

enum reply_form {
	REPLY_UNKNOWN,
	REPLY_EVENTS,		/* Server-Sent Events */
	REPLY_LINES,
	REPLY_WHOLE
};

struct reply {
	enum reply_form	 form;
	size_t		 left;		/* that may still be read */
	struct buf	 line;		/* as far as it came; or all */
	struct buf	 data;		/* of the block at hand */
	bool		 has_data;
	bool		 has_begun;
	bool		 was_return;	/* \n belongs to the \r before it */
	const char	*problem;	/* NULL: none */
	void		(*on_item)(void *me, text object);
	void		*me;
};

enum reply_form reply_form_of(text content_type);

void	reply_init(struct reply *reply, enum reply_form form, size_t most,
	    void (*on_item)(void *me, text object), void *me);
void	reply_fini(struct reply *reply);
/* false: it is unfit, now or before. */
bool	reply_read(struct reply *reply, text piece);
/* There is no more. */
bool	reply_end(struct reply *reply);

#endif
