/* SPDX-License-Identifier: MIT */
/*
 * Formulas, and fair throws.
 */
#include "app/dice.h"

#include "base/must.h"
#include "base/secret.h"

#define FORMULA_MAX 64

static bool
is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

/* Digits at the front; false: there are none, or it is beyond most. */
static bool
take_number(text *rest, int64_t most, int64_t *out)
{
	size_t len = 0;

	while (len < rest->len && is_digit(rest->at[len]))
		len++;
	if (!text_to_int64(text_from(rest->at, len), 0, most, out))
		return (false);
	*rest = text_from(rest->at + len, rest->len - len);
	return (true);
}

static char
take_sign(text *rest)
{
	char sign = '\0';

	if (rest->len > 0) {
		sign = rest->at[0];
		*rest = text_from(rest->at + 1, rest->len - 1);
	}
	return (sign);
}

/* Without its blanks. */
bool
dice_read(text formula, struct dice *out)
{
	char letters[FORMULA_MAX];
	int64_t count = 1, sides, more = 0;
	text rest = { letters, 0 };
	char sign;

	if (formula.len > sizeof letters)
		return (false);
	for (size_t i = 0; i < formula.len; i++) {
		if (formula.at[i] == ' ')
			continue;
		/* One number does not go on behind a blank. */
		if (i > 0 && formula.at[i - 1] == ' ' && rest.len > 0 &&
		    is_digit(formula.at[i]) && is_digit(letters[rest.len - 1]))
			return (false);
		letters[rest.len++] = formula.at[i];
	}
	if (rest.len > 0 && is_digit(rest.at[0]) &&
	    !take_number(&rest, DICE_COUNT_MAX, &count))
		return (false);
	sign = take_sign(&rest);
	if ((sign != 'd' && sign != 'D') ||
	    !take_number(&rest, DICE_SIDES_MAX, &sides) || count < 1 ||
	    sides < 1)
		return (false);
	sign = take_sign(&rest);
	if (sign != '\0' && ((sign != '+' && sign != '-') ||
	    !take_number(&rest, DICE_MORE_MAX, &more) || rest.len > 0))
		return (false);
	*out = (struct dice){ (unsigned)count, (unsigned)sides,
	    sign == '-' ? -more : more };
	return (true);
}

/* What is beyond the last whole multiple is thrown again. */
unsigned
dice_throw(unsigned sides)
{
	uint32_t bits, over;

	must(sides > 0);
	over = (uint32_t)(UINT64_C(0x100000000) % sides);
	do
		secret_fill(&bits, sizeof bits);
	while (bits < over);
	return ((unsigned)(bits % sides) + 1);
}
