/* SPDX-License-Identifier: MIT */
/*
 * The ring's invariants, one by one. ring.c itself is included, so that the
 * writer can be let loose between any two looks of a reader.
 */
#include <sys/mman.h>

static void looked(void);
#define RING_LOOKED() looked()
#include "plat/ring.c"

#include "base/secret.h"
#include "tap.h"

#define SIZE	4096
#define MOST	1024		/* bytes of payload */

static unsigned looks;
static unsigned act_at;		/* the look at which act is called; 0: never */
static void (*act)(void);

static void
looked(void)
{
	if (++looks == act_at)
		act();
}

static struct ring *
ring_create(void)
{
	struct ring *ring = mmap(NULL, ring_footprint(SIZE),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(ring != MAP_FAILED);
	ring_init(ring, SIZE, MOST);
	return (ring);
}

static void
ring_destroy(struct ring *ring)
{
	munmap(ring, ring_footprint(SIZE));
}

/* The ring, writer and reader of the test at hand. */
static struct ring *ring;
static struct ring_writer writer;
static struct ring_reader reader;
static struct ring_record got;

static void
begin(const char *name)
{
	test(name);
	ring = ring_create();
	ring_writer_init(&writer, ring);
	ring_reader_init(&reader, ring, 0);
}

static void
end(void)
{
	ring_reader_fini(&reader);
	ring_destroy(ring);
}

/* Bytes that tell whose they are. */
static text
bytes_for(uint64_t seq, size_t len)
{
	static char bytes[2 * SIZE];

	must(len <= sizeof bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(seq * 31 + i * 7 + i / 256);
	return (text_from(bytes, len));
}

static void
write_seq(uint64_t seq, size_t payload)
{
	ring_write(&writer, &(struct ring_record){ .kind = RING_EVENT,
	    .to = RING_TO_ALL, .seq = seq, .stream = TEXT("lobby"),
	    .has_payload = true, .payload = bytes_for(seq, payload) });
}

/* Whether the record is the one that write_seq wrote, to the last byte. */
static bool
is_whole(const struct ring_record *record)
{
	return (record->kind == RING_EVENT && record->to == RING_TO_ALL &&
	    text_is(record->stream, TEXT("lobby")) &&
	    record->epoch.len == 0 && record->has_payload &&
	    text_is(record->payload,
	    bytes_for(record->seq, record->payload.len)));
}

static void
test_records_arrive_as_written(void)
{
	char epoch[RING_EPOCH_MAX], stream[RING_STREAM_MAX];

	begin("a record arrives as it was written");
	is(ring_read(&reader, &got), RING_EMPTY);
	ok(!ring_has_news(&reader));
	memset(epoch, 'e', sizeof epoch);
	memset(stream, 's', sizeof stream);
	ring_write(&writer, &(struct ring_record){ .kind = RING_LIVE,
	    .generation = 0xfffffffe, .to = 63, .tenant = -7,
	    .seq = 0x8000000000000001, .stream = text_from(stream,
	    sizeof stream), .epoch = text_from(epoch, sizeof epoch),
	    .has_payload = true, .payload = TEXT("{\"a\":1}") });
	ok(ring_has_news(&reader));
	is(ring_read(&reader, &got), RING_GOT);
	is(got.kind, RING_LIVE);
	is(got.generation, 0xfffffffe);
	is(got.to, 63);
	is(got.tenant, -7);
	ok(got.seq == 0x8000000000000001);
	is_text(got.stream, text_from(stream, sizeof stream));
	is_text(got.epoch, text_from(epoch, sizeof epoch));
	ok(got.has_payload);
	is_text(got.payload, "{\"a\":1}");
	is(ring_read(&reader, &got), RING_EMPTY);
	ok(!ring_has_news(&reader));
	end();
}

static void
test_lengths(void)
{
	static const struct {
		size_t	len;
		bool	is_carried;
	} cases[] = { { 0, true }, { 1, true }, { 7, true }, { 8, true },
	    { 9, true }, { MOST - 1, true }, { MOST, true },
	    { MOST + 1, false }, { SIZE, false }, { 2 * SIZE, false } };

	begin("an empty payload is one; one over the limit is left out");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		write_seq(i, cases[i].len);
		is(ring_read(&reader, &got), RING_GOT);
		is(got.seq, i);
		is(got.has_payload, cases[i].is_carried);
		is(got.payload.len, cases[i].is_carried ? cases[i].len : 0);
		ok(!got.has_payload || is_whole(&got));
	}
	ring_write(&writer, &(struct ring_record){ .kind = RING_EVENT,
	    .payload = TEXT("not looked at") });
	is(ring_read(&reader, &got), RING_GOT);
	ok(!got.has_payload);
	is(got.payload.len, 0);
	end();

	begin("a limit over a quarter of the ring counts as that");
	ring_init(ring, SIZE, SIZE);
	ring_reader_init(&reader, ring, 0);
	write_seq(1, SIZE / 4);
	is(ring_read(&reader, &got), RING_GOT);
	ok(got.has_payload && is_whole(&got));
	write_seq(2, SIZE / 4 + 1);
	is(ring_read(&reader, &got), RING_GOT);
	ok(!got.has_payload);
	end();
}

static void
test_every_place(void)
{
	static bool begun_at[SIZE / 8];
	size_t places = 0;

	begin("records go over the end at every place");
	for (uint64_t seq = 0; seq < 20000 && places < SIZE / 8; seq++) {
		size_t place = writer.tail % SIZE / 8;

		places += begun_at[place] ? 0 : 1;
		begun_at[place] = true;
		write_seq(seq, seq % (MOST + 1));
		if (!ok(ring_read(&reader, &got) == RING_GOT) ||
		    !ok(got.seq == seq && is_whole(&got)))
			break;
	}
	is(places, SIZE / 8);
	end();
}

static void
test_lapped(void)
{
	/* 48 + 8 for the stream + 8: 64 records fill the ring exactly. */
	const unsigned fit = SIZE / 64;
	struct ring_reader slow;

	begin("what is just not overwritten is read, all of it");
	for (unsigned i = 0; i < fit; i++)
		write_seq(i, 8);
	is(atomic_load(&ring->claim), 0);
	for (unsigned i = 0; i < fit; i++) {
		is(ring_read(&reader, &got), RING_GOT);
		is(got.seq, i);
		ok(is_whole(&got));
	}
	is(ring_read(&reader, &got), RING_EMPTY);
	end();

	begin("a lapped reader is told once, then goes on from the tail");
	ring_reader_init(&slow, ring, 0);
	for (unsigned i = 0; i < fit + 1; i++)
		write_seq(i, 8);
	got.seq = 4711;
	is(ring_read(&slow, &got), RING_LAPPED);
	is(got.seq, 4711);
	is(ring_read(&slow, &got), RING_EMPTY);
	ok(!ring_has_news(&slow));
	write_seq(100, 16);
	is(ring_read(&slow, &got), RING_GOT);
	is(got.seq, 100);
	/* The same for one who was many rounds behind. */
	for (unsigned i = 0; i < 10 * fit; i++)
		write_seq(i, 8);
	is(ring_read(&slow, &got), RING_LAPPED);
	is(ring_read(&slow, &got), RING_EMPTY);
	ring_reader_fini(&slow);
	end();
}

static void
test_positions(void)
{
	struct ring_reader other;

	begin("a reader begins at the tail or where another stood");
	write_seq(1, 8);
	is(ring_read(&reader, &got), RING_GOT);
	write_seq(2, 8);
	ring_reader_init(&other, ring, reader.at);
	is(ring_read(&other, &got), RING_GOT);
	is(got.seq, 2);
	ring_reader_fini(&other);
	ring_reader_init(&other, ring, RING_FROM_TAIL);
	is(ring_read(&other, &got), RING_EMPTY);
	write_seq(3, 8);
	is(ring_read(&other, &got), RING_GOT);
	is(got.seq, 3);
	ring_reader_fini(&other);
	end();

	begin("a place that is none is told as a lap");
	write_seq(1, 8);
	for (uint64_t from = 0; from < 3 * SIZE; from++) {
		ring_reader_init(&other, ring, from);
		is(ring_read(&other, &got), from == 0 ? RING_GOT :
		    from == writer.tail ? RING_EMPTY : RING_LAPPED);
		is(ring_read(&other, &got), RING_EMPTY);
		ring_reader_fini(&other);
	}
	end();
}

/* Races, played through step by step. */

static void
write_one_more(void)
{
	write_seq(1000, MOST);
}

static void
lap_the_reader(void)
{
	for (unsigned i = 0; i < 10; i++)
		write_seq(1000 + i, MOST);
}

static void
test_overtaken_while_reading(void)
{
	unsigned whole = 0, lapped = 0;

	begin("overtaken between any two looks: whole or lapped, never torn");
	for (unsigned step = 0; step < 2; step++) {
		act = step == 0 ? write_one_more : lap_the_reader;
		for (act_at = 1; act_at < 200; act_at++) {
			enum ring_got how;

			end();
			ring = ring_create();
			ring_writer_init(&writer, ring);
			ring_reader_init(&reader, ring, 0);
			for (unsigned i = 0; i < 3; i++)
				write_seq(i, MOST);
			looks = 0;
			how = ring_read(&reader, &got);
			ok(looks <= MOST / 8 + 20);
			if (how == RING_GOT) {
				whole++;
				ok(got.seq == 0 && is_whole(&got));
			} else {
				lapped++;
				is(how, RING_LAPPED);
				is(reader.at, writer.tail);
			}
		}
	}
	act_at = 0;
	ok(whole > 0 && lapped > 0);
	end();
}

/* Dead writers. */

/*
 * A writer whose payload ends in forbidden memory, so that it dies by the
 * hand of the kernel, in mid-record, after so many bytes of it.
 */
static void
kill_a_writer(size_t after)
{
	pid_t pid = child_start();
	int status;

	if (pid == 0) {
		char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		child_dies_quietly();
		mprotect(page + 4096, 4096, PROT_NONE);
		memset(page, 'X', 4096);
		write_seq(99, 8);
		ring_write(&writer, &(struct ring_record){ .kind = RING_EVENT,
		    .seq = 100, .has_payload = true,
		    .payload = text_from(page + 4096 - after, MOST) });
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid);
	ok(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

static void
test_dead_writer(void)
{
	begin("a writer killed in mid-record leaves nothing visible");
	for (size_t after = 0; after < MOST; after += 256) {
		struct ring_reader late;
		unsigned left = 0;

		for (unsigned i = 0; i < 100; i++)
			write_seq(i, 24);
		ring_reader_init(&reader, ring, writer.tail);
		/* One that stands where the dead one has claimed. */
		ring_reader_init(&late, ring, writer.claim);
		kill_a_writer(after);
		is(ring_read(&reader, &got), RING_GOT);
		is(got.seq, 99);
		is(ring_read(&reader, &got), RING_EMPTY);
		is(ring_read(&late, &got), RING_LAPPED);
		ring_reader_fini(&late);

		/* What is claimed stays claimed under the next owner. */
		uint64_t claimed = atomic_load(&ring->claim);
		ring_writer_init(&writer, ring);
		is(writer.tail, reader.at);
		is(writer.claim, claimed);
		ok(writer.tail - SIZE < claimed);
		write_seq(7, 8);
		is(atomic_load(&ring->claim), claimed);
		is(ring_read(&reader, &got), RING_GOT);
		ok(got.seq == 7 && is_whole(&got));

		/* And what it did not touch can still be read. */
		for (uint64_t at = claimed; at < writer.tail; at += 8) {
			ring_reader_init(&late, ring, at);
			if (ring_read(&late, &got) == RING_GOT) {
				left++;
				ok(is_whole(&got));
			}
			ring_reader_fini(&late);
		}
		ok(left > 20);
		ring_reader_fini(&reader);
	}
	end();

#ifdef WITH_FAULTS
	begin("the fault point kills in mid-record");
	static struct fault_arms arms;
	pid_t pid;
	int status;

	write_seq(1, 8);
	pid = child_start();
	if (pid == 0) {
		child_dies_quietly();
		fault_use(&arms);
		atomic_store(&arms.times[FAULT_ring_writer_dies], 1);
		write_seq(2, 8);
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGABRT);
	is(ring_read(&reader, &got), RING_GOT);
	is(ring_read(&reader, &got), RING_EMPTY);
	ring_writer_init(&writer, ring);
	write_seq(3, 8);
	is(ring_read(&reader, &got), RING_GOT);
	is(got.seq, 3);
	end();
#endif
}

static void
test_any_bytes(void)
{
	begin("whatever bytes a ring holds, a reader comes to its end");
	for (unsigned round = 0; round < 2000; round++) {
		unsigned reads = 0;

		for (unsigned i = 0; i < 20; i++)
			write_seq(i, i * 8);
		secret_fill(&ring->words[round % 512], (SIZE / 8 - round % 512)
		    * 8);
		if (round % 2 == 0) {
			/* A true length before false contents. */
			atomic_store(&ring->words[writer.tail % SIZE / 8],
			    length_word(writer.tail, 40 + round % 64 * 8));
			atomic_store(&ring->tail, writer.tail + SIZE / 2);
		} else
			secret_fill(&ring->tail, 8);
		if (round % 3 == 0)
			secret_fill(&ring->claim, 8);
		ring_reader_init(&reader, ring, round % 5 == 0 ?
		    RING_FROM_TAIL : writer.tail);
		looks = 0;
		while (ring_read(&reader, &got) != RING_EMPTY)
			reads++;
		ok(reads <= SIZE / HEADER_SIZE + 1);
		ok(looks <= 2 * SIZE / 8);
		ring_reader_fini(&reader);
		atomic_store(&ring->tail, writer.tail);
		atomic_store(&ring->claim, writer.claim);
	}
	end();
}

static void
test_read_only(void)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);
	struct ring *writable;
	const struct ring *readable;
	struct ring_reader here;

	test("a reader needs no right to write");
	ok(ftruncate(fd, (off_t)ring_footprint(SIZE)) == 0);
	writable = mmap(NULL, ring_footprint(SIZE), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	readable = mmap(NULL, ring_footprint(SIZE), PROT_READ, MAP_SHARED, fd,
	    0);
	ring_init(writable, SIZE, MOST);
	ring_writer_init(&writer, writable);
	ring_reader_init(&here, readable, RING_FROM_TAIL);
	write_seq(1, 100);
	is(ring_read(&here, &got), RING_GOT);
	ok(is_whole(&got));
	for (unsigned i = 0; i < 100; i++)
		write_seq(1, 100);
	is(ring_read(&here, &got), RING_LAPPED);
	is(ring_read(&here, &got), RING_EMPTY);
	ring_reader_fini(&here);
	munmap(writable, ring_footprint(SIZE));
	munmap((void *)(uintptr_t)readable, ring_footprint(SIZE));
	close(fd);
}

static void
test_counted(void)
{
	uint64_t records, laps;

	begin("records and laps are counted");
	records = counts->counters[COUNTER_ring_records];
	laps = counts->counters[COUNTER_ring_laps];
	for (unsigned i = 0; i < 200; i++)
		write_seq(i, 16);
	is(ring_read(&reader, &got), RING_LAPPED);
	is(ring_read(&reader, &got), RING_EMPTY);
	is(counts->counters[COUNTER_ring_records] - records, 200);
	is(counts->counters[COUNTER_ring_laps] - laps, 1);
	end();
}

static void
write_long_stream(void)
{
	static const char name[RING_STREAM_MAX + 1];

	ring_write(&writer, &(struct ring_record){ .kind = RING_EVENT,
	    .stream = text_from(name, sizeof name) });
}

static void
write_long_epoch(void)
{
	static const char name[RING_EPOCH_MAX + 1];

	ring_write(&writer, &(struct ring_record){ .kind = RING_EVENT,
	    .epoch = text_from(name, sizeof name) });
}

static void
write_no_kind(void)
{
	ring_write(&writer, &(struct ring_record){ .kind = 0 });
}

static void
init_odd_size(void)
{
	ring_init(ring, SIZE + 8, MOST);
}

static void
test_musts(void)
{
	begin("names over their bounds, and no kind, are our bugs");
	ok(aborts(write_long_stream));
	ok(aborts(write_long_epoch));
	ok(aborts(write_no_kind));
	ok(aborts(init_odd_size));
	end();
}

int
main(void)
{
	test_records_arrive_as_written();
	test_lengths();
	test_every_place();
	test_lapped();
	test_positions();
	test_overtaken_while_reading();
	test_dead_writer();
	test_any_bytes();
	test_read_only();
	test_counted();
	test_musts();
	return (done());
}
