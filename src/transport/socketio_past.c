/* SPDX-License-Identifier: MIT */
/*
 * Who comes: as a new socket, or as one that it was, wherever that was.
 *
 *	CONNECT ─┬─ without a pid ──────────────────> a new one ──> admitted
 *	         └─ with one ──> take ─┬─ no more there ──^
 *	                               └─ all is there ──> on_past ──> admitted
 *
 * CONNECT is answered before anything that was missed is sent: clients keep
 * what comes earlier beyond the end of their connection, without its offset,
 * and would be told it twice if that ended just then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "core/json.h"
#include "transport/socketio_inside.h"
#include "transport/socketio_offset.h"

#define DIGITS 24
#define NTH_BITS 32		/* streams that are followed by one claim */

static void
set_pid(struct socketio_keep *keep, text pid)
{
	memcpy(keep->pid, pid.at, sizeof keep->pid);
	digest_as_hex(pid, keep->hash, sizeof keep->hash);
	keep->has_tail = false;
}

static void
begin_anew(struct socketio_keep *keep)
{
	struct socketio_socket *socket = keep->socket;
	char pid[SOCKETIO_SID_LEN];

	socketio_make_sid(pid);
	set_pid(keep, text_from(pid, sizeof pid));
	keep->claim = 1;
	memcpy(keep->sid, socket->sid, sizeof keep->sid);
	socketio_admit(socket);
	socket->app->on_admitted(socket->application, false);
}

/* The socket that it was may still be thought to be there, or elsewhere. */
static void
end_others(struct socketio_keep *keep)
{
	struct socketio *socketio = keep->socketio;
	struct socketio_news news = { .what = SOCKETIO_TAKEN,
	    .tenant = keep->tenant, .nsp = keep->nsp, .rooms = 1 };
	struct socketio_socket *old;
	char claim[DIGITS];

	snprintf(claim, sizeof claim, "%" PRId64, keep->claim);
	news.argument = text_of(claim);
	news.texts[0] = text_from(keep->sid, SOCKETIO_SID_LEN);
	HASH_FIND(hh, socketio->sockets, keep->sid, SOCKETIO_SID_LEN, old);
	if (old != NULL) {
		if (old->keep != NULL)
			old->keep->end = KEEP_IS_OVER;
		socketio_lose(old);
	}
	socketio_say(socketio, &news);
}

/* false: nothing is left to go on with. */
static bool
read_past(struct socketio_keep *keep, struct json_object *json, text *data)
{
	struct json_object *rooms = json_in_member(json, "rooms"), *room;
	struct socketio_track *track;
	bool is_there;
	int64_t nth;
	text sid, stream;

	if (!json_in_bool(json, "recovered", &is_there) || !is_there ||
	    !json_in_int(json, "claim", &keep->claim) ||
	    keep->claim > INT32_MAX ||
	    !json_in_text(json, "data", data) ||
	    !json_in_text(json, "sid", &sid) || sid.len != sizeof keep->sid)
		return (false);
	memcpy(keep->sid, sid.at, sid.len);
	/* No offset of before has one of them. */
	keep->next_nth = (keep->claim - 1) << NTH_BITS;
	for (size_t i = 0; (room = json_in_element(rooms, i)) != NULL; i++) {
		if (!json_in_int(room, "nth", &nth) || nth < 0 ||
		    nth >= SOCKETIO_NTH_MAX ||
		    !json_in_text(room, "stream", &stream))
			return (false);
		track = socketio_track_make(keep, stream, nth,
		    &(struct cursor){ .kind = CURSOR_NONE });
		track->is_kept = true;
		if (!socketio_track_read(track, rooms))
			return (false);
	}
	return (true);
}

/* Where it was is the application's, if it takes it. */
static bool
hand_over(struct socketio_keep *keep, text data)
{
	const struct socketio_socket *socket = keep->socket;
	struct socketio_past past = { .data = data };
	struct socketio_track *track;
	bool is_taken;

	DL_COUNT(keep->tracks, track, past.count);
	past.tracks = mem_alloc((past.count + 1) * sizeof *past.tracks);
	past.count = 0;
	DL_FOREACH(keep->tracks, track)
		past.tracks[past.count++] = track;
	is_taken = socket->app->on_past(socket->application, &past);
	mem_free(past.tracks);
	return (is_taken);
}

static void
drop_tracks(struct socketio_keep *keep)
{
	struct socketio_track *track;

	while ((track = keep->tracks) != NULL) {
		DL_DELETE(keep->tracks, track);
		mem_free(track);
	}
	keep->next_nth = 0;
}

static void
go_on_as(struct socketio_keep *keep, text data)
{
	struct socketio_socket *socket = keep->socket;

	COUNT(socketio_recoveries);
	keep->data = mem_copy_text(data);
	memcpy(socket->sid, keep->sid, sizeof socket->sid);
	end_others(keep);
	socketio_admit(socket);
	socketio_keep_changed(keep);
	socket->app->on_admitted(socket->application, true);
}

