/* SPDX-License-Identifier: MIT */
/*
 * Migrations over a blocking connection. The schema, the record and the
 * lock are PostgreSQL's; there is no state here beside the connection.
 */
#include "store/migrate.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/mem.h"
#include "plat/digest.h"
#include "store/seed.h"
#include "store/sql_files.h"

/* "partylin" as a number: nobody else's advisory lock. */
#define MIGRATE_LOCK "8097879445204003182"

static const char bookkeeping[] =
    "BEGIN;"
    "CREATE SCHEMA IF NOT EXISTS partyline;"
    "CREATE TABLE IF NOT EXISTS partyline.schema_version ("
    "	version int PRIMARY KEY,"
    "	name text NOT NULL,"
    "	sha256 text NOT NULL,"
    "	applied_at timestamptz NOT NULL"
    "	    DEFAULT date_trunc('milliseconds', now()));"
    "CREATE TABLE IF NOT EXISTS partyline.api_version ("
    "	sha256 text NOT NULL,"
    "	applied_at timestamptz NOT NULL"
    "	    DEFAULT date_trunc('milliseconds', now()));"
    "COMMIT";

struct migrate_files {
	unsigned		 magic;
#define MIGRATE_FILES_MAGIC 0x6d696766
	struct sql_files	 migrations;
	struct sql_files	 api;
	struct sql_files	 seed;
	char			 sha256[SQL_DIGEST_SIZE]; /* of the last two */
};

struct migrate {
	PGconn			*pg;
	const struct migrate_files *files;
	struct migrate_report	*report;
	struct buf		*why;
};

/* NULL: it failed, and why says with which words. */
static PGresult *
ask(struct migrate *migrate, const char *sql, unsigned count,
    const char *const *parameters)
{
	PGresult *result = PQexecParams(migrate->pg, sql, (int)count, NULL,
	    parameters, NULL, NULL, 0);
	const char *said;

	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		return (result);
	default:
		break;
	}
	said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (said == NULL)
		said = PQerrorMessage(migrate->pg);
	buf_add(migrate->why, text_from(said, strcspn(said, "\n")));
	PQclear(result);
	return (NULL);
}

static bool
tell(struct migrate *migrate, const char *sql)
{
	PGresult *result = ask(migrate, sql, 0, NULL);
	bool is_done = result != NULL;

	PQclear(result);
	return (is_done);
}

/* Several statements at once. */
static bool
tell_all(struct migrate *migrate, const char *sql)
{
	PGresult *result = PQexec(migrate->pg, sql);
	bool is_done = PQresultStatus(result) == PGRES_COMMAND_OK;

	if (!is_done)
		buf_add(migrate->why, text_from(PQresultErrorMessage(result),
		    strcspn(PQresultErrorMessage(result), "\n")));
	PQclear(result);
	return (is_done);
}

static bool
check_names(const struct migrate_files *files, const char *folder,
    struct buf *why)
{
	const struct sql_file *file;
	unsigned version = 0;

	LL_FOREACH(files->migrations.first, file) {
		if (file->version == 0) {
			buf_printf(why, "%s/migration/%s: is no name of a "
			    "migration; allowed: NNNN_name.sql", folder,
			    file->name);
			return (false);
		}
		if (file->version != ++version) {
			buf_printf(why, "%s/migration: %04u_*.sql should "
			    "come where %s stands", folder, version,
			    file->name);
			return (false);
		}
	}
	if (version == 0)
		buf_printf(why, "%s/migration: there is no migration",
		    folder);
	return (version != 0);
}

/* Who has no such folder begins with nothing. */
static bool
read_seed(struct migrate_files *files, const char *folder, struct buf *why)
{
	struct buf path;
	bool is_there;

	buf_init(&path, BUF_NO_LIMIT);
	buf_printf(&path, "%s/seed", folder);
	is_there = access(path.at, F_OK) == 0;
	buf_fini(&path);
	return (!is_there ||
	    sql_files_read(&files->seed, folder, "seed", ".csv", why));
}

static void
digest_both(struct migrate_files *files)
{
	struct buf both;

	buf_init(&both, BUF_NO_LIMIT);
	buf_printf(&both, "%s %s\n", files->api.sha256, files->seed.sha256);
	digest_as_hex(buf_text(&both), files->sha256, sizeof files->sha256);
	buf_fini(&both);
}

struct migrate_files *
migrate_files_read(const char *folder, struct buf *why)
{
	struct migrate_files *files = object_create(struct migrate_files,
	    MIGRATE_FILES_MAGIC);

	if (!sql_files_read(&files->migrations, folder, "migration", ".sql",
	    why) ||
	    !sql_files_read(&files->api, folder, "api", ".sql", why) ||
	    !read_seed(files, folder, why) ||
	    !check_names(files, folder, why))
		migrate_files_free(&files);
	else
		digest_both(files);
	return (files);
}

void
migrate_files_free(struct migrate_files **files)
{
	if (*files == NULL)
		return;
	object_check(*files, MIGRATE_FILES_MAGIC);
	sql_files_fini(&(*files)->migrations);
	sql_files_fini(&(*files)->api);
	sql_files_fini(&(*files)->seed);
	object_free(files);
}

