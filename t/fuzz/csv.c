/* SPDX-License-Identifier: MIT */
/*
 * CSV: no field is longer than what was written, lines only rise, and what
 * was read and is written again is read as the same.
 */
#include <stdint.h>

#include "base/mem.h"
#include "core/csv.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All fields in quotes. */
static void
write_record(const struct csv *csv, struct buf *out)
{
	for (unsigned i = 0; i < csv->count; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_char(out, '"');
		for (size_t k = 0; k < csv->fields[i].len; k++) {
			if (csv->fields[i].at[k] == '"')
				buf_add_char(out, '"');
			buf_add_char(out, csv->fields[i].at[k]);
		}
		buf_add_char(out, '"');
	}
	buf_add(out, TEXT("\r\n"));
}

static unsigned
read_all(struct arena *arena, text t, struct buf *out)
{
	struct csv csv;
	unsigned records = 0, line = 0;
	size_t fields = 0;

	csv_init(&csv, arena, t);
	while (csv_next(&csv)) {
		must(csv.line > line && csv.count > 0 &&
		    csv.count <= CSV_FIELDS_MAX);
		line = csv.line;
		for (unsigned i = 0; i < csv.count; i++)
			fields += csv.fields[i].len + 1;
		write_record(&csv, out);
		records++;
	}
	must(fields <= t.len + 1);
	must(!csv_next(&csv));
	return (records);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text t = text_from((const char *)data, size);
	struct arena arena;
	struct buf once, twice;
	unsigned records;

	arena_init(&arena);
	buf_init(&once, BUF_NO_LIMIT);
	buf_init(&twice, BUF_NO_LIMIT);
	records = read_all(&arena, t, &once);
	must(read_all(&arena, buf_text(&once), &twice) == records);
	must(text_is(buf_text(&once), buf_text(&twice)));
	buf_fini(&once);
	buf_fini(&twice);
	arena_fini(&arena);
	return (0);
}
