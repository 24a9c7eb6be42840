/* SPDX-License-Identifier: MIT */
/*
 * What is sent, once for all sessions: as a packet among others of a polling
 * answer, as a frame, and as a compressed frame.
 *
 *	message ─┬─ whole: its frame, in which stands plain: "4hello", or
 *		 │         the bytes of a binary one
 *		 ├─ coded: "b…", of a binary one that somebody polls for
 *		 ├─ deflated: made when first asked for
 *		 └─ open: plain without its last sign, for those who tail it
 *	tailed ──┬─ head: of its own frame
 *		 ├─ open, of the message that all share
 *		 └─ whole: its own tail
 *
 * The rest of its functions is in engineio.h.
 *
 *	ping = engineio_packet_create(ENGINEIO_PING, TEXT(""));
 *	sock_send(sock, engineio_message_frame(ping, false, 0), …);
 */
#ifndef TRANSPORT_ENGINEIO_MESSAGE_H
#define TRANSPORT_ENGINEIO_MESSAGE_H

#include "base/buf.h"
#include "transport/engineio.h"
#include "transport/engineio_payload.h"

struct engineio_message *engineio_packet_create(enum engineio_type type,
	    text data);

/* Of one recipient. */
struct engineio_message *engineio_message_tail(
	    struct engineio_message *message, text tail);

/* Lent, as are those below; not of one that is tailed. */
text	engineio_message_packet(struct engineio_message *message);
/* As it is polled for. */
void	engineio_message_add(struct engineio_message *message,
	    struct buf *out);
/* Compressed where that is wanted, from least on, and makes it shorter. */
struct bytes *engineio_message_frame(struct engineio_message *message,
	    bool deflates, size_t least);
/* The frame of one that is tailed, in its parts; 0: it is not. */
#define ENGINEIO_TAILED_PARTS 3
unsigned engineio_message_parts(struct engineio_message *message,
	    struct bytes *parts_out[ENGINEIO_TAILED_PARTS]);
/* Bytes, in any form, about. */
size_t	engineio_message_weight(const struct engineio_message *message);

#endif
