/* SPDX-License-Identifier: MIT */
/*
 * The life of sessions.
 */
#include "transport/engineio.h"

#include "base/conf.h"
#include "base/count.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "core/tenant.h"
#include "transport/engineio_inside.h"

#define QUEUE_COST 64		/* of each message, beside its length */
#define LAST_MS 1000		/* for a GET of whom a leaving worker closed */

static const struct conf *
conf_of(const struct engineio *engine)
{
	return (engine->set->ground->conf);
}

static struct timers *
timers_of(const struct engineio *engine)
{
	return (loop_timers(engine->set->loop));
}

const char *
engineio_end_name(enum engineio_end why)
{
	static const char *const names[ENGINEIO_ENDS] = {
		[ENGINEIO_TRANSPORT_ERROR] = "transport error",
		[ENGINEIO_TRANSPORT_CLOSE] = "transport close",
		[ENGINEIO_FORCED_CLOSE] = "forced close",
		[ENGINEIO_PING_TIMEOUT] = "ping timeout",
		[ENGINEIO_PARSE_ERROR] = "parse error",
		[ENGINEIO_SHUTTING_DOWN] = "server shutting down",
	};

	return (names[why]);
}

void
engineio_state_set(struct engineio *engine, enum engineio_state state)
{
	static const bool may[3][3] = {
		[SESSION_OPEN] = { [SESSION_LEAVING] = true,
		    [SESSION_CLOSED] = true },
		[SESSION_LEAVING] = { [SESSION_CLOSED] = true },
	};

	must(may[engine->state][state]);
	if (engine->state == SESSION_OPEN)
		GAUGE_ADD(engineio_clients, -1);
	engine->state = state;
}

/* --- the heartbeat ----------------------------------------------------- */

static void
set_beat(struct engineio *engine, int64_t at_ms)
{
	int64_t in_ms = at_ms - clock_ms();

	engine->beat_ms = at_ms;
	timer_set(timers_of(engine), &engine->beat, in_ms > 0 ? in_ms : 0);
}

/*
 * The pong is due from when the ping was, not from when we came to it: both
 * sides count the same, unless we were much too late ourselves.
 */
static void
beat(struct engineio *engine)
{
	int64_t timeout = conf_of(engine)->engineio_ping_timeout;
	int64_t now = clock_ms();

	if (engine->awaits_pong) {
		engineio_break(engine, ENGINEIO_PING_TIMEOUT,
		    ENGINEIO_CLOSE);
		return;
	}
	engine->awaits_pong = true;
	engineio_give(engine, engineio_constant(engine->set, ENGINEIO_PING));
	if (engine->state == SESSION_OPEN)
		set_beat(engine, timeout + (now - engine->beat_ms >
		    timeout / 2 ? now : engine->beat_ms));
}

static void
on_beat(struct engineio *engine)
{
	if (engine->state == SESSION_OPEN)
		beat(engine);
}

bool
engineio_is_in_time(struct engineio *engine)
{
	while (engine->state == SESSION_OPEN && clock_ms() >= engine->beat_ms)
		beat(engine);
	return (engine->state == SESSION_OPEN);
}

static void
hear_pong(struct engineio *engine)
{
	if (!engine->awaits_pong)
		return;
	engine->awaits_pong = false;
	set_beat(engine, clock_ms() + conf_of(engine)->engineio_ping_interval);
}

/* --- beginning --------------------------------------------------------- */

/* The client did not finish its upgrade; or nobody asked for the end. */
static void
on_change(struct engineio *engine)
{
	if (engine->state == SESSION_LEAVING) {
		engineio_break(engine, engine->why, ENGINEIO_CLOSE);
	} else if (engine->probe != NULL) {
		engine->was_probed = false;
		engineio_wire_close(&engine->probe, FRAME_CODE_NONE);
	}
}

text
engineio_handshake(struct engineio *engine, struct buf *out)
{
	const struct conf *conf = conf_of(engine);
	struct json_out json;

	json_out_init(&json, out);
	json_object_begin(&json);
	json_key(&json, "sid");
	json_text_of(&json, engine->sid);
	json_key(&json, "upgrades");
	json_array_begin(&json);
	if (!engine->is_websocket && conf->engineio_upgrades &&
	    strcmp(conf->engineio_transports, "both") == 0)
		json_text(&json, TEXT("websocket"));
	json_array_end(&json);
	json_key(&json, "pingInterval");
	json_int(&json, conf->engineio_ping_interval);
	json_key(&json, "pingTimeout");
	json_int(&json, conf->engineio_ping_timeout);
	json_key(&json, "maxPayload");
	json_int(&json, conf->engineio_max_payload);
	json_object_end(&json);
	return (buf_text(out));
}

