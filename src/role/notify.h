/* SPDX-License-Identifier: MIT */
/*
 * Telling the service manager how the server is, where there is one; and
 * taking the listening sockets that it may have handed over.
 *
 * Sockets are named by FileDescriptorName=: http (the default), tls, admin.
 */
#ifndef ROLE_NOTIFY_H
#define ROLE_NOTIFY_H

#include "plat/listen.h"

void	 notify_ready(void);
void	 notify_reloading(void);
void	 notify_stopping(void);

/* Adds what was handed over; how many sockets of which kind (by kind). */
void	 notify_take_listeners(struct listeners *listeners,
	    unsigned counts_out[LISTEN_ADMIN + 1]);

#endif
