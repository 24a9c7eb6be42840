/* SPDX-License-Identifier: MIT */
/*
 * plat/failures: what counts as an attempt, for how long, and for whom.
 */
#include "plat/failures.h"

#include "tap.h"

static enum failures_begun
begin(uint64_t who, int64_t now_s, struct failures *out)
{
	return (failures_begin(who, 3, now_s, out));
}

static void
fail(uint64_t who, int64_t now_s)
{
	struct failures failures;

	is(begin(who, now_s, &failures), FAILURES_BEGUN);
	failures_end(&failures, true, now_s);
}

static void
test_not_open(void)
{
	struct failures failures;

	test("before they are open nothing is counted");
	for (unsigned i = 0; i < 5; i++) {
		is(begin(7, 100, &failures), FAILURES_BEGUN);
		failures_end(&failures, true, 100);
		failures_add_on(7, 100);
	}
	is(failures_on(7, 100), 0);
}

static void
test_one(void)
{
	struct failures failures, more[3];
	uint64_t one = failures_who(1, 1), other = failures_who(1, 2);

	test("up to the bound, then full until the minute is over");
	fail(one, 100);
	fail(one, 110);
	fail(one, 120);
	is(begin(one, 130, &failures), FAILURES_FULL);
	is(failures.failed, 3);
	is(failures.reset_s, 30);
	failures_end(&failures, true, 130);
	is(begin(one, 159, &failures), FAILURES_FULL);
	is(failures.reset_s, 1);
	is(begin(other, 130, &failures), FAILURES_BEGUN);
	failures_end(&failures, false, 130);
	is(begin(one, 160, &failures), FAILURES_BEGUN);
	is(failures.failed, 0);
	is(failures.reset_s, 60);
	failures_end(&failures, false, 160);

	test("what succeeds is forgotten, and ended once");
	for (unsigned i = 0; i < 10; i++) {
		is(begin(one, 170, &failures), FAILURES_BEGUN);
		failures_end(&failures, false, 170);
		failures_end(&failures, true, 170);
	}
	is(failures.failed, 0);

	test("attempts at work count before they have failed");
	for (unsigned i = 0; i < 3; i++)
		is(begin(one, 180, &more[i]), FAILURES_BEGUN);
	is(begin(one, 180, &failures), FAILURES_BUSY);
	failures_end(&failures, true, 180);
	failures_end(&more[0], false, 180);
	is(begin(one, 181, &more[0]), FAILURES_BEGUN);
	for (unsigned i = 0; i < 3; i++)
		failures_end(&more[i], true, 182);
	is(begin(one, 183, &failures), FAILURES_FULL);

	test("what was begun in another minute fails in this one");
	is(begin(other, 200, &more[0]), FAILURES_BEGUN);
	is(begin(other, 200, &more[1]), FAILURES_BEGUN);
	is(begin(other, 261, &more[2]), FAILURES_BEGUN);
	failures_end(&more[0], false, 262);
	failures_end(&more[1], true, 262);
	is(begin(other, 263, &failures), FAILURES_BEGUN);
	is(failures.failed, 1);
	is(begin(other, 263, &more[0]), FAILURES_BUSY);
	failures_end(&failures, true, 263);
	failures_end(&more[2], true, 263);
	is(begin(other, 263, &failures), FAILURES_FULL);

	test("a clock that is behind is in the minute that others began");
	is(begin(other, 259, &failures), FAILURES_FULL);
	is(failures.reset_s, 60);

	test("counts stop at what fits");
	for (unsigned i = 0; i < FAILURES_MAX + 10; i++)
		failures_add_on(one, 300);
	is(failures_on(one, 300), FAILURES_MAX);
	is(failures_on(other, 300), 0);
	is(failures_on(one, 359), FAILURES_MAX);
	is(failures_on(one, 360), 0);
}

/* A flood from many, and who is not among them. */
static void
test_flood(void)
{
	struct failures failures;
	uint64_t victim = failures_who(1, 77);
	unsigned uncounted = 0, refused = 0;

	test("a flood from many addresses refuses nobody else");
	for (uint64_t i = 0; i < 200000; i++) {
		uint64_t who = failures_who(1000 + i, 77);

		if (failures_begin(who, 1, 1000, &failures) != FAILURES_BEGUN)
			refused++;
		uncounted += !failures.is_counted;
		failures_end(&failures, true, 1000);
		failures_add_on(victim, 1000);
	}
	/* Tags of 20 bits: a handful of them meet by chance. */
	ok(refused < 20);
	ok(uncounted > 100000);
	is(failures_begin(failures_who(5, 77), 1, 1000, &failures),
	    FAILURES_BEGUN);
	is(failures_on(victim, 1000), FAILURES_MAX);

	test("a minute later all of it is forgotten");
	is(failures_begin(failures_who(5, 77), 1, 1060, &failures),
	    FAILURES_BEGUN);
	ok(failures.is_counted);
	is(failures_on(victim, 1060), 0);
}

static void
test_processes(void)
{
	enum { PROCESSES = 4 };
	uint64_t one = failures_who(9, 9);
	struct failures failures;
	pid_t pids[PROCESSES];
	unsigned failed = 0;
	int status;

	test("processes at once fail exactly as often as they may");
	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = child_start();
		if (pids[i] == 0) {
			unsigned count = 0;

			for (;;) {
				enum failures_begun begun = failures_begin(
				    one, 200, 2000, &failures);

				if (begun == FAILURES_FULL)
					_exit((int)count);
				if (begun == FAILURES_BUSY)
					continue;
				count++;
				failures_end(&failures, true, 2000);
			}
		}
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		ok(waitpid(pids[i], &status, 0) == pids[i] &&
		    WIFEXITED(status));
		failed += (unsigned)WEXITSTATUS(status);
	}
	is(failed, 200);
	is(failures_begin(one, 200, 2001, &failures), FAILURES_FULL);
	is(failures.failed, 200);

	test("what a killed process had begun is forgotten with the minute");
	one = failures_who(10, 9);
	pids[0] = child_start();
	if (pids[0] == 0) {
		for (unsigned i = 0; i < 3; i++)
			begin(one, 3000, &failures);
		raise(SIGKILL);
	}
	waitpid(pids[0], &status, 0);
	is(begin(one, 3030, &failures), FAILURES_BUSY);
	is(begin(one, 3060, &failures), FAILURES_BEGUN);
	is(failures.failed, 0);
}

int
main(void)
{
	test_not_open();
	if (!failures_open())
		return (1);
	test_one();
	test_flood();
	test_processes();
	failures_close();
	return (done());
}
