/* SPDX-License-Identifier: MIT */
/*
 * What there is to know of a socket, by the names of older servers.
 */
#include "app/threads_inside.h"
#include "base/json_out.h"

static void
write_moment(struct json_out *json, const char *key, int64_t stamp)
{
	char moment[STAMP_SIZE];

	json_key(json, key);
	if (stamp == 0) {
		json_nothing(json);
		return;
	}
	stamp_write(stamp, moment);
	json_text_of(json, moment);
}

static void
write_text(struct json_out *json, const char *key, const char *words)
{
	json_key(json, key);
	if (words == NULL)
		json_nothing(json);
	else
		json_text_of(json, words);
}

static void
write_flag(struct json_out *json, const char *key, bool is_so)
{
	json_key(json, key);
	json_bool(json, is_so);
}

void
threads_write_now(struct json_out *json, const char *key)
{
	write_moment(json, key, stamp_now());
}

void
threads_write_names(const struct threads_session *session,
    struct json_out *json)
{
	json_key(json, "session_id");
	json_text(json, socketio_sid(session->socket));
	json_key(json, "thread_id");
	if (session->thread == NULL)
		json_nothing(json);
	else
		json_text_of(json, session->thread);
}

static void
write_moments(const struct threads_session *session, struct json_out *json)
{
	write_moment(json, "connected_at", session->connected_at);
	write_moment(json, "last_activity", session->active_at);
	write_moment(json, "last_ping", session->ping_at);
	write_moment(json, "server_ping", session->server_ping_at);
	write_moment(json, "system_ping_response", session->pong_at);
	write_moment(json, "api_request_time", session->request_at);
	write_moment(json, "yielding_timestamp", session->yield_at);
}

void
threads_write_record(const struct threads_session *session,
    struct json_out *json)
{
	const struct socketio_socket *socket = session->socket;

	json_object_begin(json);
	write_text(json, "thread_id", session->thread);
	write_text(json, "user_id", session->user);
	write_text(json, "status", session->is_ready ? "ready" : "connected");
	write_text(json, "transport", socketio_began_by_websocket(socket) ?
	    "websocket" : "polling");
	write_moments(session, json);
	json_key(json, "remote_addr");
	json_text(json, socketio_address(socket));
	write_flag(json, "is_in_socketio", true);
	write_flag(json, "is_in_room", session->is_ready);
	write_flag(json, "pre_registered", session->thread == NULL);
	write_flag(json, "reconnected", false);
	write_flag(json, "has_pending_request", session->has_pending);
	json_key(json, "client_info");
	if (session->info == NULL)
		json_nothing(json);
	else
		json_raw(json, text_of(session->info));
	json_key(json, "session_id");
	json_text(json, socketio_sid(socket));
	json_object_end(json);
}
