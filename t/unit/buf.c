/* SPDX-License-Identifier: MIT */
/*
 * The buffer that grows, and fails once.
 */
#include "base/buf.h"

#include <limits.h>

#include "base/mem.h"
#include "tap.h"

static struct buf buf;

static void
test_growing(void)
{
	char *taken;

	test("it grows, and is a string at every moment");
	buf_init(&buf, BUF_NO_LIMIT);
	is_text(buf.at, "");
	buf_add(&buf, TEXT("hello"));
	is_text(buf.at, "hello");
	buf_add_char(&buf, ' ');
	buf_add_string(&buf, "world");
	buf_printf(&buf, " %d %s", 7, "times");
	buf_add(&buf, TEXT_NONE);
	is_text(buf_text(&buf), "hello world 7 times");
	is_text(buf.at, "hello world 7 times");
	buf_clear(&buf);
	is_text(buf.at, "");
	for (unsigned i = 0; i < 100000; i++) {
		buf_add_char(&buf, (char)('a' + i % 26));
		if (buf.at[buf.len] != '\0')
			ok(!"no NUL");
	}
	is(buf.len, 100000);
	is(buf.at[99999], 'a' + 99999 % 26);
	buf_clear(&buf);
	buf_printf(&buf, "%5000s|", "far");
	is(buf.len, 5001);
	ok(!buf.has_failed);
	buf_clear(&buf);
	buf_add(&buf, text_from("a\0b", 3));
	is_text(buf_text(&buf), text_from("a\0b", 3));

	test("what is taken is the taker's");
	taken = buf_take(&buf);
	is(buf.len, 0);
	is_text(text_from(taken, 3), text_from("a\0b", 3));
	mem_free(taken);
	taken = buf_take(&buf);
	is_text(taken, "");
	mem_free(taken);
	buf_add_string(&buf, "again");
	is_text(buf.at, "again");
	buf_fini(&buf);
	is_text(buf.at, "");
	buf_fini(&buf);
}

static void
test_limit(void)
{
	test("the first write over the limit fails, and all after it");
	buf_init(&buf, 10);
	buf_add(&buf, TEXT("0123456789"));
	ok(!buf.has_failed);
	buf_add(&buf, TEXT_NONE);
	ok(!buf.has_failed);
	buf_add_char(&buf, 'x');
	ok(buf.has_failed);
	is_text(buf.at, "0123456789");
	buf_clear(&buf);
	ok(!buf.has_failed);
	buf_add(&buf, TEXT("01234"));
	buf_add(&buf, TEXT("567890"));
	ok(buf.has_failed);
	buf_add(&buf, TEXT("5"));
	is_text(buf.at, "01234");
	buf_fini(&buf);
	buf_init(&buf, 4);
	buf_printf(&buf, "%d", 12345);
	ok(buf.has_failed);
	is_text(buf.at, "");
	buf_fini(&buf);
	buf_init(&buf, 0);
	buf_add_char(&buf, 'x');
	ok(buf.has_failed);
	is_text(buf.at, "");
	buf_fini(&buf);
}

static void
test_space(void)
{
	char *at;

	test("space is of the length, and what follows comes behind it");
	buf_init(&buf, 8);
	buf_add(&buf, TEXT("ab"));
	at = buf_add_space(&buf, 3);
	ok(at == buf.at + 2);
	memcpy(at, "cde", 3);
	buf_add_char(&buf, 'f');
	is_text(buf.at, "abcdef");

	test("what is reserved is not there yet, but it does not grow");
	buf_reserve(&buf, 2);
	at = buf.at;
	is(buf.len, 6);
	buf_add(&buf, TEXT("gh"));
	ok(buf.at == at);
	is_text(buf.at, "abcdefgh");

	test("space beyond the limit fails once, as all does");
	ok(buf_add_space(&buf, 1) == NULL);
	ok(buf.has_failed);
	buf_add_space(&buf, 0);
	is_text(buf.at, "abcdefgh");
	buf_fini(&buf);
}

static void
test_numbers(void)
{
	static const struct {
		int64_t		 number;
		const char	*digits;
	} cases[] = { { 0, "0" }, { 7, "7" }, { -1, "-1" }, { 10, "10" },
	    { INT64_MAX, "9223372036854775807" },
	    { INT64_MIN, "-9223372036854775808" } };

	test("numbers, the lowest too");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_init(&buf, BUF_NO_LIMIT);
		buf_add_int(&buf, cases[i].number);
		is_text(buf.at, cases[i].digits);
		buf_fini(&buf);
	}
}

int
main(void)
{
	test_growing();
	test_limit();
	test_space();
	test_numbers();
	return (done());
}
