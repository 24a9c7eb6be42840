/* SPDX-License-Identifier: MIT */
/*
 * What workers tell each other of Socket.IO: what is to be done to all sockets
 * that are meant, in one message, and that message in pieces that a ring's
 * record has room for.
 *
 *	piece:	 S1 <origin> <number> <piece> <pieces>\n <bytes>
 *	message: <kind>, of asking also <asker>:<ask>:<number>:<workers>:, and
 *		 then, each as <length>:<bytes>, nsp, argument, rooms, except,
 *		 attachments behind their counts
 *
 * Holds always:
 *  1. What is written reads back as the same; what is read is whole and
 *     within the bounds below, or it is refused. Texts lie in what was read.
 *
 *	socketio_news_write(&news, &buf);
 *	if (socketio_news_read(message, &news)) ...
 */
#ifndef TRANSPORT_SOCKETIO_NEWS_H
#define TRANSPORT_SOCKETIO_NEWS_H

#include "base/buf.h"

#define SOCKETIO_NEWS_TEXTS 256		/* rooms, except and attachments */
#define SOCKETIO_PIECES_MAX 100000
#define SOCKETIO_PIECE_HEAD 80		/* bytes that its head takes at most */

enum socketio_what {
	SOCKETIO_EMIT = 'e',		/* argument: the packet's text */
	SOCKETIO_EMIT_VOLATILE = 'v',
	SOCKETIO_JOIN = 'j',		/* argument: the room */
	SOCKETIO_LEAVE = 'l',
	SOCKETIO_DISCONNECT_ALL = 'd',
	SOCKETIO_CLOSE_ALL = 'c',
	SOCKETIO_TAKEN = 't',		/* the room is a sid that another
					   process has; argument: its claim */
	/* Asking all; each has who asks, what, and two numbers. */
	SOCKETIO_ASK_ALL = 'a',		/* as EMIT; milliseconds */
	SOCKETIO_MEANT = 'm',		/* argument: the host; sockets that
					   are meant, and its workers */
	SOCKETIO_ANSWER = 'r',		/* argument: values */
	SOCKETIO_NO_ANSWER = 'n'	/* it has gone */
};

struct socketio_news {
	enum socketio_what what;
	int32_t		 tenant;	/* not written: the record's */
	text		 nsp;
	text		 argument;
	int64_t		 asker;		/* its origin */
	int64_t		 ask;
	int64_t		 number;
	int64_t		 workers;
	unsigned	 rooms;		/* the first ones of texts, then */
	unsigned	 except;
	unsigned	 attachments;
	text		 texts[SOCKETIO_NEWS_TEXTS];
};

struct socketio_piece {
	uint64_t	 origin;
	uint64_t	 number;
	uint32_t	 piece;		/* from 0 */
	uint32_t	 pieces;
	text		 bytes;
};

void	socketio_news_write(const struct socketio_news *news,
	    struct buf *buf);
bool	socketio_news_read(text message, struct socketio_news *news_out);
void	socketio_piece_write(const struct socketio_piece *piece,
	    struct buf *buf);
bool	socketio_piece_read(text given, struct socketio_piece *piece_out);

#endif
