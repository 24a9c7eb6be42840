/* SPDX-License-Identifier: MIT */
/*
 * A binary heap of timers, the next at the top. Each knows its place, so
 * that stopping needs no search.
 */
#include "plat/timer.h"

#include "base/mem.h"
#include "base/stamp.h"

void
timer_init_checked(struct timer *timer, void (*ring)(void *), void *context)
{
	*timer = (struct timer){ .ring = ring, .context = context };
}

void
timers_init(struct timers *timers)
{
	*timers = (struct timers){ .heap = NULL };
}

void
timers_fini(struct timers *timers)
{
	for (size_t i = 1; i <= timers->count; i++)
		timers->heap[i]->place = 0;
	mem_free(timers->heap);
	timers_init(timers);
}

static void
put(struct timers *timers, size_t place, struct timer *timer)
{
	timers->heap[place] = timer;
	timer->place = place;
}

static void
move_up(struct timers *timers, size_t place, struct timer *timer)
{
	while (place > 1 && timers->heap[place / 2]->due_ms > timer->due_ms) {
		put(timers, place, timers->heap[place / 2]);
		place /= 2;
	}
	put(timers, place, timer);
}

static void
move_down(struct timers *timers, size_t place, struct timer *timer)
{
	for (;;) {
		size_t child = place * 2;

		if (child > timers->count)
			break;
		if (child < timers->count && timers->heap[child + 1]->due_ms <
		    timers->heap[child]->due_ms)
			child++;
		if (timers->heap[child]->due_ms >= timer->due_ms)
			break;
		put(timers, place, timers->heap[child]);
		place = child;
	}
	put(timers, place, timer);
}

void
timer_set(struct timers *timers, struct timer *timer, int64_t in_ms)
{
	must(timer->ring != NULL);
	timer_stop(timers, timer);
	timer->due_ms = clock_ms() + in_ms;
	if (timer->due_ms <= timers->run_ms)
		timer->due_ms = timers->run_ms + 1;
	if (timers->count + 2 > timers->size) {
		timers->size = timers->size != 0 ? timers->size * 2 : 64;
		timers->heap = mem_resize(timers->heap,
		    timers->size * sizeof *timers->heap);
	}
	move_up(timers, ++timers->count, timer);
}

void
timer_stop(struct timers *timers, struct timer *timer)
{
	size_t place = timer->place;
	struct timer *last;

	if (place == 0)
		return;
	must(place <= timers->count && timers->heap[place] == timer);
	timer->place = 0;
	last = timers->heap[timers->count--];
	if (last == timer)
		return;
	if (place > 1 && timers->heap[place / 2]->due_ms > last->due_ms)
		move_up(timers, place, last);
	else
		move_down(timers, place, last);
}

int64_t
timers_wait_ms(const struct timers *timers, int64_t most)
{
	int64_t left;

	if (timers->count == 0)
		return (most);
	left = timers->heap[1]->due_ms - clock_ms();
	return (left < 0 ? 0 : left < most ? left : most);
}

unsigned
timers_run(struct timers *timers)
{
	unsigned rang = 0;

	if (timers->count == 0)
		return (0);
	timers->run_ms = clock_ms();
	while (timers->count > 0 &&
	    timers->heap[1]->due_ms <= timers->run_ms && rang < 10000) {
		struct timer *timer = timers->heap[1];

		timer_stop(timers, timer);
		timer->ring(timer->context);
		rang++;
	}
	timers->run_ms = 0;
	return (rang);
}
