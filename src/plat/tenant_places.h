/* SPDX-License-Identifier: MIT */
/*
 * What tenants use, counted exactly over all workers of the host, in memory
 * that all processes share. A tenant that has a limit claims a place at its
 * first use and keeps it until the server ends.
 *
 *	 place	 -----------------------------------------------------
 *		| tenant | windows: requests, events | connections |   |
 *		| bytes as measured | bytes written since they began  |
 *		 -----------------------------------------------------
 *	 shares	 for each slot, a word for each place: what of the place's
 *		 connections is this process's (plat/share)
 *
 * Holds always:
 *  1. No lock. A place is claimed by one compare and exchange, and it never
 *     becomes another's: whoever has a pointer to it may keep it.
 *  2. A window is one word (plat/window), so what is counted is within its
 *     bound, whoever dies at whatever instruction.
 *  3. Connections are the sum of the slots' shares; voiding a slot gives
 *     back the dead one's.
 *  4. Bytes are taken before they are written. What is measured never hides
 *     what was taken after its mark.
 *  5. Before tenant_places_open, and when all places are claimed, there is
 *     no place: tenant_place gives NULL.
 *
 * Master, before the first fork: tenant_places_open(slots, conf->
 * tenant_places); for each dead child: tenant_places_void(slot).
 *
 * Worker:
 *	place = tenant_place(tenant->id);
 *	if (!tenant_place_count(place, TENANT_REQUESTS, 1, most, now_s,
 *	    &left)) ... refused, until left.reset_s have passed
 *	if (tenant_place_take(place, slot, most))
 *		... tenant_place_give(place, slot);
 *
 * Who measures:
 *	mark = tenant_place_mark(place);
 *	... wait until what was taken up to here is committed or given up ...
 *	... measure ...
 *	tenant_place_measured(place, bytes, mark);
 */
#ifndef PLAT_TENANT_PLACES_H
#define PLAT_TENANT_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "plat/window.h"

struct tenant_place;

enum tenant_rate { TENANT_REQUESTS, TENANT_EVENTS, TENANT_RATES };

/* false, with errno, where the kernel refuses the memory. */
bool	tenant_places_open(unsigned slots, int64_t places);
void	tenant_places_close(void);
/* Master only: gives back what the dead one held. */
void	tenant_places_void(unsigned slot);

/* Finds or claims; NULL: there is none. tenant > 0. */
struct tenant_place *tenant_place(int32_t tenant);

/* Adds n to the window if it stays within most; refused, nothing is added. */
bool	tenant_place_count(struct tenant_place *place, enum tenant_rate rate,
	    uint32_t n, int64_t most, int64_t now_s,
	    struct window_left *left_out);

/* A connection of this slot, if the sum stays within most (QUOTA_MAX). */
bool	tenant_place_take(struct tenant_place *place, unsigned slot,
	    int64_t most);
void	tenant_place_give(struct tenant_place *place, unsigned slot);
int64_t	tenant_place_held(const struct tenant_place *place);

/* Takes bytes if the sum stays within most; gives back what came to nothing. */
bool	tenant_place_write(struct tenant_place *place, int64_t bytes,
	    int64_t most);
void	tenant_place_unwrite(struct tenant_place *place, int64_t bytes);
int64_t	tenant_place_bytes(const struct tenant_place *place);
int64_t	tenant_place_mark(const struct tenant_place *place);
void	tenant_place_measured(struct tenant_place *place, int64_t bytes,
	    int64_t mark);

#endif
