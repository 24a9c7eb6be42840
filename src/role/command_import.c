/* SPDX-License-Identifier: MIT */
/*
 * `partyline import sqlite`: what today's server has kept, into a tenant. It
 * is read whole, then put there by one call, which is one transaction; what
 * became of it is told row by row.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/json_out.h"
#include "core/json.h"
#include "role/command.h"
#include "role/command_people.h"
#include "role/import_file.h"
#include "store/sqlite_file.h"

/* The nouns whose counters have to be behind what the tables have given. */
static const char *const nouns[IMPORT_TABLES] = {
	[IMPORT_GAMES] = "game",
	[IMPORT_PACKS] = "pack",
	[IMPORT_SESSIONS] = "session",
	[IMPORT_SESSION_GAMES] = "session_game",
	[IMPORT_LIVE_VOTES] = "live_vote",
	[IMPORT_CHAT_LOGS] = "chat_log",
	[IMPORT_WEBHOOKS] = "webhook",
};

static bool
read_file(struct people *work, const char *path, struct import_file *import)
{
	enum sqlite_file_problem problem = SQLITE_FILE_WRONG;
	struct sqlite_file *file;
	struct buf why;
	bool is_good;

	buf_init(&why, BUF_NO_LIMIT);
	file = sqlite_file_open(path, &problem, &why);
	is_good = file != NULL && import_file_read(import, file, &why);
	sqlite_file_close(&file);
	if (!is_good) {
		struct buf words;

		/* The library's words may have the file's names in them. */
		buf_init(&words, BUF_NO_LIMIT);
		people_add_foreign(&words, buf_text(&why));
		people_complain(work, problem == SQLITE_FILE_WRONG ?
		    EX_DATAERR : EX_NOINPUT, "%s: %s", path, words.at);
		buf_fini(&words);
	}
	buf_fini(&why);
	return (is_good);
}

static bool
put(struct people *work, const struct import_file *import,
    struct command_db_answer *answer)
{
	struct call_context context = command_db_context(work->db,
	    work->tenant);
	text inputs[IMPORT_TABLES + 1];
	struct json_out json;
	struct buf highest;
	bool is_good;

	buf_init(&highest, BUF_NO_LIMIT);
	json_out_init(&json, &highest);
	json_object_begin(&json);
	for (unsigned i = 0; i < IMPORT_TABLES; i++) {
		inputs[i] = buf_text(&import->tables[i].rows);
		json_key(&json, nouns[i]);
		json_int(&json, import->tables[i].highest);
	}
	json_object_end(&json);
	inputs[IMPORT_TABLES] = buf_text(&highest);
	is_good = command_db_call_server(work->db, "picker_import", &context,
	    inputs, IMPORT_TABLES + 1, answer);
	buf_fini(&highest);
	return (is_good);
}

/* The report. */

struct outcome {
	int64_t	read, added, updated, same, left_out;
};

static struct outcome
outcome_of(const struct import_file *import, unsigned table,
    struct json_object *answer)
{
	struct outcome outcome = { .read = import->tables[table].count };
	struct json_object *tables = json_in_object(answer, "tables");
	struct json_object *of = tables == NULL ? NULL :
	    json_in_object(tables, import_table_name(table));
	int64_t here = 0;

	if (of != NULL) {
		json_in_int(of, "here", &here);
		json_in_int(of, "added", &outcome.added);
		json_in_int(of, "updated", &outcome.updated);
	}
	outcome.same = here - outcome.added - outcome.updated;
	outcome.left_out = outcome.read - here;
	return (outcome);
}

static void
show_json(struct people *work, const struct import_file *import,
    struct json_object *answer, text notes)
{
	struct json_out json;

