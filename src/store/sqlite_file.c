/* SPDX-License-Identifier: MIT */
/*
 * SQLite's library writes beside a file even to read it, where that file has
 * a log that was not ended. So such a file is copied, log and all, and the
 * copy is read.
 */
#include "store/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define HEADER_SIZE	100
#define COPY_STEP	(1 << 16)

static const char *const besides[] = { "-wal", "-journal", "-shm" };
#define BESIDES		(sizeof besides / sizeof besides[0])
#define BESIDES_KEPT	2		/* of those: what a copy needs */

struct sqlite_file {
	unsigned	 magic;
#define SQLITE_FILE_MAGIC 0x73716c66
	char		*path;			/* the real one */
	struct stat	 before;
	struct buf	 copies;		/* their folder, or empty */
	sqlite3		*db;
	sqlite3_stmt	*rows;
	struct buf	 why;
	bool		 has_failed;
};

static bool
fail(struct sqlite_file *file, const char *what, const char *why)
{
	if (!file->has_failed)
		buf_printf(&file->why, "%s%s%s", what, why[0] != '\0' ?
		    ": " : "", why);
	file->has_failed = true;
	return (false);
}

static bool
fail_of_library(struct sqlite_file *file)
{
	int code = sqlite3_errcode(file->db);

	return (fail(file, code == SQLITE_CORRUPT || code == SQLITE_NOTADB ?
	    "it is damaged" : "it cannot be read",
	    sqlite3_errmsg(file->db)));
}

/* Before it is opened. */

static uint32_t
big_endian(const unsigned char *at, unsigned bytes)
{
	uint32_t number = 0;

	for (unsigned i = 0; i < bytes; i++)
		number = number << 8 | at[i];
	return (number);
}

/* Whether the header promises more pages than there are. */
static bool
check_size(struct sqlite_file *file, const unsigned char *header)
{
	uint32_t page = big_endian(header + 16, 2);
	uint32_t pages = big_endian(header + 28, 4);
	bool is_known = memcmp(header + 24, header + 92, 4) == 0;
	char words[80];

	page = page == 1 ? 65536 : page;
	if (!is_known || (off_t)page * pages <= file->before.st_size)
		return (true);
	snprintf(words, sizeof words, "%lld of %lld bytes are there",
	    (long long)file->before.st_size, (long long)page * pages);
	return (fail(file, "it was cut off", words));
}

static bool
check_header(struct sqlite_file *file, int fd)
{
	unsigned char header[HEADER_SIZE];
	ssize_t got = pread(fd, header, sizeof header, 0);

	if (got < 0)
		return (fail(file, "it cannot be read", strerror(errno)));
	if (got < HEADER_SIZE || memcmp(header, "SQLite format 3", 16) != 0)
		return (fail(file, "it is no database of SQLite", ""));
	return (check_size(file, header));
}

/* Its size, or 0 where there is none. */
static off_t
size_beside(const char *path, const char *ending)
{
	struct stat found;
	struct buf name;
	off_t size = 0;

	buf_init(&name, BUF_NO_LIMIT);
	buf_printf(&name, "%s%s", path, ending);
	if (stat(name.at, &found) == 0)
		size = found.st_size;
	buf_fini(&name);
	return (size);
}

static bool
is_at_rest(const struct sqlite_file *file)
{
	for (unsigned i = 0; i < BESIDES_KEPT; i++)
		if (size_beside(file->path, besides[i]) > 0)
			return (false);
	return (true);
}

/* The copy. */

static bool
copy_bytes(int from, int to)
{
	char *piece = mem_alloc(COPY_STEP);
	ssize_t got;

	while ((got = read(from, piece, COPY_STEP)) > 0)
		for (ssize_t put = 0, n; put < got; put += n) {
			n = write(to, piece + put, (size_t)(got - put));
			if (n < 0) {
				mem_free(piece);
				return (false);
			}
		}
	mem_free(piece);
	return (got == 0);
}

