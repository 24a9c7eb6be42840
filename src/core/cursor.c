/* SPDX-License-Identifier: MIT */
/*
 * Cursors from text and JSON, and back.
 */
#include "core/cursor.h"

#include "core/json.h"
#include "plat/ring.h"

static bool
is_epoch(text t)
{
	if (t.len == 0 || t.len > RING_EPOCH_MAX)
		return (false);
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] <= ' ' || t.at[i] > '~' || t.at[i] == ':')
			return (false);
	return (true);
}

static bool
take(int64_t seq, text epoch, bool is_pair, struct cursor *out)
{
	if (seq < 0 || (uint64_t)seq > CURSOR_SEQ_MAX ||
	    (is_pair && !is_epoch(epoch)))
		return (false);
	*out = (struct cursor){ .kind = is_pair ? CURSOR_PAIR :
	    CURSOR_NUMBER, .seq = (uint64_t)seq };
	if (is_pair)
		out->epoch = epoch;
	return (true);
}

/* Digits alone: text_to_int64 takes a sign too. */
static bool
is_digits(text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] < '0' || t.at[i] > '9')
			return (false);
	return (t.len > 0);
}

bool
cursor_read(text t, struct cursor *out)
{
	text epoch, number;
	bool is_pair = text_cut(t, ':', &epoch, &number);
	int64_t seq;

	if (!is_pair)
		number = t;
	return (is_digits(number) &&
	    text_to_int64(number, 0, INT64_MAX, &seq) &&
	    take(seq, epoch, is_pair, out));
}

bool
cursor_read_json(struct json_object *value, struct cursor *out)
{
	text epoch = TEXT_NONE;
	int64_t seq;

	if (value == NULL) {
		*out = (struct cursor){ .kind = CURSOR_NONE };
		return (true);
	}
	if (json_in_as_int(value, &seq))
		return (take(seq, epoch, false, out));
	return (json_in_is_object(value) &&
	    json_in_text(value, "epoch", &epoch) &&
	    json_in_int(value, "seq", &seq) && take(seq, epoch, true, out));
}

void
cursor_write(const struct cursor *cursor, struct buf *out)
{
	if (cursor->kind == CURSOR_NONE)
		return;
	if (cursor->kind == CURSOR_PAIR) {
		buf_add(out, cursor->epoch);
		buf_add_char(out, ':');
	}
	buf_add_int(out, (int64_t)cursor->seq);
}
