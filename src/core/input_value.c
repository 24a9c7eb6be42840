/* SPDX-License-Identifier: MIT */
/*
 * Values. Each kind has a reader for what came as text (path, query) and one
 * for what came as JSON (body); both say only whether the value passes, and
 * write it as PostgreSQL reads it.
 */
#include "core/input_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/moment.h"
#include "base/stamp.h"
#include "core/csv.h"
#include "core/cursor.h"
#include "core/event_name.h"
#include "core/json.h"

#define ROOM_SIZE 4
#define NUMBER_SIZE sizeof("-9223372036854775808,")

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
take_text(const struct input_value *value)
{
	*value->out = value->given;
	return (is_between((int64_t)text_characters(value->given),
	    value->input));
}

static bool
take_number(const struct input_value *value)
{
	int64_t number;

	if (!text_to_int64(value->given, value->input->min,
	    most_of(value->input), &number))
		return (false);
	*value->out = number_text(value->op, number);
	return (true);
}

static bool
take_boolean(const struct input_value *value)
{
	bool is_true = text_is(value->given, TEXT("true")) ||
	    text_is(value->given, TEXT("1"));

	*value->out = truth[is_true];
	return (is_true || text_is(value->given, TEXT("false")) ||
	    text_is(value->given, TEXT("0")));
}

static bool
take_choice(const struct input_value *value)
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
take_page(const struct input_value *value)
{
	if (!text_is(value->given, TEXT("all")))
		return (has_only_digits(value->given) && take_number(value));
	*value->out = TEXT_NONE;
	return (true);
}

static bool
take_skip(const struct input_value *value)
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
take_cursor(const struct input_value *value)
{
	struct cursor cursor;

	*value->out = value->given;
	return (cursor_read(value->given, &cursor));
}

static bool
take_ticket(const struct input_value *value)
{
	*value->out = value->given;
	return (true);
}

static bool
take_moment(const struct input_value *value)
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
take_day(const struct input_value *value)
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
take_room(const struct input_value *value)
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
take_json_text(const struct input_value *value)
{
	struct input_value as_text = *value;

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
take_json_number(const struct input_value *value)
{
	int64_t number;

	if (!json_in_as_int(value->json, &number) ||
	    number < value->input->min || number > most_of(value->input))
		return (false);
	*value->out = number_text(value->op, number);
	return (true);
}

static bool
take_json_boolean(const struct input_value *value)
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
take_json_custom(const struct input_value *value)
{
	return (take_json_text(value) && event_name_is_custom(*value->out));
}

static bool
take_json_object(const struct input_value *value)
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
take_json_ids(const struct input_value *value)
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
has_element(struct json_object *list, size_t count, text wanted)
{
	text type;

	for (size_t i = 0; i < count; i++)
		if (json_in_as_text(json_in_element(list, i), &type) &&
		    text_is(type, wanted))
			return (true);
	return (false);
}

static bool
refuse_event(const struct input_value *value, size_t line,
    const char *words)
{
	*value->fault_out = (struct chat_fault){ .line = line,
	    .rule = words };
	return (false);
}

/* An event that there is none of, as the words of a refusal. */
static const char *
unknown_event(struct op *op, text type)
{
	struct buf words;
	const char *kept;

	buf_init(&words, BUF_NO_LIMIT);
	buf_printf(&words, "must be an event that has a number, or "
	    "custom.<name>, and not %.*s", TEXT_ARGS(type));
	kept = arena_copy(&op->arena, words.at, words.len + 1);
	buf_fini(&words);
	return (kept);
}

/* {game.added,custom.dice}: in their order, each once. */
static bool
take_json_events(const struct input_value *value)
{
	struct buf list;
	size_t count;
	text type;
	bool is_fine = true;

	if (!json_in_as_array(value->json, &count))
		return (false);
	if ((int64_t)count > value->input->max)
		return (refuse_event(value, (size_t)value->input->max,
		    "must be the last one"));
	buf_init(&list, BUF_NO_LIMIT);
	buf_add_char(&list, '{');
	for (size_t i = 0; i < count && is_fine; i++) {
		if (!json_in_as_text(json_in_element(value->json, i), &type))
			is_fine = refuse_event(value, i, "must be a text");
		else if (!event_name_is_numbered(type))
			is_fine = refuse_event(value, i,
			    unknown_event(value->op, type));
		else if (!has_element(value->json, i, type)) {
			if (list.len > 1)
				buf_add_char(&list, ',');
			buf_add(&list, type);
		}
	}
	buf_add_char(&list, '}');
	*value->out = op_keep(value->op, buf_text(&list));
	buf_fini(&list);
	return (is_fine);
}

static bool
take_json_chat(const struct input_value *value)
{
	size_t count;

	return (json_in_as_array(value->json, &count) &&
	    is_between((int64_t)count, value->input) &&
	    chat_read(value->json, &value->op->arena, value->out,
	    value->fault_out));
}

/* As records: what is no CSV passes, and its function says where. */
static bool
take_json_csv(const struct input_value *value)
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
	bool		(*from_text)(const struct input_value *);
	bool		(*from_json)(const struct input_value *);
} kinds[INPUT_KINDS] = {
	[INPUT_text] = { "text", take_text, take_json_text },
	[INPUT_integer] = { "integer", take_number, take_json_number },
	[INPUT_boolean] = { "boolean", take_boolean, take_json_boolean },
	[INPUT_id] = { "id", take_number, take_json_number },
	[INPUT_choice] = { "choice", take_choice, take_json_text },
	[INPUT_custom] = { "custom", NULL, take_json_custom },
	[INPUT_object] = { "object", NULL, take_json_object },
	[INPUT_ids] = { "ids", NULL, take_json_ids },
	[INPUT_events] = { "events", NULL, take_json_events },
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

bool
input_from_text(const struct input_value *value)
{
	must(kinds[value->input->kind].from_text != NULL);
	return (kinds[value->input->kind].from_text(value));
}

bool
input_from_json(const struct input_value *value)
{
	must(kinds[value->input->kind].from_json != NULL);
	return (kinds[value->input->kind].from_json(value));
}

const char *
input_kind_name(enum input_kind kind)
{
	must(kind < INPUT_KINDS);
	return (kinds[kind].name);
}
