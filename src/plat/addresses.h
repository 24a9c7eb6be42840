/* SPDX-License-Identifier: MIT */
/*
 * How many connections each client address has, over all workers of the
 * host: a table for each slot, in memory that all processes share.
 *
 *	 one slot's table
 *	 ------------------------------------------------------
 *	| places in use | line of 8 places | line of 8 | line … |
 *	 ------------------------------------------------------
 *	 one place	 63		24 23		  0
 *			| who: 40 bits	  | connections     |
 *
 * An address belongs in the line that its hash says, or in the next one.
 *
 * Holds always:
 *  1. A slot's table is written by its owner alone, and by the master once
 *     the owner is dead: so nothing is lost or counted twice, whenever a
 *     worker is killed.
 *  2. Who takes first adds to his own table and then sums up all tables, so
 *     two who take at once never both stay over the bound.
 *  3. An address whose two lines are full is not counted; that takes about
 *     half as many at once as there are places, 16 for each connection,
 *     as core/bound counts in here what else clients have.
 *  4. IPv6 counts by /64, because that is what one client is given.
 *
 * Master, before the first fork: addresses_open(slots, conf->connections);
 * for each dead child: addresses_void(slot).
 *
 * Worker:
 *	who = addresses_who(&address);
 *	got = addresses_take(slot, who, most);
 *	... if (got == ADDRESS_COUNTED) addresses_give(slot, who);
 */
#ifndef PLAT_ADDRESSES_H
#define PLAT_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

enum address_taken {
	ADDRESS_REFUSED,
	ADDRESS_COUNTED,	/* give it back */
	ADDRESS_UNCOUNTED	/* there was no place */
};

/* false, with errno, where the kernel refuses the memory. */
bool	addresses_open(unsigned slots, int64_t connections);
void	addresses_close(void);
void	addresses_void(unsigned slot);

/* A number that stands for the address; not for Unix peers. */
uint64_t addresses_who(const struct address *address);
enum address_taken addresses_take(unsigned slot, uint64_t who, int64_t most);
void	addresses_give(unsigned slot, uint64_t who);
/* Over all slots. */
int64_t	addresses_count(uint64_t who);

#endif
