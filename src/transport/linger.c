/* SPDX-License-Identifier: MIT */
/*
 * Throwing away what clients send after their last answer.
 */
#include "transport/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"

#define READS_AT_ONCE 16

int
linger_keep(struct lingering *lingering, int fd)
{
	int copy;

	if (lingering->kept == LINGER_MAX)
		return (-1);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0)
		lingering->kept++;
	return (copy);
}

void
linger_begin(struct lingering *lingering, int fd, int64_t now_ms)
{
	must(lingering->count < lingering->kept);
	shutdown(fd, SHUT_WR);
	lingering->each[lingering->count].fd = fd;
	lingering->each[lingering->count].until_ms = now_ms + LINGER_MS;
	lingering->count++;
}

/* Whether the client has finished, one way or the other. */
static bool
is_over(int fd)
{
	char rubbish[16384];

	for (unsigned i = 0; i < READS_AT_ONCE; i++) {
		ssize_t n = recv(fd, rubbish, sizeof rubbish, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (n == 0 || errno != EAGAIN);
	}
	return (false);
}

static void
drop(struct lingering *lingering, unsigned i)
{
	close(lingering->each[i].fd);
	lingering->each[i] = lingering->each[--lingering->count];
	lingering->kept--;
}

void
linger_look(struct lingering *lingering, int64_t now_ms)
{
	for (unsigned i = lingering->count; i-- > 0;)
		if (now_ms >= lingering->each[i].until_ms ||
		    is_over(lingering->each[i].fd))
			drop(lingering, i);
}

void
linger_end(struct lingering *lingering)
{
	while (lingering->count > 0)
		drop(lingering, 0);
}
