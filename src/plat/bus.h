/* SPDX-License-Identifier: MIT */
/*
 * All rings of the host, as one process reads them: what every other process
 * wrote, its own too, and whom it lost by being too slow.
 *
 * Holds always:
 *  1. Each ring is read in its order; rings overtake each other.
 *  2. A ring whose reader was lapped goes on at its tail, and on_lapped is
 *     told whose it was; nothing else is ever left out.
 *  3. A turn reads at most BUS_MOST records, so that a crowd of news does not
 *     hold up the rest; bus_has_news says that there are more.
 *
 *	bus = bus_create(segment, slot, &acts, me);
 *	... before the loop waits: if (bus_has_news(bus)) bus_read(bus);
 *	bus_destroy(&bus);
 */
#ifndef PLAT_BUS_H
#define PLAT_BUS_H

#include "plat/segment.h"

#define BUS_MOST 4096

struct bus;

struct bus_acts {
	/* Texts are valid until it returns. by: the writer's slot. */
	void	(*on_record)(void *context, unsigned by,
		    const struct ring_record *record);
	void	(*on_lapped)(void *context, unsigned by);
};

/* From now on; own: whether this process's ring is read too. */
struct bus	*bus_create(struct segment *segment, unsigned slot, bool own,
		    const struct bus_acts *acts, void *context);
void		 bus_destroy(struct bus **bus);
bool		 bus_has_news(const struct bus *bus);
void		 bus_read(struct bus *bus);

/* Inside on_record: what comes behind it is left for the next bus_read. */
void	 bus_stop(struct bus *bus);
/*
 * Up to where a slot's ring was read; inside on_record, with that record.
 * Who goes on for another begins at his place.
 */
uint64_t bus_at(const struct bus *bus, unsigned slot);
void	 bus_seek(struct bus *bus, unsigned slot, uint64_t at);

#endif