static enum migrate_end
connect_to(struct migrate *migrate, const char *url)
{
	static const char *const names[] = { "connect_timeout", "dbname",
	    NULL };
	const char *const values[] = { MIGRATE_CONNECT_S, url, NULL };
	const char *said;

	/* What the url says wins over what stands before it. A backend that
	 * notices when we died gives the lock back, and undoes what it did. */
	migrate->pg = PQconnectdbParams(names, values, 1);
	if (PQstatus(migrate->pg) == CONNECTION_OK)
		return (tell(migrate, "SET client_min_messages = warning") &&
		    tell(migrate, "SET statement_timeout = 0") &&
		    tell(migrate, "SELECT set_config(name, '2s', false) "
		    "FROM pg_settings "
		    "WHERE name = 'client_connection_check_interval'") &&
		    tell(migrate, "SELECT pg_advisory_lock(" MIGRATE_LOCK ")")
		    ? MIGRATE_OK : MIGRATE_AWAY);
	said = PQerrorMessage(migrate->pg);
	buf_add_string(migrate->why, "the database cannot be reached: ");
	buf_add(migrate->why, text_from(said, strcspn(said, "\n")));
	return (MIGRATE_AWAY);
}

/* Whether a row of the record is one of ours, as it was when it ran. */
static bool
check_row(struct migrate *migrate, unsigned version, const char *name,
    const char *sha256)
{
	const struct sql_file *file;

	LL_FOREACH(migrate->files->migrations.first, file)
		if (file->version == version)
			break;
	if (file == NULL)
		buf_printf(migrate->why, "the database has migration %s, "
		    "which this program does not know: it belongs to a newer "
		    "one", name);
	else if (strcmp(file->sha256, sha256) != 0)
		buf_printf(migrate->why, "migration %s was changed after it "
		    "had run (it ran as %.12s, the file is %.12s): put the "
		    "file back and write the change as a new migration",
		    file->name, sha256, file->sha256);
	else
		return (true);
	return (false);
}

static enum migrate_end
check_record(struct migrate *migrate)
{
	PGresult *rows = ask(migrate, "SELECT version, name, sha256 "
	    "FROM partyline.schema_version ORDER BY version", 0, NULL);
	enum migrate_end end = MIGRATE_OK;

	if (rows == NULL)
		return (MIGRATE_FAILED);
	for (int i = 0; i < PQntuples(rows) && end == MIGRATE_OK; i++) {
		int64_t version = 0;

		text_to_int64(text_of(PQgetvalue(rows, i, 0)), 0, INT32_MAX,
		    &version);
		if (!check_row(migrate, (unsigned)version,
		    PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2)))
			end = MIGRATE_REFUSED;
		else if (version != i + 1) {
			buf_printf(migrate->why, "migration %s ran, but not "
			    "the one before it", PQgetvalue(rows, i, 1));
			end = MIGRATE_REFUSED;
		} else
			migrate->report->from = (unsigned)version;
	}
	migrate->report->to = migrate->report->from;
	PQclear(rows);
	return (end);
}

static void
say_where(struct migrate *migrate, const char *folder,
    const struct sql_file *file, const PGresult *result)
{
	const char *position = PQresultErrorField(result,
	    PG_DIAG_STATEMENT_POSITION);
	const char *said = PQresultErrorField(result,
	    PG_DIAG_MESSAGE_PRIMARY);
	int64_t character;

	buf_printf(migrate->why, "%s/%s:", folder, file->name);
	if (position != NULL && text_to_int64(text_of(position), 1,
	    INT32_MAX, &character))
		buf_printf(migrate->why, "%u:",
		    sql_file_line(file, (unsigned)character));
	if (said == NULL)
		said = PQresultErrorMessage(result);
	buf_add_char(migrate->why, ' ');
	buf_add(migrate->why, text_from(said, strcspn(said, "\n")));
}

static bool
run_file(struct migrate *migrate, const char *folder,
    const struct sql_file *file)
{
	PGresult *result = PQexec(migrate->pg, file->content.at);
	bool is_done = false;

	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		is_done = PQtransactionStatus(migrate->pg) ==
		    PQTRANS_INTRANS;
		if (!is_done)
			buf_printf(migrate->why, "%s/%s: ends the "
			    "transaction that it is run in", folder,
			    file->name);
		break;
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		buf_printf(migrate->why, "%s/%s: has a COPY", folder,
		    file->name);
		break;
	default:
		say_where(migrate, folder, file, result);
		break;
	}
	PQclear(result);
	return (is_done);
}

