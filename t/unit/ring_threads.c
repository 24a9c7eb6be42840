/* SPDX-License-Identifier: MIT */
/*
 * One writer and three readers as threads of one process, for the thread
 * sanitizer: t/local.mk builds it with that, and with the sources it tests
 * instead of the library. Without the sanitizer it checks the contents only.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "plat/ring.h"
#include "tap.h"

#define SIZE	(64 * 1024)
#define MOST	1024
#define RECORDS	100000
#define READERS	3

static struct ring *ring;
static _Atomic bool is_over;
static _Atomic unsigned readers_ready;

struct outcome {
	unsigned	torn;
	unsigned	disordered;
	unsigned	records;
	unsigned	laps;
};

/* Each byte of a record follows from its number. */
static char
byte_of(uint64_t seq, size_t i)
{
	return ((char)(seq * 7 + i));
}

static void
write_all(void)
{
	struct ring_writer writer;
	char payload[MOST];

	ring_writer_init(&writer, ring);
	for (uint64_t seq = 1; seq <= RECORDS; seq++) {
		size_t len = seq * 37 % MOST;

		for (size_t i = 0; i < len; i++)
			payload[i] = byte_of(seq, i);
		ring_write(&writer, &(struct ring_record){
		    .kind = RING_EVENT, .seq = seq, .stream = TEXT("lobby"),
		    .has_payload = true,
		    .payload = text_from(payload, len) });
		if (seq % 16 == 0)
			sched_yield();
	}
	atomic_store(&is_over, true);
}

static void *
read_all(void *context)
{
	struct outcome *outcome = context;
	struct ring_reader reader;
	struct ring_record record;
	uint64_t last = 0;
	bool was_lapped = false, was_over;
	enum ring_got got;

	ring_reader_init(&reader, ring, 0);
	atomic_fetch_add(&readers_ready, 1);
	do {
		was_over = atomic_load(&is_over);
		while ((got = ring_read(&reader, &record)) != RING_EMPTY) {
			if (got == RING_LAPPED) {
				outcome->laps++;
				was_lapped = true;
				continue;
			}
			outcome->records++;
			for (size_t i = 0; i < record.payload.len; i++)
				if (record.payload.at[i] !=
				    byte_of(record.seq, i)) {
					outcome->torn++;
					break;
				}
			if (was_lapped ? record.seq <= last :
			    record.seq != last + 1)
				outcome->disordered++;
			last = record.seq;
			was_lapped = false;
		}
		if (!was_lapped && was_over && last != RECORDS)
			outcome->disordered++;
		sched_yield();
	} while (!was_over);
	ring_reader_fini(&reader);
	return (NULL);
}

int
main(void)
{
	struct outcome outcomes[READERS] = { { 0 } };
	pthread_t threads[READERS];

	ring = aligned_alloc(64, ring_footprint(SIZE));
	memset(ring, 0, ring_footprint(SIZE));
	ring_init(ring, SIZE, MOST);

	test("readers beside the writer: whole, in order, no data race");
	for (unsigned i = 0; i < READERS; i++)
		ok(pthread_create(&threads[i], NULL, read_all,
		    &outcomes[i]) == 0);
	while (atomic_load(&readers_ready) < READERS)
		sched_yield();
	write_all();
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		is(outcomes[i].torn, 0);
		is(outcomes[i].disordered, 0);
		ok(outcomes[i].records > 0);
		printf("# reader %u: %u records, %u laps\n", i,
		    outcomes[i].records, outcomes[i].laps);
	}
	free(ring);
	return (done());
}
