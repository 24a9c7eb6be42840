/* SPDX-License-Identifier: MIT */
/*
 * Sockets that connect, send and give up.
 */
#define _GNU_SOURCE
#include "live_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec * INT64_C(1000000000) + t.tv_nsec);
}

void
now_text(char *text)
{
	struct timespec t;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	strftime(text, 21, "%Y-%m-%dT%H:%M:%S.", &tm);
	sprintf(text + 20, "%03dZ", (int)(t.tv_nsec / 1000000 % 1000));
}

void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

void
broken(const char *what, const char *said, size_t length)
{
	fprintf(stderr, "%s: %.*s\n", what, (int)length, said);
	exit(1);
}

int
dial(int port, int source)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)source)};
	const struct linger at_once = {.l_onoff = 1};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	/* No port is bound before the peer is known, and none kept after. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	return (fd);
}

void
send_all(int fd, const char *bytes, size_t length)
{
	/* It is little, and the peer reads. */
	if (send(fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
		die("send");
}

void
send_frame(int fd, int code, const char *payload, size_t length)
{
	char frame[2048];
	size_t at = 0;

	if (length > sizeof(frame) - 8)
		broken("too long", payload, length);
	frame[at++] = (char)(0x80 | code);
	if (length < 126)
		frame[at++] = (char)(0x80 | length);
	else {
		frame[at++] = (char)(0x80 | 126);
		frame[at++] = (char)(length >> 8);
		frame[at++] = (char)length;
	}
	memset(frame + at, 0, 4);	/* a mask that changes nothing */
	memcpy(frame + at + 4, payload, length);
	send_all(fd, frame, at + 4 + length);
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return ((x > y) - (x < y));
}

void
tell_times(const char *name, int64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), by_value);
	printf(" %s_p50=%.1f %s_p99=%.1f", name,
	    count > 0 ? (double)times[count / 2] / 1e3 : 0, name,
	    count > 0 ? (double)times[count - 1 - count / 100] / 1e3 : 0);
}
