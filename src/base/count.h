/* SPDX-License-Identifier: MIT */
/*
 * Counting: rows of tbl/counters.h, each process in its own place of the
 * shared segment, summed by who reads.
 *
 * Holds always:
 *  1. A process writes only its own counts, so plain loads and stores do.
 *  2. A counter's place goes on counting under the slot's next owner, so
 *     sums never fall; gauges are zeroed when a slot is voided.
 *
 *	COUNT(requests);  COUNT_BY(log_bytes, n);
 *	GAUGE_SET(draining, 1);  GAUGE_ADD(connections_open, -1);
 *	HISTOGRAM_ADD(request, microseconds);
 */
#ifndef BASE_COUNT_H
#define BASE_COUNT_H

#include <stdatomic.h>
#include <stdint.h>

enum counter {
#define COUNTER(name, text) COUNTER_##name,
#define GAUGE(name, text)
#define HISTOGRAM(name, text)
#include "tbl/counters.h"
	COUNTERS
#undef COUNTER
#undef GAUGE
};
enum gauge {
#define COUNTER(name, text)
#define GAUGE(name, text) GAUGE_##name,
#include "tbl/counters.h"
	GAUGES
#undef GAUGE
#undef HISTOGRAM
};
enum histogram {
#define GAUGE(name, text)
#define HISTOGRAM(name, text) HISTOGRAM_##name,
#include "tbl/counters.h"
	HISTOGRAMS
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

/* Bucket i counts what is at most 2^i microseconds; the last, all else. */
#define HISTOGRAM_BUCKETS 28

struct histogram_counts {
	_Atomic uint64_t	sum;
	_Atomic uint64_t	buckets[HISTOGRAM_BUCKETS];
};

struct counts {
	_Atomic uint64_t	counters[COUNTERS];
	_Atomic int64_t		gauges[GAUGES];
	struct histogram_counts	histograms[HISTOGRAMS];
};

struct count_row {
	const char	*name;
	const char	*text;
};
extern const struct count_row counter_rows[COUNTERS];
extern const struct count_row gauge_rows[GAUGES];
extern const struct count_row histogram_rows[HISTOGRAMS];

/* This process's place; until it is set, a private one is counted in. */
extern struct counts *counts;

#define COUNT(name)		COUNT_BY(name, 1)
#define COUNT_BY(name, n)						\
	count_add(&counts->counters[COUNTER_##name], (uint64_t)(n))
#define GAUGE_SET(name, n)						\
	atomic_store_explicit(&counts->gauges[GAUGE_##name],		\
	    (int64_t)(n), memory_order_relaxed)
#define GAUGE_ADD(name, n)						\
	GAUGE_SET(name, GAUGE_GET(name) + (n))
#define GAUGE_GET(name)							\
	atomic_load_explicit(&counts->gauges[GAUGE_##name],		\
	    memory_order_relaxed)
#define HISTOGRAM_ADD(name, us)						\
	histogram_add(&counts->histograms[HISTOGRAM_##name],		\
	    (uint64_t)(us))

static inline void
count_add(_Atomic uint64_t *place, uint64_t n)
{
	atomic_store_explicit(place, atomic_load_explicit(place,
	    memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void
histogram_add(struct histogram_counts *histogram, uint64_t us)
{
	unsigned i = us <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(us - 1);

	if (i >= HISTOGRAM_BUCKETS)
		i = HISTOGRAM_BUCKETS - 1;
	count_add(&histogram->buckets[i], 1);
	count_add(&histogram->sum, us);
}

#endif
