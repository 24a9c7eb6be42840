/* SPDX-License-Identifier: MIT */
/*
 * Reading inputs: each is found where its row says, and read; what to answer
 * where one does not pass is decided in one place.
 */
#include "core/input.h"

#include "base/json_out.h"
#include "core/input_inside.h"
#include "core/json.h"
#include "core/query.h"

enum verdict { PASSES, MISSING, INVALID };

/* What became of one. fault: what is wrong inside; no rule: all of it. */
struct reading {
	enum verdict	 verdict;
	struct chat_fault fault;
};

/* Which of the path's {names} it is. */
static unsigned
place_in_path(const char *path, const char *name)
{
	text rest = text_of(path), segment;
	unsigned place = 0;

	while (path_next(&rest, &segment)) {
		if (segment.len < 2 || segment.at[0] != '{')
			continue;
		if (text_is(text_from(segment.at + 1, segment.len - 2),
		    text_of(name)))
			return (place);
		place++;
	}
	must_never("an input of a path is not in it");
}

/* A list may be all of the body, or have another name. */
static struct json_object *
find_member(const struct op *op, const struct input_row *input)
{
	struct json_object *found;

	if (!input_is_list(input))
		return (json_in_member(op->json, input->name));
	if (op->json != NULL && !json_in_is_object(op->json))
		return (op->json);
	found = json_in_member(op->json, input->name);
	return (found != NULL ? found :
	    json_in_member(op->json, input->choices));
}

static enum verdict
read_member(struct input_value *value)
{
	struct op *op = value->op;

	value->json = find_member(op, value->input);
	if (value->json == NULL)
		return (MISSING);
	value->given = op->body;
	return (input_from_json(value) ? PASSES : INVALID);
}

static enum verdict
read_one(struct op *op, const struct input_row *input, text *out,
    struct chat_fault *fault)
{
	struct input_value value = { .op = op, .input = input, .out = out,
	    .fault_out = fault };
	unsigned place;

	switch (input->place) {
	case INPUT_PATH:
		place = place_in_path(op->row->path, input->name);
		must(place < op->segments_count);
		value.given = op->segments[place];
		return (input_from_text(&value) ? PASSES : INVALID);
	case INPUT_QUERY:
		if (!query_find(&op->arena, op->query, text_of(input->name),
		    &value.given))
			return (MISSING);
		return (input_from_text(&value) ? PASSES : INVALID);
	case INPUT_BODY:
		return (read_member(&value));
	}
	must_never("no input is anywhere else");
}

/* chatData, or chatData[17].message */
static void
add_name(const struct input_row *input, const struct chat_fault *fault,
    struct buf *out)
{
	buf_add_string(out, input->name);
	if (fault->rule == NULL)
		return;
	buf_printf(out, "[%zu]", fault->line);
	if (fault->member != NULL)
		buf_printf(out, ".%s", fault->member);
}

static void
refuse(struct op *op, const struct input_row *input, enum err err,
    const struct chat_fault *fault)
{
	struct json_out json;
	struct buf words, more;
	size_t name;

	buf_init(&words, BUF_NO_LIMIT);
	buf_init(&more, BUF_NO_LIMIT);
	add_name(input, fault, &words);
	name = words.len;
	buf_add_char(&words, ' ');
	if (err != ERR_input_invalid)
		buf_add(&words, TEXT("is required"));
	else if (fault->rule != NULL)
		buf_add_string(&words, fault->rule);
	else
		input_rule(input, &words);
	json_out_init(&json, &more);
	json_object_begin(&json);
	json_key(&json, "field");
	json_text(&json, text_from(words.at, name));
	if (fault->rule != NULL) {
		json_key(&json, "index");
		json_int(&json, (int64_t)fault->line);
	}
	json_object_end(&json);
	op_fail_saying(op, err, err == ERR_input_invalid ||
	    err == ERR_input_missing ? buf_text(&words) : TEXT_NONE,
	    buf_text(&more));
	buf_fini(&words);
	buf_fini(&more);
}

/* A text that must not be empty is missing if it is. */
static enum verdict
judged(const struct op *op, const struct input_row *input, unsigned place,
    enum verdict verdict)
{
	text read = op->inputs[place];

	if (verdict == MISSING && input->missing == ERR_none)
		return (PASSES);
	return (verdict == INVALID && input->missing != ERR_none &&
	    (input->kind == INPUT_text || input->kind == INPUT_room) &&
	    read.at != NULL && read.len == 0 ? MISSING : verdict);
}

/* The first one of that verdict is told. */
static bool
is_refused(struct op *op, const struct reading *readings,
    enum verdict verdict)
{
	const struct input_row *input = op->row->inputs;

	for (unsigned i = 0; i < op->inputs_count; i++, input++) {
		if (readings[i].verdict != verdict)
			continue;
		refuse(op, input, verdict == MISSING ? input->missing :
		    input->invalid != ERR_none &&
		    readings[i].fault.rule == NULL ? input->invalid :
		    ERR_input_invalid, &readings[i].fault);
		return (true);
	}
	return (false);
}

/* Whether the body is of no use to any that wants one. */
static bool
is_body_unfit(const struct op *op)
{
	bool is_unfit = false;
	size_t count;

	if (op->json == NULL || json_in_is_object(op->json))
		return (false);
	for (const struct input_row *input = op->row->inputs;
	    input->name != NULL; input++) {
		if (input_is_list(input) && json_in_as_array(op->json,
		    &count))
			return (false);
		is_unfit |= input->place == INPUT_BODY;
	}
	return (is_unfit);
}

bool
input_is_list(const struct input_row *input)
{
	return (input->kind == INPUT_chat);
}

bool
input_is_kept(const struct input_row *input)
{
	return (input->place == INPUT_BODY && (input->kind == INPUT_text ||
	    input->kind == INPUT_custom || input->kind == INPUT_object ||
	    input->kind == INPUT_chat || input->kind == INPUT_csv));
}

bool
input_read(struct op *op)
{
	struct reading readings[OP_INPUTS_MAX];

	op->inputs_count = 0;
	if (is_body_unfit(op)) {
		op_fail(op, ERR_body_not_object);
		return (false);
	}
	for (const struct input_row *input = op->row->inputs;
	    input->name != NULL; input++) {
		unsigned place = op->inputs_count;
		text *out = &op->inputs[place];
		enum verdict verdict;

		must(place < OP_INPUTS_MAX);
		*out = TEXT_NONE;
		readings[place].fault.rule = NULL;
		verdict = read_one(op, input, out, &readings[place].fault);
		if (verdict != PASSES && input->place == INPUT_PATH) {
			/* As if it had been looked for. */
			op_fail(op, input->missing);
			return (false);
		}
		readings[place].verdict = judged(op, input, place, verdict);
		if (verdict != PASSES)
			*out = TEXT_NONE;
		op->inputs_count++;
	}
	return (!is_refused(op, readings, MISSING) &&
	    !is_refused(op, readings, INVALID));
}
