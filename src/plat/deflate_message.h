/* SPDX-License-Identifier: MIT */
/*
 * Compression of single messages (RFC 7692): raw deflate, ended by a sync
 * flush whose tail 00 00 ff ff is left away, each message by itself.
 *
 * Holds always:
 *  1. No message leans on another, so that one compressed once serves every
 *     connection, and no connection keeps any state.
 *  2. What is packed reaches back at most 2^DEFLATE_MESSAGE_BITS bytes.
 *  3. Unpacking stops at its bound: a bomb costs no more than that.
 *  4. One compressor, one decompressor and one buffer of each for the whole
 *     process, made at the first use. What is handed out stands until the
 *     next call of the same function.
 *
 *	packed = deflate_message_pack(plain);
 *	switch (deflate_message_unpack(packed, most, &plain)) ...
 */
#ifndef PLAT_DEFLATE_MESSAGE_H
#define PLAT_DEFLATE_MESSAGE_H

#include "base/text.h"

#define DEFLATE_MESSAGE_BITS 12

enum unpacking { UNPACKED, UNPACK_BROKEN, UNPACK_TOO_LARGE };

text	deflate_message_pack(text plain);
enum unpacking deflate_message_unpack(text packed, size_t most,
	    text *plain_out);

/* Frees what is kept, so that a leak checker is content. */
void	deflate_message_end(void);

#endif
