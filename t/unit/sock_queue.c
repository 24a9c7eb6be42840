/* SPDX-License-Identifier: MIT */
/*
 * plat/sock over real TCP pairs whose readers are slow: what waits, what is
 * left out, what takes the place of what, and when it is too much.
 */
#include "base/count.h"
#include "sock_pair.h"

static uint64_t
drops(void)
{
	return (counts->counters[COUNTER_sock_drops]);
}

/* The numbers of whole messages, from 1 on; what is behind the last. */
static unsigned
read_numbers(const struct buf *got, text *rest_out)
{
	unsigned number = 0;
	char wanted[16];
	size_t at = 0;

	for (; at + 1000 <= got->len; at += 1000) {
		snprintf(wanted, sizeof wanted, "<%u.", number + 1);
		if (!text_begins(text_from(got->at + at, 1000),
		    text_of(wanted)) || got->at[at + 999] != '\n')
			break;
		number++;
	}
	*rest_out = text_from(got->at + at, got->len - at);
	return (number);
}

static void
say_farewell(struct owner *owner)
{
	struct bytes *bytes = bytes_of("FAREWELL");

	if (owner->overflows == 1)
		sock_close(owner->sock, bytes, SOCK_WHEN_SENT, 10000);
	bytes_give(&bytes);
}

static void
check_slow(void)
{
	struct owner one = { .then = say_farewell };
	unsigned sent, got_number;
	struct buf got;
	text rest;

	buf_init(&got, BUF_NO_LIMIT);
	test("a slow reader: whole messages without a gap, then the farewell");
	owner_open(&one, true);
	sent = block(&one);
	while (one.overflows == 0 && sent < 20000) {
		send_number(&one, ++sent);
		if (sent % 8 == 0)
			loop_turn(loop, 0);
	}
	loop_turn(loop, 0);
	is(one.overflows, 1);
	is_text(one.why, "the queue is full");
	ok(sent > 60);
	send_number(&one, ++sent);
	until(!client_read(one.client, &got));
	got_number = read_numbers(&got, &rest);
	printf("# sent %u, arrived %u\n", sent, got_number);
	ok(got_number > 0 && got_number < sent - 50);
	is_text(rest, "FAREWELL");
	until(one.closes == 1);
	is_text(one.why, "closed");
	owner_close(&one);

	test("who is too slow and not closed is cut");
	owner_open(&one, true);
	one.then = NULL;
	for (sent = 0; one.overflows == 0 && sent < 20000;) {
		send_number(&one, ++sent);
		if (sent % 8 == 0)
			loop_turn(loop, 0);
	}
	until(one.closes == 1);
	is(one.overflows, 1);
	owner_close(&one);
	buf_fini(&got);
}

static void
check_age(void)
{
	struct owner one = { .then = say_farewell }, quick = { 0 };

	test("what waits too long closes; who reads is left alone");
	rules.age_max_ms = 300;
	owner_open(&one, true);
	owner_open(&quick, true);
	block(&one);
	send_string(&quick, "soon read", SOCK_NUMBERED, 0);
	until(one.overflows == 1);
	is_text(one.why, "the queue is too old");
	is(quick.overflows, 0);
	is(quick.closes, 0);
	rules.age_max_ms = 60000;
	owner_close(&one);
	owner_close(&quick);
}

/* LIVE entries of 1,000 bytes. */
static void
send_live(struct owner *owner, const char *what, uint64_t key)
{
	struct bytes *bytes = numbered(0);

	memcpy(bytes->at, what, strlen(what));
	sock_send(owner->sock, bytes, SOCK_LIVE, key);
	bytes_give(&bytes);
}

static unsigned
occurrences(const struct buf *got, const char *what)
{
	unsigned count = 0;

	for (const char *at = got->at; at != NULL && (at = strstr(at, what)) !=
	    NULL; at++)
		count++;
	return (count);
}

static void
check_live(void)
{
	struct owner one = { 0 };
	unsigned sent;
	uint64_t before;
	struct buf got;

	buf_init(&got, BUF_NO_LIMIT);
	owner_open(&one, true);
	sent = block(&one);
	before = drops();

	test("LIVE ones all wait while there is room");
	for (unsigned i = 0; i < 5; i++)
		send_live(&one, "<typing", 7);
	is(drops() - before, 0);

	test("in a queue more than half full the last of a key stays");
	while (sock_has_room(one.sock))
		send_number(&one, ++sent);
	send_live(&one, "<typing", 7);
	is(drops() - before, 5);
	while (sock_has_room(one.sock))
		send_number(&one, ++sent);
	send_live(&one, "<moved", 8);
	is(drops() - before, 5);
	send_live(&one, "<typing last", 7);
	is(drops() - before, 6);

	test("for a numbered one they give way, in a full queue they stay out");
	while (drops() - before == 6 && sent < 10000)
		send_number(&one, ++sent);
	is(drops() - before, 8);
	is(one.overflows, 0);
	while (sock_queued(one.sock) + 1064 <= rules.queue_max)
		send_number(&one, ++sent);
	while (sock_queued(one.sock) + 65 <= rules.queue_max)
		send_string(&one, "+", SOCK_NUMBERED, 0);
	before = drops();
	send_live(&one, "<too much", 9);
	is(drops() - before, 1);

	test("control frames have room of their own, the last of a key stays");
	for (unsigned i = 0; i < 100; i++)
		send_string(&one, "<pong", SOCK_CONTROL, 1);
	send_string(&one, "<ping", SOCK_CONTROL, 0);
	loop_turn(loop, 0);
	is(one.overflows, 0);

	test("who reads then gets every numbered one, and then has room");
	is(one.rooms, 0);
	until(client_read(one.client, &got) && sock_queued(one.sock) == 0);
	until(client_read(one.client, &got) &&
	    occurrences(&got, "<ping") == 1);
	is(one.rooms, 1);
	is(occurrences(&got, "<too much"), 0);
	is(occurrences(&got, "<moved"), 0);
	is(occurrences(&got, "<pong"), 1);
	is(occurrences(&got, "\n"), sent);
	is(occurrences(&got, "<typing"), 0);
	is(one.overflows, 0);
	owner_close(&one);

	test("too many control frames are too many");
	owner_open(&one, true);
	sent = block(&one);
	while (sock_queued(one.sock) + 1064 <= rules.queue_max)
		send_number(&one, ++sent);
	for (unsigned i = 0; i < 200; i++)
		send_string(&one, "<ping", SOCK_CONTROL, 0);
	loop_turn(loop, 0);
	is(one.overflows, 1);
	owner_close(&one);
	buf_fini(&got);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	begin();
	check_slow();
	check_age();
	check_live();
	test("nothing is left");
	end();
	return (done());
}
