/* SPDX-License-Identifier: MIT */
/*
 * `partyline epoch renew`: every client shall read the present state.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "core/json.h"
#include "role/command.h"
#include "role/command_people.h"

static void
show_renewed(struct people *work, text body)
{
	struct json_object *json = json_in_read(body);
	const char *slug = work->command->tenant;
	int64_t streams = 0;

	json_in_int(json, "streams", &streams);
	buf_printf(&work->out, "a new epoch of %" PRId64 " stream%s", streams,
	    streams == 1 ? "" : "s");
	if (slug != NULL)
		buf_printf(&work->out, " of tenant %s", slug);
	buf_add_string(&work->out, ": their clients read the present state\n");
	json_in_free(&json);
}

static void
epoch_renew(struct people *work)
{
	const char *slug = work->command->tenant;
	const text input = slug != NULL ? text_of(slug) : TEXT_NONE;
	struct command_db_answer answer;

	if (!people_call(work, "epoch_begin", &input, 1, &answer))
		return;
	if (work->command->wants_json)
		buf_printf(&work->out, "%.*s\n", TEXT_ARGS(answer.body));
	else
		show_renewed(work, answer.body);
}

int
command_epoch(struct command *command)
{
	static const struct people_verb verbs[] = {
		{ "renew", epoch_renew, 1, 1, "no more words", TAKES_TENANT,
		    0 },
	};

	return (people_run(command, verbs, sizeof verbs / sizeof verbs[0]));
}
