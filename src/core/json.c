/* SPDX-License-Identifier: MIT */
/*
 * The grammar of RFC 8259, checked without recursion, then json-c.
 */
#include "core/json.h"

#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/must.h"

struct reader {
	const char	*at;
	const char	*end;
	unsigned	 depth;
	bool		 is_carried;	/* nobody here is to make sense of it */
	char		 closers[JSON_CARRIED_DEPTH_MAX]; /* } or ], by depth */
};

static char
next_sign(const struct reader *reader)
{
	/* NUL is nowhere allowed, so it stands for the end as well. */
	return (reader->at < reader->end ? *reader->at : '\0');
}

static bool
take(struct reader *reader, char c)
{
	if (next_sign(reader) != c || c == '\0')
		return (false);
	reader->at++;
	return (true);
}

static void
skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && (*reader->at == ' ' ||
	    *reader->at == '\t' || *reader->at == '\n' ||
	    *reader->at == '\r'))
		reader->at++;
}

static bool
take_word(struct reader *reader, text word)
{
	if (!text_begins(text_from(reader->at,
	    (size_t)(reader->end - reader->at)), word))
		return (false);
	reader->at += word.len;
	return (true);
}

static bool
take_four_digits(struct reader *reader, unsigned *unit_out)
{
	unsigned unit = 0;

	for (int i = 0; i < 4; i++) {
		char c = next_sign(reader);

		if (c >= '0' && c <= '9')
			unit = unit << 4 | (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			unit = unit << 4 | (unsigned)((c | 0x20) - 'a' + 10);
		else
			return (false);
		reader->at++;
	}
	*unit_out = unit;
	return (true);
}

/* What stands behind \u; a surrogate has to have its other half. */
static bool
take_unit(struct reader *reader)
{
	unsigned unit, other;

	if (!take_four_digits(reader, &unit))
		return (false);
	if (reader->is_carried)
		return (true);
	if (unit < 0xd800 || unit > 0xdfff)
		return (unit != 0);
	return (unit <= 0xdbff && take(reader, '\\') && take(reader, 'u') &&
	    take_four_digits(reader, &other) && other >= 0xdc00 &&
	    other <= 0xdfff);
}

static bool
take_string(struct reader *reader)
{
	if (!take(reader, '"'))
		return (false);
	for (;;) {
		unsigned char c;

		reader->at += text_plain_length(text_from(reader->at,
		    (size_t)(reader->end - reader->at)));
		c = (unsigned char)next_sign(reader);
		if (c < 0x20)
			return (false);
		reader->at++;
		if (c == '"')
			return (true);
		if (c != '\\')
			continue;
		c = (unsigned char)next_sign(reader);
		if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL)
			return (false);
		reader->at++;
		if (c == 'u' && !take_unit(reader))
			return (false);
	}
}

static bool
take_digits(struct reader *reader)
{
	const char *begin = reader->at;

	while (next_sign(reader) >= '0' && next_sign(reader) <= '9')
		reader->at++;
	return (reader->at > begin);
}

static bool
is_within_double(text number)
{
	char digits[64];
	double value;

	/* Longer ones are not worth being exact about. */
	if (number.len >= sizeof digits)
		return (false);
	memcpy(digits, number.at, number.len);
	digits[number.len] = '\0';
	value = strtod(digits, NULL);
	return (isfinite(value));
}

static bool
take_number(struct reader *reader)
{
	const char *begin = reader->at;
	bool is_whole = true;
	int64_t ignored;
	text number;

	take(reader, '-');
	if (!take(reader, '0') && !take_digits(reader))
		return (false);
	if (take(reader, '.')) {
		is_whole = false;
		if (!take_digits(reader))
			return (false);
	}
	if (take(reader, 'e') || take(reader, 'E')) {
		is_whole = false;
		if (!take(reader, '+'))
			take(reader, '-');
		if (!take_digits(reader))
			return (false);
	}
	if (reader->is_carried)
		return (true);
	number = text_from(begin, (size_t)(reader->at - begin));
	return (is_whole ? text_to_int64(number, INT64_MIN, INT64_MAX,
	    &ignored) : is_within_double(number));
}

static bool
take_scalar(struct reader *reader)
{
	switch (next_sign(reader)) {
	case '"':
		return (take_string(reader));
	case 't':
		return (take_word(reader, TEXT("true")));
	case 'f':
		return (take_word(reader, TEXT("false")));
	case 'n':
		return (take_word(reader, TEXT("null")));
	default:
		return (take_number(reader));
	}
}

static bool
take_key(struct reader *reader)
{
	skip_blanks(reader);
	if (!take_string(reader))
		return (false);
	skip_blanks(reader);
	return (take(reader, ':'));
}

