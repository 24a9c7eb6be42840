/* SPDX-License-Identifier: MIT */
/*
 * `partyline tenant import`: a file into a tenant, as it is read, in one
 * transaction. It is committed only when the file was whole.
 *
 *	opening ──> begin ──> table, rows ──> put, a batch at a time ──┐
 *			       ^					│
 *			       └────────────────────────────────────────┘
 *	closing, nothing behind it ──> end ──> commit
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/mem.h"
#include "core/json.h"
#include "core/tenant_file.h"
#include "role/command.h"
#include "role/command_db.h"
#include "role/tenant_copy.h"
#include "store/call.h"
#include "store/schema.h"

#define PIECE (64u << 10)	/* read at a time */
#define BATCH_BYTES (256u << 10)
#define BATCH_ROWS 1000

#define CONTEXT "ROW($1, $2, $3, $4, $5, $6, $7)::api.ctx"

struct import {
	struct tenant_copy	 copy;
	int			 fd;
	struct tenant_file	*file;
	char			 tenant[12];
	bool			 is_new;
	bool			 keys_go;
	struct buf		 batch;		/* an array, not ended */
	unsigned		 batch_rows;
	uint64_t		 batch_begin;	/* its first line */
	char			 table[TENANT_FILE_NAME_MAX + 1];
	struct buf		 columns;	/* of the batch, as is table */
	struct buf		 told;		/* what the end says */
};

/* As the command that it is, with the inputs behind the context. */
static bool
ask(struct import *import, const char *where, const char *sql,
    const text *inputs, unsigned count, straight_row_fn *on_row)
{
	struct call_context caller = command_db_context(import->copy.db, 0);
	struct call_parameters parameters;
	struct db_answer answer;

	call_parameters(&caller, inputs, count, &parameters);
	return (straight_ask(import->copy.straight, sql, parameters.at,
	    parameters.count, on_row, import, &answer) ||
	    tenant_copy_refused(&import->copy, where, &answer));
}

static bool
on_begin(void *context, const struct db_answer *row)
{
	struct import *import = context;
	text id = db_field(row, 0, 0);

	must(id.len > 0 && id.len < sizeof import->tenant);
	memcpy(import->tenant, id.at, id.len);
	import->is_new = text_is(db_field(row, 0, 1), TEXT("t"));
	import->keys_go = text_is(db_field(row, 0, 2), TEXT("t"));
	return (true);
}

static text
flag(bool is_set)
{
	return (is_set ? TEXT("t") : TEXT("f"));
}

static bool
begin(struct import *import)
{
	const struct command *command = import->copy.command;
	const text inputs[] = { text_of(command->words[1]),
	    tenant_file_line(import->file),
	    flag(!command->wants_no_hosts) };

	return (ask(import, "", "SELECT id, is_new, keys_go "
	    "FROM api.tenant_file_begin(" CONTEXT ", $8, $9, $10)", inputs,
	    3, on_begin));
}

/* What a row's value is no good for, PostgreSQL says. */
static bool
put_failed(struct import *import, const struct db_answer *answer)
{
	enum call_refusal refusal = answer->result == DB_REFUSED ?
	    call_refusal(answer) : CALL_EXHAUSTED;
	struct buf where;

	buf_init(&where, BUF_NO_LIMIT);
	buf_printf(&where, "%s: lines %" PRIu64 " to %" PRIu64 ", table %s: ",
	    import->copy.path, import->batch_begin,
	    import->batch_begin + import->batch_rows - 1, import->table);
	if (refusal == CALL_CONSTRAINT || refusal == CALL_INPUT ||
	    refusal == CALL_BROKEN)
		tenant_copy_complain(&import->copy, EX_DATAERR, "%s%.*s",
		    where.at, TEXT_ARGS(answer->message));
	else
		tenant_copy_refused(&import->copy, where.at, answer);
	buf_fini(&where);
	return (false);
}

static bool
is_left_away(const struct import *import)
{
	return (import->copy.command->wants_no_hosts &&
	    strcmp(import->table, "tenant_host") == 0);
}

static bool
put_batch(struct import *import)
{
	text inputs[5];
	struct db_answer answer;

	if (import->batch_rows == 0)
		return (true);
	call_array_end(&import->batch);
	inputs[0] = text_of(import->tenant);
	inputs[1] = flag(import->keys_go);
	inputs[2] = text_of(import->table);
	inputs[3] = buf_text(&import->columns);
	inputs[4] = buf_text(&import->batch);
	if (!is_left_away(import) && !straight_ask(import->copy.straight,
	    "SELECT api.tenant_file_put($1, $2, $3, $4, $5)", inputs, 5,
	    NULL, NULL, &answer))
		return (put_failed(import, &answer));
	buf_clear(&import->batch);
	import->batch_rows = 0;
	return (true);
}

static bool
take_row(struct import *import)
{
	if (import->batch_rows++ == 0) {
		import->batch_begin = tenant_file_line_number(import->file);
		snprintf(import->table, sizeof import->table, "%s",
		    tenant_file_table(import->file));
		buf_clear(&import->columns);
		buf_add(&import->columns,
		    tenant_file_columns(import->file));
	}
	call_array_add(&import->batch, tenant_file_line(import->file));
	return ((import->batch_rows < BATCH_ROWS &&
	    import->batch.len < BATCH_BYTES) || put_batch(import));
}

