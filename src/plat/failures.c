/* SPDX-License-Identifier: MIT */
/*
 * Counting failed attempts. Before failures_open nothing is counted.
 */
#include "plat/failures.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/must.h"
#include "base/secret.h"

#define LINE		8
#define LOOKED_AT	(2 * LINE)
#define WHO_LINES	8192
#define WHOM_LINES	512

#define COUNT_BITS	12
#define COUNT_MASK	((1ULL << COUNT_BITS) - 1)
#define START_BITS	20
#define START_MASK	((1ULL << START_BITS) - 1)
#define START_SHIFT	(2 * COUNT_BITS)
#define TAG_SHIFT	(START_SHIFT + START_BITS)
#define AT_WORK		(1ULL << COUNT_BITS)

_Static_assert(COUNT_MASK == FAILURES_MAX, "the bound is what fits");

struct table {
	unsigned		 lines;		/* a power of two */
	_Atomic uint64_t	*words;
};

static struct table by_who = { .lines = WHO_LINES };
static struct table by_whom = { .lines = WHOM_LINES };
static uint64_t key;

#define SIZE ((WHO_LINES + WHOM_LINES) * LINE * sizeof(uint64_t))

bool
failures_open(void)
{
	void *at;

	must(by_who.words == NULL);
	at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return (false);
	by_who.words = at;
	by_whom.words = by_who.words + WHO_LINES * LINE;
	secret_fill(&key, sizeof key);
	return (true);
}

void
failures_close(void)
{
	if (by_who.words != NULL)
		munmap((void *)by_who.words, SIZE);
	by_who.words = by_whom.words = NULL;
}

/* Spreads; each input has an output of its own. */
static uint64_t
mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 29;
	x *= 0xa0761d6478bd642fULL;
	return (x ^ x >> 32);
}

uint64_t
failures_who(uint64_t number, int32_t tenant)
{
	return (mix(mix(mix(number ^ key) + (uint32_t)tenant) + key));
}

/* Words. */

static uint64_t
tag_of(uint64_t who)
{
	uint64_t tag = who >> TAG_SHIFT;

	return (tag != 0 ? tag : 1);
}

static unsigned
failed_in(uint64_t word)
{
	return ((unsigned)(word & COUNT_MASK));
}

static unsigned
at_work_in(uint64_t word)
{
	return ((unsigned)(word >> COUNT_BITS & COUNT_MASK));
}

static unsigned
start_in(uint64_t word)
{
	return ((unsigned)(word >> START_SHIFT & START_MASK));
}

/* Seconds since it began; 0 also for a clock that is behind its. */
static unsigned
age_of(uint64_t word, int64_t now_s)
{
	unsigned age = (unsigned)(((uint64_t)now_s - start_in(word)) &
	    START_MASK);

	return (age > START_MASK - WINDOW_S ? 0 : age);
}

static bool
counts(uint64_t word, int64_t now_s)
{
	return (word != 0 && age_of(word, now_s) < WINDOW_S);
}

static uint64_t
fresh(uint64_t who, int64_t now_s)
{
	return (tag_of(who) << TAG_SHIFT |
	    ((uint64_t)now_s & START_MASK) << START_SHIFT);
}

static uint64_t
with_one_failed(uint64_t word)
{
	return (failed_in(word) < COUNT_MASK ? word + 1 : word);
}

/*
 * The place of who, or a free one for him; NULL if there is neither. *word
 * is what is there, *value what it means: a free one's is fresh.
 */
static _Atomic uint64_t *
find(const struct table *table, uint64_t who, int64_t now_s, uint64_t *word,
    uint64_t *value)
{
	unsigned first = (unsigned)(who & (table->lines - 1)) * LINE;
	unsigned mask = table->lines * LINE - 1;
	_Atomic uint64_t *found = NULL;

	if (table->words == NULL)
		return (NULL);
	for (unsigned i = 0; i < LOOKED_AT; i++) {
		_Atomic uint64_t *place = &table->words[(first + i) & mask];
		uint64_t here = atomic_load(place);

		if (!counts(here, now_s)) {
			if (found == NULL) {
				found = place;
				*word = here;
				*value = fresh(who, now_s);
			}
		} else if (here >> TAG_SHIFT == tag_of(who)) {
			*word = *value = here;
			return (place);
		}
	}
	return (found);
}

static void
add_failure(const struct table *table, uint64_t who, int64_t now_s)
{
	_Atomic uint64_t *place;
	uint64_t word, value;

	do {
		place = find(table, who, now_s, &word, &value);
		if (place == NULL)
			return;
	} while (!atomic_compare_exchange_weak(place, &word,
	    with_one_failed(value)));
}

/* By who. */

enum failures_begun
failures_begin(uint64_t who, unsigned most, int64_t now_s,
    struct failures *out)
{
	_Atomic uint64_t *place;
	uint64_t word, value;

	must(most >= 1 && most <= FAILURES_MAX && now_s >= 0);
	*out = (struct failures){ .who = who, .reset_s = WINDOW_S };
	do {
		place = find(&by_who, who, now_s, &word, &value);
		if (place == NULL)
			return (FAILURES_BEGUN);
		out->start = start_in(value);
		out->failed = failed_in(value);
		out->reset_s = WINDOW_S - age_of(value, now_s);
		if (out->failed >= most)
			return (FAILURES_FULL);
		if (out->failed + at_work_in(value) >= most)
			return (FAILURES_BUSY);
	} while (!atomic_compare_exchange_weak(place, &word,
	    value + AT_WORK));
	out->is_counted = true;
	return (FAILURES_BEGUN);
}

void
failures_end(struct failures *failures, bool has_failed, int64_t now_s)
{
	_Atomic uint64_t *place;
	uint64_t word, value;

	if (!failures->is_counted)
		return;
	failures->is_counted = false;
	do {
		place = find(&by_who, failures->who, now_s, &word, &value);
		/* Its window is over, and with it what was at work. */
		if (place == NULL || start_in(value) != failures->start ||
		    at_work_in(value) == 0) {
			if (has_failed)
				add_failure(&by_who, failures->who, now_s);
			return;
		}
		value -= AT_WORK;
		if (has_failed)
			value = with_one_failed(value);
	} while (!atomic_compare_exchange_weak(place, &word, value));
}

/* By whom. */

unsigned
failures_on(uint64_t whom, int64_t now_s)
{
	uint64_t word, value;

	if (find(&by_whom, whom, now_s, &word, &value) == NULL)
		return (0);
	return (failed_in(value));
}

void
failures_add_on(uint64_t whom, int64_t now_s)
{
	add_failure(&by_whom, whom, now_s);
}
