/* SPDX-License-Identifier: MIT */
/*
 * A socket in a thread's stream: where it begins there, and what it is told.
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/threads_inside.h"
#include "base/conf.h"
#include "base/count.h"
#include "core/act.h"
#include "core/feed.h"
#include "core/json.h"
#include "plat/loop.h"
#include "plat/segment.h"

#define ME_SIZE 64
#define HELD_MS 20
#define TRIES_MOST 2

static struct threads_seat *
seat_of(struct subscription *sub)
{
	return (object_cast(struct threads_seat, THREADS_SEAT_MAGIC,
	    (char *)sub - offsetof(struct threads_seat, sub)));
}

static text
sid_of(const struct threads_seat *seat)
{
	return (text_from(seat->sid, sizeof seat->sid));
}

/* --- its end ----------------------------------------------------------- */

/* Nobody has it any more. */
static void
free_seat(struct threads_seat *seat)
{
	struct threads_thread *thread = seat->thread;

	timer_stop(loop_timers(seat->threads->service->loop), &seat->later);
	if (thread != NULL) {
		if (seat->left > 0)
			threads_release(seat->threads, seat->tenant,
			    threads_stream(thread), text_from(thread->epoch,
			    thread->epoch_len), seat->held > 0 ?
			    seat->handed : seat->sub.last, sid_of(seat));
		hub_leave(&seat->sub);
		threads_thread_give(thread);
	}
	object_free(&seat);
}

void
threads_seat_close(struct threads_seat **given)
{
	struct threads_seat *seat = *given;

	*given = NULL;
	if (seat == NULL)
		return;
	object_check(seat, THREADS_SEAT_MAGIC);
	seat->session = NULL;
	/* Otherwise the answer frees it. */
	if (seat->thread != NULL)
		free_seat(seat);
}

static void
close_in(struct threads_session *session, const struct threads_seat *seat)
{
	threads_seat_close(session->visit == seat ? &session->visit :
	    &session->seat);
}

/* --- what its client is told ------------------------------------------- */

static void
say_none(const struct threads_seat *seat)
{
	struct socketio_socket *socket = seat->session->socket;
	struct socketio_writer writer;

	socketio_event(socket, TEXT("missed_messages_status"), &writer);
	json_object_begin(&writer.json);
	json_key(&writer.json, "status");
	json_text_of(&writer.json, "none");
	json_key(&writer.json, "thread_id");
	json_text(&writer.json, threads_seat_name(seat));
	json_object_end(&writer.json);
	socketio_send(socket, &writer);
}

static void
write_missed(const struct threads_seat *seat, struct json_out *json)
{
	json_key(json, "missed_messages");
	json_object_begin(json);
	json_key(json, "available");
	json_bool(json, true);
	json_key(json, "count");
	json_int(json, seat->waiting);
	json_object_end(json);
}

static void
say_registered(const struct threads_seat *seat)
{
	struct socketio_socket *socket = seat->session->socket;
	struct socketio_writer writer;
	struct json_out *json = &writer.json;

	socketio_event(socket, TEXT("session_registered"), &writer);
	json_object_begin(json);
	json_key(json, "status");
	json_text_of(json, "ready");
	json_key(json, "thread_id");
	json_text(json, threads_seat_name(seat));
	json_key(json, "session_id");
	json_text(json, socketio_sid(socket));
	json_key(json, "transport");
	json_text_of(json, socketio_began_by_websocket(socket) ?
	    "websocket" : "polling");
	json_key(json, "is_in_room");
	json_bool(json, true);
	if (seat->left > 0)
		write_missed(seat, json);
	json_object_end(json);
	socketio_send(socket, &writer);
}

static void
say_joined(const struct threads_seat *seat)
{
	struct socketio_socket *socket = seat->session->socket;
	struct socketio_writer writer;
	struct json_out *json = &writer.json;

	socketio_event(socket, TEXT("room_joined"), &writer);
	json_object_begin(json);
	json_key(json, "thread_id");
	json_text(json, threads_seat_name(seat));
	json_key(json, "session_id");
	json_text(json, socketio_sid(socket));
	json_key(json, "success");
	json_bool(json, true);
	json_object_end(json);
	socketio_send(socket, &writer);
}

