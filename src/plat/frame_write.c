/* SPDX-License-Identifier: MIT */
/*
 * The writer: whole messages and control frames, each into bytes of exactly
 * its size, because they are shared by many sockets and may wait in queues.
 */
#include "plat/frame.h"

#include "plat/deflate_message.h"

size_t
frame_write_head(char out[FRAME_HEAD_MAX], enum frame_kind kind,
    bool is_deflated, uint64_t len, const uint8_t *mask)
{
	unsigned bytes = len < 126 ? 0 : len <= 0xffff ? 2 : 8;
	size_t at = 2;

	must(kind < FRAME_ERROR && len >> 63 == 0);
	out[0] = (char)(0x80 | (is_deflated ? 0x40 : 0) | kind);
	out[1] = (char)((mask != NULL ? 0x80 : 0) |
	    (bytes == 0 ? len : bytes == 2 ? 126 : 127));
	for (unsigned i = bytes; i-- > 0;)
		out[at++] = (char)(len >> 8 * i);
	if (mask != NULL) {
		memcpy(&out[at], mask, 4);
		at += 4;
	}
	return (at);
}

static struct bytes *
write_frame(enum frame_kind kind, bool is_deflated, text payload,
    const uint8_t *mask)
{
	char head[FRAME_HEAD_MAX];
	size_t size = frame_write_head(head, kind, is_deflated, payload.len,
	    mask);
	struct bytes *bytes = bytes_create(size + payload.len);

	must(kind < FRAME_CLOSE || payload.len <= FRAME_CONTROL_MAX);
	memcpy(bytes->at, head, size);
	if (mask != NULL)
		frame_mask(bytes->at + size, payload.at, payload.len, mask, 0);
	else if (payload.len > 0)
		memcpy(bytes->at + size, payload.at, payload.len);
	return (bytes);
}

struct bytes *
frame_write(enum frame_kind kind, text payload)
{
	return (write_frame(kind, false, payload, NULL));
}

struct bytes *
frame_write_masked(enum frame_kind kind, text payload, const uint8_t mask[4])
{
	return (write_frame(kind, false, payload, mask));
}

struct bytes *
frame_write_deflated(enum frame_kind kind, text payload, size_t least)
{
	text packed;

	must(kind == FRAME_TEXT || kind == FRAME_BINARY);
	if (payload.len < least)
		return (NULL);
	packed = deflate_message_pack(payload);
	if (packed.len >= payload.len)
		return (NULL);
	return (write_frame(kind, true, packed, NULL));
}

/* As much as fits, without half a character at its end. */
static text
cut_reason(text reason)
{
	size_t most = FRAME_CONTROL_MAX - 2;

	if (reason.len <= most)
		return (reason);
	while (most > 0 && ((unsigned char)reason.at[most] & 0xc0) == 0x80)
		most--;
	return (text_from(reason.at, most));
}

struct bytes *
frame_write_close(unsigned code, text reason)
{
	char payload[FRAME_CONTROL_MAX];

	if (code == FRAME_CODE_NONE)
		return (frame_write(FRAME_CLOSE, TEXT_NONE));
	must(frame_code_may_travel(code));
	reason = cut_reason(reason);
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	if (reason.len > 0)
		memcpy(payload + 2, reason.at, reason.len);
	return (frame_write(FRAME_CLOSE, text_from(payload, 2 + reason.len)));
}

void
frame_mask(char *to, const char *from, size_t len, const uint8_t mask[4],
    uint64_t at)
{
	uint8_t turned[8];
	uint64_t wide, word;
	size_t i = 0;

	for (unsigned n = 0; n < sizeof turned; n++)
		turned[n] = mask[(at + n) & 3];
	memcpy(&wide, turned, sizeof wide);
	for (; len - i >= sizeof word; i += sizeof word) {
		memcpy(&word, from + i, sizeof word);
		word ^= wide;
		memcpy(to + i, &word, sizeof word);
	}
	for (; i < len; i++)
		to[i] = (char)(from[i] ^ turned[i & 7]);
}
