/* SPDX-License-Identifier: MIT */
/*
 * jobs/fetch: requests to a server of our own, which answers what the path
 * says, in its own process.
 */
#include "jobs/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/conf.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "jobs/ground.h"
#include "jobs/guard.h"
#include "plat/loop.h"
#include "tap.h"

static struct ground ground = { .magic = GROUND_MAGIC };
static struct fetcher *fetcher;
static struct guard *guard;
static unsigned port;
static pid_t server;

/* The names of this test; each next look-up takes the next address. */
static const char *names_say[4];
static unsigned names_asked;

int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **out)
{
	struct sockaddr_in *in;
	const char *said = names_say[names_asked];

	(void)name;
	(void)hints;
	if (said == NULL)
		return (EAI_NONAME);
	names_asked++;
	*out = calloc(1, sizeof **out + sizeof *in);
	in = (struct sockaddr_in *)(*out + 1);
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)atoi(service));
	inet_pton(AF_INET, said, &in->sin_addr);
	(*out)->ai_family = AF_INET;
	(*out)->ai_socktype = SOCK_STREAM;
	(*out)->ai_addrlen = sizeof *in;
	(*out)->ai_addr = (struct sockaddr *)in;
	return (0);
}

void
freeaddrinfo(struct addrinfo *given)
{
	free(given);
}

/* The server. */

static void
say(int fd, const char *string)
{
	if (write(fd, string, strlen(string)) < 0)
		_exit(0);
}

static void
answer(int fd, const char *path, const char *body)
{
	char line[512];

	if (strcmp(path, "/hello") == 0)
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
		    "Content-Type: text/plain\r\n\r\nhello");
	else if (strcmp(path, "/echo") == 0) {
		snprintf(line, sizeof line, "HTTP/1.1 201 Created\r\n"
		    "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
		say(fd, line);
	} else if (strcmp(path, "/later") == 0)
		say(fd, "HTTP/1.1 503 No\r\nRetry-After: 17\r\n"
		    "Content-Length: 0\r\n\r\n");
	else if (strcmp(path, "/moved") == 0)
		say(fd, "HTTP/1.1 302 Found\r\nLocation: /hello\r\n"
		    "Content-Length: 0\r\n\r\n");
	else if (strcmp(path, "/half") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nab");
		_exit(0);
	} else if (strcmp(path, "/nothing") == 0)
		_exit(0);
	else if (strcmp(path, "/garbage") == 0) {
		say(fd, "+OK what do you want\r\n\r\n");
		_exit(0);
	} else if (strcmp(path, "/endless") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\n\r\n");
		for (;;)
			say(fd, "0123456789012345678901234567890123456789");
	} else if (strcmp(path, "/headers") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\n");
		for (;;)
			say(fd, "X-More: 0123456789012345678901234567\r\n");
	} else if (strcmp(path, "/early") == 0) {
		for (;;)
			say(fd, "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n");
	} else if (strcmp(path, "/drip") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
		    "\r\n");
		for (unsigned i = 0; i < 3; i++) {
			say(fd, "2\r\nab\r\n");
			poll(NULL, 0, 30);
		}
		say(fd, "0\r\n\r\n");
	} else
		pause();		/* /silent */
}

