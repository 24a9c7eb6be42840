/* SPDX-License-Identifier: MIT */
/*
 * jobs/dial: WebSockets to a server of our own, which does what the path
 * says, in its own process. TLS is in 55-outgoing.t.
 */
#include "jobs/dial.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/conf.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "jobs/ground.h"
#include "jobs/guard.h"
#include "plat/digest.h"
#include "plat/frame.h"
#include "plat/loop.h"
#include "tap.h"

static struct ground ground = { .magic = GROUND_MAGIC };
static struct fetcher *fetcher;
static struct guard *guard;
static unsigned port;
static pid_t server;

/* The server. */

static void
say(int fd, text t)
{
	if (send(fd, t.at, t.len, MSG_NOSIGNAL) < 0)
		_exit(0);
}

static void
say_frame(int fd, enum frame_kind kind, const char *string)
{
	struct bytes *bytes = frame_write(kind, text_of(string));

	say(fd, text_from(bytes->at, bytes->len));
	bytes_give(&bytes);
}

static void
welcome(int fd, const char *got, const char *extra)
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	const char *key = strstr(got, "Sec-WebSocket-Key: ");
	char joined[128], digest[DIGEST_SHA1_SIZE], line[512];

	if (key == NULL)
		_exit(1);
	snprintf(joined, sizeof joined, "%.24s%s", key + 19, magic);
	digest_sha1(text_of(joined), digest);
	snprintf(line, sizeof line, "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n%s"
	    "Sec-WebSocket-Accept: %s\r\n\r\n", extra, digest);
	say(fd, text_of(line));
}

/* Says what came back, until it is closed. */
static void
echo(int fd)
{
	static const struct frame_rules rules = { .message_max = 1 << 22 };
	struct frame_reader reader;
	struct frame_event event;
	char got[65536], line[64];

	frame_reader_init(&reader, &rules, false);
	for (;;) {
		ssize_t len = read(fd, got, sizeof got);
		struct frame_input input = { got, (size_t)len };

		if (len <= 0)
			_exit(0);
		while (frame_read(&reader, &input, &event)) {
			struct bytes *bytes;

			if (event.kind == FRAME_PONG)
				say_frame(fd, FRAME_TEXT, "ponged");
			if (event.kind == FRAME_CLOSE) {
				bytes = frame_write_close(event.code,
				    TEXT_NONE);
				say(fd, text_from(bytes->at, bytes->len));
				_exit(0);
			}
			if (event.kind != FRAME_TEXT)
				continue;
			if (event.payload.len > 100) {
				snprintf(line, sizeof line, "%zu bytes",
				    event.payload.len);
				event.payload = text_of(line);
			}
			bytes = frame_write(FRAME_TEXT, event.payload);
			say(fd, text_from(bytes->at, bytes->len));
			bytes_give(&bytes);
		}
	}
}

static void
close_by(int fd, unsigned code, const char *reason)
{
	struct bytes *bytes = frame_write_close(code, text_of(reason));

	say(fd, text_from(bytes->at, bytes->len));
	pause();
}

static void
serve_one(int fd)
{
	char got[8192], path[64];
	size_t len = 0;

	do {
		ssize_t more = read(fd, got + len, sizeof got - 1 - len);

		if (more <= 0)
			_exit(0);
		len += (size_t)more;
		got[len] = '\0';
	} while (strstr(got, "\r\n\r\n") == NULL);
	if (sscanf(got, "GET %63s HTTP/1.1", path) != 1)
		_exit(1);
	if (strcmp(path, "/refused") == 0) {
		say(fd, TEXT("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n"
		    "Retry-After: 3\r\n\r\nno room x"));
		pause();
	} else if (strcmp(path, "/key") == 0) {
		say(fd, TEXT("HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
		    "Connection: Upgrade\r\n"
		    "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
		    "\r\n"));
		pause();
	} else if (strcmp(path, "/smtp") == 0) {
		say(fd, TEXT("220 mail.example ESMTP\r\n\r\n"));
		pause();
	} else if (strcmp(path, "/cut") == 0)
		_exit(0);
	else if (strcmp(path, "/silent") == 0)
		pause();
	welcome(fd, got, strcmp(path, "/extension") == 0 ?
	    "Sec-WebSocket-Extensions: permessage-deflate\r\n" :
	    strcmp(path, "/protocol") == 0 ?
	    "Sec-WebSocket-Protocol: ecast-v1\r\n" :
	    "Sec-WebSocket-Protocol: ecast-v0\r\n");
	if (strcmp(path, "/at-once") == 0)
		say_frame(fd, FRAME_TEXT, "first");
	else if (strcmp(path, "/ping") == 0)
		say_frame(fd, FRAME_PING, "x");
	else if (strcmp(path, "/binary") == 0)
		say_frame(fd, FRAME_BINARY, "x");
	else if (strcmp(path, "/text") == 0)
		say(fd, TEXT("\x81\x02\xc3\x28"));
	else if (strcmp(path, "/masked") == 0)
		say(fd, TEXT("\x81\x81" "1234x"));
	else if (strcmp(path, "/large") == 0)
		say(fd, TEXT("\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00"));
	else if (strcmp(path, "/bye") == 0)
		close_by(fd, 4001, "room full");
	else if (strcmp(path, "/mute") == 0)
		pause();
	echo(fd);
}

