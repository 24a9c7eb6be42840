/* SPDX-License-Identifier: MIT */
/*
 * A ring of records with one writer that never waits.
 *
 * A record, in words of 64 bits, the place of each being its position modulo
 * the ring's size, so that a record may go over the end:
 *
 *	 -----------------------------------------------------------
 *	| check, length | to, generation | seq | tenant | told | shape |
 *	 -----------------------------------------------------------
 *	| stream … 0 | epoch … 0 | payload … 0 |
 *
 * Length is that of the whole record in bytes; check mixes it with the
 * record's position, so that what an older record left at the same place is
 * not taken for one. Shape has the lengths of the three texts, the kind and
 * whether there is a payload. Each text is filled up to a whole word.
 *
 * Why a reader is never deceived:
 *
 *	writer				reader
 *	W1 claim = c	(relaxed)	R1 at < tail	(acquire)
 *	W2 fence	(release)	R2 copy words	(relaxed)
 *	W3 store words	(relaxed)	R3 fence	(acquire)
 *	W4 tail = t	(release)	R4 claim > at?	(relaxed)
 *
 * R1 that reads what W4 wrote sees all of that record (W4 synchronizes with
 * R1). If R2 copied so much as one word of a later record that overwrites
 * this one, that was stored at a W3 after a W2: the fences W2 and R3 then
 * synchronize, so W1 happens before R4, which sees that claim or a later one
 * and knows. This holds as well for a writer that was killed between W1 and
 * W4, since claim only rises, under the slot's next owner too.
 */
#include "plat/ring.h"

#include <stdlib.h>

#include "base/count.h"
#include "base/fault.h"
#include "base/mem.h"

#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
/* The thread sanitizer cannot follow fences; all that races is atomic. */
#pragma GCC diagnostic ignored "-Wtsan"
#endif

/* A test that counts a reader's looks at the ring puts its own here. */
#ifndef RING_LOOKED
#define RING_LOOKED()	do { } while (0)
#endif

enum { WORD_LENGTH, WORD_TO, WORD_SEQ, WORD_TENANT, WORD_TOLD,
	WORD_SHAPE, HEADER_WORDS };
#define HEADER_SIZE	(HEADER_WORDS * sizeof(uint64_t))

static size_t
whole_words(size_t len)
{
	return ((len + 7) & ~(size_t)7);
}

static uint64_t
record_max(uint64_t payload_max)
{
	return (HEADER_SIZE + RING_STREAM_MAX + RING_EPOCH_MAX +
	    whole_words(payload_max));
}

static uint64_t
length_word(uint64_t at, uint64_t length)
{
	uint64_t mixed = (at ^ length << 32) * 0x9e3779b97f4a7c15;

	return ((mixed & 0xffffffff00000000) | length);
}

size_t
ring_footprint(size_t size)
{
	return (sizeof(struct ring) + size);
}

void
ring_init(struct ring *ring, size_t size, size_t payload_max)
{
	must(size >= RING_SIZE_MIN && (size & (size - 1)) == 0);
	must((uint64_t)size <= 1u << 31);	/* a length has 32 bits */
	ring->size = size;
	ring->payload_max = payload_max < size / 4 ? payload_max : size / 4;
	atomic_store(&ring->claim, 0);
	atomic_store(&ring->tail, 0);
}

/* The writer. */

void
ring_writer_init(struct ring_writer *writer, struct ring *ring)
{
	writer->ring = ring;
	writer->claim = atomic_load(&ring->claim);
	writer->tail = atomic_load(&ring->tail);
	must(writer->tail % sizeof(uint64_t) == 0);
}

