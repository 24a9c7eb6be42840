/* SPDX-License-Identifier: MIT */
/*
 * Lists of ports as the configuration writes them: 80 443 1024-65535.
 *
 *	const char *why;
 *
 *	if (!ports_read(list, &word, &why)) ...	 (word is what is wrong)
 *	if (ports_hold(list, 443)) ...
 */
#ifndef BASE_PORTS_H
#define BASE_PORTS_H

#include "base/text.h"

bool	ports_read(text list, text *word_out, const char **why_out);
/* Of a list that was checked before. */
bool	ports_hold(text list, int64_t port);

#endif
