/* SPDX-License-Identifier: MIT */
/*
 * What relays say to each other through Redis: a record of a ring, and which
 * host it comes from.
 *
 *	P1 <host> <E|L|S> <tenant> <seq> <epoch> <stream> <payload>\n
 *	<bytes of the epoch><bytes of the stream><bytes of the payload>
 *
 * E is an event, L one without a number, S a sweep. The last three words of
 * the head are lengths in bytes; that of the payload is - where it was too
 * large to be carried, or where there never was one.
 *
 * Holds always:
 *  1. What is written reads back as the same.
 *  2. What is read is whole and within the bounds of a ring's record, or it
 *     is refused; texts lie in what was read.
 *
 *	relay_message_write(host, record, &buf);
 *	if (relay_message_read(message, &host, &record)) ...
 */
#ifndef CORE_RELAY_MESSAGE_H
#define CORE_RELAY_MESSAGE_H

#include "base/buf.h"
#include "plat/ring.h"

#define RELAY_HOST_MAX		16
#define RELAY_PAYLOAD_MAX	(1024 * 1024)	/* ring_record_max's most */

/* buf: emptied first. */
void	relay_message_write(text host, const struct ring_record *record,
	    struct buf *buf);
/* The record is for all, and of no generation. */
bool	relay_message_read(text message, text *host_out,
	    struct ring_record *record_out);

#endif
