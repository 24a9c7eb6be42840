/* SPDX-License-Identifier: MIT */
/*
 * Whether a PostgreSQL takes connections, asked without ever waiting: for
 * the master, who supervises one and must not stand still for it.
 *
 * Holds always:
 *  1. A ping is one attempt to connect, with name and password. It ends at
 *     the first answer; a deadline is the caller's.
 *  2. No statement is sent.
 *  3. After a fork, ping_abandon() in the child: ping_stop() would say
 *     goodbye in the parent's name.
 *
 *	ping = ping_start(url);
 *	while (ping_poll(ping) == PING_WAITING && !too_late)
 *		...
 *	ping_stop(&ping);
 */
#ifndef STORE_PING_H
#define STORE_PING_H

enum ping_answer {
	PING_WAITING,		/* no answer yet */
	PING_OK,		/* it does its work */
	PING_BEGINNING,		/* it lives, but is still starting up */
	PING_REFUSED,		/* it lives, but does not let us in */
	PING_NOBODY		/* nobody is there */
};

struct ping;

struct ping	*ping_start(const char *url);
enum ping_answer ping_poll(struct ping *ping);
/* What the server or the system said, for the log; never a password. */
const char	*ping_why(const struct ping *ping);
void		 ping_stop(struct ping **ping);
void		 ping_abandon(struct ping **ping);

#endif
