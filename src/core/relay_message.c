/* SPDX-License-Identifier: MIT */
/*
 * Writing and reading what relays say.
 */
#include "core/relay_message.h"

#include <inttypes.h>

#define HEAD_MAX 128

static const char letters[] = { [RING_EVENT] = 'E', [RING_LIVE] = 'L',
    [RING_SWEEP] = 'S' };

void
relay_message_write(text host, const struct ring_record *record,
    struct buf *buf)
{
	buf_clear(buf);
	buf_printf(buf, "P1 %.*s %c %" PRId32 " %" PRIu64 " %zu %zu ",
	    TEXT_ARGS(host), letters[record->kind], record->tenant,
	    record->seq, record->epoch.len, record->stream.len);
	if (record->has_payload)
		buf_printf(buf, "%zu\n", record->payload.len);
	else
		buf_add_string(buf, "-\n");
	buf_add(buf, record->epoch);
	buf_add(buf, record->stream);
	if (record->has_payload)
		buf_add(buf, record->payload);
}

/* Digits alone, none of them in vain, so that each number has one form. */
static bool
take_number(text *rest, int64_t most, int64_t *out)
{
	text word;

	text_cut(*rest, ' ', &word, rest);
	return (word.len > 0 && word.at[0] >= '0' && word.at[0] <= '9' &&
	    (word.len == 1 || word.at[0] != '0') &&
	    text_to_int64(word, 0, most, out));
}

static bool
is_host(text host)
{
	for (size_t i = 0; i < host.len; i++)
		if ((host.at[i] < '0' || host.at[i] > '9') &&
		    (host.at[i] < 'a' || host.at[i] > 'f'))
			return (false);
	return (host.len > 0 && host.len <= RELAY_HOST_MAX);
}

static bool
take_kind(text word, enum ring_kind *out)
{
	for (enum ring_kind kind = RING_EVENT; kind <= RING_SWEEP; kind++)
		if (word.len == 1 && word.at[0] == letters[kind]) {
			*out = kind;
			return (true);
		}
	return (false);
}

static bool
read_head(text head, text *host, struct ring_record *record)
{
	int64_t tenant, seq, epoch, stream, payload = 0;
	text word;

	if (!text_cut(head, ' ', &word, &head) || !text_is(word, TEXT("P1")) ||
	    !text_cut(head, ' ', host, &head) || !is_host(*host) ||
	    !text_cut(head, ' ', &word, &head) ||
	    !take_kind(word, &record->kind) ||
	    !take_number(&head, INT32_MAX, &tenant) ||
	    !take_number(&head, INT64_MAX, &seq) ||
	    !take_number(&head, RING_EPOCH_MAX, &epoch) ||
	    !take_number(&head, RING_STREAM_MAX, &stream))
		return (false);
	record->has_payload = !text_is(head, TEXT("-"));
	if (record->has_payload && (text_has(head, ' ') ||
	    !take_number(&head, RELAY_PAYLOAD_MAX, &payload)))
		return (false);
	record->tenant = (int32_t)tenant;
	record->seq = (uint64_t)seq;
	record->epoch.len = (size_t)epoch;
	record->stream.len = (size_t)stream;
	record->payload.len = (size_t)payload;
	return (true);
}

bool
relay_message_read(text message, text *host_out,
    struct ring_record *record_out)
{
	struct ring_record record = { .to = RING_TO_ALL };
	text head, body, host;

	if (!text_cut(text_from(message.at, message.len < HEAD_MAX ?
	    message.len : HEAD_MAX), '\n', &head, &body) ||
	    !read_head(head, &host, &record))
		return (false);
	body = text_from(body.at, message.len - head.len - 1);
	if (body.len != record.epoch.len + record.stream.len +
	    record.payload.len)
		return (false);
	record.epoch.at = body.at;
	record.stream.at = record.epoch.at + record.epoch.len;
	record.payload.at = record.stream.at + record.stream.len;
	*host_out = host;
	*record_out = record;
	return (true);
}
