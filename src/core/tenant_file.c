/* SPDX-License-Identifier: MIT */
/*
 * Reading a tenant's file: bytes to lines, lines to parts.
 */
#include "core/tenant_file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "core/json.h"
#include "plat/digest.h"
#include "store/call.h"

/* Of lines that are no rows. */
#define OBJECT_MAX ((size_t)64 << 10)

struct table {
	char		 name[TENANT_FILE_NAME_MAX + 1];
	uint64_t	 rows;
};

enum state { AT_BEGIN, IN_TABLES, AT_END, IS_BROKEN };

struct tenant_file {
	unsigned	 magic;
#define TENANT_FILE_MAGIC 0x7466696c
	enum state	 state;
	int64_t		 schema_most, schema;
	struct digest	*digest;	/* NULL: the file is at its end */
	struct buf	 line;
	bool		 is_line_used;	/* the next byte begins another */
	uint64_t	 number;
	struct table	 tables[TENANT_FILE_TABLES_MAX];
	unsigned	 tables_count;
	size_t		 columns_count;
	struct buf	 columns;
	uint64_t	 rows;
	struct buf	 why;
};

struct tenant_file *
tenant_file_create(int64_t schema)
{
	struct tenant_file *file = object_create(struct tenant_file,
	    TENANT_FILE_MAGIC);

	file->schema_most = schema;
	file->digest = digest_begin();
	buf_init(&file->line, TENANT_FILE_LINE_MAX + 1);
	buf_init(&file->columns, BUF_NO_LIMIT);
	buf_init(&file->why, BUF_NO_LIMIT);
	return (file);
}

void
tenant_file_destroy(struct tenant_file **given)
{
	struct tenant_file *file = *given;
	char unused[DIGEST_HEX_SIZE];

	if (file == NULL)
		return;
	object_check(file, TENANT_FILE_MAGIC);
	if (file->digest != NULL)
		digest_end(&file->digest, unused);
	buf_fini(&file->why);
	buf_fini(&file->columns);
	buf_fini(&file->line);
	object_free(given);
}

__attribute__((format(printf, 2, 3))) static enum tenant_file_part
break_off(struct tenant_file *file, const char *format, ...)
{
	char words[256];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	buf_clear(&file->why);
	buf_printf(&file->why, "line %" PRIu64 ": %s", file->number, words);
	file->state = IS_BROKEN;
	return (TENANT_FILE_BROKEN);
}

/* Names of tables and columns: nothing in them needs quotes anywhere. */
static bool
is_name(text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (!((t.at[i] >= 'a' && t.at[i] <= 'z') ||
		    (t.at[i] >= '0' && t.at[i] <= '9') || t.at[i] == '_'))
			return (false);
	return (t.len > 0 && t.len <= TENANT_FILE_NAME_MAX);
}

static enum tenant_file_part
read_opening(struct tenant_file *file, struct json_object *json)
{
	int64_t version;
	text format, slug;

	if (!json_in_text(json, "format", &format) ||
	    !text_is(format, TEXT(TENANT_FILE_FORMAT)) ||
	    !json_in_int(json, "version", &version) || version < 1)
		return (break_off(file, "this is no file of a tenant"));
	if (version > TENANT_FILE_VERSION)
		return (break_off(file, "the file is of format %" PRId64
		    ", which a newer program wrote; this one reads up to %d",
		    version, TENANT_FILE_VERSION));
	if (!json_in_int(json, "schema", &file->schema) ||
	    file->schema < 1 || !json_in_text(json, "slug", &slug))
		return (break_off(file, "this is no file of a tenant"));
	if (file->schema > file->schema_most)
		return (break_off(file, "the file is of schema %" PRId64
		    ", which a newer program wrote; this one reads up to %"
		    PRId64, file->schema, file->schema_most));
	file->state = IN_TABLES;
	return (TENANT_FILE_OPENING);
}

