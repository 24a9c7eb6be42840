/* SPDX-License-Identifier: MIT */
/*
 * What hubs tell: an event is written when the first socket gets it, and all
 * others get the same.
 */
#include "base/count.h"
#include "core/lag.h"
#include "transport/socketio_inside.h"

static void
give_message(void *given)
{
	struct engineio_message *message = given;

	engineio_message_give(&message);
}

static struct engineio_message *
make(const struct socketio_socket *socket, struct event *event,
    const struct socketio_form *form)
{
	struct engineio_message *message;
	struct socketio_writer writer;
	text written;

	if (form->write != NULL) {
		socketio_write(&writer, SOCKETIO_EVENT,
		    text_of(socket->app->nsp));
		form->write(&writer, event);
	} else {
		socketio_event(socket, event_type(event), &writer);
		json_raw(&writer.json, event->envelope);
	}
	written = socketio_written(&writer);
	must(writer.count == 0);
	message = engineio_message_create(&written, 1, false);
	socketio_write_end(&writer);
	lag_note(socket->socketio->setup.service->lag, event);
	return (message);
}

void
socketio_send_event(struct socketio_socket *socket, struct event *event,
    const struct socketio_form *form)
{
	struct event_owned *owned = &event->objects[form->place];

	if (socket->state != SOCKETIO_JOINED)
		return;
	if (owned->at == NULL) {
		owned->at = make(socket, event, form);
		owned->give = give_message;
	}
	if (event->seq != 0 && socket->keep != NULL)
		socketio_send_tailed(socket, owned->at);
	else if (event->seq != 0)
		engineio_send(socket->engine, owned->at);
	else
		engineio_send_live(socket->engine, owned->at,
		    event_key(event));
	COUNT(deliveries);
}

bool
socketio_has_room(struct socketio_socket *socket)
{
	return (socket->state == SOCKETIO_JOINED &&
	    engineio_has_room(socket->engine));
}
