/* SPDX-License-Identifier: MIT */
/*
 * What an operation is given, as parameters and body of OpenAPI.
 */
#include "core/chat.h"
#include "core/input.h"
#include "role/openapi.h"

#define NUMBER_OF(number) #number
#define NUMBER(number) NUMBER_OF(number)

static void
say_number(struct json_out *json, const char *key, int64_t number)
{
	json_key(json, key);
	json_int(json, number);
}

/* What may be missing may be null in a body. */
static bool
may_be_null(const struct input_row *input)
{
	return (input->place == INPUT_BODY && input->missing == ERR_none);
}

static void
say_type(struct json_out *json, const struct input_row *input,
    const char *type)
{
	json_key(json, "type");
	if (!may_be_null(input)) {
		json_text_of(json, type);
		return;
	}
	json_array_begin(json);
	json_text_of(json, type);
	json_text_of(json, "null");
	json_array_end(json);
}

static void
say_choices(struct json_out *json, const struct input_row *input)
{
	text rest = text_of(input->choices), word;

	say_type(json, input, "string");
	json_key(json, "enum");
	json_array_begin(json);
	for (bool goes_on = true; goes_on;) {
		goes_on = text_cut(rest, '|', &word, &rest);
		json_text(json, word);
	}
	if (may_be_null(input))
		json_nothing(json);
	json_array_end(json);
}

/* In a body also as answers have it. */
static void
say_truth(struct json_out *json, const struct input_row *input)
{
	if (input->place != INPUT_BODY) {
		say_type(json, input, "boolean");
		return;
	}
	json_key(json, "enum");
	json_raw(json, may_be_null(input) ? TEXT("[true,false,1,0,null]") :
	    TEXT("[true,false,1,0]"));
}

static void
say_whole_number(struct json_out *json, const struct input_row *input)
{
	say_type(json, input, "integer");
	openapi_say(json, "format", "int64");
	say_number(json, "minimum", input->min);
	if (input->kind != INPUT_id || input->max != 0)
		say_number(json, "maximum", input->max);
}

static void
say_lengths(struct json_out *json, const struct input_row *input)
{
	say_type(json, input, "string");
	say_number(json, "minLength", input->min);
	say_number(json, "maxLength", input->max);
}

static void
say_page(struct json_out *json, const struct input_row *input)
{
	json_key(json, "oneOf");
	json_array_begin(json);
	json_object_begin(json);
	say_whole_number(json, input);
	json_object_end(json);
	json_raw(json, TEXT("{\"const\":\"all\"}"));
	json_array_end(json);
}

static void
say_chat(struct json_out *json, const struct input_row *input)
{
	openapi_say(json, "type", "array");
	say_number(json, "maxItems", input->max);
	json_key(json, "items");
	json_raw(json, TEXT("{\"type\":\"object\",\"required\":"
	    "[\"username\",\"message\",\"timestamp\"],\"properties\":{"
	    "\"username\":{\"type\":\"string\",\"minLength\":1,"
	    "\"maxLength\":" NUMBER(CHAT_NAME_MAX) "},"
	    "\"message\":{\"type\":\"string\",\"maxLength\":"
	    NUMBER(CHAT_MESSAGE_MAX) "},"
	    "\"timestamp\":{\"type\":\"string\"}}}"));
}

static void
say_form(struct json_out *json, const struct input_row *input)
{
	switch (input->kind) {
	case INPUT_text:
	case INPUT_csv:
		say_lengths(json, input);
		break;
	case INPUT_day:
		say_type(json, input, "string");
		openapi_say(json, "format", "date");
		break;
	case INPUT_integer:
	case INPUT_id:
		say_whole_number(json, input);
		break;
	case INPUT_boolean:
		say_truth(json, input);
		break;
	case INPUT_choice:
		say_choices(json, input);
		break;
	case INPUT_custom:
		say_lengths(json, input);
		openapi_say(json, "pattern", "^custom\\.[A-Za-z0-9._-]+$");
		break;
	case INPUT_object:
		say_type(json, input, "object");
		break;
	case INPUT_ids:
		say_type(json, input, "array");
		json_key(json, "items");
		json_raw(json, TEXT("{\"type\":\"integer\",\"format\":"
		    "\"int64\",\"minimum\":1}"));
		say_number(json, "minItems", input->min);
		say_number(json, "maxItems", input->max);
		break;
	case INPUT_events:
		say_type(json, input, "array");
		json_key(json, "items");
		json_raw(json, TEXT("{\"type\":\"string\"}"));
		say_number(json, "maxItems", input->max);
		break;
	case INPUT_page:
		say_page(json, input);
		break;
	case INPUT_skip:
		say_type(json, input, "string");
		openapi_say(json, "default", "0");
		break;
	case INPUT_cursor:
		say_type(json, input, "string");
		openapi_say(json, "pattern", "^([!-9;-~]{1,32}:)?[0-9]+$");
		break;
	case INPUT_ticket:
		say_type(json, input, "string");
		break;
	case INPUT_room:
		say_type(json, input, "string");
		openapi_say(json, "pattern", "^[A-Z0-9]{4}$");
		break;
	case INPUT_moment:
		say_type(json, input, "string");
		openapi_say(json, "pattern", "^\\d{4}-\\d\\d-\\d\\d[Tt ]");
		break;
	case INPUT_chat:
		say_chat(json, input);
		break;
	case INPUT_KINDS:
		must_never("there is no such kind");
	}
}

