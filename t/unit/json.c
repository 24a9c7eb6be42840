/* SPDX-License-Identifier: MIT */
/*
 * core/json: what is JSON is read, what only looks like it is refused.
 */
#include "core/json.h"

#include <json-c/json.h>

#include "base/must.h"
#include "tap.h"

static bool
takes(const char *string)
{
	struct json_object *value = json_in_read(text_of(string));
	bool was_read = value != NULL;

	/* Our grammar and json-c never differ in what we let through. */
	is(json_in_is_valid(text_of(string)), was_read);
	json_in_free(&value);
	return (was_read);
}

static bool
takes_depth(unsigned depth)
{
	char string[2 * 100 + 1];

	memset(string, '[', depth);
	memset(string + depth, ']', depth);
	string[2 * depth] = '\0';
	return (takes(string));
}

static text
raw(const char *string, const char *name)
{
	text found = TEXT("unset");

	must(json_in_is_valid(text_of(string)));
	return (json_in_raw(text_of(string), text_of(name), &found) ? found :
	    TEXT("none"));
}

/* Behind a backslash that is escaped itself, and before an escaped letter. */
static bool
reads_pair(uint32_t point)
{
	const char wanted[] = { '\\', (char)(0xf0 | point >> 18),
	    (char)(0x80 | (point >> 12 & 63)),
	    (char)(0x80 | (point >> 6 & 63)), (char)(0x80 | (point & 63)),
	    'A' };
	char written[48];
	struct json_object *value;
	text found;
	bool is_read;

	snprintf(written, sizeof written,
	    "{\"a\":\"\\\\\\u%04x\\u%04X\\u0041\"}",
	    0xd800 + ((point - 0x10000) >> 10), 0xdc00 + (point & 0x3ff));
	value = json_in_read(text_of(written));
	is_read = json_in_text(value, "a", &found) &&
	    text_is(found, text_from(wanted, sizeof wanted));
	json_in_free(&value);
	return (is_read);
}

