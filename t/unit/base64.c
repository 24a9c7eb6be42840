/* SPDX-License-Identifier: MIT */
/*
 * Base64, written and read, and what is none.
 */
#include "base/base64.h"

#include "tap.h"

static void
test_vectors(void)
{
	static const struct { const char *plain, *coded; } all[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" }, { "\xfb\xef\xbe", "++++" },
	};

	test("the vectors of RFC 4648, both ways");
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		text plain = text_of(all[i].plain), coded = text_of(
		    all[i].coded);
		char out[16];
		size_t len = 99;

		is(base64_size(plain.len), coded.len);
		base64_write(plain, out);
		ok(text_is(text_from(out, coded.len), coded));
		ok(base64_read(coded, out, &len));
		ok(text_is(text_from(out, len), plain));
	}
}

static void
test_refused(void)
{
	static const char *const bad[] = { "A", "AA", "AAA", "AAAAA", "====",
	    "A===", "=AAA", "AA=A", "AB==", "AAB=", "AA==AAAA", "AA-A",
	    "AA_A", "AA\nA", "AA A", "AA\xc3\xa4", "AAAA=", "AAA*" };
	char out[16];
	size_t len;

	test("what is no base64");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (!ok(!base64_read(text_of(bad[i]), out, &len)))
			printf("# '%s'\n", bad[i]);
	ok(!base64_read(text_from("AA\0A", 4), out, &len));
}

static void
test_url(void)
{
	char out[8], back[6];

	test("safe in addresses");
	base64_write_url(TEXT("\xfb\xef\xbe\xff\xff\xff"), out);
	ok(text_is(text_from(out, 8), TEXT("----____")));
	ok(base64_read_url(text_from(out, 8), back));
	ok(text_is(text_from(back, 6), TEXT("\xfb\xef\xbe\xff\xff\xff")));
	ok(!base64_read_url(TEXT("+/AA"), back));
	ok(!base64_read_url(TEXT("AA=="), back));
}

int
main(void)
{
	test_vectors();
	test_refused();
	test_url();
	return (done());
}
