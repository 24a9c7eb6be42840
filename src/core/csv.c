/* SPDX-License-Identifier: MIT */
/*
 * Reading CSV, field by field.
 */
#include "core/csv.h"

#include "base/json_out.h"
#include "base/mem.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

enum after { AFTER_COMMA, AFTER_LINE, AFTER_ALL, AFTER_NONSENSE };

void
csv_init(struct csv *csv, struct arena *arena, text t)
{
	*csv = (struct csv){ .arena = arena, .rest = t, .next_line = 1 };
	if (text_begins(t, TEXT(BYTE_ORDER_MARK)))
		csv->rest = text_from(t.at + strlen(BYTE_ORDER_MARK),
		    t.len - strlen(BYTE_ORDER_MARK));
}

static void
skip(struct csv *csv, size_t count)
{
	csv->rest = text_from(csv->rest.at + count, csv->rest.len - count);
}

/* LF or CRLF; 0: neither. */
static size_t
line_end(text rest)
{
	return (text_begins(rest, TEXT("\n")) ? 1 :
	    text_begins(rest, TEXT("\r\n")) ? 2 : 0);
}

static void
skip_empty_lines(struct csv *csv)
{
	size_t end;

	while ((end = line_end(csv->rest)) > 0) {
		skip(csv, end);
		csv->next_line++;
	}
}

static bool
fail(struct csv *csv, const char *problem)
{
	csv->problem = problem;
	return (false);
}

/* How many bytes are before the quote that closes the field. */
static bool
find_close(struct csv *csv, size_t *len_out, bool *has_doubled_out)
{
	const char *at = csv->rest.at;

	*has_doubled_out = false;
	for (size_t i = 0; i < csv->rest.len; i++) {
		csv->next_line += at[i] == '\n';
		if (at[i] != '"')
			continue;
		if (i + 1 == csv->rest.len || at[i + 1] != '"') {
			*len_out = i;
			return (true);
		}
		*has_doubled_out = true;
		i++;
	}
	return (false);
}

static text
with_single_quotes(struct csv *csv, text t)
{
	char *at = arena_alloc(csv->arena, t.len);
	size_t len = 0;

	for (size_t i = 0; i < t.len; i++) {
		at[len++] = t.at[i];
		i += t.at[i] == '"';
	}
	return (text_from(at, len));
}

/* Behind its first quote. */
static bool
read_quoted(struct csv *csv, text *out)
{
	bool has_doubled;
	size_t len;

	if (!find_close(csv, &len, &has_doubled))
		return (fail(csv, "a quote is not closed"));
	*out = text_from(csv->rest.at, len);
	if (has_doubled)
		*out = with_single_quotes(csv, *out);
	skip(csv, len + 1);
	return (true);
}

static bool
read_plain(struct csv *csv, text *out)
{
	size_t len = 0;

	while (len < csv->rest.len && csv->rest.at[len] != ',' &&
	    csv->rest.at[len] != '\n' && csv->rest.at[len] != '\r') {
		if (csv->rest.at[len] == '"')
			return (fail(csv, "a quote stands inside a field that "
			    "does not begin with one"));
		len++;
	}
	*out = text_from(csv->rest.at, len);
	skip(csv, len);
	return (true);
}

static bool
read_field(struct csv *csv, text *out)
{
	if (!text_begins(csv->rest, TEXT("\"")))
		return (read_plain(csv, out));
	skip(csv, 1);
	return (read_quoted(csv, out));
}

static enum after
read_after(struct csv *csv)
{
	size_t end = line_end(csv->rest);

	if (csv->rest.len == 0)
		return (AFTER_ALL);
	if (end > 0) {
		skip(csv, end);
		csv->next_line++;
		return (AFTER_LINE);
	}
	if (csv->rest.at[0] != ',')
		return (AFTER_NONSENSE);
	skip(csv, 1);
	return (AFTER_COMMA);
}

bool
csv_next(struct csv *csv)
{
	enum after after;

	if (csv->problem != NULL)
		return (false);
	skip_empty_lines(csv);
	csv->line = csv->next_line;
	csv->count = 0;
	if (csv->rest.len == 0)
		return (false);
	do {
		if (csv->count == CSV_FIELDS_MAX)
			return (fail(csv, "there are too many fields"));
		if (!read_field(csv, &csv->fields[csv->count]))
			return (false);
		csv->count++;
		after = read_after(csv);
	} while (after == AFTER_COMMA);
	if (after != AFTER_NONSENSE)
		return (true);
	return (fail(csv, text_begins(csv->rest, TEXT("\r")) ?
	    "a carriage return stands alone" :
	    "something follows a closing quote"));
}

void
csv_as_json(struct arena *arena, text t, struct buf *out)
{
	struct json_out json;
	struct csv csv;

	csv_init(&csv, arena, t);
	json_out_init(&json, out);
	json_object_begin(&json);
	json_key(&json, "records");
	json_array_begin(&json);
	while (csv_next(&csv)) {
		json_array_begin(&json);
		json_int(&json, csv.line);
		for (unsigned i = 0; i < csv.count; i++)
			json_text(&json, csv.fields[i]);
		json_array_end(&json);
	}
	json_array_end(&json);
	json_key(&json, "broken");
	if (csv.problem != NULL) {
		json_array_begin(&json);
		json_int(&json, csv.line);
		json_text_of(&json, csv.problem);
		json_array_end(&json);
	} else
		json_nothing(&json);
	json_object_end(&json);
}
