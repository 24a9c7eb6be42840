/* SPDX-License-Identifier: MIT */
/*
 * What pickers, bots and overlays say over Socket.IO, in namespace /live: the
 * streams of app/live, through one more door.
 *
 *	CONNECT {token?, since?}      ──> let in, or "Invalid or expired token"
 *	                              <── subscribed, of the lobby; and then
 *	                                  session.started, from then on
 *	subscribe(id, {since?}?, ack) ──> the answer, and then the session's
 *	                                  events, each under its type's name
 *	unsubscribe(id, ack)          ──> the answer
 *	                              <── resync, unsubscribed, closing
 *
 * Holds always:
 *  1. Who has no token reads while his tenant's reading is public. A token's
 *     rights end with it, or when it is revoked; then he is told `closing`
 *     and is out of the namespace.
 *  2. An answer, or `subscribed` where none was wanted, comes before the
 *     events that follow its cursor; after it nothing is left out and nothing
 *     comes twice.
 *  3. What cannot be understood is answered {success:false,error}, or by the
 *     event `error`; the socket stays.
 *  4. An event is written once for all sockets of a worker.
 *
 *	sockets = live_sockets_create(service);
 *	... an app of socketio_setup: live_sockets_app(sockets) ...
 *	live_sockets_destroy(&sockets);		all sockets were closed before
 */
#ifndef APP_LIVE_SOCKET_H
#define APP_LIVE_SOCKET_H

#include "transport/socketio.h"

struct live_sockets;

struct live_sockets *live_sockets_create(struct service *service);
void	live_sockets_destroy(struct live_sockets **sockets);
/* It lasts as long as they do. */
struct socketio_app live_sockets_app(struct live_sockets *sockets);

#endif
