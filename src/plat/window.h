/* SPDX-License-Identifier: MIT */
/*
 * Counting within a minute, in one word that processes may share.
 *
 *	 63		   32 31	   0
 *	| start in seconds   | count	    |
 *
 * Holds always:
 *  1. A window begins with its first use and lasts WINDOW_S; the next use
 *     begins another.
 *  2. It is changed by one compare and exchange: exact, whoever is killed.
 *  3. A refusal changes nothing.
 *
 * Seconds are of the monotonic clock: clock_ms() / 1000. Clocks that are a
 * turn of a loop behind are in the window that others have begun.
 *
 *	if (!window_count(&word, 1, most, now_s, &left))
 *		... again in left.reset_s seconds
 */
#ifndef PLAT_WINDOW_H
#define PLAT_WINDOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WINDOW_S 60

struct window_left {
	int64_t	remaining;
	int64_t	reset_s;	/* 1 to WINDOW_S */
};

bool	window_count(_Atomic uint64_t *word, uint32_t n, int64_t most,
	    int64_t now_s, struct window_left *left_out);

#endif
