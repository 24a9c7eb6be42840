/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing offsets.
 */
#include "transport/socketio_offset.h"

static bool
is_mark(text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (memchr("0123456789abcdef", t.at[i], 16) == NULL)
			return (false);
	return (t.len == SOCKETIO_MARK_LEN);
}

bool
socketio_offset_begin(struct socketio_offset *offset, text given)
{
	*offset = (struct socketio_offset){ .next = 0 };
	offset->has_more = text_cut(given, ' ', &offset->mark,
	    &offset->rest);
	offset->is_bad = !is_mark(offset->mark);
	return (!offset->is_bad);
}

static bool
read_place(text t, int64_t least, struct socketio_place *place)
{
	text digits, cursor;

	if (!text_cut(t, ':', &digits, &cursor) || digits.len == 0 ||
	    digits.at[0] < '0' || digits.at[0] > '9' ||
	    !text_to_int64(digits, least, SOCKETIO_NTH_MAX - 1,
	    &place->nth) ||
	    !cursor_read(cursor, &place->cursor))
		return (false);
	return (place->cursor.kind == CURSOR_PAIR);
}

bool
socketio_offset_next(struct socketio_offset *offset,
    struct socketio_place *place)
{
	text one;

	if (!offset->has_more || offset->is_bad)
		return (false);
	offset->has_more = text_cut(offset->rest, ' ', &one, &offset->rest);
	offset->is_bad = !read_place(one, offset->next, place);
	if (!offset->is_bad)
		offset->next = place->nth + 1;
	return (!offset->is_bad);
}

void
socketio_offset_write(text mark, struct buf *out)
{
	buf_add(out, mark);
}

void
socketio_offset_add(const struct socketio_place *place, struct buf *out)
{
	buf_add_char(out, ' ');
	buf_add_int(out, place->nth);
	buf_add_char(out, ':');
	cursor_write(&place->cursor, out);
}
