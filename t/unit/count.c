/* SPDX-License-Identifier: MIT */
/*
 * Counters, gauges, histograms, and the rows that name them.
 */
#include "base/count.h"

#include "tap.h"

static struct counts place;

static void
test_counting(void)
{
	test("counted in the private place first, then where one is told");
	COUNT(requests);
	COUNT_BY(requests, 4);
	is(counts->counters[COUNTER_requests], 5);
	counts = &place;
	COUNT(requests);
	is(place.counters[COUNTER_requests], 1);
	is(place.counters[COUNTER_requests_2xx], 0);
	COUNT_BY(log_bytes, (uint64_t)1 << 40);
	ok(place.counters[COUNTER_log_bytes] == (uint64_t)1 << 40);

	test("a gauge rises and falls");
	GAUGE_SET(connections_open, 3);
	GAUGE_ADD(connections_open, 2);
	GAUGE_ADD(connections_open, -7);
	is(GAUGE_GET(connections_open), -2);
	is(place.gauges[GAUGE_draining], 0);
}

static void
test_histogram(void)
{
	static const struct {
		uint64_t	us;
		unsigned	bucket;
	} cases[] = { { 0, 0 }, { 1, 0 }, { 2, 1 }, { 3, 2 }, { 4, 2 },
	    { 5, 3 }, { 1024, 10 }, { 1025, 11 }, { 1 << 26, 26 },
	    { (1 << 26) + 1, 27 }, { 1ULL << 40, 27 },
	    { UINT64_MAX / 2, 27 } };
	struct histogram_counts *histogram =
	    &place.histograms[HISTOGRAM_request];

	test("bucket i has what is at most 2^i, the last all else");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		*histogram = (struct histogram_counts){ .sum = 10 };
		HISTOGRAM_ADD(request, cases[i].us);
		ok(histogram->sum == 10 + cases[i].us);
		for (unsigned j = 0; j < HISTOGRAM_BUCKETS; j++)
			is(histogram->buckets[j], j == cases[i].bucket);
	}
}

static void
test_rows(void)
{
	test("every row has its name and text, at its own place");
	for (unsigned i = 0; i < COUNTERS; i++)
		ok(counter_rows[i].name != NULL &&
		    counter_rows[i].text != NULL);
	for (unsigned i = 0; i < GAUGES; i++)
		ok(gauge_rows[i].name != NULL && gauge_rows[i].text != NULL);
	for (unsigned i = 0; i < HISTOGRAMS; i++)
		ok(histogram_rows[i].name != NULL &&
		    histogram_rows[i].text != NULL);
	is_text(counter_rows[COUNTER_requests].name, "requests");
	is_text(gauge_rows[GAUGE_beat_ms].name, "beat_ms");
	is_text(histogram_rows[HISTOGRAM_request].name, "request");
}

int
main(void)
{
	test_counting();
	test_histogram();
	test_rows();
	return (done());
}
