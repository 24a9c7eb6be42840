/* SPDX-License-Identifier: MIT */
/*
 * Reading all rings of a host: order, whom it is for, and being lapped.
 */
#include "plat/bus.h"

#include <stdio.h>
#include <unistd.h>

#include "base/count.h"
#include "tap.h"

#define SLOTS 4
#define RING_BYTES 65536

static struct segment *segment;
static struct ring_writer writers[SLOTS];
static struct counts counted;

static struct {
	unsigned records;
	unsigned by[SLOTS];
	uint64_t last[SLOTS];
	unsigned lapped;
	bool	 in_order;
	unsigned stop_after;	/* 0: does not stop */
	uint64_t at;		/* behind the last one */
} seen;

static struct bus *reading;

static void
on_record(void *context, unsigned by, const struct ring_record *record)
{
	(void)context;
	seen.records++;
	if (reading != NULL)
		seen.at = bus_at(reading, by);
	if (seen.records == seen.stop_after)
		bus_stop(reading);
	seen.by[by]++;
	seen.in_order = seen.in_order && record->seq > seen.last[by];
	seen.last[by] = record->seq;
}

static void
on_lapped(void *context, unsigned by)
{
	(void)context;
	(void)by;
	seen.lapped++;
}

static const struct bus_acts acts = { on_record, on_lapped };

static void
put(unsigned slot, uint64_t seq, uint32_t to)
{
	struct ring_record record = { .kind = RING_EVENT, .to = to,
	    .tenant = 1, .seq = seq, .stream = TEXT("lobby"),
	    .epoch = TEXT("e"), .has_payload = true,
	    .payload = TEXT("{\"type\":\"x\"}") };

	ring_write(&writers[slot], &record);
}

static void
forget(void)
{
	memset(&seen, 0, sizeof seen);
	seen.in_order = true;
}

int
main(void)
{
	struct bus *bus, *whole;
	int fd;

	counts = &counted;
	segment = segment_create(SLOTS, RING_BYTES, 1024, &fd);
	must(segment != NULL);
	for (unsigned i = 0; i < SLOTS; i++)
		ring_writer_init(&writers[i], segment_ring(segment, i));
	put(0, 1, RING_TO_ALL);

	test("it begins with what comes after it");
	forget();
	bus = bus_create(segment, 1, false, &acts, NULL);
	whole = bus_create(segment, 1, true, &acts, NULL);
	ok(!bus_has_news(bus));
	bus_read(bus);
	is(seen.records, 0);

	test("all rings but one's own, each in its order");
	for (uint64_t seq = 2; seq < 12; seq++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			put(slot, seq, RING_TO_ALL);
	ok(bus_has_news(bus));
	bus_read(bus);
	is(seen.records, 30);
	is(seen.by[1], 0);
	ok(seen.in_order);
	ok(!bus_has_news(bus));

	test("one's own too, where that is wanted");
	forget();
	bus_read(whole);
	is(seen.records, 40);
	is(seen.by[1], 10);

	test("what is for another is left out");
	forget();
	put(0, 20, 2);
	put(0, 21, 1);
	bus_read(bus);
	is(seen.records, 1);
	is(seen.last[0], 21);

	test("a turn has its bound, and whoever had it all goes last then");
	forget();
	bus_read(whole);
	forget();
	for (uint64_t seq = 100; seq < 100 + 300; seq++)
		put(2, seq, RING_TO_ALL);
	bus_read(bus);
	is(seen.records, 300);

	test("too slow: told, and it goes on");
	forget();
	for (uint64_t seq = 1000; seq < 3000; seq++)
		put(3, seq, RING_TO_ALL);
	put(0, 1000, RING_TO_ALL);
	bus_read(bus);
	is(seen.lapped, 1);
	is(seen.by[0], 1);
	is(counts->counters[COUNTER_ring_laps], 1);
	put(3, 3000, RING_TO_ALL);
	bus_read(bus);
	is(seen.last[3], 3000);

	test("stopped, it goes on with the next one, whosever it is");
	forget();
	reading = bus;
	for (uint64_t seq = 4000; seq < 4010; seq++)
		for (unsigned slot = 2; slot < SLOTS; slot++)
			put(slot, seq, RING_TO_ALL);
	seen.stop_after = 3;
	bus_read(bus);
	is(seen.records, 3);
	ok(bus_has_news(bus));
	bus_read(bus);
	is(seen.records, 20);
	ok(seen.in_order);
	ok(!bus_has_news(bus));

	test("another one begins where it stopped");
	forget();
	for (uint64_t seq = 5000; seq < 5004; seq++)
		put(2, seq, RING_TO_ALL);
	seen.stop_after = 2;
	bus_read(bus);
	is(seen.at, bus_at(bus, 2));
	seen.stop_after = 0;
	reading = NULL;
	bus_seek(whole, 2, bus_at(bus, 2));
	for (unsigned slot = 0; slot < SLOTS; slot++)
		if (slot != 2)
			bus_seek(whole, slot,
			    atomic_load(&segment_ring(segment, slot)->tail));
	bus_read(whole);
	is(seen.records, 4);
	is(seen.last[2], 5003);

	bus_destroy(&bus);
	bus_destroy(&whole);
	segment_unmap(segment);
	close(fd);
	return (done());
}