static bool
read_columns(struct tenant_file *file, struct json_object *json)
{
	struct json_object *item;
	text name;

	buf_clear(&file->columns);
	file->columns_count = 0;
	for (; (item = json_in_item(json, "columns",
	    file->columns_count)) != NULL; file->columns_count++) {
		if (file->columns_count == TENANT_FILE_COLUMNS_MAX ||
		    !json_in_as_text(item, &name) || !is_name(name))
			return (false);
		call_array_add(&file->columns, name);
	}
	call_array_end(&file->columns);
	return (true);
}

static enum tenant_file_part
read_table(struct tenant_file *file, struct json_object *json, text name)
{
	struct table *table = &file->tables[file->tables_count];

	if (!is_name(name) || !read_columns(file, json))
		return (break_off(file, "this is no table"));
	if (file->tables_count == TENANT_FILE_TABLES_MAX)
		return (break_off(file, "there are too many tables"));
	for (unsigned i = 0; i < file->tables_count; i++)
		if (text_is(name, text_of(file->tables[i].name)))
			return (break_off(file, "table %s is there twice",
			    file->tables[i].name));
	snprintf(table->name, sizeof table->name, "%.*s", TEXT_ARGS(name));
	file->tables_count++;
	return (TENANT_FILE_TABLE);
}

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\r');
}

/* The values of a row that passed the grammar; false: one is no text. */
static bool
count_values(text line, size_t *count_out)
{
	bool is_in_text = false;
	size_t count = 0;

	for (size_t i = 1; i < line.len; i++) {
		char c = line.at[i];

		if (is_in_text && c == '\\')
			i++;
		else if (c == '"') {
			is_in_text = !is_in_text;
			count += is_in_text;
		} else if (!is_in_text && c == 'n') {
			i += strlen("ull");
			count++;
		} else if (!is_in_text && c != ',' && c != ']' &&
		    !is_blank(c))
			return (false);
	}
	*count_out = count;
	return (true);
}

/* Nothing is made of a row but its bytes: it can be long. */
static enum tenant_file_part
read_row(struct tenant_file *file)
{
	size_t count;

	if (!json_in_is_valid(buf_text(&file->line)))
		return (break_off(file, "this is not JSON"));
	if (file->tables_count == 0)
		return (break_off(file, "this row is of no table"));
	if (!count_values(buf_text(&file->line), &count))
		return (break_off(file, "a value of this row is neither a "
		    "text nor null"));
	if (count != file->columns_count)
		return (break_off(file, "this row has not the columns of "
		    "table %s", tenant_file_table(file)));
	file->tables[file->tables_count - 1].rows++;
	file->rows++;
	return (TENANT_FILE_ROW);
}

/* The line itself is not in the digest. */
static enum tenant_file_part
read_closing(struct tenant_file *file, struct json_object *json,
    struct json_object *rows)
{
	char sha256[DIGEST_HEX_SIZE];
	text told;

	digest_end(&file->digest, sha256);
	if (!json_in_text(json, "sha256", &told) ||
	    !text_is(told, text_of(sha256)))
		return (break_off(file, "the file was changed: its SHA-256 "
		    "is not the one that stands here"));
	for (unsigned i = 0; i < file->tables_count; i++) {
		const struct table *table = &file->tables[i];
		int64_t count;

		if (!json_in_int(rows, table->name, &count) || count < 0 ||
		    (uint64_t)count != table->rows)
			return (break_off(file, "table %s has %" PRIu64
			    " rows, which is not the number that stands "
			    "here", table->name, table->rows));
	}
	file->state = AT_END;
	return (TENANT_FILE_CLOSING);
}

static enum tenant_file_part
read_json(struct tenant_file *file, struct json_object *json)
{
	struct json_object *rows;
	text table;

	if (file->state == AT_BEGIN)
		return (read_opening(file, json));
	if (json_in_text(json, "table", &table))
		return (read_table(file, json, table));
	rows = json_in_object(json, "rows");
	if (rows != NULL)
		return (read_closing(file, json, rows));
	return (break_off(file, "this is neither a table, nor a row, nor "
	    "the end"));
}

