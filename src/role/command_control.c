/* SPDX-License-Identifier: MIT */
/*
 * `partyline log` and `partyline fault`: what a running server is told over
 * its control socket.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/log.h"
#include "core/json.h"
#include "role/command.h"
#include "role/ctl.h"

static void
add_level(const struct ctl_answer *answer, struct buf *out)
{
	text level;

	if (json_in_text(answer->json, "level", &level)) {
		buf_add(out, level);
		buf_add_char(out, '\n');
	}
}

static void
add_faults(const struct ctl_answer *answer, struct buf *out)
{
	struct json_object *fault;
	int64_t times;
	text name;

	for (size_t i = 0; (fault = json_in_item(answer->json, "faults",
	    i)) != NULL; i++)
		if (json_in_text(fault, "name", &name) &&
		    json_in_int(fault, "times", &times))
			buf_printf(out, "%-20.*s %" PRId64 "\n",
			    TEXT_ARGS(name), times);
}

/* The command's name and words, as the server wants them. */
static int
tell_server(const struct command *command,
    void (*add_answer)(const struct ctl_answer *, struct buf *))
{
	struct ctl_answer answer;
	struct buf words, out;
	int exit_code;

	buf_init(&words, BUF_NO_LIMIT);
	buf_init(&out, BUF_NO_LIMIT);
	buf_add_string(&words, command->row->name);
	for (unsigned i = 0; i < command->words_count; i++)
		buf_printf(&words, " %s", command->words[i]);
	exit_code = ctl_ask(command, buf_text(&words), &answer);
	if (command->wants_json)
		buf_add(&out, buf_text(&answer.line));
	else if (exit_code == EX_OK)
		add_answer(&answer, &out);
	ctl_answer_fini(&answer);
	buf_fini(&words);
	if (exit_code == EX_OK || out.len > 0) {
		int written = command_answer(&out);

		return (exit_code != EX_OK ? exit_code : written);
	}
	return (exit_code);
}

static bool
has_strange_words(const struct command *command)
{
	/* A line is words with blanks between; nothing else may slip in. */
	for (unsigned i = 0; i < command->words_count; i++)
		if (command->words[i][0] == '\0' ||
		    strpbrk(command->words[i], " \t\r\n") != NULL)
			return (true);
	return (false);
}

int
command_log(struct command *command)
{
	enum log_level level;
	bool is_reopen;

	if (command->words_count == 0 || has_strange_words(command))
		return (command_misused(command,
		    "log takes level or reopen"));
	is_reopen = strcmp(command->words[0], "reopen") == 0;
	if (!is_reopen && strcmp(command->words[0], "level") != 0)
		return (command_misused(command,
		    "log takes level or reopen, not \"%s\"",
		    command->words[0]));
	if (command->words_count > (is_reopen ? 1 : 2))
		return (command_misused(command, "log %s takes no \"%s\"",
		    command->words[0], command->words[is_reopen ? 1 : 2]));
	if (command->words_count == 2 &&
	    !log_level_named(text_of(command->words[1]), &level))
		return (command_misused(command, "levels are error, warn, "
		    "info and debug, not \"%s\"", command->words[1]));
	return (tell_server(command, add_level));
}

int
command_fault(struct command *command)
{
	const char *verb = command->words_count > 0 ? command->words[0] : "";
	unsigned most;
	int64_t times;

	if (strcmp(verb, "list") == 0)
		most = 1;
	else if (strcmp(verb, "arm") == 0 && command->words_count > 1)
		most = 3;
	else if (strcmp(verb, "clear") == 0)
		most = 2;
	else
		most = 0;
	if (most == 0 || command->words_count > most ||
	    has_strange_words(command))
		return (command_misused(command,
		    "fault takes list, arm NAME [TIMES] or clear [NAME]"));
	if (command->words_count == 3 &&
	    !text_to_int64(text_of(command->words[2]), 1, 1000000, &times))
		return (command_misused(command,
		    "TIMES is a number from 1 to 1000000, not \"%s\"",
		    command->words[2]));
	return (tell_server(command, add_faults));
}
