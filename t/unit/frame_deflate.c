/* SPDX-License-Identifier: MIT */
/*
 * plat/frame_deflate and plat/deflate_message: what is taken of what clients
 * offer; what is packed is what zlib unpacks; bombs; what is broken.
 */
#include "plat/frame_deflate.h"

#include <zlib.h>

#include "base/mem.h"
#include "base/stamp.h"
#include "plat/deflate_message.h"
#include "tap.h"

#define NAME "permessage-deflate"
#define PLAIN NAME "; server_no_context_takeover; client_no_context_takeover"
#define BOUND PLAIN "; server_max_window_bits=12"
#define NONE ""

static const struct {
	const char	*offer;
	const char	*answer;
} offers[] = {
	{ NAME, PLAIN },
	{ " " NAME " ", PLAIN },
	{ "\t" NAME, PLAIN },
	{ NAME "; client_max_window_bits", PLAIN },
	{ NAME ";client_max_window_bits", PLAIN },
	{ NAME " ; client_max_window_bits = 15", PLAIN },
	{ NAME "; client_max_window_bits=8", PLAIN },
	{ NAME "; client_max_window_bits=\"10\"", PLAIN },
	{ NAME "; server_no_context_takeover", PLAIN },
	{ NAME "; client_no_context_takeover", PLAIN },
	{ NAME "; client_no_context_takeover; server_no_context_takeover",
	    PLAIN },
	{ NAME "; server_max_window_bits=15", BOUND },
	{ NAME "; server_max_window_bits=12; client_max_window_bits=12",
	    BOUND },
	{ NAME "; server_max_window_bits=\"12\"", BOUND },
	/* What we do not do, or what is not to be done. */
	{ NAME "; server_max_window_bits=11", NONE },
	{ NAME "; server_max_window_bits=8", NONE },
	{ NAME "; server_max_window_bits=16", NONE },
	{ NAME "; server_max_window_bits=7", NONE },
	{ NAME "; server_max_window_bits=012", NONE },
	{ NAME "; server_max_window_bits=+12", NONE },
	{ NAME "; server_max_window_bits=1e1", NONE },
	{ NAME "; server_max_window_bits", NONE },
	{ NAME "; server_max_window_bits=", NONE },
	{ NAME "; server_max_window_bits=\"\"", NONE },
	{ NAME "; server_max_window_bits=\"12", NONE },
	{ NAME "; server_max_window_bits=1 2", NONE },
	{ NAME "; client_max_window_bits=7", NONE },
	{ NAME "; client_max_window_bits=16", NONE },
	{ NAME "; client_max_window_bits=08", NONE },
	{ NAME "; client_max_window_bits=-8", NONE },
	{ NAME "; client_max_window_bits=108", NONE },
	{ NAME "; server_no_context_takeover=1", NONE },
	{ NAME "; client_no_context_takeover=true", NONE },
	{ NAME "; unknown", NONE },
	{ NAME "; unknown=1", NONE },
	{ NAME "; Server_no_context_takeover", NONE },
	{ NAME "; client_max_window_bits; client_max_window_bits", NONE },
	{ NAME "; client_max_window_bits; client_max_window_bits=9", NONE },
	{ NAME "; server_no_context_takeover; server_no_context_takeover",
	    NONE },
	{ "x-webkit-deflate-frame", NONE },
	{ "permessage-bzip2", NONE },
	{ "permessage-deflate-x", NONE },
	{ "Permessage-Deflate", NONE },
	/* Several. */
	{ NAME "; unknown, " NAME, PLAIN },
	{ NAME "; server_max_window_bits=9, " NAME, PLAIN },
	{ NAME "; server_max_window_bits=9," NAME
	    "; server_max_window_bits=13", BOUND },
	{ NAME "; server_max_window_bits=13, " NAME, BOUND },
	{ NAME ", " NAME "; server_max_window_bits=13", PLAIN },
	{ "foo; bar=\"b,a;z\", " NAME, NONE },
	{ "foo; bar=baz, " NAME, PLAIN },
	{ "foo, bar;a;b=1;c=\"d\"," NAME "; client_max_window_bits", PLAIN },
	{ ", ," NAME, PLAIN },
	{ NAME ",", PLAIN },
	{ NAME ", @", PLAIN },
	/* No list at all. */
	{ "", NONE },
	{ ",", NONE },
	{ ";", NONE },
	{ "=", NONE },
	{ NAME ";", NONE },
	{ NAME ";;", NONE },
	{ NAME "; =", NONE },
	{ NAME " foo", NONE },
	{ "@, " NAME, NONE },
	{ "\"" NAME "\"", NONE },
};

static const char *
answer_to(const char *first, const char *second)
{
	struct frame_deflate deflate = { .is_on = false };

	frame_deflate_offer(&deflate, text_of(first));
	frame_deflate_offer(&deflate, text_of(second));
	return (deflate.is_on ? frame_deflate_answer(&deflate).at : NONE);
}

static void
check_offers(void)
{
	static char name[160];

	for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
		snprintf(name, sizeof name, "offer: %.*s",
		    (int)strcspn(offers[i].offer, "\t"), offers[i].offer);
		test(name);
		is_text(answer_to(offers[i].offer, ""), offers[i].answer);
		is_text(answer_to("foo", offers[i].offer), offers[i].answer);
	}
	test("the first of several headers that can be kept is taken");
	is_text(answer_to(NAME "; unknown", NAME), PLAIN);
	is_text(answer_to(NAME, NAME "; server_max_window_bits=12"), PLAIN);
	is_text(answer_to(NAME "; server_max_window_bits=12", NAME), BOUND);
}