int
main(void)
{
	struct json_object *value;
	unsigned bad = 0;
	int64_t number = 0;
	size_t count = 0;
	bool is_true = false;
	text t = TEXT("");

	test("what RFC 8259 allows is read");
	ok(takes("{}"));
	ok(takes(" [ ] "));
	ok(takes("{\"a\":[1,2,{\"b\":null}],\"c\":\"d\"}"));
	ok(takes("true"));
	ok(takes("12"));
	ok(takes("-0.5e+10"));
	ok(takes("\"\\u00e9\\n\\/\\ud83d\\ude00\""));
	ok(takes("\"\xc3\xa9\x7f\""));
	ok(takes("[9223372036854775807,-9223372036854775808]"));

	test("what only looks like JSON is refused");
	ok(!takes(""));
	ok(!takes(" "));
	ok(!takes("{'a':1}"));
	ok(!takes("{a:1}"));
	ok(!takes("[NaN]"));
	ok(!takes("[Infinity]"));
	ok(!takes("[-Infinity]"));
	ok(!takes("[1,]"));
	ok(!takes("{\"a\":1,}"));
	ok(!takes("[01]"));
	ok(!takes("[+1]"));
	ok(!takes("[.5]"));
	ok(!takes("[1.]"));
	ok(!takes("[1e]"));
	ok(!takes("[-]"));
	ok(!takes("TRUE"));
	ok(!takes("truefalse"));
	ok(!takes("{} {}"));
	ok(!takes("{}x"));
	ok(!takes("[1] // two"));
	ok(!takes("/**/1"));
	ok(!takes("{\"a\" 1}"));
	ok(!takes("{\"a\":}"));
	ok(!takes("[1 2]"));
	ok(!takes("[1}"));
	ok(!takes("{]"));
	ok(!takes("["));
	ok(!takes("{\"a\":1"));
	ok(!takes("\"a"));
	ok(!takes("\"\\x\""));
	ok(!takes("\"\\u12\""));
	ok(!takes("\"a\nb\""));
	ok(!takes("\xef\xbb\xbf{}"));

	test("broken UTF-8, NUL and halves of pairs are refused");
	ok(!takes("\"\xff\""));
	ok(!takes("\"\xc3\""));
	ok(!takes("\"\\u0000\""));
	ok(!takes("\"\\ud83d\""));
	ok(!takes("\"\\ude00\\ud83d\""));
	ok(!takes("\"\\ud83d\\u0041\""));
	ok(!json_in_is_valid(TEXT("\"a\0b\"")));
	ok(!json_in_is_valid(TEXT("{}\0")));

	test("numbers that would be changed are refused");
	ok(!takes("[9223372036854775808]"));
	ok(!takes("[-9223372036854775809]"));
	ok(!takes("[1e999]"));
	ok(takes("[1e300]"));

	test("depth is bounded");
	ok(takes_depth(JSON_DEPTH_MAX));
	ok(!takes_depth(JSON_DEPTH_MAX + 1));
	ok(!takes_depth(100));

	test("members are found by name and kind");
	value = json_in_read(TEXT("{\"a\":\"x\",\"n\":7,\"a\":\"y\"}"));
	ok(json_in_text(value, "a", &t));
	is_text(t, "y");
	ok(json_in_int(value, "n", &number));
	is(number, 7);
	ok(!json_in_text(value, "n", &t));
	ok(!json_in_int(value, "missing", &number));
	json_in_free(&value);
	ok(value == NULL);
	value = json_in_read(TEXT("[1]"));
	ok(!json_in_text(value, "a", &t));
	json_in_free(&value);

	test("values are taken by kind, null is none");
	value = json_in_read(TEXT("{\"list\":[7,\"x\",true,{}],"
	    "\"gone\":1,\"gone\":null}"));
	ok(json_in_is_object(value));
	ok(json_in_member(value, "gone") == NULL);
	ok(!json_in_as_text(NULL, &t));
	ok(!json_in_as_array(value, &count));
	ok(json_in_as_array(json_in_member(value, "list"), &count));
	is(count, 4);
	ok(json_in_as_int(json_in_item(value, "list", 0), &number));
	is(number, 7);
	ok(json_in_as_text(json_in_item(value, "list", 1), &t));
	is_text(t, "x");
	ok(json_in_as_bool(json_in_item(value, "list", 2), &is_true));
	ok(is_true);
	ok(!json_in_as_bool(json_in_item(value, "list", 3), &is_true));
	ok(json_in_item(value, "list", 4) == NULL);
	json_in_free(&value);

	test("a member's bytes are found as they were written");
	is_text(raw("{\"a\":{ \"b\" : [1, 2] } , \"c\":1}", "a"),
	    "{ \"b\" : [1, 2] }");
	is_text(raw(" { \"a\" : 1e2 }", "a"), "1e2");
	is_text(raw("{\"a\":\"x\\\"}\"}", "a"), "\"x\\\"}\"");
	is_text(raw("{\"a\":1,\"b\":{\"a\":2}}", "a"), "1");
	is_text(raw("{\"b\":{\"a\":2}}", "a"), "none");
	is_text(raw("{\"a\":1,\"a\":2,\"ab\":3}", "a"), "2");
	is_text(raw("{}", "a"), "none");
	is_text(raw(" { } ", "a"), "none");
	is_text(raw("[{\"a\":1}]", "a"), "none");
	is_text(raw("\"a\"", "a"), "none");

	test("escaped keys count as what they spell");
	is_text(raw("{\"\\u0061\":1}", "a"), "1");
	is_text(raw("{\"a\":1,\"\\u0061\":2}", "a"), "2");
	is_text(raw("{\"a\\u0062\":1}", "a"), "none");
	is_text(raw("{\"\\u00e9\\n\\/\":1}", "\xc3\xa9\n/"), "1");
	is_text(raw("{\"\\uD83d\\ude00\":1}", "\xf0\x9f\x98\x80"), "1");
	is_text(raw("{\"\\u20ac\":1}", "\xe2\x82\xac"), "1");
	is_text(raw("{\"\\b\\f\\r\\t\\\"\\\\\":1}", "\b\f\r\t\"\\"), "1");
	is_text(raw("{\"\":1}", ""), "1");

	test("what a pair of surrogates spells is that sign");
	for (uint32_t point = 0x10000; point <= 0x10ffff; point += 0x155)
		bad += !reads_pair(point);
	is(bad, 0);

	return (done());
}
