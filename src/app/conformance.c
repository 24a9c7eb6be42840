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

/* What was answered so far. */
struct asking {
	struct socketio_debt *debt;	/* NULL: nobody wants to know */
	struct buf	 answers;
};

static void
on_asked_answer(void *me, const struct socketio_packet *packet)
{
	struct asking *asking = me;

	buf_add_char(&asking->answers, asking->answers.len > 0 ? ',' : '[');
	buf_add_char(&asking->answers, '[');
	buf_add(&asking->answers, packet->rest);
	buf_add_char(&asking->answers, ']');
}

static void
on_asked_end(void *me, unsigned meant, unsigned answered)
{
	struct asking *asking = me;
	struct socketio_writer writer;

	buf_add_string(&asking->answers, answered > 0 ? "]" : "[]");
	if (asking->debt != NULL && socketio_debt_is_wanted(asking->debt)) {
		socketio_debt_answer(asking->debt, &writer);
		json_int(&writer.json, meant);
		json_raw(&writer.json, buf_text(&asking->answers));
		socketio_debt_pay(&asking->debt, &writer);
	} else if (asking->debt != NULL)
		socketio_debt_pay(&asking->debt, NULL);
	buf_fini(&asking->answers);
	mem_free(asking);
}

static void
on_ask_all(struct socketio_call *call)
{
	struct socketio_target target = { .nsp = TEXT("/custom"),
	    .tenant = socketio_tenant(call->socket) };
	struct asking *asking;
	struct socketio_writer writer;
	int64_t ms;

	if (!text_to_int64(call->arguments[0], 1, 60000, &ms))
		return;
	asking = mem_alloc(sizeof *asking);
	asking->debt = socketio_answer_later(call);
	buf_init(&asking->answers, BUF_NO_LIMIT);
	socketio_event(call->socket, TEXT("asked"), &writer);
	socketio_ask_all(socketio_of(call->socket), &target, &writer, ms,
	    &(struct socketio_asker){ on_asked_answer, on_asked_end,
	    asking });
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

static const struct socketio_event custom_events[] = {
	{ "ask-all", "i", on_ask_all },
};

const struct socketio_app conformance_apps[CONFORMANCE_APPS] = {
	{ .nsp = "/", .events = events,
	    .events_count = sizeof events / sizeof events[0],
	    .on_connect = on_connect },
	{ .nsp = "/custom", .events = custom_events,
	    .events_count = sizeof custom_events / sizeof custom_events[0],
	    .on_connect = on_connect },
};
