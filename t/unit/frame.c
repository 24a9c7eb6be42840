/* SPDX-License-Identifier: MIT */
/*
 * plat/frame: the table of frame_cases.h, each case whole, byte by byte and
 * in random pieces; what a reader keeps; the writer. FRAME_SEED repeats a run.
 */
#include "plat/frame.h"

#include "base/buf.h"
#include "frame_cases.h"
#include "plat/deflate_message.h"
#include "tap.h"

#define RANDOM_ROUNDS 12

static uint32_t chance;

static uint32_t
draw(uint32_t below)
{
	chance ^= chance << 13;
	chance ^= chance >> 17;
	chance ^= chance << 5;
	return (chance % below);
}

/* What comes. */

static const char *
add_hex(struct buf *out, const char *at)
{
	static const char digits[] = "0123456789abcdef";

	for (; *at != '\0' && strchr(digits, *at) != NULL; at += 2)
		buf_add_char(out, (char)((strchr(digits, at[0]) - digits) << 4 |
		    (strchr(digits, at[1]) - digits)));
	return (at);
}

static const char *
add_letters(struct buf *out, const char *at)
{
	int count = 0;

	for (; *at >= '0' && *at <= '9'; at++)
		count = count * 10 + *at - '0';
	for (int i = 0; i < count; i++)
		buf_add_char(out, (char)('a' + i % 26));
	return (at);
}

static const char *
add_payload(struct buf *out, const char *at)
{
	struct buf plain;

	if (*at == '%') {
		buf_init(&plain, BUF_NO_LIMIT);
		at = add_payload(&plain, at + 1);
		buf_add(out, deflate_message_pack(buf_text(&plain)));
		buf_fini(&plain);
		return (at);
	}
	if (*at == '*')
		return (add_letters(out, at + 1));
	if (*at == '#') {
		at = add_hex(out, at + 1);
		return (*at == '+' ? add_letters(out, at + 1) : at);
	}
	for (; *at != ']'; at++)
		buf_add_char(out, *at);
	return (at);
}

static const char *
add_frame(struct buf *out, const char *at, bool is_client)
{
	uint8_t mask[4] = { 0x9a, 0x01, (uint8_t)draw(256), 0xff };
	struct buf first, payload;
	char head[FRAME_HEAD_MAX], *masked;
	size_t len;

	buf_init(&first, BUF_NO_LIMIT);
	buf_init(&payload, BUF_NO_LIMIT);
	at = add_payload(&payload, add_hex(&first, at) + 1);
	len = frame_write_head(head, FRAME_TEXT, false, payload.len,
	    is_client ? NULL : mask);
	head[0] = first.at[0];
	buf_add(out, text_from(head, len));
	masked = mem_alloc(payload.len + 1);
	if (payload.len > 0)
		memcpy(masked, payload.at, payload.len);
	if (!is_client)
		frame_mask(masked, masked, payload.len, mask, 0);
	buf_add(out, text_from(masked, payload.len));
	mem_free(masked);
	buf_fini(&first);
	buf_fini(&payload);
	return (at + 1);
}

static void
add_input(struct buf *out, const struct frame_case *row)
{
	for (const char *at = row->in; *at != '\0';) {
		if (*at == '[') {
			at = add_frame(out, at + 1, row->flags & CLIENT);
			continue;
		}
		for (at++; *at != '>'; at += *at == ' ')
			at = add_hex(out, at);
		at++;
	}
}

/* What is told. */

static void
add_text(struct buf *out, text t)
{
	bool is_plain = t.len <= 12;

	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] < ' ' || t.at[i] > '~')
			is_plain = false;
	if (is_plain) {
		buf_add_char(out, '(');
		buf_add(out, t);
		buf_add_char(out, ')');
	} else {
		buf_printf(out, "#%zu", t.len);
	}
}

static bool
is_as_sent(text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] != (char)('a' + i % 26))
			return (false);
	return (true);
}

