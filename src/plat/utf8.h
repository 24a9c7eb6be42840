/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 that arrives in pieces, cut anywhere.
 *
 * Holds always:
 *  1. It fails at the first byte after which no continuation could make the
 *     text valid: overlong forms, surrogates, what is over U+10FFFF.
 *  2. Who failed stays so.
 *
 *	struct utf8 utf8 = UTF8_BEGIN;
 *	if (!utf8_add(&utf8, at, len)) ...	each piece
 *	if (!utf8_is_whole(&utf8)) ...		at the end
 */
#ifndef PLAT_UTF8_H
#define PLAT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct utf8 {
	uint8_t	state;		/* 0: between two characters */
};

#define UTF8_BEGIN ((struct utf8){ 0 })

bool	utf8_add(struct utf8 *utf8, const char *at, size_t len);

static inline bool
utf8_is_whole(const struct utf8 *utf8)
{
	return (utf8->state == 0);
}

#endif
