/* SPDX-License-Identifier: MIT */
/*
 * Looking into text.
 */
#include "base/text.h"

#include "tap.h"

static void
test_comparing(void)
{
	test("compared");
	ok(text_is(TEXT("abc"), text_of("abc")));
	ok(!text_is(TEXT("abc"), TEXT("abd")));
	ok(!text_is(TEXT("abc"), TEXT("ab")));
	ok(text_is(TEXT_NONE, TEXT("")));
	ok(text_is(text_of(NULL), TEXT_NONE));
	ok(text_is(text_from("a\0b", 3), text_from("a\0b", 3)));
	ok(!text_is(text_from("a\0b", 3), text_from("a\0c", 3)));
	ok(text_is_like(TEXT("Content-Type"), TEXT("content-tYPE")));
	ok(!text_is_like(TEXT("content"), TEXT("content-type")));
	ok(text_is_like(TEXT_NONE, TEXT("")));
	ok(text_begins(TEXT("abc"), TEXT("ab")));
	ok(text_begins(TEXT("abc"), TEXT("abc")));
	ok(text_begins(TEXT("abc"), TEXT("")));
	ok(!text_begins(TEXT("ab"), TEXT("abc")));
	ok(!text_begins(TEXT("xbc"), TEXT("b")));
	ok(text_has(TEXT("abc"), 'c'));
	ok(!text_has(text_from("abc", 2), 'c'));
	ok(!text_has(TEXT_NONE, 'c'));
}

/* Any byte at any place of a text of 20 letters. */
static void
test_by_words(void)
{
	char letters[20];
	unsigned wrong_plain = 0, wrong_utf8 = 0;

	test("what is plain ends at the first byte that is not");
	memset(letters, 'a', sizeof letters);
	is(text_plain_length(text_from(letters, sizeof letters)), 20);
	is(text_plain_length(text_from(letters, 7)), 7);
	is(text_plain_length(TEXT_NONE), 0);
	for (size_t at = 0; at < sizeof letters; at++) {
		for (unsigned c = 0; c < 256; c++) {
			bool is_plain = c >= 0x20 && c < 0x80 && c != '"' &&
			    c != '\\';
			text all = text_from(letters, sizeof letters);

			letters[at] = (char)c;
			wrong_plain += text_plain_length(all) !=
			    (is_plain ? all.len : at);
			wrong_utf8 += text_is_utf8(all) != (c < 0x80);
		}
		letters[at] = 'a';
	}
	is(wrong_plain, 0);

	test("one wide byte alone is nowhere UTF-8");
	is(wrong_utf8, 0);
	ok(text_is_utf8(TEXT("aaaaaaa\xc3\xa9 aaaaaaaa\xe2\x82\xac")));
	ok(!text_is_utf8(TEXT("aaaaaaaaaaaaaaa\xc3")));
}

static void
test_cutting(void)
{
	text head, tail, rest, word;

	test("cut");
	ok(text_cut(TEXT("a=b=c"), '=', &head, &tail));
	is_text(head, "a");
	is_text(tail, "b=c");
	ok(text_cut_last(TEXT("a=b=c"), '=', &head, &tail));
	is_text(head, "a=b");
	is_text(tail, "c");
	ok(text_cut(TEXT("="), '=', &head, &tail));
	is_text(head, "");
	is_text(tail, "");
	ok(!text_cut(TEXT("abc"), '=', &head, &tail));
	is_text(head, "abc");
	is_text(tail, "");
	ok(!text_cut(TEXT_NONE, '=', &head, &tail));
	is_text(text_trim(TEXT(" \t a b\r\n")), "a b");
	is_text(text_trim(TEXT(" \t ")), "");
	is_text(text_trim(TEXT_NONE), "");

	test("word by word");
	rest = TEXT("  one\ttwo three ");
	ok(text_next_word(&rest, &word));
	is_text(word, "one");
	ok(text_next_word(&rest, &word));
	is_text(word, "two");
	ok(text_next_word(&rest, &word));
	is_text(word, "three");
	ok(!text_next_word(&rest, &word));
	is_text(word, "");
	rest = TEXT_NONE;
	ok(!text_next_word(&rest, &word));
}

static void
test_numbers(void)
{
	static const struct {
		const char	*written;
		bool		 is_number;
		int64_t		 number;
	} cases[] = {
		{ "0", true, 0 }, { "-0", true, 0 }, { "007", true, 7 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "", false, 0 }, { "-", false, 0 }, { "--1", false, 0 },
		{ "+1", false, 0 }, { " 1", false, 0 }, { "1 ", false, 0 },
		{ "1.0", false, 0 }, { "1e3", false, 0 }, { "0x1", false, 0 },
	};
	int64_t number;

	test("numbers, and nothing beside them");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		number = 4711;
		is(text_to_int64(text_of(cases[i].written), INT64_MIN,
		    INT64_MAX, &number), cases[i].is_number);
		is(number, cases[i].is_number ? cases[i].number : 4711);
	}
	ok(text_to_int64(TEXT("5"), 5, 5, &number));
	ok(!text_to_int64(TEXT("4"), 5, 5, &number));
	ok(!text_to_int64(TEXT("6"), 5, 5, &number));
	ok(!text_to_int64(text_from("1\0", 2), 0, 9, &number));
}

static void
test_utf8(void)
{
	static const char *const good[] = { "", "plain", "\xc2\x80",
	    "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
	    "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
	    "a\xc3\xa4z" };
	/* Lone, overlong, surrogate, over U+10FFFF, cut off. */
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\xaf",
	    "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
	    "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
	    "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3",
	    "\xe2\x82", "\xf0\x9f\x98", "a\xc3z", "\xe2(\xa1",
	    "\xe2\x82(", "\xf0\x9f\x98z" };

	test("UTF-8");
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ok(text_is_utf8(text_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (text_is_utf8(text_of(bad[i])))
			is(i, -1);
	ok(text_is_utf8(text_from("a\0b", 3)));
	ok(text_is_utf8(TEXT_NONE));
	is(text_characters(TEXT("a\xc3\xab\xf0\x9f\x98\x80")), 3);
	is(text_characters(TEXT_NONE), 0);
	/* Not a byte beyond its end is looked at. */
	ok(!text_is_utf8(text_from("\xe2\x82\xac", 2)));
}

int
main(void)
{
	test_comparing();
	test_by_words();
	test_cutting();
	test_numbers();
	test_utf8();
	return (done());
}
