/* SPDX-License-Identifier: MIT */
/*
 * What the clients of t/bench/live do with sockets. All of it ends the
 * program where it fails: a bench with a client less measures nothing.
 *
 *	int fd = dial(port, 1);		from 127.0.0.2
 *	send_frame(fd, 1, "{}", 2);
 */
#ifndef LIVE_WIRE_H
#define LIVE_WIRE_H

#include <stddef.h>
#include <stdint.h>

int64_t	 now_ns(void);
/* Of this moment, as ISO 8601 has it: 24 bytes and the last. */
void	 now_text(char *text);
_Noreturn void	 die(const char *what);
_Noreturn void	 broken(const char *what, const char *said, size_t length);

/* Connected; source: how far its address is from 127.0.0.1. */
int	 dial(int port, int source);
void	 send_all(int fd, const char *bytes, size_t length);
/* Of a WebSocket's client. */
void	 send_frame(int fd, int code, const char *payload, size_t length);

/* Sorts them, and prints the median and 99 of 100, in microseconds. */
void	 tell_times(const char *name, int64_t *times, size_t count);

#endif
