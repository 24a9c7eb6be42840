/* SPDX-License-Identifier: MIT */
/*
 * Frames: the first byte chooses the role and the extension, the second how
 * the rest is cut. However it is cut, the same is told; what is told keeps
 * the rules of frame.h.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "plat/frame.h"

#define LIMIT 4000

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct frame_event *event)
{
	switch (event->kind) {
	case FRAME_TEXT:
		must(text_is_utf8(event->payload));
		must(event->payload.len <= LIMIT);
		break;
	case FRAME_BINARY:
		must(event->payload.len <= LIMIT);
		break;
	case FRAME_PING:
	case FRAME_PONG:
		must(event->payload.len <= FRAME_CONTROL_MAX);
		break;
	case FRAME_CLOSE:
		must(text_is_utf8(event->payload));
		must(event->code == FRAME_CODE_NONE ||
		    frame_code_may_travel(event->code));
		break;
	case FRAME_ERROR:
		must(event->code == 1002 || event->code == 1007 ||
		    event->code == 1009);
		break;
	default:
		must_never("there is no such event");
	}
}

static void
feed(struct frame_reader *reader, const uint8_t *data, size_t size,
    struct buf *told)
{
	char *copy = malloc(size);
	struct frame_input input = { copy, size };
	struct frame_event event;

	memcpy(copy, data, size);
	while (frame_read(reader, &input, &event)) {
		check(&event);
		buf_printf(told, "%d %u %zu ", event.kind, event.code,
		    event.payload.len);
		buf_add(told, event.payload);
	}
	must(input.len == 0);
	must(frame_reader_keeps(reader) <= 2 * (LIMIT + 300));
	free(copy);
}

static void
tell(const uint8_t *data, size_t size, unsigned flags, unsigned cut,
    struct buf *told)
{
	struct frame_rules rules = { LIMIT, flags & 1 };
	struct frame_reader reader;
	size_t at = 0;

	frame_reader_init(&reader, &rules, flags & 2);
	for (unsigned step = cut; at < size; step = step * 31 + 7) {
		size_t len = cut == 0 ? size : 1 + (step >> 3) % (cut & 63);

		if (len > size - at)
			len = size - at;
		feed(&reader, data + at, len, told);
		at += len;
	}
	frame_reader_fini(&reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, cut;

	if (size < 3)
		return (0);
	buf_init(&whole, BUF_NO_LIMIT);
	buf_init(&cut, BUF_NO_LIMIT);
	tell(data + 2, size - 2, data[0], 0, &whole);
	tell(data + 2, size - 2, data[0], 64 + data[1] % 63 + 1, &cut);
	must(text_is(buf_text(&whole), buf_text(&cut)));
	buf_fini(&whole);
	buf_fini(&cut);
	return (0);
}
