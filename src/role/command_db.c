/* SPDX-License-Identifier: MIT */
/*
 * One call after the other down one connection, with a loop that turns until
 * the answer is there. The one statement of the pool is never prepared: its
 * SQL is another one for each call.
 */
#include "role/command_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/error.h"
#include "core/op.h"
#include "plat/loop.h"
#include "plat/proc.h"
#include "role/command.h"
#include "role/private_secrets.h"
#include "role/private_server.h"
#include "store/db.h"
#include "store/schema.h"

struct command_db {
	unsigned	 magic;
#define COMMAND_DB_MAGIC 0x636d6462
	struct loop	*loop;
	struct db_pool	*pool;
	struct db_statement statement;
	int		*exit_code;
	struct buf	 why;		/* the pool's, where it is down */
	struct arena	 arena;
	char		 url[PRIVATE_URL_SIZE];	/* of a private one */
	const char	*conf_url;	/* otherwise */
	int		 run;		/* its folder of sockets, or -1 */
	char		 caller[80];
	char		 request_id[OP_ID_MADE + 1];
	bool		 is_answered;
	bool		 is_good;
	struct command_db_answer *answer;
};

__attribute__((format(printf, 3, 4))) static bool
complain(struct command_db *db, int exit_code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("partyline: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	*db->exit_code = exit_code;
	return (false);
}

static bool
complain_of_place(struct command_db *db, const char *path, const char *what)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		return (complain(db, EX_NOPERM, "%s%s: %s; ask as the user "
		    "that runs the server", path, what, strerror(errno)));
	case ENOENT:
	case ENOTDIR:
		return (complain(db, EX_UNAVAILABLE, "no database_url is "
		    "set, and no server with a database of its own runs on "
		    "state_dir %s; start it with partyline serve", path));
	default:
		return (complain(db, EX_UNAVAILABLE, "%s%s: %s", path, what,
		    strerror(errno)));
	}
}

/* The private database of the server that runs on this folder. */
static bool
find_private(struct command_db *db, const char *path)
{
	struct private_place place = { .path = path };
	bool is_good;

	place.state_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place.state_dir < 0)
		return (complain_of_place(db, path, ""));
	if (!secrets_read(&place))
		is_good = complain_of_place(db, path, "/secrets");
	else {
		db->run = place.run = openat(place.state_dir, "run",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		is_good = place.run >= 0 ||
		    complain_of_place(db, path, "/run");
	}
	close(place.state_dir);
	if (!is_good)
		return (false);
	private_forget_environment();
	private_postgres_url(&place, "partyline", place.of_server, db->url,
	    sizeof db->url);
	return (true);
}

static const char *
on_identity(void *context, const struct db_answer *answer)
{
	(void)context;
	return (schema_check(answer));
}

static void
on_state(void *context, enum db_state state, const char *why)
{
	struct command_db *db = object_cast(struct command_db,
	    COMMAND_DB_MAGIC, context);

	if (state != DB_DOWN)
		return;
	buf_clear(&db->why);
	buf_add_string(&db->why, why);
}

static bool
connect_to(struct command_db *db, const struct conf *conf)
{
	struct db_setup setup = { .loop = db->loop,
	    .statements = &db->statement, .statements_count = 1,
	    .on_identity = on_identity, .on_state = on_state,
	    .context = db };

	db_setup_from(&setup, conf);
	memset(setup.connections, 0, sizeof setup.connections);
	setup.connections[DB_FLEET] = setup.connections[DB_WRITE] = 1;
	if (db->url[0] != '\0')
		setup.url = db->url;
	db->pool = db_pool_create(&setup);
	while (db_pool_state(db->pool) == DB_STARTING)
		loop_turn(db->loop, 1000);
	return (db_pool_state(db->pool) == DB_UP || complain(db,
	    EX_UNAVAILABLE, "the database cannot be used: %.*s",
	    TEXT_ARGS(buf_text(&db->why))));
}

struct command_db *
command_db_open(const struct command *command, const struct conf *conf,
    int *exit_code)
{
	/* What the pool has to say is said here, in words for a reader. */
	static _Atomic unsigned level = LOG_ERROR;
	struct command_db *db = object_create(struct command_db,
	    COMMAND_DB_MAGIC);
	struct proc_user user;

	log_use(STDERR_FILENO, "command", &level);
	db->exit_code = exit_code;
	db->conf_url = conf->database_url;
	db->run = -1;
	buf_init(&db->why, BUF_NO_LIMIT);
	arena_init(&db->arena);
	proc_user_of(getuid(), getgid(), &user);
	snprintf(db->caller, sizeof db->caller, "command:%s", user.name);
	db->loop = loop_create();
	if ((conf->database_url[0] == '\0' && !find_private(db,
	    command->state_dir != NULL ? command->state_dir :
	    conf->state_dir)) || !connect_to(db, conf))
		command_db_close(&db);
	return (db);
}

void
command_db_close(struct command_db **given)
{
	struct command_db *db = *given;

	if (db == NULL)
		return;
	object_check(db, COMMAND_DB_MAGIC);
	db_pool_destroy(&db->pool);
	loop_destroy(&db->loop);
	if (db->run >= 0)
		close(db->run);
	arena_fini(&db->arena);
	buf_fini(&db->why);
	object_free(given);
}

const char *
command_db_url(const struct command_db *db)
{
	object_check(db, COMMAND_DB_MAGIC);
	return (db->url[0] != '\0' ? db->url : db->conf_url);
}

