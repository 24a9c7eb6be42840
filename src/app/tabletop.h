/* SPDX-License-Identifier: MIT */
/*
 * The tabletop over Socket.IO: who has logged in joins one session at a time,
 * and says there what all others in it hear.
 *
 *	token:move ──> tabletop_token_move ──┬─> ack
 *					     └─> table:<id> ──> each worker's
 *						 hub ──> token:moved
 *	roll ────────> may he? ──> LIVE, to all workers ──> roll-result
 *
 * Three dialects speak of the same: which one a socket hears is said by how
 * it joined.
 *
 *	OWNER		CODE			NEW
 *	join-session	joinSession		gameSession:join
 *	user-joined	userJoinedSession	gameSession:joined
 *	user-left	userLeftSession		gameSession:left
 *	chat-message	chat			chat
 *	error {message}	error (text)		error (text)
 *
 * Holds always:
 *  1. A socket in here has a login; each call of SQL looks whether it still
 *     lasts, and its end disconnects its sockets.
 *  2. From the answer to a join on its socket hears every event of the
 *     session, once and in order; it leaves when its user's membership ends.
 *  3. What a socket did is not told to it but by the answer; those of CODE
 *     and NEW hear of their own tokens as well.
 *  4. What wants an answer gets one, also at a limit.
 *  5. Comings and goings are events of the session's stream. A socket whose
 *     worker or host dies is told of as gone once, by whoever lives.
 */
#ifndef APP_TABLETOP_H
#define APP_TABLETOP_H

#include "transport/socketio.h"

struct tabletop;

struct tabletop	*tabletop_create(struct service *service);
/* Whether all goings are stored. */
bool		 tabletop_has_finished(const struct tabletop *tabletop);
/* After service_close: nothing is asked any more. */
void		 tabletop_destroy(struct tabletop **tabletop);
/* In the namespace "/"; every socket there is its own. */
struct socketio_app tabletop_app(struct tabletop *tabletop);

#endif
