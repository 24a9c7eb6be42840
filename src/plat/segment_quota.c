/* SPDX-License-Identifier: MIT */
/*
 * Quotas: a sum that all slots share, and each slot's part of it.
 *
 * A change touches two words, the sum and a share, and its process may die
 * between them. So the sum says who changed it last, and whoever comes next
 * first finishes that change, for the living and the dead alike:
 *
 *	       63          36   35    34    24 23           0
 *	        -----------------------------------------------
 *	sum    | change's no | give | slot    | in use by all |
 *	share  | change's no |   0  | 0       | in use by it  |
 *	        -----------------------------------------------
 *
 * Holds always:
 *  1. A slot's changes are numbered in order, over all its owners. A share
 *     that has the number of the sum's change includes it; one that has the
 *     number before does not yet; a higher number means that this sum is
 *     history.
 *  2. The sum is only replaced after its change has reached the share, so
 *     all shares together differ from the sum by at most its last change.
 *  3. A share is changed with its number in one compare and exchange, so no
 *     change is added twice, however many finish it.
 */
#include "plat/segment.h"

#define COUNT_BITS	24
#define SLOT_BITS	11
#define NUMBER_SHIFT	36
#define NUMBER_MASK	((1ULL << (64 - NUMBER_SHIFT)) - 1)
#define COUNT_MASK	((1ULL << COUNT_BITS) - 1)
#define SLOT_MASK	((1ULL << SLOT_BITS) - 1)
#define GIVE_BIT	(1ULL << (NUMBER_SHIFT - 1))
#define NOBODY		SLOT_MASK	/* the change is complete in itself */

_Static_assert(COUNT_MASK == QUOTA_MAX, "the bound is what fits");
_Static_assert(SEGMENT_SLOTS_MAX <= NOBODY, "a slot fits");
_Static_assert(COUNT_BITS + SLOT_BITS + 1 == NUMBER_SHIFT, "no bit is unused");

/* The fresh segment's zero is slot 0 at change 0, which its share includes. */

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
share_of(struct segment *segment, unsigned slot, enum quota quota)
{
	must(slot < segment->slots_count);
	return (&segment->slots[slot].share[quota]);
}

/* Carries the sum's last change into its slot's share, unless it is there. */
static void
finish_change(struct segment *segment, enum quota quota, uint64_t sum)
{
	unsigned slot = (unsigned)(sum >> COUNT_BITS & SLOT_MASK);
	uint64_t share, count;

	if (slot == NOBODY)
		return;
	share = atomic_load(share_of(segment, slot, quota));
	if (((number_in(share) + 1) & NUMBER_MASK) != number_in(sum))
		return;
	count = count_in(share);
	must((sum & GIVE_BIT) == 0 ? count < COUNT_MASK : count > 0);
	count = (sum & GIVE_BIT) == 0 ? count + 1 : count - 1;
	/* Where this fails, another was quicker. */
	atomic_compare_exchange_strong(share_of(segment, slot, quota), &share,
	    number_in(sum) << NUMBER_SHIFT | count);
}

static bool
change(struct segment *segment, unsigned slot, enum quota quota, bool is_give,
    uint64_t most)
{
	_Atomic uint64_t *used = &segment->used[quota];
	uint64_t sum = atomic_load(used), share, next;

	do {
		finish_change(segment, quota, sum);
		share = atomic_load(share_of(segment, slot, quota));
		if (!is_give && count_in(sum) >= most)
			return (false);
		next = is_give ? (count_in(sum) - 1) | GIVE_BIT :
		    count_in(sum) + 1;
		next |= (uint64_t)slot << COUNT_BITS |
		    (number_in(share) + 1) << NUMBER_SHIFT;
	} while (!atomic_compare_exchange_weak(used, &sum, next));
	finish_change(segment, quota, next);
	return (true);
}

bool
segment_take(struct segment *segment, unsigned slot, enum quota quota,
    int64_t most)
{
	must(most >= 0 && most <= QUOTA_MAX);
	return (change(segment, slot, quota, false, (uint64_t)most));
}

void
segment_give(struct segment *segment, unsigned slot, enum quota quota)
{
	must(segment_share(segment, slot, quota) > 0);
	change(segment, slot, quota, true, 0);
}

void
segment_give_all(struct segment *segment, unsigned slot, enum quota quota)
{
	_Atomic uint64_t *used = &segment->used[quota];
	uint64_t sum = atomic_load(used), share;

	do {
		finish_change(segment, quota, sum);
		share = atomic_load(share_of(segment, slot, quota));
		must(count_in(share) <= count_in(sum));
	} while (!atomic_compare_exchange_weak(used, &sum,
	    (count_in(sum) - count_in(share)) | NOBODY << COUNT_BITS));
	/* Nobody else writes here: the owner is dead, his changes finished. */
	atomic_store(share_of(segment, slot, quota),
	    number_in(share) << NUMBER_SHIFT);
}

int64_t
segment_used(const struct segment *segment, enum quota quota)
{
	return ((int64_t)count_in(atomic_load(&segment->used[quota])));
}

int64_t
segment_share(const struct segment *segment, unsigned slot, enum quota quota)
{
	must(slot < segment->slots_count);
	return ((int64_t)count_in(
	    atomic_load(&segment->slots[slot].share[quota])));
}
