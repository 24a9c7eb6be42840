/* SPDX-License-Identifier: MIT */
/*
 * From a question to the end of its answer.
 */
#include "transport/turn.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/stamp.h"
#include "core/act.h"
#include "core/feed.h"
#include "core/follow.h"
#include "core/json.h"
#include "core/tenant.h"
#include "plat/loop.h"
#include "transport/sse.h"

#define DIGITS	24

struct asker {
	unsigned	 magic;
#define ASKER_MAGIC 0x61736b72
	struct follow	 follow;
	struct service	*service;
	struct tenant	*tenant;
	struct op	*op;		/* NULL: its client has gone */
	text		 thread;	/* in the op */
	char		 digits[DIGITS];	/* the turn's number */
	int64_t		 beat_ms;	/* when it was told that we listen */
	int64_t		 sent_ms;	/* something, at last */
	bool		 has_begun;
	bool		 has_said;
	bool		 has_ended;	/* the turn has, by itself */
	unsigned	 calls;		/* of SQL, on their way */
};

static struct asker *
asker_of(struct subscription *sub)
{
	return (object_cast(struct asker, ASKER_MAGIC,
	    follow_of(sub)->owner));
}

/* Nothing of it is left. */
static void
destroy_if_done(struct asker *asker)
{
	if (asker->op != NULL || asker->calls > 0)
		return;
	tenant_give(&asker->tenant);
	object_free(&asker);
}

/* --- what the turn is told -------------------------------------------- */

static void
on_told(void *me, const struct db_answer *answer)
{
	struct asker *asker = object_cast(struct asker, ASKER_MAGIC, me);

	asker->calls--;
	act_tell(asker->service, asker->tenant->id, answer);
	destroy_if_done(asker);
}

static void
ask_of_turn(struct asker *asker, enum function function)
{
	struct call_context context = { .tenant = asker->tenant->id,
	    .request_id = TEXT("turn") };
	text input = text_of(asker->digits);

	asker->calls++;
	service_ask(asker->service, function, &context, TEXT_NONE, &input, 1,
	    on_told, asker);
}

static void
on_heard(void *me, const struct db_answer *answer)
{
	struct asker *asker = object_cast(struct asker, ASKER_MAGIC, me);

	(void)answer;
	asker->calls--;
	destroy_if_done(asker);
}

static void
listen_on(struct asker *asker)
{
	struct call_context context = { .tenant = asker->tenant->id,
	    .request_id = asker->op->request_id };
	text input = text_of(asker->digits);

	asker->calls++;
	service_ask(asker->service, FUNCTION_turn_listen, &context,
	    TEXT_NONE, &input, 1, on_heard, asker);
}

/* Nobody waits for the answer any more. */
static void
let_go(struct asker *asker)
{
	asker->op = NULL;
	if (!asker->has_ended && asker->digits[0] != '\0') {
		COUNT(turns_cancelled);
		asker->has_ended = true;
		ask_of_turn(asker, FUNCTION_turn_cancel);
	} else
		destroy_if_done(asker);
}

/* --- what the client is told ------------------------------------------ */

/* It says nothing, but the head leaves with it, and no proxy sees silence. */
static void
send_sign_of_life(struct asker *asker, enum op_piece piece)
{
	static struct bytes *sign;

	if (sign == NULL) {
		sign = bytes_create(3);
		memcpy(sign->at, ":\n\n", 3);
	}
	asker->sent_ms = clock_ms();
	op_stream_send(asker->op, sign, piece);
}

static void
send(struct asker *asker, text json)
{
	struct bytes *bytes = sse_block(TEXT_NONE, TEXT_NONE, json);

	asker->sent_ms = clock_ms();
	op_stream_send(asker->op, bytes, OP_HAS_TO_ARRIVE);
	bytes_give(&bytes);
}

static void
send_error(struct asker *asker, text error)
{
	struct json_out json;
	struct buf line;

	buf_init(&line, BUF_NO_LIMIT);
	json_out_init(&json, &line);
	json_object_begin(&json);
	json_key(&json, "error");
	json_text(&json, error);
	json_object_end(&json);
	send(asker, buf_text(&line));
	buf_fini(&line);
}

