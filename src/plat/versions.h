/* SPDX-License-Identifier: MIT */
/*
 * Whether anything may have changed since somebody looked: a version for
 * each of 4,096 groups of tenants, and one epoch for all of them, in the
 * shared segment. What a cache holds is good while the number that was read
 * before its query was sent still stands.
 *
 * Holds always:
 *  1. Versions and epoch only rise, each bump by one, and 64 bits do not
 *     come round.
 *  2. versions_of is their sum. It falls never, and it rises with every bump
 *     of either: so two equal answers mean that nothing was bumped between
 *     the first look and the second, and no number ever comes again.
 *  3. Whoever sees what came after a bump (a ring's record, an answer) sees
 *     the bump too: bump first, tell then.
 *  4. Tenants may share a version: a bump too many costs a query, never the
 *     truth. 4,096 tenants in a row have one each.
 *
 *	tag = versions_of(segment, tenant);
 *	... query; keep the answer with its tag ...
 *	if (entry->tag == versions_of(segment, tenant)) ... it is fresh
 *
 *	versions_bump(segment, tenant);		a write is committed
 *	... ring, answer ...
 */
#ifndef PLAT_VERSIONS_H
#define PLAT_VERSIONS_H

#include <stdatomic.h>
#include <stdint.h>

struct segment;

#define VERSIONS 4096

struct versions {
	_Alignas(64) _Atomic uint64_t	epoch;
	_Alignas(64) _Atomic uint64_t	of[VERSIONS];
};

uint64_t versions_of(const struct segment *segment, int32_t tenant);
void	versions_bump(struct segment *segment, int32_t tenant);
/* Of every tenant: the master, when it voids a slot. */
void	versions_bump_all(struct segment *segment);

#endif
