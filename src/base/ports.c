/* SPDX-License-Identifier: MIT */
/*
 * Ranges of ports, read anew at each question: a list is short, and who asks
 * is about to open a connection.
 */
#include "base/ports.h"

static bool
read_range(text word, int64_t *first_out, int64_t *last_out)
{
	text first, last;

	if (!text_cut(word, '-', &first, &last))
		last = first;
	return (text_to_int64(first, 1, UINT16_MAX, first_out) &&
	    text_to_int64(last, 1, UINT16_MAX, last_out));
}

bool
ports_read(text list, text *word_out, const char **why_out)
{
	int64_t first, last;

	while (text_next_word(&list, word_out)) {
		if (!read_range(*word_out, &first, &last))
			*why_out = "is neither a port nor two with - between";
		else if (first > last)
			*why_out = "begins behind its end";
		else
			continue;
		return (false);
	}
	return (true);
}

bool
ports_hold(text list, int64_t port)
{
	int64_t first, last;
	text word;

	while (text_next_word(&list, &word))
		if (read_range(word, &first, &last) && first <= port &&
		    port <= last)
			return (true);
	return (false);
}
