/* SPDX-License-Identifier: MIT */
/*
 * Messages in and out of raw deflate. A window of 4 KiB is enough for what
 * we send, and a small compressor is quicker to begin anew with than a large
 * one, which is what each message does.
 */
#include "plat/deflate_message.h"

#include <limits.h>
#include <zlib.h>

#include "base/mem.h"

#define LEVEL 5
#define MEMORY_LEVEL 5
#define LARGEST_WINDOW 15		/* what clients may use */
#define OUTPUT_FIRST 4096
#define ROOM_FOR_FLUSH 16

static const unsigned char tail[4] = { 0x00, 0x00, 0xff, 0xff };

struct half {
	z_stream	 stream;
	bool		 is_made;
	char		*out;
	size_t		 size;
};

static struct half packer, unpacker;

static void
make_room(struct half *half, size_t size)
{
	if (size <= half->size)
		return;
	half->out = mem_resize(half->out, size);
	half->size = size;
}

static void
feed(struct half *half, const void *at, size_t len)
{
	half->stream.next_in = (unsigned char *)(uintptr_t)at;
	half->stream.avail_in = (unsigned)len;
}

text
deflate_message_pack(text plain)
{
	z_stream *stream = &packer.stream;
	int result = packer.is_made ? deflateReset(stream) :
	    deflateInit2(stream, LEVEL, Z_DEFLATED, -DEFLATE_MESSAGE_BITS,
	    MEMORY_LEVEL, Z_DEFAULT_STRATEGY);

	must(result == Z_OK && plain.len <= UINT_MAX / 2);
	packer.is_made = true;
	make_room(&packer, deflateBound(stream, plain.len) + ROOM_FOR_FLUSH);
	feed(&packer, plain.at, plain.len);
	stream->next_out = (unsigned char *)packer.out;
	stream->avail_out = (unsigned)packer.size;
	result = deflate(stream, Z_SYNC_FLUSH);
	must(result == Z_OK && stream->avail_in == 0 &&
	    stream->avail_out > 0 && stream->total_out > sizeof tail);
	return (text_from(packer.out, stream->total_out - sizeof tail));
}

/*
 * Unpacks what was fed, from out[done] on: the output grows as it is filled,
 * to one byte more than is allowed, which is how we see that it is too much.
 */
static enum unpacking
unpack_piece(size_t most, size_t *done, int *result_out)
{
	z_stream *stream = &unpacker.stream;

	do {
		size_t room;

		if (*done == unpacker.size) {
			size_t size = unpacker.size * 2;

			make_room(&unpacker, size < OUTPUT_FIRST ?
			    OUTPUT_FIRST : size);
		}
		room = unpacker.size < most + 1 ? unpacker.size : most + 1;
		stream->next_out = (unsigned char *)unpacker.out + *done;
		stream->avail_out = (unsigned)(room - *done);
		*result_out = inflate(stream, Z_SYNC_FLUSH);
		*done = room - stream->avail_out;
		if (*done > most)
			return (UNPACK_TOO_LARGE);
		if (*result_out == Z_STREAM_END)
			return (UNPACKED);
		if (*result_out != Z_OK && *result_out != Z_BUF_ERROR)
			return (UNPACK_BROKEN);
	} while (stream->avail_out == 0);
	return (stream->avail_in == 0 ? UNPACKED : UNPACK_BROKEN);
}

/*
 * A client may end a deflate stream within a message (BFINAL): what follows
 * is then another. Where the message itself ends so, no tail is missing.
 */
static enum unpacking
unpack_all(text packed, size_t most, size_t *done)
{
	z_stream *stream = &unpacker.stream;
	enum unpacking unpacking;
	int result = Z_OK;

	feed(&unpacker, packed.at, packed.len);
	while (stream->avail_in > 0) {
		if (result == Z_STREAM_END)
			inflateReset(stream);
		unpacking = unpack_piece(most, done, &result);
		if (unpacking != UNPACKED)
			return (unpacking);
	}
	if (result == Z_STREAM_END)
		return (UNPACKED);
	feed(&unpacker, tail, sizeof tail);
	unpacking = unpack_piece(most, done, &result);
	if (unpacking != UNPACKED)
		return (unpacking);
	/* 128: at the boundary of a block, where a whole message ends. */
	return (result != Z_STREAM_END && (stream->data_type & 128) != 0 ?
	    UNPACKED : UNPACK_BROKEN);
}

enum unpacking
deflate_message_unpack(text packed, size_t most, text *plain_out)
{
	int result = unpacker.is_made ? inflateReset(&unpacker.stream) :
	    inflateInit2(&unpacker.stream, -LARGEST_WINDOW);
	enum unpacking unpacking;
	size_t done = 0;

	must(result == Z_OK && most < UINT_MAX / 2 &&
	    packed.len < UINT_MAX / 2);
	unpacker.is_made = true;
	unpacking = unpack_all(packed, most, &done);
	if (unpacking == UNPACKED)
		*plain_out = text_from(unpacker.out, done);
	return (unpacking);
}

void
deflate_message_end(void)
{
	if (packer.is_made)
		deflateEnd(&packer.stream);
	if (unpacker.is_made)
		inflateEnd(&unpacker.stream);
	mem_free(packer.out);
	mem_free(unpacker.out);
	packer = unpacker = (struct half){ .is_made = false };
}
