/* SPDX-License-Identifier: MIT */
/*
 * Cursors: what is taken keeps the bounds, is written as what reads back as
 * the same, and what is refused sets nothing.
 */
#include <stdint.h>

#include "base/must.h"
#include "core/cursor.h"
#include "core/json.h"
#include "plat/ring.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be_fine(const struct cursor *cursor)
{
	struct cursor again;
	struct buf out;

	must(cursor->seq <= CURSOR_SEQ_MAX);
	if (cursor->kind == CURSOR_NONE)
		return;
	must((cursor->kind == CURSOR_PAIR) == (cursor->epoch.len > 0));
	must(cursor->epoch.len <= RING_EPOCH_MAX);
	buf_init(&out, BUF_NO_LIMIT);
	cursor_write(cursor, &out);
	must(cursor_read(buf_text(&out), &again));
	must(again.kind == cursor->kind && again.seq == cursor->seq);
	must(text_is(again.epoch, cursor->epoch));
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text t = text_from((const char *)data, size);
	struct cursor cursor = { .kind = CURSOR_NONE, .seq = 7 };
	struct json_object *value;

	if (cursor_read(t, &cursor))
		must_be_fine(&cursor);
	else
		must(cursor.kind == CURSOR_NONE && cursor.seq == 7);
	value = json_in_read(t);
	if (value != NULL && cursor_read_json(value, &cursor))
		must_be_fine(&cursor);
	json_in_free(&value);
	return (0);
}
