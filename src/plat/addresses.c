/* SPDX-License-Identifier: MIT */
/*
 * Counting connections by address. Before addresses_open nothing is counted
 * and nothing refused.
 */
#include "plat/addresses.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/secret.h"

#define LINE 8
#define WINDOW (2 * LINE)
#define COUNT_BITS 24
#define COUNT_MASK ((1ULL << COUNT_BITS) - 1)

struct table {
	_Alignas(64) _Atomic uint64_t	used;
	_Alignas(64) _Atomic uint64_t	places[];
};

static struct {
	char		*at;		/* NULL: not open */
	size_t		 size;
	size_t		 table_size;
	unsigned	 slots;
	uint64_t	 lines;		/* of one table, a power of two */
	uint64_t	 key;
} all;

bool
addresses_open(unsigned slots, int64_t connections)
{
	uint64_t lines = 4096;
	char *at;

	must(all.at == NULL);
	while (lines * LINE / 16 < (uint64_t)connections)
		lines *= 2;
	all.table_size = sizeof(struct table) +
	    lines * LINE * sizeof(uint64_t);
	all.size = all.table_size * slots;
	/* Pages cost nothing before a worker has clients that fall on them. */
	at = mmap(NULL, all.size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return (false);
	all.at = at;
	all.slots = slots;
	all.lines = lines;
	secret_fill(&all.key, sizeof all.key);
	return (true);
}

void
addresses_close(void)
{
	if (all.at != NULL)
		munmap(all.at, all.size);
	all.at = NULL;
}

static struct table *
table_of(unsigned slot)
{
	must(slot < all.slots);
	return ((struct table *)(all.at + slot * all.table_size));
}

void
addresses_void(unsigned slot)
{
	struct table *table;

	if (all.at == NULL)
		return;
	table = table_of(slot);
	/* 0 is only ever there while all places are empty. */
	if (atomic_load(&table->used) == 0)
		return;
	for (uint64_t i = 0; i < all.lines * LINE; i++)
		if (atomic_load_explicit(&table->places[i],
		    memory_order_relaxed) != 0)
			atomic_store(&table->places[i], 0);
	atomic_store(&table->used, 0);
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
addresses_who(const struct address *address)
{
	uint64_t halves[2];

	must(address->kind != ADDRESS_UNIX);
	memcpy(halves, address->ip, sizeof halves);
	/* All of IPv4 is one /64: there, the other half tells who it is. */
	return (mix(mix((address->kind == ADDRESS_IPV4 ? halves[1] :
	    halves[0]) ^ all.key) + all.key));
}

static uint64_t
tag_of(uint64_t who)
{
	uint64_t tag = who >> COUNT_BITS;

	return (tag != 0 ? tag : 1);
}

/* The place of the tag, or with 0 a free one; NULL if there is none. */
static _Atomic uint64_t *
find(struct table *table, uint64_t who, uint64_t tag)
{
	uint64_t first = (who & (all.lines - 1)) * LINE;
	uint64_t mask = all.lines * LINE - 1;

	for (uint64_t i = 0; i < WINDOW; i++) {
		_Atomic uint64_t *place = &table->places[(first + i) & mask];

		if (atomic_load(place) >> COUNT_BITS == tag)
			return (place);
	}
	return (NULL);
}

int64_t
addresses_count(uint64_t who)
{
	uint64_t tag = tag_of(who);
	int64_t sum = 0;

	for (unsigned i = 0; all.at != NULL && i < all.slots; i++) {
		struct table *table = table_of(i);
		_Atomic uint64_t *place;

		if (atomic_load(&table->used) != 0 &&
		    (place = find(table, who, tag)) != NULL) {
			uint64_t word = atomic_load(place);

			/* Its owner may have given it to another since. */
			if (word >> COUNT_BITS == tag)
				sum += (int64_t)(word & COUNT_MASK);
		}
	}
	return (sum);
}

enum address_taken
addresses_take(unsigned slot, uint64_t who, int64_t most)
{
	uint64_t tag = tag_of(who);
	_Atomic uint64_t *place;
	struct table *table;

	if (all.at == NULL)
		return (ADDRESS_UNCOUNTED);
	table = table_of(slot);
	place = find(table, who, tag);
	if (place != NULL) {
		must((atomic_load(place) & COUNT_MASK) < COUNT_MASK);
		atomic_fetch_add(place, 1);
	} else {
		place = find(table, who, 0);
		if (place == NULL)
			return (ADDRESS_UNCOUNTED);
		/* In this order: see addresses_void. */
		atomic_fetch_add(&table->used, 1);
		atomic_store(place, tag << COUNT_BITS | 1);
	}
	if (addresses_count(who) <= most)
		return (ADDRESS_COUNTED);
	addresses_give(slot, who);
	return (ADDRESS_REFUSED);
}

void
addresses_give(unsigned slot, uint64_t who)
{
	struct table *table = table_of(slot);
	_Atomic uint64_t *place = find(table, who, tag_of(who));

	must(place != NULL && (atomic_load(place) & COUNT_MASK) > 0);
	if ((atomic_load(place) & COUNT_MASK) > 1) {
		atomic_fetch_sub(place, 1);
		return;
	}
	atomic_store(place, 0);
	atomic_fetch_sub(&table->used, 1);
}
