/* SPDX-License-Identifier: MIT */
/*
 * Where a session lives is in its name, so that whoever gets a request for
 * it knows whom to ask.
 *
 *	 0	   2		       5			     15
 *	| host    | slot, generation  | random			      |
 *	|	   16 |	   10,	   14 |			    80 bits   |
 *	 20 letters that are safe in an address
 *
 * Holds always:
 *  1. Two processes of one start of a host have different places.
 *  2. The random part cannot be guessed.
 *
 *	engineio_sid_make(&place, sid);
 *	if (engineio_sid_read(given, &place)) ...
 */
#ifndef TRANSPORT_ENGINEIO_SID_H
#define TRANSPORT_ENGINEIO_SID_H

#include "base/text.h"

#define ENGINEIO_SID_LETTERS 20
#define ENGINEIO_SID_SIZE (ENGINEIO_SID_LETTERS + 1)

struct segment;

struct engineio_place {
	uint16_t	 host;
	uint16_t	 slot;
	uint16_t	 generation;	/* its last bits */
};

/* Of a process of this host, as its slot is now. */
void	engineio_place_of(const struct segment *segment, unsigned slot,
	    struct engineio_place *place_out);
bool	engineio_place_is(const struct engineio_place *a,
	    const struct engineio_place *b);

void	engineio_sid_make(const struct engineio_place *place,
	    char out[ENGINEIO_SID_SIZE]);
/* false: it is none. */
bool	engineio_sid_read(text sid, struct engineio_place *place_out);

#endif
