/* SPDX-License-Identifier: MIT */
/*
 * A program that only makes the kernel calls of a fan-out: of each POST, whose
 * body it takes as it is, one send() to every socket of the room that the path
 * names, over one epoll set. No server can cost less. Sockets come with a GET
 * of the room's path; what they say afterwards is read and answered with as
 * many bytes as a server would.
 *
 * Run: live_limit ROOMS [gather]; it prints the port that the kernel picked.
 * With `gather` the events of one turn are sent in one call for each socket.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS 20000
#define PENDING 65536

struct room {
	int	 count, size;
	int	*fds;
	size_t	 pending;		/* bytes to be sent to each */
	char	*frames;		/* of PENDING bytes */
};

static struct room *rooms;
static int rooms_count, *dirty, dirty_count;
static int room_of[FDS];		/* 0: none yet, else its number + 1 */
static int gathers;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int
listen_anywhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
	    listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		die("listen");
	printf("port %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return (fd);
}

static void
watch(int set, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void
on_connection(int set, int listener)
{
	int one = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (fd >= FDS)
		die("too many sockets");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	room_of[fd] = 0;
	watch(set, fd);
}

static void
leave(int fd)
{
	if (room_of[fd] > 0) {
		struct room *room = &rooms[room_of[fd] - 1];

		for (int i = 0; i < room->count; i++)
			if (room->fds[i] == fd)
				room->fds[i--] = room->fds[--room->count];
	}
	close(fd);
}

static void
join(int fd, int number)
{
	struct room *room = &rooms[number];

	if (room->count == room->size) {
		room->size = room->size * 2 + 16;
		room->fds = realloc(room->fds,
		    (size_t)room->size * sizeof(int));
	}
	room->fds[room->count++] = fd;
	room_of[fd] = number + 1;
}

static void
flush(struct room *room)
{
	for (int i = 0; i < room->count; i++)
		if (send(room->fds[i], room->frames, room->pending,
		    MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)room->pending)
			die("send");
	room->pending = 0;
}

static void
publish(int number, const char *body, size_t length)
{
	struct room *room = &rooms[number];
	char *at;

	if (room->frames == NULL)
		room->frames = malloc(PENDING);
	if (room->pending == 0)
		dirty[dirty_count++] = number;
	if (room->pending + length + 4 > PENDING)
		flush(room);
	at = room->frames + room->pending;
	*at++ = (char)0x81;
	if (length < 126)
		*at++ = (char)length;
	else {
		*at++ = 126;
		*at++ = (char)(length >> 8);
		*at++ = (char)length;
	}
	memcpy(at, body, length);
	room->pending = (size_t)(at - room->frames) + length;
}

static void
end_turn(void)
{
	while (dirty_count > 0)
		flush(&rooms[dirty[--dirty_count]]);
}

static void
answer(int fd, const char *words)
{
	if (send(fd, words, strlen(words), MSG_NOSIGNAL) < 0)
		leave(fd);
}

/* The client sends one request at a time, in one piece. */
static void
on_bytes(int fd)
{
	char request[8192];
	ssize_t length = recv(fd, request, sizeof(request) - 1, 0);
	char *body;
	int number;

	if (length <= 0) {
		leave(fd);
		return;
	}
	request[length] = '\0';
	if (room_of[fd] > 0) {
		answer(fd, "\x81\x02{}");
	} else if (sscanf(request, "POST /%d", &number) == 1) {
		body = strstr(request, "\r\n\r\n") + 4;
		publish(number % rooms_count, body,
		    (size_t)(request + length - body));
		if (!gathers)
			end_turn();
		answer(fd, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	} else if (sscanf(request, "GET /%d", &number) == 1) {
		join(fd, number % rooms_count);
		answer(fd, "HTTP/1.1 101 Switching Protocols\r\n"
		    "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event events[64];
	int set = epoll_create1(EPOLL_CLOEXEC);
	int listener;

	if (argc < 2 || (rooms_count = atoi(argv[1])) < 1) {
		fprintf(stderr, "usage: live_limit ROOMS [gather]\n");
		return (64);
	}
	gathers = argc > 2;
	rooms = calloc((size_t)rooms_count, sizeof(*rooms));
	dirty = calloc((size_t)rooms_count, sizeof(*dirty));
	listener = listen_anywhere();
	watch(set, listener);
	for (;;) {
		int count = epoll_wait(set, events, 64, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				on_connection(set, listener);
			else
				on_bytes(events[i].data.fd);
		}
		end_turn();
	}
}
