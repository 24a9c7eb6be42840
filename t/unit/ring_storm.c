/* SPDX-License-Identifier: MIT */
/*
 * A storm: writers are killed at random moments, thousands of times, while
 * readers in other processes check every record they get.
 *
 *	SEED=n KILLS=n t/unit/ring_storm.t
 *
 * What a reader demands:
 *  1. A record is what its writer wrote, to the last byte: the contents
 *     follow from writer, generation and number.
 *  2. Numbers of a generation follow one another, from 1; only a told lap
 *     excuses a gap, and nothing excuses a number that comes again.
 *  3. Of a dead generation, all that it is known to have written arrived,
 *     and at most the one record more that it was about to note.
 *  4. One call looks at the ring no more often than the largest record has
 *     words, and a few; and it never waits.
 */
#include <sys/mman.h>

static unsigned looks;
#define RING_LOOKED() looks++
#include "plat/ring.c"

#include <sched.h>
#include <time.h>

#include "base/stamp.h"
#include "tap.h"

#define RINGS		2
#define READERS		3
#define SIZE		(256 * 1024)
#define MOST		(16 * 1024)
#define KILLS_MAX	100000
#define LOOKS_MOST	(HEADER_WORDS + (RING_STREAM_MAX + RING_EPOCH_MAX + \
			    MOST) / 8 + 5)

struct tally {
	uint64_t	records;
	uint64_t	laps;
	uint64_t	generations;
	uint64_t	without_payload;
	uint64_t	most_looks;
};

/* Shared by all. written[ring][generation]: the last number it noted. */
static struct storm {
	_Atomic bool		is_over;
	_Atomic uint32_t	is_writing[RINGS];
	_Atomic uint64_t	written[RINGS][KILLS_MAX + 2];
	struct tally		tally[READERS];
} *storm;
static struct ring *rings[RINGS];

static void *
share(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(at != MAP_FAILED);
	return (at);
}

/* splitmix64: the same numbers from the same seed, everywhere. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31);
}

static void
sleep_us(uint64_t us)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)us * 1000 }, NULL);
}

/* What writer, generation and number make of a record; the bytes are lent. */
static void
make_record(unsigned ring, uint32_t generation, uint64_t seq,
    struct ring_record *record_out)
{
	static uint64_t words[MOST / 8 + 2];
	static char stream[RING_STREAM_MAX], epoch[RING_EPOCH_MAX];
	uint64_t state = (uint64_t)ring << 60 ^ (uint64_t)generation << 32 ^
	    seq, dice = next_random(&state);
	size_t len = dice % 8 == 0 ? dice >> 8 & (MOST - 1) :
	    dice % 8 < 4 ? dice >> 8 & 1023 : dice >> 8 & 127;

	if (dice % 64 == 5)
		len = MOST;
	else if (dice % 64 == 6)
		len = MOST + 1;
	for (size_t i = 0; i < (len + 7) / 8; i++)
		words[i] = next_random(&state);
	memset(stream, 'a' + (int)(dice >> 24 & 15), sizeof stream);
	memset(epoch, 'A' + (int)(dice >> 28 & 15), sizeof epoch);
	*record_out = (struct ring_record){
		.kind = seq % 3 == 0 ? RING_LIVE : RING_EVENT,
		.generation = generation, .seq = seq,
		.to = dice % 4 == 0 ? RING_TO_ALL : (uint32_t)dice,
		.tenant = (int32_t)(dice >> 32),
		.stream = text_from(stream, dice >> 40 & 127),
		.epoch = text_from(epoch, dice >> 48 & 31),
		.has_payload = len <= MOST,
		.payload = text_from((const char *)words,
		    len <= MOST ? len : 0),
	};
	if (len > MOST) {
		/* Offered; the ring leaves it out. */
		record_out->has_payload = true;
		record_out->payload.len = len;
	}
}

static _Noreturn void
write_until_killed(unsigned ring, uint32_t generation, uint64_t seed)
{
	struct ring_writer writer;

	ring_writer_init(&writer, rings[ring]);
	for (uint64_t seq = 1;; seq++) {
		struct ring_record record;

		make_record(ring, generation, seq, &record);
		atomic_store(&storm->is_writing[ring], 1);
		ring_write(&writer, &record);
		atomic_store(&storm->written[ring][generation], seq);
		atomic_store(&storm->is_writing[ring], 0);
		if (next_random(&seed) % 256 == 0)
			sleep_us(next_random(&seed) % 200);
	}
}