static bool
copy_one(struct sqlite_file *file, const char *ending)
{
	struct buf name;
	int from, to = -1;
	bool is_good;

	buf_init(&name, BUF_NO_LIMIT);
	buf_printf(&name, "%s%s", file->path, ending);
	from = open(name.at, O_RDONLY | O_CLOEXEC);
	buf_clear(&name);
	buf_printf(&name, "%s/copy%s", file->copies.at, ending);
	if (from >= 0)
		to = open(name.at, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	is_good = to >= 0 && copy_bytes(from, to);
	/* A log may not be there. */
	is_good |= from < 0 && errno == ENOENT && ending[0] != '\0';
	if (!is_good)
		fail(file, "it cannot be copied", strerror(errno));
	if (to >= 0)
		close(to);
	if (from >= 0)
		close(from);
	buf_fini(&name);
	return (is_good);
}

static bool
copy(struct sqlite_file *file)
{
	const char *folder = getenv("TMPDIR");

	buf_printf(&file->copies, "%s/partyline-XXXXXX",
	    folder != NULL && folder[0] != '\0' ? folder : "/tmp");
	if (mkdtemp(file->copies.at) == NULL) {
		fail(file, "it cannot be copied", strerror(errno));
		buf_clear(&file->copies);
		return (false);
	}
	return (copy_one(file, "") && copy_one(file, besides[0]) &&
	    copy_one(file, besides[1]));
}

static void
remove_copies(struct sqlite_file *file)
{
	struct buf name;

	if (file->copies.len == 0)
		return;
	buf_init(&name, BUF_NO_LIMIT);
	for (unsigned i = 0; i <= BESIDES; i++) {
		buf_clear(&name);
		buf_printf(&name, "%s/copy%s", file->copies.at,
		    i < BESIDES ? besides[i] : "");
		unlink(name.at);
	}
	rmdir(file->copies.at);
	buf_fini(&name);
}

/* The library. */

/* A path within a URI. */
static void
add_escaped(struct buf *out, const char *path)
{
	for (; *path != '\0'; path++)
		if (strchr("%?#", *path) != NULL)
			buf_printf(out, "%%%02x", (unsigned char)*path);
		else
			buf_add_char(out, *path);
}

static void
distrust(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

static bool
open_library(struct sqlite_file *file)
{
	struct buf uri;
	int flags = SQLITE_OPEN_URI | SQLITE_OPEN_PRIVATECACHE;
	int code;

	buf_init(&uri, BUF_NO_LIMIT);
	buf_add_string(&uri, "file:");
	if (file->copies.len > 0) {
		add_escaped(&uri, file->copies.at);
		buf_add_string(&uri, "/copy");
		flags |= SQLITE_OPEN_READWRITE;
	} else {
		add_escaped(&uri, file->path);
		buf_add_string(&uri, "?immutable=1");
		flags |= SQLITE_OPEN_READONLY;
	}
	code = sqlite3_open_v2(uri.at, &file->db, flags, NULL);
	buf_fini(&uri);
	if (code != SQLITE_OK)
		return (fail_of_library(file));
	distrust(file->db);
	if (sqlite3_exec(file->db, "PRAGMA temp_store = memory; "
	    "PRAGMA cell_size_check = on; SELECT count(*) FROM sqlite_schema",
	    NULL, NULL, NULL) != SQLITE_OK)
		return (fail_of_library(file));
	return (true);
}

static bool
open_file(struct sqlite_file *file, const char *path,
    enum sqlite_file_problem *problem)
{
	char real[PATH_MAX];
	int fd = -1;
	bool is_good;

	*problem = SQLITE_FILE_UNREADABLE;
	if (realpath(path, real) != NULL) {
		file->path = mem_copy_string(real);
		fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0 || fstat(fd, &file->before) != 0)
		is_good = fail(file, strerror(errno), "");
	else if (!S_ISREG(file->before.st_mode))
		is_good = fail(file, "it is no regular file", "");
	else {
		*problem = SQLITE_FILE_WRONG;
		is_good = check_header(file, fd);
	}
	if (fd >= 0)
		close(fd);
	return (is_good && (is_at_rest(file) || copy(file)) &&
	    open_library(file));
}

struct sqlite_file *
sqlite_file_open(const char *path, enum sqlite_file_problem *problem,
    struct buf *why)
{
	struct sqlite_file *file = object_create(struct sqlite_file,
	    SQLITE_FILE_MAGIC);

	buf_init(&file->why, BUF_NO_LIMIT);
	buf_init(&file->copies, BUF_NO_LIMIT);
	if (!open_file(file, path, problem)) {
		buf_add(why, buf_text(&file->why));
		sqlite_file_close(&file);
	}
	return (file);
}

void
sqlite_file_close(struct sqlite_file **given)
{
	struct sqlite_file *file = *given;

	if (file == NULL)
		return;
	object_check(file, SQLITE_FILE_MAGIC);
	sqlite3_finalize(file->rows);
	sqlite3_close(file->db);
	remove_copies(file);
	buf_fini(&file->copies);
	buf_fini(&file->why);
	mem_free(file->path);
	object_free(given);
}

bool
sqlite_file_select(struct sqlite_file *file, const char *sql)
{
	object_check(file, SQLITE_FILE_MAGIC);
	sqlite3_finalize(file->rows);
	file->rows = NULL;
	if (file->has_failed)
		return (false);
	return (sqlite3_prepare_v2(file->db, sql, -1, &file->rows, NULL) ==
	    SQLITE_OK || fail_of_library(file));
}

bool
sqlite_file_next(struct sqlite_file *file)
{
	int code;

	object_check(file, SQLITE_FILE_MAGIC);
	if (file->has_failed || file->rows == NULL)
		return (false);
	code = sqlite3_step(file->rows);
	if (code == SQLITE_ROW)
		return (true);
	return (code == SQLITE_DONE ? false : fail_of_library(file));
}

void
sqlite_file_cell(struct sqlite_file *file, unsigned column,
    struct cell *cell)
{
	int at = (int)column;

	object_check(file, SQLITE_FILE_MAGIC);
	*cell = (struct cell){ .kind = CELL_NOTHING };
	switch (sqlite3_column_type(file->rows, at)) {
	case SQLITE_INTEGER:
		cell->kind = CELL_INTEGER;
		cell->integer = sqlite3_column_int64(file->rows, at);
		break;
	case SQLITE_FLOAT:
		cell->kind = CELL_REAL;
		cell->real = sqlite3_column_double(file->rows, at);
		break;
	case SQLITE_TEXT:
		cell->kind = CELL_BYTES;
		cell->bytes.at = (const char *)
		    sqlite3_column_text(file->rows, at);
		cell->bytes.len = (size_t)
		    sqlite3_column_bytes(file->rows, at);
		break;
	case SQLITE_BLOB:
		cell->kind = CELL_BYTES;
		cell->bytes.at = sqlite3_column_blob(file->rows, at);
		cell->bytes.len = (size_t)
		    sqlite3_column_bytes(file->rows, at);
		break;
	default:
		break;
	}
	must(cell->kind != CELL_BYTES || cell->bytes.at != NULL ||
	    cell->bytes.len == 0);
}

bool
sqlite_file_end(struct sqlite_file *file)
{
	struct stat now;

	object_check(file, SQLITE_FILE_MAGIC);
	sqlite3_finalize(file->rows);
	file->rows = NULL;
	if (file->has_failed)
		return (false);
	if (stat(file->path, &now) != 0 ||
	    now.st_size != file->before.st_size ||
	    now.st_ino != file->before.st_ino ||
	    now.st_mtim.tv_sec != file->before.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != file->before.st_mtim.tv_nsec ||
	    (file->copies.len == 0 && !is_at_rest(file)))
		return (fail(file, "it was written to meanwhile; stop the "
		    "server that does", ""));
	return (true);
}

const char *
sqlite_file_why(const struct sqlite_file *file)
{
	object_check(file, SQLITE_FILE_MAGIC);
	return (file->why.at != NULL ? file->why.at : "");
}
