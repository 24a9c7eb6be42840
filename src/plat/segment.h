/* SPDX-License-Identifier: MIT */
/*
 * What all processes of a server share: one memfd, made before the first
 * fork, mapped by everyone at whatever address it gets.
 *
 *	 ------------------------------------------------------------
 *	| header | slot 0 (master) | slot 1 | … | ring 0 | ring 1 | … |
 *	 ------------------------------------------------------------
 *
 * Holds always:
 *  1. No lock lives here. Each word has one writer, or is an atomic that is
 *     only added to and compared.
 *  2. Only the master gives a slot an owner and takes it back (voids it).
 *     The generation rises with each owner, so that a record, a share or a
 *     session of a dead process is recognised for ever.
 *  3. A slot's counters outlive its owner; its gauges and its share of every
 *     quota do not.
 *  4. Ring pages cost memory only when they are used.
 *  5. A quota's sum is that of the shares, whoever dies at whatever
 *     instruction, and never over the bound it was taken within.
 *  6. Its size never changes: the kernel refuses to.
 *  7. The relay's cursors in a ring stay when its writer goes; in that of a
 *     relay all counts as published, since none of it came from this host.
 *
 * `partyline status` gets a read-only descriptor over the control socket and
 * checks magic and layout before it believes anything.
 *
 * Master:
 *	segment = segment_create(64, conf->ring_size, conf->ring_record_max,
 *	    &fd);
 *	slot = segment_give_slot(segment, ROLE_WORKER, ordinal);
 *	... fork, wait for its death, print its panic record ...
 *	segment_void_slot(segment, slot);
 * Worker:
 *	if (segment_take(segment, slot, QUOTA_CONNECTIONS, most))
 *		... segment_give(segment, slot, QUOTA_CONNECTIONS);
 */
#ifndef PLAT_SEGMENT_H
#define PLAT_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/count.h"
#include "base/fault.h"
#include "base/must.h"
#include "plat/ring.h"
#include "plat/share.h"
#include "plat/versions.h"

enum role { ROLE_NONE, ROLE_MASTER, ROLE_WORKER, ROLE_RELAY, ROLE_JOBS };

/* Shared, host-wide bounds; exact over all workers. */
enum quota { QUOTA_CONNECTIONS, QUOTAS };

/* Parts of the server that may be out of order; told by /readyz. */
enum part { PART_POSTGRES, PART_REDIS, PART_RELAY, PART_JOBS, PARTS };
enum part_state { PART_UNUSED, PART_STARTING, PART_OK, PART_DEGRADED,
    PART_DOWN };

/* Streams are gathered by tenant where they leave the host. */
#define BUCKETS 64

static inline unsigned
bucket_of(int32_t tenant)
{
	return ((uint32_t)tenant % BUCKETS);
}

struct slot {
	_Alignas(64) _Atomic uint32_t role;	/* enum role; NONE: void */
	_Atomic uint32_t	ordinal;	/* of a worker, from 1 */
	_Atomic uint32_t	generation;
	_Atomic int32_t		pid;
	_Atomic uint32_t	is_sleeping;	/* wake it by its eventfd */
	_Atomic uint32_t	listens;	/* enum listens, of wake.h */
	_Atomic uint32_t	has_news;	/* since it last took them */
	_Atomic uint32_t	is_draining;
	_Atomic uint32_t	has_finished;	/* writes nothing any more */
	_Atomic uint64_t	share[QUOTAS];	/* see plat/share.h */
	_Atomic uint32_t	interest[BUCKETS]; /* hubs it has, by bucket */
	_Atomic uint64_t	relay_done;	/* of its ring: all before it */
	_Atomic uint64_t	relay_read;	/* is published; is read */
	struct counts		counts;
	char			panic[PANIC_SIZE];
};

#define SEGMENT_TOLD 4096

struct segment {
	uint64_t		magic;
#define SEGMENT_MAGIC 0x70617274796c6e31
	uint64_t		layout;		/* sizes, rows */
	uint64_t		size;
	uint32_t		slots_count;
	uint32_t		ring_size;
	int64_t			started_ms;	/* monotonic */
	char			host[17];	/* this start's random id */
	uint16_t		host_number;	/* in names of sessions */
	_Atomic int64_t		host_beat_ms;	/* last told to the others */
	_Atomic uint32_t	host_told_cut_off; /* what it told them */
	_Atomic int64_t		relay_good_ms;	/* news came and went */
	_Atomic uint32_t	relay_owes_sweep; /* to the other hosts */
	_Atomic unsigned	log_level;
	_Atomic unsigned	parts[PARTS];	/* enum part_state */
	_Atomic uint32_t	admins_are_in;	/* the configuration's */
	_Atomic uint64_t	used[QUOTAS];	/* see plat/share.h */
	struct fault_arms	faults;
	struct versions		versions;
	_Atomic uint64_t	told[SEGMENT_TOLD]; /* app/threads_told.c */
	struct slot		slots[];
};

/*
 * Makes and maps it; *fd_out stays open for those who ask for it. ring_size
 * is rounded up to a power of two. NULL, with errno, where the kernel
 * refuses.
 */
#define SEGMENT_SLOTS_MAX 1024
struct segment	*segment_create(unsigned slots, size_t ring_size,
		    size_t ring_payload_max, int *fd_out);
/* Maps one that was handed over, read-only; NULL: why it is not ours. */
const struct segment *segment_open(int fd, const char **why_out);
void		 segment_unmap(const struct segment *segment);

struct ring	*segment_ring(struct segment *segment, unsigned slot);

/*
 * Whether news of this host may not reach others, or theirs not reach it:
 * its relay has not said for a while that they do.
 */
#define RELAY_STALE_MS 2000
bool	segment_is_cut_off(const struct segment *segment);

/* Master only. A free slot's number, or -1. */
int	segment_give_slot(struct segment *segment, enum role role,
	    unsigned ordinal);
/*
 * Takes back what the dead one held, and bumps every version: he may have
 * committed what he never told. The ring stays as it is.
 */
void	segment_void_slot(struct segment *segment, unsigned slot);

/* Adds one to this slot's share if the sum stays within most. */
#define QUOTA_MAX SHARES_MAX
bool	segment_take(struct segment *segment, unsigned slot,
	    enum quota quota, int64_t most);
void	segment_give(struct segment *segment, unsigned slot,
	    enum quota quota);
/* Gives back all that a dead owner held: part of segment_void_slot. */
void	segment_give_all(struct segment *segment, unsigned slot,
	    enum quota quota);
int64_t	segment_used(const struct segment *segment, enum quota quota);
int64_t	segment_share(const struct segment *segment, unsigned slot,
	    enum quota quota);

/* Sums over all slots, the void ones' counters included. */
uint64_t segment_counter(const struct segment *segment, enum counter which);
int64_t	 segment_gauge(const struct segment *segment, enum gauge which);
void	 segment_histogram(const struct segment *segment,
	    enum histogram which, uint64_t buckets_out[HISTOGRAM_BUCKETS],
	    uint64_t *sum_out);

const char *role_name(enum role role);
const char *part_name(enum part part);
const char *part_state_name(enum part_state state);

#endif
