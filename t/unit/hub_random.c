/* SPDX-License-Identifier: MIT */
/*
 * core/hub under schedules that nobody thought of.
 *
 *	SEED=n SCHEDULES=n t/unit/hub_random.t
 *	SEED=n SCHEDULES=1 STORY=1 t/unit/hub_random.t	  one, step by step
 */
#include "hub_schedule.h"

#include "base/stamp.h"

#define SCHEDULES	2000000
#define MS_MOST		8000	/* unless SCHEDULES is given */

/* Schedules have seeds that follow one another. */
static void
test_all(uint64_t first, uint64_t count, int64_t until_ms)
{
	const char *wrong = NULL;
	uint64_t i;

	test("every client gets every number once, whatever happens");
	for (i = 0; i < count && wrong == NULL && (i % 256 != 0 ||
	    clock_ms() < until_ms); i++)
		wrong = run_schedule(first + i);
	if (!ok(wrong == NULL)) {
		fprintf(stderr, "# %s: SEED=%llu SCHEDULES=1 STORY=1\n",
		    wrong, (unsigned long long)seed);
		return;
	}
	fprintf(stderr, "# %llu schedules, %llu steps; delivered %llu, "
	    "replayed %llu, resyncs %llu, states %llu, failures %llu, "
	    "deleted %llu, live %llu\n", (unsigned long long)sum.schedules,
	    (unsigned long long)sum.steps, (unsigned long long)sum.delivered,
	    (unsigned long long)sum.replayed,
	    (unsigned long long)sum.resyncs, (unsigned long long)sum.states,
	    (unsigned long long)sum.failures,
	    (unsigned long long)sum.deleted, (unsigned long long)sum.live);
	if (count < 1000)
		return;
	ok(sum.delivered > 0 && sum.replayed > 0 && sum.resyncs > 0);
	ok(sum.states > 0 && sum.failures > 0 && sum.deleted > 0);
	ok(sum.live > 0);
	is(sum.most_held, 3);
}

int
main(void)
{
	uint64_t count = number_of("SCHEDULES", 0), first = first_seed();

	if (count > 0)
		test_all(first, count, INT64_MAX);
	else
		test_all(first, SCHEDULES, clock_ms() + MS_MOST);
	return (done());
}
