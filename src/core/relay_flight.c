/* SPDX-License-Identifier: MIT */
/*
 * A queue of what is in flight, and the two cursors of each ring.
 */
#include "core/relay_flight.h"

#define PLACES (RELAY_FLIGHTS + RELAY_PROBES)

/* What the segment says of a sweep. */
enum { SWEEP_NONE, SWEEP_OWED, SWEEP_SENT };

void
relay_flights_init(struct relay_flights *flights, struct segment *segment)
{
	*flights = (struct relay_flights){ .segment = segment };
}

static unsigned
without_probes(const struct relay_flights *flights)
{
	return (flights->count - flights->probes);
}

bool
relay_flights_are_full(const struct relay_flights *flights)
{
	return (without_probes(flights) >= RELAY_FLIGHTS ||
	    flights->bytes >= RELAY_FLIGHT_BYTES);
}

bool
relay_flights_have_room(const struct relay_flights *flights)
{
	return (without_probes(flights) <= RELAY_FLIGHTS / 2 &&
	    flights->bytes <= RELAY_FLIGHT_BYTES / 2);
}

bool
relay_flight_begin(struct relay_flights *flights,
    const struct relay_flight *flight)
{
	if (flight->what == RELAY_PROBE && flights->probes == RELAY_PROBES)
		return (false);
	must(flight->what == RELAY_PROBE || !relay_flights_are_full(flights));
	flights->flights[(flights->first + flights->count++) % PLACES] =
	    *flight;
	flights->probes += flight->what == RELAY_PROBE;
	flights->bytes += flight->bytes;
	return (true);
}

struct relay_flight
relay_flight_end(struct relay_flights *flights)
{
	struct relay_flight flight = flights->flights[flights->first];
	uint32_t sent = SWEEP_SENT;

	must(flights->count > 0);
	flights->first = (flights->first + 1) % PLACES;
	flights->count--;
	flights->probes -= flight.what == RELAY_PROBE;
	flights->bytes -= flight.bytes;
	if (flight.what == RELAY_RECORD)
		relay_mark_done(flights->segment, flight.slot, flight.at);
	/* Another may be owed since. */
	if (flight.what == RELAY_SWEEP)
		atomic_compare_exchange_strong(
		    &flights->segment->relay_owes_sweep, &sent, SWEEP_NONE);
	return (flight);
}

void
relay_flights_lose(struct relay_flights *flights)
{
	uint32_t sent = SWEEP_SENT;

	atomic_compare_exchange_strong(&flights->segment->relay_owes_sweep,
	    &sent, SWEEP_OWED);
	relay_flights_init(flights, flights->segment);
}

void
relay_owe_sweep(struct segment *segment)
{
	atomic_store(&segment->relay_owes_sweep, SWEEP_OWED);
}

bool
relay_take_sweep(struct segment *segment)
{
	uint32_t owed = SWEEP_OWED;

	return (atomic_compare_exchange_strong(&segment->relay_owes_sweep,
	    &owed, SWEEP_SENT));
}

bool
relay_owes_sweep(const struct segment *segment)
{
	return (atomic_load(&segment->relay_owes_sweep) != SWEEP_NONE);
}

bool
relay_mark_read(struct segment *segment, unsigned slot, uint64_t at)
{
	_Atomic uint64_t *read = &segment->slots[slot].relay_read;

	if (atomic_load(read) >= at)
		return (true);
	atomic_store(read, at);
	return (false);
}

void
relay_mark_done(struct segment *segment, unsigned slot, uint64_t at)
{
	atomic_store(&segment->slots[slot].relay_done, at);
}
