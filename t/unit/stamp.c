/* SPDX-License-Identifier: MIT */
/*
 * The two clocks, and how times are written.
 */
#include "base/stamp.h"

#include <time.h>

#include "tap.h"

int
main(void)
{
	static const struct {
		int64_t		 stamp;
		const char	*written;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ 999, "1970-01-01T00:00:00.999Z" },
		{ 1000, "1970-01-01T00:00:01.000Z" },
		{ 1709164799999, "2024-02-28T23:59:59.999Z" },
		{ 1709164800000, "2024-02-29T00:00:00.000Z" },
		{ 1773601200042, "2026-03-15T19:00:00.042Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
	};
	static const char *const wrong[] = {
		"", "2026-03-15", "2026-03-15T19:00:00Z",
		"2026-03-15 19:00:00.042Z", "2026-03-15T19:00:00.042",
		"2026-03-15T19:00:00.042+01:00", "2026-02-31T19:00:00.042Z",
		"2026-13-15T19:00:00.042Z", "2026-03-15T24:00:00.042Z",
		"2026-03-15T19:60:00.042Z", "1969-12-31T23:59:59.999Z",
		"2026-03-15T19:00:0x.042Z", "2026-03-15T19:00:00.042ZZ",
	};
	char written[STAMP_SIZE];
	int64_t before, stamp;

	test("times are written in UTC, to the millisecond");
	setenv("TZ", "America/New_York", 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		stamp_write(cases[i].stamp, written);
		is_text(written, cases[i].written);
	}
	/* The second before again: what is kept is not what was asked. */
	stamp_write(1000, written);
	is_text(written, "1970-01-01T00:00:01.000Z");

	test("what was written is read, and nothing else");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ok(stamp_read(text_of(cases[i].written), &stamp));
		is(stamp, cases[i].stamp);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ok(!stamp_read(text_of(wrong[i]), &stamp));

	test("the clocks go forward, and agree");
	before = clock_ms();
	ok(clock_us() / 1000 - before < 1000);
	ok(clock_us() / 1000 >= before);
	ok(clock_ms() >= before);
	stamp = stamp_now();
	ok(stamp / 1000 - time(NULL) <= 1 && time(NULL) - stamp / 1000 <= 1);
	return (done());
}
