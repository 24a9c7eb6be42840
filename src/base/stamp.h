/* SPDX-License-Identifier: MIT */
/*
 * Time: the wall clock as milliseconds since 1970 (UTC) and as text; the
 * monotonic clock for everything that waits.
 */
#ifndef BASE_STAMP_H
#define BASE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define STAMP_SIZE sizeof("2026-03-15T19:00:00.000Z")

int64_t	stamp_now(void);		/* wall clock, milliseconds */
int64_t	clock_ms(void);			/* monotonic, milliseconds */
int64_t	clock_us(void);			/* monotonic, microseconds */

/* ISO 8601, UTC, milliseconds, Z. */
void	stamp_write(int64_t stamp, char out[STAMP_SIZE]);

/* That form alone, from 1970 on; false: it is another. */
bool	stamp_read(text t, int64_t *stamp_out);

#endif
