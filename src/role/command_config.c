/* SPDX-License-Identifier: MIT */
/*
 * `partyline config`: looking at the configuration without a server.
 */
#include <stdio.h>
#include <sysexits.h>

#include "base/json_out.h"
#include "core/admins.h"
#include "role/command.h"

static int
refuse(struct buf *problems)
{
	fputs(problems->at, stderr);
	buf_fini(problems);
	return (EX_CONFIG);
}

static void
json_problems(text problems, struct buf *answer)
{
	struct json_out json;
	text line;

	json_out_init(&json, answer);
	json_object_begin(&json);
	json_key(&json, "ok");
	json_bool(&json, problems.len == 0);
	json_key(&json, "problems");
	json_array_begin(&json);
	while (problems.len > 0) {
		text_cut(problems, '\n', &line, &problems);
		json_text(&json, line);
	}
	json_array_end(&json);
	json_object_end(&json);
	buf_add_char(answer, '\n');
}

static int
config_check(const struct command *command)
{
	struct conf *conf;
	struct buf problems, answer;
	int exit_code;

	buf_init(&problems, BUF_NO_LIMIT);
	buf_init(&answer, BUF_NO_LIMIT);
	conf = command_conf(command, &problems);
	if (conf != NULL && !admins_check(conf, &problems))
		conf_destroy(&conf);
	if (conf == NULL && !command->wants_json)
		return (refuse(&problems));
	if (command->wants_json)
		json_problems(buf_text(&problems), &answer);
	else
		buf_add_string(&answer, "the configuration is good\n");
	exit_code = command_answer(&answer);
	if (conf == NULL)
		exit_code = EX_CONFIG;
	conf_destroy(&conf);
	buf_fini(&problems);
	return (exit_code);
}

static int
config_show(const struct command *command, bool only_diff)
{
	struct conf *conf;
	struct buf problems, answer;

	buf_init(&problems, BUF_NO_LIMIT);
	buf_init(&answer, BUF_NO_LIMIT);
	conf = command_conf_unchecked(command, &problems);
	if (conf == NULL)
		return (refuse(&problems));
	if (command->wants_json)
		conf_print_json(conf, only_diff, &answer);
	else if (only_diff)
		conf_print_diff(conf, &answer);
	else
		conf_print(conf, &answer);
	conf_destroy(&conf);
	buf_fini(&problems);
	return (command_answer(&answer));
}

int
command_config(struct command *command)
{
	const char *verb;

	if (command->words_count != 1)
		return (command_misused(command,
		    "config takes one of check, print and diff"));
	verb = command->words[0];
	if (strcmp(verb, "check") == 0)
		return (config_check(command));
	if (strcmp(verb, "print") == 0)
		return (config_show(command, false));
	if (strcmp(verb, "diff") == 0)
		return (config_show(command, true));
	return (command_misused(command,
	    "config takes check, print or diff, not \"%s\"", verb));
}
