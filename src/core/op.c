/* SPDX-License-Identifier: MIT */
/*
 * The life of an operation. Those that are over wait to be used again, so
 * that a request costs no malloc.
 */
#include "core/op.h"

#include "base/json_out.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "core/cache.h"
#include "core/json.h"
#include "core/tenant.h"

#define SPARE_MAX 64

#define NO_MORE { .name = NULL }
#define INPUT_ELSE(name, where, kind, missing, invalid, min, max, text)	\
	{ #name, INPUT_##where, INPUT_##kind, ERR_##missing, min, max,	\
	    NULL, text, ERR_##invalid },
#define INPUT_CHOICE_ELSE(name, where, missing, invalid, choices, text)	\
	{ #name, INPUT_##where, INPUT_choice, ERR_##missing, 0, 0,	\
	    choices, text, ERR_##invalid },
#define INPUT(name, where, kind, missing, min, max, text)		\
	INPUT_ELSE(name, where, kind, missing, none, min, max, text)
#define INPUT_CHOICE(name, where, missing, choices, text)		\
	INPUT_CHOICE_ELSE(name, where, missing, none, choices, text)
#define INPUT_LIST(name, also, kind, missing, min, max, text)		\
	{ #name, INPUT_BODY, INPUT_##kind, ERR_##missing, min, max,	\
	    also, text, ERR_none },
#define OPERATION(name, method, path, door, who, way, limit, stream,	\
	    status, answer, text, inputs)				\
	static const struct input_row inputs_of_##name[] = {		\
		inputs NO_MORE						\
	};
#include "tbl/operations.h"
#undef OPERATION
#undef INPUT_CHOICE
#undef INPUT
#undef INPUT_LIST
#undef INPUT_CHOICE_ELSE
#undef INPUT_ELSE
#undef NO_MORE

const struct operation_row operation_rows[OPERATIONS] = {
#define OPERATION(name, method, path, door, who, way, limit, stream,	\
	    status, answer, text, inputs)				\
	{ #name, METHOD_##method, path, DOOR_##door, WHO_##who,		\
	    WAY_##way, OP_LIMIT_##limit, stream, status, #answer, text,	\
	    inputs_of_##name },
#include "tbl/operations.h"
#undef OPERATION
};

const text op_json_type = TEXT("application/json");

static struct op *spare[SPARE_MAX];
static unsigned spare_count;

struct op *
op_create(const struct op_ground *ground)
{
	struct op *op;

	if (spare_count > 0) {
		op = spare[--spare_count];
		memset(op, 0, sizeof *op);
		op->magic = OP_MAGIC;
	} else
		op = object_create(struct op, OP_MAGIC);
	op->ground = ground;
	arena_init(&op->arena);
	return (op);
}

void
op_destroy(struct op **given)
{
	struct op *op = *given;

	*given = NULL;
	if (op == NULL)
		return;
	object_check(op, OP_MAGIC);
	json_in_free(&op->json);
	bytes_give(&op->held);
	cache_give(&op->cached);
	tenant_give(&op->tenant);
	arena_fini(&op->arena);
#ifndef SANITIZED	/* which looks for uses after this */
	if (spare_count < SPARE_MAX) {
		op->magic = 0;
		spare[spare_count++] = op;
		return;
	}
#endif
	object_free(&op);
}

/* Spreads a counter's bits over all 64 (splitmix64). */
static uint64_t
spread(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return (x ^ x >> 31);
}

/*
 * An id has to be no secret, only nobody else's: two counters that begin at
 * random in each process.
 */
void
op_make_id(char out[OP_ID_MADE + 1])
{
	static const char signs[] = "abcdefghjkmnpqrstuvwxyz123456789";
	static uint64_t counters[2];

	if (counters[0] == 0)
		secret_fill(counters, sizeof counters);
	for (size_t i = 0; i < OP_ID_MADE;) {
		/* 64 bits are twelve signs and most of a thirteenth. */
		uint64_t *counter = &counters[i / 13];
		uint64_t bits = spread(*counter += 0x9e3779b97f4a7c15ULL);

		for (size_t end = i + 13; i < end; i++, bits >>= 5)
			out[i] = signs[bits % 32];
	}
	out[OP_ID_MADE] = '\0';
}

static bool
is_fit_id(text id)
{
	if (id.len == 0 || id.len > OP_ID_MAX)
		return (false);
	for (size_t i = 0; i < id.len; i++) {
		char c = id.at[i];

		if (!(c >= '0' && c <= '9') &&
		    !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    c != '.' && c != '_' && c != ':' && c != '-')
			return (false);
	}
	return (true);
}

void
op_name(struct op *op, text given)
{
	if (is_fit_id(given)) {
		op->request_id = given;
		return;
	}
	op_make_id(op->made_id);
	op->request_id = text_from(op->made_id, OP_ID_MADE);
}

static void
answer(struct op *op)
{
	object_check(op, OP_MAGIC);
	must(!op->is_answered);
	op->is_answered = true;
	op->holder = NULL;
	op->answer_us = clock_us();
	op->on_answer(op);
}

bool
op_hold(struct op *op, const struct op_holder *holder, void *held_by)
{
	object_check(op, OP_MAGIC);
	must(!op->is_answered && op->holder == NULL && op->carrier != NULL);
	if (op->transport == NULL) {
		op_destroy(&op);
		return (false);
	}
	op->holder = holder;
	op->held_by = held_by;
	op->was_held = true;
	op->carrier->hold(op);
	return (true);
}

