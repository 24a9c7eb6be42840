/* SPDX-License-Identifier: MIT */
/*
 * JSON that is handed on: cut up, and the little of it that is read.
 */
#include "core/carried.h"

#include "tap.h"

static void
test_cutting(void)
{
	text rest, value;

	test("an array is cut into its values, in their bytes");
	ok(carried_begin(TEXT(" [1.50, {\"a\":[\"]\"]} ,\"\\\"\"] "),
	    &rest));
	ok(carried_next(&rest, &value));
	is_text(value, "1.50");
	ok(carried_next(&rest, &value));
	is_text(value, "{\"a\":[\"]\"]}");
	ok(carried_next(&rest, &value));
	is_text(value, "\"\\\"\"");
	ok(!carried_next(&rest, &value));
	ok(carried_begin(TEXT("[]"), &rest));
	ok(!carried_next(&rest, &value));
	ok(!carried_begin(TEXT("{}"), &rest));
}

static void
test_numbers(void)
{
	int64_t number = 7;

	test("whole numbers of 64 bits are read");
	ok(carried_as_int(TEXT("-9223372036854775808"), &number));
	is(number, INT64_MIN);
	ok(carried_as_int(TEXT("0"), &number));
	is(number, 0);
	ok(!carried_as_int(TEXT("9223372036854775808"), &number));
	ok(!carried_as_int(TEXT("1.0"), &number));
	ok(!carried_as_int(TEXT("1e2"), &number));
	ok(!carried_as_int(TEXT("\"1\""), &number));
	ok(!carried_as_int(TEXT("null"), &number));
}

static void
test_texts(void)
{
	text value = TEXT("\"a b\""), out;
	struct buf spelled;

	buf_init(&spelled, BUF_NO_LIMIT);
	test("a plain string lies where it was");
	ok(carried_as_text(value, &spelled, &out));
	is_text(out, "a b");
	ok(out.at == value.at + 1);
	is(spelled.len, 0);
	ok(carried_as_text(TEXT("\"\""), &spelled, &out));
	is_text(out, "");

	test("escapes are spelled, each time anew");
	ok(carried_as_text(TEXT("\"\\u0061\\n\\ud83d\\ude00\""), &spelled,
	    &out));
	is_text(out, "a\n\xf0\x9f\x98\x80");
	ok(carried_as_text(TEXT("\"\\/\""), &spelled, &out));
	is_text(out, "/");

	test("NUL, half a pair and what is no string are refused");
	ok(!carried_as_text(TEXT("\"\\u0000\""), &spelled, &out));
	ok(!carried_as_text(TEXT("\"\\ud800\""), &spelled, &out));
	ok(!carried_as_text(TEXT("1"), &spelled, &out));
	ok(!carried_as_text(TEXT("null"), &spelled, &out));
	buf_fini(&spelled);

	test("a string means what it spells");
	ok(carried_is(TEXT("\"\\u0061b\""), TEXT("ab")));
	ok(!carried_is(TEXT("\"ab\""), TEXT("abc")));
	ok(!carried_is(TEXT("7"), TEXT("7")));
	ok(!carried_is(TEXT_NONE, TEXT("")));
}

int
main(void)
{
	test_cutting();
	test_numbers();
	test_texts();
	return (done());
}
