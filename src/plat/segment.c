/* SPDX-License-Identifier: MIT */
/*
 * The shared segment: how it is laid out, who owns its slots, what its
 * counters add up to.
 */
#include "plat/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/stamp.h"

#define PAGE 4096

static size_t
whole_pages(size_t size)
{
	return ((size + PAGE - 1) & ~(size_t)(PAGE - 1));
}

static size_t
rings_begin(unsigned slots)
{
	return (whole_pages(sizeof(struct segment) +
	    slots * sizeof(struct slot)));
}

static size_t
ring_stride(size_t ring_size)
{
	return (whole_pages(ring_footprint(ring_size)));
}

static size_t
segment_footprint(unsigned slots, size_t ring_size)
{
	return (rings_begin(slots) + slots * ring_stride(ring_size));
}

static uint64_t
mix(uint64_t hash, uint64_t number)
{
	hash = (hash ^ number) * 0x9e3779b97f4a7c15;
	return (hash ^ hash >> 29);
}

static uint64_t
mix_string(uint64_t hash, const char *string)
{
	for (; *string != '\0'; string++)
		hash = mix(hash, (unsigned char)*string);
	return (mix(hash, 0));
}

/* Two builds that give a word of the segment another meaning differ here. */
static uint64_t
layout_of_this_build(void)
{
	static const size_t numbers[] = {
		sizeof(struct segment), sizeof(struct slot),
		sizeof(struct counts), sizeof(struct ring),
		offsetof(struct segment, used),
		offsetof(struct segment, faults),
		offsetof(struct segment, versions),
		offsetof(struct slot, share), offsetof(struct slot, counts),
		offsetof(struct slot, relay_done),
		offsetof(struct slot, panic),
		QUOTAS, PARTS, HISTOGRAM_BUCKETS, PANIC_SIZE, VERSIONS,
	};
	uint64_t hash = SEGMENT_MAGIC;

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		hash = mix(hash, numbers[i]);
	for (unsigned i = 0; i < COUNTERS; i++)
		hash = mix_string(hash, counter_rows[i].name);
	for (unsigned i = 0; i < GAUGES; i++)
		hash = mix_string(hash, gauge_rows[i].name);
	for (unsigned i = 0; i < HISTOGRAMS; i++)
		hash = mix_string(hash, histogram_rows[i].name);
	for (unsigned i = 0; i < FAULTS; i++)
		hash = mix_string(hash, fault_rows[i].name);
	return (hash);
}

/* A memfd of this size that nobody can resize: -1, with errno. */
static int
open_memory(size_t size)
{
	int fd;

	if (FAULT(segment_refused)) {
		errno = ENOMEM;
		return (-1);
	}
	fd = memfd_create("partyline", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && (ftruncate(fd, (off_t)size) != 0 ||
	    fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
		int error = errno;

		close(fd);
		errno = error;
		fd = -1;
	}
	return (fd);
}

struct segment *
segment_create(unsigned slots, size_t ring_size, size_t ring_payload_max,
    int *fd_out)
{
	struct segment *segment;
	size_t size, rounded = RING_SIZE_MIN;
	int fd;

	must(slots >= 1 && slots <= SEGMENT_SLOTS_MAX);
	must(ring_size <= 1u << 30);
	while (rounded < ring_size)
		rounded *= 2;
	size = segment_footprint(slots, rounded);
	if ((fd = open_memory(size)) < 0)
		return (NULL);
	segment = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (segment == MAP_FAILED) {
		int error = errno;

		close(fd);
		errno = error;
		return (NULL);
	}
	segment->magic = SEGMENT_MAGIC;
	segment->layout = layout_of_this_build();
	segment->size = size;
	segment->slots_count = slots;
	segment->ring_size = (uint32_t)rounded;
	segment->started_ms = clock_ms();
	for (unsigned i = 0; i < slots; i++)
		ring_init(segment_ring(segment, i), rounded,
		    ring_payload_max);
	*fd_out = fd;
	return (segment);
}

/* NULL where it is ours, of this build and whole. */
static const char *
what_is_wrong(const struct segment *segment, size_t size)
{
	if (segment->magic != SEGMENT_MAGIC)
		return ("it is not a segment of this program");
	if (segment->layout != layout_of_this_build())
		return ("it belongs to another version of this program");
	if (segment->slots_count < 1 ||
	    segment->slots_count > SEGMENT_SLOTS_MAX ||
	    segment->size != size || size !=
	    segment_footprint(segment->slots_count, segment->ring_size))
		return ("its size is not what it says");
	return (NULL);
}

const struct segment *
segment_open(int fd, const char **why_out)
{
	struct segment *segment;
	struct stat stat;
	const char *why;
	int seals;

	if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) ||
	    (size_t)stat.st_size < sizeof *segment) {
		*why_out = "it is too small to be a segment";
		return (NULL);
	}
	/* Reading memory that another may cut off would kill the reader. */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
		*why_out = "it is not sealed";
		return (NULL);
	}
	segment = mmap(NULL, (size_t)stat.st_size, PROT_READ,
	    MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (segment == MAP_FAILED) {
		*why_out = "the kernel refuses to map it";
		return (NULL);
	}
	why = what_is_wrong(segment, (size_t)stat.st_size);
	if (why != NULL) {
		munmap(segment, (size_t)stat.st_size);
		*why_out = why;
		return (NULL);
	}
	return (segment);
}