/* Packing. */

/* As a client with the least window does that we promise to serve. */
static bool
unpacks_to(text packed, text plain)
{
	static const char tail[] = { 0, 0, '\xff', '\xff' };
	char *in = malloc(packed.len + 4), *out = malloc(plain.len + 1);
	z_stream stream = { .next_in = (unsigned char *)in,
	    .avail_in = (unsigned)packed.len + 4,
	    .next_out = (unsigned char *)out,
	    .avail_out = (unsigned)plain.len + 1 };
	bool is_same;

	memcpy(in, packed.at, packed.len);
	memcpy(in + packed.len, tail, 4);
	is(inflateInit2(&stream, -DEFLATE_MESSAGE_BITS), Z_OK);
	is_same = inflate(&stream, Z_SYNC_FLUSH) == Z_OK &&
	    stream.avail_in == 0 && stream.total_out == plain.len &&
	    (plain.len == 0 || memcmp(out, plain.at, plain.len) == 0);
	inflateEnd(&stream);
	free(in);
	free(out);
	return (is_same);
}

static bool
comes_back(text plain)
{
	text packed = deflate_message_pack(plain), again;

	return (unpacks_to(packed, plain) &&
	    deflate_message_unpack(packed, plain.len, &again) == UNPACKED &&
	    text_is(again, plain));
}

static void
fill(char *at, size_t len, bool is_noise)
{
	uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		at[i] = is_noise ? (char)x : "{\"type\":42,"[x % 11];
	}
}

static void
check_packing(void)
{
	size_t size = 1 << 20;
	char *large = malloc(size);
	struct bytes *kept;
	text packed;

	test("what is packed unpacks to the same, with our window");
	ok(comes_back(TEXT("")));
	ok(comes_back(TEXT("a")));
	ok(comes_back(TEXT("{\"type\":\"vote.received\",\"seq\":42}")));
	fill(large, size, false);
	for (size_t len = 1; len <= size; len = len * 3 + 1)
		ok(comes_back(text_from(large, len)));

	test("what cannot be packed fits all the same");
	fill(large, size, true);
	ok(comes_back(text_from(large, size)));
	ok(comes_back(text_from(large, 65536)));

	test("each message stands by itself");
	packed = deflate_message_pack(TEXT("hello hello hello hello"));
	kept = bytes_create(packed.len);
	memcpy(kept->at, packed.at, packed.len);
	ok(comes_back(text_from(large, 1000)));
	packed = deflate_message_pack(TEXT("hello hello hello hello"));
	is_text(packed, text_from(kept->at, kept->len));
	bytes_give(&kept);

	test("it can be ended and begun again");
	deflate_message_end();
	deflate_message_end();
	ok(comes_back(TEXT("again")));
	free(large);
}

/* A deflate stream of so many zeros, which is a thousandth of it. */
static text
bomb_of(size_t len, char *out, size_t size)
{
	z_stream stream = { .next_out = (unsigned char *)out,
	    .avail_out = (unsigned)size };
	static unsigned char zeros[65536];

	is(deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY),
	    Z_OK);
	for (size_t done = 0; done < len; done += sizeof zeros) {
		stream.next_in = zeros;
		stream.avail_in = sizeof zeros;
		deflate(&stream, Z_NO_FLUSH);
	}
	deflate(&stream, Z_SYNC_FLUSH);
	ok(stream.avail_out > 0);
	deflateEnd(&stream);
	return (text_from(out, stream.total_out - 4));
}

static void
check_bombs(void)
{
	size_t size = 2 << 20;
	char *out = malloc(size);
	text bomb, plain;
	int64_t began;

	test("a bomb of 512 MiB costs no more than its bound");
	bomb = bomb_of(512 << 20, out, size);
	printf("# %zu bytes\n", bomb.len);
	began = clock_ms();
	is(deflate_message_unpack(bomb, 65536, &plain), UNPACK_TOO_LARGE);
	ok(clock_ms() - began < 100);

	test("as much as is allowed, and one byte more");
	bomb = bomb_of(1 << 20, out, size);
	is(deflate_message_unpack(bomb, (1 << 20) - 1, &plain),
	    UNPACK_TOO_LARGE);
	is(deflate_message_unpack(bomb, 1 << 20, &plain), UNPACKED);
	is(plain.len, 1 << 20);
	is(deflate_message_unpack(TEXT("\xf2\x48\xcd\xc9\xc9\x07\x00"), 4,
	    &plain), UNPACK_TOO_LARGE);
	is(deflate_message_unpack(TEXT("\xf2\x48\xcd\xc9\xc9\x07\x00"), 5,
	    &plain), UNPACKED);

	test("many streams in one message come to an end");
	for (size_t i = 0; i < size; i++)
		out[i] = i % 2 == 0 ? '\x03' : '\0';
	is(deflate_message_unpack(text_from(out, size), 65536, &plain),
	    UNPACKED);
	is(plain.len, 0);

	test("what is broken leaves nothing behind");
	is(deflate_message_unpack(TEXT("\xff\xff\xff"), 100, &plain),
	    UNPACK_BROKEN);
	is(deflate_message_unpack(TEXT("\xf2\x48\xcd"), 100, &plain),
	    UNPACK_BROKEN);
	is(deflate_message_unpack(TEXT("\xf2\x48\xcd\xc9\xc9\x07\x00"), 5,
	    &plain), UNPACKED);
	is_text(plain, "Hello");
	free(out);
}

int
main(void)
{
	check_offers();
	check_packing();
	check_bombs();
	deflate_message_end();
	return (done());
}
