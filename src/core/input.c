/* SPDX-License-Identifier: MIT */
/*
 * Reading inputs. Each kind has a reader for what came as text (path, query)
 * and one for what came as JSON (body); both say only whether the value
 * passes, and write it as PostgreSQL reads it. What to answer otherwise is
 * decided in one place.
 */
#include "core/input.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "base/moment.h"
#include "base/stamp.h"
#include "core/chat.h"
#include "core/csv.h"
#include "core/cursor.h"
#include "core/json.h"
#include "core/query.h"

#define ROOM_SIZE 4
#define NUMBER_SIZE sizeof("-9223372036854775808,")

enum verdict { PASSES, MISSING, INVALID };

/* One value on its way from the client to op->inputs. */
struct value {
	struct op	*op;
	const struct input_row *input;
	text		 given;		/* as text, or the text of the body */
	struct json_object *json;	/* as JSON */
	text		*out;
	struct chat_fault *fault_out;
};

/* What became of one. fault: what is wrong inside; no rule: all of it. */
struct reading {
	enum verdict	 verdict;
	struct chat_fault fault;
};

static const text truth[] = { TEXT("f"), TEXT("t") };

static bool
is_between(int64_t number, const struct input_row *input)
{
	return (number >= input->min && number <= input->max);
}

static int64_t
most_of(const struct input_row *input)
{
	return (input->kind == INPUT_id && input->max == 0 ? INT64_MAX :
	    input->max);
}

static text
number_text(struct op *op, int64_t number)
{
	char digits[NUMBER_SIZE];
	int len = snprintf(digits, sizeof digits, "%" PRId64, number);

	return (text_from(arena_copy(&op->arena, digits, (size_t)len),
	    (size_t)len));
}

static bool
has_only_digits(text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] < '0' || t.at[i] > '9')
			return (false);
	return (t.len > 0);
}

/* What came as text. */

static bool
take_text(const struct value *value)
{
	*value->out = value->given;
	return (is_between((int64_t)text_characters(value->given),
	    value->input));
}

static bool
take_number(const struct value *value)
{
	int64_t number;

	if (!text_to_int64(value->given, value->input->min,
	    most_of(value->input), &number))
		return (false);
	*value->out = number_text(value->op, number);
	return (true);
}

static bool
take_boolean(const struct value *value)
{
	bool is_true = text_is(value->given, TEXT("true")) ||
	    text_is(value->given, TEXT("1"));

	*value->out = truth[is_true];
	return (is_true || text_is(value->given, TEXT("false")) ||
	    text_is(value->given, TEXT("0")));
}

static bool
take_choice(const struct value *value)
{
	text rest = text_of(value->input->choices), word;

	*value->out = value->given;
	do {
		text_cut(rest, '|', &word, &rest);
		if (text_is(word, value->given))
			return (true);
	} while (rest.len > 0);
	return (false);
}

static bool
take_page(const struct value *value)
{
	if (!text_is(value->given, TEXT("all")))
		return (has_only_digits(value->given) && take_number(value));
	*value->out = TEXT_NONE;
	return (true);
}

static bool
take_skip(const struct value *value)
{
	int64_t number;

	if (!has_only_digits(value->given))
		number = 0;
	else if (!text_to_int64(value->given, 0, value->input->max, &number))
		number = value->input->max;
	*value->out = number_text(value->op, number);
	return (true);
}

static bool
take_cursor(const struct value *value)
{
	struct cursor cursor;

	*value->out = value->given;
	return (cursor_read(value->given, &cursor));
}

static bool
take_ticket(const struct value *value)
{
	*value->out = value->given;
	return (true);
}

static bool
take_moment(const struct value *value)
{
	char written[STAMP_SIZE];
	int64_t stamp;

	*value->out = value->given;
	if (!moment_read(value->given, &stamp))
		return (false);
	stamp_write(stamp, written);
	*value->out = op_keep(value->op, text_of(written));
	return (true);
}

/* YYYY-MM-DD */
static bool
take_day(const struct value *value)
{
	char moment[] = "YYYY-MM-DDT00:00:00Z";
	int64_t stamp;

	*value->out = value->given;
	if (value->given.len != strlen("YYYY-MM-DD"))
		return (false);
	memcpy(moment, value->given.at, value->given.len);
	return (moment_read(text_of(moment), &stamp));
}

/* As Jackbox makes them: the code of a room. */
static bool
take_room(const struct value *value)
{
	text room = value->given;

	*value->out = room;
	for (size_t i = 0; i < room.len; i++)
		if (!(room.at[i] >= 'A' && room.at[i] <= 'Z') &&
		    !(room.at[i] >= '0' && room.at[i] <= '9'))
			return (false);
	return (room.len == ROOM_SIZE);
}

/* What came as JSON. */

static bool
take_json_text(const struct value *value)
{
	struct value as_text = *value;

	if (!json_in_as_text(value->json, &as_text.given))
		return (false);
	switch (value->input->kind) {
	case INPUT_choice:
		return (take_choice(&as_text));
	case INPUT_room:
		return (take_room(&as_text));
	case INPUT_moment:
		return (take_moment(&as_text));
	default:
		return (take_text(&as_text));
	}
}

static bool
take_json_number(const struct value *value)
{
	int64_t number;

	if (!json_in_as_int(value->json, &number) ||
	    number < value->input->min || number > most_of(value->input))
		return (false);
	*value->out = number_text(value->op, number);
	return (true);
}