void
segment_unmap(const struct segment *segment)
{
	must(segment->magic == SEGMENT_MAGIC);
	must(munmap((void *)(uintptr_t)segment, segment->size) == 0);
}

struct ring *
segment_ring(struct segment *segment, unsigned slot)
{
	must(slot < segment->slots_count);
	return ((struct ring *)(void *)((char *)segment +
	    rings_begin(segment->slots_count) +
	    slot * ring_stride(segment->ring_size)));
}

bool
segment_is_cut_off(const struct segment *segment)
{
	return (clock_ms() - atomic_load(&segment->relay_good_ms) >
	    RELAY_STALE_MS);
}

/* Slots. */

/* What a slot's owner leaves behind that the next must not find. */
static void
forget_owner(struct slot *slot)
{
	atomic_store(&slot->ordinal, 0);
	atomic_store(&slot->pid, 0);
	atomic_store(&slot->is_sleeping, 0);
	atomic_store(&slot->listens, 0);
	atomic_store(&slot->has_news, 0);
	for (unsigned i = 0; i < BUCKETS; i++)
		atomic_store(&slot->interest[i], 0);
	atomic_store(&slot->is_draining, 0);
	atomic_store(&slot->has_finished, 0);
	for (unsigned i = 0; i < GAUGES; i++)
		atomic_store_explicit(&slot->counts.gauges[i], 0,
		    memory_order_relaxed);
	memset(slot->panic, 0, sizeof slot->panic);
}

int
segment_give_slot(struct segment *segment, enum role role, unsigned ordinal)
{
	must(role != ROLE_NONE);
	/* The lowest, so that as few rings as possible take up memory. */
	for (unsigned i = 0; i < segment->slots_count; i++) {
		struct slot *slot = &segment->slots[i];

		if (atomic_load(&slot->role) != ROLE_NONE)
			continue;
		atomic_store(&slot->ordinal, ordinal);
		atomic_fetch_add(&slot->generation, 1);
		atomic_store(&slot->role, role);
		return ((int)i);
	}
	return (-1);
}

/* What a relay wrote came from other hosts. */
static void
skip_for_relays(struct segment *segment, unsigned slot)
{
	uint64_t tail = atomic_load(&segment_ring(segment, slot)->tail);

	atomic_store(&segment->slots[slot].relay_done, tail);
	atomic_store(&segment->slots[slot].relay_read, tail);
}

void
segment_void_slot(struct segment *segment, unsigned slot)
{
	must(slot < segment->slots_count);
	must(atomic_load(&segment->slots[slot].role) != ROLE_NONE);
	for (unsigned i = 0; i < QUOTAS; i++)
		segment_give_all(segment, slot, i);
	versions_bump_all(segment);
	if (atomic_load(&segment->slots[slot].role) == ROLE_RELAY)
		skip_for_relays(segment, slot);
	forget_owner(&segment->slots[slot]);
	atomic_store(&segment->slots[slot].role, ROLE_NONE);
}

/* Sums. */

uint64_t
segment_counter(const struct segment *segment, enum counter which)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < segment->slots_count; i++)
		sum += atomic_load_explicit(
		    &segment->slots[i].counts.counters[which],
		    memory_order_relaxed);
	return (sum);
}

int64_t
segment_gauge(const struct segment *segment, enum gauge which)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < segment->slots_count; i++)
		sum += atomic_load_explicit(
		    &segment->slots[i].counts.gauges[which],
		    memory_order_relaxed);
	return (sum);
}

void
segment_histogram(const struct segment *segment, enum histogram which,
    uint64_t buckets_out[HISTOGRAM_BUCKETS], uint64_t *sum_out)
{
	memset(buckets_out, 0, HISTOGRAM_BUCKETS * sizeof buckets_out[0]);
	*sum_out = 0;
	for (unsigned i = 0; i < segment->slots_count; i++) {
		const struct histogram_counts *histogram =
		    &segment->slots[i].counts.histograms[which];

		for (unsigned j = 0; j < HISTOGRAM_BUCKETS; j++)
			buckets_out[j] += atomic_load_explicit(
			    &histogram->buckets[j], memory_order_relaxed);
		*sum_out += atomic_load_explicit(&histogram->sum,
		    memory_order_relaxed);
	}
}

/* Names. */

const char *
role_name(enum role role)
{
	static const char *const names[] = { "none", "master", "worker",
	    "relay", "jobs" };

	must(role <= ROLE_JOBS);
	return (names[role]);
}

const char *
part_name(enum part part)
{
	static const char *const names[PARTS] = { "postgres", "redis",
	    "relay", "jobs" };

	must(part < PARTS);
	return (names[part]);
}

const char *
part_state_name(enum part_state state)
{
	static const char *const names[] = { "unused", "starting", "ok",
	    "degraded", "down" };

	must(state <= PART_DOWN);
	return (names[state]);
}
