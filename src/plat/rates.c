/* SPDX-License-Identifier: MIT */
/*
 * Windows by who, found by hashing. Before rates_open nothing is counted and
 * nothing refused.
 */
#include "plat/rates.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/must.h"

#define LINES 4096		/* of each table, a power of two */
#define LINE 8
#define LOOKED_AT (2 * LINE)
#define TAG_SHIFT 44
#define START_SHIFT 24
#define START_MASK ((1U << 20) - 1)
#define TABLE_SIZE (LINES * LINE * sizeof(uint64_t))

static char *all;		/* NULL: not open */

bool
rates_open(void)
{
	void *at;

	must(all == NULL);
	at = mmap(NULL, RATES * TABLE_SIZE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return (false);
	all = at;
	return (true);
}

void
rates_close(void)
{
	if (all != NULL)
		munmap(all, RATES * TABLE_SIZE);
	all = NULL;
}

static uint64_t
tag_of(uint64_t who)
{
	uint64_t tag = who >> TAG_SHIFT;

	return (tag != 0 ? tag : 1);
}

/* Seconds since it began; 0 also for a clock that is behind its. */
static unsigned
age_of(uint64_t word, int64_t now_s)
{
	unsigned age = (unsigned)(((uint64_t)now_s -
	    (word >> START_SHIFT)) & START_MASK);

	return (age > START_MASK - WINDOW_S ? 0 : age);
}

/* The place of who, or a free one; *word is what is there. */
static _Atomic uint64_t *
find(enum rate rate, uint64_t who, int64_t now_s, uint64_t *word)
{
	_Atomic uint64_t *words = (void *)(all + rate * TABLE_SIZE);
	size_t first = (who & (LINES - 1)) * LINE;
	_Atomic uint64_t *found = NULL;

	for (size_t i = 0; i < LOOKED_AT; i++) {
		_Atomic uint64_t *place =
		    &words[(first + i) & (LINES * LINE - 1)];
		uint64_t here = atomic_load(place);
		bool counts = here != 0 && age_of(here, now_s) < WINDOW_S;

		if (counts && here >> TAG_SHIFT == tag_of(who)) {
			*word = here;
			return (place);
		}
		if (!counts && found == NULL) {
			found = place;
			*word = here;
		}
	}
	return (found);
}

bool
rates_count(enum rate rate, uint64_t who, int64_t most, int64_t now_s,
    int64_t *reset_s_out)
{
	_Atomic uint64_t *place;
	uint64_t word, value;

	must(rate < RATES && most <= RATES_MAX && now_s >= 0);
	*reset_s_out = WINDOW_S;
	if (all == NULL)
		return (true);
	do {
		place = find(rate, who, now_s, &word);
		if (place == NULL)
			return (true);
		value = word;
		if (word == 0 || age_of(word, now_s) >= WINDOW_S ||
		    word >> TAG_SHIFT != tag_of(who))
			value = tag_of(who) << TAG_SHIFT |
			    ((uint64_t)now_s & START_MASK) << START_SHIFT;
		*reset_s_out = WINDOW_S - age_of(value, now_s);
		if ((int64_t)(value & RATES_MAX) >= most)
			return (false);
	} while (!atomic_compare_exchange_weak(place, &word, value + 1));
	return (true);
}