void
threads_seat_say(const struct threads_seat *seat)
{
	if (seat->purpose == THREADS_REGISTER)
		say_registered(seat);
	else if (seat->purpose == THREADS_FORCE)
		say_joined(seat);
}

static void
write_delivered(const struct threads_seat *seat,
    struct socketio_writer *writer)
{
	socketio_event(seat->session->socket,
	    TEXT("missed_messages_delivered"), writer);
	json_object_begin(&writer->json);
	json_key(&writer->json, "count");
	json_int(&writer->json, seat->waiting);
	json_key(&writer->json, "thread_id");
	json_text(&writer->json, threads_seat_name(seat));
	json_object_end(&writer->json);
}

/* --- its stream -------------------------------------------------------- */

static bool
is_for_sockets(text type)
{
	return (text_is(type, TEXT("analysis_update")) ||
	    text_is(type, TEXT("knowledge")) ||
	    text_is(type, TEXT("learning_intent")) ||
	    text_is(type, TEXT("learning_knowledge")) ||
	    text_is(type, TEXT("next_action")));
}

/* Of a turn: somebody is at work for this thread. */
static void
take_turn(struct threads_session *session, text type)
{
	threads_touch(session);
	if (text_is(type, TEXT("turn.started"))) {
		session->has_pending = true;
		session->request_at = session->active_at;
	} else if (text_is(type, TEXT("turn.ended")))
		session->has_pending = false;
}

/* One more was told of those that waited; true: it was the last one. */
static bool
count_missed(struct threads_seat *seat)
{
	COUNT(thread_missed);
	return (--seat->left == 0);
}

/* What is sent may end the seat: nothing of it is used after that. */
static void
tell(struct threads_seat *seat, text type, text data)
{
	struct threads_session *session = seat->session;
	struct socketio_socket *socket = session->socket;
	struct socketio_writer writer, end;
	bool is_last = seat->left > 0 && count_missed(seat);
	bool is_visit = seat->purpose == THREADS_MISSED;

	COUNT(thread_events);
	threads_touch(session);
	session->yield_at = session->active_at;
	socketio_event(socket, type, &writer);
	socketio_write_carried(&writer, data, NULL);
	if (is_last && !is_visit)
		write_delivered(seat, &end);
	else if (is_last)
		close_in(session, seat);
	socketio_send(socket, &writer);
	if (is_last && !is_visit)
		socketio_send(socket, &end);
}

void
threads_seat_note(struct threads_seat *seat)
{
	struct threads_thread *thread;

	if (seat == NULL || seat->held == 0)
		return;
	thread = seat->thread;
	threads_thread_told(thread, text_from(thread->epoch,
	    thread->epoch_len), seat->held, true);
	seat->handed = seat->held;
	seat->held = 0;
}

/* What a WebSocket takes at last is not told of: it is looked at. */
static void
await_sent(struct threads_seat *seat)
{
	struct engineio *engine = socketio_engine(seat->session->socket);

	if (engine != NULL && engineio_tell_when_sent(engine))
		return;
	if (!timer_is_set(&seat->later))
		timer_set(loop_timers(seat->threads->service->loop),
		    &seat->later, HELD_MS);
}

void
threads_seat_look(struct threads_seat *seat)
{
	const struct engineio *engine;

	if (seat == NULL || seat->held == 0)
		return;
	engine = socketio_engine(seat->session->socket);
	if (engine != NULL && engineio_has_sent_all(engine))
		threads_seat_note(seat);
	else
		await_sent(seat);
}

/*
 * It is told once it leaves. What waits for a client's next request, or until
 * its transport has changed, goes down with a worker that is killed: that is
 * to be told again.
 */
