/* SPDX-License-Identifier: MIT */
/*
 * The database for a command: `partyline tenant …` and its like call
 * functions of the api as the fleet does, and wait for the answer.
 *
 * The database is database_url's, or, where that is empty, the private one
 * of the server that runs on the state folder: with the password that is
 * kept there, so only for who may read it.
 *
 * Holds always:
 *  1. Whatever fails was said on standard error, and the exit code that open
 *     was given the place of says what kind of failure it was.
 *  2. One call at a time. Rows live until the database is closed, or they
 *     are forgotten.
 *
 *	struct command_db *db = command_db_open(command, conf, &exit_code);
 *	struct command_db_answer answer;
 *
 *	if (db == NULL)
 *		return (exit_code);
 *	context = command_db_context(db, tenant);
 *	if (command_db_call(db, "tenant_add", &context, &slug, 1, &answer))
 *		buf_add(&out, answer.body);
 *	command_db_close(&db);
 */
#ifndef ROLE_COMMAND_DB_H
#define ROLE_COMMAND_DB_H

#include <stdbool.h>

#include "store/call.h"

struct command;
struct command_db;
struct conf;
struct db_answer;

struct command_db_answer {
	unsigned	 status;	/* of the first answer; 0: none */
	text		 body;		/* its JSON */
	const struct call_row *rows;	/* all, events among them */
	unsigned	 count;
};

/* NULL: it was said why. conf is needed as long as the answer of this. */
struct command_db *command_db_open(const struct command *command,
	    const struct conf *conf, int *exit_code);
void	command_db_close(struct command_db **db);

/* Of its database, for who opens a connection of his own meanwhile. */
const char *command_db_url(const struct command_db *db);
/* A refusal in words, behind what is in out; and its exit code. */
int	command_db_words(const struct db_answer *answer, struct buf *out);

/* Gives the rows of all calls back before that, for who calls for long. */
void	command_db_forget(struct command_db *db);

/* Who calls: the user at the keyboard, with a request id of its own. */
struct call_context command_db_context(struct command_db *db,
	    int32_t tenant);
/* context NULL: the function takes none. false: it was said why. */
bool	command_db_call(struct command_db *db, const char *function,
	    const struct call_context *context, const text *inputs,
	    unsigned count, struct command_db_answer *out);
/* As the workers call it, who see all that one tenant has. */
bool	command_db_call_server(struct command_db *db, const char *function,
	    const struct call_context *context, const text *inputs,
	    unsigned count, struct command_db_answer *out);

#endif
