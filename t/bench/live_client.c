/* SPDX-License-Identifier: MIT */
/*
 * The clients of t/bench/live and t/bench/socketio: so many WebSockets, all
 * in one thread, and those who publish. Every delivery is looked at: in each
 * room all sockets must get the same events in the same order, each once, none
 * left out; at partyline their numbers have no gap.
 *
 * Run: live_client KIND PORT[,PORT] SOCKETS TOKEN ROOM...
 *
 *	kind		sign in and subscribe		publish
 *	json		messages			POST /api/sessions/…
 *	socketio	messages of Socket.IO 4		POST /api/sessions/…
 *	nchan		by path, nobody signs in	POST /pub/…
 *	limit		two messages of that size	POST /…
 *	vote		messages			POST /api/votes/live
 *	slashlive	Socket.IO's namespace /live	POST /api/sessions/…
 *
 * With two ports each room has half of its sockets at either; who publishes
 * does so at the first.
 *
 * An event's envelope has ENVELOPE bytes, which Bench::Live may say.
 *
 * There may be no sockets at all: then what counts are the answers. Those who
 * vote have a name of their own each time.
 *
 * It says `connected` once all have subscribed, and then answers each line
 * `publish EVENTS IN-FLIGHT` with one of figures, until its input ends.
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

#include "live_order.h"
#include "live_wire.h"

#define SOCKETS_MAX 19000
#define SOURCES 8		/* 127.0.0.2 and on */
#define COMING_MAX 64		/* connections begun at a time */
#define PUBLISHERS_MAX 64
#ifndef ENVELOPE
#define ENVELOPE 256
#endif
#define PATIENCE_NS 10000000000
#define FIRST_EVENT 100000001	/* all of one width */

struct room {
	const char *name;
	int	 members;
	struct order order;
};

struct connection {
	int	 fd;
	int	 step;		/* of its kind; -1: no 101 yet */
	struct room *room;
	uint32_t place;		/* in the room's order */
	size_t	 kept;
	char	*part;		/* of a frame */
};

struct event {
	struct room *room;
	struct publisher *publisher;
	int	 left;		/* deliveries */
	int64_t	 begin, sign, end;
};

struct publisher {
	int	 fd;		/* 0: not connected */
	struct event *event;	/* NULL: idle */
	int	 is_answered;
};

struct step {
	const char *say;	/* with the room or the token in place of %s */
	const char *wait;
};

#define NUMBER "\"n\":"
#define VOTER "\"username\":\"voter-"

static const struct kind {
	const char *name, *get, *post;
	size_t	 around;	/* bytes that are not the envelope's */
	const char *mark;	/* before an event's number */
	struct step steps[3];
} kinds[] = {
	{ "json", "/api/sessions/live", "/api/sessions/%s/events", 0, NUMBER, {
	    { "{\"type\":\"auth\",\"token\":\"%s\"}", "\"auth_success\"" },
	    { "{\"type\":\"subscribe\",\"sessionId\":%s}",
	    "\"subscribed\"" } } },
	{ "limit", "/%s", "/%s", 0, NUMBER, {
	    { "{\"type\":\"auth\",\"token\":\"%s\"}", "{}" },
	    { "{\"type\":\"subscribe\",\"sessionId\":%s}", "{}" } } },
	{ "nchan", "/sub/%s", "/pub/%s", 0, NUMBER, { { NULL, NULL } } },
	{ "socketio", "/socket.io/?EIO=4&transport=websocket",
	    "/api/sessions/%s/events", sizeof("42[\"event\",]") - 1,
	    NUMBER, {
	    { NULL, "0{" },
	    { "40{\"token\":\"%s\"}", "40{" },
	    { "42[\"subscribe\",{\"sessionId\":%s}]", "\"subscribed\"" } } },
	{ "vote", "/api/sessions/live", "/api/votes/live", 0, VOTER, {
	    { "{\"type\":\"auth\",\"token\":\"%s\"}", "\"auth_success\"" },
	    { "{\"type\":\"subscribe\",\"sessionId\":%s}",
	    "\"subscribed\"" } } },
	{ "slashlive", "/socket.io/?EIO=4&transport=websocket",
	    "/api/sessions/%s/events",
	    sizeof("42/live,[\"custom.bench\",]") - 1, NUMBER, {
	    { NULL, "0{" },
	    { "40/live,{\"token\":\"%s\"}", "40/live,{" },
	    { "42/live,1[\"subscribe\",%s]",
	    "43/live,1[{\"success\":true" } } },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *kind;
static const char *token;
static int ports[2], ports_count, set, sockets, in, coming, rooms_count;
static struct connection *connections;
static struct room *rooms;
static struct publisher publishers[PUBLISHERS_MAX];
static struct event *events;	/* of this run */
static uint32_t events_base, events_count, events_begun, events_done;
static size_t pad = 64;
static int is_alone;		/* one event at a time */
static long deliveries, repeated, disordered, bad;
static int64_t progress;
static char buffer[65536];

static void
watch(int fd, void *whom)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = whom};

	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

