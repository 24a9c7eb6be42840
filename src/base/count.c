/* SPDX-License-Identifier: MIT */
/*
 * The rows of the counters, and a place to count in before there is a
 * segment.
 */
#include "base/count.h"

static struct counts before_the_segment;
struct counts *counts = &before_the_segment;

#define COUNTER(name, text) { #name, text },
#define GAUGE(name, text)
#define HISTOGRAM(name, text)
const struct count_row counter_rows[COUNTERS] = {
#include "tbl/counters.h"
};
#undef COUNTER
#undef GAUGE
#define COUNTER(name, text)
#define GAUGE(name, text) { #name, text },
const struct count_row gauge_rows[GAUGES] = {
#include "tbl/counters.h"
};
#undef GAUGE
#undef HISTOGRAM
#define GAUGE(name, text)
#define HISTOGRAM(name, text) { #name, text },
const struct count_row histogram_rows[HISTOGRAMS] = {
#include "tbl/counters.h"
};