	json_out_init(&json, &work->out);
	json_object_begin(&json);
	json_key(&json, "file");
	json_text_of(&json, work->command->words[1]);
	json_key(&json, "tenant");
	json_text_of(&json, work->slug);
	json_key(&json, "tables");
	json_array_begin(&json);
	for (unsigned i = 0; i < IMPORT_TABLES; i++) {
		struct outcome outcome = outcome_of(import, i, answer);

		json_object_begin(&json);
		json_key(&json, "table");
		json_text_of(&json, import_table_name(i));
		json_key(&json, "read");
		json_int(&json, outcome.read);
		json_key(&json, "added");
		json_int(&json, outcome.added);
		json_key(&json, "updated");
		json_int(&json, outcome.updated);
		json_key(&json, "same");
		json_int(&json, outcome.same);
		json_key(&json, "left_out");
		json_int(&json, outcome.left_out);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_key(&json, "notes");
	json_raw(&json, notes);
	json_object_end(&json);
	buf_add_char(&work->out, '\n');
}

/* games 7: changed: … */
static void
show_note(struct buf *out, struct json_object *note)
{
	text table = TEXT_NONE, what = TEXT_NONE, why = TEXT_NONE;
	int64_t id;

	json_in_text(note, "table", &table);
	json_in_text(note, "what", &what);
	json_in_text(note, "why", &why);
	people_add_foreign(out, table);
	if (json_in_int(note, "id", &id))
		buf_printf(out, " %" PRId64, id);
	buf_add_string(out, ": ");
	for (size_t i = 0; i < what.len; i++)
		buf_add_char(out, what.at[i] == '_' ? ' ' : what.at[i]);
	buf_add_string(out, ": ");
	people_add_foreign(out, why);
	buf_add_char(out, '\n');
}

static void
show_words(struct people *work, const struct import_file *import,
    struct json_object *answer, struct json_object *notes)
{
	struct json_object *note;

	buf_printf(&work->out, "%s, into tenant %s\n",
	    work->command->words[1], work->slug);
	for (unsigned i = 0; i < IMPORT_TABLES; i++) {
		struct outcome outcome = outcome_of(import, i, answer);

		buf_printf(&work->out, "%s: %" PRId64 " read, %" PRId64
		    " added, %" PRId64 " updated, %" PRId64 " the same, %"
		    PRId64 " left out\n", import_table_name(i), outcome.read,
		    outcome.added, outcome.updated, outcome.same,
		    outcome.left_out);
	}
	for (size_t i = 0; (note = json_in_element(notes, i)) != NULL; i++)
		show_note(&work->out, note);
}

/* The file's notes and the database's as one array. */
static bool
join_notes(const struct import_file *import, text answer, struct buf *out)
{
	text theirs;

	if (!json_in_raw(answer, TEXT("notes"), &theirs) || theirs.len < 2)
		return (false);
	buf_add_char(out, '[');
	buf_add(out, buf_text(&import->notes));
	if (import->notes.len > 0 && theirs.len > 2)
		buf_add_char(out, ',');
	buf_add(out, text_from(theirs.at + 1, theirs.len - 1));
	return (true);
}

static void
show(struct people *work, const struct import_file *import, text body)
{
	struct json_object *answer = json_in_read(body), *notes = NULL;
	struct buf all;

	buf_init(&all, BUF_NO_LIMIT);
	if (answer != NULL && join_notes(import, body, &all))
		notes = json_in_read(buf_text(&all));
	if (notes == NULL)
		people_complain(work, EX_SOFTWARE, "that was done, but the "
		    "database answers in an unknown form");
	else if (work->command->wants_json)
		show_json(work, import, answer, buf_text(&all));
	else
		show_words(work, import, answer, notes);
	json_in_free(&notes);
	json_in_free(&answer);
	buf_fini(&all);
}

static void
import_sqlite(struct people *work)
{
	struct command_db_answer answer;
	struct import_file import;

	import_file_init(&import);
	if (people_find_tenant(work) &&
	    read_file(work, work->command->words[1], &import) &&
	    put(work, &import, &answer))
		show(work, &import, answer.body);
	import_file_fini(&import);
}

int
command_import(struct command *command)
{
	static const struct people_verb verbs[] = {
		{ "sqlite", import_sqlite, 2, 2, "FILE",
		    TAKES_TENANT | TAKES_LONG, 0 },
	};

	return (people_run(command, verbs, sizeof verbs / sizeof verbs[0]));
}
