/* SPDX-License-Identifier: MIT */
/*
 * `partyline monitors`: the rooms that are watched, by whom, and what became
 * of those that are not any more. It asks the database and needs no server.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/json.h"
#include "role/command.h"
#include "role/command_people.h"

static void
add_word(struct buf *out, const char *words, struct json_object *of,
    const char *name)
{
	text value;

	if (!json_in_text(of, name, &value))
		return;
	buf_add_string(out, words);
	people_add_foreign(out, value);
}

static void
add_number(struct buf *out, const char *words, struct json_object *of,
    const char *name)
{
	int64_t value;

	if (json_in_int(of, name, &value))
		buf_printf(out, "%s%" PRId64, words, value);
}

/* default  session 17 game 3  LSBN  lobby, 4 of 8 players, drawful2, … */
static void
add_line(struct buf *out, struct json_object *monitor)
{
	add_word(out, "", monitor, "tenant");
	add_number(out, "  session ", monitor, "session");
	add_number(out, " game ", monitor, "game");
	add_word(out, "  ", monitor, "room");
	add_word(out, "  ", monitor, "state");
	add_word(out, ": ", monitor, "reason");
	add_number(out, ", players ", monitor, "players");
	add_number(out, " of ", monitor, "max_players");
	add_word(out, ", ", monitor, "app");
	add_word(out, ", since ", monitor, "begun_at");
	add_word(out, ", until ", monitor, "ended_at");
	add_word(out, ", watched by ", monitor, "holder");
	buf_add_char(out, '\n');
}

static void
show(struct people *work, text is_all)
{
	struct command_db_answer answer;
	struct json_object *list, *monitor;
	char tenant[12];
	text inputs[2] = { TEXT_NONE, is_all };

	if (work->command->tenant != NULL) {
		if (!people_find_tenant(work))
			return;
		snprintf(tenant, sizeof tenant, "%" PRId32, work->tenant);
		inputs[0] = text_of(tenant);
	}
	if (!people_call_bare(work, "monitor_list", inputs, 2, &answer))
		return;
	if (work->command->wants_json) {
		buf_add(&work->out, answer.body);
		buf_add_char(&work->out, '\n');
		return;
	}
	list = json_in_read(answer.body);
	for (size_t i = 0; (monitor = json_in_element(list, i)) != NULL; i++)
		add_line(&work->out, monitor);
	json_in_free(&list);
}

static void
monitors_list(struct people *work)
{
	show(work, TEXT("false"));
}

static void
monitors_all(struct people *work)
{
	show(work, TEXT("true"));
}

int
command_monitors(struct command *command)
{
	static const struct people_verb verbs[] = {
		{ "list", monitors_list, 1, 1, "no more words", TAKES_TENANT,
		    0 },
		{ "all", monitors_all, 1, 1, "no more words", TAKES_TENANT,
		    0 },
	};
	static const char *words[] = { "list", NULL };
	struct command listed = *command;

	if (command->words_count == 0) {
		listed.words = words;
		listed.words_count = 1;
	}
	return (people_run(&listed, verbs, sizeof verbs / sizeof verbs[0]));
}