static void
start_server(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ok(bind(listener, (struct sockaddr *)&in, sizeof in) == 0);
	ok(listen(listener, 64) == 0);
	getsockname(listener, (struct sockaddr *)&in, &len);
	port = ntohs(in.sin_port);
	server = child_start();
	if (server == 0) {
		signal(SIGCHLD, SIG_IGN);
		for (;;) {
			int fd = accept(listener, NULL, NULL);

			if (child_start() == 0)
				serve_one(fd);
			close(fd);
		}
	}
	close(listener);
}

/* Who calls. */

struct caller {
	struct dial	*dial;
	bool		 is_open;
	unsigned	 closed;
	unsigned	 messages;
	char		 last[128];
	enum fetch_why	 why;
	int		 status;
	unsigned	 code;
	int64_t		 retry_after_s;
	char		 words[FETCH_WORDS_SIZE];
	char		 reason[128];
	char		 body[128];
	const char	*says;		/* when it opens */
	bool		 drops;		/* at the first message */
};

static void
on_open(void *me)
{
	struct caller *caller = me;

	caller->is_open = true;
	if (caller->says != NULL)
		ok(dial_say(caller->dial, text_of(caller->says)));
}

static void
on_text(void *me, text message)
{
	struct caller *caller = me;

	caller->messages++;
	snprintf(caller->last, sizeof caller->last, "%.*s",
	    TEXT_ARGS(message));
	if (caller->drops)
		dial_drop(&caller->dial);
}

static void
on_close(void *me, const struct dial_end *end)
{
	struct caller *caller = me;

	caller->closed++;
	caller->dial = NULL;
	caller->why = end->why;
	caller->status = end->status;
	caller->code = end->code;
	caller->retry_after_s = end->retry_after_s;
	snprintf(caller->words, sizeof caller->words, "%s", end->words);
	snprintf(caller->reason, sizeof caller->reason, "%.*s",
	    TEXT_ARGS(end->reason));
	snprintf(caller->body, sizeof caller->body, "%.*s",
	    TEXT_ARGS(end->body));
}

static int64_t open_timeout_ms = 5000;

static void
call(struct caller *caller, const char *path, int64_t silence_ms)
{
	char url[128];

	snprintf(url, sizeof url, "ws://127.0.0.1:%u%s", port, path);
	caller->dial = dial_open(fetcher, &(struct dial_request){
	    .url = path[0] == '/' ? url : path, .protocol = "ecast-v0",
	    .open_timeout_ms = open_timeout_ms, .silence_ms = silence_ms,
	    .message_max = 1 << 20, .guard = guard, .on_open = on_open,
	    .on_text = on_text, .on_close = on_close, .me = caller });
	is(caller->closed, 0);
}

/* Until it is closed, or so many messages came. */
static void
turn_until(struct caller *caller, unsigned messages)
{
	int64_t until = clock_ms() + 15000;

	while (caller->closed == 0 && (messages == 0 ||
	    caller->messages < messages) && clock_ms() < until)
		loop_turn(ground.loop, 20);
	if (messages == 0)
		is(caller->closed, 1);
	else
		is(caller->messages, messages);
}

static void
check_end(const char *path, enum fetch_why why, const char *words)
{
	struct caller caller = { .closed = 0 };

	call(&caller, path, 0);
	turn_until(&caller, 0);
	is(caller.why, why);
	is_text(caller.words, words);
}

static void
test_messages(void)
{
	struct caller caller = { .says = "{\"a\":1}" };
	char *large = mem_alloc(300001);

	test("messages there and back");
	call(&caller, "/echo", 0);
	ok(!dial_say(caller.dial, TEXT("too early")));
	turn_until(&caller, 1);
	is_text(caller.last, "{\"a\":1}");
	memset(large, 'x', 300000);
	ok(dial_say(caller.dial, text_from(large, 300000)));
	turn_until(&caller, 2);
	is_text(caller.last, "300000 bytes");
	mem_free(large);
	dial_close(&caller.dial);
	is(caller.closed, 0);

	test("what came with the handshake, and a drop in the middle");
	caller = (struct caller){ .drops = true };
	call(&caller, "/at-once", 0);
	turn_until(&caller, 1);
	is_text(caller.last, "first");
	ok(caller.dial == NULL);
	is(caller.closed, 0);

	test("pings are answered");
	caller = (struct caller){ .drops = false };
	call(&caller, "/ping", 0);
	turn_until(&caller, 1);
	is_text(caller.last, "ponged");
	dial_drop(&caller.dial);

	test("no more waits than may");
	caller = (struct caller){ .drops = false };
	call(&caller, "/mute", 0);
	while (!caller.is_open)
		loop_turn(ground.loop, 20);
	large = mem_alloc(DIAL_QUEUE_MAX / 2);
	memset(large, 'x', DIAL_QUEUE_MAX / 2);
	for (unsigned i = 0; i < 100; i++)
		if (!dial_say(caller.dial, text_from(large,
		    DIAL_QUEUE_MAX / 2)))
			break;
	ok(!dial_say(caller.dial, text_from(large, DIAL_QUEUE_MAX / 2)));
	mem_free(large);
	dial_close(&caller.dial);
}

