/* SPDX-License-Identifier: MIT */
/*
 * Compression of whole buffers (zlib), for answers.
 *
 * Holds always:
 *  1. The same bytes in give the same bytes out, so that a tag may stand
 *     for both.
 *  2. The compressor's state is made once for the process and kept.
 *
 *	struct bytes *packed = deflate_to_gzip(body);
 *	... packed->at, packed->len ...
 *	bytes_give(&packed);
 */
#ifndef PLAT_DEFLATE_H
#define PLAT_DEFLATE_H

#include "base/mem.h"
#include "base/text.h"

struct bytes *deflate_to_gzip(text plain);

/* Frees what is kept, so that a leak checker is content. */
void	deflate_end(void);

#endif
