/* SPDX-License-Identifier: MIT */
/*
 * Something held by processes, counted in a sum that they share and in a
 * share for each slot of the segment.
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
 *
 * Words that are all zero are a sum of nothing.
 *
 *	struct shares shares = { .sum = &sum, .first = &slots[0].share,
 *	    .stride = sizeof slots[0], .slots = count };
 *	if (shares_take(&shares, slot, most))
 *		... shares_give(&shares, slot);
 *	shares_give_all(&shares, dead_slot);
 */
#ifndef PLAT_SHARE_H
#define PLAT_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARES_MAX 16777215
#define SHARES_SLOTS_MAX 2047

struct shares {
	_Atomic uint64_t *sum;
	_Atomic uint64_t *first;	/* slot 0's */
	size_t		  stride;	/* bytes from one slot's to the next */
	unsigned	  slots;
};

/* Adds one to the slot's share if the sum stays within most. */
bool	shares_take(const struct shares *shares, unsigned slot, int64_t most);
void	shares_give(const struct shares *shares, unsigned slot);
/* All that a dead owner held. */
void	shares_give_all(const struct shares *shares, unsigned slot);

/* What a word counts. */
static inline int64_t
share_count(uint64_t word)
{
	return ((int64_t)(word & SHARES_MAX));
}

#endif
