/* SPDX-License-Identifier: MIT */
/*
 * The answer to a WebSocket's handshake: however it is cut, what is told is
 * told at the same byte, and only of a head that is whole.
 */
#include <stdint.h>

#include "base/must.h"
#include "jobs/dial_handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text all = text_from((const char *)data, size);
	struct handshake_answer answer, early;
	enum handshake end = handshake_read(all, KEY, "ecast-v0", &answer);

	must(answer.head_len <= size);
	if (end == HANDSHAKE_NEEDS_MORE)
		must(size <= HANDSHAKE_MAX && answer.head_len == 0);
	else if (end == HANDSHAKE_BROKEN)
		must(answer.words != NULL);
	else {
		must(answer.head_len > 0 && answer.body_len >= -1 &&
		    answer.retry_after_s >= 0);
		must((end == HANDSHAKE_UPGRADED) == (answer.status == 101));
		must(handshake_read(text_from(all.at, answer.head_len), KEY,
		    "ecast-v0", &early) == end);
		must(early.head_len == answer.head_len);
		must(handshake_read(text_from(all.at, answer.head_len - 1),
		    KEY, "ecast-v0", &early) == HANDSHAKE_NEEDS_MORE ||
		    answer.head_len > HANDSHAKE_MAX);
	}
	return (0);
}
