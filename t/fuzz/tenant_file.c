/* SPDX-License-Identifier: MIT */
/*
 * A tenant's file from outside. What begins with = gets its last line made
 * here, so that whole files are reached too. It is read in one piece and
 * byte by byte, which must come to the same; what is handed out is
 * well-formed, and what was broken stays so. The rows of a whole file,
 * written anew, are a whole file again.
 */
#include <stdint.h>

#include "base/must.h"
#include "core/json.h"
#include "core/tenant_file.h"

#define SCHEMA 9

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	bool		 is_whole;
	uint64_t	 rows, lines;
	unsigned	 parts[TENANT_FILE_BROKEN + 1];
	struct buf	 again;
	struct tenant_writer *writer;
};

static void
write_again(struct seen *seen, struct tenant_file *file,
    enum tenant_file_part part)
{
	text line = tenant_file_line(file);

	if (part == TENANT_FILE_OPENING)
		seen->writer = tenant_writer_create(line, &seen->again);
	else if (part == TENANT_FILE_TABLE)
		tenant_writer_table(seen->writer,
		    text_of(tenant_file_table(file)), line);
	else if (part == TENANT_FILE_ROW)
		must(tenant_writer_row(seen->writer, line));
	else if (part == TENANT_FILE_CLOSING)
		tenant_writer_close(seen->writer);
}

static void
must_be_fine(struct tenant_file *file, enum tenant_file_part part)
{
	text line = tenant_file_line(file);

	must(line.len <= TENANT_FILE_LINE_MAX);
	if (part == TENANT_FILE_OPENING)
		must(tenant_file_schema(file) >= 1 &&
		    tenant_file_schema(file) <= SCHEMA);
	if (part == TENANT_FILE_TABLE) {
		const char *name = tenant_file_table(file);
		text columns = tenant_file_columns(file);

		must(name[0] != '\0');
		must(columns.len >= 2 && columns.at[0] == '{');
	}
	if (part == TENANT_FILE_ROW)
		must(line.at[0] == '[' && json_in_is_valid(line));
}

static void
read_all(text input, size_t piece, struct seen *seen)
{
	struct tenant_file *file = tenant_file_create(SCHEMA);
	enum tenant_file_part part = TENANT_FILE_MORE;

	while (input.len > 0 && part != TENANT_FILE_BROKEN) {
		size_t len = piece < input.len ? piece : input.len;
		text now = text_from(input.at, len);

		input = text_from(input.at + len, input.len - len);
		do {
			part = tenant_file_read(file, &now);
			seen->parts[part] += part != TENANT_FILE_MORE;
			if (part == TENANT_FILE_BROKEN)
				break;
			must_be_fine(file, part);
			write_again(seen, file, part);
		} while (part != TENANT_FILE_MORE);
	}
	seen->is_whole = tenant_file_is_whole(file);
	seen->rows = tenant_file_rows(file);
	seen->lines = tenant_file_line_number(file);
	must(seen->rows == seen->parts[TENANT_FILE_ROW]);
	if (!seen->is_whole) {
		text more = TEXT("{}\n");

		must(tenant_file_why(file)[0] != '\0');
		must(tenant_file_read(file, &more) == TENANT_FILE_BROKEN);
		must(!tenant_file_is_whole(file));
	}
	tenant_file_destroy(&file);
}

static void
seen_init(struct seen *seen)
{
	*seen = (struct seen){ .writer = NULL };
	buf_init(&seen->again, BUF_NO_LIMIT);
}

static void
seen_fini(struct seen *seen)
{
	tenant_writer_destroy(&seen->writer);
	buf_fini(&seen->again);
}

/* Reads it whole and in pieces; out gets what was written anew, if whole. */
static bool
check(text input, struct buf *out)
{
	struct seen whole, pieces;
	bool is_whole;

	seen_init(&whole);
	seen_init(&pieces);
	read_all(input, SIZE_MAX, &whole);
	read_all(input, 1, &pieces);
	is_whole = whole.is_whole;
	must(pieces.is_whole == is_whole && pieces.rows == whole.rows);
	must(pieces.lines == whole.lines);
	must(memcmp(pieces.parts, whole.parts, sizeof whole.parts) == 0);
	must(is_whole == (whole.parts[TENANT_FILE_CLOSING] == 1 &&
	    whole.parts[TENANT_FILE_BROKEN] == 0));
	if (is_whole && out != NULL)
		buf_add(out, buf_text(&whole.again));
	seen_fini(&pieces);
	seen_fini(&whole);
	return (is_whole);
}

/* Lines without a last one get it, as far as they can be read. */
static void
check_made(text lines)
{
	struct tenant_file *file = tenant_file_create(SCHEMA);
	enum tenant_file_part part;
	struct seen seen;

	seen_init(&seen);
	while ((part = tenant_file_read(file, &lines)) != TENANT_FILE_MORE &&
	    part != TENANT_FILE_BROKEN && part != TENANT_FILE_CLOSING)
		write_again(&seen, file, part);
	if (seen.writer != NULL) {
		tenant_writer_close(seen.writer);
		must(check(buf_text(&seen.again), NULL));
		/* One byte less, or one more, and it is not whole. */
		must(!check(text_from(seen.again.at, seen.again.len - 1),
		    NULL));
		buf_add_char(&seen.again, ' ');
		must(!check(buf_text(&seen.again), NULL));
	}
	seen_fini(&seen);
	tenant_file_destroy(&file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text input = text_from((const char *)data, size);
	struct buf again;

	if (text_begins(input, TEXT("="))) {
		check_made(text_from(input.at + 1, input.len - 1));
		return (0);
	}
	buf_init(&again, BUF_NO_LIMIT);
	if (check(input, &again))
		must(check(buf_text(&again), NULL));
	buf_fini(&again);
	return (0);
}
