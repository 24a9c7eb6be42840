/* SPDX-License-Identifier: MIT */
/*
 * The loop of a child process: h2o's event loop with our timers, foreign
 * descriptors, the wake-up from other processes and the sign of life.
 *
 *	while (!done)
 *		loop_turn(loop, 1000);
 *
 *	 one turn
 *	 ----------------------------------------------------------------
 *	| before | wait | after | h2o's callbacks | timers | end | log out |
 *	 ----------------------------------------------------------------
 *
 * Holds always:
 *  1. What touches an h2o socket runs inside a callback of h2o, or is
 *     followed by a turn that does not wait: h2o does not look at its own
 *     completions before it waits. A turn after timers never waits; who
 *     writes to a socket at a turn's end says loop_again.
 *  2. A foreign descriptor is duplicated, because h2o closes what it wraps;
 *     its owner closes the original whenever he likes, before or after
 *     loop_forget.
 *  3. Log lines gathered in a turn leave at its end, and GAUGE beat_ms says
 *     when that was.
 *  4. HISTOGRAM loop_turn has the time from the first callback of ours to
 *     the end of the turn, never the wait.
 *
 *	watch = loop_watch_readable(loop, fd, on_news, me);
 *	loop_once_writable(watch, on_room, me);
 *	...
 *	loop_forget(&watch);
 */
#ifndef PLAT_LOOP_H
#define PLAT_LOOP_H

#include <stdbool.h>

#include "plat/timer.h"

struct loop;
struct loop_watch;
struct st_h2o_evloop_t;

struct loop	*loop_create(void);
/* After every watch was forgotten and whatever stands on h2o is gone. */
void		 loop_destroy(struct loop **loop);
struct timers	*loop_timers(struct loop *loop);
struct st_h2o_evloop_t *loop_h2o(struct loop *loop);

/* One round: waits for at most most_ms, runs callbacks and timers. */
void	loop_turn(struct loop *loop, int64_t most_ms);

/* The next turn does not wait. */
void	loop_again(struct loop *loop);

/*
 * When the first callback of this turn ran, in microseconds of the
 * monotonic clock: when what is being worked on arrived. Whoever is called
 * by h2o directly asks this first; it is what starts the turn's clock.
 */
int64_t	loop_arrival_us(struct loop *loop);

/*
 * The monotonic clock as it was last read, which is after the callbacks of
 * this turn; whoever then works for long reads it again.
 */
int64_t	loop_now_ms(const struct loop *loop);
int64_t	loop_read_clock(struct loop *loop);

/* Called while the descriptor can be read, until forgotten. */
#define loop_watch_readable(loop, fd, callback, context)		\
	loop_watch_checked((loop), (fd),				\
	    (void (*)(void *))(1 ? (callback) :				\
	    (void (*)(__typeof__(context)))NULL), (context))
struct loop_watch *loop_watch_checked(struct loop *loop, int fd,
	    void (*on_readable)(void *), void *context);
/* One call when it can next be written; asked again while asked: no effect. */
#define loop_once_writable(watch, callback, context)			\
	loop_once_writable_checked((watch),				\
	    (void (*)(void *))(1 ? (callback) :				\
	    (void (*)(__typeof__(context)))NULL), (context))
void	loop_once_writable_checked(struct loop_watch *watch,
	    void (*on_writable)(void *), void *context);
void	loop_forget(struct loop_watch **watch);

/*
 * Called around each wait, by one user. before says whether there is nothing
 * new yet, so that waiting is right; after is called only if before said so.
 */
#define loop_around_wait(loop, before, after, context)			\
	loop_around_wait_checked((loop),				\
	    (bool (*)(void *))(1 ? (before) :				\
	    (bool (*)(__typeof__(context)))NULL),			\
	    (void (*)(void *))(1 ? (after) :				\
	    (void (*)(__typeof__(context)))NULL), (context))
void	loop_around_wait_checked(struct loop *loop, bool (*before)(void *),
	    void (*after)(void *), void *context);

/* Called at the end of each turn, before log lines leave. */
#define LOOP_ENDS_MAX 8
#define loop_at_turns_end(loop, call, context)				\
	loop_at_turns_end_checked((loop),				\
	    (void (*)(void *))(1 ? (call) :				\
	    (void (*)(__typeof__(context)))NULL), (context))
void	loop_at_turns_end_checked(struct loop *loop, void (*call)(void *),
	    void *context);
/* They are being called, or have been: what is left waits for a turn. */
bool	loop_is_ending(const struct loop *loop);
/* No more calls with this context. */
void	loop_leave_turns_end(struct loop *loop, const void *context);

#endif
