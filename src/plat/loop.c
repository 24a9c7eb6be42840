/* SPDX-License-Identifier: MIT */
/*
 * Turns of h2o's loop, and what we hang around them.
 */
#include "plat/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <h2o.h>

#include "base/count.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"

struct turns_end {
	void	(*call)(void *);
	void	 *context;
};

struct loop {
	unsigned	 magic;
#define LOOP_MAGIC 0x6c6f6f70
	h2o_evloop_t	*h2o;
	struct timers	 timers;
	int64_t		 now_us;	/* the clock when it was last read */
	int64_t		 arrival_us;	/* 0: no callback in this turn yet */
	bool		 is_pressed;	/* the next turn must not wait */
	bool		 is_ending;	/* the turn; or there is none */
	struct {
		bool	(*before)(void *);
		void	(*after)(void *);
		void	 *context;
	} wait;
	struct turns_end ends[LOOP_ENDS_MAX];
};

struct loop_watch {
	unsigned	 magic;
#define LOOP_WATCH_MAGIC 0x77617463
	struct loop	*loop;
	h2o_socket_t	*sock;
	void		(*on_readable)(void *);
	void		*readable_context;
	void		(*on_writable)(void *);	/* NULL: not asked */
	void		*writable_context;
};

struct loop *
loop_create(void)
{
	struct loop *loop = object_create(struct loop, LOOP_MAGIC);

	loop->h2o = h2o_evloop_create();
	timers_init(&loop->timers);
	loop->is_ending = true;
	loop_read_clock(loop);
	return (loop);
}

void
loop_destroy(struct loop **given)
{
	struct loop *loop = *given;

	*given = NULL;
	if (loop == NULL)
		return;
	object_check(loop, LOOP_MAGIC);
	/* What was closed since the last turn is freed by the next. */
	h2o_evloop_run(loop->h2o, 0);
	h2o_evloop_destroy(loop->h2o);
	timers_fini(&loop->timers);
	object_free(&loop);
}

struct timers *
loop_timers(struct loop *loop)
{
	return (&loop->timers);
}

struct st_h2o_evloop_t *
loop_h2o(struct loop *loop)
{
	return (loop->h2o);
}

void
loop_again(struct loop *loop)
{
	loop->is_pressed = true;
}

int64_t
loop_read_clock(struct loop *loop)
{
	loop->now_us = clock_us();
	return (loop->now_us / 1000);
}

int64_t
loop_now_ms(const struct loop *loop)
{
	return (loop->now_us / 1000);
}

int64_t
loop_arrival_us(struct loop *loop)
{
	if (loop->arrival_us == 0)
		loop->arrival_us = clock_us();
	return (loop->arrival_us);
}

/*
 * Until the next timer, by the clock as it was last read: a turn reads it as
 * rarely as it can, since a turn may serve no more than a single request.
 */
static int64_t
time_to_timer(const struct loop *loop, int64_t most)
{
	int64_t left;

	if (loop->timers.count == 0)
		return (most);
	left = loop->timers.heap[1]->due_ms - loop_now_ms(loop);
	return (left < 0 ? 0 : left < most ? left : most);
}

static void
do_nothing(h2o_timeout_entry_t *entry)
{
	(void)entry;
}

/*
 * A timer and a turn's end write outside of h2o's turn. It has to be told that
 * such a write is done before it looks what to poll for: else it would poll
 * for a write that is over by then, and h2o asserts that there is one. Of all
 * that h2o exports, a timeout that is due calls back whoever is pending.
 */
static void
call_writers_back(struct loop *loop)
{
	h2o_timeout_entry_t entry = { .cb = do_nothing };
	h2o_timeout_t due = { 0 };

	if (loop->h2o->_pending_as_client == NULL &&
	    loop->h2o->_pending_as_server == NULL)
		return;
	h2o_linklist_init_anchor(&due._entries);
	h2o_linklist_insert(&due._entries, &entry._link);
	h2o_timeout_run(loop->h2o, &due, h2o_now(loop->h2o));
	loop_again(loop);
}