void
command_db_forget(struct command_db *db)
{
	object_check(db, COMMAND_DB_MAGIC);
	arena_fini(&db->arena);
	arena_init(&db->arena);
}

struct call_context
command_db_context(struct command_db *db, int32_t tenant)
{
	op_make_id(db->request_id);
	return ((struct call_context){ .tenant = tenant,
	    .caller = text_of(db->caller), .role = TEXT("admin"),
	    .request_id = text_of(db->request_id) });
}

static text
keep(struct command_db *db, text t)
{
	if (t.at == NULL)
		return (TEXT_NONE);
	return (text_from(arena_copy(&db->arena, t.at, t.len), t.len));
}

static bool
keep_rows(struct command_db *db, const struct db_answer *answer)
{
	struct command_db_answer *out = db->answer;
	unsigned count = db_rows(answer);
	struct call_row *rows = arena_alloc(&db->arena,
	    (count + 1) * sizeof *rows);

	for (unsigned i = 0; i < count; i++) {
		struct call_row *row = &rows[i];

		if (!call_row_read(answer, i, row))
			return (complain(db, EX_SOFTWARE, "the database "
			    "answers in an unknown form"));
		row->body = keep(db, row->body);
		row->headers = keep(db, row->headers);
		row->refusal = keep(db, row->refusal);
		row->stream = keep(db, row->stream);
		row->epoch = keep(db, row->epoch);
		if (row->is_event || out->status != 0)
			continue;
		out->status = row->status;
		out->body = row->body;
	}
	out->rows = rows;
	out->count = count;
	return (true);
}

/* In the words of errors.h, or where it is none of them, PostgreSQL's. */
int
command_db_words(const struct db_answer *answer, struct buf *out)
{
	enum call_refusal refusal = call_refusal(answer);
	enum err err = error_named(refusal == CALL_CONSTRAINT ?
	    answer->constraint : answer->message);
	bool is_rule = refusal == CALL_RULE || refusal == CALL_CONSTRAINT;
	text words = is_rule && err != ERR_none ? error_rows[err].words :
	    answer->message;
	int exit_code = EX_DATAERR;

	if (refusal == CALL_CONFLICT || refusal == CALL_TIMEOUT ||
	    refusal == CALL_EXHAUSTED)
		exit_code = EX_TEMPFAIL;
	else if (refusal == CALL_BROKEN ||
	    (refusal == CALL_RULE && call_rule_status(answer) >= 500))
		exit_code = EX_SOFTWARE;
	buf_add(out, words);
	if (refusal == CALL_RULE && answer->detail.len > 0) {
		buf_add_char(out, ' ');
		buf_add(out, answer->detail);
	}
	return (exit_code);
}

static bool
complain_of_refusal(struct command_db *db, const struct db_answer *answer)
{
	struct buf words;
	int exit_code;

	buf_init(&words, BUF_NO_LIMIT);
	exit_code = command_db_words(answer, &words);
	complain(db, exit_code, "%.*s", TEXT_ARGS(buf_text(&words)));
	buf_fini(&words);
	return (false);
}

static void
on_answer(void *context, const struct db_answer *answer)
{
	struct command_db *db = object_cast(struct command_db,
	    COMMAND_DB_MAGIC, context);

	db->is_answered = true;
	switch (answer->result) {
	case DB_ROWS:
		db->is_good = keep_rows(db, answer);
		return;
	case DB_REFUSED:
		db->is_good = complain_of_refusal(db, answer);
		return;
	case DB_FAILED:
		db->is_good = complain(db, EX_UNAVAILABLE, "the database "
		    "cannot be used: %s", db->why.len > 0 ? db->why.at :
		    db_why_name(answer->why));
		return;
	case DB_UNKNOWN:
		db->is_good = complain(db, EX_TEMPFAIL, "the connection to "
		    "the database was lost: it is not known whether that "
		    "was done; look before you try again");
		return;
	}
}

static bool
call_as(struct command_db *db, enum db_kind kind, const char *function,
    const struct call_context *context, const text *inputs, unsigned count,
    struct command_db_answer *out)
{
	struct call_parameters parameters;
	struct db_call call = { .kind = kind, .parameters = inputs,
	    .parameters_count = count, .on_answer = on_answer,
	    .context = db };
	struct buf sql;

	object_check(db, COMMAND_DB_MAGIC);
	*out = (struct command_db_answer){ .status = 0 };
	db->answer = out;
	db->is_answered = false;
	buf_init(&sql, BUF_NO_LIMIT);
	if (context != NULL) {
		call_statement(text_of(function), count, &sql);
		call_parameters(context, inputs, count, &parameters);
		call.parameters = parameters.at;
		call.parameters_count = parameters.count;
	} else
		call_statement_bare(text_of(function), count, &sql);
	db->statement.sql = sql.at;
	db_call(db->pool, &call);
	while (!db->is_answered)
		loop_turn(db->loop, 1000);
	db->statement.sql = NULL;
	db->answer = NULL;
	buf_fini(&sql);
	return (db->is_good);
}

bool
command_db_call(struct command_db *db, const char *function,
    const struct call_context *context, const text *inputs, unsigned count,
    struct command_db_answer *out)
{
	return (call_as(db, DB_FLEET, function, context, inputs, count, out));
}

bool
command_db_call_server(struct command_db *db, const char *function,
    const struct call_context *context, const text *inputs, unsigned count,
    struct command_db_answer *out)
{
	must(context != NULL);
	return (call_as(db, DB_WRITE, function, context, inputs, count, out));
}
