/* SPDX-License-Identifier: MIT */
/*
 * The command line: which command, with which flags and words, and the
 * configuration that they name.
 *
 *	partyline COMMAND [WORD | FLAG]...
 *
 * Holds always:
 *  1. A command gets only flags that stand in its row's arguments; all else
 *     was refused, with how it is used, before it runs.
 *  2. A command writes its answer to standard output in one piece at its
 *     end (events tail and tenant export: as it comes), and what went wrong
 *     to standard error. It returns an exit code of <sysexits.h>.
 *  3. Texts and words are the program's own arguments, for ever valid.
 *
 *	if (!command_read(&command, argc, argv, &exit_code))
 *		return (exit_code);
 *	return (runs[command.row - command_rows](&command));
 */
#ifndef ROLE_COMMAND_H
#define ROLE_COMMAND_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/conf.h"

enum command_name {
#define COMMAND(name, arguments, brief, text, examples) COMMAND_##name,
#include "tbl/commands.h"
#undef COMMAND
	COMMANDS
};

struct command_row {
	const char	*name;
	const char	*arguments;
	const char	*brief;
	const char	*text;
	const char	*examples;
};
extern const struct command_row command_rows[COMMANDS];

struct command_flag {
	const char	*flag;
	const char	*argument;	/* NULL: takes none */
	const char	*text;
};
#define COMMAND_FLAGS 16
extern const struct command_flag command_flags[COMMAND_FLAGS];

struct command {
	const struct command_row *row;
	const char	 *conf_file;	/* -c; NULL: none */
	const char	 *state_dir;	/* --state-dir; NULL: none */
	const char	 *count;	/* these eight: NULL: none */
	const char	 *key_file;
	const char	 *life;
	const char	 *name;
	const char	 *role;
	const char	 *session;
	const char	 *since;
	const char	 *tenant;
	const char	**hosts;	/* --host, in their order */
	unsigned	  hosts_count;
	const char	**sets;		/* --set, in their order */
	unsigned	  sets_count;
	const char	**words;	/* what is no flag */
	unsigned	  words_count;
	bool		  wants_json;
	bool		  wants_no_hosts;
	bool		  wants_processes;
	bool		  wants_yes;
};

/* false: nothing is to be run, the program ends with this code. */
bool	command_read(struct command *command, int argc, char **argv,
	    int *exit_code_out);
bool	command_takes(const struct command_row *row,
	    const struct command_flag *flag);
/* NULL where there is none of that name; it was told, with the nearest. */
const struct command_row *command_find(const char *name);

/*
 * The configuration that -c, the environment and --set make; yours to
 * destroy. NULL: the problems are a line each.
 */
struct conf *command_conf(const struct command *command,
	    struct buf *problems);
/* The same without conf_check, for those who only look. */
struct conf *command_conf_unchecked(const struct command *command,
	    struct buf *problems);
/* Where the running server has its state_dir; false: it was told why not. */
bool	command_state_dir(const struct command *command, struct buf *out);

/* How a command is to be used, after what was wrong: EX_USAGE. */
int	command_misused(const struct command *command, const char *what, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes the answer and gives its memory back: EX_OK, or EX_IOERR. */
int	command_answer(struct buf *answer);

int	command_admin(struct command *command);
int	command_config(struct command *command);
int	command_epoch(struct command *command);
int	command_events(struct command *command);
int	command_fault(struct command *command);
int	command_help(struct command *command);
int	command_import(struct command *command);
int	command_log(struct command *command);
int	command_migrate(struct command *command);
int	command_monitors(struct command *command);
int	command_serve(struct command *command);
int	command_status(struct command *command);
int	command_tenant(struct command *command);
int	command_token(struct command *command);
int	command_version(struct command *command);
int	command_webhooks(struct command *command);

#endif