static void
send_restart(struct asker *asker)
{
	struct json_out json;
	struct buf line;

	buf_init(&line, BUF_NO_LIMIT);
	json_out_init(&json, &line);
	json_object_begin(&json);
	json_key(&json, "status");
	json_text_of(&json, "restarted");
	json_key(&json, "thread_id");
	json_text(&json, asker->thread);
	json_object_end(&json);
	send(asker, buf_text(&line));
	buf_fini(&line);
}

/* Its answer's end; error at NULL: it went well. */
static void
end(struct asker *asker, text error)
{
	struct op *op = asker->op;

	if (error.at != NULL)
		send_error(asker, error);
	follow_close(&asker->follow);
	let_go(asker);
	op_stream_end(op);
}

/* Where no answer has begun yet. */
static void
fail(struct asker *asker, enum err err)
{
	struct op *op = asker->op;

	follow_close(&asker->follow);
	let_go(asker);
	op_fail(op, err);
}

static void
break_off(struct asker *asker, enum err err)
{
	if (asker->has_begun)
		end(asker, error_rows[err].words);
	else
		fail(asker, err);
}

/* --- the stream ------------------------------------------------------- */

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	struct asker *asker = asker_of(sub);
	struct op *op = asker->op;

	(void)epoch;
	(void)head;
	(void)recovered;
	if (resync != NULL) {
		/* The log was put back since: the turn is not in it. */
		fail(asker, ERR_outcome_unknown);
		return;
	}
	op_add_headers(op, TEXT("{\"X-Accel-Buffering\":\"no\"}"));
	op_stream_begin(op, 200, TEXT("text/event-stream"));
	asker->has_begun = true;
	send_sign_of_life(asker, OP_HAS_TO_ARRIVE);
}

static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	(void)epoch;
	(void)head;
	(void)resync;
	end(asker_of(sub), TEXT("The answer was interrupted. Please try "
	    "again."));
}

static void
take_end(struct asker *asker, text data)
{
	struct json_object *json = json_in_read(data);
	text error = TEXT_NONE;

	if (json != NULL)
		json_in_text(json, "error", &error);
	asker->has_ended = true;
	end(asker, error);
	json_in_free(&json);
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	struct asker *asker = asker_of(sub);
	text type = event_type(event), data, turn, item;

	if (!text_begins(type, TEXT("turn.")) ||
	    !json_in_raw(event->envelope, TEXT("data"), &data) ||
	    !json_in_raw(data, TEXT("turnId"), &turn) ||
	    !text_is(turn, text_of(asker->digits)))
		return;
	if (text_is(type, TEXT("turn.ended")))
		take_end(asker, data);
	else if (text_is(type, TEXT("turn.started"))) {
		if (asker->has_said)
			send_restart(asker);
	} else if (json_in_raw(data, TEXT("item"), &item)) {
		asker->has_said = true;
		send(asker, item);
	}
}

static void
on_ended(struct subscription *sub, enum hub_end why)
{
	struct asker *asker = asker_of(sub);

	break_off(asker, why == HUB_REFUSED ? ERR_database_away :
	    ERR_stream_not_found);
}

static bool
on_has_room(struct subscription *sub)
{
	struct asker *asker = asker_of(sub);

	return (!asker->has_begun || op_stream_has_room(asker->op));
}

/* --- the client ------------------------------------------------------- */

static void
on_end(struct follow *follow, enum follow_end why)
{
	struct asker *asker = object_cast(struct asker, ASKER_MAGIC,
	    follow->owner);

	if (why == FOLLOW_NOT_PUBLIC)
		break_off(asker, ERR_token_required);
	else if (why != FOLLOW_DRAINS)
		break_off(asker, ERR_invalid_token);
}

static void
on_gone(struct follow *follow)
{
	let_go(object_cast(struct asker, ASKER_MAGIC, follow->owner));
}

static void
on_look(struct follow *follow, int64_t now_ms)
{
	struct asker *asker = object_cast(struct asker, ASKER_MAGIC,
	    follow->owner);

	if (asker->has_begun && now_ms - asker->sent_ms >=
	    asker->op->ground->conf->live_ping)
		/* Who has something waiting for him has signs enough. */
		send_sign_of_life(asker, OP_MAY_BE_LEFT_OUT);
	if (now_ms - asker->beat_ms < TURN_BEAT_MS)
		return;
	asker->beat_ms = now_ms;
	listen_on(asker);
}

