/* SPDX-License-Identifier: MIT */
/*
 * Sockets of threads: what they say, and the sweep that looks after them.
 */
#include <stdio.h>
#include <utlist.h>

#include "app/threads_inside.h"
#include "base/conf.h"
#include "base/count.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/carried.h"
#include "core/feed.h"
#include "core/json.h"
#include "core/tenant.h"
#include "plat/loop.h"

#define UUID_SIZE sizeof("00000000-0000-4000-8000-000000000000")
#define USER "thefusionlab"
#define NO_NAME "Invalid thread_id or user_id"
#define SAID_MOST 400			/* letters of a line of the log */

static void
keep(char **place, text t)
{
	mem_free(*place);
	*place = t.at == NULL ? NULL : mem_copy_text(t);
}

void
threads_log(const struct threads_session *session, const char *what,
    text more)
{
	char line[SAID_MOST];

	if (!session->threads->service->conf->log_legacy)
		return;
	snprintf(line, sizeof line, "[SESSION_TRACE] %s: SID=%.*s, "
	    "Thread=%s%s%.*s", what, TEXT_ARGS(socketio_sid(session->socket)),
	    session->thread == NULL ? "None" : session->thread,
	    more.len > 0 ? ", " : "", TEXT_ARGS(more));
	log_info("as it was", F("line", (const char *)line));
}

void
threads_touch(struct threads_session *session)
{
	session->active_ms = clock_ms();
	session->active_at = stamp_now();
}

void
threads_break_off(struct threads_session *session)
{
	struct engineio *engine = socketio_engine(session->socket);

	if (engine != NULL)
		engineio_close(engine, ENGINEIO_FORCED_CLOSE);
}

/* --- what they bring --------------------------------------------------- */

/* Nothing more is said to who wants an answer. */
static void
answer_nothing(struct socketio_call *call)
{
	struct socketio_writer writer;

	if (socketio_answer(call, &writer))
		socketio_answer_send(call, &writer);
}

static void
say_error(struct threads_session *session, const char *message)
{
	struct socketio_writer writer;

	socketio_event(session->socket, TEXT("error"), &writer);
	json_object_begin(&writer.json);
	json_key(&writer.json, "message");
	json_text_of(&writer.json, message);
	json_object_end(&writer.json);
	socketio_send(session->socket, &writer);
}

/* NULL: what came is no object. To be freed. */
static struct json_object *
read_object(const struct socketio_call *call)
{
	return (call->arguments[0].at == NULL ? NULL :
	    json_in_read(call->arguments[0]));
}

static bool
is_name(text name)
{
	return (name.len > 0 && !text_has(name, '\0') &&
	    text_characters(name) <= THREADS_NAME_MAX);
}

