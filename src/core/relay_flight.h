/* SPDX-License-Identifier: MIT */
/*
 * What a relay has published and Redis has not answered yet, and how far that
 * is for each ring, told in the segment for the relay that comes after it.
 *
 *	 a ring
 *	 ──────────┬────────────┬─────────────
 *	 answered  │ in flight  │  to be read
 *	 ──────────┴────────────┴─────────────
 *	      relay_done	relay_read
 *
 * Holds always:
 *  1. relay_done of a ring moves to behind a record when its publish was
 *     answered, and behind all that was read when nothing is in flight.
 *  2. relay_read never falls: a LIVE record before it was perhaps published,
 *     and is not published again.
 *  3. A sweep that is owed stays owed until it was answered.
 *  4. At most RELAY_FLIGHTS are in flight, and RELAY_FLIGHT_BYTES with what
 *     the last of them goes over it; probes come on top of that.
 *
 *	relay_flights_init(&flights, segment);
 *	if (!relay_flights_are_full(&flights))
 *		relay_flight_begin(&flights, &flight);	... and publish it
 *	relay_flight_end(&flights);	... as answers come in
 *	relay_flights_lose(&flights);	... or never will
 */
#ifndef CORE_RELAY_FLIGHT_H
#define CORE_RELAY_FLIGHT_H

#include "plat/segment.h"

#define RELAY_FLIGHTS		1024
#define RELAY_FLIGHT_BYTES	(1024 * 1024)
#define RELAY_PROBES		8

enum relay_what { RELAY_RECORD, RELAY_SWEEP, RELAY_PROBE };

struct relay_flight {
	enum relay_what	 what;
	unsigned	 slot;		/* of a record: whose ring */
	uint64_t	 at;		/* and the place behind it */
	size_t		 bytes;
};

struct relay_flights {
	struct segment	*segment;
	unsigned	 first;
	unsigned	 count;
	unsigned	 probes;
	size_t		 bytes;
	struct relay_flight flights[RELAY_FLIGHTS + RELAY_PROBES];
};

void	relay_flights_init(struct relay_flights *flights,
	    struct segment *segment);
bool	relay_flights_are_full(const struct relay_flights *flights);
/* Whether there is room again, such that it is worth going on. */
bool	relay_flights_have_room(const struct relay_flights *flights);

/* false, for probes only: too many are on their way. */
bool	relay_flight_begin(struct relay_flights *flights,
	    const struct relay_flight *flight);
/* The oldest was answered. */
struct relay_flight relay_flight_end(struct relay_flights *flights);
/* None will be answered. */
void	relay_flights_lose(struct relay_flights *flights);

/*
 * A sweep that the other hosts are owed stands in the segment until its
 * publish was answered: take says whether one is to be published now.
 */
void	relay_owe_sweep(struct segment *segment);
bool	relay_take_sweep(struct segment *segment);
bool	relay_owes_sweep(const struct segment *segment);

/* Marks a ring as read up to there: whether it had been before. */
bool	relay_mark_read(struct segment *segment, unsigned slot, uint64_t at);
void	relay_mark_done(struct segment *segment, unsigned slot, uint64_t at);

#endif