static void
note_event(struct threads_seat *seat, const struct event *event,
    bool is_ours)
{
	const struct threads_thread *thread = seat->thread;
	const struct engineio *engine = socketio_engine(
	    seat->session->socket);
	bool leaves = engine == NULL || engineio_is_writable(engine) ||
	    seat->purpose == THREADS_MISSED;

	if (engine != NULL && engineio_has_sent_all(engine))
		threads_seat_note(seat);
	if ((seat->held > 0 || (is_ours && !leaves)) && text_is(event->epoch,
	    text_from(thread->epoch, thread->epoch_len))) {
		seat->held = event->seq;
		await_sent(seat);
		return;
	}
	seat->held = 0;
	seat->handed = event->seq;
	threads_thread_told(seat->thread, event->epoch, event->seq, is_ours);
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	struct threads_seat *seat = seat_of(sub);
	text type = event_type(event), data;
	bool is_ours = is_for_sockets(type);

	if (event->seq == 0)
		return;
	note_event(seat, event, is_ours);
	if (is_ours && json_in_raw(event->envelope, TEXT("data"), &data))
		tell(seat, type, data);
	else if (text_begins(type, TEXT("turn.")) &&
	    seat->purpose != THREADS_MISSED)
		take_turn(seat->session, type);
}

/* What was between is no more: it goes on from the head. */
static void
go_on_from(struct threads_seat *seat, text epoch, uint64_t head)
{
	seat->left = seat->waiting = 0;
	seat->held = 0;
	seat->handed = head;
	threads_thread_told(seat->thread, epoch, head, true);
}

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	struct threads_seat *seat = seat_of(sub);
	struct threads_session *session = seat->session;

	(void)recovered;
	if (resync != NULL)
		go_on_from(seat, epoch, head);
	if (seat->purpose == THREADS_MISSED && resync != NULL) {
		say_none(seat);
		close_in(session, seat);
		return;
	}
	if (seat->purpose != THREADS_MISSED)
		session->is_ready = true;
	threads_seat_say(seat);
}

static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	struct threads_seat *seat = seat_of(sub);

	(void)resync;
	go_on_from(seat, epoch, head);
	if (seat->purpose == THREADS_MISSED)
		close_in(seat->session, seat);
}

/* Its stream is no more: entering makes it anew. */
static void
enter_again(struct threads_seat *seat)
{
	struct threads_session *session = seat->session;
	enum threads_purpose purpose = session->is_ready ? THREADS_AGAIN :
	    seat->purpose;
	text name = text_of(session->thread);

	threads_seat_open(&session->seat, session, purpose, name);
}

static void
on_ended(struct subscription *sub, enum hub_end why)
{
	struct threads_seat *seat = seat_of(sub);

	if (why == HUB_REFUSED)
		threads_break_off(seat->session);
	else if (seat->purpose == THREADS_MISSED) {
		say_none(seat);
		close_in(seat->session, seat);
	} else
		enter_again(seat);
}

static bool
on_has_room(struct subscription *sub)
{
	/* What waits has a bound, and the rest is not for it. */
	(void)sub;
	return (true);
}

static const struct subscription_acts acts = { on_deliver, on_subscribed,
    on_resync, on_ended, on_has_room };

/* --- its beginning ----------------------------------------------------- */

static void	ask(struct threads_seat *seat);

static void
join(struct threads_seat *seat, const struct call_row *row, uint64_t told,
    int64_t waiting)
{
	struct threads *threads = seat->threads;
	struct threads_thread *thread = threads_thread_get(threads,
	    seat->tenant, row->stream, row->epoch);
	struct cursor cursor = { CURSOR_PAIR, row->seq, row->epoch };

	seat->thread = thread;
	if (told > row->seq) {
		cursor.seq = told;
		waiting = 0;
	}
	seat->waiting = seat->left = waiting;
	seat->handed = cursor.seq;
	hub_join(feed_hubs(threads->service->feed), seat->tenant,
	    row->stream, &seat->sub, &cursor);
}

static bool
read_answer(const struct db_answer *answer, struct call_row *row,
    int64_t *waiting)
{
	text raw;
	int64_t dropped;

	if (answer->result != DB_ROWS || !act_answer_row(answer, row) ||
	    row->stream.at == NULL ||
	    !json_in_raw(row->body, TEXT("waiting"), &raw) ||
	    !text_to_int64(raw, 0, INT64_MAX, waiting) ||
	    !json_in_raw(row->body, TEXT("dropped"), &raw) ||
	    !text_to_int64(raw, 0, INT64_MAX, &dropped))
		return (false);
	COUNT_BY(thread_dropped, dropped);
	return (true);
}

