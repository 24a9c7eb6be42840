/* SPDX-License-Identifier: MIT */
/*
 * Each word is read as an option of that kind would be.
 */
#include "base/spans.h"

#include "base/conf_kind.h"

bool
spans_read(text written, struct spans *out, struct buf *why)
{
	static const struct option_row row = { .kind = CONF_span,
	    .value = "1s", .min = 1, .max = SPANS_LONGEST_MS };
	text word;

	out->count = 0;
	while (text_next_word(&written, &word)) {
		if (out->count == SPANS_MAX) {
			buf_printf(why, "has more than %d spans", SPANS_MAX);
			return (false);
		}
		if (!conf_kind_read(&row, word, &out->ms[out->count], why))
			return (false);
		out->count++;
	}
	return (true);
}