/* --- deliveries ---------------------------------------------------------- */

static const char *
find(const char *payload, size_t length, const char *what)
{
	const char *at = memmem(payload, length, what, strlen(what));

	return (at != NULL ? at + strlen(what) : NULL);
}

/* The event, if it is what this socket had to get now. */
static struct event *
checked(struct connection *connection, uint32_t number, long seq)
{
	struct room *room = connection->room;
	struct event *event = NULL;

	if (number >= events_base && number < events_base + events_begun)
		event = &events[number - events_base];
	if (event == NULL || event->room != room) {
		bad++;
		return (NULL);
	}
	switch (order_take(&room->order, &connection->place, number, seq)) {
	case ORDER_RIGHT:
		return (event);
	case ORDER_REPEATED:
		repeated++;
		break;
	case ORDER_WRONG:
		disordered++;
		break;
	}
	return (NULL);
}

static void next_event(struct publisher *publisher);

static void
settle(struct event *event)
{
	struct publisher *publisher = event->publisher;

	if (event->left > 0 || !publisher->is_answered)
		return;
	events_done++;
	publisher->event = NULL;
	next_event(publisher);
}

static void
on_delivery(struct connection *connection, const char *payload, size_t length)
{
	const char *number = find(payload, length, kind->mark);
	const char *seq = find(payload, length, "\"seq\":");
	struct event *event;

	/* What is not an event is not ours to count. */
	if (number == NULL)
		return;
	event = checked(connection, (uint32_t)strtoul(number, NULL, 10),
	    seq != NULL ? atol(seq) : 0);
	if (event == NULL)
		return;
	deliveries++;
	event->end = progress = now_ns();
	event->sign = event->sign != 0 ? event->sign : event->end;
	if (is_alone && event->left == 1)
		pad += ENVELOPE + kind->around - length;
	event->left--;
	settle(event);
}

/* --- sockets ------------------------------------------------------------- */

static int
is_in(const struct connection *connection)
{
	return (connection->step == 3 || (connection->step >= 0 &&
	    kind->steps[connection->step].wait == NULL));
}

/* Says what its step is to say, unless it is in. */
static void
begin_step(struct connection *connection)
{
	const struct step *step = &kind->steps[connection->step];
	char words[2048];

	if (is_in(connection)) {
		in++;
		coming--;
	} else if (step->say != NULL) {
		snprintf(words, sizeof(words), step->say,
		    strstr(step->say, "oken") != NULL ? token :
		    connection->room->name);
		send_frame(connection->fd, 1, words, strlen(words));
	}
}

static void
on_message(struct connection *connection, const char *payload, size_t length)
{
	if (kind->around > 0 && length == 1 && *payload == '2')
		send_frame(connection->fd, 1, "3", 1);	/* Socket.IO's ping */
	else if (is_in(connection))
		on_delivery(connection, payload, length);
	else if (find(payload, length, kind->steps[connection->step].wait)) {
		connection->step++;
		begin_step(connection);
	} else if (find(payload, length, "error"))
		broken("refused", payload, length);
}

/* Bytes of the frames that are whole. */
static size_t
read_frames(struct connection *connection, const char *bytes, size_t length)
{
	size_t at = 0;

	while (length - at >= 2) {
		const unsigned char *frame =
		    (const unsigned char *)bytes + at;
		size_t head = 2, size = frame[1] & 127;

		if (size == 126 && length - at >= 4) {
			head = 4;
			size = (size_t)frame[2] << 8 | frame[3];
		} else if (size >= 126)
			break;
		if (length - at < head + size)
			break;
		if (frame[0] == 0x81)
			on_message(connection, bytes + at + head, size);
		else if (frame[0] == 0x89)
			send_frame(connection->fd, 10, bytes + at + head, size);
		else
			broken("not a text", bytes + at + head, size);
		at += head + size;
	}
	return (at);
}

