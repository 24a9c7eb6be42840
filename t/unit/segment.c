/* SPDX-License-Identifier: MIT */
/*
 * The shared segment: who may open it, what its slots and sums do, and that
 * quotas stay exact while their holders are killed.
 */
#include "plat/segment.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "tap.h"

static struct segment *segment;
static int fd;
static struct counts *counts_of_this_process;

static void
begin(const char *name, unsigned slots)
{
	test(name);
	segment = segment_create(slots, 65536, 4096, &fd);
	ok(segment != NULL);
}

static void
end(void)
{
	counts = counts_of_this_process;
	segment_unmap(segment);
	close(fd);
}

static void
test_layout(void)
{
	struct stat stat;

	test("made as it was ordered, and sparse");
	segment = segment_create(64, (8 << 20) - 5, 32768, &fd);
	ok(segment != NULL);
	is(segment->slots_count, 64);
	is(segment->ring_size, 8 << 20);
	ok(fstat(fd, &stat) == 0);
	is(stat.st_size, segment->size);
	ok(stat.st_size > 64 * (8 << 20));
	/* A page for each ring's head, and the slots. */
	ok(stat.st_blocks * 512 < 1 << 20);
	ok((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	for (unsigned i = 0; i < 64; i++) {
		struct ring *ring = segment_ring(segment, i);

		is(ring->size, 8 << 20);
		is(ring->payload_max, 32768);
		is((uintptr_t)ring % 64, 0);
		ok((char *)ring >= (char *)&segment->slots[64]);
		ok((char *)ring + ring_footprint(8 << 20) <=
		    (char *)segment + segment->size);
		ok(i == 0 || (char *)ring >= (char *)segment_ring(segment,
		    i - 1) + ring_footprint(8 << 20));
	}
	end();

	begin("nobody changes its size", 4);
	ok(ftruncate(fd, 4096) != 0 && errno == EPERM);
	ok(ftruncate(fd, 1 << 30) != 0 && errno == EPERM);
	end();
}

/* The one word at fault is put back by the caller. */
static bool
is_refused(const char *with)
{
	const char *why = NULL;
	const struct segment *opened = segment_open(fd, &why);

	return (ok(opened == NULL) && is_text(why, with));
}

static void
test_open(void)
{
	const struct segment *opened;
	const char *why;
	int memory, pipes[2];
	pid_t pid;
	int status;

	begin("opened by another, to be read only", 4);
	opened = segment_open(fd, &why);
	ok(opened != NULL);
	is(opened->slots_count, 4);
	atomic_store(&segment->slots[2].counts.counters[COUNTER_requests], 7);
	is(segment_counter(opened, COUNTER_requests), 7);
	pid = child_start();
	if (pid == 0) {
		child_dies_quietly();
		((struct segment *)(uintptr_t)opened)->magic = 0;
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && status != 0);
	is(segment->magic, SEGMENT_MAGIC);
	segment_unmap(opened);

	test("refused: another's, another build's, and what lies");
	segment->magic++;
	is_refused("it is not a segment of this program");
	segment->magic--;
	segment->layout++;
	is_refused("it belongs to another version of this program");
	segment->layout--;
	segment->size++;
	is_refused("its size is not what it says");
	segment->size--;
	segment->slots_count++;
	is_refused("its size is not what it says");
	segment->slots_count = 0;
	is_refused("its size is not what it says");
	segment->slots_count = 4;
	segment->ring_size *= 2;
	is_refused("its size is not what it says");
	segment->ring_size /= 2;
	opened = segment_open(fd, &why);
	if (ok(opened != NULL))
		segment_unmap(opened);
	end();

	test("refused: what is no segment at all");
	fd = memfd_create("other", MFD_CLOEXEC);
	is_refused("it is too small to be a segment");
	ok(ftruncate(fd, 1 << 20) == 0);
	is_refused("it is not sealed");
	close(fd);
	memory = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ok(ftruncate(memory, 1 << 20) == 0);
	ok(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	fd = memory;
	is_refused("it is not a segment of this program");
	close(fd);
	ok(pipe(pipes) == 0);
	fd = pipes[0];
	is_refused("it is too small to be a segment");
	close(pipes[0]);
	close(pipes[1]);
	fd = -1;
	is_refused("it is too small to be a segment");
}

static void
test_slots(void)
{
	static struct slot *slot;

	begin("the lowest free slot is given, a higher generation each time",
	    3);
	is(segment_give_slot(segment, ROLE_MASTER, 0), 0);
	is(segment_give_slot(segment, ROLE_WORKER, 1), 1);
	is(segment_give_slot(segment, ROLE_WORKER, 2), 2);
	is(segment_give_slot(segment, ROLE_RELAY, 0), -1);
	is(segment->slots[1].generation, 1);
	is(segment->slots[1].role, ROLE_WORKER);
	is(segment->slots[1].ordinal, 1);
	segment_void_slot(segment, 1);
	is(segment->slots[1].role, ROLE_NONE);
	is(segment_give_slot(segment, ROLE_RELAY, 0), 1);
	is(segment->slots[1].generation, 2);
	is(segment_give_slot(segment, ROLE_JOBS, 0), -1);
	end();

	begin("what a dead owner leaves: counters, but nothing of himself", 3);
	is(segment_give_slot(segment, ROLE_WORKER, 5), 0);
	is(segment_give_slot(segment, ROLE_WORKER, 6), 1);
	slot = &segment->slots[0];
	slot->pid = 4711;
	slot->is_sleeping = slot->is_draining = 1;
	memset(slot->panic, 'x', 100);
	counts = &slot->counts;
	COUNT_BY(requests, 5);
	GAUGE_SET(connections_open, 3);
	HISTOGRAM_ADD(request, 1000);
	counts = &segment->slots[1].counts;
	COUNT_BY(requests, 10);
	GAUGE_SET(connections_open, 4);
	HISTOGRAM_ADD(request, 24);
	is(segment_gauge(segment, GAUGE_connections_open), 7);
	segment_void_slot(segment, 0);
	is(segment_counter(segment, COUNTER_requests), 15);
	is(segment_gauge(segment, GAUGE_connections_open), 4);
	is(slot->pid, 0);
	is(slot->ordinal, 0);
	is(slot->is_sleeping, 0);
	is(slot->is_draining, 0);
	is(slot->panic[0], 0);
	is(segment_give_slot(segment, ROLE_WORKER, 5), 0);
	counts = &slot->counts;
	COUNT(requests);
	is(segment_counter(segment, COUNTER_requests), 16);

	test("histograms are summed by bucket");
	uint64_t buckets[HISTOGRAM_BUCKETS], sum, all = 0;

	segment_histogram(segment, HISTOGRAM_request, buckets, &sum);
	is(sum, 1024);
	is(buckets[10], 1);
	is(buckets[5], 1);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		all += buckets[i];
	is(all, 2);
	end();
}

static void
give_what_is_not_held(void)
{
	segment_give(segment, 1, QUOTA_CONNECTIONS);
}

static void
test_quota(void)
{
	begin("a quota is taken up to its bound, and given back", 4);
	for (unsigned i = 0; i < 4; i++)
		segment_give_slot(segment, ROLE_WORKER, i);
	ok(!segment_take(segment, 0, QUOTA_CONNECTIONS, 0));
	for (unsigned i = 0; i < 10; i++)
		ok(segment_take(segment, i % 2 * 2, QUOTA_CONNECTIONS, 10));
	ok(!segment_take(segment, 0, QUOTA_CONNECTIONS, 10));
	ok(!segment_take(segment, 3, QUOTA_CONNECTIONS, 10));
	is(segment_used(segment, QUOTA_CONNECTIONS), 10);
	is(segment_share(segment, 0, QUOTA_CONNECTIONS), 5);
	is(segment_share(segment, 2, QUOTA_CONNECTIONS), 5);
	segment_give(segment, 2, QUOTA_CONNECTIONS);
	ok(segment_take(segment, 3, QUOTA_CONNECTIONS, 10));
	ok(!segment_take(segment, 3, QUOTA_CONNECTIONS, 10));
	/* The bound may be lowered beneath what is held, and raised. */
	ok(!segment_take(segment, 3, QUOTA_CONNECTIONS, 4));
	ok(segment_take(segment, 3, QUOTA_CONNECTIONS, 11));
	ok(aborts(give_what_is_not_held));

	test("voiding a slot gives its share back");
	segment_void_slot(segment, 0);
	is(segment_used(segment, QUOTA_CONNECTIONS), 6);
	is(segment_share(segment, 0, QUOTA_CONNECTIONS), 0);
	segment_void_slot(segment, 1);
	is(segment_used(segment, QUOTA_CONNECTIONS), 6);
	segment_void_slot(segment, 3);
	is(segment_used(segment, QUOTA_CONNECTIONS), 4);
	is(segment_give_slot(segment, ROLE_WORKER, 1), 0);
	ok(segment_take(segment, 0, QUOTA_CONNECTIONS, 5));
	ok(!segment_take(segment, 0, QUOTA_CONNECTIONS, 5));
	end();
}

static void
test_quota_race(void)
{
	enum { PROCESSES = 4, MOST = 20000 };
	pid_t pids[PROCESSES];

	begin("processes that take at once take exactly the bound", PROCESSES);
	for (unsigned i = 0; i < PROCESSES; i++) {
		segment_give_slot(segment, ROLE_WORKER, i);
		pids[i] = child_start();
		if (pids[i] == 0) {
			int64_t taken = 0, calls = 0;

			while (segment_take(segment, i, QUOTA_CONNECTIONS,
			    MOST)) {
				taken++;
				/* Some go back, so that the two mix. */
				if (++calls % 3 == 0) {
					segment_give(segment, i,
					    QUOTA_CONNECTIONS);
					taken--;
				}
			}
			is(segment_share(segment, i, QUOTA_CONNECTIONS),
			    taken);
			child_done();
		}
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		ok(child_was_fine(pids[i]));
	is(segment_used(segment, QUOTA_CONNECTIONS), MOST);
	for (unsigned i = 0; i < PROCESSES; i++)
		segment_void_slot(segment, i);
	is(segment_used(segment, QUOTA_CONNECTIONS), 0);
	end();
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

static pid_t
start_holder(unsigned slot, int64_t most, long us)
{
	pid_t pid = child_start();
	int64_t held = 0;

	if (pid != 0)
		return (pid);
	set_deadline(us);
	for (unsigned i = 0;; i++)
		if (held > 0 && (i * 7 + slot) % 5 < 2) {
			segment_give(segment, slot, QUOTA_CONNECTIONS);
			held--;
		} else if (segment_take(segment, slot, QUOTA_CONNECTIONS,
		    most))
			held++;
}

static unsigned
slot_of(const pid_t *pids, unsigned count, pid_t pid)
{
	for (unsigned i = 0; i < count; i++)
		if (pids[i] == pid)
			return (i);
	must_never("only holders are children here");
}

static void
test_quota_deaths(void)
{
	enum { PROCESSES = 3, MOST = 10, DEATHS = 2000 };
	pid_t pids[PROCESSES], pid;
	unsigned started = 0, died = 0;
	uint64_t dice = 1;
	int status;

	begin("a quota stays exact while its holders are killed", PROCESSES);
	while (died < DEATHS) {
		int slot;

		while (started < DEATHS && (slot = segment_give_slot(segment,
		    ROLE_WORKER, 1)) >= 0) {
			dice = dice * 6364136223846793005 + 1442695040888963407;
			pids[slot] = start_holder((unsigned)slot, MOST,
			    (long)(dice >> 33) % 300);
			started++;
		}
		pid = waitpid(-1, &status, 0);
		must(pid > 0);
		ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		died++;
		slot = (int)slot_of(pids, PROCESSES, pid);
		pids[slot] = 0;
		segment_void_slot(segment, (unsigned)slot);
		is(segment_share(segment, (unsigned)slot, QUOTA_CONNECTIONS),
		    0);
		ok(segment_used(segment, QUOTA_CONNECTIONS) <= MOST);
	}
	is(segment_used(segment, QUOTA_CONNECTIONS), 0);
	end();
}

static void
test_names(void)
{
	test("names");
	is_text(role_name(ROLE_NONE), "none");
	is_text(role_name(ROLE_JOBS), "jobs");
	is_text(part_name(PART_POSTGRES), "postgres");
	is_text(part_name(PART_JOBS), "jobs");
	is_text(part_state_name(PART_UNUSED), "unused");
	is_text(part_state_name(PART_DOWN), "down");
}

#ifdef WITH_FAULTS
static void
arm_what_is_none(void)
{
	setenv("PARTYLINE_FAULTS", "segment_refused no_such_point", 1);
	fault_arm_from_environment();
	abort();
}

static void
test_faults(void)
{
	test("faults armed by the environment come before the segment");
	setenv("PARTYLINE_FAULTS", " segment_refused=2  log_disk_full ", 1);
	fault_arm_from_environment();
	unsetenv("PARTYLINE_FAULTS");
	for (unsigned i = 0; i < 2; i++) {
		errno = 0;
		ok(segment_create(4, 65536, 4096, &fd) == NULL);
		is(errno, ENOMEM);
	}
	segment = segment_create(4, 65536, 4096, &fd);
	ok(segment != NULL);
	is(segment->faults.times[FAULT_log_disk_full], 0);

	test("and are carried over into it");
	fault_use(&segment->faults);
	is(segment->faults.times[FAULT_log_disk_full], 1);
	is(segment->faults.times[FAULT_segment_refused], 0);
	ok(FAULT(log_disk_full));
	ok(!FAULT(log_disk_full));
	atomic_store(&segment->faults.times[FAULT_child_hangs], 1);
	ok(FAULT(child_hangs));
	ok(!FAULT(child_hangs));

	test("a name that is none ends the start");
	ok(!aborts(arm_what_is_none));
}
#endif

int
main(void)
{
	counts_of_this_process = counts;
	test_layout();
	test_open();
	test_slots();
	test_quota();
	test_quota_race();
	test_quota_deaths();
	test_names();
#ifdef WITH_FAULTS
	test_faults();
#endif
	return (done());
}
