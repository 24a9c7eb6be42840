/* SPDX-License-Identifier: MIT */
/*
 * Formulas of dice, right and wrong, and throws: within bounds, and each side
 * as often as any other.
 */
#include "app/dice.h"

#include "tap.h"

static void
test_formulas(void)
{
	static const struct {
		const char	*formula;
		unsigned	 count, sides;
		int64_t		 more;
	} good[] = {
		{ "1d6", 1, 6, 0 }, { "d20", 1, 20, 0 },
		{ "100d1000", 100, 1000, 0 }, { "2D8", 2, 8, 0 },
		{ "2d6+3", 2, 6, 3 }, { "2d6-3", 2, 6, -3 },
		{ " 2 d 6 + 3 ", 2, 6, 3 }, { "1d1", 1, 1, 0 },
		{ "1d6+100000", 1, 6, 100000 },
	};
	static const char *const bad[] = { "", "d", "6", "0d6", "1d0",
	    "101d6", "1d1001", "1d6+", "1d6+100001", "1d6*2", "-1d6", "1d-6",
	    "1d6+1d6", "1d6+1+1", "1.5d6", "xdy", "99999999999999999999d6",
	    "1d6+-1",
	    "1d6                                                          1" };
	struct dice dice;

	test("what is a formula");
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		ok(dice_read(text_of(good[i].formula), &dice));
		is(dice.count, good[i].count);
		is(dice.sides, good[i].sides);
		is(dice.more, good[i].more);
	}
	test("what is none");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ok(!dice_read(text_of(bad[i]), &dice));
}

/* 60,000 throws: a fair side is off by 600 once in a hundred million. */
static void
test_throws(void)
{
	unsigned counts[7] = { 0 }, side;
	bool is_within = true;

	test("each side, and no other, as often as the others");
	for (unsigned i = 0; i < 60000; i++) {
		side = dice_throw(6);
		is_within &= side >= 1 && side <= 6;
		counts[side <= 6 ? side : 0]++;
	}
	ok(is_within);
	for (side = 1; side <= 6; side++)
		ok(counts[side] > 9400 && counts[side] < 10600);
	is(dice_throw(1), 1);
}

int
main(void)
{
	test_formulas();
	test_throws();
	return (done());
}