static void
on_taken(void *me, const struct db_answer *answer)
{
	struct socketio_keep *keep = object_cast(struct socketio_keep,
	    SOCKETIO_KEEP_MAGIC, me);
	struct json_object *json = socketio_keep_answer(answer);
	text data;

	keep->is_asking = false;
	keep->is_at_work = true;
	if (keep->socket != NULL) {
		if (json != NULL && read_past(keep, json, &data) &&
		    hand_over(keep, data))
			go_on_as(keep, data);
		else if (keep->socket != NULL) {
			drop_tracks(keep);
			begin_anew(keep);
		}
	}
	keep->is_at_work = false;
	json_in_free(&json);
	socketio_keep_go_on(keep);
}

static void
take(struct socketio_keep *keep)
{
	const struct service *service = keep->socketio->setup.service;
	char me[SOCKETIO_HOLDER_SIZE], life[DIGITS];
	text inputs[5];

	socketio_holder(service, me);
	snprintf(life, sizeof life, "%" PRId64,
	    service->conf->socketio_recovery);
	set_pid(keep, text_from(keep->pid, SOCKETIO_SID_LEN));
	inputs[0] = text_of(keep->hash);
	inputs[1] = keep->nsp;
	inputs[2] = text_of(me);
	inputs[3] = text_of(life);
	inputs[4] = keep->has_offset ? buf_text(&keep->places) : TEXT_NONE;
	socketio_keep_ask(keep, FUNCTION_recovery_take, inputs, 5, on_taken);
}

void
socketio_admit_as(struct socketio_socket *socket, text who)
{
	struct socketio_keep *keep = socket->keep;

	if (socket->state != SOCKETIO_WAITING)
		return;
	if (keep == NULL) {
		socketio_admit(socket);
		socket->app->on_admitted(socket->application, false);
		return;
	}
	keep->who = mem_copy_text(who);
	if (keep->comes_back)
		take(keep);
	else
		begin_anew(keep);
}

/* What stands between its quotes, where nothing in there is escaped. */
static bool
read_word(text auth, text name, text *out)
{
	text raw;

	if (!json_in_raw(auth, name, &raw) || raw.len < 2 ||
	    raw.at[0] != '"' || text_has(raw, '\\'))
		return (false);
	*out = text_from(raw.at + 1, raw.len - 2);
	return (true);
}

/*
 * As SQL takes it. One of an older socket says that nothing was told since.
 * false: it is none.
 */
static bool
read_offset(struct socketio_keep *keep, text given)
{
	struct socketio_offset offset;
	struct socketio_place place;
	struct json_out json;

	if (!socketio_offset_begin(&offset, given))
		return (false);
	json_out_init(&json, &keep->places);
	json_array_begin(&json);
	while (socketio_offset_next(&offset, &place)) {
		json_object_begin(&json);
		json_key(&json, "nth");
		json_int(&json, place.nth);
		json_key(&json, "epoch");
		json_text(&json, place.cursor.epoch);
		json_key(&json, "seq");
		json_int(&json, (int64_t)place.cursor.seq);
		json_object_end(&json);
	}
	json_array_end(&json);
	digest_as_hex(text_from(keep->pid, SOCKETIO_SID_LEN), keep->hash,
	    sizeof keep->hash);
	keep->has_offset = text_is(offset.mark, socketio_keep_mark(keep));
	return (!offset.is_bad);
}

static bool
comes_back(struct socketio_keep *keep, text auth)
{
	text raw, pid, offset;

	if (!read_word(auth, TEXT("pid"), &pid) ||
	    pid.len != sizeof keep->pid)
		return (false);
	memcpy(keep->pid, pid.at, pid.len);
	if (!json_in_raw(auth, TEXT("offset"), &raw))
		return (true);
	return (read_word(auth, TEXT("offset"), &offset) &&
	    read_offset(keep, offset));
}

void
socketio_keep_begin(struct socketio_socket *socket, text auth)
{
	struct socketio *socketio = socket->socketio;
	struct socketio_keep *keep;

	if (socketio->setup.service->conf->socketio_recovery == 0 ||
	    socket->app->on_admitted == NULL)
		return;
	keep = object_create(struct socketio_keep, SOCKETIO_KEEP_MAGIC);
	keep->socketio = socketio;
	keep->socket = socket;
	keep->tenant = socket->tenant;
	keep->nsp = text_of(socket->app->nsp);
	buf_init(&keep->places, BUF_NO_LIMIT);
	buf_init(&keep->tail, BUF_NO_LIMIT);
	timer_init(&keep->again, socketio_keep_go_on, keep);
	keep->comes_back = comes_back(keep, auth);
	DL_APPEND(socketio->keeps, keep);
	socket->keep = keep;
}
