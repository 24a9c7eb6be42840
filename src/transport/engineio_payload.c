/* SPDX-License-Identifier: MIT */
/*
 * Reading packets.
 */
#include "transport/engineio_payload.h"

#include "base/base64.h"
#include "base/mem.h"

bool
engineio_packet_read(text frame, struct engineio_packet *out)
{
	if (frame.len == 0 || frame.at[0] < ENGINEIO_OPEN ||
	    frame.at[0] > ENGINEIO_NOOP)
		return (false);
	*out = (struct engineio_packet){
	    .type = (enum engineio_type)frame.at[0],
	    .data = text_from(frame.at + 1, frame.len - 1) };
	return (true);
}

void
engineio_payload_init(struct engineio_payload *payload, text body)
{
	*payload = (struct engineio_payload){ .rest = body,
	    .has_more = true };
}

void
engineio_payload_fini(struct engineio_payload *payload)
{
	mem_free(payload->decoded);
	payload->decoded = NULL;
}

static bool
read_binary(struct engineio_payload *payload, text coded,
    struct engineio_packet *out)
{
	size_t len;

	mem_free(payload->decoded);
	payload->decoded = mem_alloc(coded.len / 4 * 3 + 1);
	if (!base64_read(coded, payload->decoded, &len))
		return (false);
	*out = (struct engineio_packet){ .type = ENGINEIO_MESSAGE,
	    .is_binary = true, .data = text_from(payload->decoded, len) };
	return (true);
}

bool
engineio_payload_next(struct engineio_payload *payload,
    struct engineio_packet *out)
{
	text one;

	if (!payload->has_more || payload->is_bad)
		return (false);
	payload->has_more = text_cut(payload->rest, ENGINEIO_SEPARATOR, &one,
	    &payload->rest);
	if (one.len > 0 && one.at[0] == 'b')
		payload->is_bad = !read_binary(payload,
		    text_from(one.at + 1, one.len - 1), out);
	else
		payload->is_bad = !text_is_utf8(one) ||
		    !engineio_packet_read(one, out);
	return (!payload->is_bad);
}
