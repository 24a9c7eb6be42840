/* SPDX-License-Identifier: MIT */
/*
 * The table, and a function for each of its rows.
 */
#include "app/conformance.h"

static void
on_message(struct socketio_call *call)
{
	struct socketio_writer writer;

	socketio_event(call->socket, TEXT("message-back"), &writer);
	socketio_write_carried(&writer, call->packet->rest, call->packet);
	socketio_send(call->socket, &writer);
}

static void
on_message_with_ack(struct socketio_call *call)
{
	struct socketio_writer writer;

	if (!socketio_answer(call, &writer))
		return;
	socketio_write_carried(&writer, call->packet->rest, call->packet);
	socketio_answer_send(call, &writer);
}

static void
on_connect(struct socketio_socket *socket, text auth, void *context)
{
	struct socketio_writer writer;

	(void)context;
	socketio_admit(socket);
	socketio_event(socket, TEXT("auth"), &writer);
	socketio_write_carried(&writer, auth, NULL);
	socketio_send(socket, &writer);
}

static const struct socketio_event events[] = {
	{ "message", "*", on_message },
	{ "message-with-ack", "*", on_message_with_ack },
};

const struct socketio_app conformance_apps[CONFORMANCE_APPS] = {
	{ .nsp = "/", .events = events,
	    .events_count = sizeof events / sizeof events[0],
	    .on_connect = on_connect },
	{ .nsp = "/custom", .on_connect = on_connect },
};
