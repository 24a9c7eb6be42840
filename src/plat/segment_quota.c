/* SPDX-License-Identifier: MIT */
/*
 * Quotas: their sums lie in the segment's head, the shares in its slots.
 */
#include "plat/segment.h"

_Static_assert(SEGMENT_SLOTS_MAX <= SHARES_SLOTS_MAX, "a slot has a share");

static struct shares
shares_of(struct segment *segment, enum quota quota)
{
	return ((struct shares){ .sum = &segment->used[quota],
	    .first = &segment->slots[0].share[quota],
	    .stride = sizeof segment->slots[0],
	    .slots = segment->slots_count });
}

bool
segment_take(struct segment *segment, unsigned slot, enum quota quota,
    int64_t most)
{
	struct shares shares = shares_of(segment, quota);

	return (shares_take(&shares, slot, most));
}

void
segment_give(struct segment *segment, unsigned slot, enum quota quota)
{
	struct shares shares = shares_of(segment, quota);

	shares_give(&shares, slot);
}

void
segment_give_all(struct segment *segment, unsigned slot, enum quota quota)
{
	struct shares shares = shares_of(segment, quota);

	shares_give_all(&shares, slot);
}

int64_t
segment_used(const struct segment *segment, enum quota quota)
{
	return (share_count(atomic_load(&segment->used[quota])));
}

int64_t
segment_share(const struct segment *segment, unsigned slot, enum quota quota)
{
	must(slot < segment->slots_count);
	return (share_count(
	    atomic_load(&segment->slots[slot].share[quota])));
}
