/* SPDX-License-Identifier: MIT */
/*
 * The loop of a child process: h2o's event loop with our timers, foreign
 * descriptors, the wake-up from other processes and the heartbeat.
 *
 *	while (!done)
 *		loop_turn(loop, 1000);
 *
 * Holds always:
 *  1. What touches an h2o socket runs inside a callback of the loop, or is
 *     followed by a turn that does not wait: h2o does not look at its own
 *     completions before it waits.
 *  2. A foreign descriptor is duplicated, because h2o closes what it wraps;
 *     its owner closes the original whenever he likes after loop_forget.
 *  3. Log lines gathered in a turn leave at its end.
 */
#ifndef PLAT_LOOP_H
#define PLAT_LOOP_H

#include <stdbool.h>

#include "plat/timer.h"

struct loop;
struct loop_watch;
struct st_h2o_evloop_t;

struct loop	*loop_create(void);
void		 loop_destroy(struct loop **loop);
struct timers	*loop_timers(struct loop *loop);
struct st_h2o_evloop_t *loop_h2o(struct loop *loop);

/* One round: waits for at most most_ms, runs callbacks and timers. */
void	loop_turn(struct loop *loop, int64_t most_ms);

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

/* Called at the end of each turn, before log lines leave. */
void	loop_at_turns_end(struct loop *loop, void (*call)(void *),
	    void *context);

#endif