/* What a reader knows of one ring. */
struct watch {
	struct ring_reader	reader;
	unsigned		ring;
	uint32_t		generation;	/* of the last record */
	uint64_t		seq;
	bool			was_lapped;	/* since */
};

static bool
is_as_written(const struct watch *watch, const struct ring_record *record)
{
	struct ring_record true_one;
	bool is_over;

	make_record(watch->ring, record->generation, record->seq, &true_one);
	is_over = true_one.payload.len > MOST;
	if (is_over)
		true_one.payload.len = 0;
	return (ok(record->kind == true_one.kind) &&
	    ok(record->to == true_one.to) &&
	    ok(record->tenant == true_one.tenant) &&
	    ok(text_is(record->stream, true_one.stream)) &&
	    ok(text_is(record->epoch, true_one.epoch)) &&
	    ok(record->has_payload == !is_over) &&
	    ok(text_is(record->payload, true_one.payload)));
}

/* A generation that ended left no record that we did not get. */
static bool
has_all_of(const struct watch *watch, uint32_t generation, uint64_t seq)
{
	uint64_t written = generation == 0 ? 0 :
	    atomic_load(&storm->written[watch->ring][generation]);

	return (ok(seq == written || seq == written + 1));
}

static bool
is_in_order(const struct watch *watch, const struct ring_record *record)
{
	if (record->generation == watch->generation)
		return (watch->was_lapped ? ok(record->seq > watch->seq) :
		    is(record->seq, watch->seq + 1));
	if (!ok(record->generation > watch->generation))
		return (false);
	if (watch->was_lapped)
		return (true);
	/* Who died before his first record has none. */
	for (uint32_t i = watch->generation + 1; i < record->generation; i++)
		if (!has_all_of(watch, i, 0))
			return (false);
	return (has_all_of(watch, watch->generation, watch->seq) &&
	    is(record->seq, 1));
}

static bool
check_record(struct watch *watch, const struct ring_record *record,
    struct tally *tally)
{
	if (!is_in_order(watch, record) || !is_as_written(watch, record)) {
		fprintf(stderr, "# ring %u, generation %u after %u, seq %llu "
		    "after %llu%s\n", watch->ring, record->generation,
		    watch->generation, (unsigned long long)record->seq,
		    (unsigned long long)watch->seq,
		    watch->was_lapped ? ", lapped" : "");
		return (false);
	}
	tally->records++;
	tally->without_payload += !record->has_payload;
	tally->generations += record->generation != watch->generation;
	watch->generation = record->generation;
	watch->seq = record->seq;
	watch->was_lapped = false;
	return (true);
}

/* The first reader hurries; the others loiter so that they are lapped. */
static void
loiter(unsigned number, uint64_t *seed)
{
	if (number > 0 && next_random(seed) % 128 == 0)
		sleep_us(next_random(seed) % (2000 * number));
}

static void
read_until_over(unsigned number, uint64_t seed)
{
	struct tally *tally = &storm->tally[number];
	struct watch watches[RINGS];
	bool is_over, is_fine = true, is_idle;

	for (unsigned i = 0; i < RINGS; i++) {
		watches[i] = (struct watch){ .ring = i };
		ring_reader_init(&watches[i].reader, rings[i], 0);
	}
	do {
		is_over = atomic_load(&storm->is_over);
		is_idle = true;
		for (unsigned i = 0; i < RINGS; i++) {
			struct ring_record record;
			enum ring_got got;

			/* A turn of each, so that none starves. */
			for (unsigned turn = 0; turn < 64 && is_fine; turn++) {
				looks = 0;
				got = ring_read(&watches[i].reader, &record);
				if (looks > tally->most_looks)
					tally->most_looks = looks;
				if (got == RING_EMPTY)
					break;
				is_idle = false;
				if (got == RING_LAPPED) {
					watches[i].was_lapped = true;
					tally->laps++;
				} else
					is_fine = check_record(&watches[i],
					    &record, tally);
				loiter(number, &seed);
			}
		}
		if (is_idle && !is_over)
			sleep_us(50);
	} while (is_fine && !(is_over && is_idle));
	for (unsigned i = 0; i < RINGS; i++) {
		if (is_fine && !watches[i].was_lapped)
			has_all_of(&watches[i], watches[i].generation,
			    watches[i].seq);
		ring_reader_fini(&watches[i].reader);
	}
}