static bool
run_migration(struct migrate *migrate, const struct sql_file *file)
{
	char version[12];
	const char *row[] = { version, file->name, file->sha256 };
	PGresult *result;
	struct buf digits;

	buf_init(&digits, BUF_NO_LIMIT);
	buf_add_int(&digits, file->version);
	must(digits.len < sizeof version);
	memcpy(version, digits.at, digits.len + 1);
	buf_fini(&digits);
	if (!tell(migrate, "BEGIN") ||
	    !run_file(migrate, "migration", file))
		return (false);
	result = ask(migrate, "INSERT INTO partyline.schema_version "
	    "(version, name, sha256) VALUES ($1, $2, $3)", 3, row);
	if (result == NULL)
		return (false);
	PQclear(result);
	if (!tell(migrate, "COMMIT"))
		return (false);
	migrate->report->to = file->version;
	migrate->report->ran++;
	return (true);
}

static bool
is_api_current(struct migrate *migrate, bool *is_current_out)
{
	const char *digest[] = { migrate->files->sha256 };
	PGresult *rows = ask(migrate, "SELECT 1 FROM partyline.api_version "
	    "WHERE sha256 = $1", 1, digest);

	if (rows == NULL)
		return (false);
	*is_current_out = migrate->report->ran == 0 && PQntuples(rows) == 1;
	PQclear(rows);
	return (true);
}

static bool
replace_api(struct migrate *migrate)
{
	const char *digest[] = { migrate->files->sha256 };
	const struct sql_file *file;
	PGresult *result;

	if (!tell(migrate, "BEGIN"))
		return (false);
	LL_FOREACH(migrate->files->api.first, file)
		if (!run_file(migrate, "api", file))
			return (false);
	if (!seed_load(migrate->pg, &migrate->files->seed, migrate->why))
		return (false);
	if (!tell(migrate, "DELETE FROM partyline.api_version"))
		return (false);
	result = ask(migrate, "INSERT INTO partyline.api_version (sha256) "
	    "VALUES ($1)", 1, digest);
	if (result == NULL)
		return (false);
	PQclear(result);
	if (!tell(migrate, "COMMIT"))
		return (false);
	migrate->report->has_replaced_api = true;
	return (true);
}

static enum migrate_end
run_all(struct migrate *migrate)
{
	const struct sql_file *file;
	enum migrate_end end;
	bool is_current;

	if (!tell_all(migrate, bookkeeping))
		return (MIGRATE_FAILED);
	end = check_record(migrate);
	if (end != MIGRATE_OK)
		return (end);
	LL_FOREACH(migrate->files->migrations.first, file)
		if (file->version > migrate->report->from &&
		    !run_migration(migrate, file))
			return (MIGRATE_FAILED);
	if (!is_api_current(migrate, &is_current) ||
	    (!is_current && !replace_api(migrate)))
		return (MIGRATE_FAILED);
	return (MIGRATE_OK);
}

/* What failed because nobody was there any more may be tried again. */
static enum migrate_end
hang_up(struct migrate *migrate, enum migrate_end end)
{
	if (end == MIGRATE_FAILED && PQstatus(migrate->pg) == CONNECTION_BAD)
		end = MIGRATE_AWAY;
	if (migrate->pg != NULL)
		PQfinish(migrate->pg);
	return (end);
}

enum migrate_end
migrate_run(const char *url, const struct migrate_files *files,
    struct migrate_report *report_out, struct buf *why)
{
	struct migrate migrate = { .files = files, .report = report_out,
	    .why = why };
	enum migrate_end end;

	object_check(files, MIGRATE_FILES_MAGIC);
	*report_out = (struct migrate_report){ .from = 0 };
	end = connect_to(&migrate, url);
	if (end == MIGRATE_OK)
		end = run_all(&migrate);
	return (hang_up(&migrate, end));
}

enum migrate_end
migrate_grant(const char *url, const char *login, struct buf *why)
{
	struct migrate migrate = { .why = why };
	enum migrate_end end = connect_to(&migrate, url);
	char *quoted;
	struct buf sql;

	if (end != MIGRATE_OK)
		return (hang_up(&migrate, end));
	quoted = PQescapeIdentifier(migrate.pg, login, strlen(login));
	must(quoted != NULL);
	buf_init(&sql, BUF_NO_LIMIT);
	/* Who has them already is only told so. */
	buf_printf(&sql, "GRANT partyline_server, partyline_fleet TO %s",
	    quoted);
	if (!tell(&migrate, sql.at))
		end = MIGRATE_FAILED;
	buf_fini(&sql);
	PQfreemem(quoted);
	return (hang_up(&migrate, end));
}

void
migrate_folder(const char *configured, struct buf *out)
{
	char program[4096];
	ssize_t len;
	text folder, name;

	if (configured[0] != '\0') {
		buf_add_string(out, configured);
		return;
	}
	len = readlink("/proc/self/exe", program, sizeof program);
	if (len > 0 && (size_t)len < sizeof program &&
	    text_cut_last(text_from(program, (size_t)len), '/', &folder,
	    &name)) {
		buf_add(out, folder);
		buf_add_string(out, "/../sql/migration");
		if (access(out->at, R_OK) == 0) {
			out->len -= strlen("/migration");
			out->at[out->len] = '\0';
			return;
		}
		buf_clear(out);
	}
	buf_add_string(out, PKGDATADIR "/sql");
}
