/* SPDX-License-Identifier: MIT */
/*
 * core/op: ops that are held, and streams, over a transport that notes what
 * it is told.
 */
#include "core/op.h"

#include "tap.h"

static const struct input_row inputs[] = {
	{ "id", INPUT_PATH, INPUT_id, ERR_session_not_found, 1, 0, NULL, "",
	    0 },
	{ "since", INPUT_QUERY, INPUT_cursor, ERR_none, 0, 0, NULL, "", 0 },
	{ .name = NULL }
};
static const struct operation_row row = { .name = "held",
    .method = METHOD_GET, .path = "/x/{id}", .inputs = inputs };

static struct {
	unsigned held, begun, sent, ended, answered, gone, roomy;
	bool	 has_room;
} seen;

static void on_hold(struct op *op) { (void)op; seen.held++; }
static void on_begin(struct op *op) { (void)op; seen.begun++; }
static void on_end(struct op *op) { (void)op; seen.ended++; }
static void on_answer(struct op *op) { (void)op; seen.answered++; }
static void on_gone(struct op *op) { (void)op; seen.gone++; }
static void on_room(struct op *op) { (void)op; seen.roomy++; }

static void
on_send(struct op *op, struct bytes *bytes, enum op_piece piece)
{
	(void)op;
	(void)piece;
	seen.sent += (unsigned)bytes->len;
}

static bool
has_room(struct op *op)
{
	(void)op;
	return (seen.has_room);
}

static const struct op_carrier carrier = { on_hold, on_begin, on_send,
    has_room, on_end };
static const struct op_holder holder = { on_gone, on_room };

static struct op *
make(bool has_client)
{
	static char client;
	struct op *op = op_create(NULL);

	memset(&seen, 0, sizeof seen);
	op->row = &row;
	op->on_answer = on_answer;
	op->carrier = &carrier;
	op->transport = has_client ? &client : NULL;
	op_name(op, TEXT("r"));
	return (op);
}

static void
test_held(void)
{
	struct op *op = make(true);

	test("one that is held is answered once, and then it is nobody's");
	ok(op_hold(op, &holder, &seen));
	is(seen.held, 1);
	ok(op->holder == &holder && op->held_by == &seen);
	op_reply(op, 200, TEXT("{}"));
	is(seen.answered, 1);
	ok(op->holder == NULL && op->was_held && !op->is_stream);
	op_destroy(&op);

	test("a client that has gone before is not held");
	op = make(false);
	ok(!op_hold(op, &holder, &seen));
	is(seen.held + seen.gone + seen.answered, 0);
}

static void
test_stream(void)
{
	struct op *op = make(true);
	struct bytes *bytes = bytes_create(5);

	test("a stream begins, goes on and ends");
	ok(op_hold(op, &holder, op));
	op_stream_begin(op, 200, TEXT("text/event-stream"));
	is(seen.begun, 1);
	is(seen.answered, 0);
	ok(op->is_answered && op->is_stream && op->holder == &holder);
	is(op->answer.status, 200);
	op_stream_send(op, bytes, OP_HAS_TO_ARRIVE);
	op_stream_send(op, bytes, OP_MAY_BE_LEFT_OUT);
	is(seen.sent, 10);
	ok(!op_stream_has_room(op));
	seen.has_room = true;
	ok(op_stream_has_room(op));
	op_stream_end(op);
	is(seen.ended, 1);
	ok(op->holder == NULL);
	op_destroy(&op);
	bytes_give(&bytes);
}

static void
test_inputs(void)
{
	struct op *op = make(true);

	test("inputs by name");
	op->inputs[0] = TEXT("7");
	op->inputs_count = 2;
	is_text(op_input(op, "id"), "7");
	ok(op_input(op, "since").at == NULL);
	ok(op_input(op, "other").at == NULL);
	op_destroy(&op);
}

int
main(void)
{
	test_held();
	test_stream();
	test_inputs();
	return (done());
}
