/* SPDX-License-Identifier: MIT */
/*
 * Closing a connection whose client is still sending. If it were closed at
 * once, the kernel would answer what arrives next with a reset, and the
 * client might lose our last answer to it. So a copy of the descriptor is
 * kept open; our side is shut, and what arrives is thrown away.
 *
 * Holds always:
 *  1. At most LINGER_MAX at once, each for at most LINGER_MS; beyond that a
 *     connection just closes.
 *
 *	fd = linger_keep(&lingering, fd_of_socket);	-1: no room
 *	... the socket is closed by whoever owns it ...
 *	linger_begin(&lingering, fd, now);
 *	linger_look(&lingering, now);		every now and then
 */
#ifndef TRANSPORT_LINGER_H
#define TRANSPORT_LINGER_H

#include <stdint.h>

#define LINGER_MAX 256
#define LINGER_MS 2000

struct lingering {
	unsigned	 kept;		/* and those not begun yet */
	unsigned	 count;
	struct {
		int	 fd;
		int64_t	 until_ms;
	} each[LINGER_MAX];
};

int	linger_keep(struct lingering *lingering, int fd);
void	linger_begin(struct lingering *lingering, int fd, int64_t now_ms);
void	linger_look(struct lingering *lingering, int64_t now_ms);
/* All at once, for the end of the process. */
void	linger_end(struct lingering *lingering);

#endif
