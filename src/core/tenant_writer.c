/* SPDX-License-Identifier: MIT */
/*
 * Writing a tenant's file.
 */
#include "base/json_out.h"
#include "base/mem.h"
#include "core/tenant_file.h"
#include "plat/digest.h"

struct tenant_writer {
	unsigned	 magic;
#define TENANT_WRITER_MAGIC 0x74777269
	struct buf	*out;
	struct digest	*digest;	/* NULL: closed */
	struct buf	 counts;	/* of the tables before this one */
	struct json_out	 json;
	char		 table[TENANT_FILE_NAME_MAX + 1]; /* "": none yet */
	uint64_t	 rows, rows_of_table;
};

static void
add_line(struct tenant_writer *writer, text line)
{
	digest_add(writer->digest, line);
	digest_add(writer->digest, TEXT("\n"));
	buf_add(writer->out, line);
	buf_add_char(writer->out, '\n');
}

struct tenant_writer *
tenant_writer_create(text opening, struct buf *out)
{
	struct tenant_writer *writer = object_create(struct tenant_writer,
	    TENANT_WRITER_MAGIC);

	writer->out = out;
	writer->digest = digest_begin();
	buf_init(&writer->counts, BUF_NO_LIMIT);
	json_out_init(&writer->json, &writer->counts);
	json_object_begin(&writer->json);
	add_line(writer, opening);
	return (writer);
}

void
tenant_writer_destroy(struct tenant_writer **given)
{
	struct tenant_writer *writer = *given;
	char unused[DIGEST_HEX_SIZE];

	if (writer == NULL)
		return;
	object_check(writer, TENANT_WRITER_MAGIC);
	if (writer->digest != NULL)
		digest_end(&writer->digest, unused);
	buf_fini(&writer->counts);
	object_free(given);
}

/* The table that was written until now has all its rows. */
static void
count_table(struct tenant_writer *writer)
{
	if (writer->table[0] == '\0')
		return;
	json_key(&writer->json, writer->table);
	json_int(&writer->json, (int64_t)writer->rows_of_table);
	writer->rows_of_table = 0;
}

void
tenant_writer_table(struct tenant_writer *writer, text name, text line)
{
	object_check(writer, TENANT_WRITER_MAGIC);
	must(name.len > 0 && name.len <= TENANT_FILE_NAME_MAX);
	count_table(writer);
	memcpy(writer->table, name.at, name.len);
	writer->table[name.len] = '\0';
	add_line(writer, line);
}

bool
tenant_writer_row(struct tenant_writer *writer, text line)
{
	object_check(writer, TENANT_WRITER_MAGIC);
	must(writer->table[0] != '\0');
	if (line.len > TENANT_FILE_LINE_MAX)
		return (false);
	writer->rows_of_table++;
	writer->rows++;
	add_line(writer, line);
	return (true);
}

void
tenant_writer_close(struct tenant_writer *writer)
{
	char sha256[DIGEST_HEX_SIZE];
	struct json_out json;

	object_check(writer, TENANT_WRITER_MAGIC);
	count_table(writer);
	json_object_end(&writer->json);
	digest_end(&writer->digest, sha256);
	json_out_init(&json, writer->out);
	json_object_begin(&json);
	json_key(&json, "rows");
	json_raw(&json, buf_text(&writer->counts));
	json_key(&json, "sha256");
	json_text_of(&json, sha256);
	json_object_end(&json);
	buf_add_char(writer->out, '\n');
}

uint64_t
tenant_writer_rows(const struct tenant_writer *writer)
{
	object_check(writer, TENANT_WRITER_MAGIC);
	return (writer->rows);
}
