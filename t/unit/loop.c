/* SPDX-License-Identifier: MIT */
/*
 * plat/loop: descriptors, timers, waiting and not waiting.
 */
#include "plat/loop.h"

#include <h2o.h>
#include <sys/socket.h>

#include "base/count.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "tap.h"

struct ear {
	struct loop		*loop;
	struct loop_watch	*watch;
	int			 fd;
	unsigned		 readable;
	unsigned		 writable;
	unsigned		 ends;
	unsigned		 rings;
	bool			 forgets;
	bool			 asks_again;
	bool			 has_news;
	unsigned		 before, after;
	struct timer		 timer;
	char			 last;
};

static void
on_readable(struct ear *ear)
{
	ear->readable++;
	if (read(ear->fd, &ear->last, 1) != 1)
		ear->last = '\0';
	if (ear->forgets)
		loop_forget(&ear->watch);
}

static void
on_writable(struct ear *ear)
{
	ear->writable++;
	if (ear->asks_again) {
		ear->asks_again = false;
		loop_once_writable(ear->watch, on_writable, ear);
	}
}

static void
on_end(struct ear *ear)
{
	ear->ends++;
}

static void
on_ring(struct ear *ear)
{
	ear->rings++;
}

static bool
before(struct ear *ear)
{
	ear->before++;
	return (!ear->has_news);
}

static void
after(struct ear *ear)
{
	ear->after++;
}

static void
write_byte(int fd, char c)
{
	ok(write(fd, &c, 1) == 1);
}

/* Milliseconds that a turn took. */
static int64_t
turn(struct loop *loop, int64_t most_ms)
{
	int64_t began = clock_ms();

	loop_turn(loop, most_ms);
	return (clock_ms() - began);
}

/* A socket of h2o's that somebody writes to at a turn's end. */
struct pen {
	h2o_socket_t	*sock;
	int		 far;
	bool		 is_asked;
	unsigned	 written;
	char		 ink[65536];
};

static void
on_pen_readable(h2o_socket_t *sock, const char *error)
{
	(void)sock;
	(void)error;
}

static void
on_pen_written(h2o_socket_t *sock, const char *error)
{
	struct pen *pen = sock->data;

	is(error == NULL, true);
	pen->written++;
}

static void
on_pen_end(struct pen *pen)
{
	h2o_iovec_t ink = { pen->ink, sizeof pen->ink };

	if (!pen->is_asked)
		return;
	pen->is_asked = false;
	/* Its state changes, and the write is over at once. */
	h2o_socket_read_start(pen->sock, on_pen_readable);
	h2o_socket_write(pen->sock, &ink, 1, on_pen_written);
}

/* As much as fits, in one write, until the socket cannot be written to. */
static void
test_writes_at_turns_end(struct loop *loop)
{
	static struct pen pen;
	int ends[2], room = 2 * (int)sizeof pen.ink;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    ends) == 0);
	must(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) ==
	    0);
	pen.far = ends[1];
	pen.sock = h2o_evloop_socket_create(loop_h2o(loop), ends[0],
	    H2O_SOCKET_FLAG_DONT_READ);
	pen.sock->data = &pen;
	loop_at_turns_end(loop, on_pen_end, &pen);
	for (unsigned round = 1; round < 4; round++) {
		pen.is_asked = true;
		loop_turn(loop, 0);
		loop_turn(loop, 0);
		is(pen.written, round);
		while (read(pen.far, pen.ink, sizeof pen.ink) > 0)
			;
		loop_turn(loop, 0);
		h2o_socket_read_stop(pen.sock);
		loop_turn(loop, 0);
	}
	loop_leave_turns_end(loop, &pen);
	h2o_socket_close(pen.sock);
	close(pen.far);
}