/* Behind a value: closes what ends here. *more_out: another value follows. */
static bool
take_ends(struct reader *reader, bool *more_out)
{
	*more_out = false;
	while (reader->depth > 0) {
		char closer = reader->closers[reader->depth - 1];

		skip_blanks(reader);
		if (take(reader, ',')) {
			*more_out = true;
			return (closer == ']' || take_key(reader));
		}
		if (!take(reader, closer))
			return (false);
		reader->depth--;
	}
	return (true);
}

/* Goes into what opens here; *is_value_out: that was a whole value. */
static bool
take_begin(struct reader *reader, bool *is_value_out)
{
	char closer = next_sign(reader) == '{' ? '}' :
	    next_sign(reader) == '[' ? ']' : '\0';

	*is_value_out = true;
	if (closer == '\0')
		return (take_scalar(reader));
	reader->at++;
	skip_blanks(reader);
	if (reader->depth == (reader->is_carried ? JSON_CARRIED_DEPTH_MAX :
	    JSON_DEPTH_MAX))
		return (false);
	if (take(reader, closer))
		return (true);
	reader->closers[reader->depth++] = closer;
	*is_value_out = false;
	return (closer == ']' || take_key(reader));
}

/* A whole value, with what is in it; the reader is in none. */
static bool
take_value(struct reader *reader)
{
	bool goes_on = true, is_value;

	while (goes_on) {
		skip_blanks(reader);
		if (!take_begin(reader, &is_value) ||
		    (is_value && !take_ends(reader, &goes_on)))
			return (false);
	}
	return (true);
}

static bool
is_whole_value(text t, bool is_carried)
{
	struct reader reader;

	if (t.len == 0)
		return (false);
	reader = (struct reader){ .at = t.at, .end = t.at + t.len,
	    .is_carried = is_carried };
	if (t.len >= INT_MAX || !text_is_utf8(t) ||
	    !take_value(&reader))
		return (false);
	skip_blanks(&reader);
	return (reader.at == reader.end);
}

bool
json_in_is_valid(text t)
{
	return (is_whole_value(t, false));
}

bool
json_in_may_be_carried(text t)
{
	return (is_whole_value(t, true));
}

/* The code point behind \u, with the other half of its pair, if it has. */
static unsigned
next_point(struct reader *reader)
{
	unsigned unit = 0, other = 0;
	const char *behind;

	take_four_digits(reader, &unit);
	if (unit < 0xd800 || unit > 0xdbff)
		return (unit);
	behind = reader->at;
	if (take(reader, '\\') && take(reader, 'u') &&
	    take_four_digits(reader, &other) && other >= 0xdc00 &&
	    other <= 0xdfff)
		return (0x10000 + ((unit - 0xd800) << 10 | (other - 0xdc00)));
	reader->at = behind;
	return (unit);
}