struct engineio *
engineio_create(struct engineio_set *set, const struct engineio_door *door,
    struct tenant *tenant, bool is_websocket)
{
	struct engineio *engine = object_create(struct engineio,
	    ENGINEIO_MAGIC);

	engine->set = set;
	engine->door = door;
	engine->tenant = tenant_share(tenant);
	engine->is_websocket = is_websocket;
	timer_init(&engine->beat, on_beat, engine);
	timer_init(&engine->change, on_change, engine);
	engineio_sid_make(&set->place, engine->sid);
	HASH_ADD(hh, set->sessions, sid, ENGINEIO_SID_LETTERS, engine);
	set_beat(engine, clock_ms() + conf_of(engine)->engineio_ping_interval);
	COUNT(engineio_sessions);
	GAUGE_ADD(engineio_clients, 1);
	return (engine);
}

void
engineio_places_give(struct engineio *engine)
{
	if (engine->places == NULL)
		return;
	peer_places_give(engine->places, engine->set->ground);
	mem_free(engine->places);
	engine->places = NULL;
}

struct engineio *
engineio_find(struct engineio_set *set, text sid,
    const struct engineio_door *door, int32_t tenant)
{
	struct engineio *engine = NULL;

	if (sid.len == ENGINEIO_SID_LETTERS)
		HASH_FIND(hh, set->sessions, sid.at, ENGINEIO_SID_LETTERS,
		    engine);
	if (engine == NULL || engine->door != door ||
	    engine->tenant->id != tenant)
		return (NULL);
	return (engine);
}

/* --- sending ----------------------------------------------------------- */

struct engineio_message *
engineio_constant(struct engineio_set *set, enum engineio_type type)
{
	struct engineio_message **at = &set->packets[type - ENGINEIO_OPEN];

	if (*at == NULL)
		*at = engineio_packet_create(type, TEXT_NONE);
	return (*at);
}

void
engineio_queue_shed(struct engineio *engine)
{
	for (unsigned i = 0; i < engine->count; i++)
		engineio_message_give(&engine->queue[i]);
	mem_free(engine->queue);
	engine->queue = NULL;
	engine->count = engine->size = 0;
	engine->weight = 0;
	if (engine->wants_room && engine->state == SESSION_OPEN)
		engineio_mark(engine);
}

static bool
is_half_empty(const struct engineio *engine)
{
	return ((int64_t)engine->weight <= conf_of(engine)->socket_queue / 2);
}

static void
enqueue(struct engineio *engine, struct engineio_message *message)
{
	size_t weight = engineio_message_weight(message) + QUEUE_COST;

	if (engine->count > 0 && engine->weight + weight >
	    (size_t)conf_of(engine)->socket_queue) {
		COUNT(sock_overflows);
		engineio_break(engine, ENGINEIO_TRANSPORT_ERROR,
		    ENGINEIO_CLOSE);
		return;
	}
	if (engine->count == engine->size) {
		engine->size = engine->size == 0 ? 4 : 2 * engine->size;
		engine->queue = mem_resize(engine->queue,
		    engine->size * sizeof *engine->queue);
	}
	engine->queue[engine->count++] = engineio_message_share(message);
	engine->weight += (uint32_t)weight;
	if (engineio_has_poll(engine))
		engineio_mark(engine);
}

void
engineio_give(struct engineio *engine, struct engineio_message *message)
{
	if (engine->wire != NULL)
		engineio_wire_send(engine->wire, message);
	else
		enqueue(engine, message);
}

void
engineio_send(struct engineio *engine, struct engineio_message *message)
{
	object_check(engine, ENGINEIO_MAGIC);
	if (engine->state == SESSION_OPEN)
		engineio_give(engine, message);
}

void
engineio_send_live(struct engineio *engine, struct engineio_message *message,
    uint64_t key)
{
	object_check(engine, ENGINEIO_MAGIC);
	if (engine->state != SESSION_OPEN)
		return;
	if (engine->wire != NULL)
		engineio_wire_send_live(engine->wire, message, key);
	else if (is_half_empty(engine))
		enqueue(engine, message);
	else
		COUNT(sock_drops);
}

