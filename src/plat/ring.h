/* SPDX-License-Identifier: MIT */
/*
 * The event bus inside a host: one ring of records for each process, which
 * it alone writes and every other process reads, in shared memory.
 *
 *	      claim: all before it may be overwritten at any moment
 *	        |
 *	 -------v-------------------------------.----------------
 *	|.......|record|record|record|record|rec|  being written |
 *	 ---------------------------------------^----------------
 *					        |
 *					      tail: all before it is whole
 *
 * Positions are bytes since the ring was made and only rise; the place is
 * position modulo size.
 *
 * Holds always:
 *  1. The writer never waits and never looks at a reader.
 *  2. The writer moves claim past all it will overwrite, then writes, then
 *     moves tail. A reader copies, then looks at claim: what it copied was
 *     whole if its position is still not before claim. Otherwise it was
 *     lapped; it is told so once, and goes on from the tail.
 *  3. A writer killed in mid-record leaves nothing visible. The slot's next
 *     owner goes on from the tail; nothing ever empties a ring.
 *  4. Copies are made of relaxed atomic words, so that what races is
 *     defined, and checked afterwards.
 *  5. A record whose payload is over the limit carries none: `has_payload`
 *     is false, and the reader fetches it by stream and number.
 *  6. What a reader does for one record is bounded by the largest record; a
 *     length read from the ring is believed only within bounds. Whatever
 *     bytes a ring holds, a reader stays inside it and comes to its end;
 *     what is no record is told as a lap.
 *  7. A reader never writes to the ring, so that it may be mapped read-only.
 *
 * Writer (one process):
 *	ring_writer_init(&writer, ring);
 *	ring_write(&writer, &record);
 * Reader (any process):
 *	ring_reader_init(&reader, ring, RING_FROM_TAIL);
 *	while ((got = ring_read(&reader, &record)) != RING_EMPTY)
 *		if (got == RING_LAPPED) ... resync ... else ... use record ...
 */
#ifndef PLAT_RING_H
#define PLAT_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum ring_kind {
	RING_EVENT = 1,		/* a numbered event of a stream */
	RING_LIVE,		/* an event without a number */
	RING_SWEEP		/* compare heads with the log: the payload names
				 * a bucket, or is empty for all streams */
};

#define RING_TO_ALL	UINT32_MAX
#define RING_STREAM_MAX	128		/* bytes of a stream's name */
#define RING_EPOCH_MAX	32

struct ring_record {
	enum ring_kind	 kind;
	uint32_t	 generation;	/* of the writer's slot */
	uint32_t	 to;		/* a slot, or RING_TO_ALL */
	int32_t		 tenant;
	uint64_t	 seq;
	int64_t		 told_us;	/* when this host heard of it */
	text		 stream;
	text		 epoch;
	bool		 has_payload;
	text		 payload;
};

/* In shared memory, followed by its bytes. */
struct ring {
	uint64_t			 size;		/* a power of two */
	uint64_t			 payload_max;
	_Alignas(64) _Atomic uint64_t	 claim;
	_Alignas(64) _Atomic uint64_t	 tail;
	_Alignas(64) _Atomic uint64_t	 words[];
};

struct ring_writer {
	struct ring	*ring;
	uint64_t	 claim;
	uint64_t	 tail;
};

struct ring_reader {
	const struct ring	*ring;
	uint64_t		 size;		/* as it was at the beginning */
	uint64_t		 payload_max;
	uint64_t		 at;
	uint64_t		*copy;		/* of the last record */
	size_t			 copy_size;
};

enum ring_got { RING_EMPTY, RING_GOT, RING_LAPPED };

/* Bytes that a ring takes; size is a power of two, RING_SIZE_MIN at least. */
#define RING_SIZE_MIN	4096
size_t	ring_footprint(size_t size);
/*
 * Memory of ring_footprint(size) zero bytes, once, before any process uses
 * it. A payload_max over a quarter of the ring counts as that quarter.
 */
void	ring_init(struct ring *ring, size_t size, size_t payload_max);

/* Goes on from the tail, whatever became of the one who wrote before. */
void	ring_writer_init(struct ring_writer *writer, struct ring *ring);
void	ring_write(struct ring_writer *writer,
	    const struct ring_record *record);

/* From a position that a reader stood at, or from the tail. */
#define RING_FROM_TAIL	UINT64_MAX
void	ring_reader_init(struct ring_reader *reader, const struct ring *ring,
	    uint64_t from);
void	ring_reader_fini(struct ring_reader *reader);
/*
 * The record is set only where it was got; its texts are valid until the
 * next call with this reader.
 */
enum ring_got ring_read(struct ring_reader *reader,
	    struct ring_record *record_out);
bool	ring_has_news(const struct ring_reader *reader);

#endif