int
main(void)
{
	struct loop *loop = loop_create();
	struct ear ear = { .loop = loop }, other = { .loop = loop };
	uint64_t turns;
	int pair[2];

	is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	ear.fd = pair[0];

	test("a descriptor that can be read is told");
	ear.watch = loop_watch_readable(loop, pair[0], on_readable, &ear);
	ok(ear.watch != NULL);
	write_byte(pair[1], 'a');
	loop_turn(loop, 1000);
	is(ear.readable, 1);
	is(ear.last, 'a');

	test("and told again while there is something left");
	write_byte(pair[1], 'b');
	write_byte(pair[1], 'c');
	loop_turn(loop, 1000);
	loop_turn(loop, 1000);
	is(ear.readable, 3);
	is(ear.last, 'c');
	ok(turn(loop, 1) < 500);
	is(ear.readable, 3);

	test("room to write is told once for each asking");
	loop_once_writable(ear.watch, on_writable, &ear);
	loop_once_writable(ear.watch, on_writable, &ear);
	loop_turn(loop, 1000);
	loop_turn(loop, 0);
	is(ear.writable, 1);
	ear.asks_again = true;
	loop_once_writable(ear.watch, on_writable, &ear);
	loop_turn(loop, 1000);
	loop_turn(loop, 1000);
	is(ear.writable, 3);

	test("it may be forgotten inside its own call");
	ear.forgets = true;
	write_byte(pair[1], 'd');
	write_byte(pair[1], 'e');
	loop_turn(loop, 1000);
	ok(ear.watch == NULL);
	loop_turn(loop, 0);
	is(ear.readable, 4);

	test("the caller's descriptor stays his");
	is(read(pair[0], &ear.last, 1), 1);
	is(ear.last, 'e');

	test("a watched descriptor may be closed by its owner first");
	ear.forgets = false;
	ear.watch = loop_watch_readable(loop, pair[0], on_readable, &ear);
	close(pair[0]);
	loop_turn(loop, 0);
	loop_forget(&ear.watch);
	loop_forget(&ear.watch);
	loop_turn(loop, 0);
	close(pair[1]);
	ok(loop_watch_readable(loop, pair[0], on_readable, &ear) == NULL);

	test("timers ring, and what they write is not waited for");
	timer_init(&ear.timer, on_ring, &ear);
	timer_set(loop_timers(loop), &ear.timer, 5);
	while (ear.rings == 0)
		loop_turn(loop, 1000);
	is(ear.rings, 1);
	ok(turn(loop, 3000) < 2000);

	test("loop_again lets the next turn not wait, and only that");
	loop_again(loop);
	ok(turn(loop, 3000) < 2000);
	ok(turn(loop, 20) >= 18);

	test("the end of a turn is told, until it is left");
	loop_at_turns_end(loop, on_end, &ear);
	loop_at_turns_end(loop, on_end, &other);
	loop_turn(loop, 0);
	loop_leave_turns_end(loop, &ear);
	loop_turn(loop, 0);
	is(ear.ends, 1);
	is(other.ends, 2);
	loop_leave_turns_end(loop, &other);

	test("who has news is not waited for");
	loop_around_wait(loop, before, after, &ear);
	loop_turn(loop, 5);
	is(ear.before, 1);
	is(ear.after, 1);
	ear.has_news = true;
	ok(turn(loop, 3000) < 2000);
	is(ear.before, 2);
	is(ear.after, 1);
	loop_turn(loop, 0);
	is(ear.before, 2);

	test("waiting is not counted as work, and each turn is a sign of life");
	turns = atomic_load(&counts->histograms[HISTOGRAM_loop_turn].sum);
	ear.has_news = false;
	loop_turn(loop, 50);
	is(atomic_load(&counts->histograms[HISTOGRAM_loop_turn].sum), turns);
	ok(clock_ms() - GAUGE_GET(beat_ms) < 2000);

	test("what a turn's end writes is over before the next poll");
	test_writes_at_turns_end(loop);

	loop_destroy(&loop);
	ok(loop == NULL);
	return (done());
}
