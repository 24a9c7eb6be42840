/* SPDX-License-Identifier: MIT */
/*
 * What relays say: read back as it was written, and refused where it is not
 * what one writes.
 */
#include "core/relay_message.h"

#include "base/mem.h"
#include "tap.h"

static struct buf buf;
static struct ring_record back;
static text host;

static bool
reads(text message)
{
	host = TEXT_NONE;
	return (relay_message_read(message, &host, &back));
}

static bool
comes_back(const struct ring_record *record)
{
	relay_message_write(TEXT("00deadbeef00cafe"), record, &buf);
	return (reads(buf_text(&buf)) &&
	    text_is(host, TEXT("00deadbeef00cafe")) &&
	    back.kind == record->kind && back.tenant == record->tenant &&
	    back.seq == record->seq && back.to == RING_TO_ALL &&
	    text_is(back.stream, record->stream) &&
	    text_is(back.epoch, record->epoch) &&
	    back.has_payload == record->has_payload &&
	    text_is(back.payload, record->payload));
}

static void
test_written(void)
{
	static char whole[RELAY_PAYLOAD_MAX];
	struct ring_record event = { .kind = RING_EVENT, .tenant = 7,
	    .seq = 42, .stream = TEXT("session:12"), .epoch = TEXT("e1"),
	    .has_payload = true, .payload = TEXT("{\"a\":\"b c\\n\"}") };
	struct ring_record sweep = { .kind = RING_SWEEP };

	test("an event, as people may read it");
	ok(comes_back(&event));
	is_text(buf_text(&buf), "P1 00deadbeef00cafe E 7 42 2 10 13\n"
	    "e1session:12{\"a\":\"b c\\n\"}");

	test("without a payload, and with an empty one");
	event.has_payload = false;
	event.payload = TEXT_NONE;
	ok(comes_back(&event));
	event.has_payload = true;
	ok(comes_back(&event));

	test("a live one and a sweep");
	event.kind = RING_LIVE;
	event.seq = 0;
	ok(comes_back(&event));
	ok(comes_back(&sweep));
	sweep.has_payload = true;
	sweep.payload = TEXT("63");
	ok(comes_back(&sweep));

	test("bytes of any kind, in any of the three");
	event.stream = TEXT("a b\nc\0d");
	event.epoch = TEXT("\n \xff");
	event.payload = TEXT("\0\n");
	ok(comes_back(&event));

	test("all at their most");
	memset(whole, 'x', sizeof whole);
	event = (struct ring_record){ .kind = RING_EVENT,
	    .tenant = INT32_MAX, .seq = INT64_MAX,
	    .stream = text_from(whole, RING_STREAM_MAX),
	    .epoch = text_from(whole, RING_EPOCH_MAX), .has_payload = true,
	    .payload = text_from(whole, sizeof whole) };
	ok(comes_back(&event));
}

static void
test_refused(void)
{
	static const char *const wrong[] = {
		"", "\n", "P1", "P1 ab E 1 1 0 0 -", "P2 ab E 1 1 0 0 -\n",
		"P1 ab X 1 1 0 0 -\n", "P1 ab  1 1 0 0 -\n",
		"P1 ab EE 1 1 0 0 -\n", "P1  E 1 1 0 0 -\n",
		"P1 xy E 1 1 0 0 -\n", "P1 AB E 1 1 0 0 -\n",
		"P1 00112233445566778 E 1 1 0 0 -\n",
		"P1 ab E -1 1 0 0 -\n", "P1 ab E +1 1 0 0 -\n",
		"P1 ab E 2147483648 1 0 0 -\n", "P1 ab E 1 -1 0 0 -\n",
		"P1 ab E 01 1 0 0 -\n", "P1 ab E 1 00 0 0 -\n",
		"P1 ab E 1 9223372036854775808 0 0 -\n",
		"P1 ab E 1 1 33 0 -\n", "P1 ab E 1 1 0 129 -\n",
		"P1 ab E 1 1 0 0 1048577\n", "P1 ab E 1 1 0 0\n",
		"P1 ab E 1 1 0 0 \n", "P1 ab E 1 1 0 0 - \n",
		"P1 ab E 1 1 0 0 --\n", "P1 ab E 1 1 0 0 0 0\n",
		"P1 ab E 1 1 0 0 -\nx", "P1 ab E 1 1 1 0 -\n",
		"P1 ab E 1 1 1 1 1\nab", "P1 ab E 1 1 1 1 1\nabcd",
		"P1  ab E 1 1 0 0 -\n", "P1 ab E 1 1 0 0 -\r\n",
	};
	static char longer[300];

	test("what no relay writes is refused");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!ok(!reads(text_of(wrong[i]))))
			printf("# %s\n", wrong[i]);
	ok(reads(TEXT("P1 ab E 1 1 1 1 1\nabc")));

	test("a head without an end");
	memset(longer, '1', sizeof longer);
	ok(!reads(text_from(longer, sizeof longer)));
	longer[200] = '\n';
	ok(!reads(text_from(longer, sizeof longer)));
}

/* Cut anywhere, a message is none, and no byte behind it is looked at. */
static void
test_cut(void)
{
	struct ring_record event = { .kind = RING_EVENT, .tenant = 3,
	    .seq = 9, .stream = TEXT("lobby"), .epoch = TEXT("e"),
	    .has_payload = true, .payload = TEXT("payload") };
	struct buf whole;

	test("cut anywhere");
	buf_init(&whole, BUF_NO_LIMIT);
	relay_message_write(TEXT("ab"), &event, &whole);
	for (size_t len = 0; len < whole.len; len++) {
		char *copy = mem_alloc(len + 1);

		memcpy(copy, whole.at, len);
		ok(!reads(text_from(copy, len)));
		mem_free(copy);
	}
	ok(reads(buf_text(&whole)));
	buf_fini(&whole);
}

int
main(void)
{
	buf_init(&buf, BUF_NO_LIMIT);
	test_written();
	test_refused();
	test_cut();
	buf_fini(&buf);
	return (done());
}
