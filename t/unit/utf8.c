/* SPDX-License-Identifier: MIT */
/*
 * plat/utf8: all that one, two and three bytes can be, and four where it
 * matters, against text_is_utf8; fed whole and byte by byte.
 */
#include "plat/utf8.h"

#include "tap.h"

static bool
is_valid_whole(const char *at, size_t len)
{
	struct utf8 utf8 = UTF8_BEGIN;

	return (utf8_add(&utf8, at, len) && utf8_is_whole(&utf8));
}

/* And says no at the first byte after which nothing can mend it. */
static bool
is_valid_by_bytes(const char *at, size_t len)
{
	struct utf8 utf8 = UTF8_BEGIN;

	for (size_t i = 0; i < len; i++)
		if (!utf8_add(&utf8, at + i, 1))
			return (false);
	return (utf8_is_whole(&utf8));
}

static unsigned long
differences(const char *at, size_t len)
{
	bool wanted = text_is_utf8(text_from(at, len));

	return ((is_valid_whole(at, len) != wanted) +
	    (is_valid_by_bytes(at, len) != wanted));
}

static unsigned long
all_of(size_t len, unsigned first, unsigned last)
{
	static const unsigned char edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90,
	    0x9f, 0xa0, 0xbf, 0xc0, 0xff };
	unsigned long wrong = 0;
	char at[4];

	for (unsigned a = first; a <= last; a++)
		for (unsigned b = 0; b < 256; b++)
			for (unsigned c = 0; c < sizeof edges; c++)
				for (unsigned d = 0; d < sizeof edges; d++) {
					at[0] = (char)a;
					at[1] = (char)b;
					at[2] = (char)edges[c];
					at[3] = (char)edges[d];
					wrong += differences(at, len);
				}
	return (wrong);
}

int
main(void)
{
	struct utf8 utf8 = UTF8_BEGIN;
	char long_text[40] = "abcdefghijklmnopqrstuvwxyz0123456789";

	test("each beginning of each length is judged as text_is_utf8 does");
	is(all_of(1, 0, 255), 0);
	is(all_of(2, 0, 255), 0);
	is(all_of(3, 0, 255), 0);
	is(all_of(4, 0xe0, 0xff), 0);

	test("what can be mended yet is not refused");
	ok(utf8_add(&utf8, "\xf0\x9f\x8e", 3) && !utf8_is_whole(&utf8));
	ok(utf8_add(&utf8, "", 0) && !utf8_is_whole(&utf8));
	ok(utf8_add(&utf8, "\xb2", 1) && utf8_is_whole(&utf8));

	test("what cannot is refused at once, and for good");
	ok(!utf8_add(&utf8, "\xed\xa0", 2));
	ok(!utf8_add(&utf8, "a", 1) && !utf8_is_whole(&utf8));

	test("a wrong byte is found anywhere in a run of ASCII");
	for (size_t at = 0; at < 36; at++) {
		char kept = long_text[at];

		long_text[at] = '\x80';
		ok(!is_valid_whole(long_text, 36));
		long_text[at] = kept;
		ok(is_valid_whole(long_text, 36));
	}
	return (done());
}
