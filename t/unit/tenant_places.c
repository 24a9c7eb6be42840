/* SPDX-License-Identifier: MIT */
/*
 * plat/tenant_places: who gets a place, and that what is counted there stays
 * exact over processes and their deaths.
 */
#include "plat/tenant_places.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "base/must.h"
#include "tap.h"

#define SLOTS 3

enum { RACERS = 2 };

/*
 * Each claims his half of the places at the same time, for tenants that
 * belong in the same ones as the other's.
 */
static void
race_for_places(int32_t places)
{
	_Atomic unsigned *ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct window_left left;
	pid_t pids[RACERS];

	for (int32_t i = 0; i < RACERS; i++) {
		pids[i] = child_start();
		if (pids[i] != 0)
			continue;
		for (int32_t n = 1; n <= places / RACERS; n++) {
			/* Both are here before either goes on. */
			atomic_fetch_add(ready, 1);
			while (atomic_load(ready) < RACERS * (unsigned)n)
				sched_yield();
			ok(tenant_place_count(tenant_place(n + i * places),
			    TENANT_REQUESTS, (uint32_t)(n + i), INT32_MAX, 7,
			    &left));
		}
		child_done();
	}
	for (unsigned i = 0; i < RACERS; i++)
		ok(child_was_fine(pids[i]));
	munmap(ready, 4096);
}

static void
test_places(void)
{
	enum { PLACES = 1 << 16 };
	struct window_left left;
	struct tenant_place *place;

	test("before they are open there is none");
	ok(tenant_place(1) == NULL);
	tenant_places_void(0);

	test("tenants that claim at once have a place each");
	ok(tenant_places_open(SLOTS, PLACES));
	race_for_places(PLACES);
	for (int32_t i = 0; i < RACERS; i++)
		for (int32_t n = 1; n <= PLACES / RACERS; n++) {
			place = tenant_place(n + i * PLACES);
			if (!ok(place != NULL))
				break;
			tenant_place_count(place, TENANT_REQUESTS, 0,
			    INT32_MAX, 7, &left);
			is(INT32_MAX - left.remaining, n + i);
		}

	test("when all are taken, others have none and these keep theirs");
	place = tenant_place(1);
	ok(tenant_place(PLACES) == NULL);
	ok(tenant_place(INT32_MAX) == NULL);
	ok(place != NULL && tenant_place(1) == place);
	tenant_places_close();
}

static void
test_rates(void)
{
	struct tenant_place *place;
	struct window_left left;

	test("requests and events are counted apart");
	ok(tenant_places_open(SLOTS, 16));
	place = tenant_place(9);
	ok(tenant_place_count(place, TENANT_REQUESTS, 2, 2, 100, &left));
	ok(!tenant_place_count(place, TENANT_REQUESTS, 1, 2, 100, &left));
	ok(tenant_place_count(place, TENANT_EVENTS, 1, 2, 130, &left));
	is(left.remaining, 1);
	is(left.reset_s, 60);
	ok(!tenant_place_count(place, TENANT_REQUESTS, 1, 2, 130, &left));
	is(left.reset_s, 30);
	tenant_places_close();
}

static struct tenant_place *at;

static void
give_what_is_not_held(void)
{
	tenant_place_give(at, 2);
}

static void
test_connections(void)
{
	test("connections up to the bound, over all slots");
	ok(tenant_places_open(SLOTS, 16));
	at = tenant_place(9);
	ok(!tenant_place_take(at, 0, 0));
	ok(tenant_place_take(at, 0, 3));
	ok(tenant_place_take(at, 1, 3));
	ok(tenant_place_take(at, 1, 3));
	ok(!tenant_place_take(at, 2, 3));
	ok(tenant_place_take(tenant_place(10), 2, 3));
	is(tenant_place_held(at), 3);
	tenant_place_give(at, 1);
	is(tenant_place_held(at), 2);
	ok(aborts(give_what_is_not_held));

	test("voiding a slot gives back what it held of all tenants");
	ok(tenant_place_take(tenant_place(10), 0, 3));
	tenant_places_void(0);
	is(tenant_place_held(at), 1);
	is(tenant_place_held(tenant_place(10)), 1);
	tenant_places_void(0);
	tenant_places_void(1);
	tenant_places_void(2);
	is(tenant_place_held(at), 0);
	is(tenant_place_held(tenant_place(10)), 0);
	ok(tenant_place_take(at, 0, 1));
	tenant_places_close();
}

/* The kernel kills us after so many microseconds, wherever we are. */
static void
set_deadline(long us)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
	    .sigev_signo = SIGKILL };
	struct itimerspec when = { .it_value.tv_nsec = us * 1000 + 1 };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &when, NULL) != 0)
		_exit(2);
}

