/* SPDX-License-Identifier: MIT */
/*
 * What is sent, once for all sessions: as a packet among others of a polling
 * answer, as a frame, and as a compressed frame.
 *
 *	message ─┬─ plain: "4hello", or the bytes of a binary one
 *		 ├─ coded: "b…", of a binary one that somebody polls for
 *		 └─ frame, deflated: made when first asked for
 *
 * The rest of its functions is in engineio.h.
 *
 *	ping = engineio_packet_create(ENGINEIO_PING, TEXT(""));
 *	sock_send(sock, engineio_message_frame(ping, false, 0), …);
 */
#ifndef TRANSPORT_ENGINEIO_MESSAGE_H
#define TRANSPORT_ENGINEIO_MESSAGE_H

#include "transport/engineio.h"
#include "transport/engineio_payload.h"

struct engineio_message *engineio_packet_create(enum engineio_type type,
	    text data);

/* Lent, as are those below. */
struct bytes *engineio_message_packet(struct engineio_message *message);
/* Compressed where that is wanted, from least on, and makes it shorter. */
struct bytes *engineio_message_frame(struct engineio_message *message,
	    bool deflates, size_t least);
/* Bytes, in any form, about. */
size_t	engineio_message_weight(const struct engineio_message *message);

#endif
