/* SPDX-License-Identifier: MIT */
/*
 * Offsets: what a client shows of what it was told last, once its connection
 * broke. It is the last argument of each event, and comes back as it was.
 *
 *	5f3a09c1 0:d41d8cd98f00:17 3:0b24a9e1c2f7:4
 *	│        │ │            └ the number of the last event
 *	│        │ └ the epoch in which it counts
 *	│        └ the so-many-eth stream that the socket followed
 *	└ of the private id: an older socket's offset says nothing of this one
 *
 * Holds always:
 *  1. What is written reads back as the same. What is read comes from
 *     outside: each stream is in it at most once, and the places ascend.
 *  2. A place points into the text that was read.
 *
 *	if (!socketio_offset_begin(&offset, given)) ...		no offset
 *	while (socketio_offset_next(&offset, &place)) ...
 *	if (offset.is_bad) ...					nor is this
 */
#ifndef TRANSPORT_SOCKETIO_OFFSET_H
#define TRANSPORT_SOCKETIO_OFFSET_H

#include "core/cursor.h"

#define SOCKETIO_MARK_LEN 8
#define SOCKETIO_NTH_MAX (INT64_MAX - 1)

struct socketio_place {
	int64_t		 nth;
	struct cursor	 cursor;	/* a pair */
};

struct socketio_offset {
	text		 mark;
	text		 rest;
	int64_t		 next;		/* nth, at least */
	bool		 has_more;
	bool		 is_bad;
};

bool	socketio_offset_begin(struct socketio_offset *offset, text given);
bool	socketio_offset_next(struct socketio_offset *offset,
	    struct socketio_place *place_out);

void	socketio_offset_write(text mark, struct buf *out);
void	socketio_offset_add(const struct socketio_place *place,
	    struct buf *out);

#endif
