/* SPDX-License-Identifier: MIT */
/*
 * The connection of `partyline tenant export` and `import`.
 */
#include "role/tenant_copy.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include "role/command.h"
#include "role/command_db.h"

bool
tenant_copy_complain(struct tenant_copy *copy, int exit_code,
    const char *format, ...)
{
	va_list args;

	if (copy->exit_code != EX_OK)
		return (false);
	va_start(args, format);
	fputs("partyline: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	copy->exit_code = exit_code;
	return (false);
}

bool
tenant_copy_refused(struct tenant_copy *copy, const char *where,
    const struct db_answer *answer)
{
	struct buf words;
	int exit_code;

	if (answer->result != DB_REFUSED)
		return (tenant_copy_complain(copy, EX_UNAVAILABLE,
		    "the connection to the database was lost; nothing was "
		    "done"));
	buf_init(&words, BUF_NO_LIMIT);
	exit_code = command_db_words(answer, &words);
	tenant_copy_complain(copy, exit_code, "%s%s", where, words.at);
	buf_fini(&words);
	return (false);
}

bool
tenant_copy_open(struct tenant_copy *copy, const struct command *command,
    struct command_db *db, const char *begin)
{
	struct buf why;

	*copy = (struct tenant_copy){ .command = command, .db = db,
	    .path = command->words_count > 2 ? command->words[2] : "-",
	    .exit_code = EX_OK };
	buf_init(&why, BUF_NO_LIMIT);
	copy->straight = straight_open(command_db_url(db), &why);
	if (copy->straight == NULL)
		tenant_copy_complain(copy, EX_UNAVAILABLE, "the database "
		    "cannot be used: %.*s", TEXT_ARGS(buf_text(&why)));
	buf_fini(&why);
	return (copy->straight != NULL && tenant_copy_say(copy, begin) &&
	    tenant_copy_say(copy, "SET LOCAL ROLE partyline_fleet"));
}

int
tenant_copy_close(struct tenant_copy *copy)
{
	straight_close(&copy->straight);
	return (copy->exit_code);
}

bool
tenant_copy_say(struct tenant_copy *copy, const char *sql)
{
	struct db_answer answer;

	return (straight_say(copy->straight, sql, &answer) ||
	    tenant_copy_refused(copy, "", &answer));
}

static bool
on_value(void *context, const struct db_answer *row)
{
	struct buf *out = context;
	text value = db_field(row, 0, 0);

	if (value.at != NULL)
		buf_add(out, value);
	return (false);
}

bool
tenant_copy_value(struct tenant_copy *copy, const char *sql,
    const text *inputs, unsigned count, struct buf *out)
{
	struct db_answer answer;

	return (straight_ask(copy->straight, sql, inputs, count, on_value,
	    out, &answer) || tenant_copy_refused(copy, "", &answer));
}

bool
tenant_copy_commit(struct tenant_copy *copy)
{
	struct db_answer answer;

	if (straight_say(copy->straight, "COMMIT", &answer))
		return (true);
	if (answer.result == DB_UNKNOWN)
		return (tenant_copy_complain(copy, EX_TEMPFAIL,
		    "the connection to the database was lost: it is not "
		    "known whether that was done; look before you try "
		    "again"));
	return (tenant_copy_refused(copy, "", &answer));
}
