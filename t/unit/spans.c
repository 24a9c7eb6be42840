/* SPDX-License-Identifier: MIT */
/*
 * base/spans: lists of spans, and what is none.
 */
#include "base/spans.h"

#include "tap.h"

static struct spans spans;

static bool
reads(const char *written)
{
	struct buf why;
	bool is_read;

	buf_init(&why, BUF_NO_LIMIT);
	is_read = spans_read(text_of(written), &spans, &why);
	ok(is_read == (why.len == 0));
	buf_fini(&why);
	return (is_read);
}

static void
test_many(void)
{
	char many[SPANS_MAX * 3 + 8] = "";

	test("as many as there is room for, and no more");
	for (unsigned i = 0; i < SPANS_MAX; i++)
		memcpy(many + 3 * i, "1s ", 4);
	ok(reads(many));
	is(spans.count, SPANS_MAX);
	memcpy(many + SPANS_MAX * 3, "1s", 3);
	ok(!reads(many));
}

int
main(void)
{
	test("spans in their order, whatever the blanks");
	ok(reads(" 5s  5min\t30ms 2h 1d "));
	is(spans.count, 5);
	is(spans.ms[0], 5000);
	is(spans.ms[1], 300000);
	is(spans.ms[2], 30);
	is(spans.ms[3], 7200000);
	is(spans.ms[4], 86400000);

	test("none is fine");
	ok(reads(""));
	is(spans.count, 0);

	test("what is no span is refused");
	ok(!reads("5s x"));
	ok(!reads("5"));
	ok(!reads("5s,5s"));
	ok(!reads("-5s"));
	ok(!reads("0ms"));
	ok(!reads("0"));
	ok(!reads("31d"));

	test_many();
	return (done());
}
