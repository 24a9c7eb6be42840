/* SPDX-License-Identifier: MIT */
/*
 * Which of the names we know was probably meant by one that we do not.
 *
 *	struct spelling spelling;
 *	spelling_init(&spelling, wrong);
 *	for (...) spelling_try(&spelling, rows[i].name);
 *	if (spelling_nearest(&spelling) != NULL) ... "did you mean ..."
 */
#ifndef BASE_SPELLING_H
#define BASE_SPELLING_H

#include "base/text.h"

struct spelling {
	text		 wrong;
	const char	*nearest;
	unsigned	 distance;
};

void	spelling_init(struct spelling *spelling, text wrong);
/* Names are kept by pointer. */
void	spelling_try(struct spelling *spelling, const char *name);
/* NULL where nothing is near enough to be a slip of the fingers. */
const char *spelling_nearest(const struct spelling *spelling);

#endif
