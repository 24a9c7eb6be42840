/* SPDX-License-Identifier: MIT */
/*
 * `partyline migrate`: bringing the schema of a database up to date.
 */
#include <stdio.h>
#include <sysexits.h>

#include "base/json_out.h"
#include "role/command.h"
#include "role/migration.h"

static void
write_json(const struct migrate_report *report, enum migrate_end end,
    text why, struct buf *answer)
{
	struct json_out json;

	json_out_init(&json, answer);
	json_object_begin(&json);
	json_key(&json, "ok");
	json_bool(&json, end == MIGRATE_OK);
	json_key(&json, "from");
	json_int(&json, report->from);
	json_key(&json, "schema");
	json_int(&json, report->to);
	json_key(&json, "migrations");
	json_int(&json, report->ran);
	json_key(&json, "functionsReplaced");
	json_bool(&json, report->has_replaced_api);
	if (end != MIGRATE_OK) {
		json_key(&json, "error");
		json_text(&json, why);
	}
	json_object_end(&json);
	buf_add_char(answer, '\n');
}

static void
write_words(const struct migrate_report *report, struct buf *answer)
{
	buf_printf(answer, "schema %u", report->to);
	if (report->ran > 0)
		buf_printf(answer, ", was %u: %u migration%s run",
		    report->from, report->ran, report->ran == 1 ? "" : "s");
	else
		buf_add_string(answer, " was there");
	buf_add_string(answer, report->has_replaced_api ?
	    "; functions replaced\n" : "; functions were there\n");
}

static int
migrate(const struct command *command, const struct conf *conf)
{
	struct migrate_report report = { .from = 0 };
	struct migrate_files *files;
	struct buf folder, why, answer;
	enum migrate_end end = MIGRATE_FILES;
	int exit_code = EX_OK;

	buf_init(&folder, BUF_NO_LIMIT);
	buf_init(&why, BUF_NO_LIMIT);
	buf_init(&answer, BUF_NO_LIMIT);
	migrate_folder(conf->sql_dir, &folder);
	files = migrate_files_read(folder.at, &why);
	if (files != NULL)
		end = migrate_run(conf->migrate_url, files, &report, &why);
	if (end != MIGRATE_OK)
		fprintf(stderr, "partyline: %.*s\n",
		    TEXT_ARGS(buf_text(&why)));
	if (command->wants_json)
		write_json(&report, end, buf_text(&why), &answer);
	else if (end == MIGRATE_OK)
		write_words(&report, &answer);
	exit_code = command_answer(&answer);
	migrate_files_free(&files);
	buf_fini(&why);
	buf_fini(&folder);
	return (end != MIGRATE_OK ? migration_exit_code(end) : exit_code);
}

int
command_migrate(struct command *command)
{
	struct conf *conf;
	struct buf problems;
	int exit_code;

	if (command->words_count != 0)
		return (command_misused(command, "migrate takes no words"));
	buf_init(&problems, BUF_NO_LIMIT);
	conf = command_conf(command, &problems);
	if (conf == NULL) {
		fputs(problems.at, stderr);
		exit_code = EX_CONFIG;
	} else if (conf->migrate_url[0] == '\0') {
		fputs("partyline: migrate_url is not set; it names the "
		    "database and the role that owns the schema\n", stderr);
		exit_code = EX_CONFIG;
	} else
		exit_code = migrate(command, conf);
	buf_fini(&problems);
	conf_destroy(&conf);
	return (exit_code);
}
