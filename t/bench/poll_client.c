/* SPDX-License-Identifier: MIT */
/*
 * Clients of Socket.IO that poll, all in one thread: each has a connection on
 * which one GET always waits and one for what it says, as browsers have. They
 * come into the namespace / and then ask `ping`, whose answer has to come,
 * with its number, by the GET.
 *
 * Run: poll_client PORT[,PORT] CLIENTS
 *
 * It says `connected` once all are in, and then answers each line
 * `trips COUNT` with one of figures, until its input ends: so many round
 * trips in all, each client one at a time. A trip is a POST and a GET.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live_wire.h"

#define CLIENTS_MAX 9000
#define SOURCES 8		/* 127.0.0.2 and on */
#define COMING_MAX 64		/* clients that are not in yet */
#define TRIPS_MAX 4000000
#define PATIENCE_NS 10000000000

enum stage {
	OPENING,		/* the handshake */
	ENTERING,		/* the namespace */
	IN,
	ASKING			/* until the answer is there */
};

struct line {
	struct client *client;
	int	 fd;
	int	 is_busy;
	size_t	 kept;
	char	 got[2048];
};

struct client {
	int	 port;
	enum stage stage;
	unsigned asked;		/* the number of its question */
	int	 owes_pong;
	int64_t	 begin;
	char	 sid[64];
	struct line get, post;
};

static int ports[2], ports_count, set, count, in, coming;
static struct client *clients;
static long trips_wanted, trips_begun, trips_done, bad;
static int64_t *times;

/* body: NULL for a GET. */
static void
request(struct line *line, const char *body)
{
	const struct client *client = line->client;
	char words[1024], more[64] = "";

	if (body != NULL)
		snprintf(more, sizeof(more), "Content-Type: text/plain\r\n"
		    "Content-Length: %zu\r\n", strlen(body));
	snprintf(words, sizeof(words), "%s /socket.io/?EIO=4&"
	    "transport=polling%s%s HTTP/1.1\r\nHost: bench\r\n%s\r\n%s",
	    body != NULL ? "POST" : "GET",
	    client->sid[0] != '\0' ? "&sid=" : "", client->sid, more,
	    body != NULL ? body : "");
	line->is_busy = 1;
	send_all(line->fd, words, strlen(words));
}

static void
open_line(struct line *line, struct client *client, int source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = line};

	line->client = client;
	line->fd = dial(client->port, source);
	if (epoll_ctl(set, EPOLL_CTL_ADD, line->fd, &event) < 0)
		die("epoll_ctl");
}

static void
come(int i)
{
	struct client *client = &clients[i];

	client->port = ports[i % ports_count];
	open_line(&client->get, client, 1 + i % SOURCES);
	open_line(&client->post, client, 1 + i % SOURCES);
	request(&client->get, NULL);
	coming++;
}

static void
ask(struct client *client)
{
	char body[256];

	if (trips_begun == trips_wanted)
		return;
	trips_begun++;
	client->stage = ASKING;
	client->begin = now_ns();
	snprintf(body, sizeof(body), "%s42%u[\"ping\",{\"thread_id\":\"bench\","
	    "\"timestamp\":\"2026-01-01T00:00:00.000Z\"}]",
	    client->owes_pong ? "3\x1e" : "", ++client->asked);
	client->owes_pong = 0;
	request(&client->post, body);
}

/* At once, or with what is said next. */
static void
pay_pong(struct client *client)
{
	if (!client->owes_pong || client->post.is_busy)
		return;
	client->owes_pong = 0;
	request(&client->post, "3");
}

static void
on_answer(struct client *client, const char *packet, size_t length)
{
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "43%u[{", client->asked);
	if (client->stage != ASKING || strncmp(packet, wanted,
	    strlen(wanted)) != 0 ||
	    memmem(packet, length, "\"pong\":true", 11) == NULL) {
		bad++;
		return;
	}
	times[trips_done++] = now_ns() - client->begin;
	client->stage = IN;
	/* The next one begins when the POST has its answer, too. */
	if (!client->post.is_busy)
		ask(client);
}

