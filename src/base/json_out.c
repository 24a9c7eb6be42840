/* SPDX-License-Identifier: MIT */
/*
 * Writing JSON. Names begin with json_out where they make the writer and
 * with json_ where they write, because the writing is read so often.
 */
#include "base/json_out.h"

#include <math.h>
#include <stdio.h>

void
json_out_init(struct json_out *json, struct buf *buf)
{
	json->buf = buf;
	json->needs_comma = false;
}

static void
before_value(struct json_out *json)
{
	if (json->needs_comma)
		buf_add_char(json->buf, ',');
	json->needs_comma = true;
}

static void
open_bracket(struct json_out *json, char bracket)
{
	before_value(json);
	buf_add_char(json->buf, bracket);
	json->needs_comma = false;
}

static void
close_bracket(struct json_out *json, char bracket)
{
	buf_add_char(json->buf, bracket);
	json->needs_comma = true;
}

void
json_object_begin(struct json_out *json)
{
	open_bracket(json, '{');
}

void
json_object_end(struct json_out *json)
{
	close_bracket(json, '}');
}

void
json_array_begin(struct json_out *json)
{
	open_bracket(json, '[');
}

void
json_array_end(struct json_out *json)
{
	close_bracket(json, ']');
}

static void
add_escaped(struct buf *buf, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	switch (c) {
	case '"':
		buf_add(buf, TEXT("\\\""));
		break;
	case '\\':
		buf_add(buf, TEXT("\\\\"));
		break;
	case '\n':
		buf_add(buf, TEXT("\\n"));
		break;
	case '\r':
		buf_add(buf, TEXT("\\r"));
		break;
	case '\t':
		buf_add(buf, TEXT("\\t"));
		break;
	default:
		buf_add(buf, text_from(escape, sizeof escape));
	}
}

/* Of the UTF-8 sequence at the front, which is wide; 0 where it is broken. */
static size_t
sequence_length(text t)
{
	unsigned lead = (unsigned char)t.at[0];
	size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	return (len <= t.len && text_is_utf8(text_from(t.at, len)) ? len : 0);
}

/* How much at the front is written as it is. */
static size_t
same_length(text t)
{
	size_t len = 0, more;

	do {
		text left = text_from(t.at + len, t.len - len);

		more = text_plain_length(left);
		if (more == 0 && left.len > 0 &&
		    (unsigned char)left.at[0] >= 0x80)
			more = sequence_length(left);
		len += more;
	} while (more > 0);
	return (len);
}

static void
add_quoted(struct buf *buf, text t)
{
	buf_reserve(buf, t.len + 2);
	buf_add_char(buf, '"');
	for (;;) {
		size_t len = same_length(t);
		unsigned char c;

		buf_add(buf, text_from(t.at, len));
		if (len == t.len)
			break;
		c = (unsigned char)t.at[len];
		if (c >= 0x80)
			buf_add(buf, TEXT("\xef\xbf\xbd"));
		else
			add_escaped(buf, c);
		t = text_from(t.at + len + 1, t.len - len - 1);
	}
	buf_add_char(buf, '"');
}

void
json_key_text(struct json_out *json, text key)
{
	before_value(json);
	add_quoted(json->buf, key);
	buf_add_char(json->buf, ':');
	json->needs_comma = false;
}

void
json_text(struct json_out *json, text t)
{
	before_value(json);
	add_quoted(json->buf, t);
}

void
json_text_of(struct json_out *json, const char *string)
{
	if (string == NULL)
		json_nothing(json);
	else
		json_text(json, text_of(string));
}

void
json_int(struct json_out *json, int64_t number)
{
	before_value(json);
	buf_add_int(json->buf, number);
}

void
json_double(struct json_out *json, double number)
{
	if (!isfinite(number)) {
		json_nothing(json);
		return;
	}
	before_value(json);
	buf_printf(json->buf, "%.15g", number);
}

void
json_bool(struct json_out *json, bool is_true)
{
	json_raw(json, is_true ? TEXT("true") : TEXT("false"));
}

void
json_nothing(struct json_out *json)
{
	json_raw(json, TEXT("null"));
}

void
json_raw(struct json_out *json, text value)
{
	before_value(json);
	buf_add(json->buf, value);
}
