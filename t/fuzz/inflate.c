/* SPDX-License-Identifier: MIT */
/*
 * Compressed messages: the first byte is the bound, in 64 bytes. What comes
 * out keeps it, and comes out the same when it is packed again; whatever was
 * broken before, the next message is not.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "plat/deflate_message.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(text plain)
{
	char *copy = malloc(plain.len);
	text packed, again;

	if (plain.len > 0)
		memcpy(copy, plain.at, plain.len);
	packed = deflate_message_pack(text_from(copy, plain.len));
	must(deflate_message_unpack(packed, plain.len, &again) == UNPACKED);
	must(text_is(again, text_from(copy, plain.len)));
	if (plain.len > 0)
		must(deflate_message_unpack(packed, plain.len - 1, &again) ==
		    UNPACK_TOO_LARGE);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const text good = TEXT("\xf2\x48\xcd\xc9\xc9\x07\x00");
	size_t most;
	text plain;

	if (size < 1)
		return (0);
	most = data[0] * (size_t)64;
	if (deflate_message_unpack(text_from((const char *)data + 1, size - 1),
	    most, &plain) == UNPACKED) {
		must(plain.len <= most);
		check_again(plain);
	}
	must(deflate_message_unpack(good, 5, &plain) == UNPACKED);
	must(text_is(plain, TEXT("Hello")));
	return (0);
}
