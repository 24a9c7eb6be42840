/* SPDX-License-Identifier: MIT */
/*
 * What inputs have to be, in the words of refusals and of the reference.
 */
#include "core/input.h"

#include <inttypes.h>

const char *
input_place_name(enum input_place place)
{
	static const char *const names[] = { "path", "query", "body" };

	return (names[place]);
}
/* " of 2 to 5 things", or " of at most 5 things". */
static void
add_size(const struct input_row *input, const char *things, struct buf *out)
{
	if (input->min > 0)
		buf_printf(out, " of %" PRId64 " to %" PRId64 " %s",
		    input->min, input->max, things);
	else
		buf_printf(out, " of at most %" PRId64 " %s", input->max,
		    things);
}

static void
add_range(const struct input_row *input, struct buf *out)
{
	buf_printf(out, "a whole number from %" PRId64, input->min);
	if (input->kind != INPUT_id || input->max != 0)
		buf_printf(out, " to %" PRId64, input->max);
}

/* "a, b or c" */
static void
add_choices(const char *choices, struct buf *out)
{
	text rest = text_of(choices), word;
	const char *before = "";

	for (;;) {
		bool goes_on = text_cut(rest, '|', &word, &rest);

		if (!goes_on && before[0] != '\0')
			before = " or ";
		buf_add_string(out, before);
		buf_add(out, word);
		before = ", ";
		if (!goes_on)
			return;
	}
}

void
input_rule(const struct input_row *input, struct buf *out)
{
	buf_add(out, TEXT("must be "));
	switch (input->kind) {
	case INPUT_text:
		buf_add(out, TEXT("a text"));
		add_size(input, "characters", out);
		break;
	case INPUT_integer:
	case INPUT_id:
		add_range(input, out);
		break;
	case INPUT_boolean:
		buf_add(out, TEXT("true or false"));
		break;
	case INPUT_choice:
		add_choices(input->choices, out);
		break;
	case INPUT_custom:
		buf_add(out, TEXT("custom. and a name of letters, digits, "
		    "dots, - and _,"));
		add_size(input, "characters", out);
		break;
	case INPUT_object:
		buf_add(out, TEXT("an object"));
		add_size(input, "bytes", out);
		break;
	case INPUT_ids:
		buf_add(out, TEXT("a list"));
		add_size(input, "ids", out);
		break;
	case INPUT_events:
		buf_printf(out, "an array of at most %" PRId64 " events that "
		    "have a number, or custom.<name>", input->max);
		break;
	case INPUT_page:
		add_range(input, out);
		buf_add(out, TEXT(", or all"));
		break;
	case INPUT_skip:
		buf_add(out, TEXT("a whole number; else it counts as 0"));
		break;
	case INPUT_cursor:
		buf_add(out, TEXT("a number, or an epoch, a colon and a "
		    "number"));
		break;
	case INPUT_ticket:
		buf_add(out, TEXT("as POST /api/auth/ticket made it"));
		break;
	case INPUT_room:
		buf_add(out, TEXT("four of A-Z and 0-9"));
		break;
	case INPUT_moment:
		buf_add(out, TEXT("a time in ISO 8601, which without an "
		    "offset is UTC"));
		break;
	case INPUT_chat:
		buf_printf(out, "a list of at most %" PRId64 " lines, each "
		    "with username, message and timestamp", input->max);
		break;
	case INPUT_csv:
		buf_add(out, TEXT("a CSV text"));
		add_size(input, "characters", out);
		break;
	case INPUT_day:
		buf_add(out, TEXT("a day as YYYY-MM-DD"));
		break;
	case INPUT_KINDS:
		must_never("there is no such kind");
	}
}
