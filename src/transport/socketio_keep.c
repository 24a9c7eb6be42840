/* SPDX-License-Identifier: MIT */
/*
 * What is kept of sockets beyond their worker: a row for each, written before
 * the client is told what is in it.
 *
 *	a change ──> keep, one at a time ──> on_kept, in their order
 *	its end ───> leave, until that is known ──> nothing is left of it
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "base/conf.h"
#include "core/act.h"
#include "core/json.h"
#include "plat/loop.h"
#include "plat/segment.h"
#include "transport/socketio_inside.h"

#define AGAIN_MS 500
#define BEAT_MS 5000
#define DIGITS 24

static struct service *
service_of(const struct socketio_keep *keep)
{
	return (keep->socketio->setup.service);
}

/* --- asking ------------------------------------------------------------ */

void
socketio_holder(const struct service *service, char out[SOCKETIO_HOLDER_SIZE])
{
	const struct segment *segment = service->segment;

	snprintf(out, SOCKETIO_HOLDER_SIZE, "%s %u.%" PRIu32, segment->host,
	    service->slot,
	    atomic_load(&segment->slots[service->slot].generation));
}

void
socketio_keep_ask(struct socketio_keep *keep, enum function function,
    const text *inputs, unsigned count,
    void (*on_answer)(void *, const struct db_answer *))
{
	const struct call_context context = { .tenant = keep->tenant,
	    .caller = text_of(keep->who), .role = TEXT(""),
	    .request_id = TEXT("recovery") };

	keep->is_asking = true;
	service_ask(service_of(keep), function, &context, TEXT_NONE, inputs,
	    count, on_answer, keep);
}

/* The body as JSON; NULL: it came to nothing. */
struct json_object *
socketio_keep_answer(const struct db_answer *answer)
{
	struct call_row row;

	if (answer->result != DB_ROWS || !act_answer_row(answer, &row))
		return (NULL);
	return (json_in_read(row.body));
}

/* --- the end ----------------------------------------------------------- */

static void
destroy(struct socketio_keep *keep)
{
	must(keep->tracks == NULL && keep->waits == NULL);
	timer_stop(loop_timers(service_of(keep)->loop), &keep->again);
	DL_DELETE(keep->socketio->keeps, keep);
	mem_free(keep->who);
	mem_free(keep->data);
	buf_fini(&keep->places);
	buf_fini(&keep->tail);
	object_free(&keep);
}

static void
on_left(void *me, const struct db_answer *answer)
{
	struct socketio_keep *keep = object_cast(struct socketio_keep,
	    SOCKETIO_KEEP_MAGIC, me);
	struct json_object *json = socketio_keep_answer(answer);

	keep->is_asking = false;
	if (json != NULL || service_of(keep)->is_closing)
		keep->end = KEEP_IS_OVER;
	else
		timer_set(loop_timers(service_of(keep)->loop), &keep->again,
		    AGAIN_MS);
	json_in_free(&json);
	socketio_keep_go_on(keep);
}

static void
leave(struct socketio_keep *keep)
{
	char claim[DIGITS], life[DIGITS];
	text inputs[] = { text_of(keep->hash), TEXT_NONE, TEXT_NONE };

	snprintf(claim, sizeof claim, "%" PRId64, keep->claim);
	snprintf(life, sizeof life, "%" PRId64,
	    service_of(keep)->conf->socketio_recovery);
	inputs[1] = text_of(claim);
	if (keep->end == KEEP_LEAVES)
		inputs[2] = text_of(life);
	socketio_keep_ask(keep, FUNCTION_recovery_leave, inputs, 3, on_left);
}

/* Who only lost its connection may come back. */
static enum socketio_keep_end
end_of(enum socketio_end why)
{
	switch (why) {
	case SOCKETIO_CLIENT_LEFT:
	case SOCKETIO_SERVER_LEFT:
	case SOCKETIO_PARSE_ERROR:
		return (KEEP_GOES);
	/* All of this process are left with it. */
	case SOCKETIO_SHUTTING_DOWN:
		return (KEEP_IS_OVER);
	default:
		return (KEEP_LEAVES);
	}
}

