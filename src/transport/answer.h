/* SPDX-License-Identifier: MIT */
/*
 * From an op's answer to bytes of HTTP: headers, tags, compression.
 *
 * Holds always:
 *  1. Every answer has a length, or is one that has no body, or a stream;
 *     HEAD gets the headers of GET and no body.
 *  2. No answer tells what software made it.
 *  3. A tag is strong: the same tag, the same bytes. What is compressed has
 *     a tag of its own.
 *  4. Pages of other origins read what a tenant lets them (his origins), and
 *     what is no tenant's; nothing at the operators' door.
 *
 *	op_reply(…) -> answer_send(peer)
 */
#ifndef TRANSPORT_ANSWER_H
#define TRANSPORT_ANSWER_H

#include "base/buf.h"
#include "transport/peer.h"

/* Of peer->op, which is answered, to peer->req. */
void	answer_send(struct peer *peer);
/* Only sets up the head; the caller sends the body, unless it is HEAD. */
void	answer_prepare(struct peer *peer);
/* A whole answer in bytes, to a request of which nothing is known. */
void	answer_write_refusal(const struct peer *peer, enum err err,
	    struct buf *out);

/* Whether Accept-Encoding's value takes gzip. */
bool	answer_takes_gzip(text accept_encoding);
/* Whether If-None-Match's value has the tag (with its quotes), or *. */
bool	answer_has_tag(text if_none_match, text tag);

#endif
