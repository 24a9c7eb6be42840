/* SPDX-License-Identifier: MIT */
/*
 * A sum that slots have shares of.
 */
#include "plat/share.h"

#include "base/must.h"

#define COUNT_BITS	24
#define SLOT_BITS	11
#define NUMBER_SHIFT	36
#define NUMBER_MASK	((1ULL << (64 - NUMBER_SHIFT)) - 1)
#define COUNT_MASK	((1ULL << COUNT_BITS) - 1)
#define SLOT_MASK	((1ULL << SLOT_BITS) - 1)
#define GIVE_BIT	(1ULL << (NUMBER_SHIFT - 1))
#define NOBODY		SLOT_MASK	/* the change is complete in itself */

_Static_assert(COUNT_MASK == SHARES_MAX, "the bound is what fits");
_Static_assert(SHARES_SLOTS_MAX <= NOBODY, "a slot fits");
_Static_assert(COUNT_BITS + SLOT_BITS + 1 == NUMBER_SHIFT, "no bit is unused");

/* A fresh sum's zero is slot 0 at change 0, which its share includes. */

static uint64_t
count_in(uint64_t word)
{
	return (word & COUNT_MASK);
}

static uint64_t
number_in(uint64_t word)
{
	return (word >> NUMBER_SHIFT);
}

static _Atomic uint64_t *
share_of(const struct shares *shares, unsigned slot)
{
	must(slot < shares->slots);
	return ((_Atomic uint64_t *)(void *)((char *)shares->first +
	    slot * shares->stride));
}

/* Carries the sum's last change into its slot's share, unless it is there. */
static void
finish_change(const struct shares *shares, uint64_t sum)
{
	unsigned slot = (unsigned)(sum >> COUNT_BITS & SLOT_MASK);
	uint64_t share, count;

	if (slot == NOBODY)
		return;
	share = atomic_load(share_of(shares, slot));
	if (((number_in(share) + 1) & NUMBER_MASK) != number_in(sum))
		return;
	count = count_in(share);
	must((sum & GIVE_BIT) == 0 ? count < COUNT_MASK : count > 0);
	count = (sum & GIVE_BIT) == 0 ? count + 1 : count - 1;
	/* Where this fails, another was quicker. */
	atomic_compare_exchange_strong(share_of(shares, slot), &share,
	    number_in(sum) << NUMBER_SHIFT | count);
}

static bool
change(const struct shares *shares, unsigned slot, bool is_give,
    uint64_t most)
{
	uint64_t sum = atomic_load(shares->sum), share, next;

	do {
		finish_change(shares, sum);
		share = atomic_load(share_of(shares, slot));
		if (!is_give && count_in(sum) >= most)
			return (false);
		next = is_give ? (count_in(sum) - 1) | GIVE_BIT :
		    count_in(sum) + 1;
		next |= (uint64_t)slot << COUNT_BITS |
		    (number_in(share) + 1) << NUMBER_SHIFT;
	} while (!atomic_compare_exchange_weak(shares->sum, &sum, next));
	finish_change(shares, next);
	return (true);
}

bool
shares_take(const struct shares *shares, unsigned slot, int64_t most)
{
	must(most >= 0 && most <= SHARES_MAX);
	return (change(shares, slot, false, (uint64_t)most));
}

void
shares_give(const struct shares *shares, unsigned slot)
{
	must(count_in(atomic_load(share_of(shares, slot))) > 0);
	change(shares, slot, true, 0);
}

void
shares_give_all(const struct shares *shares, unsigned slot)
{
	uint64_t sum = atomic_load(shares->sum), share;

	do {
		finish_change(shares, sum);
		share = atomic_load(share_of(shares, slot));
		must(count_in(share) <= count_in(sum));
	} while (!atomic_compare_exchange_weak(shares->sum, &sum,
	    (count_in(sum) - count_in(share)) | NOBODY << COUNT_BITS));
	/* Nobody else writes here: the owner is dead, his changes finished. */
	atomic_store(share_of(shares, slot),
	    number_in(share) << NUMBER_SHIFT);
}
