/* SPDX-License-Identifier: MIT */
/*
 * plat/versions: what a bump reaches, that the numbers only rise, and that
 * who hears of a write has seen its bump.
 */
#include "plat/segment.h"
#include "tap.h"

static struct segment *segment;

static void
test_bumps(void)
{
	uint64_t one = versions_of(segment, 1), two = versions_of(segment, 2);

	test("a bump reaches its tenant alone");
	versions_bump(segment, 1);
	is(versions_of(segment, 1), one + 1);
	is(versions_of(segment, 2), two);

	test("the epoch reaches all, and never takes a number back");
	versions_bump_all(segment);
	is(versions_of(segment, 1), one + 2);
	is(versions_of(segment, 2), two + 1);
	is(versions_of(segment, 123456), 1);

	test("a voided slot bumps the epoch");
	is(segment_give_slot(segment, ROLE_WORKER, 1), 0);
	is(versions_of(segment, 2), two + 1);
	segment_void_slot(segment, 0);
	is(versions_of(segment, 2), two + 2);
	is(versions_of(segment, INT32_MAX), 2);
}

static void
test_groups(void)
{
	unsigned moved = 0;

	test("4,096 tenants in a row have a version each");
	for (int32_t i = 5000; i < 5000 + VERSIONS; i++) {
		uint64_t before = versions_of(segment, i);

		versions_bump(segment, i);
		moved += versions_of(segment, i) != before + 1;
	}
	is(moved, 0);
	for (unsigned i = 0; i < VERSIONS; i++)
		moved += atomic_load(&segment->versions.of[i]) == 0;
	is(moved, 0);
}

/* Writers tell in `told` what they have bumped; a reader is never behind. */
static void
test_order(void)
{
	enum { WRITERS = 3, BUMPS = 30000 };
	uint64_t begin = versions_of(segment, 7), last = begin, behind = 0;
	_Atomic uint64_t *told = &segment->slots[1].counts.counters[0];
	pid_t pids[WRITERS];

	test("bumps of several processes are seen before what they tell");
	for (unsigned i = 0; i < WRITERS; i++) {
		pids[i] = child_start();
		if (pids[i] == 0) {
			for (unsigned n = 0; n < BUMPS; n++) {
				if (n % 100 == i)
					versions_bump_all(segment);
				else
					versions_bump(segment, 7);
				atomic_fetch_add(told, 1);
			}
			child_done();
		}
	}
	while (atomic_load(told) < WRITERS * BUMPS) {
		uint64_t heard = atomic_load(told);
		uint64_t now = versions_of(segment, 7);

		behind += now < begin + heard || now < last;
		last = now;
	}
	is(behind, 0);
	for (unsigned i = 0; i < WRITERS; i++)
		ok(child_was_fine(pids[i]));
	is(versions_of(segment, 7), begin + WRITERS * BUMPS);
}

int
main(void)
{
	int fd;

	segment = segment_create(2, 65536, 4096, &fd);
	if (segment == NULL)
		return (1);
	test_bumps();
	test_groups();
	test_order();
	segment_unmap(segment);
	close(fd);
	return (done());
}
