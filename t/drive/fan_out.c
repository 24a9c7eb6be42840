/* SPDX-License-Identifier: MIT */
/*
 * What a delivery costs below the product: one event to many sockets, by
 * plat/sock and by nothing but the kernel's calls, in turn. The clients are
 * in another process and tell when all of a round has arrived.
 *
 *	t/drive/fan_out [SOCKETS [ROUNDS [SIZE]]]
 *
 * It says for each case the microseconds of our CPU for each delivery.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "plat/frame.h"
#include "plat/loop.h"
#include "plat/sock.h"

#define IN_FLIGHT 16
#define TIMES 5

static unsigned sockets = 1000, rounds = 300;
static size_t payload_size = 256;
static int *fds, control, to_children[2];
static struct bytes *event;
static struct loop *loop;
static struct sock **subscribers;
static unsigned rounds_left, events_a_round;

/* The clients: read what is said to come in a round, then say so. */

static int
connect_to(const struct sockaddr_in *address, unsigned i)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Several addresses, since ports run out. */
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + i / 5000);
	if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
	    connect(fd, (const struct sockaddr *)address,
	    sizeof *address) != 0) {
		perror("connect");
		exit(1);
	}
	return (fd);
}

static void
run_clients(const struct sockaddr_in *address, int in, int out)
{
	static char rubbish[1 << 16];
	struct epoll_event events[256], one = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	size_t expected;

	for (unsigned i = 0; i < sockets; i++) {
		one.data.fd = connect_to(address, i);
		epoll_ctl(epoll, EPOLL_CTL_ADD, one.data.fd, &one);
	}
	while (read(in, &expected, sizeof expected) == sizeof expected) {
		while (expected > 0) {
			int n = epoll_wait(epoll, events, 256, -1);

			for (int i = 0; i < n; i++) {
				ssize_t len = recv(events[i].data.fd, rubbish,
				    sizeof rubbish, MSG_DONTWAIT);

				if (len > 0)
					expected -= (size_t)len;
			}
		}
		if (write(out, "", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static void
start_clients(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	int from_children[2];

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, len) != 0 ||
	    listen(listener, 4096) != 0 || getsockname(listener,
	    (struct sockaddr *)&address, &len) != 0 ||
	    pipe(to_children) != 0 || pipe(from_children) != 0) {
		perror("listen");
		exit(1);
	}
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to_children[1]);
		run_clients(&address, to_children[0], from_children[1]);
	}
	close(to_children[0]);
	close(from_children[1]);
	control = from_children[0];
	fds = mem_alloc(sockets * sizeof *fds);
	for (unsigned i = 0; i < sockets; i++) {
		fds[i] = accept4(listener, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
	close(listener);
}

static void
expect(size_t bytes)
{
	if (write(to_children[1], &bytes, sizeof bytes) != sizeof bytes)
		exit(1);
}

static double
cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (1e6 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
}

/* Nothing but the kernel's calls. */

static void
run_bare(unsigned in_flight)
{
	size_t size = event->len * in_flight;
	struct pollfd news = { .fd = control, .events = POLLIN };
	char *all = mem_alloc(size), heard;

	for (unsigned i = 0; i < in_flight; i++)
		memcpy(all + i * event->len, event->at, event->len);
	for (unsigned n = 0; n < rounds; n++) {
		expect(size * sockets);
		for (unsigned i = 0; i < sockets; i++)
			if (send(fds[i], all, size, MSG_DONTWAIT |
			    MSG_NOSIGNAL) != (ssize_t)size)
				exit(1);
		/* The loop has made it one that does not wait. */
		if (poll(&news, 1, -1) != 1 || read(control, &heard, 1) != 1)
			exit(1);
	}
	mem_free(all);
}

/* By plat/sock. */

static void
send_round(void)
{
	expect(event->len * events_a_round * sockets);
	for (unsigned n = 0; n < events_a_round; n++)
		for (unsigned i = 0; i < sockets; i++)
			sock_send(subscribers[i], event, SOCK_NUMBERED, 0);
	rounds_left--;
}

static void
on_heard(int *fd)
{
	char heard;

	if (read(*fd, &heard, 1) == 1 && rounds_left > 0)
		send_round();
	else
		events_a_round = 0;
}

static void
run_ours(unsigned in_flight)
{
	events_a_round = in_flight;
	rounds_left = rounds;
	send_round();
	while (events_a_round > 0)
		loop_turn(loop, 1000);
}

static void
on_bytes(struct sock *sock, char *at, size_t len)
{
	(void)sock;
	(void)at;
	(void)len;
}

static void
on_closed(struct sock *sock, const char *why)
{
	(void)sock;
	(void)why;
}

static const struct sock_acts acts = { .on_bytes = on_bytes,
    .on_closed = on_closed };

static double
measured(void (*run)(unsigned in_flight), unsigned in_flight)
{
	double began = cpu_us();

	run(in_flight);
	return ((cpu_us() - began) / rounds / sockets / in_flight);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y ? -1 : x > y);
}

static void
say(const char *name, double *figures)
{
	qsort(figures, TIMES, sizeof *figures, compare);
	printf("%-28s %.3f us (%.3f to %.3f)\n", name, figures[TIMES / 2],
	    figures[0], figures[TIMES - 1]);
	fflush(stdout);
}

static void
compare_all(void)
{
	double bare[TIMES], ours[TIMES], bare_many[TIMES], ours_many[TIMES];

	/* Interleaved, so that what drifts does so for all. */
	for (unsigned n = 0; n < TIMES; n++) {
		bare[n] = measured(run_bare, 1);
		ours[n] = measured(run_ours, 1);
		bare_many[n] = measured(run_bare, IN_FLIGHT);
		ours_many[n] = measured(run_ours, IN_FLIGHT);
	}
	say("one at a time, kernel alone", bare);
	say("one at a time, plat/sock", ours);
	say("16 in flight, kernel alone", bare_many);
	say("16 in flight, plat/sock", ours_many);
}

int
main(int argc, char **argv)
{
	static const struct sock_rules rules = { .queue_max = 1 << 20,
	    .age_max_ms = 60000 };
	struct loop_watch *watch;
	struct socks *socks;

	if (argc > 1)
		sockets = (unsigned)atoi(argv[1]);
	if (argc > 2)
		rounds = (unsigned)atoi(argv[2]);
	if (argc > 3)
		payload_size = (size_t)atoi(argv[3]);
	signal(SIGPIPE, SIG_IGN);
	start_clients();
	loop = loop_create();
	socks = socks_create(loop, &rules);
	subscribers = mem_alloc(sockets * sizeof *subscribers);
	for (unsigned i = 0; i < sockets; i++) {
		subscribers[i] = sock_adopt_fd(socks, fds[i], &acts, NULL);
		if (subscribers[i] == NULL)
			return (1);
	}
	watch = loop_watch_readable(loop, control, on_heard, &control);
	event = bytes_create(payload_size + 4);
	memset(event->at, 'x', event->len);
	compare_all();
	close(to_children[1]);
	wait(NULL);
	bytes_give(&event);
	loop_forget(&watch);
	socks_destroy(&socks);
	loop_destroy(&loop);
	mem_free(subscribers);
	mem_free(fds);
	return (0);
}
