/* SPDX-License-Identifier: MIT */
/*
 * A list of spans as an option has it, "5s 5min 30min 2h": one after the
 * other, with blanks between.
 *
 *	struct spans waits;
 *
 *	if (!spans_read(text_of(conf->webhook_schedule), &waits, &why)) ...
 *	for (unsigned i = 0; i < waits.count; i++)
 *		... waits.ms[i] ...
 */
#ifndef BASE_SPANS_H
#define BASE_SPANS_H

#include "base/buf.h"

#define SPANS_MAX	32
#define SPANS_LONGEST_MS 2592000000LL	/* 30 days */

struct spans {
	unsigned	count;
	int64_t		ms[SPANS_MAX];
};

/* false: why has what is wrong. None at all is fine; 0ms is no span. */
bool	spans_read(text written, struct spans *out, struct buf *why);

#endif
