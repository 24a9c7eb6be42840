/* SPDX-License-Identifier: MIT */
/*
 * plat/sock over real TCP pairs: what is sent and read, how it ends, whoever
 * ends it and wherever he stands.
 */
#include <h2o.h>

#include "base/conf.h"
#include "base/count.h"
#include "sock_pair.h"

#define MANY 2000

static uint64_t
writes(void)
{
	return (counts->counters[COUNTER_sock_writes]);
}

static void
check_sending(void)
{
	struct owner one = { 0 };
	struct bytes *shared = bytes_of("shared ");
	struct buf got;
	uint64_t before = writes();

	buf_init(&got, BUF_NO_LIMIT);
	owner_open(&one, false);
	test("what is sent in one turn leaves in one write, in order");
	sock_send(one.sock, shared, SOCK_NUMBERED, 0);
	for (unsigned i = 0; i < 20; i++)
		send_string(&one, i % 2 == 0 ? "even " : "odd ",
		    SOCK_NUMBERED, 0);
	sock_send(one.sock, shared, SOCK_LIVE, 1);
	is(shared->holders, 3);
	ok(sock_queued(one.sock) > 0);
	until(sock_queued(one.sock) == 0);
	is(writes() - before, 1);
	is(shared->holders, 1);
	until(!client_read(one.client, &got) || got.len >= 104);
	ok(text_begins(buf_text(&got), TEXT("shared even odd even odd ")));
	is(got.len, 7 + 10 * 9 + 7);

	test("nothing waits: a turn without news writes nothing");
	before = writes();
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	is(writes() - before, 0);

	test("what is sent many times the queue's size is taken by who reads");
	buf_clear(&got);
	for (unsigned n = 1; n <= 1000; n++) {
		send_number(&one, n);
		client_read(one.client, &got);
	}
	until(client_read(one.client, &got) && got.len == 1000000);
	is(one.overflows, 0);
	owner_close(&one);
	bytes_give(&shared);
	buf_fini(&got);
}

static void
send_late(struct owner *owner)
{
	if (owner->rooms++ == 0)
		send_string(owner, "late", SOCK_NUMBERED, 0);
}

static bool
before_wait(unsigned *waits)
{
	++*waits;
	return (true);
}

static void
after_wait(unsigned *waits)
{
	(void)waits;
}

static void
check_late(void)
{
	struct owner one = { 0 };
	unsigned waits = 0;
	struct buf got;

	buf_init(&got, BUF_NO_LIMIT);
	test("what is sent after ours at a turn's end does not wait");
	owner_open(&one, false);
	until(one.looks == 1);
	loop_turn(loop, 0);
	loop_at_turns_end(loop, send_late, &one);
	loop_turn(loop, 0);
	loop_around_wait(loop, before_wait, after_wait, &waits);
	loop_turn(loop, 5000);
	is(waits, 0);
	is(sock_queued(one.sock), 0);
	loop_turn(loop, 5);
	is(waits, 1);
	loop_around_wait(loop, (bool (*)(unsigned *))NULL, after_wait,
	    &waits);
	until(client_read(one.client, &got) && got.len == 4);
	loop_leave_turns_end(loop, &one);
	owner_close(&one);
	buf_fini(&got);
}