/* --- its beginning ---------------------------------------------------- */

static void
follow_turn(struct asker *asker, const struct call_row *row)
{
	static const struct follow_acts acts = {
	    .sub = { on_deliver, on_subscribed, on_resync, on_ended,
	    on_has_room }, .end = on_end, .gone = on_gone,
	    .look = on_look };
	struct cursor cursor = { CURSOR_PAIR, row->seq, row->epoch };

	COUNT(turns);
	asker->beat_ms = clock_ms();
	if (!follow_begin(&asker->follow, asker->op, &acts, asker))
		/* It was failed, or is no more. */
		let_go(asker);
	else
		hub_join(feed_hubs(asker->service->feed), asker->tenant->id,
		    row->stream, &asker->follow.sub, &cursor);
}

static bool
read_turn(struct asker *asker, const struct db_answer *answer,
    struct call_row *row)
{
	text turn;

	if (answer->result != DB_ROWS || !act_answer_row(answer, row) ||
	    row->stream.at == NULL ||
	    !json_in_raw(row->body, TEXT("turnId"), &turn) ||
	    turn.len >= DIGITS)
		return (false);
	memcpy(asker->digits, turn.at, turn.len);
	return (true);
}

static void
on_created(void *me, const struct db_answer *answer)
{
	struct asker *asker = object_cast(struct asker, ASKER_MAGIC, me);
	struct op *op = asker->op;
	struct call_row row;

	asker->calls--;
	if (read_turn(asker, answer, &row)) {
		follow_turn(asker, &row);
		return;
	}
	if (answer->result != DB_UNKNOWN)
		act_give_storage(op);
	let_go(asker);
	act_fail(op, answer);
}

static text
number_text(int64_t number, char digits[DIGITS])
{
	int len = snprintf(digits, DIGITS, "%" PRId64, number);

	return (text_from(digits, (size_t)len));
}

static text
given(const struct op *op, const char *name, text otherwise)
{
	text input = op_input(op, name);

	return (input.len > 0 ? input : otherwise);
}

static void
create(struct op *op, const char *kind, text thread, text user)
{
	struct asker *asker;
	const struct conf *conf = op->ground->conf;
	struct call_context context;
	char digits[2][DIGITS];
	text inputs[8];

	if (!act_is_within_limits(op))
		return;
	asker = object_create(struct asker, ASKER_MAGIC);
	act_wait(op);
	op->client_address = op_keep(op, op->client_address);
	asker->service = op->ground->service;
	asker->tenant = tenant_share(op->tenant);
	asker->op = op;
	asker->thread = op_keep(op, given(op, "thread_id", thread));
	inputs[0] = asker->thread;
	inputs[1] = text_of(kind);
	inputs[2] = given(op, "user_id", user);
	inputs[3] = given(op, "user_input", TEXT(""));
	inputs[4] = given(op, "graph_version_id", TEXT(""));
	inputs[5] = given(op, "use_websocket", TEXT("f"));
	inputs[6] = number_text(conf->responder_waiting, digits[0]);
	inputs[7] = number_text(conf->responder_waiting_per_tenant,
	    digits[1]);
	act_context(op, &context);
	/* Whoever repeats it asks again: there is no answer to be kept. */
	context.idempotency_key = TEXT_NONE;
	asker->calls++;
	service_ask(asker->service, FUNCTION_turn_create, &context,
	    TEXT_NONE, inputs, 8, on_created, asker);
}

void
operation_havefun(struct op *op)
{
	create(op, "havefun", TEXT("chat_thread"), TEXT("thefusionlab"));
}

void
operation_conversation_learning(struct op *op)
{
	create(op, "learning", TEXT("learning_thread"), TEXT("learner"));
}

bool
turn_is_at(text path)
{
	return (text_begins(path, TEXT("/havefun")) ||
	    text_begins(path, TEXT("/conversation/")));
}

void
turn_reply_options(struct op *op)
{
	op_add_headers(op, TEXT("{\"Access-Control-Allow-Methods\":"
	    "\"GET, POST, OPTIONS\",\"Access-Control-Allow-Headers\":"
	    "\"Content-Type, Authorization\","
	    "\"Access-Control-Max-Age\":\"86400\"}"));
	op_reply_as(op, 200, TEXT_NONE, TEXT(""));
}
