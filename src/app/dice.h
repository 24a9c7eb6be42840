/* SPDX-License-Identifier: MIT */
/*
 * Dice: 2d6+3, thrown with the kernel's randomness.
 *
 * Holds always:
 *  1. Each side of a die is exactly as likely as any other, and no throw
 *     tells of the next.
 *  2. What is thrown is within the bounds below.
 *
 *	struct dice dice;
 *
 *	if (dice_read(TEXT("2d6 + 3"), &dice)) {
 *		for (i = 0; i < dice.count; i++)
 *			total += dice_throw(dice.sides);
 *		total += dice.more;
 *	}
 */
#ifndef APP_DICE_H
#define APP_DICE_H

#include "base/text.h"

#define DICE_COUNT_MAX	100
#define DICE_SIDES_MAX	1000
#define DICE_MORE_MAX	100000

struct dice {
	unsigned	count;
	unsigned	sides;
	int64_t		more;
};

/* XdY, with +Z or -Z behind it; blanks between do not matter. */
bool		dice_read(text formula, struct dice *out);
/* From 1 to sides. */
unsigned	dice_throw(unsigned sides);

#endif