static void
check_reading(void)
{
	struct owner one = { 0 };

	owner_open(&one, false);
	test("what comes is told");
	ok(send(one.client, "hello", 5, 0) == 5);
	until(one.in.len == 5);
	is_text(buf_text(&one.in), "hello");
	ok(sock_silent_ms(one.sock) < DEADLINE_MS);

	test("while paused nothing is told, afterwards all");
	sock_pause(one.sock);
	ok(send(one.client, " world", 6, 0) == 6);
	for (unsigned i = 0; i < 20; i++)
		loop_turn(loop, 1);
	is(one.in.len, 5);
	sock_resume(one.sock);
	until(one.in.len == 11);
	owner_close(&one);

	test("the peer's end is told, and what came before it");
	owner_open(&one, false);
	ok(send(one.client, "bye", 3, 0) == 3);
	shutdown(one.client, SHUT_WR);
	until(one.closes == 1);
	is_text(buf_text(&one.in), "bye");
	is_text(one.why, "closed by the peer");
	owner_close(&one);

	test("a reset is told");
	owner_open(&one, false);
	setsockopt(one.client, SOL_SOCKET, SO_LINGER,
	    &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	close(one.client);
	until(one.closes == 1);
	is_text(one.why, "connection lost");
	one.client = -1;
	owner_close(&one);

	test("a reset is seen even while paused");
	owner_open(&one, false);
	sock_pause(one.sock);
	setsockopt(one.client, SOL_SOCKET, SO_LINGER,
	    &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	close(one.client);
	until(one.closes == 1);
	one.client = -1;
	owner_close(&one);
}

static void
check_closing(void)
{
	struct owner one = { 0 };
	struct bytes *farewell = bytes_of("FAREWELL");
	struct buf got;

	buf_init(&got, BUF_NO_LIMIT);
	test("closing: what was sent, the farewell, the end");
	owner_open(&one, false);
	send_string(&one, "before ", SOCK_NUMBERED, 0);
	sock_close(one.sock, farewell, SOCK_WHEN_SENT, 10000);
	send_string(&one, "after", SOCK_NUMBERED, 0);
	sock_close(one.sock, farewell, SOCK_WHEN_SENT, 10000);
	is(one.closes, 0);
	until(!client_read(one.client, &got));
	is_text(buf_text(&got), "before FAREWELL");
	is_text(one.why, "closed");
	owner_close(&one);

	test("hearing the peer out: half is closed, the rest is told");
	buf_clear(&got);
	owner_open(&one, false);
	sock_close(one.sock, farewell, SOCK_WHEN_PEER_ENDS, 10000);
	until(!client_read(one.client, &got));
	is_text(buf_text(&got), "FAREWELL");
	is(one.closes, 0);
	ok(send(one.client, "answer", 6, 0) == 6);
	until(one.in.len == 6);
	is(one.closes, 0);
	shutdown(one.client, SHUT_WR);
	until(one.closes == 1);
	is_text(one.why, "closed by the peer");
	owner_close(&one);

	test("a peer that does not end is not waited for");
	owner_open(&one, false);
	sock_close(one.sock, NULL, SOCK_WHEN_PEER_ENDS, 100);
	until(one.closes == 1);
	is_text(one.why, "not closed in time");
	owner_close(&one);

	test("nor one that takes nothing");
	owner_open(&one, true);
	block(&one);
	sock_close(one.sock, farewell, SOCK_WHEN_SENT, 100);
	until(one.closes == 1);
	is_text(one.why, "not closed in time");
	is(farewell->holders, 1);
	owner_close(&one);

	test("a paused one hears again when it is closed");
	owner_open(&one, false);
	sock_pause(one.sock);
	sock_close(one.sock, farewell, SOCK_WHEN_PEER_ENDS, 10000);
	shutdown(one.client, SHUT_WR);
	until(one.closes == 1);
	is_text(one.why, "closed by the peer");
	owner_close(&one);
	bytes_give(&farewell);
	buf_fini(&got);
}

static struct owner crowd[MANY];
static size_t crowd_count;

static void
cut_self(struct owner *owner)
{
	sock_cut(owner->sock, "cut by itself");
	/* All of it without effect. */
	send_string(owner, "x", SOCK_NUMBERED, 0);
	sock_pause(owner->sock);
	sock_resume(owner->sock);
	sock_close(owner->sock, NULL, SOCK_WHEN_SENT, 1);
	sock_look_in(owner->sock, 0);
	sock_cut(owner->sock, "again");
}

static void
cut_all(struct owner *owner)
{
	(void)owner;
	for (size_t i = 0; i < crowd_count; i++)
		if (crowd[i].sock != NULL)
			sock_cut(crowd[i].sock, "cut by another");
}

static size_t
still_open(void)
{
	size_t count = 0;

	for (size_t i = 0; i < crowd_count; i++)
		count += crowd[i].sock != NULL;
	return (count);
}

static void
open_crowd(size_t count, bool is_small)
{
	crowd_count = count;
	for (size_t i = 0; i < count; i++)
		owner_open(&crowd[i], is_small);
}

static void
close_crowd(void)
{
	cut_all(NULL);
	until(still_open() == 0);
	for (size_t i = 0; i < crowd_count; i++)
		owner_close(&crowd[i]);
	is(socks_count(socks), 0);
}

static void
check_callbacks(void)
{
	test("a socket may be cut in its own on_bytes");
	open_crowd(1, false);
	crowd[0].then = cut_self;
	ok(send(crowd[0].client, "x", 1, 0) == 1);
	until(crowd[0].closes == 1);
	is_text(crowd[0].why, "cut by itself");
	close_crowd();

	test("all may be cut in the on_bytes of one");
	open_crowd(50, false);
	for (size_t i = 0; i < 50; i++) {
		crowd[i].then = cut_all;
		ok(send(crowd[i].client, "x", 1, 0) == 1);
	}
	until(still_open() == 0);
	close_crowd();

	test("in on_look, on_overflow and on_room");
	open_crowd(3, true);
	crowd[0].then = cut_self;
	sock_look_in(crowd[0].sock, 0);
	until(crowd[0].closes == 1 && crowd[0].looks == 1);
	crowd[1].then = cut_all;
	for (unsigned i = 0; crowd[1].overflows == 0 && i < 20000; i++) {
		send_number(&crowd[1], i);
		if (i % 8 == 0)
			loop_turn(loop, 0);
	}
	until(crowd[1].closes == 1 && crowd[2].closes == 1);
	close_crowd();
	open_crowd(1, true);
	block(&crowd[0]);
	while (sock_has_room(crowd[0].sock))
		send_number(&crowd[0], 1);
	crowd[0].then = cut_self;
	until(client_read(crowd[0].client, &crowd[0].in) ?
	    crowd[0].closes == 1 : crowd[0].closes == 1);
	is(crowd[0].rooms, 1);
	close_crowd();
}

static void
check_many(void)
{
	struct bytes *shared = bytes_of("to all of you");
	static struct buf got[MANY];
	unsigned arrived = 0;
	uint64_t before;

	test("thousands: each gets all, each is told of its end once");
	open_crowd(MANY, false);
	is(socks_count(socks), MANY);
	before = writes();
	for (unsigned n = 0; n < 3; n++)
		for (size_t i = 0; i < MANY; i++)
			sock_send(crowd[i].sock, shared, SOCK_NUMBERED, 0);
	loop_turn(loop, 0);
	is(writes() - before, MANY);
	is(shared->holders, 1);
	for (size_t i = 0; i < MANY; i++) {
		buf_init(&got[i], BUF_NO_LIMIT);
		until(client_read(crowd[i].client, &got[i]) &&
		    got[i].len >= 39);
		arrived += got[i].len == 39;
		buf_fini(&got[i]);
	}
	is(arrived, MANY);
	for (size_t i = 0; i < MANY; i += 2)
		ok(send(crowd[i].client, "x", 1, 0) == 1);
	until(crowd[MANY - 2].in.len == 1);
	for (size_t i = 0; i < MANY; i += 3)
		shutdown(crowd[i].client, SHUT_RDWR);
	until(still_open() == MANY - (MANY + 2) / 3);
	close_crowd();
	bytes_give(&shared);
}

static void
check_looks(void)
{
	struct owner one = { .look_ms = 0 };
	int64_t began = clock_ms();

	test("on_look comes soon, and then when it is said");
	owner_open(&one, false);
	one.look_ms = 1000;
	until(one.looks == 1);
	ok(clock_ms() - began <= 2500);
	began = clock_ms();
	until(one.looks == 2);
	ok(clock_ms() - began >= 900);
	one.look_ms = 3600000;
	sock_look_in(one.sock, 0);
	until(one.looks == 3);
	loop_turn(loop, 1500);
	is(one.looks, 3);
	owner_close(&one);
}

static struct sock *adopted;
static struct owner adopter;

static void
on_h2o_read(h2o_socket_t *from, const char *error)
{
	ok(error == NULL);
	if (from->input->size < 12)
		return;
	/* The request is consumed; what is behind it came early. */
	h2o_buffer_consume(&from->input, 8);
	adopted = sock_adopt(socks, from, &acts, &adopter);
}

static void
check_adopting(void)
{
	h2o_socket_t *from;
	struct buf got;
	int fd;

	test("a socket of h2o is taken over with what it had read");
	buf_init(&got, BUF_NO_LIMIT);
	buf_init(&adopter.in, BUF_NO_LIMIT);
	fd = pair(&adopter.client, false);
	from = h2o_evloop_socket_create(loop_h2o(loop), fd, 0);
	h2o_socket_read_start(from, on_h2o_read);
	ok(send(adopter.client, "REQUEST early", 13, 0) == 13);
	until(adopted != NULL);
	adopter.sock = adopted;
	until(adopter.in.len == 5);
	ok(send(adopter.client, " late", 5, 0) == 5);
	until(adopter.in.len == 10);
	is_text(buf_text(&adopter.in), "early late");
	send_string(&adopter, "answer", SOCK_NUMBERED, 0);
	until(client_read(adopter.client, &got) && got.len == 6);
	owner_close(&adopter);
	buf_fini(&got);
}

static void
check_rules(void)
{
	struct sock_rules read;
	struct conf *conf = conf_create();

	test("rules come from options");
	sock_rules_read(&read, conf);
	is(read.queue_max, 262144);
	is(read.age_max_ms, 15000);
	is(read.send_buffer, 65536);
	is(read.receive_buffer, 32768);
	conf_destroy(&conf);
}

static void
check_end(void)
{
	test("destroying the set closes who is left, each once");
	open_crowd(20, true);
	for (size_t i = 0; i < 20; i++)
		for (unsigned n = 0; n < 30; n++)
			send_number(&crowd[i], n);
	end();
	for (size_t i = 0; i < 20; i++) {
		is(crowd[i].closes, 1);
		is_text(crowd[i].why, "the server stops");
		close(crowd[i].client);
		buf_fini(&crowd[i].in);
	}
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	begin();
	check_sending();
	check_late();
	check_reading();
	check_closing();
	check_callbacks();
	check_many();
	check_looks();
	check_adopting();
	check_rules();
	check_end();
	return (done());
}