static void
make_uuid(char out[UUID_SIZE])
{
	unsigned char b[16];

	secret_fill(b, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(out, UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
	    b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
	    b[15]);
}

/* --- coming in --------------------------------------------------------- */

/* Where it is already, it is told so once more. */
static void
enter(struct threads_session *session, enum threads_purpose purpose,
    text name)
{
	struct threads_seat *seat = session->seat;

	session->has_record = true;
	threads_touch(session);
	if (seat != NULL && text_is(threads_seat_name(seat), name)) {
		seat->purpose = purpose;
		if (session->is_ready)
			threads_seat_say(seat);
		return;
	}
	session->is_ready = session->has_pending = false;
	keep(&session->thread, name);
	threads_seat_open(&session->seat, session, purpose, name);
}

static void
register_for(struct threads_session *session, struct json_object *json)
{
	char made[sizeof("thread_") + UUID_SIZE] = "thread_";
	text name = TEXT_NONE, user = TEXT(USER);

	json_in_text(json, "thread_id", &name);
	json_in_text(json, "user_id", &user);
	if (name.len == 0) {
		make_uuid(made + sizeof("thread_") - 1);
		name = text_of(made);
	}
	if (!is_name(name) || user.len > THREADS_INFO_MAX) {
		say_error(session, NO_NAME);
		return;
	}
	keep(&session->user, user);
	enter(session, THREADS_REGISTER, name);
	threads_log(session, "Session registered", user);
}

static void
on_register(struct socketio_call *call)
{
	struct json_object *json = read_object(call);

	COUNT(thread_registrations);
	answer_nothing(call);
	if (json == NULL && call->arguments[0].at != NULL)
		say_error(call->application, NO_NAME);
	else
		register_for(call->application, json);
	json_in_free(&json);
}

static void
on_force_join(struct socketio_call *call)
{
	struct threads_session *session = call->application;
	struct json_object *json = read_object(call);
	text name = TEXT_NONE;

	answer_nothing(call);
	json_in_text(json, "thread_id", &name);
	if (name.len == 0)
		say_error(session, "Missing thread_id parameter");
	else if (!is_name(name))
		say_error(session, "Failed to join room: Invalid thread_id");
	else {
		enter(session, THREADS_FORCE, name);
		threads_log(session, "Joined room", TEXT_NONE);
	}
	json_in_free(&json);
}

static void
say_none(struct threads_session *session, text name)
{
	struct socketio_writer writer;

	socketio_event(session->socket, TEXT("missed_messages_status"),
	    &writer);
	json_object_begin(&writer.json);
	json_key(&writer.json, "status");
	json_text_of(&writer.json, "none");
	json_key(&writer.json, "thread_id");
	json_text(&writer.json, name);
	json_object_end(&writer.json);
	socketio_send(session->socket, &writer);
}

/* Of its own thread it has been told all, or is being told it. */
static void
on_request_missed(struct socketio_call *call)
{
	struct threads_session *session = call->application;
	struct json_object *json = read_object(call);
	text name = TEXT_NONE;

	answer_nothing(call);
	json_in_text(json, "thread_id", &name);
	if (!is_name(name))
		;
	else if (session->seat == NULL ||
	    !text_is(threads_seat_name(session->seat), name))
		threads_seat_open(&session->visit, session, THREADS_MISSED,
		    name);
	else if (session->is_ready && session->seat->left == 0)
		say_none(session, name);
	json_in_free(&json);
}

/* --- signs of life ----------------------------------------------------- */

static void
keep_info(struct threads_session *session, text payload)
{
	text info;

	if (payload.at != NULL && json_in_raw(payload, TEXT("client_info"),
	    &info) && info.len <= THREADS_INFO_MAX)
		keep(&session->info, info);
}

static void
write_pong(const struct threads_session *session, struct json_out *json)
{
	json_object_begin(json);
	json_key(json, "pong");
	json_bool(json, true);
	threads_write_now(json, "timestamp");
	threads_write_names(session, json);
	json_key(json, "transport");
	json_text_of(json, socketio_began_by_websocket(session->socket) ?
	    "websocket" : "polling");
	json_object_end(json);
}

static void
on_ping(struct socketio_call *call)
{
	struct threads_session *session = call->application;
	struct socketio_writer writer;

	COUNT(thread_pings);
	threads_touch(session);
	session->ping_at = session->active_at;
	if (call->arguments[0].at != NULL && carried_kind(call->arguments[0])
	    == CARRIED_OBJECT)
		keep_info(session, call->arguments[0]);
	threads_log(session, "Ping", TEXT_NONE);
	if (!socketio_answer(call, &writer))
		return;
	write_pong(session, &writer.json);
	socketio_answer_send(call, &writer);
}

static void
on_system_pong(struct socketio_call *call)
{
	struct threads_session *session = call->application;
	struct socketio_writer writer;

	threads_touch(session);
	session->pong_at = session->active_at;
	if (!socketio_answer(call, &writer))
		return;
	json_object_begin(&writer.json);
	json_key(&writer.json, "status");
	json_text_of(&writer.json, "acknowledged");
	threads_write_now(&writer.json, "timestamp");
	json_object_end(&writer.json);
	socketio_answer_send(call, &writer);
}

static void
on_debug_status(struct socketio_call *call)
{
	answer_nothing(call);
	threads_tell_status(call->application);
}

/* --- the sweep --------------------------------------------------------- */

static void
send_system_ping(struct threads_session *session)
{
	struct socketio_writer writer;

	COUNT(thread_system_pings);
	session->server_ping_at = stamp_now();
	socketio_event(session->socket, TEXT("system_ping"), &writer);
	json_object_begin(&writer.json);
	threads_write_now(&writer.json, "timestamp");
	json_key(&writer.json, "message");
	json_text_of(&writer.json, "Session activity check");
	json_object_end(&writer.json);
	socketio_send(session->socket, &writer);
}

/* It stays connected. */
static void
drop(struct threads_session *session)
{
	COUNT(thread_sessions_dropped);
	threads_log(session, "Inactive session removed", TEXT_NONE);
	threads_seat_note(session->seat);
	threads_seat_close(&session->seat);
	keep(&session->thread, TEXT_NONE);
	session->has_record = session->is_ready = false;
}

static void
on_sweep(struct threads *threads)
{
	const struct conf *conf = threads->service->conf;
	struct threads_session *session, *next;
	int64_t age, now_ms = clock_ms();

	DL_FOREACH_SAFE(threads->sessions, session, next) {
		age = now_ms - session->active_ms;
		if (!session->has_record)
			continue;
		if (age > conf->thread_drop_after)
			drop(session);
		else if (age > conf->thread_ping_after &&
		    session->thread != NULL)
			send_system_ping(session);
	}
	timer_set(loop_timers(threads->service->loop), &threads->sweep,
	    conf->thread_sweep);
}

/* --- sockets ----------------------------------------------------------- */

static void
say_connected(struct threads_session *session)
{
	struct socketio_writer writer;
	struct json_out *json = &writer.json;

	socketio_event(session->socket, TEXT("connected"), &writer);
	json_object_begin(json);
	json_key(json, "status");
	json_text_of(json, "connected");
	json_key(json, "session_id");
	json_text(json, socketio_sid(session->socket));
	json_key(json, "transport");
	json_text_of(json, socketio_began_by_websocket(session->socket) ?
	    "websocket" : "polling");
	threads_write_now(json, "server_time");
	json_object_end(json);
	socketio_send(session->socket, &writer);
}

static void
on_connect(struct socketio_socket *socket, text auth, void *context)
{
	struct threads *threads = object_cast(struct threads, THREADS_MAGIC,
	    context);
	struct threads_session *session = object_create(
	    struct threads_session, THREADS_SESSION_MAGIC);

	(void)auth;
	session->threads = threads;
	session->socket = socket;
	session->has_record = true;
	keep(&session->user, TEXT(USER));
	threads_touch(session);
	session->connected_at = session->active_at;
	DL_APPEND(threads->sessions, session);
	GAUGE_ADD(thread_sessions, 1);
	socketio_set_application(socket, session);
	socketio_admit(socket);
	say_connected(session);
	threads_log(session, "Client connected", TEXT_NONE);
}

static void
on_room(void *application)
{
	const struct threads_session *session = object_cast(
	    struct threads_session, THREADS_SESSION_MAGIC, application);

	threads_seat_look(session->seat);
}

static void
on_close(void *application, enum socketio_end why)
{
	struct threads_session *session = object_cast(struct threads_session,
	    THREADS_SESSION_MAGIC, application);

	threads_log(session, "Client disconnected",
	    text_of(socketio_end_name(why)));
	/* One that is told to go gets what is queued before. */
	if (why != SOCKETIO_TRANSPORT_ERROR && why != SOCKETIO_PING_TIMEOUT &&
	    why != SOCKETIO_TRANSPORT_CLOSE)
		threads_seat_note(session->seat);
	threads_seat_close(&session->seat);
	threads_seat_close(&session->visit);
	DL_DELETE(session->threads->sessions, session);
	GAUGE_ADD(thread_sessions, -1);
	mem_free(session->thread);
	mem_free(session->user);
	mem_free(session->info);
	object_free(&session);
}

/* Of the tabletop, whose events need a login: they are told so. */
static void
on_unknown(struct socketio_call *call)
{
	static const char *const names[] = { "chat", "chat-message", "diceRoll",
	    "gameAction:request", "gameSession:join", "gameSession:leave",
	    "get-user-data", "join-session", "joinSession", "leave-session",
	    "leaveSession", "message", "move", "roll", "token:create",
	    "token:delete", "token:move", "token:update",
	    "validate-action" };
	struct socketio_writer writer;

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!carried_is(call->packet->name, text_of(names[i])) ||
		    !socketio_answer(call, &writer))
			continue;
		json_object_begin(&writer.json);
		json_key(&writer.json, "success");
		json_bool(&writer.json, false);
		json_key(&writer.json, "error");
		json_text_of(&writer.json, "Authentication required");
		json_object_end(&writer.json);
		socketio_answer_send(call, &writer);
	}
}

