/* SPDX-License-Identifier: MIT */
/*
 * Timers: in order, once, and safe to change inside any callback. timer.c is
 * included with a clock of our own.
 */
#include <stdint.h>

#include "base/stamp.h"

static int64_t time_ms;
#define clock_ms() time_ms
#include "plat/timer.c"

#include "tap.h"

#define MANY 2000

static struct timers timers;

struct alarm_clock {
	struct timer	 timer;
	unsigned	 rang;
	int64_t		 rang_at;
	unsigned	 rang_as;	/* the how manieth of all */
};
static unsigned all_rang;

static void
on_ring(struct alarm_clock *clock)
{
	clock->rang++;
	clock->rang_at = time_ms;
	clock->rang_as = ++all_rang;
}

static void
begin(const char *name)
{
	test(name);
	time_ms = 1000;
	all_rang = 0;
	timers_init(&timers);
}

static void
test_once_and_in_time(void)
{
	struct alarm_clock clock = { .rang = 0 };

	begin("rings once, in time, not before");
	is(timers_wait_ms(&timers, 777), 777);
	is(timers_run(&timers), 0);
	timer_init(&clock.timer, on_ring, &clock);
	ok(!timer_is_set(&clock.timer));
	timer_set(&timers, &clock.timer, 50);
	ok(timer_is_set(&clock.timer));
	is(timers_wait_ms(&timers, 777), 50);
	is(timers_wait_ms(&timers, 20), 20);
	time_ms += 49;
	is(timers_run(&timers), 0);
	time_ms += 1;
	is(timers_wait_ms(&timers, 777), 0);
	is(timers_run(&timers), 1);
	is(clock.rang, 1);
	ok(!timer_is_set(&clock.timer));
	time_ms += 1000;
	is(timers_run(&timers), 0);

	/* Set twice: the later counts. Late: 0, not less. */
	timer_set(&timers, &clock.timer, 10);
	timer_set(&timers, &clock.timer, 100);
	time_ms += 50;
	is(timers_run(&timers), 0);
	time_ms += 100;
	is(timers_wait_ms(&timers, 777), 0);
	is(timers_run(&timers), 1);
	is(clock.rang, 2);

	timer_set(&timers, &clock.timer, 10);
	timer_stop(&timers, &clock.timer);
	timer_stop(&timers, &clock.timer);
	time_ms += 50;
	is(timers_run(&timers), 0);
	is(timers_wait_ms(&timers, 777), 777);
	timers_fini(&timers);
}

static void
test_many(void)
{
	static struct alarm_clock clocks[MANY];
	uint64_t dice = 1;
	unsigned stopped = 0, rang = 0;
	int64_t last = 0;

	begin("many ring in the order of their times");
	for (unsigned i = 0; i < MANY; i++) {
		timer_init(&clocks[i].timer, on_ring, &clocks[i]);
		dice = dice * 6364136223846793005 + 1442695040888963407;
		timer_set(&timers, &clocks[i].timer, (int64_t)(dice >> 54));
	}
	for (unsigned i = 0; i < MANY; i += 3) {
		timer_stop(&timers, &clocks[i].timer);
		stopped++;
	}
	for (unsigned i = 1; i < MANY; i += 3)
		timer_set(&timers, &clocks[i].timer, MANY - i);
	while (timers_wait_ms(&timers, INT64_MAX) != INT64_MAX) {
		time_ms += timers_wait_ms(&timers, INT64_MAX);
		rang += timers_run(&timers);
	}
	is(rang, MANY - stopped);
	for (unsigned i = 0; i < MANY; i++) {
		is(clocks[i].rang, i % 3 != 0);
		if (i % 3 == 1)
			is(clocks[i].rang_at, 1000 + MANY - i);
	}
	for (unsigned as = 1; as <= rang; as++)
		for (unsigned i = 0; i < MANY; i++)
			if (clocks[i].rang_as == as) {
				ok(clocks[i].rang_at >= last);
				last = clocks[i].rang_at;
			}
	timers_fini(&timers);
}

/* A callback that sets itself again and stops its neighbour. */
struct pair {
	struct timer	 self;
	struct pair	*other;
	unsigned	 rang;
};

static void
on_again(struct pair *pair)
{
	pair->rang++;
	timer_set(&timers, &pair->self, 0);
	if (pair->other != NULL)
		timer_stop(&timers, &pair->other->self);
}

static void
test_inside_callbacks(void)
{
	struct pair first = { .rang = 0 }, second = { .rang = 0 };

	begin("set and stopped inside callbacks");
	first.other = &second;
	timer_init(&first.self, on_again, &first);
	timer_init(&second.self, on_again, &second);
	timer_set(&timers, &first.self, 5);
	timer_set(&timers, &second.self, 6);
	time_ms += 10;
	/* What a callback sets to 0 rings in the next run, not in this. */
	is(timers_run(&timers), 1);
	is(first.rang, 1);
	is(second.rang, 0);
	is(timers_wait_ms(&timers, 777), 1);
	time_ms += 1;
	is(timers_run(&timers), 1);
	is(first.rang, 2);
	ok(timer_is_set(&first.self));
	ok(!timer_is_set(&second.self));
	timers_fini(&timers);
	ok(!timer_is_set(&first.self));
}

static void
set_without_callback(void)
{
	struct timer timer = { .place = 0 };

	timer_set(&timers, &timer, 1);
}

static void
stop_what_was_moved(void)
{
	struct alarm_clock clock = { .rang = 0 }, moved;

	timer_init(&clock.timer, on_ring, &clock);
	timer_set(&timers, &clock.timer, 1);
	moved = clock;
	timer_stop(&timers, &moved.timer);
}

int
main(void)
{
	test_once_and_in_time();
	test_many();
	test_inside_callbacks();
	begin("misuse is found");
	ok(aborts(set_without_callback));
	ok(aborts(stop_what_was_moved));
	return (done());
}
