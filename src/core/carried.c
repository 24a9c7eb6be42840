/* SPDX-License-Identifier: MIT */
/*
 * Brackets are counted, strings are passed over: nothing else has to be known
 * of what was checked before.
 */
#include "core/carried.h"

#include "base/must.h"
#include "core/json.h"

enum carried_kind
carried_kind(text value)
{
	must(value.len > 0);
	switch (value.at[0]) {
	case '{':
		return (CARRIED_OBJECT);
	case '[':
		return (CARRIED_ARRAY);
	case '"':
		return (CARRIED_TEXT);
	case 't':
	case 'f':
		return (CARRIED_BOOL);
	case 'n':
		return (CARRIED_NULL);
	default:
		return (CARRIED_NUMBER);
	}
}

/* at stands on the first quote; where the string has ended. */
static size_t
behind_string(text t, size_t at)
{
	for (at++; t.at[at] != '"'; at++)
		if (t.at[at] == '\\')
			at++;
	return (at + 1);
}

static size_t
behind_brackets(text t, size_t at)
{
	unsigned depth = 0;

	do {
		switch (t.at[at]) {
		case '"':
			at = behind_string(t, at);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			depth--;
			break;
		default:
			break;
		}
		at++;
	} while (depth > 0);
	return (at);
}

static size_t
behind_value(text t)
{
	size_t at = 0;

	switch (carried_kind(t)) {
	case CARRIED_OBJECT:
	case CARRIED_ARRAY:
		return (behind_brackets(t, 0));
	case CARRIED_TEXT:
		return (behind_string(t, 0));
	default:
		while (at < t.len && strchr(",]} \t\r\n", t.at[at]) == NULL)
			at++;
		return (at);
	}
}

static text
from(text t, size_t at)
{
	return (text_from(t.at + at, t.len - at));
}

bool
carried_begin(text array, text *rest_out)
{
	array = text_trim(array);
	if (array.len < 2 || array.at[0] != '[')
		return (false);
	*rest_out = text_trim(text_from(array.at + 1, array.len - 2));
	return (true);
}

bool
carried_next(text *rest, text *value_out)
{
	text t = text_trim(*rest);
	size_t len;

	if (t.len == 0)
		return (false);
	len = behind_value(t);
	*value_out = text_from(t.at, len);
	t = text_trim(from(t, len));
	*rest = t.len > 0 ? text_trim(from(t, 1)) : t;
	return (true);
}

bool
carried_as_int(text value, int64_t *out)
{
	return (carried_kind(value) == CARRIED_NUMBER &&
	    text_to_int64(value, INT64_MIN, INT64_MAX, out));
}

/* What stands between the quotes. */
static text
inside(text value)
{
	return (text_from(value.at + 1, value.len - 2));
}

bool
carried_as_text(text value, struct buf *spelled, text *out)
{
	if (carried_kind(value) != CARRIED_TEXT)
		return (false);
	*out = inside(value);
	if (memchr(out->at, '\\', out->len) == NULL)
		return (true);
	if (!json_in_is_valid(value))
		return (false);
	buf_clear(spelled);
	json_in_spell(*out, spelled);
	*out = buf_text(spelled);
	return (true);
}

bool
carried_is(text value, text wanted)
{
	return (value.len >= 2 && value.at[0] == '"' &&
	    json_in_spells(inside(value), wanted));
}
