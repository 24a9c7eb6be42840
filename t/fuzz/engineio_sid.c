/* SPDX-License-Identifier: MIT */
/*
 * Names of sessions: what is read is of the right length and alphabet, and
 * names a place that a new name of the same place reads back as.
 */
#include <stdint.h>

#include "base/must.h"
#include "transport/engineio_sid.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_of_alphabet(text sid)
{
	for (size_t i = 0; i < sid.len; i++) {
		char c = sid.at[i];

		if ((c < '0' || c > '9') && (c < 'A' || c > 'Z') &&
		    (c < 'a' || c > 'z') && c != '-' && c != '_')
			return (false);
	}
	return (true);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text sid = text_from((const char *)data, size);
	struct engineio_place place, again;
	char made[ENGINEIO_SID_SIZE];
	bool is_right = size == ENGINEIO_SID_LETTERS && is_of_alphabet(sid);

	must(engineio_sid_read(sid, &place) == is_right);
	if (!is_right)
		return (0);
	engineio_sid_make(&place, made);
	must(engineio_sid_read(text_of(made), &again));
	must(engineio_place_is(&place, &again));
	/* The place stands in front, so it is the same letters. */
	must(memcmp(made, data, 6) == 0);
	return (0);
}
