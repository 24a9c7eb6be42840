/* SPDX-License-Identifier: MIT */
/*
 * Names of sessions.
 */
#include "transport/engineio_sid.h"

#include "base/base64.h"
#include "base/secret.h"
#include "plat/segment.h"

#define SID_BYTES 15
#define PLACE_BYTES 5
#define GENERATION_BITS 14

_Static_assert(SEGMENT_SLOTS_MAX <= 1 << (24 - GENERATION_BITS),
    "every slot fits");

void
engineio_place_of(const struct segment *segment, unsigned slot,
    struct engineio_place *place)
{
	*place = (struct engineio_place){
	    .host = segment->host_number, .slot = (uint16_t)slot,
	    .generation = segment->slots[slot].generation &
	    ((1 << GENERATION_BITS) - 1) };
}

bool
engineio_place_is(const struct engineio_place *a,
    const struct engineio_place *b)
{
	return (a->host == b->host && a->slot == b->slot &&
	    a->generation == b->generation);
}

void
engineio_sid_make(const struct engineio_place *place,
    char out[ENGINEIO_SID_SIZE])
{
	uint32_t process = (uint32_t)place->slot << GENERATION_BITS |
	    place->generation;
	unsigned char bytes[SID_BYTES] = { (unsigned char)(place->host >> 8),
	    (unsigned char)place->host, (unsigned char)(process >> 16),
	    (unsigned char)(process >> 8), (unsigned char)process };

	secret_fill(bytes + PLACE_BYTES, SID_BYTES - PLACE_BYTES);
	base64_write_url(text_from((const char *)bytes, SID_BYTES), out);
	out[ENGINEIO_SID_LETTERS] = '\0';
}

bool
engineio_sid_read(text sid, struct engineio_place *place)
{
	unsigned char bytes[SID_BYTES];
	uint32_t process;

	if (sid.len != ENGINEIO_SID_LETTERS ||
	    !base64_read_url(sid, (char *)bytes))
		return (false);
	process = (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 |
	    bytes[4];
	*place = (struct engineio_place){
	    .host = (uint16_t)(bytes[0] << 8 | bytes[1]),
	    .slot = (uint16_t)(process >> GENERATION_BITS),
	    .generation = process & ((1 << GENERATION_BITS) - 1) };
	return (true);
}
