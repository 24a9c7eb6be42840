/* SPDX-License-Identifier: MIT */
/*
 * A program that only makes the kernel calls of an HTTP server: one read and
 * one write for each request, whatever it says, over one epoll set. No server
 * can cost less. Run: limit FILE, whose bytes are the whole answer; it prints
 * the port that the kernel picked.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char answer[65536];
static ssize_t answer_length;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
answer_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	answer_length = read(fd, answer, sizeof(answer));
	if (answer_length <= 0)
		die(path);
	close(fd);
}

static int
listen_anywhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
	    listen(fd, 1024) < 0 ||
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
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(set, fd);
}

/* wrk sends one request at a time, in one piece. */
static void
on_request(int fd)
{
	char request[4096];

	if (read(fd, request, sizeof(request)) <= 0 ||
	    write(fd, answer, answer_length) != answer_length)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct epoll_event events[64];
	int set = epoll_create1(EPOLL_CLOEXEC);
	int listener;

	if (argc != 2) {
		fprintf(stderr, "usage: limit FILE\n");
		return (64);
	}
	answer_read(argv[1]);
	listener = listen_anywhere();
	watch(set, listener);
	for (;;) {
		int count = epoll_wait(set, events, 64, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				on_connection(set, listener);
			else
				on_request(events[i].data.fd);
		}
	}
}