static size_t
read_answer(struct connection *connection, const char *bytes, size_t length)
{
	const char *end = find(bytes, length, "\r\n\r\n");

	if (end == NULL)
		return (0);
	if (strncmp(bytes, "HTTP/1.1 101", 12) != 0)
		broken("no WebSocket", bytes, length);
	connection->step = 0;
	begin_step(connection);
	return ((size_t)(end - bytes));
}

static void
on_socket(struct connection *connection)
{
	size_t length, at = 0;
	ssize_t got;

	if (connection->kept > 0)
		memcpy(buffer, connection->part, connection->kept);
	got = recv(connection->fd, buffer + connection->kept,
	    sizeof(buffer) - 1 - connection->kept, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		broken("a socket was closed", "", 0);
	length = connection->kept + (size_t)got;
	buffer[length] = '\0';
	if (connection->step < 0)
		at = read_answer(connection, buffer, length);
	if (connection->step >= 0)
		at += read_frames(connection, buffer + at, length - at);
	connection->kept = length - at;
	if (connection->kept > 0) {
		connection->part = realloc(connection->part,
		    connection->kept);
		memcpy(connection->part, buffer + at, connection->kept);
	}
}

static void
come(int i)
{
	struct connection *connection = &connections[i];
	char request[512], path[128];

	connection->room = &rooms[i % rooms_count];
	connection->room->members++;
	connection->step = -1;
	connection->fd = dial(ports[i / rooms_count % ports_count],
	    1 + i % SOURCES);
	snprintf(path, sizeof(path), kind->get, connection->room->name);
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n"
	    "Host: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path);
	send_all(connection->fd, request, strlen(request));
	watch(connection->fd, connection);
	coming++;
}

/* --- publishing ---------------------------------------------------------- */

/* A name is nobody else's, here and in other runs of this program. */
static void
write_body(char *body, size_t size, uint32_t number)
{
	char moment[32];

	if (strcmp(kind->mark, NUMBER) == 0) {
		snprintf(body, size, "{\"type\":\"custom.bench\",\"data\":"
		    "{\"n\":%u,\"pad\":\"%0*d\"}}", number, (int)pad, 0);
		return;
	}
	now_text(moment);
	snprintf(body, size, "{" VOTER "%u-%d\",\"vote\":\"%s\","
	    "\"timestamp\":\"%s\"}", number, (int)getpid(),
	    number % 4 == 0 ? "down" : "up", moment);
}

static void
publish(struct publisher *publisher, uint32_t number)
{
	static char request[8192], body[2048], path[128];
	struct event *event = publisher->event;

	snprintf(path, sizeof(path), kind->post, event->room->name);
	write_body(body, sizeof(body), number);
	snprintf(request, sizeof(request), "POST %s HTTP/1.1\r\n"
	    "Host: bench\r\nAuthorization: Bearer %s\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    path, token, strlen(body), body);
	if (publisher->fd == 0) {
		publisher->fd = dial(ports[0], 0);
		watch(publisher->fd, publisher);
	}
	event->begin = now_ns();
	send_all(publisher->fd, request, strlen(request));
}

static void
next_event(struct publisher *publisher)
{
	struct event *event;

	if (events_begun == events_count)
		return;
	event = &events[events_begun];
	event->room = &rooms[events_begun % (uint32_t)rooms_count];
	event->left = event->room->members;
	event->publisher = publisher;
	publisher->event = event;
	publisher->is_answered = 0;
	publish(publisher, events_base + events_begun++);
}

/* The answers are short and come in one piece. */
static void
on_publisher(struct publisher *publisher)
{
	ssize_t got = recv(publisher->fd, buffer, sizeof(buffer) - 1, 0);

	if (got <= 0) {
		/* A server does not keep who is silent for long. */
		if (publisher->event != NULL && !publisher->is_answered)
			die("a publisher was left");
		close(publisher->fd);
		publisher->fd = 0;
		return;
	}
	buffer[got] = '\0';
	if (strncmp(buffer, "HTTP/1.1 20", 11) != 0 ||
	    publisher->event == NULL || publisher->is_answered)
		broken("publish", buffer, (size_t)got);
	publisher->is_answered = 1;
	progress = now_ns();
	if (publisher->event->sign == 0)
		publisher->event->sign = progress;
	if (publisher->event->room->members == 0)
		publisher->event->end = progress;
	settle(publisher->event);
}

/* --- the loop ------------------------------------------------------------ */

static int
is_publisher(const void *whom)
{
	return ((const char *)whom >= (const char *)publishers &&
	    (const char *)whom < (const char *)(publishers + PUBLISHERS_MAX));
}

static int
turn(void)
{
	struct epoll_event ready[256];
	int is_told = 0, count = epoll_wait(set, ready, 256, 1000);

	for (int i = 0; i < count; i++)
		if (ready[i].data.ptr == NULL)
			is_told = 1;
		else if (is_publisher(ready[i].data.ptr))
			on_publisher(ready[i].data.ptr);
		else
			on_socket(ready[i].data.ptr);
	return (is_told);
}

static void
tell(int64_t took)
{
	int64_t *times = calloc(events_count, sizeof(*times));
	long missing = 0;

	for (int i = 0; i < rooms_count; i++)
		disordered += rooms[i].order.gaps;
	for (uint32_t i = 0; i < events_count; i++)
		missing += i < events_begun ? events[i].left :
		    rooms[i % (uint32_t)rooms_count].members;
	printf("events=%u deliveries=%ld missing=%ld repeated=%ld "
	    "disordered=%ld bad=%ld seconds=%.6f pad=%zu", events_count,
	    deliveries, missing, repeated, disordered, bad,
	    (double)took / 1e9, pad);
	for (uint32_t i = 0; i < events_count; i++)
		times[i] = events[i].end - events[i].begin;
	tell_times("whole", times, events_count);
	for (uint32_t i = 0; i < events_count; i++)
		times[i] = events[i].end - events[i].sign;
	tell_times("spread", times, events_count);
	puts("");
	fflush(stdout);
	free(times);
}

static void
run(uint32_t count, int in_flight)
{
	int64_t begin = progress = now_ns();

	events_base = events_base == 0 ? FIRST_EVENT :
	    events_base + events_count;
	events_count = count;
	events_begun = events_done = 0;
	deliveries = repeated = disordered = bad = 0;
	is_alone = in_flight == 1;
	free(events);
	events = calloc(count, sizeof(*events));
	for (int i = 0; i < in_flight; i++) {
		publishers[i].event = NULL;
		next_event(&publishers[i]);
	}
	while (events_done < count && now_ns() - progress < PATIENCE_NS)
		turn();
	tell(now_ns() - begin);
}

int
main(int argc, char **argv)
{
	char line[128];
	ssize_t length;

	for (size_t i = 0; argc > 5 && i < KINDS; i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			kind = &kinds[i];
	if (kind == NULL || (sockets = atoi(argv[3])) < 0 ||
	    sockets > SOCKETS_MAX) {
		fprintf(stderr,
		    "usage: live_client KIND PORT[,PORT] SOCKETS TOKEN "
		    "ROOM...\n");
		return (64);
	}
	ports_count = sscanf(argv[2], "%d,%d", &ports[0], &ports[1]);
	token = argv[4];
	rooms_count = argc - 5;
	rooms = calloc((size_t)rooms_count, sizeof(*rooms));
	for (int i = 0; i < rooms_count; i++)
		rooms[i].name = argv[5 + i];
	connections = calloc((size_t)sockets + 1, sizeof(*connections));
	set = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; in < sockets;) {
		while (i < sockets && coming < COMING_MAX)
			come(i++);
		turn();
	}
	puts("connected");
	fflush(stdout);
	watch(0, NULL);
	for (;;) {
		unsigned count;
		int in_flight;

		if (!turn())
			continue;
		length = read(0, line, sizeof(line) - 1);
		if (length <= 0)
			return (0);
		line[length] = '\0';
		if (sscanf(line, "publish %u %d", &count, &in_flight) != 2 ||
		    count < 1 || in_flight < 1 || in_flight > PUBLISHERS_MAX)
			broken("not understood", line, (size_t)length);
		run(count, in_flight);
	}
}
