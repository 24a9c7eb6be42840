/* SPDX-License-Identifier: MIT */
/*
 * Bodies of Engine.IO's requests: what is told of one, written again, is told
 * again; and each text packet is one in a frame of its own, too.
 */
#include <stdint.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "transport/engineio_payload.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_frame(const struct engineio_packet *packet, text written)
{
	struct engineio_packet alone;

	must(engineio_packet_read(written, &alone));
	must(alone.type == packet->type && !alone.is_binary);
	must(text_is(alone.data, packet->data));
}

static void
write_packet(const struct engineio_packet *packet, struct buf *again)
{
	size_t begin;
	char *coded;

	if (again->len > 0)
		buf_add_char(again, ENGINEIO_SEPARATOR);
	begin = again->len;
	if (!packet->is_binary) {
		must(packet->type >= '0' && packet->type <= '6');
		must(text_is_utf8(packet->data));
		must(!text_has(packet->data, ENGINEIO_SEPARATOR));
		buf_add_char(again, (char)packet->type);
		buf_add(again, packet->data);
		check_frame(packet, text_from(again->at + begin,
		    again->len - begin));
		return;
	}
	must(packet->type == ENGINEIO_MESSAGE);
	coded = mem_alloc(base64_size(packet->data.len) + 1);
	base64_write(packet->data, coded);
	buf_add_char(again, 'b');
	buf_add(again, text_from(coded, base64_size(packet->data.len)));
	mem_free(coded);
}

/* false: there was a bad one behind these. */
static bool
tell(text body, struct buf *again)
{
	struct engineio_payload payload;
	struct engineio_packet packet;
	bool is_whole;

	engineio_payload_init(&payload, body);
	while (engineio_payload_next(&payload, &packet))
		write_packet(&packet, again);
	is_whole = !payload.is_bad;
	engineio_payload_fini(&payload);
	return (is_whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text body = text_from((const char *)data, size);
	struct buf once, twice;
	bool is_whole;

	buf_init(&once, BUF_NO_LIMIT);
	buf_init(&twice, BUF_NO_LIMIT);
	is_whole = tell(body, &once);
	/* All that was told stands in the body to the byte, from its front. */
	must(once.len <= size && memcmp(once.at, data, once.len) == 0);
	must(!is_whole || once.len == size);
	if (once.len > 0) {
		must(tell(buf_text(&once), &twice));
		must(text_is(buf_text(&once), buf_text(&twice)));
	}
	buf_fini(&once);
	buf_fini(&twice);
	return (0);
}
