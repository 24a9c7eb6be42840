/* SPDX-License-Identifier: MIT */
/*
 * Packets of Engine.IO as they come: one in a text frame, or several in the
 * body of a request, with a separator between two.
 *
 *	4hello<1e>bAQID<1e>3	a message, three bytes, a pong
 *
 * Holds always:
 *  1. What is before the first bad packet is told, nothing behind it.
 *  2. All that is told is UTF-8 or, if binary, was whole base64.
 *
 *	engineio_payload_init(&payload, body);
 *	while (engineio_payload_next(&payload, &packet))
 *		...			the data stands until the next call
 *	if (payload.is_bad) ...
 *	engineio_payload_fini(&payload);
 */
#ifndef TRANSPORT_ENGINEIO_PAYLOAD_H
#define TRANSPORT_ENGINEIO_PAYLOAD_H

#include "base/text.h"

#define ENGINEIO_SEPARATOR '\x1e'

enum engineio_type {
	ENGINEIO_OPEN = '0',
	ENGINEIO_CLOSE = '1',
	ENGINEIO_PING = '2',
	ENGINEIO_PONG = '3',
	ENGINEIO_MESSAGE = '4',
	ENGINEIO_UPGRADE = '5',
	ENGINEIO_NOOP = '6'
};

struct engineio_packet {
	enum engineio_type type;
	bool		 is_binary;	/* then it is a message */
	text		 data;
};

struct engineio_payload {
	text	 rest;
	bool	 has_more;
	bool	 is_bad;
	char	*decoded;
};

/* Of a text frame, which is UTF-8; false: it is none. */
bool	engineio_packet_read(text frame, struct engineio_packet *out);

void	engineio_payload_init(struct engineio_payload *payload, text body);
void	engineio_payload_fini(struct engineio_payload *payload);
bool	engineio_payload_next(struct engineio_payload *payload,
	    struct engineio_packet *out);

#endif