void
socketio_keep_end(struct socketio_socket *socket, enum socketio_end why)
{
	struct socketio_keep *keep = socket->keep;
	struct socketio_wait *wait;

	if (keep == NULL)
		return;
	socket->keep = NULL;
	keep->socket = NULL;
	if (keep->end == KEEP_LIVES)
		keep->end = keep->asked > 0 ? end_of(why) : KEEP_IS_OVER;
	while (keep->tracks != NULL) {
		keep->tracks->keep = NULL;
		DL_DELETE(keep->tracks, keep->tracks);
	}
	while ((wait = keep->waits) != NULL) {
		DL_DELETE(keep->waits, wait);
		wait->on_kept(wait->me, false);
		mem_free(wait);
	}
	socketio_keep_go_on(keep);
}

/* --- keeping ----------------------------------------------------------- */

/* Those that were asked for and are there, or are not; each in its turn. */
static void
tell_tracks(struct socketio_keep *keep, struct json_object *rooms)
{
	struct socketio_track *track = keep->tracks;

	while (track != NULL) {
		if (track->is_kept || track->nth >= keep->asked_nth) {
			track = track->next;
			continue;
		}
		track->is_kept = rooms != NULL &&
		    socketio_track_read(track, rooms);
		keep->has_tail = false;
		if (!track->is_kept) {
			/* It is told once, whatever becomes of it. */
			DL_DELETE(keep->tracks, track);
			track->keep = NULL;
		}
		track->on_kept(track->me, track->is_kept ? SOCKETIO_KEPT :
		    rooms != NULL ? SOCKETIO_NO_STREAM : SOCKETIO_NOT_KEPT);
		track = keep->tracks;
	}
}

static void
tell_waits(struct socketio_keep *keep)
{
	struct socketio_wait *wait;

	while ((wait = keep->waits) != NULL && wait->change <= keep->kept) {
		DL_DELETE(keep->waits, wait);
		wait->on_kept(wait->me, true);
		mem_free(wait);
	}
}

static void
take_kept(struct socketio_keep *keep, struct json_object *json)
{
	bool is_ours;

	if (json_in_bool(json, "kept", &is_ours) && is_ours) {
		keep->kept = keep->asked;
		tell_tracks(keep, json_in_member(json, "rooms"));
		tell_waits(keep);
	} else {
		keep->end = KEEP_IS_OVER;
		if (keep->socket != NULL)
			socketio_lose(keep->socket);
	}
}

static void
on_kept(void *me, const struct db_answer *answer)
{
	struct socketio_keep *keep = object_cast(struct socketio_keep,
	    SOCKETIO_KEEP_MAGIC, me);
	struct json_object *json = socketio_keep_answer(answer);

	keep->is_asking = false;
	keep->is_at_work = true;
	if (json != NULL)
		take_kept(keep, json);
	else {
		timer_set(loop_timers(service_of(keep)->loop), &keep->again,
		    AGAIN_MS);
		tell_tracks(keep, NULL);
	}
	keep->is_at_work = false;
	json_in_free(&json);
	socketio_keep_go_on(keep);
}

static void
keep_row(struct socketio_keep *keep)
{
	const struct service *service = service_of(keep);
	char me[SOCKETIO_HOLDER_SIZE], claim[DIGITS], life[DIGITS];
	struct buf rooms;
	text inputs[8];

	socketio_holder(service, me);
	snprintf(claim, sizeof claim, "%" PRId64, keep->claim);
	snprintf(life, sizeof life, "%" PRId64,
	    service->conf->socketio_recovery);
	buf_init(&rooms, BUF_NO_LIMIT);
	socketio_tracks_write(keep, &rooms);
	inputs[0] = text_of(keep->hash);
	inputs[1] = keep->nsp;
	inputs[2] = text_from(keep->sid, SOCKETIO_SID_LEN);
	inputs[3] = text_of(me);
	inputs[4] = text_of(claim);
	inputs[5] = text_of(life);
	inputs[6] = buf_text(&rooms);
	inputs[7] = text_of(keep->data != NULL ? keep->data : "");
	keep->asked = keep->changes;
	keep->asked_nth = keep->next_nth;
	socketio_keep_ask(keep, FUNCTION_recovery_keep, inputs, 8, on_kept);
	buf_fini(&rooms);
}

