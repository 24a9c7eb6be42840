/* SPDX-License-Identifier: MIT */
/*
 * A relay that reads any message. What it takes is within the bounds of a
 * ring's record, lies in the message, and is written as the same bytes.
 */
#include "core/relay_message.h"

#include "base/must.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is seen goes where no compiler can leave it out. */
static void
look_at(text t, text whole)
{
	static volatile char seen;

	must(t.at >= whole.at && t.at + t.len <= whole.at + whole.len);
	for (size_t i = 0; i < t.len; i++)
		seen = t.at[i];
	(void)seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	text message = text_from((const char *)data, len), host;
	struct ring_record record;
	struct buf again;

	if (!relay_message_read(message, &host, &record))
		return (0);
	must(record.kind >= RING_EVENT && record.kind <= RING_SWEEP);
	must(record.to == RING_TO_ALL && record.tenant >= 0);
	must(record.stream.len <= RING_STREAM_MAX);
	must(record.epoch.len <= RING_EPOCH_MAX);
	must(record.payload.len <= RELAY_PAYLOAD_MAX);
	must(record.has_payload || record.payload.len == 0);
	look_at(host, message);
	look_at(record.stream, message);
	look_at(record.epoch, message);
	look_at(record.payload, message);
	buf_init(&again, BUF_NO_LIMIT);
	relay_message_write(host, &record, &again);
	must(text_is(buf_text(&again), message));
	buf_fini(&again);
	return (0);
}