void
op_stream_begin(struct op *op, unsigned status, text media_type)
{
	object_check(op, OP_MAGIC);
	must(!op->is_answered && op->holder != NULL);
	op->answer.status = status;
	op->answer.media_type = media_type;
	op->is_answered = op->is_stream = true;
	op->answer_us = clock_us();
	op->carrier->begin(op);
}

void
op_stream_send(struct op *op, struct bytes *bytes, enum op_piece piece)
{
	must(op->is_stream && op->holder != NULL);
	op->carrier->send(op, bytes, piece);
}

bool
op_stream_has_room(struct op *op)
{
	must(op->is_stream && op->holder != NULL);
	return (op->carrier->has_room(op));
}

void
op_stream_end(struct op *op)
{
	must(op->is_stream && op->holder != NULL);
	op->holder = NULL;
	op->carrier->end(op);
}

/* The four strings between quotes: key, colon, value, and what follows. */
void
op_add_headers(struct op *op, text json)
{
	struct answer *answer = &op->answer;
	text name, value, rest = json, skipped;

	while (text_cut(rest, '"', &skipped, &rest) &&
	    text_cut(rest, '"', &name, &rest) &&
	    text_cut(rest, '"', &skipped, &rest) &&
	    text_cut(rest, '"', &value, &rest)) {
		if (text_is(name, TEXT("Content-Type"))) {
			answer->media_type = value;
			continue;
		}
		must(answer->headers_count < ANSWER_HEADERS_MAX);
		answer->headers[answer->headers_count++] =
		    (struct answer_header){ name, value };
	}
}

void
op_switch(struct op *op)
{
	object_check(op, OP_MAGIC);
	must(!op->is_answered);
	op->is_answered = true;
	op->answer.status = 101;
	op->answer_us = clock_us();
}

void
op_reply_as(struct op *op, unsigned status, text media_type, text body)
{
	op->answer.status = status;
	op->answer.media_type = media_type;
	op->answer.body = body;
	answer(op);
}

void
op_reply(struct op *op, unsigned status, text json)
{
	op_reply_as(op, status, op->answer.media_type.at != NULL ?
	    op->answer.media_type : op_json_type, json);
}

void
op_reply_constant(struct op *op, unsigned status, struct constant *constant)
{
	op->answer.constant = constant;
	op_reply_as(op, status, op_json_type, constant->body);
}

text
op_error_body(struct arena *arena, enum err err, text words, text more,
    text request_id)
{
	struct json_out json;
	struct buf buf;
	text body;

	buf_init(&buf, BUF_NO_LIMIT);
	json_out_init(&json, &buf);
	json_object_begin(&json);
	json_key(&json, "error");
	json_text(&json, words.at != NULL ? words : error_rows[err].words);
	json_key(&json, "code");
	json_text(&json, error_rows[err].code);
	if (more.len > 2) {
		/* A finished object, without its braces. */
		buf_add_char(&buf, ',');
		buf_add(&buf, text_from(more.at + 1, more.len - 2));
	}
	json_key(&json, "requestId");
	json_text(&json, request_id);
	json_object_end(&json);
	body = text_from(arena_copy(arena, buf.at, buf.len), buf.len);
	buf_fini(&buf);
	return (body);
}

text
op_input(const struct op *op, const char *name)
{
	const struct input_row *inputs = op->row->inputs;

	for (unsigned i = 0; i < op->inputs_count; i++)
		if (strcmp(inputs[i].name, name) == 0)
			return (op->inputs[i]);
	return (TEXT_NONE);
}

text
op_keep(struct op *op, text t)
{
	if (t.at == NULL)
		return (t);
	return (text_from(arena_copy(&op->arena, t.at, t.len), t.len));
}

static void
fail(struct op *op, enum err err, text words, text more, text allow)
{
	must(err != ERR_none && err < ERRORS);
	op->answer.headers_count = 0;
	op->answer.allow = allow;
	op->answer.err = err;
	op_reply_as(op, error_rows[err].status, op_json_type,
	    op_error_body(&op->arena, err, words, more, op->request_id));
}

void
op_fail(struct op *op, enum err err)
{
	fail(op, err, TEXT_NONE, TEXT_NONE, TEXT_NONE);
}

void
op_fail_saying(struct op *op, enum err err, text words, text more)
{
	fail(op, err, words, more, TEXT_NONE);
}

void
op_fail_method(struct op *op, text allow)
{
	fail(op, ERR_method_not_allowed, TEXT_NONE, TEXT_NONE, allow);
}

void
op_reply_options(struct op *op, text allow)
{
	op->answer.allow = allow;
	op_reply_as(op, 204, TEXT_NONE, TEXT_NONE);
}

static const struct {
	text		 name;
	enum method	 method;
} methods[] = {
	{ TEXT("GET"), METHOD_GET }, { TEXT("POST"), METHOD_POST },
	{ TEXT("PUT"), METHOD_PUT }, { TEXT("PATCH"), METHOD_PATCH },
	{ TEXT("DELETE"), METHOD_DELETE }, { TEXT("HEAD"), METHOD_HEAD },
	{ TEXT("OPTIONS"), METHOD_OPTIONS },
};

enum method
method_of(text name)
{
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (text_is(name, methods[i].name))
			return (methods[i].method);
	return (METHOD_UNKNOWN);
}

const char *
method_name(enum method method)
{
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (methods[i].method == method)
			return (methods[i].name.at);
	return ("?");
}

const char *
door_name(enum door door)
{
	return (door == DOOR_ADMIN ? "admin" : "front");
}
