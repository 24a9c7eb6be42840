/* SPDX-License-Identifier: MIT */
/*
 * The distance between two words: letters to insert, delete, replace or
 * exchange with their neighbour.
 */
#include "base/spelling.h"

#define LETTERS_MAX 48
#define FAR 1000

void
spelling_init(struct spelling *spelling, text wrong)
{
	*spelling = (struct spelling){ .wrong = wrong, .distance = FAR };
}

static unsigned
least(unsigned a, unsigned b)
{
	return (a < b ? a : b);
}

static unsigned
distance(text a, text b)
{
	/* Three rows of the table: before the last, the last, this one. */
	unsigned rows[3][LETTERS_MAX + 1];
	unsigned *older = rows[0], *old = rows[1], *now = rows[2], *spare;

	if (a.len > LETTERS_MAX || b.len > LETTERS_MAX)
		return (FAR);
	for (unsigned j = 0; j <= b.len; j++)
		old[j] = older[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		now[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned differ = a.at[i - 1] != b.at[j - 1];

			now[j] = least(old[j - 1] + differ,
			    least(old[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] &&
			    a.at[i - 2] == b.at[j - 1])
				now[j] = least(now[j], older[j - 2] + 1);
		}
		spare = older;
		older = old;
		old = now;
		now = spare;
	}
	return (old[b.len]);
}

void
spelling_try(struct spelling *spelling, const char *name)
{
	unsigned apart = distance(spelling->wrong, text_of(name));

	if (apart < spelling->distance) {
		spelling->distance = apart;
		spelling->nearest = name;
	}
}

const char *
spelling_nearest(const struct spelling *spelling)
{
	unsigned most = 1 + (unsigned)least((unsigned)spelling->wrong.len,
	    LETTERS_MAX) / 4;

	/* All letters wrong is no likeness, however short the word. */
	if (spelling->distance > most ||
	    spelling->distance >= spelling->wrong.len)
		return (NULL);
	return (spelling->nearest);
}
