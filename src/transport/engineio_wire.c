/* SPDX-License-Identifier: MIT */
/*
 * A session's WebSocket, from its beginning or after its probe:
 *
 *	2probe ──> 3probe, whoever polls is sent away ──> 5 ──> it is the wire
 *	anything else, or too late: the probe is closed, polling goes on
 */
#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "transport/engineio_inside.h"

#define FAREWELL_MS 5000
#define KEY_PONG 1

static struct engineio_wire *
wire_of(const struct sock *sock)
{
	return (object_cast(struct engineio_wire, ENGINEIO_WIRE_MAGIC,
	    sock_owner(sock)));
}

/* --- closing ----------------------------------------------------------- */

static void
close_with(struct engineio_wire *wire, unsigned code, text reason,
    enum sock_ending ending)
{
	struct bytes *farewell;

	if (wire->is_closing)
		return;
	wire->is_closing = true;
	farewell = frame_write_close(code, reason);
	sock_close(wire->sock, farewell, ending, FAREWELL_MS);
	bytes_give(&farewell);
}

void
engineio_wire_close(struct engineio_wire **given, unsigned code)
{
	struct engineio_wire *wire = *given;

	*given = NULL;
	if (wire == NULL)
		return;
	wire->engine = NULL;
	close_with(wire, code, TEXT_NONE, SOCK_WHEN_PEER_ENDS);
}

void
engineio_wire_destroy(struct engineio_wire **given)
{
	struct engineio_wire *wire = *given;

	*given = NULL;
	if (wire == NULL)
		return;
	frame_reader_fini(&wire->reader);
	peer_places_give(&wire->places, wire->set->ground);
	object_free(&wire);
}

/* It is closing, or gone: what becomes of its session. */
static void
lose(struct engineio_wire *wire, enum engineio_end why)
{
	struct engineio *engine = wire->engine;

	wire->engine = NULL;
	if (engine == NULL)
		return;
	if (engine->probe == wire) {
		engine->probe = NULL;
		engine->was_probed = false;
		timer_stop(loop_timers(wire->set->loop), &engine->change);
	} else {
		engine->wire = NULL;
		engineio_break(engine, why, ENGINEIO_CLOSE);
	}
}

/* --- the upgrade ------------------------------------------------------- */

static void
answer_probe(struct engineio_wire *wire)
{
	struct engineio *engine = wire->engine;
	struct engineio_message *pong = engineio_packet_create(ENGINEIO_PONG,
	    TEXT("probe"));

	engineio_wire_send(wire, pong);
	engineio_message_give(&pong);
	engine->was_probed = true;
	if (engineio_has_poll(engine))
		engineio_poll_flush(engine, engine->count == 0 ?
		    ENGINEIO_NOOP : 0);
}

/* Nothing comes between them, and where one has no room none counts. */
static bool
send_parts(struct engineio_wire *wire, struct engineio_message *message)
{
	struct bytes *parts[ENGINEIO_TAILED_PARTS];
	unsigned count = engineio_message_parts(message, parts);

	for (unsigned i = 0; i < count; i++)
		sock_send(wire->sock, parts[i], SOCK_NUMBERED, 0);
	return (count > 0);
}

static void
flush_queue(struct engineio *engine)
{
	for (unsigned i = 0; i < engine->count; i++)
		if (!send_parts(engine->wire, engine->queue[i]))
			engineio_wire_send(engine->wire, engine->queue[i]);
	engineio_queue_shed(engine);
}

/* From here on it does not poll. */
static void
upgrade(struct engineio_wire *wire)
{
	struct engineio *engine = wire->engine;

	COUNT(engineio_upgrades);
	timer_stop(loop_timers(wire->set->loop), &engine->change);
	if (engineio_has_poll(engine))
		engineio_poll_flush(engine, engine->count == 0 ?
		    ENGINEIO_NOOP : 0);
	engine->probe = NULL;
	engine->was_probed = false;
	engine->wire = wire;
	engine->is_websocket = true;
	engineio_places_give(engine);
	flush_queue(engine);
}

static void
hear_probing(struct engineio_wire *wire,
    const struct engineio_packet *packet)
{
	struct engineio *engine = wire->engine;

	if (!engineio_is_in_time(engine))
		return;
	if (packet->type == ENGINEIO_PING &&
	    text_is(packet->data, TEXT("probe")) && !engine->was_probed) {
		answer_probe(wire);
	} else if (packet->type == ENGINEIO_UPGRADE && engine->was_probed) {
		upgrade(wire);
	} else {
		lose(wire, ENGINEIO_TRANSPORT_ERROR);
		close_with(wire, FRAME_CODE_NONE, TEXT_NONE,
		    SOCK_WHEN_PEER_ENDS);
	}
}

/* --- frames ------------------------------------------------------------ */

static void
fault(struct engineio_wire *wire, unsigned code, enum engineio_end why)
{
	COUNT(engineio_faults);
	log_info("an Engine.IO client broke the protocol",
	    F("code", (int)code));
	lose(wire, why);
	close_with(wire, code, TEXT_NONE, SOCK_WHEN_PEER_ENDS);
}

static void
hear_text(struct engineio_wire *wire, text frame)
{
	struct engineio_packet packet;

	if (!engineio_packet_read(frame, &packet))
		fault(wire, FRAME_CODE_NONE, ENGINEIO_PARSE_ERROR);
	else if (wire->engine->probe == wire)
		hear_probing(wire, &packet);
	else
		engineio_hear(wire->engine, &packet);
}

