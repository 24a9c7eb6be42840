/* SPDX-License-Identifier: MIT */
/*
 * Versions of tenants, for caches.
 */
#include "plat/versions.h"

#include "plat/segment.h"

/* Odd, so that neighbours never meet; large, so that they share no line. */
#define SPREAD 0x9e3779b1u

static unsigned
group_of(int32_t tenant)
{
	return ((uint32_t)tenant * SPREAD % VERSIONS);
}

uint64_t
versions_of(const struct segment *segment, int32_t tenant)
{
	const struct versions *versions = &segment->versions;

	return (atomic_load(&versions->epoch) +
	    atomic_load(&versions->of[group_of(tenant)]));
}

void
versions_bump(struct segment *segment, int32_t tenant)
{
	atomic_fetch_add(&segment->versions.of[group_of(tenant)], 1);
}

void
versions_bump_all(struct segment *segment)
{
	atomic_fetch_add(&segment->versions.epoch, 1);
}