static void
serve_one(int fd)
{
	char got[4096], path[64], *end, *length;
	size_t len = 0, body;
	ssize_t more;

	for (;;) {
		end = NULL;
		while (end == NULL || strlen(end + 4) < body) {
			more = read(fd, got + len, sizeof got - 1 - len);
			if (more <= 0)
				_exit(0);
			len += (size_t)more;
			got[len] = '\0';
			end = strstr(got, "\r\n\r\n");
			length = strstr(got, "Content-Length: ");
			body = length == NULL ? 0 : (size_t)atoi(length + 16);
		}
		if (sscanf(got, "%*s %63s", path) != 1)
			_exit(0);
		answer(fd, path, end + 4);
		len = 0;
	}
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

/* Who asks. */

struct asker {
	unsigned	 ended;
	unsigned	 order;
	enum fetch_why	 why;
	int		 status;
	int		 head;
	unsigned	 pieces;
	bool		 is_cut;
	int64_t		 retry_after_s;
	char		 words[FETCH_WORDS_SIZE];
	char		 body[4096];
	char		 type[64];
	struct fetch	*fetch;
	bool		 cancels_in_head;
	bool		 cancels_in_body;
	int		 fd;
};
static unsigned ends;

static void
on_end(void *me, const struct fetch_end *end)
{
	struct asker *asker = me;

	asker->ended++;
	asker->order = ++ends;
	asker->why = end->why;
	asker->status = end->status;
	asker->is_cut = end->is_cut;
	asker->retry_after_s = end->retry_after_s;
	snprintf(asker->words, sizeof asker->words, "%s", end->words);
	if (end->body.len > 0)
		snprintf(asker->body, sizeof asker->body, "%.*s",
		    TEXT_ARGS(end->body));
	asker->fetch = NULL;
}

static void
on_head(void *me, int status, text type)
{
	struct asker *asker = me;

	asker->head = status;
	snprintf(asker->type, sizeof asker->type, "%.*s", TEXT_ARGS(type));
	if (asker->cancels_in_head)
		fetch_cancel(&asker->fetch);
}

static void
on_body(void *me, text piece)
{
	struct asker *asker = me;

	asker->pieces++;
	strncat(asker->body, piece.at, piece.len);
	if (asker->cancels_in_body)
		fetch_cancel(&asker->fetch);
}

static void
on_connected(void *me, int fd)
{
	((struct asker *)me)->fd = fd;
}

static struct fetch_request
request_of(struct asker *asker, const char *url)
{
	return ((struct fetch_request){ .url = url, .timeout_ms = 2000,
	    .connect_timeout_ms = 1000, .max_answer = 100, .guard = guard,
	    .on_head = on_head, .on_body = on_body,
	    .on_connected = on_connected, .on_end = on_end, .me = asker });
}

static void
turn_until(struct asker *asker)
{
	int64_t until = clock_ms() + 5000;

	while (asker->ended == 0 && clock_ms() < until)
		loop_turn(ground.loop, 50);
	is(asker->ended, 1);
}

static void
ask(struct asker *asker, const char *path,
    void (*change)(struct fetch_request *))
{
	struct fetch_request request;
	char url[128];

	*asker = (struct asker){ .ended = 0 };
	snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
	request = request_of(asker, url);
	if (change != NULL)
		change(&request);
	asker->fetch = fetch_start(fetcher, &request);
	is(asker->ended, 0);
}

static void
get(struct asker *asker, const char *path,
    void (*change)(struct fetch_request *))
{
	ask(asker, path, change);
	turn_until(asker);
}

static void
change_to_echo(struct fetch_request *request)
{
	request->method = "POST";
	request->body = TEXT("{\"a\":1}");
}

static void
change_to_stream(struct fetch_request *request)
{
	request->is_stream = true;
}

static void
change_to_hasty(struct fetch_request *request)
{
	request->timeout_ms = 150;
}

static void
change_to_impatient(struct fetch_request *request)
{
	request->silence_ms = 100;
}

static void
test_answers(void)
{
	struct asker asker;

	test("what comes back");
	get(&asker, "/hello", NULL);
	is(asker.why, FETCH_ANSWERED);
	is(asker.status, 200);
	is(asker.head, 200);
	is_text(asker.body, "hello");
	is_text(asker.type, "text/plain");
	get(&asker, "/echo", change_to_echo);
	is(asker.status, 201);
	is_text(asker.body, "{\"a\":1}");
	get(&asker, "/later", NULL);
	is(asker.status, 503);
	is(asker.retry_after_s, 17);
	get(&asker, "/moved", NULL);
	is(asker.status, 302);

	test("a stream, piece by piece");
	get(&asker, "/drip", change_to_stream);
	is(asker.why, FETCH_ANSWERED);
	is_text(asker.body, "ababab");
	ok(asker.pieces >= 2);
}

static void
test_bad_answers(void)
{
	struct asker asker;

	test("answers that are none");
	get(&asker, "/half", NULL);
	is(asker.why, FETCH_CUT);
	is(asker.status, 200);
	get(&asker, "/nothing", NULL);
	is(asker.why, FETCH_CUT);
	get(&asker, "/garbage", NULL);
	is(asker.why, FETCH_BAD_ANSWER);

	test("what has no end is bounded");
	get(&asker, "/endless", NULL);
	is(asker.why, FETCH_ANSWERED);
	ok(asker.is_cut);
	is(strlen(asker.body), 100);
	get(&asker, "/endless", change_to_stream);
	is(asker.why, FETCH_TOO_LARGE);
	get(&asker, "/headers", NULL);
	is(asker.why, FETCH_TOO_LARGE);
	get(&asker, "/early", NULL);
	is(asker.why, FETCH_TOO_LARGE);
	is(asker.status, 0);

	test("who says nothing");
	get(&asker, "/silent", change_to_hasty);
	is(asker.why, FETCH_TIMED_OUT);
	ok(text_ends(text_of(asker.words), TEXT(", before the answer")));
	get(&asker, "/silent", change_to_impatient);
	is(asker.why, FETCH_TIMED_OUT);
	is_text(asker.words, "timed out: nothing came for 0.1 s");
}

int
main(void)
{
	struct conf *conf = conf_create();
	struct buf problems;
	char allow[] = "outgoing_allow=127.0.0.0/8";

	signal(SIGPIPE, SIG_IGN);
	test("a server");
	start_server();
	buf_init(&problems, BUF_NO_LIMIT);
	ok(conf_set(conf, text_of(allow), &problems));
	ok(conf_set(conf, TEXT("outgoing_per_origin=2"), &problems));
	ground.loop = loop_create();
	ground.conf = conf;
	guard = guard_create(conf);
	fetcher = fetcher_create(&ground);
	test_answers();
	test_bad_answers();
	fetcher_destroy(&fetcher);
	guard_destroy(&guard);
	loop_destroy(&ground.loop);
	conf_destroy(&conf);
	buf_fini(&problems);
	kill(server, SIGKILL);
	return (done());
}