/* Meaning and rule: what a schema says of bytes and words is not all. */
static void
say_meaning(struct json_out *json, const struct input_row *input)
{
	struct buf words;

	buf_init(&words, BUF_NO_LIMIT);
	buf_printf(&words, "%s It ", input->text);
	input_rule(input, &words);
	buf_add_char(&words, '.');
	json_key(json, "description");
	json_text(json, buf_text(&words));
	buf_fini(&words);
}

static void
write_parameter(struct json_out *json, const struct input_row *input)
{
	json_object_begin(json);
	openapi_say(json, "name", input->name);
	openapi_say(json, "in", input_place_name(input->place));
	say_meaning(json, input);
	json_key(json, "required");
	json_bool(json, input->missing != ERR_none);
	json_key(json, "schema");
	json_object_begin(json);
	say_form(json, input);
	json_object_end(json);
	json_object_end(json);
}

/* From where its client stopped: `since`, or what an EventSource says. */
static bool
follows_stream(const struct operation_row *row)
{
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++)
		if (input->kind == INPUT_cursor)
			return (true);
	return (false);
}

static void
write_parameters(struct json_out *json, const struct operation_row *row)
{
	json_key(json, "parameters");
	json_array_begin(json);
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++)
		if (input->place != INPUT_BODY)
			write_parameter(json, input);
	if (openapi_has_key(row))
		openapi_refer(json, "parameters", "idempotency_key");
	if (openapi_has_tag(row))
		openapi_refer(json, "parameters", "if_none_match");
	if (follows_stream(row))
		openapi_refer(json, "parameters", "last_event_id");
	openapi_refer(json, "parameters", "request_id");
	json_array_end(json);
}

static void
write_member(struct json_out *json, const struct input_row *input,
    const char *name)
{
	json_key(json, name);
	json_object_begin(json);
	say_meaning(json, input);
	say_form(json, input);
	json_object_end(json);
}

static void
write_members(struct json_out *json, const struct operation_row *row)
{
	openapi_say(json, "type", "object");
	json_key(json, "properties");
	json_object_begin(json);
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++) {
		if (input->place != INPUT_BODY)
			continue;
		write_member(json, input, input->name);
		if (input_is_list(input))
			write_member(json, input, input->choices);
	}
	json_object_end(json);
	json_key(json, "required");
	json_array_begin(json);
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++)
		if (input->place == INPUT_BODY &&
		    input->missing != ERR_none && !input_is_list(input))
			json_text_of(json, input->name);
	json_array_end(json);
}

/* An object; where one of its members is a list, that alone will do. */
static void
write_body_schema(struct json_out *json, const struct operation_row *row)
{
	const struct input_row *list = row->inputs;

	while (list->name != NULL && !input_is_list(list))
		list++;
	json_object_begin(json);
	if (list->name == NULL)
		write_members(json, row);
	else {
		json_key(json, "anyOf");
		json_array_begin(json);
		json_object_begin(json);
		write_members(json, row);
		json_object_end(json);
		json_object_begin(json);
		say_form(json, list);
		json_object_end(json);
		json_array_end(json);
	}
	json_object_end(json);
}

static void
write_body(struct json_out *json, const struct operation_row *row)
{
	bool has_body = false, is_required = false;

	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++) {
		has_body |= input->place == INPUT_BODY;
		is_required |= input->place == INPUT_BODY &&
		    input->missing != ERR_none;
	}
	if (!has_body)
		return;
	json_key(json, "requestBody");
	json_object_begin(json);
	json_key(json, "required");
	json_bool(json, is_required);
	json_key(json, "content");
	json_object_begin(json);
	json_key(json, "application/json");
	json_object_begin(json);
	json_key(json, "schema");
	write_body_schema(json, row);
	json_object_end(json);
	json_object_end(json);
	json_object_end(json);
}

void
openapi_inputs(struct json_out *json, const struct operation_row *row)
{
	write_parameters(json, row);
	write_body(json, row);
}
