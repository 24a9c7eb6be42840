/* SPDX-License-Identifier: MIT */
/*
 * Secrets: made from the kernel's randomness, compared in constant time,
 * masked where they are shown.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>

#include "base/text.h"

#define SECRET_MASK "********"

/* Random bytes; as letters and digits, count of them and a NUL. */
void	secret_fill(void *at, size_t len);
void	secret_letters(char *out, size_t count);

/* Takes the same time wherever the two differ. */
bool	secret_is(text a, text b);

#endif
