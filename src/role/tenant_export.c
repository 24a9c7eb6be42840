/* SPDX-License-Identifier: MIT */
/*
 * `partyline tenant export`: one snapshot of a tenant, row by row into a
 * file. Whoever writes meanwhile waits for nothing.
 *
 * The file holds hashes of keys, so only its owner may read it; it has its
 * name only once all of it is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/mem.h"
#include "core/json.h"
#include "core/tenant_file.h"
#include "role/command.h"
#include "role/tenant_copy.h"

#define PIECE (64u << 10)	/* written at a time */

struct export {
	struct tenant_copy	 copy;
	struct buf		 temporary;	/* renamed at the end; or "" */
	int			 fd;
	struct buf		 piece;
	struct tenant_writer	*writer;
};

/* --- the file ----------------------------------------------------------- */

static bool
cannot(struct export *export, int exit_code, const char *what)
{
	return (tenant_copy_complain(&export->copy, exit_code,
	    "%s cannot be %s: %s", export->copy.path, what,
	    strerror(errno)));
}

/* What is there and no plain file (a pipe, /dev/null) is written as it is. */
static bool
open_file(struct export *export)
{
	const char *path = export->copy.path;
	struct stat there;

	if (strcmp(path, "-") == 0)
		return ((export->fd = dup(STDOUT_FILENO)) >= 0 ||
		    cannot(export, EX_CANTCREAT, "written"));
	if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
		export->fd = open(path, O_WRONLY | O_CLOEXEC);
	else {
		buf_printf(&export->temporary, "%s.XXXXXX", path);
		export->fd = mkstemp(export->temporary.at);
		if (export->fd < 0)
			buf_clear(&export->temporary);
	}
	return (export->fd >= 0 || cannot(export, EX_CANTCREAT, "made"));
}

static bool
write_piece(struct export *export)
{
	text rest = buf_text(&export->piece);

	while (rest.len > 0) {
		ssize_t n = write(export->fd, rest.at, rest.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return (cannot(export, EX_IOERR, "written"));
		rest = text_from(rest.at + n, rest.len - (size_t)n);
	}
	buf_clear(&export->piece);
	return (true);
}

static bool
finish_file(struct export *export)
{
	if (!write_piece(export))
		return (false);
	if (export->temporary.len == 0)
		return (close(export->fd) == 0 ? (export->fd = -1, true) :
		    cannot(export, EX_IOERR, "written"));
	if (fsync(export->fd) != 0 ||
	    rename(export->temporary.at, export->copy.path) != 0)
		return (cannot(export, EX_IOERR, "written"));
	buf_clear(&export->temporary);
	return (true);
}

static void
export_fini(struct export *export)
{
	if (export->fd >= 0)
		close(export->fd);
	if (export->temporary.len > 0)
		unlink(export->temporary.at);
	tenant_writer_destroy(&export->writer);
	buf_fini(&export->piece);
	buf_fini(&export->temporary);
}

/* --- the tables --------------------------------------------------------- */

static bool
on_row(void *context, const struct db_answer *row)
{
	struct export *export = context;

	if (!tenant_writer_row(export->writer, db_field(row, 0, 0)))
		return (tenant_copy_complain(&export->copy, EX_DATAERR,
		    "a row is longer than the %zu bytes that a line of the "
		    "file has room for", TENANT_FILE_LINE_MAX));
	return (export->piece.len < PIECE || write_piece(export));
}

static bool
export_table(struct export *export, struct json_object *table)
{
	text name, role, line, select;
	struct db_answer answer;
	struct buf sql;
	bool is_done;

	must(json_in_text(table, "name", &name) &&
	    json_in_text(table, "role", &role) &&
	    json_in_text(table, "line", &line) &&
	    json_in_text(table, "select", &select));
	buf_init(&sql, BUF_NO_LIMIT);
	buf_printf(&sql, "SET LOCAL ROLE %.*s", TEXT_ARGS(role));
	is_done = tenant_copy_say(&export->copy, sql.at);
	buf_clear(&sql);
	buf_add(&sql, select);
	tenant_writer_table(export->writer, name, line);
	if (is_done && !straight_ask(export->copy.straight, sql.at, NULL, 0,
	    on_row, export, &answer))
		is_done = tenant_copy_refused(&export->copy, "", &answer);
	buf_fini(&sql);
	return (is_done && export->copy.exit_code == EX_OK);
}

static bool
export_tables(struct export *export)
{
	struct json_object *tables, *table;
	struct buf list;
	bool is_done;

	buf_init(&list, BUF_NO_LIMIT);
	is_done = tenant_copy_value(&export->copy,
	    "SELECT api.tenant_file_tables()", NULL, 0, &list);
	tables = is_done ? json_in_read(buf_text(&list)) : NULL;
	must(!is_done || tables != NULL);
	for (size_t i = 0; is_done && (table = json_in_element(tables,
	    i)) != NULL; i++)
		is_done = export_table(export, table);
	json_in_free(&tables);
	buf_fini(&list);
	return (is_done);
}

static bool
export_all(struct export *export)
{
	const char *slug = export->copy.command->words[1];
	const text inputs[] = { text_of(slug), TEXT(TENANT_FILE_FORMAT),
	    TEXT("1") };
	struct buf opening;
	bool is_done;

	_Static_assert(TENANT_FILE_VERSION == 1, "the version in words");
	buf_init(&opening, BUF_NO_LIMIT);
	is_done = tenant_copy_value(&export->copy,
	    "SELECT api.tenant_file_opening($1, $2, $3)", inputs, 3,
	    &opening) && open_file(export);
	if (is_done)
		export->writer = tenant_writer_create(buf_text(&opening),
		    &export->piece);
	is_done = is_done && export_tables(export);
	buf_fini(&opening);
	if (!is_done)
		return (false);
	tenant_writer_close(export->writer);
	return (finish_file(export));
}

static void
add_report(const struct export *export, struct buf *out)
{
	const struct command *command = export->copy.command;
	uint64_t rows = tenant_writer_rows(export->writer);
	struct json_out json;

	/* What goes to standard output is the file, and nothing else. */
	if (strcmp(export->copy.path, "-") == 0)
		return;
	if (!command->wants_json) {
		buf_printf(out, "tenant %s: %" PRIu64 " rows are in %s\n",
		    command->words[1], rows, export->copy.path);
		return;
	}
	json_out_init(&json, out);
	json_object_begin(&json);
	json_key(&json, "slug");
	json_text_of(&json, command->words[1]);
	json_key(&json, "rows");
	json_int(&json, (int64_t)rows);
	json_key(&json, "file");
	json_text_of(&json, export->copy.path);
	json_object_end(&json);
	buf_add_char(out, '\n');
}

int
tenant_export(const struct command *command, struct command_db *db,
    struct buf *out)
{
	struct export export = { .fd = -1 };

	buf_init(&export.temporary, BUF_NO_LIMIT);
	buf_init(&export.piece, BUF_NO_LIMIT);
	if (tenant_copy_open(&export.copy, command, db, "BEGIN ISOLATION "
	    "LEVEL REPEATABLE READ READ ONLY") && export_all(&export))
		add_report(&export, out);
	export_fini(&export);
	return (tenant_copy_close(&export.copy));
}