static void
test_ends(void)
{
	struct caller caller = { .closed = 0 };

	test("refused with a status");
	call(&caller, "/refused", 0);
	turn_until(&caller, 0);
	is(caller.why, FETCH_BAD_ANSWER);
	is(caller.status, 404);
	is(caller.retry_after_s, 3);
	is_text(caller.body, "no room x");
	is_text(caller.words, "it answered 404 and opened nothing");

	test("closed by the other side");
	caller = (struct caller){ .closed = 0 };
	call(&caller, "/bye", 0);
	turn_until(&caller, 0);
	is(caller.why, FETCH_ANSWERED);
	is(caller.code, 4001);
	is_text(caller.reason, "room full");

	test("answers that are no handshake");
	check_end("/key", FETCH_BAD_ANSWER, "it did not answer our key");
	check_end("/extension", FETCH_BAD_ANSWER,
	    "it uses an extension nobody asked for");
	check_end("/protocol", FETCH_BAD_ANSWER,
	    "it speaks a protocol nobody asked for");
	check_end("/smtp", FETCH_BAD_ANSWER,
	    "what answers there does not speak HTTP");
	check_end("/cut", FETCH_CUT,
	    "the connection ended before the answer");
	open_timeout_ms = 300;
	check_end("/silent", FETCH_TIMED_OUT,
	    "timed out after 0.3 s, before the answer");
	open_timeout_ms = 5000;

	test("frames that break the protocol");
	check_end("/binary", FETCH_BAD_ANSWER,
	    "it sends bytes where text belongs");
	caller = (struct caller){ .closed = 0 };
	call(&caller, "/text", 0);
	turn_until(&caller, 0);
	is(caller.code, FRAME_CODE_BAD_DATA);
	caller = (struct caller){ .closed = 0 };
	call(&caller, "/masked", 0);
	turn_until(&caller, 0);
	is(caller.code, FRAME_CODE_PROTOCOL);
	caller = (struct caller){ .closed = 0 };
	call(&caller, "/large", 0);
	turn_until(&caller, 0);
	is(caller.code, FRAME_CODE_TOO_LARGE);

	test("where no call can go");
	check_end("ws://127.0.0.1:1/", FETCH_BAD_URL, "port not allowed: 1");
	check_end("ws://10.0.0.1/", FETCH_NOT_ALLOWED,
	    "address not allowed: 10.0.0.1 is private");
	check_end("ws://a:b@127.0.0.1/", FETCH_BAD_URL,
	    "the URL has a user or a password in it");
	check_end("http://127.0.0.1/", FETCH_BAD_URL,
	    "the URL is neither wss: nor ws:");
	check_end("ws://", FETCH_BAD_URL, "the URL cannot be read");

	test("who falls silent, and who only has nothing to say");
	caller = (struct caller){ .closed = 0 };
	call(&caller, "/mute", 200);
	turn_until(&caller, 0);
	is(caller.why, FETCH_TIMED_OUT);
	is_text(caller.words, "timed out: nothing came for 0.2 s");
}

int
main(void)
{
	struct conf *conf = conf_create();
	struct caller caller = { .closed = 0 };
	struct buf problems;

	signal(SIGPIPE, SIG_IGN);
	test("a server");
	start_server();
	buf_init(&problems, BUF_NO_LIMIT);
	ok(conf_set(conf, TEXT("outgoing_allow=127.0.0.0/8"), &problems));
	ground.loop = loop_create();
	ground.conf = conf;
	guard = guard_create(conf);
	fetcher = fetcher_create(&ground);
	test_messages();
	test_ends();
	test("the end of all tells those that are left");
	call(&caller, "/echo", 0);
	while (!caller.is_open)
		loop_turn(ground.loop, 20);
	fetcher_destroy(&fetcher);
	is(caller.why, FETCH_STOPPED);
	guard_destroy(&guard);
	loop_destroy(&ground.loop);
	conf_destroy(&conf);
	buf_fini(&problems);
	kill(server, SIGKILL);
	return (done());
}
