/* SPDX-License-Identifier: MIT */
/*
 * Streams that kept sockets follow, and the offset that is made of them: the
 * tail of whatever is sent, so that a client that shows it has been told all
 * that comes before it, and nothing else.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "core/json.h"
#include "transport/socketio_inside.h"
#include "transport/socketio_offset.h"

/* --- places ------------------------------------------------------------ */

static void
point_set(struct socketio_point *point, text epoch, uint64_t seq)
{
	must(epoch.len <= sizeof point->epoch);
	if (epoch.len > 0)
		memcpy(point->epoch, epoch.at, epoch.len);
	point->len = (uint8_t)epoch.len;
	point->seq = seq;
}

static text
point_epoch(const struct socketio_point *point)
{
	return (text_from(point->epoch, point->len));
}

static void
point_cursor(const struct socketio_point *point, struct cursor *cursor)
{
	*cursor = (struct cursor){ .kind = CURSOR_PAIR, .seq = point->seq,
	    .epoch = point_epoch(point) };
}

/* --- tracks ------------------------------------------------------------ */

struct socketio_track *
socketio_track_make(struct socketio_keep *keep, text stream, int64_t nth,
    const struct cursor *cursor)
{
	struct socketio_track *track = mem_alloc(sizeof *track + stream.len);

	track->keep = keep;
	track->nth = nth;
	track->has = cursor->kind;
	if (cursor->kind != CURSOR_NONE)
		point_set(&track->first, cursor->epoch, cursor->seq);
	track->told = track->first;
	track->stream_len = stream.len;
	memcpy(track->stream, stream.at, stream.len);
	DL_APPEND(keep->tracks, track);
	keep->has_tail = false;
	return (track);
}

struct socketio_track *
socketio_track(struct socketio_socket *socket, text stream,
    const struct cursor *cursor,
    void (*on_kept)(void *me, enum socketio_keeping kept), void *me)
{
	struct socketio_keep *keep = socket->keep;
	struct socketio_track *track;

	must(keep != NULL && keep->next_nth < SOCKETIO_NTH_MAX);
	track = socketio_track_make(keep, stream, keep->next_nth++, cursor);
	track->on_kept = on_kept;
	track->me = me;
	socketio_keep_changed(keep);
	return (track);
}

text
socketio_track_stream(const struct socketio_track *track)
{
	return (text_from(track->stream, track->stream_len));
}

void
socketio_track_cursor(const struct socketio_track *track,
    struct cursor *cursor)
{
	point_cursor(&track->told, cursor);
}

void
socketio_track_set(struct socketio_track *track, text epoch, uint64_t seq)
{
	point_set(&track->told, epoch, seq);
	if (track->keep != NULL)
		track->keep->has_tail = false;
}

void
socketio_track_end(struct socketio_track **given)
{
	struct socketio_track *track = *given;

	*given = NULL;
	if (track == NULL)
		return;
	if (track->keep != NULL) {
		DL_DELETE(track->keep->tracks, track);
		track->keep->has_tail = false;
		socketio_keep_changed(track->keep);
	}
	mem_free(track);
}

/* [{"nth":0,"stream":"lobby","epoch":"k3","seq":41}, …] */
void
socketio_tracks_write(const struct socketio_keep *keep, struct buf *out)
{
	const struct socketio_track *track;
	struct json_out json;

	json_out_init(&json, out);
	json_array_begin(&json);
	DL_FOREACH(keep->tracks, track) {
		json_object_begin(&json);
		json_key(&json, "nth");
		json_int(&json, track->nth);
		json_key(&json, "stream");
		json_text(&json, socketio_track_stream(track));
		if (track->has == CURSOR_PAIR) {
			json_key(&json, "epoch");
			json_text(&json, point_epoch(&track->first));
		}
		if (track->has != CURSOR_NONE) {
			json_key(&json, "seq");
			json_int(&json, (int64_t)track->first.seq);
		}
		json_object_end(&json);
	}
	json_array_end(&json);
}

bool
socketio_track_read(struct socketio_track *track, struct json_object *rooms)
{
	struct json_object *room;
	int64_t nth, seq;
	text epoch;

	for (size_t i = 0; (room = json_in_element(rooms, i)) != NULL; i++) {
		if (!json_in_int(room, "nth", &nth) || nth != track->nth ||
		    !json_in_text(room, "epoch", &epoch) ||
		    !json_in_int(room, "seq", &seq))
			continue;
		/* Else it may have gone on since. */
		if (track->has != CURSOR_PAIR) {
			point_set(&track->first, epoch, (uint64_t)seq);
			track->told = track->first;
			track->has = CURSOR_PAIR;
		}
		return (true);
	}
	return (false);
}

/* --- offsets ----------------------------------------------------------- */

text
socketio_keep_mark(const struct socketio_keep *keep)
{
	return (text_from(keep->hash, SOCKETIO_MARK_LEN));
}

/* In the place of the bracket that ends the arguments. */
static text
tail_of(struct socketio_keep *keep)
{
	const struct socketio_track *track;
	struct socketio_place place;
	struct json_out json;
	struct buf offset;

	if (keep->has_tail)
		return (buf_text(&keep->tail));
	buf_init(&offset, BUF_NO_LIMIT);
	socketio_offset_write(socketio_keep_mark(keep), &offset);
	DL_FOREACH(keep->tracks, track) {
		if (track->has != CURSOR_PAIR)
			continue;
		place.nth = track->nth;
		point_cursor(&track->told, &place.cursor);
		socketio_offset_add(&place, &offset);
	}
	buf_clear(&keep->tail);
	buf_add_char(&keep->tail, ',');
	json_out_init(&json, &keep->tail);
	json_text(&json, buf_text(&offset));
	buf_add_char(&keep->tail, ']');
	buf_fini(&offset);
	keep->has_tail = true;
	return (buf_text(&keep->tail));
}

void
socketio_send_tailed(struct socketio_socket *socket,
    struct engineio_message *message)
{
	engineio_send_tailed(socket->engine, message,
	    tail_of(socket->keep));
}

void
socketio_put_tailed(struct socketio_socket *socket,
    const struct socketio_parts *parts)
{
	for (unsigned i = 0; i < parts->count; i++)
		if (i == 0)
			socketio_send_tailed(socket, parts->at[i]);
		else
			engineio_send(socket->engine, parts->at[i]);
}
