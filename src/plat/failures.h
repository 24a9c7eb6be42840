/* SPDX-License-Identifier: MIT */
/*
 * Attempts that failed within the last minute, by who made them and by what
 * they were made on, in memory that all processes share.
 *
 *	 63	44 43	     24 23    12 11	  0
 *	| who: 20 | start: 20  | at work | failed  |
 *
 * An attempt is counted as being at work before it is tried, so that a
 * thousand at once are not a thousand tries; its end makes it a failure or
 * forgets it. "Who" belongs in the line of 8 words that its hash says, or in
 * the next one.
 *
 * Holds always:
 *  1. Each word is changed by one compare and exchange.
 *  2. A word ends WINDOW_S after it began, with all that was at work in it:
 *     so what a killed worker had begun is forgotten within a minute.
 *  3. Who finds both lines full of others that count is not counted. With a
 *     flood from more addresses than there are words, the other table still
 *     counts: its words are what is attacked, not who attacks.
 *  4. Hashes have a secret in them: nobody can choose whom he meets.
 *
 * A start is kept modulo twelve days: who comes back in exactly the same
 * minute finds what was counted then.
 *
 * Master, before the first fork: failures_open().
 *
 * Worker:
 *	begun = failures_begin(who, most, now_s, &failures);
 *	if (begun == FAILURES_BEGUN)
 *		... try ... failures_end(who, &failures, has_failed, now_s);
 */
#ifndef PLAT_FAILURES_H
#define PLAT_FAILURES_H

#include <stdbool.h>
#include <stdint.h>

#include "plat/window.h"

/* Counts do not go beyond; most is at most this. */
#define FAILURES_MAX 4095

enum failures_begun {
	FAILURES_BEGUN,
	FAILURES_BUSY,		/* with those at work they may be too many */
	FAILURES_FULL		/* too many have failed */
};

struct failures {
	bool		 is_counted;	/* false: there was no word */
	uint64_t	 who;
	unsigned	 start;
	unsigned	 failed;
	int64_t		 reset_s;
};

/* false, with errno, where the kernel refuses the memory. */
bool	failures_open(void);
void	failures_close(void);

/* A number for text and number together. */
uint64_t failures_who(uint64_t number, int32_t tenant);

/* By who attempts. Only what was begun is ended, and once. */
enum failures_begun failures_begin(uint64_t who, unsigned most,
	    int64_t now_s, struct failures *out);
void	failures_end(struct failures *failures, bool has_failed,
	    int64_t now_s);

/* By what was attempted on: how many failed in this minute; one more. */
unsigned failures_on(uint64_t whom, int64_t now_s);
void	failures_add_on(uint64_t whom, int64_t now_s);

#endif