bool
engineio_has_room(struct engineio *engine)
{
	object_check(engine, ENGINEIO_MAGIC);
	if (engine->state != SESSION_OPEN)
		return (false);
	if (engine->wire != NULL ? sock_has_room(engine->wire->sock) :
	    is_half_empty(engine))
		return (true);
	engine->wants_room = engine->wire == NULL;
	return (false);
}

bool
engineio_tell_when_sent(struct engineio *engine)
{
	object_check(engine, ENGINEIO_MAGIC);
	engine->wants_room = engine->state == SESSION_OPEN &&
	    engine->wire == NULL;
	return (engine->wants_room);
}

void
engineio_tell_room(struct engineio *engine)
{
	const struct engineio_acts *acts = engine->door->acts;

	engine->wants_room = false;
	if (engine->state == SESSION_OPEN && acts->on_room != NULL)
		acts->on_room(engine->application);
}

bool
engineio_is_writable(const struct engineio *engine)
{
	if (engine->state != SESSION_OPEN)
		return (false);
	if (engine->wire != NULL)
		return (!sock_is_blocked(engine->wire->sock));
	return (engineio_has_poll(engine));
}

/* --- hearing ----------------------------------------------------------- */

static void
hear_message(struct engineio *engine, const struct engineio_packet *packet)
{
	COUNT(engineio_messages);
	engine->door->acts->on_message(engine->application, packet->data,
	    packet->is_binary);
}

void
engineio_hear(struct engineio *engine, const struct engineio_packet *packet)
{
	if (!engineio_is_in_time(engine))
		return;
	switch (packet->type) {
	case ENGINEIO_MESSAGE:
		hear_message(engine, packet);
		break;
	case ENGINEIO_PONG:
		hear_pong(engine);
		break;
	case ENGINEIO_CLOSE:
		engineio_break(engine, ENGINEIO_TRANSPORT_CLOSE,
		    ENGINEIO_NOOP);
		break;
	case ENGINEIO_PING:
		/* Of this version only servers ping. */
		engineio_break(engine, ENGINEIO_TRANSPORT_ERROR,
		    ENGINEIO_CLOSE);
		break;
	case ENGINEIO_OPEN:
	case ENGINEIO_UPGRADE:
	case ENGINEIO_NOOP:
		break;
	}
}

/* --- ending ------------------------------------------------------------ */

/* Nobody finds it any more; the turn's end frees it. */
static void
forget(struct engineio *engine)
{
	engineio_state_set(engine, SESSION_CLOSED);
	HASH_DEL(engine->set->sessions, engine);
	timer_stop(timers_of(engine), &engine->beat);
	timer_stop(timers_of(engine), &engine->change);
	engineio_mark(engine);
}

void
engineio_break(struct engineio *engine, enum engineio_end why,
    enum engineio_type last)
{
	if (engine->state == SESSION_CLOSED)
		return;
	engine->why = engine->state == SESSION_OPEN ? why : engine->why;
	forget(engine);
	if (engineio_has_poll(engine))
		engineio_poll_flush(engine, last);
	engineio_wire_close(&engine->probe, FRAME_CODE_NONE);
	engineio_wire_close(&engine->wire, FRAME_CODE_NONE);
	engineio_queue_shed(engine);
}

static int64_t
close_wait(const struct engineio *engine)
{
	int64_t wait = conf_of(engine)->engineio_close_wait;

	return (engine->set->is_draining && wait > LAST_MS ? LAST_MS : wait);
}

void
engineio_close(struct engineio *engine, enum engineio_end why)
{
	object_check(engine, ENGINEIO_MAGIC);
	if (engine->state != SESSION_OPEN)
		return;
	if (engine->wire != NULL || engineio_has_poll(engine)) {
		engineio_break(engine, why, ENGINEIO_CLOSE);
		return;
	}
	engine->why = why;
	engineio_state_set(engine, SESSION_LEAVING);
	engineio_wire_close(&engine->probe, FRAME_CODE_NONE);
	timer_stop(timers_of(engine), &engine->beat);
	timer_set(timers_of(engine), &engine->change, close_wait(engine));
	engineio_mark(engine);
}

/* --- what is asked of one ---------------------------------------------- */

bool
engineio_is_open(const struct engineio *engine)
{
	return (engine->state == SESSION_OPEN);
}

const char *
engineio_transport(const struct engineio *engine)
{
	return (engine->is_websocket ? "websocket" : "polling");
}

struct tenant *
engineio_tenant(const struct engineio *engine)
{
	return (engine->tenant);
}

const struct op_ground *
engineio_ground(const struct engineio *engine)
{
	return (engine->set->ground);
}
