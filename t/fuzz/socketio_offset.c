/* SPDX-License-Identifier: MIT */
/*
 * Offsets, which clients show: what is read is in bounds and ascends, and
 * written once more it reads back as the same.
 */
#include <stdint.h>

#include "base/must.h"
#include "transport/socketio_offset.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_again(text given, text written)
{
	struct socketio_offset offset, again;
	struct socketio_place place, other;

	must(socketio_offset_begin(&offset, given));
	must(socketio_offset_begin(&again, written));
	must(text_is(offset.mark, again.mark));
	while (socketio_offset_next(&offset, &place)) {
		must(socketio_offset_next(&again, &other));
		must(place.nth == other.nth);
		must(place.cursor.seq == other.cursor.seq);
		must(text_is(place.cursor.epoch, other.cursor.epoch));
	}
	must(!socketio_offset_next(&again, &other) && !again.is_bad);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text given = text_from((const char *)data, size);
	struct socketio_offset offset;
	struct socketio_place place;
	struct buf written;
	int64_t last = -1;

	if (!socketio_offset_begin(&offset, given)) {
		must(offset.is_bad);
		return (0);
	}
	buf_init(&written, BUF_NO_LIMIT);
	socketio_offset_write(offset.mark, &written);
	while (socketio_offset_next(&offset, &place)) {
		must(place.nth > last && place.nth < SOCKETIO_NTH_MAX);
		must(place.cursor.kind == CURSOR_PAIR);
		must(place.cursor.seq <= CURSOR_SEQ_MAX);
		must(place.cursor.epoch.at > given.at &&
		    place.cursor.epoch.at + place.cursor.epoch.len <
		    given.at + given.len);
		last = place.nth;
		socketio_offset_add(&place, &written);
	}
	if (!offset.is_bad)
		read_again(given, buf_text(&written));
	buf_fini(&written);
	return (0);
}
