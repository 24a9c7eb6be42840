/* SPDX-License-Identifier: MIT */
/*
 * A turn of a thread, as who asked sees it: the question is stored, and from
 * then on its answer is followed in the thread's stream, whichever process
 * of whichever host gets it from the responder.
 *
 *	POST /havefun ──> turn_create ──> in the hub, from where the stream
 *			      │ 503	  stood then: 200, and
 *	:				     now and then: a sign of life
 *	data: {"type":"analysis","content":"…","complete":false}
 *	data: {"message":"…"}		     of turn.said, one after the other
 *	data: {"status":"restarted",…}	     all of it comes anew: a host died
 *	data: {"error":"…"}		     the last one, where it went wrong
 *
 * Holds always:
 *  1. What it is told comes once and in order, and a process that dies, but
 *     for its own worker, takes nothing of it away.
 *  2. When its client leaves, the turn is cancelled; when its worker dies, it
 *     falls silent, and the turn ends RESPONDER_UNHEARD_MS later.
 *  3. A worker that drains lets it come to its end.
 *
 * These are paths of older clients, which is why they are not below /api and
 * why their OPTIONS are answered in their own way.
 */
#ifndef TRANSPORT_TURN_H
#define TRANSPORT_TURN_H

#include "core/op.h"

#define TURN_BEAT_MS 5000

void	operation_conversation_learning(struct op *op);
void	operation_havefun(struct op *op);

/* Whether it is one of these paths, whose tenant its host says. */
bool	turn_is_at(text path);
void	turn_reply_options(struct op *op);

#endif
