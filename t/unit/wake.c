/* SPDX-License-Identifier: MIT */
/*
 * Waking: only who sleeps is written to, and no news is slept through.
 */
#include "plat/wake.h"

#include <poll.h>
#include <sched.h>

#include "tap.h"

#define ROUNDS 50000

static struct segment *segment;

/* Whether it was woken within that time; reads the descriptor empty. */
static bool
was_woken(unsigned slot, int within_ms)
{
	struct pollfd poll_fd = { .fd = wake_fd(slot), .events = POLLIN };
	uint64_t times;

	if (poll(&poll_fd, 1, within_ms) != 1)
		return (false);
	return (read(wake_fd(slot), &times, sizeof times) == sizeof times);
}

static void
test_flag(void)
{
	uint64_t wakes;

	test("only who sleeps is woken, and once");
	wakes = counts->counters[COUNTER_ring_wakes];
	wake_slot(segment, 1);
	ok(!was_woken(1, 0));
	wake_before_sleep(segment, 1);
	wake_slot(segment, 1);
	wake_slot(segment, 1);
	ok(was_woken(1, 0));
	ok(!was_woken(1, 0));
	is(counts->counters[COUNTER_ring_wakes] - wakes, 1);

	test("who went on by itself is not woken any more");
	wake_before_sleep(segment, 1);
	wake_after_sleep(segment, 1);
	wake_slot(segment, 1);
	ok(!was_woken(1, 0));

	test("news go to all readers but one, and to nobody else");
	for (unsigned i = 0; i < 4; i++) {
		wake_before_sleep(segment, i);
		if (i != 3)
			wake_listen(segment, i, LISTENS_RINGS);
	}
	wake_readers_but(segment, 2);
	for (unsigned i = 0; i < 4; i++) {
		is(was_woken(i, 0), i < 2);
		is(wake_take_news(segment, i), i < 2);
		ok(!wake_take_news(segment, i));
		wake_after_sleep(segment, i);
	}

	test("who listens to its role alone hears nothing of rings");
	wake_before_sleep(segment, 3);
	wake_listen(segment, 3, LISTENS_ROLE);
	atomic_store(&segment->slots[3].role, ROLE_JOBS);
	wake_readers_but(segment, 2);
	ok(!was_woken(3, 0));
	ok(!wake_take_news(segment, 3));
	wake_role(segment, ROLE_JOBS);
	ok(was_woken(3, 0));
	ok(wake_take_news(segment, 3));
	wake_after_sleep(segment, 3);
	wake_listen(segment, 3, LISTENS_NOT);
	atomic_store(&segment->slots[3].role, ROLE_NONE);
	for (unsigned i = 0; i < 3; i++)
		wake_take_news(segment, i);

	test("who is awake is told, and not woken");
	wake_readers_but(segment, 2);
	ok(!was_woken(1, 0));
	ok(wake_take_news(segment, 1));

	test("what was not read out is taken once more");
	wake_has_more(segment, 1);
	ok(wake_take_news(segment, 1));
	ok(!wake_take_news(segment, 1));

	test("who has a role is told, whoever else there is");
	for (unsigned i = 0; i < 4; i++) {
		wake_take_news(segment, i);
		atomic_store(&segment->slots[i].role,
		    i == 1 ? ROLE_RELAY : ROLE_WORKER);
	}
	wake_before_sleep(segment, 1);
	wake_role(segment, ROLE_RELAY);
	ok(was_woken(1, 0));
	for (unsigned i = 0; i < 4; i++)
		is(wake_take_news(segment, i), i == 1);

	test("reading an empty descriptor does not block");
	uint64_t times;

	is(read(wake_fd(3), &times, sizeof times), -1);
}

/* Both sides begin a round at the same moment, as nearly as may be. */
static void
meet(_Atomic uint32_t *mine, _Atomic uint32_t *other, uint32_t round)
{
	atomic_store(mine, round);
	for (unsigned spins = 1; atomic_load(other) < round; spins++)
		if (spins % 4096 == 0)
			sched_yield();
}

static void
dawdle(uint64_t turns)
{
	for (volatile uint64_t i = 0; i < turns; i++)
		;
}

static void
test_nothing_is_slept_through(void)
{
	_Atomic uint32_t *ours = &segment->slots[0].ordinal,
	    *its = &segment->slots[1].ordinal;
	struct ring_writer writer;
	pid_t pid;

	test("no news is slept through, however sleep and news fall together");
	pid = child_start();
	if (pid == 0) {
		struct ring_reader reader;
		struct ring_record record;
		unsigned slept = 0, lost = 0;

		ring_reader_init(&reader, segment_ring(segment, 0), 0);
		for (uint32_t round = 1; round <= ROUNDS; round++) {
			bool has_news;

			meet(its, ours, 2 * round);
			dawdle(round / 16 % 16);
			wake_before_sleep(segment, 1);
			has_news = ring_has_news(&reader);
			meet(its, ours, 2 * round + 1);
			slept += has_news ? 0 : 1;
			lost += !has_news && !was_woken(1, 0);
			wake_after_sleep(segment, 1);
			was_woken(1, 0);
			ok(ring_read(&reader, &record) == RING_GOT);
		}
		ring_reader_fini(&reader);
		is(lost, 0);
		ok(slept > 0);
		child_done();
	}
	ring_writer_init(&writer, segment_ring(segment, 0));
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		meet(ours, its, 2 * round);
		dawdle(round % 16);
		/* On one core with others we might always be the first. */
		while (round % 500 == 0 &&
		    atomic_load(&segment->slots[1].is_sleeping) == 0)
			sched_yield();
		ring_write(&writer, &(struct ring_record){
		    .kind = RING_EVENT, .seq = round });
		wake_slot(segment, 1);
		meet(ours, its, 2 * round + 1);
	}
	ok(child_was_fine(pid));
}

static void
test_files(void)
{
	struct rlimit few = { 4, 4 };
	pid_t pid;

	test("too few descriptors are told");
	pid = child_start();
	if (pid == 0) {
		wake_close();
		setrlimit(RLIMIT_NOFILE, &few);
		ok(!wake_open(segment));
		child_done();
	}
	ok(child_was_fine(pid));
}

int
main(void)
{
	int fd;

	alarm(60);	/* who waits for a dead one waits no longer */
	segment = segment_create(4, 1 << 20, 1024, &fd);
	must(segment != NULL);
	test("there is a descriptor for each slot");
	ok(wake_open(segment));
	for (unsigned i = 0; i < 4; i++)
		ok(wake_fd(i) >= 0 &&
		    (fcntl(wake_fd(i), F_GETFD) & FD_CLOEXEC) != 0);
	test_flag();
	test_nothing_is_slept_through();
	test_files();
	wake_close();
	segment_unmap(segment);
	return (done());
}
