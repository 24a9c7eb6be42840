/* SPDX-License-Identifier: MIT */
/*
 * plat/slide: never more than so many in any minute, each counted until it is
 * a minute old, by processes together; rows that find another owner.
 */
#include "plat/slide.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "tap.h"

#define WHO 0x123456789abcdef

static unsigned
count(uint64_t who, unsigned times, int64_t most, int64_t now_s)
{
	unsigned let = 0;

	for (unsigned i = 0; i < times; i++)
		let += slide_count(who, most, now_s);
	return (let);
}

static void
test_one(void)
{
	test("before it is open nobody is refused");
	is(count(WHO, 9, 3, 1000), 9);

	test("so many, and no more");
	ok(slides_open());
	is(count(WHO, 9, 3, 1000), 3);
	is(count(WHO, 9, 4, 1000), 1);
	is(count(WHO + 1, 9, 0, 1000), 0);

	test("it slides: what is old goes bit by bit");
	is(count(2, 10, 30, 2000), 10);
	is(count(2, 10, 30, 2030), 10);
	is(count(2, 30, 30, 2059), 10);
	is(count(2, 30, 30, 2060), 0);
	is(count(2, 30, 30, 2061), 10);
	is(count(2, 30, 30, 2090), 0);
	is(count(2, 30, 30, 2091), 10);
	is(count(2, 30, 30, 2120), 10);
	is(count(2, 30, 30, 5000), 30);

	test("a clock that is behind counts with the others");
	is(count(3, 2, 5, 3001), 2);
	is(count(3, 9, 5, 3000), 3);
	is(count(3, 9, 5, 3001), 0);
}

/* In any sixty seconds, of an hour in which somebody always tries. */
static void
test_hour(void)
{
	enum { MOST = 7, SECONDS_MOST = 3600 };
	static unsigned let[SECONDS_MOST];
	unsigned worst = 0, all = 0;

	test("never more in any minute, and never less for long");
	for (unsigned s = 0; s < SECONDS_MOST; s++) {
		unsigned sum = 0;

		let[s] = count(4, 1 + s % 3, MOST, 10000 + s);
		all += let[s];
		for (unsigned i = 0; i <= 60 && i <= s; i++)
			sum += let[s - i];
		if (sum > worst)
			worst = sum;
	}
	is(worst, MOST);
	ok(all >= MOST * (SECONDS_MOST / 61));
}

static void
test_rows(void)
{
	test("neighbours have rows of their own; too many are not counted");
	for (uint64_t i = 0; i < 9; i++)
		is(count((i << 44) + 7, 5, 2, 20000), i < 8 ? 2 : 5);

	test("a row that nobody uses any more is somebody else's, and empty");
	is(count(((uint64_t)9 << 44) + 7, 5, 2, 20061), 5);
	is(count(((uint64_t)9 << 44) + 7, 5, 2, 20062), 2);
	is(count(7, 5, 2, 20062), 2);
}

static void
test_many(void)
{
	enum { PROCESSES = 4, MOST = 200000 };
	_Atomic uint64_t *sum = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[PROCESSES];

	test("processes together get what one would, clocks apart or not");
	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = child_start();
		if (pids[i] != 0)
			continue;
		for (unsigned n = 0; n < MOST; n++)
			if (slide_count(99, MOST, 30000 + n / 1000 % 40 +
			    i % 2))
				atomic_fetch_add(sum, 1);
		child_done();
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		ok(child_was_fine(pids[i]));
	ok(atomic_load(sum) <= MOST);
	ok(atomic_load(sum) > MOST - PROCESSES * 40);
	munmap(sum, 4096);
}

int
main(void)
{
	test_one();
	test_hour();
	test_rows();
	test_many();
	slides_close();
	return (done());
}
