/* SPDX-License-Identifier: MIT */
/*
 * How much each of many has done within a minute, over all workers of the
 * host, in memory that all processes share.
 *
 *	 63	    44 43	 24 23		  0
 *	| who: 20   | start: 20    | count: 24	   |
 *
 * "Who" belongs in the line of 8 words that its number says, or in the next
 * one. Each kind has a table of its own, so that a flood of addresses does
 * not crowd out the tenant that they flood.
 *
 * Holds always:
 *  1. Each word is changed by one compare and exchange: exact, whoever is
 *     killed.
 *  2. A word ends WINDOW_S after it began; a refusal counts nothing.
 *  3. Who finds both lines full of others that count is not counted.
 *
 * A start is kept modulo twelve days, as in plat/failures, whose numbers
 * (failures_who) also tell who is who.
 *
 * Master, before the first fork: rates_open().
 *
 * Worker:
 *	if (!rates_count(RATE_CALLER, who, most, now_s, &reset_s))
 *		... again in reset_s seconds
 */
#ifndef PLAT_RATES_H
#define PLAT_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "plat/window.h"

enum rate { RATE_ADDRESS, RATE_CALLER, RATE_TENANT, RATES };

/* Counts do not go beyond; most is at most this. */
#define RATES_MAX ((1 << 24) - 1)

/* false, with errno, where the kernel refuses the memory. */
bool	rates_open(void);
void	rates_close(void);
/* Counts one more, unless that is more than most. */
bool	rates_count(enum rate rate, uint64_t who, int64_t most, int64_t now_s,
	    int64_t *reset_s_out);

#endif
