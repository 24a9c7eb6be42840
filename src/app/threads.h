/* SPDX-License-Identifier: MIT */
/*
 * Threads' clients on namespace / of Socket.IO: who registers for a thread
 * gets what its responder says, each event once.
 *
 *	register_session ──> thread_enter: from where in the stream
 *	                       │ hub_join
 *	session_registered <───┤
 *	analysis_update, … <───┘ what waited, in order, and what comes
 *	                         │ thread_told: the queue begins behind that
 *
 * What waits for a thread is what its stream has behind the last number that
 * a socket of it was told; nothing else is stored of a socket. So who is
 * registered where is asked of all processes when somebody wants to know.
 *
 * Holds always:
 *  1. A socket is told each event of its thread's stream that is for sockets
 *     once and in order, and what waited behind session_registered.
 *  2. What has left for a socket's connection counts as told. What waited is
 *     told to one socket. Where its worker dies meanwhile, to the next one,
 *     from behind the last number that was told. Where the whole host dies,
 *     from behind the last one that was stored: what it told in its last
 *     moments may be told once more.
 *  3. A socket of which nothing was heard for thread_drop_after is told
 *     nothing until it registers again; it is not disconnected.
 *  4. Where the log cannot be asked, the connection is closed: clients come
 *     back by themselves, and register.
 *  5. It has who comes without the cookie, where the tenant's `threads` is
 *     on; all others are refused.
 *
 *	threads = threads_create(service);
 *	... socketio_create with threads_apps(threads) ...
 *	... no socket is left ...
 *	threads_close(threads);
 *	... service_close: each call is answered ...
 *	threads_destroy(&threads);
 */
#ifndef APP_THREADS_H
#define APP_THREADS_H

#include <stdbool.h>

#include "transport/debug.h"
#include "transport/socketio.h"

#define THREADS_APPS	2		/* that one, and who refuses */
#define THREADS_COOKIE	"connect.sid"
#define THREADS_ASK_MS	300		/* the other hosts have answered */

struct threads;

struct threads	*threads_create(struct service *service);
void		 threads_close(struct threads *threads);
void		 threads_destroy(struct threads **threads);
/* Whether all that was told is stored. */
bool		 threads_have_finished(const struct threads *threads);

const struct socketio_app *threads_apps(const struct threads *threads);
/* What answers /debug/; its context is the threads. */
extern const struct debug_acts threads_debug_acts;

#endif
