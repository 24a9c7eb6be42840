/* SPDX-License-Identifier: MIT */
/*
 * What tenants use. Before tenant_places_open there are no places.
 */
#include "plat/tenant_places.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/must.h"
#include "plat/share.h"

/* Odd and large: neighbours among tenants are none here. */
#define SPREAD 0x9e3779b1u

struct tenant_place {
	_Alignas(64) _Atomic int32_t	tenant;		/* 0: nobody's */
	_Atomic uint64_t		windows[TENANT_RATES];
	_Atomic uint64_t		connections;	/* see plat/share.h */
	_Atomic int64_t			base;
	_Atomic int64_t			written;	/* base + written */
};

static struct {
	struct tenant_place	*at;		/* NULL: not open */
	_Atomic uint64_t	*shares;	/* by slot, then by place */
	_Atomic uint32_t	*has_shares;	/* by slot */
	size_t			 size;
	unsigned		 slots;
	unsigned		 count;
} all;

bool
tenant_places_open(unsigned slots, int64_t places)
{
	size_t head = (size_t)places * sizeof(struct tenant_place);
	size_t shares = (size_t)places * slots * sizeof(uint64_t);
	char *at;

	must(all.at == NULL && places > 0 && slots <= SHARES_SLOTS_MAX);
	all.size = head + shares + slots * sizeof(uint32_t);
	at = mmap(NULL, all.size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return (false);
	all.at = (struct tenant_place *)(void *)at;
	all.shares = (_Atomic uint64_t *)(void *)(at + head);
	all.has_shares = (_Atomic uint32_t *)(void *)(at + head + shares);
	all.slots = slots;
	all.count = (unsigned)places;
	return (true);
}

void
tenant_places_close(void)
{
	if (all.at != NULL)
		munmap(all.at, all.size);
	all.at = NULL;
}

static struct shares
shares_of(struct tenant_place *place)
{
	must(place >= all.at && place < all.at + all.count);
	return ((struct shares){ .sum = &place->connections,
	    .first = &all.shares[place - all.at],
	    .stride = all.count * sizeof all.shares[0],
	    .slots = all.slots });
}

void
tenant_places_void(unsigned slot)
{
	if (all.at == NULL)
		return;
	must(slot < all.slots);
	/* Looking at pages that nobody touched would make them. */
	if (atomic_load(&all.has_shares[slot]) == 0)
		return;
	for (unsigned i = 0; i < all.count; i++) {
		struct shares shares = shares_of(&all.at[i]);

		if (atomic_load(&all.at[i].tenant) != 0)
			shares_give_all(&shares, slot);
	}
	atomic_store(&all.has_shares[slot], 0);
}

struct tenant_place *
tenant_place(int32_t tenant)
{
	unsigned first;

	must(tenant > 0);
	if (all.at == NULL)
		return (NULL);
	first = (uint32_t)tenant * SPREAD % all.count;
	/* All look in the same order, so none passes what another claimed. */
	for (unsigned i = 0; i < all.count; i++) {
		struct tenant_place *place =
		    &all.at[(first + i) % all.count];
		int32_t owner = atomic_load(&place->tenant);

		if (owner == 0 && atomic_compare_exchange_strong(
		    &place->tenant, &owner, tenant))
			return (place);
		if (owner == tenant)
			return (place);
	}
	return (NULL);
}

bool
tenant_place_count(struct tenant_place *place, enum tenant_rate rate,
    uint32_t n, int64_t most, int64_t now_s, struct window_left *left_out)
{
	must(rate < TENANT_RATES);
	return (window_count(&place->windows[rate], n, most, now_s,
	    left_out));
}

/* Connections. */

bool
tenant_place_take(struct tenant_place *place, unsigned slot, int64_t most)
{
	struct shares shares = shares_of(place);

	must(slot < all.slots);
	/* In this order: see tenant_places_void. */
	if (atomic_load(&all.has_shares[slot]) == 0)
		atomic_store(&all.has_shares[slot], 1);
	return (shares_take(&shares, slot, most));
}

void
tenant_place_give(struct tenant_place *place, unsigned slot)
{
	struct shares shares = shares_of(place);

	shares_give(&shares, slot);
}

int64_t
tenant_place_held(const struct tenant_place *place)
{
	return (share_count(atomic_load(&place->connections)));
}

/* Bytes. */

bool
tenant_place_write(struct tenant_place *place, int64_t bytes, int64_t most)
{
	int64_t written = atomic_load(&place->written);

	must(bytes >= 0);
	do {
		/* Neither side overflows: both are sizes of what is stored. */
		if (atomic_load(&place->base) + written > most - bytes)
			return (false);
	} while (!atomic_compare_exchange_weak(&place->written, &written,
	    written + bytes));
	return (true);
}

void
tenant_place_unwrite(struct tenant_place *place, int64_t bytes)
{
	must(bytes >= 0);
	atomic_fetch_sub(&place->written, bytes);
}

int64_t
tenant_place_bytes(const struct tenant_place *place)
{
	return (atomic_load(&place->base) + atomic_load(&place->written));
}

int64_t
tenant_place_mark(const struct tenant_place *place)
{
	return (atomic_load(&place->written));
}

void
tenant_place_measured(struct tenant_place *place, int64_t bytes,
    int64_t mark)
{
	atomic_store(&place->base, bytes - mark);
}