static void
add_event(struct buf *out, const struct frame_event *event)
{
	if (out->len > 0)
		buf_add_char(out, ' ');
	switch (event->kind) {
	case FRAME_TEXT: buf_add_char(out, 'T'); break;
	case FRAME_BINARY: buf_add_char(out, 'B'); break;
	case FRAME_PING: buf_add_char(out, 'P'); break;
	case FRAME_PONG: buf_add_char(out, 'O'); break;
	case FRAME_CLOSE: buf_printf(out, "C%u", event->code); break;
	case FRAME_ERROR: buf_printf(out, "E%u", event->code); return;
	default: buf_add_char(out, '?');
	}
	add_text(out, event->payload);
	/* Fragments of the limit begin their letters anew. */
	if (event->payload.len > 100 && event->kind != FRAME_CLOSE &&
	    event->payload.len != LIMIT)
		ok(is_as_sent(event->payload));
}

/* Each piece lies in memory of its size, so that a sanitizer sees more. */
static void
feed(struct frame_reader *reader, const char *at, size_t len, struct buf *out)
{
	char *copy = malloc(len);
	struct frame_input input = { copy, len };
	struct frame_event event;

	memcpy(copy, at, len);
	while (frame_read(reader, &input, &event))
		add_event(out, &event);
	is(input.len, 0);
	free(copy);
}

/* step 0: in random pieces. */
static void
check_case(const struct frame_case *row, size_t step)
{
	static const struct frame_rules rules = { LIMIT, false },
	    client_rules = { LIMIT, true };
	struct frame_reader reader;
	struct buf in, out;
	size_t at = 0;

	buf_init(&in, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	add_input(&in, row);
	frame_reader_init(&reader, row->flags & CLIENT ? &client_rules :
	    &rules, row->flags & DEFLATE);
	while (at < in.len) {
		size_t len = step != 0 ? step : 1 + draw(draw(8) == 0 ?
		    40000 : 9);

		if (len > in.len - at)
			len = in.len - at;
		feed(&reader, in.at + at, len, &out);
		at += len;
	}
	is_text(out.len > 0 ? out.at : "", row->out);
	frame_reader_fini(&reader);
	buf_fini(&in);
	buf_fini(&out);
}

static void
check_cases(void)
{
	static char name[100];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(name, sizeof name, "case: %s", cases[i].name);
		test(name);
		check_case(&cases[i], SIZE_MAX);
		check_case(&cases[i], 1);
		for (int n = 0; n < RANDOM_ROUNDS; n++)
			check_case(&cases[i], 0);
	}
}

/* What is kept. */

static size_t
kept_after(const char *in, size_t cut)
{
	static const struct frame_rules rules = { 1 << 20, false };
	struct frame_case row = { "", 0, in, "" };
	struct frame_reader reader;
	struct buf bytes, out;
	size_t kept;

	buf_init(&bytes, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	add_input(&bytes, &row);
	frame_reader_init(&reader, &rules, true);
	feed(&reader, bytes.at, bytes.len - cut, &out);
	kept = frame_reader_keeps(&reader);
	frame_reader_fini(&reader);
	buf_fini(&bytes);
	buf_fini(&out);
	return (kept);
}

static void
check_keeping(void)
{
	test("nothing is kept between messages");
	is(kept_after("[82 *100000][89 a][81 b]", 0), 0);
	is(kept_after("[02 *104][89 a][80 *104]", 0), 0);
	is(kept_after("[c1 %*100000]", 0), 0);
	is(kept_after("[89 abcdef]", 0), 0);
	is(kept_after("[88 #03e8]", 0), 0);

	test("what is kept grows with what came, not with what was announced");
	is(kept_after("[82 *1000000]", 1000000), 0);
	ok(kept_after("[82 *1000000]", 999999) <= 256);
	ok(kept_after("[82 *1000000]", 900000) <= 200000);
	ok(kept_after("[89 *120]", 10) <= 256);
	ok(kept_after("[02 *3000]", 0) >= 3000);

	test("nothing is kept after the end");
	is(kept_after("[02 *3000][88 #03e8]", 0), 0);
	is(kept_after("[02 *3000][83 ]", 0), 0);

	test("a reader is small");
	ok(sizeof(struct frame_reader) <= 64);
}

/* The writer. */

static text
whole(const struct bytes *bytes)
{
	return (text_from(bytes->at, bytes->len));
}

static bool
comes_back(struct bytes *bytes, bool is_client, enum frame_kind kind,
    text payload)
{
	struct frame_rules rules = { 1 << 20, is_client };
	struct frame_input input = { bytes->at, bytes->len };
	struct frame_reader reader;
	struct frame_event event;
	bool is_same;

	frame_reader_init(&reader, &rules, true);
	is_same = frame_read(&reader, &input, &event) &&
	    event.kind == kind && text_is(event.payload, payload) &&
	    input.len == 0;
	frame_reader_fini(&reader);
	bytes_give(&bytes);
	return (is_same);
}

static void
check_writer(void)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536,
	    65537, 300000 };
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	char *letters = mem_alloc(300000);
	struct bytes *bytes;

	for (size_t i = 0; i < 300000; i++)
		letters[i] = (char)('a' + i % 26);

	test("what is written is read again, of any size, by both sides");
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		text t = text_from(letters, sizes[i]);

		ok(comes_back(frame_write(FRAME_BINARY, t), true,
		    FRAME_BINARY, t));
		ok(comes_back(frame_write_masked(FRAME_TEXT, t, mask), false,
		    FRAME_TEXT, t));
		if (t.len > 100)
			ok(comes_back(frame_write_deflated(FRAME_TEXT, t, 0),
			    true, FRAME_TEXT, t));
	}

	test("heads are as short as they can be");
	bytes = frame_write(FRAME_TEXT, TEXT("Hello"));
	is_text(whole(bytes), TEXT("\x81\x05Hello"));
	bytes_give(&bytes);
	bytes = frame_write(FRAME_PING, TEXT_NONE);
	is_text(whole(bytes), TEXT("\x89\x00"));
	bytes_give(&bytes);
	bytes = frame_write(FRAME_TEXT, text_from(letters, 126));
	is(bytes->len, 130);
	bytes_give(&bytes);

	test("what is not worth it is not compressed");
	ok(frame_write_deflated(FRAME_TEXT, TEXT("Hello"), 0) == NULL);
	ok(frame_write_deflated(FRAME_TEXT, text_from(letters, 999), 1000) ==
	    NULL);
	bytes = frame_write_deflated(FRAME_TEXT, text_from(letters, 1000),
	    1000);
	ok(bytes != NULL && bytes->len < 100);
	bytes_give(&bytes);
	mem_free(letters);
}