/* By now it is known; or it is taken as it is. */
static void
on_repaired(void *me, const struct db_answer *answer)
{
	struct threads_seat *seat = object_cast(struct threads_seat,
	    THREADS_SEAT_MAGIC, me);

	(void)answer;
	seat->threads->calls--;
	if (seat->session != NULL)
		ask(seat);
	else
		free_seat(seat);
}

/*
 * Whoever told more, and was killed before he reported it, or is about to:
 * that is reported first, so that what waits is counted from there.
 */
static void
join_or_repair(struct threads_seat *seat, const struct call_row *row,
    int64_t waiting)
{
	uint64_t told = threads_told_here(seat->threads, seat->tenant,
	    row->stream, row->epoch);

	if (told <= row->seq || seat->tries++ >= TRIES_MOST)
		join(seat, row, told, waiting);
	else
		threads_call_told(seat->threads, seat->tenant, row->stream,
		    row->epoch, told, sid_of(seat), on_repaired, seat);
}

static void
on_entered(void *me, const struct db_answer *answer)
{
	struct threads_seat *seat = object_cast(struct threads_seat,
	    THREADS_SEAT_MAGIC, me);
	struct threads_session *session = seat->session;
	struct call_row row;
	int64_t waiting;

	seat->threads->calls--;
	if (!read_answer(answer, &row, &waiting)) {
		if (session != NULL) {
			threads_break_off(session);
			close_in(session, seat);
		}
		free_seat(seat);
		return;
	}
	if (session == NULL) {
		if (waiting > 0)
			threads_release(seat->threads, seat->tenant,
			    row.stream, row.epoch, row.seq, sid_of(seat));
		free_seat(seat);
	} else if (seat->purpose == THREADS_MISSED && waiting == 0) {
		say_none(seat);
		close_in(session, seat);
		free_seat(seat);
	} else
		join_or_repair(seat, &row, waiting);
}

/* "host slot.generation", and the same of all processes of this host. */
static void
write_alive(const struct service *service, char me[ME_SIZE],
    struct buf *alive)
{
	struct segment *segment = service->segment;
	char one[ME_SIZE];

	for (unsigned i = 0; i < segment->slots_count; i++) {
		struct slot *slot = &segment->slots[i];

		if (atomic_load(&slot->role) == ROLE_NONE)
			continue;
		snprintf(one, sizeof one, "%s %u.%" PRIu32, segment->host, i,
		    atomic_load(&slot->generation));
		call_array_add(alive, text_of(one));
		if (i == service->slot)
			memcpy(me, one, sizeof one);
	}
	call_array_end(alive);
}

static void
ask(struct threads_seat *seat)
{
	struct service *service = seat->threads->service;
	struct call_context context = { .tenant = seat->tenant,
	    .request_id = TEXT("thread") };
	char me[ME_SIZE] = "", most[24];
	struct buf alive;
	text inputs[5];

	buf_init(&alive, BUF_NO_LIMIT);
	write_alive(service, me, &alive);
	snprintf(most, sizeof most, "%" PRId64, service->conf->thread_queue);
	inputs[0] = threads_seat_name(seat);
	inputs[1] = text_of(me);
	inputs[2] = sid_of(seat);
	inputs[3] = buf_text(&alive);
	inputs[4] = text_of(most);
	seat->threads->calls++;
	service_ask(service, FUNCTION_thread_enter, &context, TEXT_NONE,
	    inputs, 5, on_entered, seat);
	buf_fini(&alive);
}

void
threads_seat_open(struct threads_seat **place,
    struct threads_session *session, enum threads_purpose purpose, text name)
{
	struct threads_seat *seat = object_create_sized(
	    sizeof *seat + name.len, THREADS_SEAT_MAGIC);

	seat->threads = session->threads;
	seat->session = session;
	seat->purpose = purpose;
	seat->tenant = socketio_tenant(session->socket);
	memcpy(seat->sid, socketio_sid(session->socket).at,
	    sizeof seat->sid);
	seat->name_len = name.len;
	memcpy(seat->name, name.at, name.len);
	timer_init(&seat->later, threads_seat_look, seat);
	subscription_init(&seat->sub, &acts);
	/* On the same connection it still comes. */
	threads_seat_note(*place);
	threads_seat_close(place);
	*place = seat;
	ask(seat);
}
