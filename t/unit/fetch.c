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
static struct guard *guard, *strict;
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

static void
change_to_other(struct fetch_request *request)
{
	static char url[128];

	snprintf(url, sizeof url, "http://other.example:%u/hello", port);
	request->url = url;
}

static void
change_to_fleeting(struct fetch_request *request)
{
	static char url[128];

	snprintf(url, sizeof url, "http://fleeting.example:%u/hello", port);
	request->url = url;
}

static void
change_to_refused(struct fetch_request *request)
{
	request->url = "http://127.0.0.1:9/";
}

static void
change_to_nobody(struct fetch_request *request)
{
	request->url = "http://nobody.example:8080/";
}

static void
change_to_connection(struct fetch_request *request)
{
	static char url[128];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
	request->url = url;
	request->is_connection = true;
}

static void
change_to_strict_other(struct fetch_request *request)
{
	change_to_other(request);
	request->guard = strict;
}

static void
turn_while_there(const struct asker *a, const struct asker *b)
{
	int64_t until = clock_ms() + 5000;

	while ((a->fetch != NULL || b->fetch != NULL) && clock_ms() < until)
		loop_turn(ground.loop, 20);
	ok(a->fetch == NULL && b->fetch == NULL);
}

static void
test_guard(void)
{
	struct addrinfo *checked;
	struct asker asker;
	char service[8], url[128], why[GUARD_WHY_SIZE];

	test("a name that answers otherwise once it was checked");
	names_say[0] = "127.0.0.1";
	names_say[1] = "10.0.0.1";
	snprintf(service, sizeof service, "%u", port);
	snprintf(url, sizeof url, "http://fleeting.example:%u/", port);
	ok(guard_takes(guard, url, why));
	ok(getaddrinfo("fleeting.example", service, NULL, &checked) == 0);
	ok(guard_allows(guard, checked->ai_addr, checked->ai_addrlen, why));
	freeaddrinfo(checked);
	get(&asker, "", change_to_fleeting);
	is(names_asked, 2);
	is(asker.why, FETCH_NOT_ALLOWED);
	is_text(asker.words, "address not allowed: 10.0.0.1 is private");

	test("a connection that another one was allowed to open");
	get(&asker, "/hello", NULL);
	is(asker.why, FETCH_ANSWERED);
	names_say[2] = "127.0.0.1";
	get(&asker, "", change_to_other);
	is(asker.why, FETCH_ANSWERED);
	get(&asker, "", change_to_strict_other);
	is(asker.why, FETCH_NOT_ALLOWED);
	is_text(asker.words, "address not allowed: 127.0.0.1 is loopback");

	test("names that are not there, ports where nobody listens");
	get(&asker, "", change_to_nobody);
	is(asker.why, FETCH_NO_NAME);
	get(&asker, "", change_to_refused);
	is(asker.why, FETCH_BAD_URL);
	is_text(asker.words, "port not allowed: 9");
}

static void
test_turns(void)
{
	struct asker slow[2], next, other, later;

	test("one origin at its bound is no other one's matter");
	ask(&slow[0], "/silent", change_to_hasty);
	ask(&slow[1], "/silent", change_to_hasty);
	ask(&next, "/hello", NULL);
	ask(&later, "/hello", NULL);
	ask(&other, "", change_to_other);
	ends = 0;
	turn_until(&later);
	turn_until(&next);
	is(other.order, 1);
	is(slow[0].order + slow[1].order, 5);
	is(next.order + later.order, 9);

	test("what is cancelled says nothing more");
	ask(&slow[0], "/silent", NULL);
	ask(&slow[1], "/silent", NULL);
	ask(&next, "/hello", NULL);
	ask(&later, "/hello", NULL);
	loop_turn(ground.loop, 20);
	loop_turn(ground.loop, 20);
	fetch_cancel(&next.fetch);	/* waits */
	fetch_cancel(&slow[0].fetch);	/* is at work */
	ok(slow[0].fetch == NULL);
	turn_until(&later);
	is(later.status, 200);
	fetch_cancel(&slow[1].fetch);
	is(slow[0].ended + slow[1].ended + next.ended, 0);

	test("cancelled in the middle of its own callbacks");
	ask(&next, "/hello", NULL);
	next.cancels_in_head = true;
	ask(&other, "/drip", change_to_stream);
	other.cancels_in_body = true;
	turn_while_there(&next, &other);
	is(next.ended + other.ended, 0);
	is(next.head, 200);
	is(next.pieces, 0);
	is(other.pieces, 1);
	get(&later, "/hello", NULL);
	is(later.status, 200);
}

static void
test_connection(void)
{
	struct asker asker;
	char got[64];
	ssize_t len;

	test("a connection to own");
	get(&asker, "", change_to_connection);
	is(asker.why, FETCH_ANSWERED);
	is(asker.status, 0);
	say(asker.fd, "GET /hello HTTP/1.1\r\n\r\n");
	ok(poll(&(struct pollfd){ .fd = asker.fd, .events = POLLIN }, 1,
	    5000) == 1);
	len = read(asker.fd, got, sizeof got - 1);
	ok(len > 15);
	got[len > 0 ? len : 0] = '\0';
	ok(strncmp(got, "HTTP/1.1 200 OK", 15) == 0);
	close(asker.fd);
}

int
main(void)
{
	struct conf *conf = conf_create();
	struct conf *as_it_is = conf_create();
	struct asker waits, works;
	struct buf problems;

	signal(SIGPIPE, SIG_IGN);
	test("a server");
	start_server();
	buf_init(&problems, BUF_NO_LIMIT);
	ok(conf_set(conf, TEXT("outgoing_allow=127.0.0.0/8"), &problems));
	ok(conf_set(conf, TEXT("outgoing_per_origin=2"), &problems));
	ground.loop = loop_create();
	ground.conf = conf;
	guard = guard_create(conf);
	strict = guard_create(as_it_is);
	fetcher = fetcher_create(&ground);
	test_answers();
	test_bad_answers();
	test_guard();
	test_turns();
	test_connection();
	test("the end of all is told to all");
	ask(&works, "/silent", NULL);
	ask(&works, "/silent", NULL);
	loop_turn(ground.loop, 20);
	ask(&waits, "/silent", NULL);
	fetcher_stop(fetcher);
	turn_until(&waits);
	is(waits.why, FETCH_STOPPED);
	ok(!fetcher_is_idle(fetcher));
	works.ended = 0;
	fetcher_destroy(&fetcher);
	is(works.ended, 2);
	is(works.why, FETCH_STOPPED);
	guard_destroy(&guard);
	guard_destroy(&strict);
	conf_destroy(&as_it_is);
	loop_destroy(&ground.loop);
	conf_destroy(&conf);
	buf_fini(&problems);
	kill(server, SIGKILL);
	return (done());
}
