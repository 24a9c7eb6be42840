/* SPDX-License-Identifier: MIT */
/*
 * Frames of the WebSocket protocol (RFC 6455), in and out.
 *
 *	 0		 1		 2 ...
 *	| FIN RSV opcode | MASK length  | length: 0, 2 or 8 | mask: 0, 4 |
 *
 * A reader takes bytes cut anywhere and tells what came to its end. It sees
 * a fault at the first byte that makes it one: a size before the payload
 * arrives, text at the byte where it stops being UTF-8.
 *
 * Holds always:
 *  1. A frame that is whole in the input costs no copy and no memory: it is
 *     unmasked where it lies. Only what is incomplete is kept, in memory
 *     that grows with what arrived, never with what was announced.
 *  2. A message, compressed or not, is at most message_max bytes long.
 *  3. Between two frames of its peer a reader keeps nothing but itself.
 *  4. After FRAME_CLOSE and FRAME_ERROR it swallows whatever comes.
 *  5. What an event points at stands until the next call with this reader
 *     or, if it was compressed, with any.
 *
 *	frame_reader_init(&reader, &rules, deflate.is_on);
 *	while (frame_read(&reader, &input, &event))
 *		switch (event.kind) ...
 *	frame_reader_fini(&reader);
 *
 * A server's frame is the same for every client, so it is made once:
 *
 *	bytes = frame_write(FRAME_TEXT, payload);
 */
#ifndef PLAT_FRAME_H
#define PLAT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/text.h"
#include "plat/utf8.h"

#define FRAME_HEAD_MAX 14
#define FRAME_CONTROL_MAX 125

enum frame_kind {
	FRAME_CONTINUATION = 0,
	FRAME_TEXT	   = 1,
	FRAME_BINARY	   = 2,
	FRAME_CLOSE	   = 8,
	FRAME_PING	   = 9,
	FRAME_PONG	   = 10,
	FRAME_ERROR	   = 16		/* no frame: what is wrong */
};

#define FRAME_CODE_NORMAL	1000
#define FRAME_CODE_PROTOCOL	1002
#define FRAME_CODE_NONE		1005	/* never sent: there was none */
#define FRAME_CODE_BAD_DATA	1007
#define FRAME_CODE_TOO_LARGE	1009

struct frame_rules {
	size_t	message_max;
	bool	is_client;	/* we are: what comes must not be masked */
};

struct frame_input {
	char	*at;		/* changed as it is read */
	size_t	 len;
};

struct frame_event {
	enum frame_kind	 kind;
	unsigned	 code;	  /* CLOSE: theirs; ERROR: ours to send */
	text		 payload; /* CLOSE: the reason; ERROR: what is wrong */
};

struct frame_reader {
	const struct frame_rules *rules;
	char		*kept;		/* of the message, then of a control */
	uint64_t	 left;		/* of this frame's payload */
	uint32_t	 kept_len;
	uint32_t	 kept_size;
	uint32_t	 message_len;	/* of kept, the message's */
	uint8_t		 head[FRAME_HEAD_MAX];
	uint8_t		 head_len;
	uint8_t		 head_size;
	uint8_t		 stage;
	uint8_t		 message;	/* its opcode; 0: none has begun */
	uint8_t		 mask_at;
	struct utf8	 utf8;		/* whole between messages */
	bool		 may_deflate;
	bool		 is_deflated;	/* the message */
	bool		 is_told;	/* an event may point into kept */
};

/* rules are kept by the caller, who may change message_max. */
void	frame_reader_init(struct frame_reader *reader,
	    const struct frame_rules *rules, bool may_deflate);
void	frame_reader_fini(struct frame_reader *reader);
/* Takes from the front of input; false: all was taken, nothing to tell. */
bool	frame_read(struct frame_reader *reader, struct frame_input *input,
	    struct frame_event *event_out);
/* Bytes it keeps of what is incomplete. */
size_t	frame_reader_keeps(const struct frame_reader *reader);

/* The head of a frame that is a whole message; mask: NULL for a server's. */
size_t	frame_write_head(char out[FRAME_HEAD_MAX], enum frame_kind kind,
	    bool is_deflated, uint64_t len, const uint8_t *mask);
struct bytes	*frame_write(enum frame_kind kind, text payload);
/* NULL: shorter than least, or no shorter when compressed. */
struct bytes	*frame_write_deflated(enum frame_kind kind, text payload,
		    size_t least);
struct bytes	*frame_write_masked(enum frame_kind kind, text payload,
		    const uint8_t mask[4]);
/* FRAME_CODE_NONE: without one. A reason too long is cut. */
struct bytes	*frame_write_close(unsigned code, text reason);

/* Whether it may stand in a close frame. */
bool	frame_code_may_travel(unsigned code);

/* Puts the mask on or off; at is where in the payload this begins. */
void	frame_mask(char *to, const char *from, size_t len,
	    const uint8_t mask[4], uint64_t at);

#endif
