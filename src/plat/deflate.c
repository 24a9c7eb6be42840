/* SPDX-License-Identifier: MIT */
/*
 * gzip of one buffer in one step.
 */
#include "plat/deflate.h"

#include <limits.h>
#include <zlib.h>

#define LEVEL 5
#define WINDOW_OF_GZIP (15 + 16)	/* zlib's way of asking for it */
#define MEMORY_LEVEL 8

static z_stream stream;
static bool is_made;

static void
make_ready(void)
{
	int result = is_made ? deflateReset(&stream) : deflateInit2(&stream,
	    LEVEL, Z_DEFLATED, WINDOW_OF_GZIP, MEMORY_LEVEL,
	    Z_DEFAULT_STRATEGY);

	must(result == Z_OK);
	is_made = true;
}

struct bytes *
deflate_to_gzip(text plain)
{
	struct bytes *packed;

	must(plain.len <= UINT_MAX / 2);
	make_ready();
	packed = bytes_create(deflateBound(&stream, plain.len));
	stream.next_in = (unsigned char *)(uintptr_t)plain.at;
	stream.avail_in = (unsigned)plain.len;
	stream.next_out = (unsigned char *)packed->at;
	stream.avail_out = (unsigned)packed->len;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		must_never("zlib keeps within its own bound");
	packed->len = (size_t)stream.total_out;
	return (packed);
}

void
deflate_end(void)
{
	if (is_made)
		deflateEnd(&stream);
	is_made = false;
}
