/* SPDX-License-Identifier: MIT */
/*
 * Rows by who, found by hashing. Before slides_open nothing is counted and
 * nothing refused.
 *
 * A row is somebody else's when nothing of it counts any more; what is left
 * in it is older than anything that is asked for, so nobody clears it.
 */
#include "plat/slide.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/must.h"

#define ROWS 4096		/* a power of two */
#define LOOKED_AT 8
#define SECONDS 63		/* more than count: a clock may be behind */
#define COUNT_BITS 24
#define LAST_BITS 20
#define LAST_MASK ((1U << LAST_BITS) - 1)

struct row {
	_Atomic uint64_t	whose;		/* who: 44, last used: 20 */
	_Atomic uint64_t	seconds[SECONDS];
};

static struct row *rows;	/* NULL: not open */

bool
slides_open(void)
{
	void *at;

	must(rows == NULL);
	at = mmap(NULL, ROWS * sizeof *rows, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return (false);
	rows = at;
	return (true);
}

void
slides_close(void)
{
	if (rows != NULL)
		munmap(rows, ROWS * sizeof *rows);
	rows = NULL;
}

/* Whether something in it may count. */
static bool
is_in_use(uint64_t whose, int64_t now_s)
{
	unsigned age = (unsigned)(((uint64_t)now_s - whose) & LAST_MASK);

	return (whose != 0 &&
	    (age <= SLIDE_S + 1 || age > LAST_MASK - SLIDE_S));
}

static uint64_t
whose_of(uint64_t who, int64_t now_s)
{
	return ((who | 1) << LAST_BITS | ((uint64_t)now_s & LAST_MASK));
}

/* His row, in use from now on; or NULL. */
static struct row *
find(uint64_t who, int64_t now_s)
{
	uint64_t wanted = whose_of(who >> LAST_BITS, now_s), here, old;
	struct row *row, *found;

	do {
		found = NULL;
		old = 0;
		for (size_t i = 0; i < LOOKED_AT; i++) {
			row = &rows[(who + i) & (ROWS - 1)];
			here = atomic_load(&row->whose);
			if (is_in_use(here, now_s)) {
				if (here >> LAST_BITS != wanted >> LAST_BITS)
					continue;
				found = row;
				old = here;
				break;
			}
			if (found == NULL) {
				found = row;
				old = here;
			}
		}
		if (found == NULL)
			return (NULL);
	} while (!atomic_compare_exchange_strong(&found->whose, &old,
	    wanted));
	return (found);
}

static int64_t
within(const struct row *row, int64_t now_s)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < SECONDS; i++) {
		uint64_t word = atomic_load(&row->seconds[i]);

		if (now_s - (int64_t)(word >> COUNT_BITS) <= SLIDE_S)
			sum += (int64_t)(word & SLIDE_MAX);
	}
	return (sum);
}

bool
slide_count(uint64_t who, int64_t most, int64_t now_s)
{
	_Atomic uint64_t *place;
	uint64_t word, value;
	struct row *row;

	must(who != 0 && most <= SLIDE_MAX && now_s >= 0);
	if (rows == NULL)
		return (true);
	row = find(who, now_s);
	if (row == NULL)
		return (true);
	place = &row->seconds[now_s % SECONDS];
	do {
		word = atomic_load(place);
		if (within(row, now_s) >= most)
			return (false);
		value = (int64_t)(word >> COUNT_BITS) < now_s ?
		    (uint64_t)now_s << COUNT_BITS : word;
	} while (!atomic_compare_exchange_strong(place, &word, value + 1));
	if (within(row, now_s) <= most)
		return (true);
	/* Somebody counted in the second beside this one meanwhile. */
	atomic_fetch_sub(place, 1);
	return (false);
}
