/* SPDX-License-Identifier: MIT */
/*
 * The answers to those who watch the server.
 */
#include "core/health.h"

#include "base/json_out.h"
#include "core/service.h"
#include "plat/segment.h"

void
operation_health(struct op *op)
{
	static struct constant up = { .body = TEXT("{\"status\":\"ok\","
	    "\"message\":\"Jackbox Game Picker API is running\"}") };

	op_reply_constant(op, 200, &up);
}

void
operation_livez(struct op *op)
{
	static struct constant alive = { .body = TEXT("{\"status\":\"ok\"}") };

	op_reply_constant(op, 200, &alive);
}

enum readiness { READY, DEGRADED, UNAVAILABLE };

static enum readiness
readiness_of(enum part part, enum part_state state)
{
	switch (state) {
	case PART_UNUSED:
	case PART_OK:
		return (READY);
	case PART_DEGRADED:
		return (DEGRADED);
	case PART_STARTING:
	case PART_DOWN:
		break;
	}
	return (part == PART_POSTGRES ? UNAVAILABLE : DEGRADED);
}

/* PostgreSQL is out of order where it is so for the whole host or for us. */
static enum part_state
state_of(const struct op *op, enum part part)
{
	enum part_state state =
	    atomic_load(&op->ground->segment->parts[part]);
	const struct service *service = op->ground->service;

	if (part != PART_POSTGRES || service == NULL ||
	    state > PART_OK)
		return (state);
	switch (service_state(service)) {
	case DB_DOWN:
		return (PART_DOWN);
	case DB_UP:
		return (service->is_ready ? PART_OK : PART_STARTING);
	case DB_STARTING:
		break;
	}
	return (PART_STARTING);
}

void
operation_readyz(struct op *op)
{
	static const char *const names[] = { "ready", "degraded",
	    "unavailable" };
	enum part_state states[PARTS];
	enum readiness worst = READY;
	struct json_out json;
	struct buf buf;

	for (unsigned i = 0; i < PARTS; i++) {
		enum readiness one;

		states[i] = state_of(op, i);
		one = readiness_of(i, states[i]);
		if (one > worst)
			worst = one;
	}
	buf_init(&buf, BUF_NO_LIMIT);
	json_out_init(&json, &buf);
	json_object_begin(&json);
	json_key(&json, "status");
	json_text(&json, text_of(names[worst]));
	json_key(&json, "parts");
	json_object_begin(&json);
	for (unsigned i = 0; i < PARTS; i++)
		if (states[i] != PART_UNUSED) {
			json_key(&json, part_name(i));
			json_text(&json, text_of(part_state_name(states[i])));
		}
	json_object_end(&json);
	json_object_end(&json);
	op_reply(op, worst == UNAVAILABLE ? 503 : 200,
	    text_from(arena_copy(&op->arena, buf.at, buf.len), buf.len));
	buf_fini(&buf);
}
