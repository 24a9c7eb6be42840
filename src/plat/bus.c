/* SPDX-License-Identifier: MIT */
/*
 * A reader for each slot's ring.
 */
#include "plat/bus.h"

#include "base/mem.h"

struct bus {
	unsigned	 magic;
#define BUS_MAGIC 0x62757321
	const struct segment *segment;
	unsigned	 slot;
	bool		 own;
	bool		 is_stopped;
	const struct bus_acts *acts;
	void		*context;
	unsigned	 count;
	unsigned	 next;		/* whose turn it is to be read first */
	struct ring_reader readers[];
};

struct bus *
bus_create(struct segment *segment, unsigned slot, bool own,
    const struct bus_acts *acts, void *context)
{
	unsigned count = segment->slots_count;
	struct bus *bus = object_create_sized(sizeof *bus +
	    count * sizeof bus->readers[0], BUS_MAGIC);

	bus->segment = segment;
	bus->slot = slot;
	bus->own = own;
	bus->acts = acts;
	bus->context = context;
	bus->count = count;
	for (unsigned i = 0; i < count; i++)
		ring_reader_init(&bus->readers[i], segment_ring(segment, i),
		    RING_FROM_TAIL);
	return (bus);
}

void
bus_destroy(struct bus **given)
{
	struct bus *bus = *given;

	*given = NULL;
	if (bus == NULL)
		return;
	object_check(bus, BUS_MAGIC);
	for (unsigned i = 0; i < bus->count; i++)
		ring_reader_fini(&bus->readers[i]);
	object_free(&bus);
}

static bool
is_read(const struct bus *bus, unsigned slot)
{
	return (bus->own || slot != bus->slot);
}

bool
bus_has_news(const struct bus *bus)
{
	for (unsigned i = 0; i < bus->count; i++)
		if (is_read(bus, i) && ring_has_news(&bus->readers[i]))
			return (true);
	return (false);
}

/* At most so many of one ring; those that are left. */
static unsigned
read_ring(struct bus *bus, unsigned slot, unsigned most)
{
	struct ring_record record;

	while (most > 0 && !bus->is_stopped) {
		switch (ring_read(&bus->readers[slot], &record)) {
		case RING_EMPTY:
			return (most);
		case RING_LAPPED:
			bus->acts->on_lapped(bus->context, slot);
			break;
		case RING_GOT:
			if (record.to == RING_TO_ALL ||
			    record.to == bus->slot)
				bus->acts->on_record(bus->context, slot,
				    &record);
			break;
		}
		most--;
	}
	return (0);
}

void
bus_read(struct bus *bus)
{
	unsigned left = BUS_MOST, first = bus->next;

	object_check(bus, BUS_MAGIC);
	bus->is_stopped = false;
	for (unsigned i = 0; i < bus->count && left > 0; i++) {
		unsigned slot = (first + i) % bus->count;

		if (is_read(bus, slot))
			left = read_ring(bus, slot, left);
		/* Who had the last of it goes last the next time. */
		if (left == 0)
			bus->next = (slot + 1) % bus->count;
	}
}

void
bus_stop(struct bus *bus)
{
	bus->is_stopped = true;
}

uint64_t
bus_at(const struct bus *bus, unsigned slot)
{
	must(slot < bus->count);
	return (bus->readers[slot].at);
}

void
bus_seek(struct bus *bus, unsigned slot, uint64_t at)
{
	must(slot < bus->count);
	bus->readers[slot].at = at;
}