static size_t
write_utf8(unsigned point, char out[4])
{
	static const unsigned char begins[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 :
	    point < 0x10000 ? 3 : 4;

	for (size_t i = len; i-- > 1; point >>= 6)
		out[i] = (char)(0x80 | (point & 0x3f));
	out[0] = (char)(begins[len] | point);
	return (len);
}

/* The next of what a string spells, as one to four bytes. */
static size_t
next_spelled(struct reader *reader, char out[4])
{
	static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
	const char *letter;

	out[0] = *reader->at++;
	if (out[0] != '\\')
		return (1);
	out[0] = *reader->at++;
	if (out[0] == 'u')
		return (write_utf8(next_point(reader), out));
	letter = strchr(letters, out[0]);
	if (letter != NULL)
		out[0] = meant[letter - letters];
	return (1);
}

/* written: what stands between the quotes of a string that was checked. */
bool
json_in_spells(text written, text name)
{
	struct reader reader = { .at = written.at,
	    .end = written.at + written.len };
	size_t done = 0, len;
	char bytes[4];

	while (reader.at < reader.end) {
		len = next_spelled(&reader, bytes);
		if (len > name.len - done ||
		    memcmp(bytes, name.at + done, len) != 0)
			return (false);
		done += len;
	}
	return (done == name.len);
}

void
json_in_spell(text written, struct buf *out)
{
	struct reader reader = { .at = written.at,
	    .end = written.at + written.len };
	char bytes[4];

	while (reader.at < reader.end)
		buf_add(out, text_from(bytes, next_spelled(&reader, bytes)));
}

bool
json_in_raw(text t, text name, text *out)
{
	struct reader reader = { .at = t.at, .end = t.at + t.len };
	bool is_there = false;
	const char *begin;
	text key;

	skip_blanks(&reader);
	if (!take(&reader, '{'))
		return (false);
	do {
		skip_blanks(&reader);
		begin = reader.at;
		if (!take_string(&reader))
			break;		/* it is empty */
		key = text_from(begin + 1,
		    (size_t)(reader.at - begin) - 2);
		skip_blanks(&reader);
		must(take(&reader, ':'));
		skip_blanks(&reader);
		begin = reader.at;
		must(take_value(&reader));
		if (json_in_spells(key, name)) {
			*out = text_from(begin, (size_t)(reader.at - begin));
			is_there = true;
		}
		skip_blanks(&reader);
	} while (take(&reader, ','));
	return (is_there);
}

/*
 * json-c takes U+1D800 and others that a pair of surrogates spells for half a
 * pair themselves, so it is given the signs.
 */
static text
write_pairs(text t, struct buf *out)
{
	struct reader reader = { .at = t.at, .end = t.at + t.len };
	const char *from = t.at, *begin;
	char bytes[4];

	while ((begin = memchr(reader.at, '\\', (size_t)(reader.end -
	    reader.at))) != NULL) {
		reader.at = begin;
		if (next_spelled(&reader, bytes) != sizeof bytes)
			continue;
		buf_add(out, text_from(from, (size_t)(begin - from)));
		buf_add(out, text_from(bytes, sizeof bytes));
		from = reader.at;
	}
	buf_add(out, text_from(from, (size_t)(reader.end - from)));
	return (buf_text(out));
}

static struct json_object *
parse(text t)
{
	struct json_tokener *tokener;
	struct json_object *value;

	/* One level more: json-c counts the scalars in the deepest as one. */
	tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	must(tokener != NULL);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	value = json_tokener_parse_ex(tokener, t.at, (int)t.len);
	/* A number that ends the text might go on, as far as json-c knows. */
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		value = json_tokener_parse_ex(tokener, "", 1);
	json_tokener_free(tokener);
	return (value);
}

struct json_object *
json_in_read(text t)
{
	struct json_object *value;
	struct buf written;

	if (!json_in_is_valid(t))
		return (NULL);
	if (memmem(t.at, t.len, "\\u", 2) == NULL)
		return (parse(t));
	buf_init(&written, BUF_NO_LIMIT);
	value = parse(write_pairs(t, &written));
	buf_fini(&written);
	return (value);
}

struct json_object *
json_in_share(struct json_object *value)
{
	return (json_object_get(value));
}

void
json_in_free(struct json_object **value)
{
	if (*value != NULL)
		json_object_put(*value);
	*value = NULL;
}

bool
json_in_is_object(struct json_object *value)
{
	return (json_object_is_type(value, json_type_object));
}

struct json_object *
json_in_member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	if (json_in_is_object(object))
		json_object_object_get_ex(object, name, &value);
	return (value);
}

bool
json_in_as_text(struct json_object *value, text *out)
{
	if (!json_object_is_type(value, json_type_string))
		return (false);
	*out = text_from(json_object_get_string(value),
	    (size_t)json_object_get_string_len(value));
	return (true);
}

bool
json_in_as_int(struct json_object *value, int64_t *out)
{
	if (!json_object_is_type(value, json_type_int))
		return (false);
	*out = json_object_get_int64(value);
	return (true);
}

bool
json_in_as_bool(struct json_object *value, bool *out)
{
	if (!json_object_is_type(value, json_type_boolean))
		return (false);
	*out = json_object_get_boolean(value);
	return (true);
}

bool
json_in_as_array(struct json_object *value, size_t *count_out)
{
	if (!json_object_is_type(value, json_type_array))
		return (false);
	*count_out = json_object_array_length(value);
	return (true);
}

void
json_in_each(struct json_object *object,
    void (*on_member)(void *, text, struct json_object *), void *me)
{
	struct json_object_iterator at, end;

	if (!json_in_is_object(object))
		return;
	at = json_object_iter_begin(object);
	end = json_object_iter_end(object);
	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
		on_member(me, text_of(json_object_iter_peek_name(&at)),
		    json_object_iter_peek_value(&at));
}

struct json_object *
json_in_element(struct json_object *array, size_t i)
{
	size_t count;

	if (!json_in_as_array(array, &count) || i >= count)
		return (NULL);
	return (json_object_array_get_idx(array, i));
}

bool
json_in_text(struct json_object *object, const char *name, text *out)
{
	return (json_in_as_text(json_in_member(object, name), out));
}

bool
json_in_int(struct json_object *object, const char *name, int64_t *out)
{
	return (json_in_as_int(json_in_member(object, name), out));
}

bool
json_in_bool(struct json_object *object, const char *name, bool *out)
{
	return (json_in_as_bool(json_in_member(object, name), out));
}

struct json_object *
json_in_object(struct json_object *object, const char *name)
{
	struct json_object *value = json_in_member(object, name);

	return (json_in_is_object(value) ? value : NULL);
}

struct json_object *
json_in_item(struct json_object *object, const char *name, size_t i)
{
	return (json_in_element(json_in_member(object, name), i));
}