static bool
take_json_boolean(const struct value *value)
{
	bool is_true;
	int64_t number;

	if (!json_in_as_bool(value->json, &is_true)) {
		/* As answers have it. */
		if (!json_in_as_int(value->json, &number) || number < 0 ||
		    number > 1)
			return (false);
		is_true = number == 1;
	}
	*value->out = truth[is_true];
	return (true);
}

static bool
is_name_sign(char c)
{
	return ((c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
	    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
}

static bool
take_json_custom(const struct value *value)
{
	const text begin = TEXT("custom.");
	text name;

	if (!take_json_text(value))
		return (false);
	name = *value->out;
	if (!text_begins(name, begin) || name.len == begin.len)
		return (false);
	for (size_t i = begin.len; i < name.len; i++)
		if (!is_name_sign(name.at[i]))
			return (false);
	return (true);
}

static bool
take_json_object(const struct value *value)
{
	if (!json_in_is_object(value->json))
		return (false);
	must(json_in_raw(value->given, text_of(value->input->name),
	    value->out));
	return (is_between((int64_t)value->out->len, value->input));
}

static int
compare_ids(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left < right ? -1 : left > right);
}

/* {1,2,3}: sorted, each once. */
static text
ids_text(struct op *op, int64_t *ids, size_t count)
{
	char *at = arena_alloc(&op->arena, count * NUMBER_SIZE + 2);
	size_t len = 0;

	qsort(ids, count, sizeof *ids, compare_ids);
	at[len++] = '{';
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && ids[i] == ids[i - 1])
			continue;
		if (len > 1)
			at[len++] = ',';
		len += (size_t)snprintf(at + len, NUMBER_SIZE, "%" PRId64,
		    ids[i]);
	}
	at[len++] = '}';
	return (text_from(at, len));
}

static bool
take_json_ids(const struct value *value)
{
	int64_t *ids;
	size_t count;

	if (!json_in_as_array(value->json, &count) ||
	    !is_between((int64_t)count, value->input))
		return (false);
	ids = arena_alloc(&value->op->arena, (count + 1) * sizeof *ids);
	for (size_t i = 0; i < count; i++)
		if (!json_in_as_int(json_in_element(value->json, i),
		    &ids[i]) || ids[i] < 1)
			return (false);
	*value->out = ids_text(value->op, ids, count);
	return (true);
}

static bool
take_json_chat(const struct value *value)
{
	size_t count;

	return (json_in_as_array(value->json, &count) &&
	    is_between((int64_t)count, value->input) &&
	    chat_read(value->json, &value->op->arena, value->out,
	    value->fault_out));
}

/* As records: what is no CSV passes, and its function says where. */
static bool
take_json_csv(const struct value *value)
{
	struct buf records;
	text given;

	if (!json_in_as_text(value->json, &given) ||
	    !is_between((int64_t)text_characters(given), value->input))
		return (false);
	buf_init(&records, BUF_NO_LIMIT);
	csv_as_json(&value->op->arena, given, &records);
	*value->out = op_keep(value->op, buf_text(&records));
	buf_fini(&records);
	return (true);
}

static const struct {
	const char	 *name;
	bool		(*from_text)(const struct value *);
	bool		(*from_json)(const struct value *);
} kinds[INPUT_KINDS] = {
	[INPUT_text] = { "text", take_text, take_json_text },
	[INPUT_integer] = { "integer", take_number, take_json_number },
	[INPUT_boolean] = { "boolean", take_boolean, take_json_boolean },
	[INPUT_id] = { "id", take_number, take_json_number },
	[INPUT_choice] = { "choice", take_choice, take_json_text },
	[INPUT_custom] = { "custom", NULL, take_json_custom },
	[INPUT_object] = { "object", NULL, take_json_object },
	[INPUT_ids] = { "ids", NULL, take_json_ids },
	[INPUT_page] = { "page", take_page, NULL },
	[INPUT_skip] = { "skip", take_skip, NULL },
	[INPUT_cursor] = { "cursor", take_cursor, NULL },
	[INPUT_ticket] = { "ticket", take_ticket, NULL },
	[INPUT_room] = { "room", take_room, take_json_text },
	[INPUT_moment] = { "moment", take_moment, take_json_text },
	[INPUT_chat] = { "chat", NULL, take_json_chat },
	[INPUT_csv] = { "csv", NULL, take_json_csv },
	[INPUT_day] = { "day", take_day, NULL },
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

static enum verdict
read_text(struct value *value)
{
	must(kinds[value->input->kind].from_text != NULL);
	return (kinds[value->input->kind].from_text(value) ? PASSES :
	    INVALID);
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
read_member(struct value *value)
{
	struct op *op = value->op;

	must(kinds[value->input->kind].from_json != NULL);
	value->json = find_member(op, value->input);
	if (value->json == NULL)
		return (MISSING);
	value->given = op->body;
	return (kinds[value->input->kind].from_json(value) ? PASSES :
	    INVALID);
}

static enum verdict
read_one(struct op *op, const struct input_row *input, text *out,
    struct chat_fault *fault)
{
	struct value value = { .op = op, .input = input, .out = out,
	    .fault_out = fault };
	unsigned place;

	switch (input->place) {
	case INPUT_PATH:
		place = place_in_path(op->row->path, input->name);
		must(place < op->segments_count);
		value.given = op->segments[place];
		return (read_text(&value));
	case INPUT_QUERY:
		if (!query_find(&op->arena, op->query, text_of(input->name),
		    &value.given))
			return (MISSING);
		return (read_text(&value));
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
		    input->invalid != ERR_none ? input->invalid :
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

const char *
input_kind_name(enum input_kind kind)
{
	must(kind < INPUT_KINDS);
	return (kinds[kind].name);
}
