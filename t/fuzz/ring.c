/* SPDX-License-Identifier: MIT */
/*
 * A reader on a ring that holds anything.
 *
 * The input is a list of commands of one byte and their arguments, so that
 * the fuzzer builds true records and then spoils them: a length's check is
 * not to be found by chance.
 *
 *	w shape seq	write a record, its lengths taken from shape
 *	s place word	overwrite a word of the ring
 *	l at length	put a length there that is checked as right
 *	c word		set claim		t word	set tail
 *	f word		begin to read there
 *	b …		fill the ring with the rest of the input
 *
 * After each command the reader reads until there is nothing more. The ring
 * lies in a block of its exact size, so a sanitizer sees any step outside.
 */
#include "plat/ring.c"

#define SIZE	RING_SIZE_MIN
#define MOST	512

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct input {
	const uint8_t	*at;
	size_t		 left;
};

static uint64_t
take_number(struct input *input, size_t bytes)
{
	uint64_t number = 0;

	for (; bytes > 0 && input->left > 0; bytes--, input->left--)
		number = number << 8 | *input->at++;
	return (number);
}

static void
write_record(struct ring *ring, struct input *input)
{
	static const char bytes[MOST * 2];
	uint64_t shape = take_number(input, 4);
	struct ring_record record = {
		.kind = RING_EVENT + shape % 3,
		.to = shape & 8 ? RING_TO_ALL : 3,
		.seq = take_number(input, 1),
		.stream = text_from(bytes, shape >> 8 & 127),
		.epoch = text_from(bytes, shape >> 15 & 31),
		.has_payload = (shape & 4) != 0,
		.payload = text_from(bytes, shape >> 20 & (2 * MOST - 1)),
	};
	struct ring_writer writer;

	/* A tail that was spoiled is our own bug to a writer. */
	if (atomic_load(&ring->tail) % 8 != 0)
		return;
	ring_writer_init(&writer, ring);
	ring_write(&writer, &record);
}

/* Looks at every byte; what is seen goes where no compiler can leave it out. */
static void
look_at(text t)
{
	static volatile char seen;

	for (size_t i = 0; i < t.len; i++)
		seen = t.at[i];
	(void)seen;
}

static void
read_all(struct ring_reader *reader)
{
	struct ring_record record;
	unsigned reads = 0;
	enum ring_got got;

	while ((got = ring_read(reader, &record)) != RING_EMPTY) {
		must(++reads <= SIZE / HEADER_SIZE + 1);
		must(reader->copy_size <= 2 * record_max(MOST));
		must(reader->at <= atomic_load(&reader->ring->tail));
		if (got == RING_LAPPED)
			continue;
		must(record.kind >= RING_EVENT && record.kind <= RING_SWEEP);
		must(record.stream.len <= RING_STREAM_MAX);
		must(record.epoch.len <= RING_EPOCH_MAX);
		must(record.payload.len <= MOST);
		must(record.has_payload || record.payload.len == 0);
		look_at(record.stream);
		look_at(record.epoch);
		look_at(record.payload);
	}
	must(!ring_has_news(reader));
}

static void
fill(struct ring *ring, struct input *input)
{
	for (size_t i = 0; i < SIZE / 8 && input->left > 0; i++)
		atomic_store(&ring->words[i], take_number(input, 8));
}

static void
obey(struct ring *ring, struct ring_reader *reader, struct input *input)
{
	uint64_t place;

	switch (take_number(input, 1)) {
	case 'w':
		write_record(ring, input);
		break;
	case 's':
		place = take_number(input, 2) % (SIZE / 8);
		atomic_store(&ring->words[place], take_number(input, 8));
		break;
	case 'l':
		place = take_number(input, 8);
		atomic_store(&ring->words[place % SIZE / 8],
		    length_word(place, take_number(input, 2)));
		break;
	case 'c':
		atomic_store(&ring->claim, take_number(input, 8));
		break;
	case 't':
		atomic_store(&ring->tail, take_number(input, 8));
		break;
	case 'f':
		ring_reader_fini(reader);
		ring_reader_init(reader, ring, take_number(input, 8));
		break;
	case 'b':
		fill(ring, input);
		break;
	default:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input input = { data, len };
	struct ring *ring = aligned_alloc(64, ring_footprint(SIZE));
	struct ring_reader reader;

	memset(ring, 0, ring_footprint(SIZE));
	ring_init(ring, SIZE, MOST);
	ring_reader_init(&reader, ring, 0);
	while (input.left > 0) {
		obey(ring, &reader, &input);
		read_all(&reader);
	}
	ring_reader_fini(&reader);
	free(ring);
	return (0);
}