static bool
broken(struct import *import)
{
	return (tenant_copy_complain(&import->copy, EX_DATAERR,
	    "%s: %s; nothing was done", import->copy.path,
	    tenant_file_why(import->file)));
}

/* All that can be made of a piece. A batch is of one table. */
static bool
take_piece(struct import *import, text piece)
{
	for (;;)
		switch (tenant_file_read(import->file, &piece)) {
		case TENANT_FILE_MORE:
			return (true);
		case TENANT_FILE_OPENING:
			if (!begin(import))
				return (false);
			break;
		case TENANT_FILE_TABLE:
		case TENANT_FILE_CLOSING:
			if (!put_batch(import))
				return (false);
			break;
		case TENANT_FILE_ROW:
			if (!take_row(import))
				return (false);
			break;
		case TENANT_FILE_BROKEN:
			return (broken(import));
		}
}

static bool
open_file(struct import *import)
{
	const char *path = import->copy.path;

	import->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) :
	    open(path, O_RDONLY | O_CLOEXEC);
	return (import->fd >= 0 || tenant_copy_complain(&import->copy,
	    EX_NOINPUT, "%s cannot be read: %s", path, strerror(errno)));
}

static bool
read_all(struct import *import)
{
	char *piece = mem_alloc(PIECE);
	bool is_good = true;
	ssize_t n;

	while (is_good && ((n = read(import->fd, piece, PIECE)) > 0 ||
	    (n < 0 && errno == EINTR)))
		if (n > 0)
			is_good = take_piece(import, text_from(piece,
			    (size_t)n));
	mem_free(piece);
	if (is_good && n < 0)
		return (tenant_copy_complain(&import->copy, EX_IOERR,
		    "%s cannot be read: %s", import->copy.path,
		    strerror(errno)));
	return (is_good && (tenant_file_is_whole(import->file) ||
	    broken(import)));
}

static bool
on_end(void *context, const struct db_answer *row)
{
	struct import *import = context;

	buf_add(&import->told, db_field(row, 0, 0));
	return (true);
}

static bool
end(struct import *import)
{
	const text inputs[] = { text_of(import->tenant),
	    flag(import->is_new) };
	struct buf where;
	bool is_done;

	buf_init(&where, BUF_NO_LIMIT);
	buf_printf(&where, "%s: ", import->copy.path);
	is_done = ask(import, where.at, "SELECT api.tenant_file_end(" CONTEXT
	    ", $8, $9)", inputs, 2, on_end) &&
	    tenant_copy_commit(&import->copy);
	buf_fini(&where);
	return (is_done);
}

/* --- what is told ------------------------------------------------------- */

static void
add_words(const struct import *import, struct json_object *told,
    struct buf *out)
{
	const char *slug = import->copy.command->words[1];
	struct json_object *admin;
	text name, role;

	buf_printf(out, "tenant %s, id %s: %" PRIu64 " rows were put back\n",
	    slug, import->tenant, tenant_file_rows(import->file));
	for (size_t i = 0; (admin = json_in_item(told, "without_keys",
	    i)) != NULL; i++)
		if (json_in_text(admin, "name", &name) &&
		    json_in_text(admin, "role", &role))
			buf_printf(out, "%s %.*s (%.*s)", i == 0 ?
			    "keys are not known here; new ones need" : ",",
			    TEXT_ARGS(name), TEXT_ARGS(role));
	if (json_in_item(told, "without_keys", 0) != NULL)
		buf_printf(out, "; partyline admin add --tenant %s\n", slug);
}

static void
add_json(const struct import *import, struct buf *out)
{
	text told = buf_text(&import->told), value;
	struct json_out json;

	json_out_init(&json, out);
	json_object_begin(&json);
	json_key(&json, "rows");
	json_int(&json, (int64_t)tenant_file_rows(import->file));
	if (json_in_raw(told, TEXT("tenant"), &value)) {
		json_key(&json, "tenant");
		json_raw(&json, value);
	}
	if (json_in_raw(told, TEXT("without_keys"), &value)) {
		json_key(&json, "without_keys");
		json_raw(&json, value);
	}
	json_object_end(&json);
	buf_add_char(out, '\n');
}

static void
add_report(const struct import *import, struct buf *out)
{
	struct json_object *told = json_in_read(buf_text(&import->told));

	if (import->copy.command->wants_json)
		add_json(import, out);
	else
		add_words(import, told, out);
	json_in_free(&told);
}

int
tenant_import(const struct command *command, struct command_db *db,
    struct buf *out)
{
	struct import import = { .fd = -1 };

	import.file = tenant_file_create(SCHEMA_VERSION);
	buf_init(&import.batch, BUF_NO_LIMIT);
	buf_init(&import.columns, BUF_NO_LIMIT);
	buf_init(&import.told, BUF_NO_LIMIT);
	if (tenant_copy_open(&import.copy, command, db, "BEGIN ISOLATION "
	    "LEVEL READ COMMITTED") && open_file(&import) &&
	    read_all(&import) && end(&import))
		add_report(&import, out);
	if (import.fd >= 0)
		close(import.fd);
	buf_fini(&import.told);
	buf_fini(&import.columns);
	buf_fini(&import.batch);
	tenant_file_destroy(&import.file);
	return (tenant_copy_close(&import.copy));
}
