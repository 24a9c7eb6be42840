/* SPDX-License-Identifier: MIT */
/*
 * `partyline webhooks`: where a tenant's events are sent, how that goes, and
 * sending again what did not arrive. It asks the database and needs no
 * server; what it queues is sent by the jobs of one that runs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "core/json.h"
#include "role/command.h"
#include "role/command_people.h"

#define LOGS_SHOWN TEXT("10")

static bool
call(struct people *work, const char *function, const text *inputs,
    unsigned count, struct command_db_answer *answer)
{
	struct call_context context = command_db_context(work->db,
	    work->tenant);

	return (command_db_call_server(work->db, function, &context, inputs,
	    count, answer));
}

/* The ID that stands behind the verb. */
static bool
read_id(struct people *work, text *id)
{
	int64_t number;

	*id = text_of(work->command->words[1]);
	return (text_to_int64(*id, 1, INT64_MAX, &number) ||
	    people_complain(work, EX_DATAERR, "ID: a whole number from 1 is "
	    "wanted"));
}

static void
add_member(struct buf *out, const char *words, struct json_object *of,
    const char *name)
{
	text value;

	if (!json_in_text(of, name, &value))
		return;
	buf_add_string(out, words);
	people_add_foreign(out, value);
}

/* failed at …: connection refused */
static void
add_try(struct buf *out, struct json_object *try)
{
	int64_t status;

	add_member(out, ", last tried at ", try, "at");
	if (json_in_int(try, "status", &status))
		buf_printf(out, ": %" PRId64, status);
	add_member(out, ": ", try, "error");
}

static void
add_line(struct buf *out, struct json_object *hook)
{
	struct json_object *try = json_in_object(hook, "last_try");
	int64_t id = 0, waiting = 0, dead = 0, failures = 0;
	bool is_enabled = false;

	json_in_int(hook, "id", &id);
	json_in_int(hook, "waiting", &waiting);
	json_in_int(hook, "dead", &dead);
	json_in_int(hook, "failures", &failures);
	json_in_bool(hook, "enabled", &is_enabled);
	buf_printf(out, "%" PRId64, id);
	add_member(out, "  ", hook, "name");
	add_member(out, "  ", hook, "url");
	buf_printf(out, "  %s", is_enabled ? "enabled" : "disabled");
	add_member(out, ": ", hook, "disabled_reason");
	buf_printf(out, ", %" PRId64 " waiting", waiting);
	add_member(out, " since ", hook, "oldest");
	buf_printf(out, ", %" PRId64 " dead", dead);
	if (failures > 0)
		buf_printf(out, ", failed %" PRId64 " times in a row",
		    failures);
	add_member(out, ", paused until ", hook, "paused_until");
	if (try != NULL)
		add_try(out, try);
	buf_add_char(out, '\n');
}

static bool
show_hooks(struct people *work, text id)
{
	struct command_db_answer answer;
	struct json_object *list, *hook;

	if (!call(work, "webhook_overview", &id, 1, &answer))
		return (false);
	if (work->command->wants_json) {
		buf_add(&work->out, answer.body);
		buf_add_char(&work->out, '\n');
		return (true);
	}
	list = json_in_read(answer.body);
	for (size_t i = 0; (hook = json_in_element(list, i)) != NULL; i++)
		add_line(&work->out, hook);
	json_in_free(&list);
	return (true);
}

static void
webhooks_list(struct people *work)
{
	if (people_find_tenant(work))
		show_hooks(work, TEXT_NONE);
}

static void
add_log(struct buf *out, struct json_object *log)
{
	int64_t delivery = 0, attempt = 0, status, took = 0;

	json_in_int(log, "delivery_id", &delivery);
	json_in_int(log, "attempt", &attempt);
	json_in_int(log, "took_ms", &took);
	add_member(out, "  ", log, "created_at");
	add_member(out, "  ", log, "event_type");
	buf_printf(out, "  delivery %" PRId64 ", try %" PRId64, delivery,
	    attempt);
	if (json_in_int(log, "response_status", &status))
		buf_printf(out, ": %" PRId64, status);
	add_member(out, ": ", log, "error_message");
	buf_printf(out, ", took %" PRId64 " ms\n", took);
}

static void
webhooks_show(struct people *work)
{
	struct command_db_answer answer;
	struct json_object *list, *log;
	text inputs[] = { TEXT_NONE, LOGS_SHOWN, TEXT_NONE };

	if (!read_id(work, &inputs[0]) || !people_find_tenant(work) ||
	    !show_hooks(work, inputs[0]) || work->command->wants_json ||
	    !call(work, "webhook_logs", inputs, 3, &answer))
		return;
	list = json_in_read(answer.body);
	for (size_t i = 0; (log = json_in_element(list, i)) != NULL; i++)
		add_log(&work->out, log);
	json_in_free(&list);
}

/* What is behind `last`; false: that was all, or it failed. */
static bool
replay_more(struct people *work, text *inputs, int64_t *queued, int64_t *last)
{
	struct command_db_answer answer;
	struct json_object *json;
	bool has_more = false;
	int64_t count = 0;
	char behind[24];

	snprintf(behind, sizeof behind, "%" PRId64, *last);
	inputs[4] = text_of(behind);
	if (!call(work, "webhook_replay", inputs, 5, &answer))
		return (false);
	json = json_in_read(answer.body);
	json_in_int(json, "queued", &count);
	json_in_int(json, "last", last);
	json_in_bool(json, "more", &has_more);
	json_in_free(&json);
	*queued += count;
	return (has_more);
}

static void
webhooks_replay(struct people *work)
{
	text inputs[5] = { TEXT_NONE, TEXT("dead"), TEXT_NONE, TEXT_NONE,
	    TEXT_NONE };
	int64_t queued = 0, last = 0;

	if (work->command->words[2] != NULL)
		inputs[1] = text_of(work->command->words[2]);
	if (!text_is(inputs[1], TEXT("dead")) &&
	    !text_is(inputs[1], TEXT("all"))) {
		people_complain(work, EX_DATAERR, "dead or all is wanted");
		return;
	}
	if (!read_id(work, &inputs[0]) || !people_find_tenant(work))
		return;
	while (replay_more(work, inputs, &queued, &last))
		continue;
	if (work->exit_code != 0)
		return;
	if (work->command->wants_json)
		buf_printf(&work->out, "{\"queued\":%" PRId64 "}\n", queued);
	else
		buf_printf(&work->out, "%" PRId64 " will be sent again\n",
		    queued);
}

int
command_webhooks(struct command *command)
{
	static const struct people_verb verbs[] = {
		{ "list", webhooks_list, 1, 1, "no more words", TAKES_TENANT,
		    0 },
		{ "show", webhooks_show, 2, 2, "ID", TAKES_TENANT, 0 },
		{ "replay", webhooks_replay, 2, 3, "ID [dead|all]",
		    TAKES_TENANT, 0 },
	};

	return (people_run(command, verbs, sizeof verbs / sizeof verbs[0]));
}
