/* SPDX-License-Identifier: MIT */
/*
 * Payloads taken apart, and names of sessions.
 */
#include "transport/engineio_payload.h"
#include "transport/engineio_sid.h"

#include "base/mem.h"
#include "plat/segment.h"
#include "tap.h"

/* What a payload says: a type, b or t, the data, and ! where it is bad. */
static const char *
told(text body)
{
	static char out[256];
	struct engineio_payload payload;
	struct engineio_packet packet;
	size_t len = 0;

	engineio_payload_init(&payload, body);
	while (engineio_payload_next(&payload, &packet))
		len += (size_t)snprintf(out + len, sizeof out - len,
		    "%c%c(%.*s) ", packet.type, packet.is_binary ? 'b' : 't',
		    TEXT_ARGS(packet.data));
	snprintf(out + len, sizeof out - len, "%s", payload.is_bad ? "!" :
	    "");
	engineio_payload_fini(&payload);
	return (out);
}

static void
test_payloads(void)
{
	test("payloads");
	is_text(text_of(told(TEXT("4hello"))), "4t(hello) ");
	is_text(text_of(told(TEXT("4"))), "4t() ");
	is_text(text_of(told(TEXT("2probe\x1e" "3\x1e" "1"))),
	    "2t(probe) 3t() 1t() ");
	is_text(text_of(told(TEXT("bZm9v\x1e" "b\x1e" "4b"))),
	    "4b(foo) 4b() 4t(b) ");

	test("what is none ends it where it is");
	is_text(text_of(told(TEXT(""))), "!");
	is_text(text_of(told(TEXT("4a\x1e"))), "4t(a) !");
	is_text(text_of(told(TEXT("4a\x1e" "7\x1e" "4b"))), "4t(a) !");
	is_text(text_of(told(TEXT("4a\x1e" "bZm9\x1e" "4b"))), "4t(a) !");
	is_text(text_of(told(TEXT("4\xff"))), "!");
	is_text(text_of(told(text_from("\0", 1))), "!");
	is_text(text_of(told(TEXT("/"))), "!");
}

static void
test_names(void)
{
	struct engineio_place place = { .host = 0xabcd, .slot = 1023,
	    .generation = 16383 }, read;
	char one[ENGINEIO_SID_SIZE], two[ENGINEIO_SID_SIZE];

	test("a name says where");
	engineio_sid_make(&place, one);
	engineio_sid_make(&place, two);
	is(strlen(one), ENGINEIO_SID_LETTERS);
	ok(strcmp(one, two) != 0);
	ok(engineio_sid_read(text_of(one), &read));
	ok(engineio_place_is(&place, &read));
	place.generation = 1;
	ok(!engineio_place_is(&place, &read));
	engineio_sid_make(&place, one);
	ok(engineio_sid_read(text_of(one), &read));
	ok(engineio_place_is(&place, &read));

	test("what is no name");
	ok(!engineio_sid_read(TEXT(""), &read));
	ok(!engineio_sid_read(TEXT("aaaaaaaaaaaaaaaaaaa"), &read));
	ok(!engineio_sid_read(TEXT("aaaaaaaaaaaaaaaaaaaaa"), &read));
	ok(!engineio_sid_read(TEXT("aaaaaaaaaaaaaaaaaaa+"), &read));
	ok(!engineio_sid_read(text_from("aaaaaaaaaaaaaaaaaaa\0", 20),
	    &read));
}

static void
test_places(void)
{
	struct engineio_place a, b;
	struct segment *segment;
	int fd, slot;

	test("each owner of a slot is another place");
	segment = segment_create(8, 65536, 1024, &fd);
	slot = segment_give_slot(segment, ROLE_WORKER, 1);
	engineio_place_of(segment, (unsigned)slot, &a);
	segment_void_slot(segment, (unsigned)slot);
	is(segment_give_slot(segment, ROLE_WORKER, 1), slot);
	engineio_place_of(segment, (unsigned)slot, &b);
	ok(!engineio_place_is(&a, &b));
	is(a.host, b.host);
	close(fd);
	segment_unmap(segment);
}

int
main(void)
{
	test_payloads();
	test_names();
	test_places();
	return (done());
}