/* Two tenants; holds connections, counts requests and bytes until killed. */
static pid_t
start_holder(unsigned slot, int64_t most, long us)
{
	pid_t pid = child_start();
	int64_t held[2] = { 0, 0 };
	struct window_left left;

	if (pid != 0)
		return (pid);
	set_deadline(us);
	for (unsigned i = 0;; i++) {
		unsigned which = i * 5 / 3 % 2;
		struct tenant_place *place =
		    tenant_place(50 + (int32_t)which);

		if (held[which] > 0 && (i * 7 + slot) % 5 < 2) {
			tenant_place_give(place, slot);
			held[which]--;
		} else if (tenant_place_take(place, slot, most))
			held[which]++;
		tenant_place_count(place, TENANT_EVENTS, 1, 1000, 5, &left);
		tenant_place_write(place, 10, 100000);
	}
}

static unsigned
slot_of(const pid_t *pids, pid_t pid)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (pids[i] == pid)
			return (i);
	must_never("only holders are children here");
}

static void
test_deaths(void)
{
	enum { MOST = 10, DEATHS = 1500 };
	pid_t pids[SLOTS] = { 0 };
	unsigned started = 0, died = 0;
	uint64_t dice = 1;

	test("all stays exact while the holders are killed");
	ok(tenant_places_open(SLOTS, 16));
	while (died < DEATHS) {
		pid_t pid;
		int status;
		unsigned slot;

		for (slot = 0; slot < SLOTS && started < DEATHS; slot++) {
			if (pids[slot] != 0)
				continue;
			dice = dice * 6364136223846793005 + 1442695040888963407;
			pids[slot] = start_holder(slot, MOST,
			    (long)(dice >> 33) % 300);
			started++;
		}
		pid = waitpid(-1, &status, 0);
		must(pid > 0);
		ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		died++;
		slot = slot_of(pids, pid);
		pids[slot] = 0;
		tenant_places_void(slot);
		ok(tenant_place_held(tenant_place(50)) <= MOST);
		ok(tenant_place_held(tenant_place(51)) <= MOST);
	}
	for (int32_t tenant = 50; tenant < 52; tenant++) {
		struct tenant_place *place = tenant_place(tenant);
		struct window_left left;

		is(tenant_place_held(place), 0);
		/* They had time enough to use up both. */
		ok(!tenant_place_count(place, TENANT_EVENTS, 1, 1000, 5,
		    &left));
		ok(tenant_place_count(place, TENANT_EVENTS, 1, 1001, 5,
		    &left));
		is(tenant_place_bytes(place), 100000);
	}
	tenant_places_close();
}

static void
test_race(void)
{
	enum { MOST = 20000 };
	pid_t pids[SLOTS];

	test("processes that take at once take exactly the bound");
	ok(tenant_places_open(SLOTS, 16));
	at = tenant_place(3);
	for (unsigned i = 0; i < SLOTS; i++) {
		pids[i] = child_start();
		if (pids[i] == 0) {
			while (tenant_place_take(at, i, MOST))
				;
			while (tenant_place_write(at, 7, 7 * MOST))
				;
			child_done();
		}
	}
	for (unsigned i = 0; i < SLOTS; i++)
		ok(child_was_fine(pids[i]));
	is(tenant_place_held(at), MOST);
	is(tenant_place_bytes(at), 7 * MOST);
	for (unsigned i = 0; i < SLOTS; i++)
		tenant_places_void(i);
	is(tenant_place_held(at), 0);
	tenant_places_close();
}

static void
test_bytes(void)
{
	int64_t mark;

	test("bytes are taken within the bound, and given back");
	ok(tenant_places_open(SLOTS, 16));
	at = tenant_place(3);
	ok(tenant_place_write(at, 60, 100));
	ok(!tenant_place_write(at, 41, 100));
	ok(tenant_place_write(at, 40, 100));
	ok(!tenant_place_write(at, 1, 100));
	ok(!tenant_place_write(at, INT64_MAX, 100));
	tenant_place_unwrite(at, 40);
	is(tenant_place_bytes(at), 60);

	test("what was measured counts, with what was written since its mark");
	mark = tenant_place_mark(at);
	ok(tenant_place_write(at, 5, 100));
	tenant_place_measured(at, 80, mark);
	is(tenant_place_bytes(at), 85);
	ok(!tenant_place_write(at, 16, 100));
	ok(tenant_place_write(at, 15, 100));
	tenant_place_measured(at, 0, tenant_place_mark(at));
	is(tenant_place_bytes(at), 0);
	ok(tenant_place_write(at, 100, 100));
	tenant_places_close();
}

int
main(void)
{
	test_places();
	test_rates();
	test_connections();
	test_race();
	test_deaths();
	test_bytes();
	return (done());
}
