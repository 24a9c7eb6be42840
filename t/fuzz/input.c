/* SPDX-License-Identifier: MIT */
/*
 * Inputs of operations. Lines: the row's name, two segments of a path, a
 * query; the rest is the body.
 * Either the op was failed by a row of the errors, or each value has a form
 * that PostgreSQL reads, looked at here in another way than there.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/stamp.h"
#include "core/input.h"
#include "core/json.h"
#include "core/query.h"
#include "plat/ring.h"

/* A row of each kind from each place beside the program's own. */
#define ALL(where)							\
	{ "text", where, INPUT_text, ERR_none, 1, 9, NULL, "", 0 },	\
	{ "integer", where, INPUT_integer, ERR_none, -9, 9, NULL, "",	\
	    0 },							\
	{ "boolean", where, INPUT_boolean, ERR_none, 0, 0, NULL, "",	\
	    0 },							\
	{ "id", where, INPUT_id, ERR_none, 1, 0, NULL, "", 0 },		\
	{ "choice", where, INPUT_choice, ERR_none, 0, 0, "a|b", "", 0 }

static const struct input_row from_query[] = {
	ALL(INPUT_QUERY),
	{ "page", INPUT_QUERY, INPUT_page, ERR_none, 0, 50, NULL, "", 0 },
	{ "skip", INPUT_QUERY, INPUT_skip, ERR_none, 0, 50, NULL, "", 0 },
	{ "since", INPUT_QUERY, INPUT_cursor, ERR_none, 0, 0, NULL, "", 0 },
	{ "ticket", INPUT_QUERY, INPUT_ticket, ERR_none, 0, 0, NULL, "", 0 },
	{ "day", INPUT_QUERY, INPUT_day, ERR_none, 0, 0, NULL, "", 0 },
	{ .name = NULL }
};
static const struct input_row from_body[] = {
	ALL(INPUT_BODY),
	{ "custom", INPUT_BODY, INPUT_custom, ERR_none, 8, 64, NULL, "", 0 },
	{ "object", INPUT_BODY, INPUT_object, ERR_none, 2, 64, NULL, "", 0 },
	{ "ids", INPUT_BODY, INPUT_ids, ERR_none, 1, 9, NULL, "", 0 },
	{ "room", INPUT_BODY, INPUT_room, ERR_none, 4, 4, NULL, "", 0 },
	{ "when", INPUT_BODY, INPUT_moment, ERR_none, 0, 0, NULL, "", 0 },
	{ "csv", INPUT_BODY, INPUT_csv, ERR_none, 1, 64, NULL, "", 0 },
	{ .name = NULL }
};
static const struct input_row from_list[] = {
	{ "chat", INPUT_BODY, INPUT_chat, ERR_none, 0, 9, "messages", "", 0 },
	{ .name = NULL }
};
static const struct operation_row own_rows[] = {
	{ .name = "query", .path = "/{x}/{y}", .inputs = from_query },
	{ .name = "body", .path = "/{x}/{y}", .inputs = from_body },
	{ .name = "list", .path = "/{x}/{y}", .inputs = from_list },
};
#define OWN_ROWS (sizeof own_rows / sizeof own_rows[0])

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_number(text t, int64_t min, int64_t max)
{
	char digits[32], *end;
	long long number;

	if (t.len == 0 || t.len >= sizeof digits)
		return (false);
	memcpy(digits, t.at, t.len);
	digits[t.len] = '\0';
	number = strtoll(digits, &end, 10);
	return (*end == '\0' && number >= min && number <= max);
}

static bool
is_array_of_ids(text t, int64_t most)
{
	text rest, one;
	int64_t count = 0;

	if (t.len < 3 || t.at[0] != '{' || t.at[t.len - 1] != '}')
		return (false);
	rest = text_from(t.at + 1, t.len - 2);
	for (bool goes_on = true; goes_on; count++) {
		goes_on = text_cut(rest, ',', &one, &rest);
		if (!is_number(one, 1, INT64_MAX))
			return (false);
	}
	return (count <= most);
}