static void
hear_bytes(struct engineio_wire *wire, text frame)
{
	struct engineio_packet packet = { .type = ENGINEIO_MESSAGE,
	    .is_binary = true, .data = frame };

	if (wire->engine->probe == wire)
		hear_probing(wire, &packet);
	else
		engineio_hear(wire->engine, &packet);
}

static void
answer_ping(struct engineio_wire *wire, text payload)
{
	struct bytes *pong = frame_write(FRAME_PONG, payload);

	sock_send(wire->sock, pong, SOCK_CONTROL, KEY_PONG);
	bytes_give(&pong);
}

static void
on_frame(struct engineio_wire *wire, const struct frame_event *event)
{
	switch (event->kind) {
	case FRAME_TEXT:
		hear_text(wire, event->payload);
		break;
	case FRAME_BINARY:
		hear_bytes(wire, event->payload);
		break;
	case FRAME_PING:
		answer_ping(wire, event->payload);
		break;
	case FRAME_CLOSE:
		lose(wire, ENGINEIO_TRANSPORT_CLOSE);
		close_with(wire, event->code, TEXT_NONE, SOCK_WHEN_SENT);
		break;
	case FRAME_ERROR:
		fault(wire, event->code, ENGINEIO_TRANSPORT_ERROR);
		break;
	case FRAME_PONG:
	case FRAME_CONTINUATION:
		break;
	}
}

static void
on_bytes(struct sock *sock, char *at, size_t len)
{
	struct engineio_wire *wire = wire_of(sock);
	struct frame_input input = { at, len };
	struct frame_event event;

	while (frame_read(&wire->reader, &input, &event))
		if (!wire->is_closing && wire->engine != NULL)
			on_frame(wire, &event);
		else if (event.kind == FRAME_CLOSE)
			sock_close(sock, NULL, SOCK_WHEN_SENT, FAREWELL_MS);
}

static void
on_overflow(struct sock *sock, const char *why)
{
	struct engineio_wire *wire = wire_of(sock);

	log_info("an Engine.IO client is too slow", F("why", why));
	lose(wire, ENGINEIO_TRANSPORT_ERROR);
	close_with(wire, FRAME_CODE_NONE, TEXT_NONE, SOCK_WHEN_PEER_ENDS);
}

static void
on_room(struct sock *sock)
{
	struct engineio *engine = wire_of(sock)->engine;

	if (engine != NULL && engine->wire == wire_of(sock))
		engineio_tell_room(engine);
}

static void
on_closed(struct sock *sock, const char *why)
{
	struct engineio_wire *wire = wire_of(sock);

	(void)why;
	wire->is_closing = true;
	lose(wire, ENGINEIO_TRANSPORT_CLOSE);
	engineio_wire_destroy(&wire);
}

const struct sock_acts engineio_wire_acts = { on_bytes, on_overflow, on_room,
    NULL, on_closed };

static struct bytes *
frame_of(const struct engineio_wire *wire, struct engineio_message *message)
{
	return (engineio_message_frame(message, wire->deflates,
	    (size_t)wire->set->ground->conf->live_deflate_min));
}

void
engineio_wire_send(struct engineio_wire *wire,
    struct engineio_message *message)
{
	sock_send(wire->sock, frame_of(wire, message), SOCK_NUMBERED, 0);
}

void
engineio_send_tailed(struct engineio *engine,
    struct engineio_message *message, text tail)
{
	struct engineio_message *own;

	object_check(engine, ENGINEIO_MAGIC);
	if (engine->state != SESSION_OPEN)
		return;
	own = engineio_message_tail(message, tail);
	if (engine->wire == NULL || !send_parts(engine->wire, own))
		engineio_give(engine, own);
	engineio_message_give(&own);
}

void
engineio_wire_send_live(struct engineio_wire *wire,
    struct engineio_message *message, uint64_t key)
{
	sock_send(wire->sock, frame_of(wire, message), SOCK_LIVE, key);
}

/* --- beginning --------------------------------------------------------- */

struct engineio_wire *
engineio_wire_create(struct engineio_set *set, bool deflates)
{
	struct engineio_wire *wire = object_create(struct engineio_wire,
	    ENGINEIO_WIRE_MAGIC);

	wire->set = set;
	wire->deflates = deflates;
	frame_reader_init(&wire->reader, &set->frames, deflates);
	return (wire);
}

static void
probe(struct engineio *engine, struct engineio_wire *wire)
{
	engine->probe = wire;
	timer_set(loop_timers(engine->set->loop), &engine->change,
	    engine->set->ground->conf->engineio_upgrade_timeout);
}

bool
engineio_wire_adopt(struct engineio_wire *wire, struct engineio *engine,
    struct sock *sock)
{
	bool is_coming;

	wire->sock = sock;
	is_coming = engine != NULL && engine->is_websocket &&
	    engine->wire == NULL;
	if (engine == NULL || (!is_coming &&
	    (engine->state != SESSION_OPEN || engine->is_websocket ||
	    engine->probe != NULL))) {
		close_with(wire, FRAME_CODE_NONE, TEXT_NONE,
		    SOCK_WHEN_PEER_ENDS);
		return (false);
	}
	wire->engine = engine;
	if (!is_coming) {
		probe(engine, wire);
		return (true);
	}
	engine->wire = wire;
	flush_queue(engine);
	if (engine->state == SESSION_LEAVING)
		engineio_break(engine, engine->why, ENGINEIO_CLOSE);
	return (true);
}
