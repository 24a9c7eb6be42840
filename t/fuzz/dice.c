/* SPDX-License-Identifier: MIT */
/*
 * Formulas of dice: what is taken keeps the bounds, and can be thrown.
 */
#include <stdint.h>

#include "app/dice.h"
#include "base/must.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dice dice;
	unsigned side;

	if (!dice_read(text_from((const char *)data, size), &dice))
		return (0);
	must(dice.count >= 1 && dice.count <= DICE_COUNT_MAX);
	must(dice.sides >= 1 && dice.sides <= DICE_SIDES_MAX);
	must(dice.more >= -DICE_MORE_MAX && dice.more <= DICE_MORE_MAX);
	side = dice_throw(dice.sides);
	must(side >= 1 && side <= dice.sides);
	return (0);
}
