/* SPDX-License-Identifier: MIT */
/*
 * Percent-decoding, strictly, and the cutting that goes before it.
 */
#include "core/query.h"

void
target_cut(text target, text *host_out, text *path_out, text *query_out)
{
	text rest, ignored;

	*host_out = TEXT_NONE;
	/* A proxy's form, which a server has to take as well. */
	if (text_begins(target, TEXT("http://")) ||
	    text_begins(target, TEXT("https://"))) {
		size_t scheme = target.at[4] == 's' ? 8 : 7, at = scheme;

		while (at < target.len && target.at[at] != '/' &&
		    target.at[at] != '?')
			at++;
		*host_out = text_from(target.at + scheme, at - scheme);
		target = text_from(target.at + at, target.len - at);
	}
	text_cut(target, '#', &rest, &ignored);
	text_cut(rest, '?', path_out, query_out);
	if (path_out->len == 0)
		*path_out = TEXT("/");
}

bool
path_next(text *rest, text *segment_out)
{
	text tail;

	if (rest->len == 0 || rest->at[0] != '/')
		return (false);
	tail = text_from(rest->at + 1, rest->len - 1);
	if (text_cut(tail, '/', segment_out, rest))
		/* The slash stays, so that a last empty segment is seen. */
		*rest = text_from(rest->at - 1, rest->len + 1);
	return (true);
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

/* The byte at the front and how many signs it took; 0 where it is broken. */
static size_t
decode_one(text t, bool plus_is_blank, char *byte_out)
{
	int high, low;

	if (t.at[0] != '%') {
		*byte_out = t.at[0] == '+' && plus_is_blank ? ' ' : t.at[0];
		return (*byte_out != '\0' ? 1 : 0);
	}
	if (t.len < 3 || (high = digit_value(t.at[1])) < 0 ||
	    (low = digit_value(t.at[2])) < 0 || (high | low) == 0)
		return (0);
	*byte_out = (char)(high << 4 | low);
	return (3);
}

/* Whether there is anything in it that makes decoding it more than a look. */
static bool
is_plain(text t, bool plus_is_blank)
{
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.at[i];

		if (c == '%' || c == '\0' || c >= 0x80 ||
		    (c == '+' && plus_is_blank))
			return (false);
	}
	return (true);
}

static bool
decode(struct arena *arena, text *part, bool plus_is_blank)
{
	size_t len = 0, took;
	char *out;

	if (is_plain(*part, plus_is_blank))
		return (true);
	out = arena_alloc(arena, part->len + 1);
	for (size_t at = 0; at < part->len; at += took) {
		took = decode_one(text_from(part->at + at, part->len - at),
		    plus_is_blank, &out[len]);
		if (took == 0)
			return (false);
		len++;
	}
	if (!text_is_utf8(text_from(out, len)))
		return (false);
	*part = text_from(out, len);
	return (true);
}

enum err
path_decode(struct arena *arena, text *segment)
{
	return (decode(arena, segment, false) ? ERR_none : ERR_invalid_path);
}

enum err
query_decode(struct arena *arena, text *part)
{
	return (decode(arena, part, true) ? ERR_none : ERR_invalid_query);
}

/* Decodes for the verdict alone. */
static bool
can_decode(text part, bool plus_is_blank)
{
	struct arena arena;
	bool can;

	if (is_plain(part, plus_is_blank))
		return (true);
	arena_init(&arena);
	can = decode(&arena, &part, plus_is_blank);
	arena_fini(&arena);
	return (can);
}

enum err
path_check(text path)
{
	text rest = path, segment;

	if (is_plain(path, false))
		return (ERR_none);
	while (path_next(&rest, &segment))
		if (!can_decode(segment, false))
			return (ERR_invalid_path);
	return (rest.len == 0 ? ERR_none : ERR_invalid_path);
}

enum err
query_check(text query)
{
	text rest = query, key, value;

	if (is_plain(query, false))
		return (ERR_none);
	while (query_next(&rest, &key, &value))
		if (!can_decode(key, true) || !can_decode(value, true))
			return (ERR_invalid_query);
	return (ERR_none);
}

bool
query_next(text *rest, text *key_out, text *value_out)
{
	text pair;

	do {
		if (rest->len == 0)
			return (false);
		text_cut(*rest, '&', &pair, rest);
	} while (pair.len == 0);
	text_cut(pair, '=', key_out, value_out);
	if (value_out->at == NULL)
		*value_out = TEXT("");
	return (true);
}

bool
query_find(struct arena *arena, text query, text key, text *value_out)
{
	text rest = query, name, value;
	bool is_there = false;

	while (query_next(&rest, &name, &value))
		if (query_decode(arena, &name) == ERR_none &&
		    text_is(name, key) &&
		    query_decode(arena, &value) == ERR_none) {
			*value_out = value;
			is_there = true;
		}
	return (is_there);
}
