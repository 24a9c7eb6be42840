/* SPDX-License-Identifier: MIT */
/*
 * Timers on the monotonic clock, in milliseconds, in a binary heap.
 *
 * Holds always:
 *  1. A timer is a struct inside its owner; setting and stopping it never
 *     allocate beyond the heap's growth and never fail.
 *  2. It rings once; who wants more sets it again, inside the callback or
 *     later. Stopping one that is not set does nothing.
 *  3. It may be stopped or set, it or any other, inside any callback; what
 *     is set there rings in a later run, so that a run comes to its end.
 *
 *	static void on_silence(struct peer *peer);
 *	timer_init(&peer->silence, on_silence, peer);	 checks peer's type
 *	timer_set(timers, &peer->silence, 60000);
 */
#ifndef PLAT_TIMER_H
#define PLAT_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t	  due_ms;
	size_t	  place;		/* in the heap, from 1; 0: not set */
	void	(*ring)(void *);
	void	 *context;
};

struct timers {
	struct timer	**heap;
	size_t		  count;
	size_t		  size;
	int64_t		  run_ms;	/* of the run at hand, or 0 */
};

/* Compiles only if the callback takes a pointer of the context's type. */
#define timer_init(timer, callback, context)				\
	timer_init_checked((timer),					\
	    (void (*)(void *))(1 ? (callback) :				\
	    (void (*)(__typeof__(context)))NULL), (context))

void	timer_init_checked(struct timer *timer, void (*ring)(void *),
	    void *context);
void	timers_init(struct timers *timers);
void	timers_fini(struct timers *timers);
void	timer_set(struct timers *timers, struct timer *timer, int64_t in_ms);
void	timer_stop(struct timers *timers, struct timer *timer);

static inline bool
timer_is_set(const struct timer *timer)
{
	return (timer->place != 0);
}

/* Milliseconds to the next, 0 if one is due, most if none comes before. */
int64_t	timers_wait_ms(const struct timers *timers, int64_t most);
/* Rings what is due; how many rang. */
unsigned timers_run(struct timers *timers);

#endif