static bool
is_mine(void *context, const struct socketio_socket *socket)
{
	const struct threads *threads = object_cast(struct threads,
	    THREADS_MAGIC, context);
	const struct tenant *tenant = tenant_by_id(threads->service->tenants,
	    socketio_tenant(socket));

	return (socketio_cookie(socket).at == NULL && tenant != NULL &&
	    tenant->threads);
}

static void
refuse(struct socketio_socket *socket, text auth, void *context)
{
	(void)auth;
	(void)context;
	socketio_refuse(socket, TEXT("Authentication required"), TEXT_NONE);
}

static const struct socketio_event events[] = {
	{ "debug_socket_status", "?v*", on_debug_status },
	{ "force_room_join", "?v*", on_force_join },
	{ "ping", "?v*", on_ping },
	{ "register_session", "?v*", on_register },
	{ "request_missed_messages", "?v*", on_request_missed },
	{ "system_ping_response", "?v*", on_system_pong },
};

/* --- its life ---------------------------------------------------------- */

const struct socketio_app *
threads_apps(const struct threads *threads)
{
	return (threads->apps);
}

struct threads *
threads_create(struct service *service)
{
	struct threads *threads = object_create(struct threads,
	    THREADS_MAGIC);

	threads->service = service;
	threads->apps[0] = (struct socketio_app){ .nsp = "/",
	    .events = events,
	    .events_count = sizeof events / sizeof events[0],
	    .context = threads, .is_mine = is_mine,
	    .on_connect = on_connect, .on_unknown = on_unknown,
	    .on_room = on_room, .on_close = on_close };
	threads->apps[1] = (struct socketio_app){ .nsp = "/",
	    .on_connect = refuse };
	timer_init(&threads->sweep, on_sweep, threads);
	timer_set(loop_timers(service->loop), &threads->sweep,
	    service->conf->thread_sweep);
	feed_listen(service->feed, &(struct feed_listener){
	    TEXT("threads"), threads_hear, threads });
	return (threads);
}

bool
threads_have_finished(const struct threads *threads)
{
	return (threads->calls == 0 && threads->by_key == NULL &&
	    threads->askings == NULL);
}

/* What was not stored yet is told once more. */
static void
forget_unreported(struct threads *threads)
{
	struct threads_thread *thread, *next;

	HASH_ITER(hh, threads->by_key, thread, next) {
		thread->seats++;
		threads_thread_give(thread);
	}
}

void
threads_close(struct threads *threads)
{
	if (threads == NULL)
		return;
	object_check(threads, THREADS_MAGIC);
	must(threads->sessions == NULL);
	threads->is_closing = true;
	threads_end_askings(threads);
	forget_unreported(threads);
	feed_leave(threads->service->feed, TEXT("threads"));
	timer_stop(loop_timers(threads->service->loop), &threads->sweep);
}

void
threads_destroy(struct threads **given)
{
	struct threads *threads = *given;

	*given = NULL;
	if (threads == NULL)
		return;
	object_check(threads, THREADS_MAGIC);
	must(threads_have_finished(threads));
	object_free(&threads);
}