static void
wait_and_call_back(struct loop *loop, int64_t most_ms)
{
	bool may_wait, has_asked;

	call_writers_back(loop);
	may_wait = most_ms > 0 && !loop->is_pressed;
	has_asked = may_wait && loop->wait.before != NULL;
	loop->is_pressed = false;
	if (has_asked && !loop->wait.before(loop->wait.context))
		may_wait = has_asked = false;
	/* Any other cause means that a descriptor was closed under it. */
	if (h2o_evloop_run(loop->h2o, may_wait ? (int32_t)most_ms : 0) != 0)
		must(errno == EINTR || errno == ENOMEM || errno == ENOSPC);
	if (has_asked)
		loop->wait.after(loop->wait.context);
}

void
loop_turn(struct loop *loop, int64_t most_ms)
{
	object_check(loop, LOOP_MAGIC);
	must(most_ms >= 0 && most_ms <= INT32_MAX);
	loop->arrival_us = 0;
	loop->is_ending = false;
	wait_and_call_back(loop, time_to_timer(loop, most_ms));
	loop_read_clock(loop);
	if (time_to_timer(loop, 1) == 0) {
		loop_arrival_us(loop);
		timers_run(&loop->timers);
		loop_again(loop);
		loop_read_clock(loop);
	}
	loop->is_ending = true;
	for (size_t i = 0; i < LOOP_ENDS_MAX; i++)
		if (loop->ends[i].call != NULL)
			loop->ends[i].call(loop->ends[i].context);
	log_flush();
	GAUGE_SET(beat_ms, loop_now_ms(loop));
	if (loop->arrival_us != 0)
		HISTOGRAM_ADD(loop_turn, loop->now_us - loop->arrival_us);
}

static void
on_socket_readable(h2o_socket_t *sock, const char *error)
{
	struct loop_watch *watch = object_cast(struct loop_watch,
	    LOOP_WATCH_MAGIC, sock->data);

	(void)error;
	loop_arrival_us(watch->loop);
	watch->on_readable(watch->readable_context);
}

static void
on_socket_writable(h2o_socket_t *sock, const char *error)
{
	struct loop_watch *watch = object_cast(struct loop_watch,
	    LOOP_WATCH_MAGIC, sock->data);
	void (*call)(void *) = watch->on_writable;

	(void)error;
	loop_arrival_us(watch->loop);
	/* First, because he may ask again in there. */
	watch->on_writable = NULL;
	call(watch->writable_context);
}

struct loop_watch *
loop_watch_checked(struct loop *loop, int fd, void (*on_readable)(void *),
    void *context)
{
	struct loop_watch *watch;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return (NULL);
	watch = object_create(struct loop_watch, LOOP_WATCH_MAGIC);
	watch->loop = loop;
	watch->on_readable = on_readable;
	watch->readable_context = context;
	watch->sock = h2o_evloop_socket_create(loop->h2o, copy,
	    H2O_SOCKET_FLAG_DONT_READ);
	watch->sock->data = watch;
	h2o_socket_read_start(watch->sock, on_socket_readable);
	return (watch);
}

void
loop_once_writable_checked(struct loop_watch *watch,
    void (*on_writable)(void *), void *context)
{
	object_check(watch, LOOP_WATCH_MAGIC);
	if (watch->on_writable != NULL)
		return;
	watch->on_writable = on_writable;
	watch->writable_context = context;
	h2o_socket_notify_write(watch->sock, on_socket_writable);
}

void
loop_forget(struct loop_watch **given)
{
	struct loop_watch *watch = *given;

	*given = NULL;
	if (watch == NULL)
		return;
	object_check(watch, LOOP_WATCH_MAGIC);
	h2o_socket_close(watch->sock);
	object_free(&watch);
}

void
loop_around_wait_checked(struct loop *loop, bool (*before)(void *),
    void (*after)(void *), void *context)
{
	loop->wait.before = before;
	loop->wait.after = after;
	loop->wait.context = context;
}

void
loop_at_turns_end_checked(struct loop *loop, void (*call)(void *),
    void *context)
{
	for (size_t i = 0; i < LOOP_ENDS_MAX; i++)
		if (loop->ends[i].call == NULL) {
			loop->ends[i] = (struct turns_end){ call, context };
			return;
		}
	must_never("there is room for all who are called at a turn's end");
}

bool
loop_is_ending(const struct loop *loop)
{
	return (loop->is_ending);
}

void
loop_leave_turns_end(struct loop *loop, const void *context)
{
	for (size_t i = 0; i < LOOP_ENDS_MAX; i++)
		if (loop->ends[i].context == context)
			loop->ends[i] = (struct turns_end){ NULL, NULL };
}
