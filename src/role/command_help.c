/* SPDX-License-Identifier: MIT */
/*
 * `partyline help` and `partyline version`.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <sysexits.h>

#include "base/json_out.h"
#include "role/command.h"

static const char *const features[] = {
#ifdef ARENA_MALLOC
	"arena-malloc",
#endif
#ifdef DEBUG_CHECKS
	"debug",
#endif
#ifdef WITH_FAULTS
	"faults",
#endif
#ifdef SANITIZED
	"sanitizers",
#endif
#ifdef HAVE_SYSTEMD
	"systemd",
#endif
	NULL
};

static void
help_all(struct buf *out)
{
	buf_add_string(out, "usage: partyline COMMAND [ARGUMENT]...\n\n"
	    "Partyline is the live backend of a game night.\n\n"
	    "commands:\n");
	for (unsigned i = 0; i < COMMANDS; i++)
		buf_printf(out, "  %-10s %s\n", command_rows[i].name,
		    command_rows[i].brief);
	buf_add_string(out, "\nexamples:\n"
	    "  partyline serve\n"
	    "  partyline help serve\n"
	    "  partyline config check -c /etc/partyline/partyline.conf\n\n"
	    "partyline -x TABLE [--json] prints a table of the program: its\n"
	    "operations, events, messages, functions, options, errors,\n"
	    "closes, counters, commands or faults; or openapi, the operations\n"
	    "as a document of OpenAPI 3.1, and asyncapi, the live door as one\n"
	    "of AsyncAPI 3.0.\n");
}

static void
add_indented(const char *lines, struct buf *out)
{
	text rest = text_of(lines), line;

	while (rest.len > 0) {
		text_cut(rest, '\n', &line, &rest);
		buf_add_string(out, "  ");
		buf_add(out, line);
		buf_add_char(out, '\n');
	}
}

static void
help_one(const struct command_row *row, struct buf *out)
{
	bool has_flags = false;

	buf_printf(out, "usage: partyline %s %s\n\n%s: %s\n\n", row->name,
	    row->arguments, row->name, row->brief);
	buf_printf(out, "%s\n", row->text);
	for (unsigned i = 0; i < COMMAND_FLAGS; i++) {
		const struct command_flag *flag = &command_flags[i];

		if (!command_takes(row, flag))
			continue;
		buf_add_string(out, has_flags ? "" : "\nflags:\n");
		has_flags = true;
		buf_printf(out, "  %s%s%s\n      %s\n", flag->flag,
		    flag->argument != NULL ? " " : "",
		    flag->argument != NULL ? flag->argument : "",
		    flag->text);
	}
	buf_add_string(out, "\nexamples:\n");
	add_indented(row->examples, out);
}

int
command_help(struct command *command)
{
	const struct command_row *row;
	struct buf answer;

	if (command->words_count > 1)
		return (command_misused(command, "help takes one command"));
	row = command->words_count == 0 ? NULL :
	    command_find(command->words[0]);
	if (command->words_count == 1 && row == NULL)
		return (EX_USAGE);
	buf_init(&answer, BUF_NO_LIMIT);
	if (row == NULL)
		help_all(&answer);
	else
		help_one(row, &answer);
	return (command_answer(&answer));
}

static void
version_json(struct buf *out)
{
	struct json_out json;

	json_out_init(&json, out);
	json_object_begin(&json);
	json_key(&json, "version");
	json_text_of(&json, PACKAGE_VERSION);
	json_key(&json, "features");
	json_array_begin(&json);
	for (unsigned i = 0; features[i] != NULL; i++)
		json_text_of(&json, features[i]);
	json_array_end(&json);
	json_object_end(&json);
	buf_add_char(out, '\n');
}

int
command_version(struct command *command)
{
	struct buf answer;

	if (command->words_count > 0)
		return (command_misused(command, "version takes no words"));
	buf_init(&answer, BUF_NO_LIMIT);
	if (command->wants_json)
		version_json(&answer);
	else {
		buf_add_string(&answer, "partyline " PACKAGE_VERSION "\n"
		    "features:");
		for (unsigned i = 0; features[i] != NULL; i++)
			buf_printf(&answer, " %s", features[i]);
		buf_add_string(&answer, features[0] == NULL ?
		    " none\n" : "\n");
	}
	return (command_answer(&answer));
}
