/* SPDX-License-Identifier: MIT */
/*
 * plat/window: where a minute begins and ends, and that processes together
 * get what one would.
 */
#include "plat/window.h"

#include <sched.h>
#include <sys/mman.h>

#include "tap.h"

static void
test_one(void)
{
	_Atomic uint64_t word = 0;
	struct window_left left;

	test("it begins with the first use");
	ok(window_count(&word, 1, 3, 1000, &left));
	is(left.remaining, 2);
	is(left.reset_s, 60);
	ok(window_count(&word, 2, 3, 1020, &left));
	is(left.remaining, 0);
	is(left.reset_s, 40);

	test("a refusal counts nothing, and says when to come again");
	for (unsigned i = 0; i < 5; i++)
		ok(!window_count(&word, 1, 3, 1059, &left));
	is(left.remaining, 0);
	is(left.reset_s, 1);
	ok(window_count(&word, 1, 4, 1059, &left));
	ok(!window_count(&word, 1, 2, 1059, &left));
	is(left.remaining, 0);

	test("all or none");
	word = 0;
	ok(window_count(&word, 4, 10, 5, &left));
	ok(!window_count(&word, 7, 10, 6, &left));
	is(left.remaining, 6);
	ok(window_count(&word, 6, 10, 6, &left));
	ok(!window_count(&word, UINT32_MAX, UINT32_MAX, 6, &left));
	word = 0;
	ok(!window_count(&word, 11, 10, 6, &left));
	is(left.remaining, 10);
	is(left.reset_s, 60);
	is(word, 0);
	ok(!window_count(&word, 1, 0, 6, &left));

	test("the next use after its end begins another");
	word = 0;
	ok(window_count(&word, 3, 3, 0, &left));
	ok(!window_count(&word, 1, 3, 59, &left));
	ok(window_count(&word, 1, 3, 60, &left));
	is(left.remaining, 2);
	is(left.reset_s, 60);

	test("a clock that is behind is in the window that others began");
	ok(window_count(&word, 1, 3, 59, &left));
	is(left.remaining, 1);
	is(left.reset_s, 60);
	ok(window_count(&word, 1, 3, 119, &left));
	ok(!window_count(&word, 1, 3, 119, &left));
}

static void
test_many(void)
{
	enum { PROCESSES = 4, MOST = 1000000 };
	_Atomic uint64_t *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[PROCESSES];

	test("processes that count at once get exactly the bound");
	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = child_start();
		if (pids[i] == 0) {
			struct window_left left;

			/* All at once. */
			atomic_fetch_add(&words[128], 1);
			while (atomic_load(&words[128]) < PROCESSES)
				sched_yield();
			while (window_count(&words[0], 1 + i % 2, MOST, 100,
			    &left))
				atomic_fetch_add(&words[64], 1 + i % 2);
			child_done();
		}
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		ok(child_was_fine(pids[i]));
	is(words[64], MOST);
	is(words[0], 100ULL << 32 | MOST);
}

int
main(void)
{
	test_one();
	test_many();
	return (done());
}
