/* SPDX-License-Identifier: MIT */
/*
 * Events by the application's table, and answers: those that clients want of
 * us, and those that we want of them.
 */
#include <utlist.h>

#include "base/count.h"
#include "core/carried.h"
#include "plat/loop.h"
#include "transport/socketio_inside.h"
#include "transport/socketio_placeholder.h"

/* What we wait for. */
struct socketio_ask {
	unsigned	 magic;
#define SOCKETIO_ASK_MAGIC 0x73696f61
	struct socketio_socket *socket;
	struct socketio_ask *prev, *next;
	uint64_t	 id;
	struct timer	 late;
	void		(*on_answer)(void *, const struct socketio_packet *);
	void		*me;
};

/* What a client waits for. */
struct socketio_debt {
	unsigned	 magic;
#define SOCKETIO_DEBT_MAGIC 0x73696f64
	struct socketio_socket *socket;		/* NULL: it has gone */
	struct socketio_debt *prev, *next;
	uint64_t	 id;
};

/* --- events ------------------------------------------------------------ */

/* The place of the attachment that a value stands for; false: for none. */
static bool
find_attachment(const struct socketio_packet *packet, text value,
    unsigned *place_out)
{
	struct placeholders found;

	if (packet->count == 0 || carried_kind(value) != CARRIED_OBJECT)
		return (false);
	placeholders_begin(&found, value);
	if (placeholders_next(&found) != PLACEHOLDER_FOUND ||
	    found.next != found.end)
		return (false);
	*place_out = found.num;
	return (true);
}

struct bytes *
socketio_attachment(const struct socketio_call *call, text argument)
{
	unsigned place;

	return (find_attachment(call->packet, argument, &place) ?
	    call->packet->attachments[place] : NULL);
}

static bool
is_of_shape(const struct socketio_call *call, char letter, text value)
{
	switch (letter) {
	case 't':
		return (carried_kind(value) == CARRIED_TEXT);
	case 'i':
		return (carried_kind(value) == CARRIED_NUMBER);
	case 'b':
		return (carried_kind(value) == CARRIED_BOOL);
	case 'a':
		return (carried_kind(value) == CARRIED_ARRAY);
	case 'x':
		return (socketio_attachment(call, value) != NULL);
	case 'o':
		return (carried_kind(value) == CARRIED_OBJECT &&
		    socketio_attachment(call, value) == NULL);
	default:
		must(letter == 'v');
		return (true);
	}
}

/* false: what came is not of that shape. */
static bool
read_arguments(struct socketio_call *call, const char *shape)
{
	bool may_miss = false;
	text rest = call->packet->rest, value;

	for (; *shape != '\0' && *shape != '*'; shape++) {
		if (*shape == '?') {
			may_miss = true;
			continue;
		}
		must(call->count < SOCKETIO_ARGUMENTS_MAX);
		if (!carried_next(&rest, &value)) {
			if (!may_miss)
				return (false);
			value = TEXT_NONE;
		} else if (may_miss && carried_kind(value) == CARRIED_NULL)
			value = TEXT_NONE;
		else if (!is_of_shape(call, *shape, value))
			return (false);
		call->arguments[call->count++] = value;
	}
	return (*shape == '*' || rest.len == 0);
}

static const struct socketio_event *
find_event(const struct socketio_app *app, text name)
{
	for (unsigned i = 0; i < app->events_count; i++)
		if (carried_is(name, text_of(app->events[i].name)))
			return (&app->events[i]);
	return (NULL);
}

void
socketio_on_event(struct socketio_socket *socket,
    const struct socketio_packet *packet)
{
	const struct socketio_app *app = socket->app;
	const struct socketio_event *event = find_event(app, packet->name);
	struct socketio_call call = { .socket = socket, .packet = packet,
	    .application = socket->application };

	if (event == NULL) {
		if (app->on_unknown != NULL)
			app->on_unknown(&call);
	} else if (!read_arguments(&call, event->shape)) {
		if (app->on_misfit != NULL)
			app->on_misfit(&call);
	} else
		event->act(&call);
}

void
socketio_event(const struct socketio_socket *socket, text name,
    struct socketio_writer *writer)
{
	socketio_write(writer, SOCKETIO_EVENT, text_of(socket->app->nsp));
	socketio_write_text(writer, name);
}

void
socketio_send(struct socketio_socket *socket, struct socketio_writer *writer)
{
	socketio_send_writer(socket, writer, false);
}

void
socketio_send_volatile(struct socketio_socket *socket,
    struct socketio_writer *writer)
{
	socketio_send_writer(socket, writer, true);
}

/* --- answers that clients want ----------------------------------------- */

