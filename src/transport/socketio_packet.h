/* SPDX-License-Identifier: MIT */
/*
 * Packets of Socket.IO, version 5 of its protocol: read from Engine.IO's
 * messages, put together with the binary ones that belong to them, and
 * written.
 *
 *	"51-/den,7["map",{"_placeholder":true,"num":0}]"   text
 *	 ││  │   ││				            binary
 *	 ││  │   │└ payload: name and arguments, or an object
 *	 ││  │   └ id, where an answer is wanted
 *	 ││  └ namespace; none is "/"
 *	 │└ binary messages that follow
 *	 └ kind
 *
 * Holds always:
 *  1. What is not a packet to the letter is told as SOCKETIO_BROKEN, and so
 *     is whatever comes then; the connection is to be closed. No more is kept
 *     of it than `attachments_max` messages.
 *  2. A packet is lent until the next call. Its payload passed
 *     json_in_may_be_carried; each placeholder in one with attachments is
 *     one of these.
 *  3. What is written can be read by any client, whatever arguments were
 *     handed on: placeholders are numbered anew, and one that would come to
 *     stand for a foreign attachment makes the writing fail.
 *  4. A reader in between packets is a pointer and owns nothing.
 *
 *	switch (socketio_read(&reader, bytes, is_binary, &packet)) {
 *	case SOCKETIO_PACKET: ...
 *
 *	socketio_write(&writer, SOCKETIO_EVENT, TEXT("/"));
 *	socketio_write_text(&writer, TEXT("map"));
 *	socketio_write_carried(&writer, argument, &packet);
 *	if (!writer.has_failed)
 *		send(socketio_written(&writer)), then each writer.attachments
 *	socketio_write_end(&writer);
 */
#ifndef TRANSPORT_SOCKETIO_PACKET_H
#define TRANSPORT_SOCKETIO_PACKET_H

#include "base/json_out.h"
#include "base/mem.h"

#define SOCKETIO_ATTACHMENTS_MOST 64	/* whatever the option says */
#define SOCKETIO_NO_ID UINT64_MAX
#define SOCKETIO_ID_MAX ((UINT64_C(1) << 53) - 1)

/* Binary ones are told as SOCKETIO_EVENT and SOCKETIO_ACK. */
enum socketio_kind {
	SOCKETIO_CONNECT, SOCKETIO_DISCONNECT, SOCKETIO_EVENT, SOCKETIO_ACK,
	SOCKETIO_CONNECT_ERROR, SOCKETIO_BINARY_EVENT, SOCKETIO_BINARY_ACK
};

struct socketio_packet {
	enum socketio_kind kind;
	bool		 is_binary;
	unsigned	 count;		/* of attachments */
	struct bytes	**attachments;	/* so many; NULL: none came yet */
	uint64_t	 id;		/* or SOCKETIO_NO_ID */
	text		 nsp;
	text		 payload;	/* without blanks; empty: none */
	text		 name;		/* of an event, as it was written */
	text		 rest;		/* its arguments, for carried_next */
};

enum socketio_got { SOCKETIO_PACKET, SOCKETIO_MORE, SOCKETIO_BROKEN };

/* Zeroed memory is as good. */
struct socketio_reader {
	struct socketio_kept *kept;
};

/* most: of attachments. */
enum socketio_got socketio_read(struct socketio_reader *reader, text message,
	    bool is_binary, unsigned most, struct socketio_packet *packet_out);
void	socketio_reader_fini(struct socketio_reader *reader);
/* A text alone; what is announced has not come. false: it is broken. */
bool	socketio_packet_read(text given, unsigned most,
	    struct socketio_packet *packet_out);

/* Names that no event may have. */
bool	socketio_is_reserved(text written);

struct socketio_writer {
	enum socketio_kind kind;
	uint64_t	 id;		/* to be set; SOCKETIO_NO_ID */
	text		 nsp;
	struct buf	 payload;	/* behind room for what precedes it */
	struct json_out	 json;		/* arguments may be written to it */
	unsigned	 count;
	struct bytes	*attachments[SOCKETIO_ATTACHMENTS_MOST];
	bool		 is_array;
	bool		 has_foreign;	/* what looks like an attachment's */
	bool		 has_failed;
};

/* nsp is lent until the end. */
void	socketio_write(struct socketio_writer *writer,
	    enum socketio_kind kind, text nsp);
void	socketio_write_text(struct socketio_writer *writer, text t);
/* Takes a reference of its own. */
void	socketio_write_binary(struct socketio_writer *writer,
	    struct bytes *bytes);
/* One or more values, out of this packet or, at NULL, made here. */
void	socketio_write_carried(struct socketio_writer *writer, text values,
	    const struct socketio_packet *from);
/* Look at has_failed then. Lent until the end. */
text	socketio_written(struct socketio_writer *writer);
void	socketio_write_end(struct socketio_writer *writer);

#endif