/* The only one who asks for the next thing. */
void
socketio_keep_go_on(struct socketio_keep *keep)
{
	if (keep->is_asking || keep->is_at_work)
		return;
	if (keep->end == KEEP_IS_OVER && keep->socket == NULL)
		destroy(keep);
	else if (timer_is_set(&keep->again) || keep->claim == 0)
		return;
	else if (keep->end == KEEP_LEAVES || keep->end == KEEP_GOES)
		leave(keep);
	else if (keep->end == KEEP_LIVES && keep->kept < keep->changes)
		keep_row(keep);
}

void
socketio_keep_changed(struct socketio_keep *keep)
{
	keep->changes++;
	socketio_keep_go_on(keep);
}

void
socketio_keep_data(struct socketio_socket *socket, text data)
{
	struct socketio_keep *keep = socket->keep;

	must(keep != NULL);
	mem_free(keep->data);
	keep->data = mem_copy_text(data);
	socketio_keep_changed(keep);
}

void
socketio_keep(struct socketio_socket *socket,
    void (*on_kept_all)(void *me, bool is_kept), void *me)
{
	struct socketio_keep *keep = socket->keep;
	struct socketio_wait *wait;

	must(keep != NULL);
	if (keep->kept == keep->changes) {
		on_kept_all(me, true);
		return;
	}
	wait = mem_alloc(sizeof *wait);
	wait->change = keep->changes;
	wait->on_kept = on_kept_all;
	wait->me = me;
	DL_APPEND(keep->waits, wait);
}

void
socketio_keep_taken(struct socketio_socket *socket, text given)
{
	struct socketio_keep *keep = socket->keep;
	int64_t claim;

	if (keep == NULL || !text_to_int64(given, 1, INT64_MAX, &claim) ||
	    claim <= keep->claim)
		return;
	keep->end = KEEP_IS_OVER;
	socketio_lose(socket);
}

/* --- all of them ------------------------------------------------------- */

static void
on_beaten(void *me, const struct db_answer *answer)
{
	struct socketio *socketio = object_cast(struct socketio,
	    SOCKETIO_MAGIC, me);

	if (answer->result != DB_ROWS && !socketio->setup.service->is_closing)
		timer_set(loop_timers(socketio->setup.service->loop),
		    &socketio->beat, AGAIN_MS);
}

/* For as long as it is silent from now on, and one beat more. */
static void
beat(struct socketio *socketio)
{
	struct service *service = socketio->setup.service;
	char me[SOCKETIO_HOLDER_SIZE], life[DIGITS];
	text inputs[2];

	socketio_holder(service, me);
	snprintf(life, sizeof life, "%" PRId64,
	    service->conf->socketio_recovery + 2 * BEAT_MS);
	inputs[0] = text_of(me);
	inputs[1] = text_of(life);
	timer_set(loop_timers(service->loop), &socketio->beat, BEAT_MS);
	service_ask(service, FUNCTION_recovery_beat, NULL, TEXT_NONE, inputs,
	    2, on_beaten, socketio);
}

void
socketio_keeps_open(struct socketio *socketio)
{
	const struct service *service = socketio->setup.service;

	timer_init(&socketio->beat, beat, socketio);
	if (service->conf->socketio_recovery > 0)
		timer_set(loop_timers(service->loop), &socketio->beat, 0);
}

void
socketio_keeps_close(struct socketio *socketio)
{
	timer_stop(loop_timers(socketio->setup.service->loop),
	    &socketio->beat);
	while (socketio->keeps != NULL) {
		must(socketio->keeps->socket == NULL &&
		    !socketio->keeps->is_asking);
		destroy(socketio->keeps);
	}
}