/* {game.added,custom.dice}: words that need no quotes, each once. */
static bool
is_array_of_events(text t, int64_t most)
{
	text rest, one, later, other;
	int64_t count = 0;

	if (t.len < 2 || t.at[0] != '{' || t.at[t.len - 1] != '}')
		return (false);
	rest = text_from(t.at + 1, t.len - 2);
	for (bool goes_on = rest.len > 0; goes_on; count++) {
		goes_on = text_cut(rest, ',', &one, &rest);
		if (one.len == 0)
			return (false);
		for (size_t i = 0; i < one.len; i++)
			if (one.at[i] <= ' ' || one.at[i] >= '\x7f' ||
			    memchr("\"\\{}", one.at[i], 4) != NULL)
				return (false);
		later = rest;
		for (bool more = goes_on; more;) {
			more = text_cut(later, ',', &other, &later);
			if (text_is(one, other))
				return (false);
		}
	}
	return (count <= most);
}

static bool
is_one_of(text t, const char *choices)
{
	size_t len;

	for (;; choices += len + 1) {
		len = strcspn(choices, "|");
		if (len == t.len && memcmp(choices, t.at, len) == 0)
			return (true);
		if (choices[len] == '\0')
			return (false);
	}
}

static bool
is_object(const struct op *op, text t)
{
	struct json_object *value = json_in_read(t);
	bool is_so = json_in_is_object(value) && t.at > op->body.at &&
	    t.at + t.len < op->body.at + op->body.len;

	json_in_free(&value);
	return (is_so);
}

/* <number>, or <epoch>:<number> */
static bool
is_cursor(text t)
{
	const char *colon = memchr(t.at, ':', t.len);
	size_t epoch = colon == NULL ? 0 : (size_t)(colon - t.at);

	if (colon == NULL)
		return (is_number(t, 0, INT64_MAX - 1));
	for (size_t i = 0; i < epoch; i++)
		if (t.at[i] <= ' ' || t.at[i] >= '\x7f')
			return (false);
	return (epoch >= 1 && epoch <= RING_EPOCH_MAX && is_number(
	    text_from(colon + 1, t.len - epoch - 1), 0, INT64_MAX - 1));
}

static bool
is_room(text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
		    t.at[i], 36) == NULL)
			return (false);
	return (t.len == 4);
}

/* Lines that are written have moments, and can be read again. */
static bool
is_chat(text t, int64_t most)
{
	struct json_object *lines = json_in_read(t);
	size_t count = 0;
	bool is_so = json_in_as_array(lines, &count) &&
	    (int64_t)count <= most;

	for (size_t i = 0; i < count; i++) {
		struct json_object *line = json_in_element(lines, i);
		int64_t stamp;
		text given;

		is_so = is_so && json_in_text(line, "username", &given) &&
		    given.len > 0 && json_in_text(line, "message", &given) &&
		    json_in_text(line, "timestamp", &given) &&
		    json_in_text(line, "moment", &given) &&
		    stamp_read(given, &stamp);
	}
	json_in_free(&lines);
	return (is_so);
}

/* What csv_as_json writes: {"records":[…],"broken":…} */
static bool
is_csv(text t)
{
	struct json_object *value = json_in_read(t);
	struct json_object *records = json_in_member(value, "records");
	size_t count;
	bool is_so = text_is_utf8(t) && json_in_as_array(records, &count);

	for (size_t i = 0; is_so && i < count; i++) {
		struct json_object *record = json_in_element(records, i);
		int64_t line;
		size_t fields;

		is_so = json_in_as_array(record, &fields) && fields > 1 &&
		    json_in_as_int(json_in_element(record, 0), &line) &&
		    line >= 1;
	}
	json_in_free(&value);
	return (is_so);
}