static void
move_claim(struct ring_writer *writer, uint64_t end)
{
	/* One who died in mid-record may have claimed more than this needs. */
	if (end > writer->ring->size &&
	    end - writer->ring->size > writer->claim)
		writer->claim = end - writer->ring->size;
	atomic_store_explicit(&writer->ring->claim, writer->claim,
	    memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

/* Stores one word at the position, and moves that on. */
static void
put_word(struct ring *ring, uint64_t *at, uint64_t word)
{
	uint64_t place = (*at & (ring->size - 1)) / sizeof word;

	atomic_store_explicit(&ring->words[place], word,
	    memory_order_relaxed);
	*at += sizeof word;
}

static void
put_text(struct ring *ring, uint64_t *at, text t)
{
	uint64_t word;

	for (; t.len >= sizeof word; t.at += sizeof word,
	    t.len -= sizeof word) {
		memcpy(&word, t.at, sizeof word);
		put_word(ring, at, word);
	}
	if (t.len > 0) {
		word = 0;
		memcpy(&word, t.at, t.len);
		put_word(ring, at, word);
	}
}

void
ring_write(struct ring_writer *writer, const struct ring_record *record)
{
	struct ring *ring = writer->ring;
	bool has_payload = record->has_payload &&
	    record->payload.len <= ring->payload_max;
	text payload = has_payload ? record->payload : TEXT_NONE;
	uint64_t at = writer->tail, length = HEADER_SIZE +
	    whole_words(record->stream.len) + whole_words(record->epoch.len) +
	    whole_words(payload.len);

	must(record->kind >= RING_EVENT && record->kind <= RING_SWEEP);
	must(record->stream.len <= RING_STREAM_MAX);
	must(record->epoch.len <= RING_EPOCH_MAX);

	move_claim(writer, at + length);
	put_word(ring, &at, length_word(at, length));
	put_word(ring, &at, (uint64_t)record->to << 32 | record->generation);
	put_word(ring, &at, record->seq);
	put_word(ring, &at, (uint32_t)record->tenant);
	put_word(ring, &at, (uint64_t)record->told_us);
	put_word(ring, &at, payload.len | (uint64_t)record->stream.len << 32 |
	    (uint64_t)record->epoch.len << 40 |
	    (uint64_t)record->kind << 48 | (uint64_t)has_payload << 56);
	put_text(ring, &at, record->stream);
	if (FAULT(ring_writer_dies))
		abort();
	put_text(ring, &at, record->epoch);
	put_text(ring, &at, payload);
	must(at == writer->tail + length);

	writer->tail = at;
	atomic_store_explicit(&ring->tail, at, memory_order_release);
	COUNT(ring_records);
}

/* The reader. */

static uint64_t
look_at_tail(const struct ring *ring)
{
	RING_LOOKED();
	return (atomic_load_explicit(&ring->tail, memory_order_acquire));
}

static uint64_t
look_at_word(const struct ring_reader *reader, uint64_t at)
{
	uint64_t place = (at & (reader->size - 1)) / sizeof(uint64_t);

	RING_LOOKED();
	return (atomic_load_explicit(&reader->ring->words[place],
	    memory_order_relaxed));
}

/* Whether anything from the reader's place on may have been overwritten. */
static bool
is_claimed(const struct ring_reader *reader)
{
	RING_LOOKED();
	atomic_thread_fence(memory_order_acquire);
	return (atomic_load_explicit(&reader->ring->claim,
	    memory_order_relaxed) > reader->at);
}

void
ring_reader_init(struct ring_reader *reader, const struct ring *ring,
    uint64_t from)
{
	*reader = (struct ring_reader){ .ring = ring, .size = ring->size,
	    .payload_max = ring->payload_max, .at = from };
	must(reader->size >= RING_SIZE_MIN &&
	    (reader->size & (reader->size - 1)) == 0);
	must(reader->payload_max <= reader->size / 4);
	if (from == RING_FROM_TAIL)
		reader->at = look_at_tail(ring);
}

void
ring_reader_fini(struct ring_reader *reader)
{
	mem_free(reader->copy);
	reader->copy = NULL;
	reader->copy_size = 0;
}

/* The length of the record that begins here, or 0 where none does. */
static uint64_t
length_here(const struct ring_reader *reader, uint64_t tail)
{
	uint64_t left = tail - reader->at, word, length;

	/* A place behind the tail or long overwritten has no record either. */
	if (left > reader->size || left < HEADER_SIZE)
		return (0);
	word = look_at_word(reader, reader->at);
	length = word & 0xffffffff;
	if (length > left || length > record_max(reader->payload_max) ||
	    length < HEADER_SIZE || length % sizeof(uint64_t) != 0 ||
	    word != length_word(reader->at, length))
		return (0);
	return (length);
}

static void
copy_here(struct ring_reader *reader, uint64_t length)
{
	if (reader->copy_size < length) {
		size_t size = 1024;

		while (size < length)
			size *= 2;
		reader->copy = mem_resize(reader->copy, size);
		reader->copy_size = size;
	}
	for (uint64_t i = 0; i < length / sizeof(uint64_t); i++)
		reader->copy[i] = look_at_word(reader,
		    reader->at + i * sizeof(uint64_t));
}

/* The next text of the copy, len bytes of it; moves on to the one behind. */
static text
take_text(const uint64_t **at, size_t len)
{
	text t = text_from((const char *)*at, len);

	*at += whole_words(len) / sizeof **at;
	return (t);
}

/* Our own copy becomes a record: false where it cannot be one. */
static bool
unpack_copy(const struct ring_reader *reader, uint64_t length,
    struct ring_record *record_out)
{
	const uint64_t *copy = reader->copy, *at = copy + HEADER_WORDS;
	uint64_t shape = copy[WORD_SHAPE];
	size_t payload = shape & 0xffffffff, stream = shape >> 32 & 0xff,
	    epoch = shape >> 40 & 0xff;
	unsigned kind = shape >> 48 & 0xff, has_payload = shape >> 56 & 0xff;

	if (kind < RING_EVENT || kind > RING_SWEEP || has_payload > 1 ||
	    stream > RING_STREAM_MAX || epoch > RING_EPOCH_MAX ||
	    payload > reader->payload_max || (!has_payload && payload > 0) ||
	    length != HEADER_SIZE + whole_words(stream) + whole_words(epoch) +
	    whole_words(payload))
		return (false);
	record_out->kind = kind;
	record_out->generation = (uint32_t)copy[WORD_TO];
	record_out->to = (uint32_t)(copy[WORD_TO] >> 32);
	record_out->tenant = (int32_t)(uint32_t)copy[WORD_TENANT];
	record_out->seq = copy[WORD_SEQ];
	record_out->told_us = (int64_t)copy[WORD_TOLD];
	record_out->has_payload = has_payload;
	record_out->stream = take_text(&at, stream);
	record_out->epoch = take_text(&at, epoch);
	record_out->payload = take_text(&at, payload);
	return (true);
}

enum ring_got
ring_read(struct ring_reader *reader, struct ring_record *record_out)
{
	uint64_t tail = look_at_tail(reader->ring), length;

	if (reader->at == tail)
		return (RING_EMPTY);
	length = length_here(reader, tail);
	if (length > 0)
		copy_here(reader, length);
	if (length == 0 || is_claimed(reader) ||
	    !unpack_copy(reader, length, record_out)) {
		reader->at = look_at_tail(reader->ring);
		COUNT(ring_laps);
		return (RING_LAPPED);
	}
	reader->at += length;
	return (RING_GOT);
}

bool
ring_has_news(const struct ring_reader *reader)
{
	return (look_at_tail(reader->ring) != reader->at);
}
