/* SPDX-License-Identifier: MIT */
/*
 * A command that calls functions of the api, one after the other:
 *
 *	command_db [--set NAME=VALUE]... [--state-dir DIR]
 *	    FUNCTION [INPUT]... [, FUNCTION [INPUT]...]...
 *
 * A function whose name begins with - takes no context; an input \N is
 * SQL's NULL. Prints the answer and then its events, a line each.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/conf.h"
#include "base/must.h"
#include "role/command.h"
#include "role/command_db.h"

#define INPUTS_MAX 8

static void
print_rows(const struct command_db_answer *answer)
{
	printf("%u %.*s\n", answer->status, TEXT_ARGS(answer->body));
	for (unsigned i = 0; i < answer->count; i++)
		if (answer->rows[i].is_event)
			printf("%.*s %llu %.*s\n",
			    TEXT_ARGS(answer->rows[i].stream),
			    (unsigned long long)answer->rows[i].seq,
			    TEXT_ARGS(answer->rows[i].body));
}

/* The words of one call; how many there were. */
static unsigned
call(struct command_db *db, const char *const *words, unsigned count,
    bool *is_good_out)
{
	struct call_context context = command_db_context(db, 1);
	bool is_bare = words[0][0] == '-';
	struct command_db_answer answer;
	text inputs[INPUTS_MAX];
	unsigned used = 0;

	for (unsigned i = 1; i < count && strcmp(words[i], ",") != 0; i++) {
		must(used < INPUTS_MAX);
		inputs[used++] = strcmp(words[i], "\\N") == 0 ? TEXT_NONE :
		    text_of(words[i]);
	}
	*is_good_out = command_db_call(db, words[0] + (is_bare ? 1 : 0),
	    is_bare ? NULL : &context, inputs, used, &answer);
	if (*is_good_out)
		print_rows(&answer);
	return (used + 1);
}

int
main(int argc, char **argv)
{
	const char *sets[8];
	struct command command = { .sets = sets };
	struct command_db *db;
	struct buf problems;
	struct conf *conf;
	int exit_code = EX_OK;
	bool is_good = true;
	int at = 1;

	for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2)
		if (strcmp(argv[at], "--state-dir") == 0)
			command.state_dir = argv[at + 1];
		else
			sets[command.sets_count++] = argv[at + 1];
	buf_init(&problems, BUF_NO_LIMIT);
	conf = command_conf(&command, &problems);
	if (conf == NULL) {
		fputs(problems.at, stderr);
		return (EX_CONFIG);
	}
	db = command_db_open(&command, conf, &exit_code);
	while (db != NULL && is_good && at < argc)
		at += (int)call(db, (const char *const *)argv + at,
		    (unsigned)(argc - at), &is_good) + 1;
	command_db_close(&db);
	conf_destroy(&conf);
	buf_fini(&problems);
	return (exit_code);
}