static bool
is_day(text t)
{
	return (t.len == 10 && t.at[4] == '-' && t.at[7] == '-' &&
	    is_number(text_from(t.at, 4), 1970, 9999) &&
	    is_number(text_from(t.at + 5, 2), 1, 12) &&
	    is_number(text_from(t.at + 8, 2), 1, 31));
}

static bool
is_fit(const struct op *op, const struct input_row *input, text t)
{
	int64_t ignored;
	int64_t len = (int64_t)t.len;

	switch (input->kind) {
	case INPUT_text:
		return (text_is_utf8(t) && !text_has(t, '\0') &&
		    len >= input->min && len <= 4 * input->max);
	case INPUT_integer:
	case INPUT_page:
	case INPUT_skip:
		return (is_number(t, input->min, input->max));
	case INPUT_id:
		return (is_number(t, 1, INT64_MAX));
	case INPUT_boolean:
		return (text_is(t, TEXT("t")) || text_is(t, TEXT("f")));
	case INPUT_choice:
		return (is_one_of(t, input->choices));
	case INPUT_custom:
		return (text_begins(t, TEXT("custom.")) &&
		    len >= input->min && len <= input->max);
	case INPUT_object:
		return (is_object(op, t) && len >= input->min &&
		    len <= input->max);
	case INPUT_ids:
		return (is_array_of_ids(t, input->max));
	case INPUT_events:
		return (is_array_of_events(t, input->max));
	case INPUT_cursor:
		return (is_cursor(t));
	case INPUT_ticket:
		return (true);
	case INPUT_room:
		return (is_room(t));
	case INPUT_moment:
		return (stamp_read(t, &ignored));
	case INPUT_chat:
		return (is_chat(t, input->max));
	case INPUT_csv:
		return (is_csv(t));
	case INPUT_day:
		return (is_day(t));
	case INPUT_KINDS:
		break;
	}
	return (false);
}

static const struct operation_row *
row_of(text name)
{
	for (unsigned i = 0; i < OPERATIONS; i++)
		if (text_is(name, text_of(operation_rows[i].name)))
			return (&operation_rows[i]);
	for (size_t i = 0; i < OWN_ROWS; i++)
		if (text_is(name, text_of(own_rows[i].name)))
			return (&own_rows[i]);
	return (&own_rows[name.len % OWN_ROWS]);
}

static void
on_answer(struct op *op)
{
	struct json_object *body = json_in_read(op->answer.body);
	text code;

	must(op->answer.status == 400 || op->answer.status == 404);
	must(json_in_text(body, "code", &code));
	must(text_is(code, error_rows[op->answer.err].code));
	json_in_free(&body);
}

static void
try(struct op *op)
{
	const struct input_row *input = op->row->inputs;

	if (!input_read(op)) {
		must(op->is_answered);
		return;
	}
	must(!op->is_answered);
	for (unsigned i = 0; i < op->inputs_count; i++) {
		text t = op->inputs[i];

		if (t.at == NULL)
			must(input[i].missing == ERR_none);
		else
			must(is_fit(op, &input[i], t));
	}
	must(input[op->inputs_count].name == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text rest = text_from((const char *)data, size);
	struct op *op = op_create(NULL);
	text name;

	op->on_answer = on_answer;
	op_name(op, TEXT("fuzz"));
	op->segments_count = 2;
	text_cut(rest, '\n', &name, &rest);
	op->row = row_of(name);
	text_cut(rest, '\n', &op->segments[0], &rest);
	text_cut(rest, '\n', &op->segments[1], &rest);
	text_cut(rest, '\n', &op->query, &op->body);
	/* As the transport does before. */
	op->json = json_in_read(op->body);
	if (path_decode(&op->arena, &op->segments[0]) == ERR_none &&
	    path_decode(&op->arena, &op->segments[1]) == ERR_none &&
	    query_check(op->query) == ERR_none)
		try(op);
	op_destroy(&op);
	return (0);
}