static void
check_close(void)
{
	static const char long_reason[] =
	    "one two three four five six seven eight nine ten one two three "
	    "four five six seven eight nine ten one two three four five "
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4";
	struct bytes *bytes;

	test("close frames");
	bytes = frame_write_close(1001, TEXT("going"));
	is_text(whole(bytes), TEXT("\x88\x07\x03\xe9going"));
	bytes_give(&bytes);
	bytes = frame_write_close(FRAME_CODE_NONE, TEXT("not said"));
	is_text(whole(bytes), TEXT("\x88\x00"));
	bytes_give(&bytes);

	test("a long reason is cut between two letters");
	ok(sizeof long_reason - 1 > 123);
	bytes = frame_write_close(4000, text_of(long_reason));
	ok(bytes->len <= 127 && bytes->len >= 125);
	ok(text_is_utf8(text_from(bytes->at + 4, bytes->len - 4)));
	ok(text_begins(text_of(long_reason),
	    text_from(bytes->at + 4, bytes->len - 4)));
	bytes_give(&bytes);
}

static void
check_mask(void)
{
	char plain[64], masked[64];
	uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };

	test("masking is the same from anywhere, and its own opposite");
	for (unsigned i = 0; i < sizeof plain; i++)
		plain[i] = (char)draw(256);
	for (unsigned from = 0; from < 20; from++)
		for (unsigned len = 0; len <= 40; len++) {
			bool is_right = true;

			frame_mask(masked, plain + from, len, mask, from);
			for (unsigned i = 0; i < len; i++)
				if ((uint8_t)masked[i] !=
				    ((uint8_t)plain[from + i] ^
				    mask[(from + i) % 4]))
					is_right = false;
			frame_mask(masked, masked, len, mask, from);
			ok(is_right && memcmp(masked, plain + from, len) == 0);
		}
}

int
main(void)
{
	const char *given = getenv("FRAME_SEED");

	chance = given != NULL ? (uint32_t)strtoul(given, NULL, 10) :
	    (uint32_t)getpid() * 2654435761U | 1;
	printf("# FRAME_SEED=%u\n", chance);
	check_cases();
	check_keeping();
	check_writer();
	check_close();
	check_mask();
	deflate_message_end();
	return (done());
}
