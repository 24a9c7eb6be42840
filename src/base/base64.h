/* SPDX-License-Identifier: MIT */
/*
 * Bytes as letters (RFC 4648): the standard alphabet with its padding, and
 * the one that is safe in addresses, for whole groups of three bytes.
 *
 * Holds always:
 *  1. Reading is strict: whole groups of four, padding at the end alone,
 *     no bits behind the last byte, no letter of another alphabet.
 *
 *	char *out = mem_alloc(base64_size(plain.len));
 *	base64_write(plain, out);			no NUL behind it
 *
 *	char *out = mem_alloc(coded.len / 4 * 3);
 *	if (!base64_read(coded, out, &len)) ...
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/text.h"

static inline size_t
base64_size(size_t len)
{
	return ((len + 2) / 3 * 4);
}

void	base64_write(text plain, char *out);
bool	base64_read(text coded, char *out, size_t *len_out);

/* With - and _; plain.len and coded.len are multiples of 3 and of 4. */
void	base64_write_url(text plain, char *out);
bool	base64_read_url(text coded, char *out);

#endif