/* A line that is no row. */
static enum tenant_file_part
read_object(struct tenant_file *file)
{
	struct json_object *json = NULL;
	enum tenant_file_part part;

	if (file->line.len <= OBJECT_MAX)
		json = json_in_read(buf_text(&file->line));
	if (json == NULL)
		return (file->state == AT_BEGIN ?
		    break_off(file, "this is no file of a tenant") :
		    break_off(file, "this is not JSON, or too long"));
	part = read_json(file, json);
	json_in_free(&json);
	return (part);
}

static enum tenant_file_part
read_line(struct tenant_file *file)
{
	bool is_row = file->state == IN_TABLES && file->line.len > 0 &&
	    file->line.at[0] == '[';
	enum tenant_file_part part = is_row ? read_row(file) :
	    read_object(file);

	if (file->digest != NULL) {
		digest_add(file->digest, buf_text(&file->line));
		digest_add(file->digest, TEXT("\n"));
	}
	return (part);
}

/* Behind the end nothing is right. */
static enum tenant_file_part
read_behind(struct tenant_file *file, text *input)
{
	if (file->state == IS_BROKEN)
		return (TENANT_FILE_BROKEN);
	if (input->len == 0)
		return (TENANT_FILE_MORE);
	file->number++;
	return (break_off(file, "the file goes on behind its end"));
}

enum tenant_file_part
tenant_file_read(struct tenant_file *file, text *input)
{
	text head, tail;
	bool is_ended;

	object_check(file, TENANT_FILE_MAGIC);
	if (file->state == AT_END || file->state == IS_BROKEN)
		return (read_behind(file, input));
	if (input->len == 0)
		return (TENANT_FILE_MORE);
	if (file->number == 0 || file->is_line_used) {
		buf_clear(&file->line);
		file->is_line_used = false;
		file->number++;
	}
	is_ended = text_cut(*input, '\n', &head, &tail);
	buf_add(&file->line, head);
	*input = is_ended ? tail : TEXT_NONE;
	if (file->line.has_failed || file->line.len > TENANT_FILE_LINE_MAX)
		return (break_off(file, "the line is longer than %zu bytes",
		    TENANT_FILE_LINE_MAX));
	if (!is_ended)
		return (TENANT_FILE_MORE);
	file->is_line_used = true;
	return (read_line(file));
}

bool
tenant_file_is_whole(struct tenant_file *file)
{
	object_check(file, TENANT_FILE_MAGIC);
	if (file->state != AT_END && file->state != IS_BROKEN) {
		if (file->number == 0)
			break_off(file, "the file is empty");
		else
			break_off(file, "the file was cut off here");
	}
	return (file->state == AT_END);
}

const char *
tenant_file_why(const struct tenant_file *file)
{
	object_check(file, TENANT_FILE_MAGIC);
	must(file->state == IS_BROKEN);
	return (file->why.at);
}

text
tenant_file_line(const struct tenant_file *file)
{
	object_check(file, TENANT_FILE_MAGIC);
	return (buf_text(&file->line));
}

uint64_t
tenant_file_line_number(const struct tenant_file *file)
{
	object_check(file, TENANT_FILE_MAGIC);
	return (file->number);
}

int64_t
tenant_file_schema(const struct tenant_file *file)
{
	object_check(file, TENANT_FILE_MAGIC);
	return (file->schema);
}

const char *
tenant_file_table(const struct tenant_file *file)
{
	object_check(file, TENANT_FILE_MAGIC);
	must(file->tables_count > 0);
	return (file->tables[file->tables_count - 1].name);
}

text
tenant_file_columns(const struct tenant_file *file)
{
	object_check(file, TENANT_FILE_MAGIC);
	return (buf_text(&file->columns));
}

uint64_t
tenant_file_rows(const struct tenant_file *file)
{
	object_check(file, TENANT_FILE_MAGIC);
	return (file->rows);
}
