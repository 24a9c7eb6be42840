/* SPDX-License-Identifier: MIT */
/*
 * How much each of many has done within the minute that ends now, whenever
 * that is, over all workers of the host, in memory that all processes share.
 *
 *	who ──> a row:	| whose | second 0 | second 1 | … | second 62 |
 *				  └ which second: 40, count: 24 bits
 *
 * plat/rates counts in a minute that begins with the first use, and so lets
 * twice as much pass around its end; this one costs half a kilobyte each.
 *
 * Holds always:
 *  1. In no SLIDE_S seconds more than `most` were let through, whoever counts
 *     them where; what was let through SLIDE_S + 1 seconds ago counts no
 *     more. A refusal counts nothing.
 *  2. Each word is changed by one compare and exchange: whoever is killed in
 *     the middle has counted, or has not.
 *  3. Who finds all rows that may be his full of others is not counted.
 *
 * Seconds are of the monotonic clock. Clocks of processes may be a second
 * apart.
 *
 * Master, before the first fork: slides_open().
 *
 * Worker:
 *	if (!slide_count(who, most, now_s))
 *		... too much
 */
#ifndef PLAT_SLIDE_H
#define PLAT_SLIDE_H

#include <stdbool.h>
#include <stdint.h>

#define SLIDE_S 60
#define SLIDE_MAX ((1 << 24) - 1)	/* most is at most this */

/* false, with errno, where the kernel refuses the memory. */
bool	slides_open(void);
void	slides_close(void);
/* Counts one more, unless that is more than most. who: not 0. */
bool	slide_count(uint64_t who, int64_t most, int64_t now_s);

#endif
