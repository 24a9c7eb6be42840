/* SPDX-License-Identifier: MIT */
/*
 * Looking into text. Nothing here is copied or changed.
 */
#include "base/text.h"

#include <strings.h>

bool
text_is_like(text a, text b)
{
	return (a.len == b.len && (a.len == 0 ||
	    strncasecmp(a.at, b.at, a.len) == 0));
}

bool
text_begins(text whole, text begin)
{
	return (whole.len >= begin.len &&
	    memcmp(whole.at, begin.at, begin.len) == 0);
}

bool
text_ends(text whole, text end)
{
	return (whole.len >= end.len && (end.len == 0 ||
	    memcmp(whole.at + whole.len - end.len, end.at, end.len) == 0));
}

bool
text_has(text whole, char c)
{
	return (whole.len != 0 && memchr(whole.at, c, whole.len) != NULL);
}

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

text
text_trim(text t)
{
	while (t.len > 0 && is_blank(t.at[0])) {
		t.at++;
		t.len--;
	}
	while (t.len > 0 && is_blank(t.at[t.len - 1]))
		t.len--;
	return (t);
}

static bool
cut_at(text whole, const char *found, text *head_out, text *tail_out)
{
	if (found == NULL) {
		*head_out = whole;
		*tail_out = TEXT_NONE;
		return (false);
	}
	*head_out = text_from(whole.at, (size_t)(found - whole.at));
	*tail_out = text_from(found + 1, whole.len - head_out->len - 1);
	return (true);
}

bool
text_cut(text whole, char c, text *head_out, text *tail_out)
{
	return (cut_at(whole, whole.len != 0 ?
	    memchr(whole.at, c, whole.len) : NULL, head_out, tail_out));
}

bool
text_cut_last(text whole, char c, text *head_out, text *tail_out)
{
	return (cut_at(whole, whole.len != 0 ?
	    memrchr(whole.at, c, whole.len) : NULL, head_out, tail_out));
}

bool
text_next_word(text *rest, text *word_out)
{
	text left = text_trim(*rest);
	size_t len = 0;

	if (left.len == 0) {
		*word_out = *rest = TEXT_NONE;
		return (false);
	}
	while (len < left.len && !is_blank(left.at[len]))
		len++;
	*word_out = text_from(left.at, len);
	*rest = text_from(left.at + len, left.len - len);
	return (true);
}

bool
text_to_int64(text t, int64_t min, int64_t max, int64_t *out)
{
	bool is_negative = t.len > 0 && t.at[0] == '-';
	size_t i = is_negative ? 1 : 0;
	int64_t value = 0;

	if (i == t.len)
		return (false);
	for (; i < t.len; i++) {
		int digit = t.at[i] - '0';

		if (digit < 0 || digit > 9 ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, digit, &value))
			return (false);
	}
	/* Counted downwards, because the lowest number has no opposite. */
	if (!is_negative && __builtin_sub_overflow(0, value, &value))
		return (false);
	if (value < min || value > max)
		return (false);
	*out = value;
	return (true);
}

/* Bytes by the word, as most texts are long and plain. */
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t
eight_at(const void *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return (word);
}

/* Not 0 where one is less; up to 128, and for words without greater ones. */
static uint64_t
has_less(uint64_t word, unsigned than)
{
	return ((word - EIGHT(than)) & ~word & EIGHT(0x80));
}

static bool
is_plain_word(uint64_t word)
{
	return (((word & EIGHT(0x80)) | has_less(word, ' ') |
	    has_less(word ^ EIGHT('"'), 1) |
	    has_less(word ^ EIGHT('\\'), 1)) == 0);
}

static bool
is_plain_byte(unsigned char c)
{
	return (c >= ' ' && c < 0x80 && c != '"' && c != '\\');
}

size_t
text_plain_length(text t)
{
	size_t len = 0;

	while (t.len - len >= sizeof(uint64_t) &&
	    is_plain_word(eight_at(t.at + len)))
		len += sizeof(uint64_t);
	while (len < t.len && is_plain_byte((unsigned char)t.at[len]))
		len++;
	return (len);
}

bool
text_is_utf8(text t)
{
	const unsigned char *at = (const unsigned char *)t.at;
	const unsigned char *end = t.len > 0 ? at + t.len : at;

	while (at < end) {
		unsigned lead, low = 0x80, high = 0xbf;
		int more;

		while ((size_t)(end - at) >= sizeof(uint64_t) &&
		    (eight_at(at) & EIGHT(0x80)) == 0)
			at += sizeof(uint64_t);
		if (at == end)
			break;
		lead = *at++;
		if (lead < 0x80)
			continue;
		if (lead >= 0xc2 && lead <= 0xdf)
			more = 1;
		else if (lead >= 0xe0 && lead <= 0xef)
			more = 2;
		else if (lead >= 0xf0 && lead <= 0xf4)
			more = 3;
		else
			return (false);
		/* No overlong forms, no surrogates, nothing over U+10FFFF. */
		if (lead == 0xe0)
			low = 0xa0;
		else if (lead == 0xed)
			high = 0x9f;
		else if (lead == 0xf0)
			low = 0x90;
		else if (lead == 0xf4)
			high = 0x8f;
		for (; more > 0; more--, low = 0x80, high = 0xbf) {
			if (at == end || *at < low || *at > high)
				return (false);
			at++;
		}
	}
	return (true);
}

size_t
text_characters(text t)
{
	size_t count = 0;

	for (size_t i = 0; i < t.len; i++)
		count += ((unsigned char)t.at[i] & 0xc0) != 0x80;
	return (count);
}