static void
begin_answer(const struct socketio_socket *socket, uint64_t id,
    struct socketio_writer *writer)
{
	socketio_write(writer, SOCKETIO_ACK, text_of(socket->app->nsp));
	writer->id = id;
}

bool
socketio_answer(struct socketio_call *call, struct socketio_writer *writer)
{
	if (call->packet->id == SOCKETIO_NO_ID || call->is_answered)
		return (false);
	begin_answer(call->socket, call->packet->id, writer);
	return (true);
}

void
socketio_answer_send(struct socketio_call *call,
    struct socketio_writer *writer)
{
	must(!call->is_answered);
	call->is_answered = true;
	socketio_send_writer(call->socket, writer, false);
}

struct socketio_debt *
socketio_answer_later(struct socketio_call *call)
{
	struct socketio_debt *debt;

	if (call->packet->id == SOCKETIO_NO_ID || call->is_answered ||
	    call->socket->state != SOCKETIO_JOINED)
		return (NULL);
	call->is_answered = true;
	debt = object_create(struct socketio_debt, SOCKETIO_DEBT_MAGIC);
	debt->socket = call->socket;
	debt->id = call->packet->id;
	DL_APPEND(call->socket->debts, debt);
	return (debt);
}

bool
socketio_debt_is_wanted(const struct socketio_debt *debt)
{
	object_check(debt, SOCKETIO_DEBT_MAGIC);
	return (debt->socket != NULL);
}

void
socketio_debt_answer(const struct socketio_debt *debt,
    struct socketio_writer *writer)
{
	must(socketio_debt_is_wanted(debt));
	begin_answer(debt->socket, debt->id, writer);
}

void
socketio_debt_pay(struct socketio_debt **given,
    struct socketio_writer *writer)
{
	struct socketio_debt *debt = *given;

	*given = NULL;
	object_check(debt, SOCKETIO_DEBT_MAGIC);
	if (debt->socket != NULL) {
		DL_DELETE(debt->socket->debts, debt);
		if (writer != NULL)
			socketio_send_writer(debt->socket, writer, false);
	} else if (writer != NULL)
		socketio_write_end(writer);
	object_free(&debt);
}

/* --- answers that we want ---------------------------------------------- */

/* Once: it is gone before it is told, so that more may be asked in there. */
static void
end_ask(struct socketio_ask *ask, const struct socketio_packet *packet)
{
	struct socketio_socket *socket = ask->socket;
	void (*on_answer)(void *, const struct socketio_packet *) =
	    ask->on_answer;
	void *me = ask->me;

	DL_DELETE(socket->asks, ask);
	timer_stop(loop_timers(socket->socketio->setup.service->loop),
	    &ask->late);
	object_free(&ask);
	on_answer(me, packet);
}

static void
on_late(struct socketio_ask *ask)
{
	end_ask(ask, NULL);
}

void
socketio_expect(struct socketio_socket *socket, uint64_t id,
    int64_t timeout_ms,
    void (*on_answer)(void *, const struct socketio_packet *), void *me)
{
	struct socketio_ask *ask = object_create(struct socketio_ask,
	    SOCKETIO_ASK_MAGIC);

	ask->socket = socket;
	ask->id = id;
	ask->on_answer = on_answer;
	ask->me = me;
	timer_init(&ask->late, on_late, ask);
	timer_set(loop_timers(socket->socketio->setup.service->loop),
	    &ask->late, timeout_ms);
	DL_APPEND(socket->asks, ask);
}

void
socketio_ask(struct socketio_socket *socket, struct socketio_writer *writer,
    int64_t timeout_ms,
    void (*on_answer)(void *, const struct socketio_packet *), void *me)
{
	if (socket->state != SOCKETIO_JOINED) {
		socketio_write_end(writer);
		on_answer(me, NULL);
		return;
	}
	writer->id = socket->socketio->next_id++;
	socketio_expect(socket, writer->id, timeout_ms, on_answer, me);
	socketio_send_writer(socket, writer, false);
}

void
socketio_on_ack(struct socketio_socket *socket,
    const struct socketio_packet *packet)
{
	struct socketio_ask *ask;

	DL_FOREACH(socket->asks, ask)
		if (ask->id == packet->id) {
			end_ask(ask, packet);
			return;
		}
}

void
socketio_forget_calls(struct socketio_socket *socket)
{
	struct socketio_debt *debt, *next;

	DL_FOREACH_SAFE(socket->debts, debt, next) {
		DL_DELETE(socket->debts, debt);
		debt->socket = NULL;
	}
	while (socket->asks != NULL)
		end_ask(socket->asks, NULL);
}
