/* SPDX-License-Identifier: MIT */
/*
 * Moments as clients write them: ISO 8601 with Z or an offset, or without
 * either, which is UTC.
 *
 *	2026-03-15T20:30:00Z	     2026-03-15T20:30:00.123456+05:30
 *	2026-03-15T20:30-0800	     2026-03-15 20:30:00
 *
 * Holds always:
 *  1. What passes is a day that there was and a time that a clock shows,
 *     between 1970 and the end of 9999 in UTC.
 *  2. What is beyond milliseconds is cut off.
 *
 *	int64_t moment;
 *	char written[STAMP_SIZE];
 *
 *	if (!moment_read(given, &moment)) ...
 *	stamp_write(moment, written);
 */
#ifndef BASE_MOMENT_H
#define BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Milliseconds since 1970; false: it is none. */
bool	moment_read(text t, int64_t *stamp_out);

#endif
