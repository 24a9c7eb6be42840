/* SPDX-License-Identifier: MIT */
/*
 * Reading the command line. Flags and words may stand in any order behind
 * the command; -- ends the flags.
 */
#include "role/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/spelling.h"

const struct command_row command_rows[COMMANDS] = {
#define COMMAND(name, arguments, brief, text, examples)			\
	{ #name, arguments, brief, text, examples },
#include "tbl/commands.h"
#undef COMMAND
};

enum { FLAG_CONF, FLAG_COUNT, FLAG_HOST, FLAG_JSON, FLAG_KEY_FILE, FLAG_LIFE,
    FLAG_NAME, FLAG_NO_HOSTS, FLAG_PROCESSES, FLAG_ROLE, FLAG_SESSION,
    FLAG_SET, FLAG_SINCE, FLAG_STATE_DIR, FLAG_TENANT, FLAG_YES };

const struct command_flag command_flags[COMMAND_FLAGS] = {
	[FLAG_CONF] = { "-c", "FILE",
	    "Read options from FILE; see partyline.conf(5)." },
	[FLAG_COUNT] = { "--count", "N", "End after so many." },
	[FLAG_HOST] = { "--host", "HOST",
	    "A host name, as often as there are several." },
	[FLAG_JSON] = { "--json", NULL, "Answer in JSON, for programs." },
	[FLAG_KEY_FILE] = { "--key-file", "FILE",
	    "Take the key from FILE, - is standard input. Without it one is "
	    "made." },
	[FLAG_LIFE] = { "--life", "SPAN",
	    "For how long, as 90s, 15min, 24h or 30d." },
	[FLAG_NAME] = { "--name", "NAME", "Whose it is." },
	[FLAG_NO_HOSTS] = { "--no-hosts", NULL,
	    "Leave the file's host names away." },
	[FLAG_PROCESSES] = { "--processes", NULL, "Show each process." },
	[FLAG_ROLE] = { "--role", "ROLE",
	    "admin (everything), bot (reads, and posts what bots post) or "
	    "viewer (reads)." },
	[FLAG_SESSION] = { "--session", "ID",
	    "Of which session; without it, of the lobby." },
	[FLAG_SET] = { "--set", "NAME=VALUE",
	    "Set an option. It wins over the file and the environment." },
	[FLAG_SINCE] = { "--since", "CURSOR",
	    "Behind which event: its number, or epoch:number. Without it: from "
	    "now on." },
	[FLAG_STATE_DIR] = { "--state-dir", "DIR",
	    "The state_dir of the running server. Without it: the one that "
	    "-c, the environment or the default names." },
	[FLAG_TENANT] = { "--tenant", "SLUG",
	    "In which tenant; without it, in default." },
	[FLAG_YES] = { "--yes", NULL, "Do it; without it, see what it is." },
};

bool
command_takes(const struct command_row *row, const struct command_flag *flag)
{
	size_t len = strlen(flag->flag);
	const char *found = row->arguments;

	/* As a word of its own, in brackets or not. */
	while ((found = strstr(found, flag->flag)) != NULL) {
		if (found > row->arguments && strchr(" [|", found[-1]) !=
		    NULL && strchr(" ]|", found[len]) != NULL)
			return (true);
		found += len;
	}
	return (false);
}

const struct command_row *
command_find(const char *name)
{
	struct spelling spelling;
	const char *nearest;

	spelling_init(&spelling, text_of(name));
	for (unsigned i = 0; i < COMMANDS; i++) {
		if (strcmp(command_rows[i].name, name) == 0)
			return (&command_rows[i]);
		spelling_try(&spelling, command_rows[i].name);
	}
	nearest = spelling_nearest(&spelling);
	fprintf(stderr, "partyline: there is no command \"%s\"", name);
	if (nearest != NULL)
		fprintf(stderr, "; did you mean %s?", nearest);
	fputc('\n', stderr);
	return (NULL);
}

int
command_misused(const struct command *command, const char *what, ...)
{
	va_list args;

	fputs("partyline: ", stderr);
	va_start(args, what);
	vfprintf(stderr, what, args);
	va_end(args);
	if (command->row == NULL)
		fputs("\nusage: partyline COMMAND [ARGUMENT]...\n"
		    "See partyline help.\n", stderr);
	else
		fprintf(stderr, "\nusage: partyline %s %s\n"
		    "See partyline help %s.\n", command->row->name,
		    command->row->arguments, command->row->name);
	return (EX_USAGE);
}

int
command_answer(struct buf *answer)
{
	bool is_written = fwrite(answer->at, 1, answer->len, stdout) ==
	    answer->len && fflush(stdout) == 0;

	buf_fini(answer);
	if (is_written)
		return (EX_OK);
	perror("partyline: the answer cannot be written");
	return (EX_IOERR);
}

static void
take_flag(struct command *command, unsigned which, const char *value)
{
	switch (which) {
	case FLAG_CONF:
		command->conf_file = value;
		break;
	case FLAG_COUNT:
		command->count = value;
		break;
	case FLAG_HOST:
		command->hosts[command->hosts_count++] = value;
		break;
	case FLAG_JSON:
		command->wants_json = true;
		break;
	case FLAG_KEY_FILE:
		command->key_file = value;
		break;
	case FLAG_LIFE:
		command->life = value;
		break;
	case FLAG_NAME:
		command->name = value;
		break;
	case FLAG_NO_HOSTS:
		command->wants_no_hosts = true;
		break;
	case FLAG_PROCESSES:
		command->wants_processes = true;
		break;
	case FLAG_ROLE:
		command->role = value;
		break;
	case FLAG_SESSION:
		command->session = value;
		break;
	case FLAG_SET:
		command->sets[command->sets_count++] = value;
		break;
	case FLAG_SINCE:
		command->since = value;
		break;
	case FLAG_STATE_DIR:
		command->state_dir = value;
		break;
	case FLAG_TENANT:
		command->tenant = value;
		break;
	case FLAG_YES:
		command->wants_yes = true;
		break;
	}
}

/* --flag=value, or the word itself. */
static bool
is_flag(text word, const struct command_flag *flag, text *value_out)
{
	text name;

	text_cut(word, '=', &name, value_out);
	return (text_is(name, text_of(flag->flag)));
}

/* Reads the flag at argv[*at] and moves to its last word. */
static int
read_flag(struct command *command, char **argv, int *at)
{
	const char *word = argv[*at];
	struct spelling spelling;
	text value = TEXT_NONE;
	const char *nearest;
	unsigned which = 0;

	spelling_init(&spelling, text_of(word));
	for (; which < COMMAND_FLAGS; which++) {
		if (!command_takes(command->row, &command_flags[which]))
			continue;
		if (is_flag(text_of(word), &command_flags[which], &value))
			break;
		spelling_try(&spelling, command_flags[which].flag);
	}
	nearest = spelling_nearest(&spelling);
	if (which == COMMAND_FLAGS)
		return (nearest == NULL ?
		    command_misused(command, "%s does not take %s",
		    command->row->name, word) :
		    command_misused(command,
		    "%s does not take %s; did you mean %s?",
		    command->row->name, word, nearest));
	if (command_flags[which].argument == NULL) {
		if (value.at != NULL)
			return (command_misused(command,
			    "%s takes no value", command_flags[which].flag));
	} else if (value.at == NULL) {
		if (argv[*at + 1] == NULL)
			return (command_misused(command, "%s needs %s", word,
			    command_flags[which].argument));
		value = text_of(argv[++*at]);
	}
	take_flag(command, which, value.at);
	return (EX_OK);
}

static int
read_words(struct command *command, char **argv)
{
	bool has_ended = false;
	int exit_code;

	for (int at = 0; argv[at] != NULL; at++) {
		const char *word = argv[at];

		if (has_ended || word[0] != '-' || word[1] == '\0')
			command->words[command->words_count++] = word;
		else if (strcmp(word, "--") == 0)
			has_ended = true;
		else if (strcmp(word, "--help") == 0 ||
		    strcmp(word, "-h") == 0) {
			command->words[0] = command->row->name;
			command->words_count = 1;
			command->row = &command_rows[COMMAND_help];
			break;
		} else {
			exit_code = read_flag(command, argv, &at);
			if (exit_code != EX_OK)
				return (exit_code);
		}
	}
	return (EX_OK);
}

bool
command_read(struct command *command, int argc, char **argv,
    int *exit_code_out)
{
	*command = (struct command){ .row = NULL };
	/* One more each: --help puts a word where none may have been. */
	command->hosts = boot_alloc(((size_t)argc + 1) * sizeof(char *));
	command->sets = boot_alloc(((size_t)argc + 1) * sizeof(char *));
	command->words = boot_alloc(((size_t)argc + 1) * sizeof(char *));
	if (argc < 2) {
		*exit_code_out = command_misused(command,
		    "no command was given");
		return (false);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		command->row = &command_rows[COMMAND_version];
	else if (strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		command->row = &command_rows[COMMAND_help];
	else
		command->row = command_find(argv[1]);
	if (command->row == NULL) {
		fputs("usage: partyline COMMAND [ARGUMENT]...\n"
		    "See partyline help.\n", stderr);
		*exit_code_out = EX_USAGE;
		return (false);
	}
	*exit_code_out = read_words(command, argv + 2);
	return (*exit_code_out == EX_OK);
}

struct conf *
command_conf_unchecked(const struct command *command, struct buf *problems)
{
	struct conf *conf = conf_create();
	bool is_good = true;

	/* All sources are read, so that all that is wrong is told at once. */
	if (command->conf_file != NULL)
		is_good = conf_read_file(conf, command->conf_file, problems);
	is_good &= conf_read_environment(conf, environ, problems);
	for (unsigned i = 0; i < command->sets_count; i++)
		is_good &= conf_set(conf, text_of(command->sets[i]),
		    problems);
	if (!is_good)
		conf_destroy(&conf);
	return (conf);
}

struct conf *
command_conf(const struct command *command, struct buf *problems)
{
	struct conf *conf = command_conf_unchecked(command, problems);

	if (conf != NULL && !conf_check(conf, problems))
		conf_destroy(&conf);
	return (conf);
}

bool
command_state_dir(const struct command *command, struct buf *out)
{
	struct conf *conf;
	struct buf problems;

	if (command->state_dir != NULL) {
		buf_add_string(out, command->state_dir);
		return (true);
	}
	buf_init(&problems, BUF_NO_LIMIT);
	conf = command_conf_unchecked(command, &problems);
	if (conf != NULL)
		buf_add_string(out, conf->state_dir);
	else
		fputs(problems.at, stderr);
	buf_fini(&problems);
	if (conf == NULL)
		return (false);
	conf_destroy(&conf);
	return (true);
}
