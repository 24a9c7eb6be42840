/* SPDX-License-Identifier: MIT */
/*
 * What is in flight to Redis: its bounds, and the cursors that the next relay
 * finds.
 */
#include "core/relay_flight.h"

#include <unistd.h>

#include "tap.h"

static struct segment *segment;
static struct relay_flights flights;

static bool
record(unsigned slot, uint64_t at, size_t bytes)
{
	struct relay_flight flight = { RELAY_RECORD, slot, at, bytes };

	return (relay_flight_begin(&flights, &flight));
}

static bool
other(enum relay_what what)
{
	struct relay_flight flight = { .what = what };

	return (relay_flight_begin(&flights, &flight));
}

static uint64_t
done_of(unsigned slot)
{
	return (atomic_load(&segment->slots[slot].relay_done));
}

static void
test_cursors(void)
{
	test("a cursor moves with the answer, in the order of publishing");
	ok(record(1, 100, 10));
	ok(record(2, 50, 10));
	ok(record(1, 200, 10));
	is(done_of(1), 0);
	is(relay_flight_end(&flights).at, 100);
	is(done_of(1), 100);
	is(done_of(2), 0);
	relay_flight_end(&flights);
	is(done_of(2), 50);
	is(done_of(1), 100);
	relay_flight_end(&flights);
	is(done_of(1), 200);
	is(flights.count, 0);
	is(flights.bytes, 0);

	test("what is lost leaves the cursor where it was");
	ok(record(1, 300, 10));
	ok(record(1, 400, 10));
	relay_flight_end(&flights);
	relay_flights_lose(&flights);
	is(done_of(1), 300);
	is(flights.count, 0);

	test("what was read stays read");
	ok(!relay_mark_read(segment, 1, 400));
	ok(relay_mark_read(segment, 1, 400));
	ok(relay_mark_read(segment, 1, 350));
	ok(!relay_mark_read(segment, 1, 401));
	is(atomic_load(&segment->slots[1].relay_read), 401);
	ok(!relay_mark_read(segment, 2, 8));
}

static void
test_bounds(void)
{
	test("so many and no more, and probes on top");
	for (unsigned i = 0; i < RELAY_FLIGHTS; i++) {
		ok(!relay_flights_are_full(&flights));
		ok(record(3, i, 0));
	}
	ok(relay_flights_are_full(&flights));
	for (unsigned i = 0; i < RELAY_PROBES; i++)
		ok(other(RELAY_PROBE));
	ok(!other(RELAY_PROBE));
	is(relay_flight_end(&flights).what, RELAY_RECORD);
	ok(!relay_flights_are_full(&flights));
	ok(!relay_flights_have_room(&flights));

	test("around the end of the queue, in order");
	for (uint64_t i = 1; i < 5000; i++) {
		struct relay_flight flight;

		ok(record(3, RELAY_FLIGHTS - 1 + i, 1));
		flight = relay_flight_end(&flights);
		while (flight.what == RELAY_PROBE)
			flight = relay_flight_end(&flights);
		ok(flight.what == RELAY_RECORD);
	}
	ok(other(RELAY_PROBE));
	relay_flights_lose(&flights);
	is(flights.probes, 0);

	test("so many bytes, and the one that goes over");
	ok(record(3, 1, RELAY_FLIGHT_BYTES - 1));
	ok(!relay_flights_are_full(&flights));
	ok(record(3, 2, 1000000));
	ok(relay_flights_are_full(&flights));
	relay_flight_end(&flights);
	ok(!relay_flights_are_full(&flights));
	ok(!relay_flights_have_room(&flights));
	relay_flight_end(&flights);
	ok(relay_flights_have_room(&flights));
}

static void
test_sweeps(void)
{
	test("a sweep is owed until it is answered");
	ok(!relay_take_sweep(segment));
	relay_owe_sweep(segment);
	relay_owe_sweep(segment);
	ok(relay_take_sweep(segment));
	ok(!relay_take_sweep(segment));
	ok(other(RELAY_SWEEP));
	ok(relay_owes_sweep(segment));
	relay_flight_end(&flights);
	ok(!relay_owes_sweep(segment));

	test("and again where its answer got lost");
	relay_owe_sweep(segment);
	ok(relay_take_sweep(segment));
	ok(other(RELAY_SWEEP));
	relay_flights_lose(&flights);
	ok(relay_take_sweep(segment));
	ok(other(RELAY_SWEEP));

	test("one that is owed meanwhile is another");
	relay_owe_sweep(segment);
	relay_flight_end(&flights);
	ok(relay_owes_sweep(segment));
	ok(relay_take_sweep(segment));
}

static void
test_slots(void)
{
	struct ring_record news = { .kind = RING_SWEEP, .to = RING_TO_ALL };
	struct ring_writer writer;
	int slot = segment_give_slot(segment, ROLE_RELAY, 0);
	int worker = segment_give_slot(segment, ROLE_WORKER, 1);

	test("what a relay wrote is not published by the next");
	ring_writer_init(&writer, segment_ring(segment, (unsigned)slot));
	ring_write(&writer, &news);
	relay_mark_done(segment, (unsigned)slot, 0);
	segment_void_slot(segment, (unsigned)slot);
	is(done_of((unsigned)slot), writer.tail);
	is(atomic_load(&segment->slots[slot].relay_read), writer.tail);

	test("what a worker wrote is");
	ring_writer_init(&writer, segment_ring(segment, (unsigned)worker));
	ring_write(&writer, &news);
	relay_mark_done(segment, (unsigned)worker, 0);
	segment_void_slot(segment, (unsigned)worker);
	is(done_of((unsigned)worker), 0);
}

int
main(void)
{
	int fd;

	segment = segment_create(4, 65536, 1024, &fd);
	must(segment != NULL);
	relay_flights_init(&flights, segment);
	test_cursors();
	test_bounds();
	test_sweeps();
	test_slots();
	segment_unmap(segment);
	close(fd);
	return (done());
}
