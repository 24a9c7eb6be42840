/* SPDX-License-Identifier: MIT */
/*
 * plat/deflate: what is packed unpacks to the same.
 */
#include "plat/deflate.h"

#include <zlib.h>

#include "tap.h"

static bool
comes_back(text plain)
{
	struct bytes *packed = deflate_to_gzip(plain);
	char *out = mem_alloc(plain.len + 1);
	z_stream stream = { .next_in = (unsigned char *)packed->at,
	    .avail_in = (unsigned)packed->len,
	    .next_out = (unsigned char *)out,
	    .avail_out = (unsigned)plain.len + 1 };
	bool is_same;

	ok(packed->len > 2 && (unsigned char)packed->at[0] == 0x1f &&
	    (unsigned char)packed->at[1] == 0x8b);
	/* 16: gzip and nothing else. */
	is(inflateInit2(&stream, 15 + 16), Z_OK);
	is_same = inflate(&stream, Z_FINISH) == Z_STREAM_END &&
	    stream.total_out == plain.len &&
	    (plain.len == 0 || memcmp(out, plain.at, plain.len) == 0);
	inflateEnd(&stream);
	mem_free(out);
	bytes_give(&packed);
	return (is_same);
}

int
main(void)
{
	size_t size = 3 * 1024 * 1024;
	char *large = mem_alloc(size);
	struct bytes *one, *other;
	uint32_t x = 1;

	test("what is packed unpacks to the same");
	ok(comes_back(TEXT("")));
	ok(comes_back(TEXT("{\"status\":\"ok\"}")));
	ok(comes_back(text_from(large, size)));

	test("what cannot be packed fits all the same");
	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		large[i] = (char)x;
	}
	ok(comes_back(text_from(large, size)));

	test("the same in gives the same out, whatever came between");
	one = deflate_to_gzip(TEXT("aaaaaaaaaaaaaaaaaaaabbbb"));
	comes_back(text_from(large, 1000));
	other = deflate_to_gzip(TEXT("aaaaaaaaaaaaaaaaaaaabbbb"));
	is_text(text_from(one->at, one->len),
	    text_from(other->at, other->len));
	ok(one->len < 24 + 18);
	bytes_give(&one);
	bytes_give(&other);

	test("it can be ended and begun again");
	deflate_end();
	deflate_end();
	ok(comes_back(TEXT("again")));
	deflate_end();

	mem_free(large);
	return (done());
}
