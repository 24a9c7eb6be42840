/* SPDX-License-Identifier: MIT */
/*
 * Polling: one GET that waits, and POSTs that are answered at once.
 *
 *	GET ────────────────> waits ──> all that is queued, at a turn's end
 *	GET, while one waits  both end, and so does the session
 *	POST ───────────────> each packet is heard ──> ok
 */
#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "transport/engineio_inside.h"

/* Packets of the queue with a separator between two. */
static text
write_payload(const struct engineio *engine, unsigned last, struct buf *out)
{
	for (unsigned i = 0; i < engine->count; i++) {
		if (i > 0)
			buf_add_char(out, ENGINEIO_SEPARATOR);
		engineio_message_add(engine->queue[i], out);
	}
	if (last != 0 && engine->count > 0)
		buf_add_char(out, ENGINEIO_SEPARATOR);
	if (last != 0)
		buf_add_char(out, (char)last);
	return (buf_text(out));
}

static void
keep(struct engineio *engine, const struct engineio_ask *ask)
{
	engine->poll = *ask;
	GAUGE_ADD(engineio_polls, 1);
}

static struct engineio_ask
take(struct engineio *engine)
{
	struct engineio_ask ask = engine->poll;

	engine->poll = (struct engineio_ask){ .op = NULL };
	GAUGE_ADD(engineio_polls, -1);
	return (ask);
}

void
engineio_poll_flush(struct engineio *engine, unsigned last)
{
	struct engineio_ask ask;
	struct buf payload;

	if (engine->count == 0 && last == 0)
		return;
	buf_init(&payload, BUF_NO_LIMIT);
	write_payload(engine, last, &payload);
	engineio_queue_shed(engine);
	ask = take(engine);
	/* First, as whoever is answered may go on before we do. */
	if (engine->wants_room)
		engineio_tell_room(engine);
	engineio_ask_answer(&ask, ANSWER_PACKETS, buf_text(&payload));
	buf_fini(&payload);
}

static void
refuse(const struct engineio_ask *ask, enum engineio_answer answer)
{
	struct engineio_ask own = *ask;

	engineio_ask_answer(&own, answer, TEXT_NONE);
}

/* It was closed while nobody asked: this one is told. */
static void
say_goodbye(struct engineio *engine, const struct engineio_ask *ask)
{
	keep(engine, ask);
	engineio_break(engine, engine->why, ENGINEIO_CLOSE);
}

void
engineio_poll(struct engineio *engine, const struct engineio_ask *ask)
{
	if (engine->state == SESSION_LEAVING) {
		say_goodbye(engine, ask);
	} else if (!engineio_is_in_time(engine)) {
		refuse(ask, ANSWER_UNKNOWN_SID);
	} else if (engineio_has_poll(engine)) {
		engineio_break(engine, ENGINEIO_TRANSPORT_ERROR,
		    ENGINEIO_CLOSE);
		refuse(ask, ANSWER_BAD_REQUEST);
	} else {
		keep(engine, ask);
		/* While it upgrades nobody waits, so that it comes to rest. */
		engineio_poll_flush(engine, engine->was_probed &&
		    engine->count == 0 ? ENGINEIO_NOOP : 0);
	}
}

void
engineio_poll_gone(struct engineio *engine)
{
	take(engine);
	engineio_break(engine, ENGINEIO_TRANSPORT_ERROR, ENGINEIO_CLOSE);
}

/* false: it is no payload, and the session ended. */
static bool
hear_all(struct engineio *engine, text body)
{
	struct engineio_payload payload;
	struct engineio_packet packet;

	engineio_payload_init(&payload, body);
	while (engine->state == SESSION_OPEN &&
	    engineio_payload_next(&payload, &packet))
		engineio_hear(engine, &packet);
	engineio_payload_fini(&payload);
	if (!payload.is_bad)
		return (true);
	COUNT(engineio_faults);
	log_info("an Engine.IO client sent what is no payload");
	engineio_break(engine, ENGINEIO_PARSE_ERROR, ENGINEIO_CLOSE);
	return (false);
}

void
engineio_post(struct engineio *engine, const struct engineio_ask *ask,
    text body, bool is_bytes)
{
	enum engineio_answer answer = ANSWER_OK;

	if (engine->state == SESSION_LEAVING) {
		/* What it sends is nobody's any more. */
	} else if (!engineio_is_in_time(engine)) {
		answer = ANSWER_UNKNOWN_SID;
	} else if ((int64_t)body.len >
	    engine->set->ground->conf->engineio_max_payload) {
		answer = ANSWER_TOO_LARGE;
	} else if (is_bytes) {
		COUNT(engineio_faults);
		engineio_break(engine, ENGINEIO_TRANSPORT_ERROR,
		    ENGINEIO_CLOSE);
		answer = ANSWER_BAD_REQUEST;
	} else if (!hear_all(engine, body)) {
		answer = ANSWER_BAD_REQUEST;
	}
	refuse(ask, answer);
}

bool
engineio_has_sent_all(const struct engineio *engine)
{
	return (engine->state == SESSION_OPEN && engine->count == 0 &&
	    (engine->wire == NULL || !sock_is_blocked(engine->wire->sock)));
}
