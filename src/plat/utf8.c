/* SPDX-License-Identifier: MIT */
/*
 * What may follow what, as a table of states. Runs of ASCII, which is nearly
 * all there is, are skipped eight bytes at a time.
 */
#include "plat/utf8.h"

#include <string.h>

enum state {
	WHOLE, ONE_MORE, TWO_MORE, THREE_MORE,
	AFTER_E0, AFTER_ED, AFTER_F0, AFTER_F4,
	BROKEN
};

static const struct {
	uint8_t	low;
	uint8_t	high;
	uint8_t	next;
} continuations[] = {
	[ONE_MORE]   = { 0x80, 0xbf, WHOLE },
	[TWO_MORE]   = { 0x80, 0xbf, ONE_MORE },
	[THREE_MORE] = { 0x80, 0xbf, TWO_MORE },
	/* No overlong forms, no surrogates, nothing over U+10FFFF. */
	[AFTER_E0]   = { 0xa0, 0xbf, ONE_MORE },
	[AFTER_ED]   = { 0x80, 0x9f, ONE_MORE },
	[AFTER_F0]   = { 0x90, 0xbf, TWO_MORE },
	[AFTER_F4]   = { 0x80, 0x8f, TWO_MORE },
};

static enum state
after_lead(unsigned char lead)
{
	if (lead < 0x80)
		return (WHOLE);
	if (lead < 0xc2 || lead > 0xf4)
		return (BROKEN);
	if (lead < 0xe0)
		return (ONE_MORE);
	if (lead < 0xf0)
		return (lead == 0xe0 ? AFTER_E0 :
		    lead == 0xed ? AFTER_ED : TWO_MORE);
	return (lead == 0xf0 ? AFTER_F0 : lead == 0xf4 ? AFTER_F4 :
	    THREE_MORE);
}

static const unsigned char *
skip_ascii(const unsigned char *at, const unsigned char *end)
{
	while (end - at >= 8) {
		uint64_t word;

		memcpy(&word, at, sizeof word);
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
		at += sizeof word;
	}
	while (at < end && *at < 0x80)
		at++;
	return (at);
}

bool
utf8_add(struct utf8 *utf8, const char *from, size_t len)
{
	const unsigned char *at = (const unsigned char *)from;
	const unsigned char *end = len > 0 ? at + len : at;
	enum state state = utf8->state;

	while (at < end && state != BROKEN) {
		if (state == WHOLE) {
			at = skip_ascii(at, end);
			if (at < end)
				state = after_lead(*at++);
			continue;
		}
		if (*at < continuations[state].low ||
		    *at > continuations[state].high)
			state = BROKEN;
		else
			state = continuations[state].next;
		at++;
	}
	utf8->state = (uint8_t)state;
	return (state != BROKEN);
}
