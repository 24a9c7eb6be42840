/* SPDX-License-Identifier: MIT */
/*
 * Answers without an end: pieces of shared bytes, through h2o, to one client.
 *
 *	op_stream_send ──> outbox ──> the turn's end ──> h2o_send ──> proceed
 *	                     ^                                          │
 *	                     └──────────────────────────────────────────┘
 *
 * Holds always:
 *  1. All that is sent in one turn leaves in one write; the next one waits
 *     until h2o has done that.
 *  2. While something is on its way, what waits is bounded by socket_queue,
 *     always by socket_queue_age, and what the kernel keeps by
 *     socket_send_buffer. A piece that has to arrive and
 *     does not fit ends the stream: what arrived is a beginning of what was
 *     sent, without gap.
 *  3. Its connection serves nothing after it.
 *
 * peer->stream is it, from stream_begin until its request ends.
 */
#ifndef TRANSPORT_STREAM_H
#define TRANSPORT_STREAM_H

#include "transport/peer.h"

/* Of peer->op, whose answer is to be a stream. */
void	stream_begin(struct peer *peer);
void	stream_send(struct peer *peer, struct bytes *bytes,
	    enum op_piece piece);
bool	stream_has_room(struct peer *peer);
void	stream_end(struct peer *peer);
/* Its client has gone. */
void	stream_drop(struct peer *peer);
/* Its request ends. */
void	stream_free(struct peer *peer);

/* At each look, and at each turn's end. */
void	stream_look(struct peer *peer, int64_t now_ms);
void	streams_flush(struct peers *peers);

#endif