static void
on_packet(struct client *client, const char *packet, size_t length)
{
	if (client->stage == OPENING && strncmp(packet, "0{\"sid\":\"",
	    9) == 0) {
		size_t size = strcspn(packet + 9, "\"");

		if (size >= sizeof(client->sid))
			broken("a long sid", packet, length);
		memcpy(client->sid, packet + 9, size);
		client->stage = ENTERING;
		request(&client->post, "40");
	} else if (client->stage == ENTERING && strncmp(packet, "40{",
	    3) == 0) {
		client->stage = IN;
		in++;
		coming--;
	} else if (length == 1 && *packet == '2') {
		client->owes_pong = 1;
		pay_pong(client);
	} else if (strncmp(packet, "43", 2) == 0)
		on_answer(client, packet, length);
	else if (strncmp(packet, "42", 2) != 0)
		broken("not expected", packet, length);
}

static void
on_body(struct line *line, char *body, size_t length)
{
	struct client *client = line->client;
	char *packet, *rest;

	line->is_busy = 0;
	if (line == &client->post) {
		if (length != 2 || memcmp(body, "ok", 2) != 0)
			broken("POST", body, length);
		if (client->stage == IN)
			ask(client);
		pay_pong(client);
		return;
	}
	body[length] = '\0';
	for (packet = body; packet != NULL; packet = rest) {
		rest = strchr(packet, 0x1e);
		if (rest != NULL)
			*rest++ = '\0';
		on_packet(client, packet, strlen(packet));
	}
	request(line, NULL);
}

/* An answer is told whole; there is never another one behind it. */
static void
on_line(struct line *line)
{
	ssize_t got = recv(line->fd, line->got + line->kept,
	    sizeof(line->got) - 1 - line->kept, MSG_DONTWAIT);
	const char *size;
	char *body;
	size_t length;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		broken("a connection was closed", line->got, line->kept);
	line->kept += (size_t)got;
	line->got[line->kept] = '\0';
	body = strstr(line->got, "\r\n\r\n");
	if (body == NULL)
		return;
	size = strcasestr(line->got, "\r\ncontent-length:");
	if (strncmp(line->got, "HTTP/1.1 200", 12) != 0 || size == NULL)
		broken("refused", line->got, line->kept);
	length = strtoul(size + 17, NULL, 10);
	body += 4;
	if (line->kept < (size_t)(body - line->got) + length)
		return;
	line->kept = 0;
	on_body(line, body, length);
}

static int
turn(void)
{
	struct epoll_event ready[256];
	int is_told = 0, found = epoll_wait(set, ready, 256, 1000);

	for (int i = 0; i < found; i++)
		if (ready[i].data.ptr == NULL)
			is_told = 1;
		else
			on_line(ready[i].data.ptr);
	return (is_told);
}

static void
run(long wanted)
{
	int64_t begin = now_ns(), took;

	trips_wanted = wanted;
	trips_begun = trips_done = bad = 0;
	times = calloc((size_t)wanted, sizeof(*times));
	for (int i = 0; i < count; i++)
		if (!clients[i].post.is_busy)
			ask(&clients[i]);
	while (trips_done < wanted && now_ns() - begin <
	    PATIENCE_NS + wanted * 1000000)
		turn();
	took = now_ns() - begin;
	printf("trips=%ld missing=%ld bad=%ld seconds=%.6f", trips_done,
	    wanted - trips_done, bad, (double)took / 1e9);
	tell_times("trip", times, (size_t)trips_done);
	putchar('\n');
	fflush(stdout);
	free(times);
}

int
main(int argc, char **argv)
{
	struct epoll_event told = {.events = EPOLLIN, .data.ptr = NULL};
	char words[128];
	ssize_t length;

	if (argc != 3 || (count = atoi(argv[2])) < 1 || count > CLIENTS_MAX) {
		fprintf(stderr, "usage: poll_client PORT[,PORT] CLIENTS\n");
		return (64);
	}
	ports_count = sscanf(argv[1], "%d,%d", &ports[0], &ports[1]);
	clients = calloc((size_t)count, sizeof(*clients));
	set = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; in < count;) {
		while (i < count && coming < COMING_MAX)
			come(i++);
		turn();
	}
	puts("connected");
	fflush(stdout);
	epoll_ctl(set, EPOLL_CTL_ADD, 0, &told);
	for (;;) {
		long wanted;

		if (!turn())
			continue;
		length = read(0, words, sizeof(words) - 1);
		if (length <= 0)
			return (0);
		words[length] = '\0';
		if (sscanf(words, "trips %ld", &wanted) != 1 || wanted < 1 ||
		    wanted > TRIPS_MAX)
			broken("not understood", words, (size_t)length);
		run(wanted);
	}
}
