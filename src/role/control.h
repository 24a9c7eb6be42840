/* SPDX-License-Identifier: MIT */
/*
 * The control socket, state_dir/control: how an operator's commands reach a
 * running server. Mode 0600: who may open it may do everything here.
 *
 *	segment			the shared segment, read-only, as a descriptor
 *	log level [LEVEL]	show or set
 *	log reopen
 *	fault list | arm NAME [TIMES] | clear [NAME]
 *	ping
 *
 * One line of words in, one line of JSON out, then the line is cut.
 *
 * Holds always:
 *  1. The master never waits for who is on the other side: lines are
 *     bounded in length, number and time.
 */
#ifndef ROLE_CONTROL_H
#define ROLE_CONTROL_H

#include <poll.h>
#include <stdbool.h>

#include "base/buf.h"

struct server;

/* Makes state_dir/control; false: why is in problems. */
bool	 control_open(struct server *server, struct buf *problems);
void	 control_close(struct server *server);
void	 control_close_in_child(struct server *server);

/* What the master's loop has to poll for it, and what came of that. */
unsigned control_poll(struct server *server, struct pollfd *at,
	    unsigned most);
void	 control_polled(struct server *server, const struct pollfd *at,
	    unsigned count);
#define CONTROL_POLLS 17

#endif