static pid_t
start_writer(unsigned ring, uint32_t generation, uint64_t seed)
{
	pid_t pid = child_start();

	if (pid == 0)
		write_until_killed(ring, generation, seed);
	return (pid);
}

/* How many of the kills hit a writer at work on a record. */
static unsigned
rage(unsigned kills, uint64_t seed)
{
	pid_t pids[RINGS];
	uint32_t generations[RINGS];
	unsigned at_work = 0;

	for (unsigned i = 0; i < RINGS; i++) {
		generations[i] = 1;
		pids[i] = start_writer(i, 1, next_random(&seed));
	}
	for (unsigned n = 0; n < kills + RINGS; n++) {
		unsigned i = n < kills ? next_random(&seed) % RINGS :
		    n - kills;
		int status;

		if (n < kills)
			sleep_us(next_random(&seed) % 2500);
		must(kill(pids[i], SIGKILL) == 0);
		must(waitpid(pids[i], &status, 0) == pids[i]);
		ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		at_work += atomic_exchange(&storm->is_writing[i], 0);
		/* At the end nobody comes after. */
		if (n < kills)
			pids[i] = start_writer(i, ++generations[i],
			    next_random(&seed));
	}
	return (at_work);
}

static uint64_t
number_from_environment(const char *name, uint64_t otherwise)
{
	const char *string = getenv(name);

	return (string != NULL ? strtoull(string, NULL, 10) : otherwise);
}

int
main(void)
{
	uint64_t seed = number_from_environment("SEED",
	    (uint64_t)clock_us() ^ (uint64_t)getpid() << 40);
	unsigned kills = (unsigned)number_from_environment("KILLS", 3000);
	uint64_t laps = 0;
	unsigned at_work;
	pid_t readers[READERS];
	int64_t began = clock_ms();

	must(kills <= KILLS_MAX);
	printf("# SEED=%llu KILLS=%u\n", (unsigned long long)seed, kills);
	fflush(stdout);
	storm = share(sizeof *storm);
	for (unsigned i = 0; i < RINGS; i++) {
		rings[i] = share(ring_footprint(SIZE));
		ring_init(rings[i], SIZE, MOST);
	}

	test("every record is whole, in order and nothing is left out");
	for (unsigned i = 0; i < READERS; i++) {
		uint64_t its_seed = next_random(&seed);

		readers[i] = child_start();
		if (readers[i] == 0) {
			read_until_over(i, its_seed);
			child_done();
		}
	}
	at_work = rage(kills, seed);
	atomic_store(&storm->is_over, true);
	for (unsigned i = 0; i < READERS; i++)
		ok(child_was_fine(readers[i]));

	test("a reader's work for one record is bounded");
	for (unsigned i = 0; i < READERS; i++) {
		struct tally *tally = &storm->tally[i];

		ok(tally->most_looks <= LOOKS_MOST);
		laps += tally->laps;
		printf("# reader %u: %llu records (%llu without payload) of "
		    "%llu generations, %llu laps, at most %llu looks\n", i,
		    (unsigned long long)tally->records,
		    (unsigned long long)tally->without_payload,
		    (unsigned long long)tally->generations,
		    (unsigned long long)tally->laps,
		    (unsigned long long)tally->most_looks);
	}

	test("it was a storm: deaths in mid-record, laps, long records");
	printf("# %u of %u deaths while a record was written, %lld ms\n",
	    at_work, kills, (long long)(clock_ms() - began));
	ok(at_work >= kills / 20);
	ok(laps > 0);
	for (unsigned i = 0; i < READERS; i++) {
		ok(storm->tally[i].records > kills);
		ok(storm->tally[i].generations > kills / 20);
		ok(storm->tally[i].without_payload > 0);
	}
	return (done());
}
