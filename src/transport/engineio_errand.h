/* SPDX-License-Identifier: MIT */
/*
 * What is said over a line, below engineio_line.h: heads of messages, and
 * the line itself.
 *
 *	| head: size, word, …, sid | body of that size |  next head …
 *
 * Holds always:
 *  1. Who asks numbers its errands; an answer to one that was cancelled
 *     meanwhile is passed over.
 *  2. A descriptor travels with the first byte of its SOCKET message.
 */
#ifndef TRANSPORT_ENGINEIO_ERRAND_H
#define TRANSPORT_ENGINEIO_ERRAND_H

#include "transport/engineio_inside.h"

#define LINE_FDS 64

enum line_word {
	LINE_POLL = 1,
	LINE_POST,
	LINE_CANCEL,
	LINE_LOOK,
	LINE_SOCKET,
	LINE_ANSWER
};

struct line_head {
	uint32_t	 size;		/* of the body */
	uint32_t	 number;
	uint64_t	 who;
	int32_t		 tenant;
	uint8_t		 word;		/* enum line_word */
	uint8_t		 answer;	/* enum engineio_answer */
	uint8_t		 door;		/* its place among the doors */
	bool		 is_bytes : 1;
	bool		 deflates : 1;
	bool		 is_relayed : 1;
	bool		 has_address : 1;
	char		 sid[ENGINEIO_SID_LETTERS];
};

struct line_piece {
	struct line_piece *next;
	int		 fd;		/* -1: none, or it is sent */
	size_t		 len;
	size_t		 sent;
	char		 at[];
};

struct engineio_line {
	unsigned	 magic;
#define ENGINEIO_LINE_MAGIC 0x65696c6e
	struct engineio_set *set;
	int		 fd;
	struct loop_watch *watch;
	bool		 is_ours;	/* we ask, the other one answers */
	bool		 is_broken;	/* its end is on the way */
	struct engineio_place place;	/* of the other one, where it is ours */
	uint32_t	 last;		/* number of an errand */
	struct line_errand *errands;	/* by number */
	struct line_piece *pieces;
	size_t		 waiting;	/* bytes of them */
	char		*got;
	size_t		 got_len;
	size_t		 got_size;
	int		 fds[LINE_FDS];	/* that came, in order */
	unsigned	 fds_count;
	struct engineio_line *prev, *next;
};

/* NULL: nobody is there. */
struct engineio_line *engineio_line_to(struct engineio_set *set,
	    const struct engineio_place *place);
/* The body is copied; fd is -1, or becomes ours. */
void	engineio_line_send(struct engineio_line *line,
	    struct line_head *head, text body, int fd);

/* A message; fd is -1, or becomes ours. */
void	engineio_errand_hear(struct engineio_line *line,
	    const struct line_head *head, text body, int fd);
/* The line is gone. */
void	engineio_errands_lose(struct engineio_line *line);

#endif
