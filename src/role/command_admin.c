/* SPDX-License-Identifier: MIT */
/*
 * `partyline admin`: who may sign in.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/json_out.h"
#include "base/secret.h"
#include "core/json.h"
#include "core/key.h"
#include "role/command.h"
#include "role/command_people.h"

#define KEY_MADE 24		/* letters and digits: 142 bits */

static bool
have_key(struct people *work, char made[KEY_MADE + 1], text *key)
{
	const char *path = work->command->key_file;

	if (path == NULL) {
		secret_letters(made, KEY_MADE);
		*key = text_from(made, KEY_MADE);
		return (true);
	}
	return (people_read_line(work, path, 4 * KEY_SIGNS_MAX, key) &&
	    (key_is_fit(*key) || people_complain(work, EX_DATAERR,
	    "--key-file: a key has 1 to %d characters of UTF-8",
	    KEY_SIGNS_MAX)));
}

/* The key only where nobody has it yet. */
static void
show_added(struct people *work, text name, enum rank rank, text key)
{
	struct json_out json;

	if (!work->command->wants_json) {
		buf_printf(&work->out, "%.*s is %s in tenant %s\n",
		    TEXT_ARGS(name), rank_name(rank), work->slug);
		if (work->command->key_file == NULL)
			buf_printf(&work->out, "the key, shown this once: "
			    "%.*s\n", TEXT_ARGS(key));
		return;
	}
	json_out_init(&json, &work->out);
	json_object_begin(&json);
	json_key(&json, "name");
	json_text(&json, name);
	json_key(&json, "role");
	json_text_of(&json, rank_name(rank));
	json_key(&json, "tenant");
	json_text_of(&json, work->slug);
	if (work->command->key_file == NULL) {
		json_key(&json, "key");
		json_text(&json, key);
	}
	json_object_end(&json);
	buf_add_char(&work->out, '\n');
}

static void
admin_add(struct people *work)
{
	char made[KEY_MADE + 1], lookup[KEY_LOOKUP_SIZE], hash[KEY_HASH_SIZE];
	struct command_db_answer answer;
	enum rank rank;
	text name, key;

	if (!people_read_name(work, &name) || !people_read_role(work, &rank) ||
	    !have_key(work, made, &key) || !people_find_tenant(work) ||
	    !people_read_keyring(work))
		return;
	key_lookup(work->keyring.server_secret, work->tenant, key, lookup);
	key_hash(key, hash);
	if (people_call(work, "admin_add", (const text[]){ name,
	    text_of(rank_name(rank)), text_of(lookup), text_of(hash) }, 4,
	    &answer))
		show_added(work, name, rank, key);
	explicit_bzero(made, sizeof made);
}

static void
add_line(struct buf *out, struct json_object *admin)
{
	text name = TEXT_NONE, role = TEXT_NONE, origin = TEXT_NONE,
	    created = TEXT_NONE, revoked;

	json_in_text(admin, "name", &name);
	json_in_text(admin, "role", &role);
	json_in_text(admin, "came_from", &origin);
	json_in_text(admin, "created_at", &created);
	buf_printf(out, "%-7.*s %-14.*s %.*s ", TEXT_ARGS(role),
	    TEXT_ARGS(origin), TEXT_ARGS(created));
	buf_add(out, name);
	if (json_in_text(admin, "revoked_at", &revoked))
		buf_printf(out, " (revoked %.*s)", TEXT_ARGS(revoked));
	buf_add_char(out, '\n');
}

static void
admin_list(struct people *work)
{
	struct command_db_answer answer;
	struct json_object *list, *admin;

	if (!people_find_tenant(work) ||
	    !people_call(work, "admin_list", NULL, 0, &answer))
		return;
	if (work->command->wants_json) {
		buf_add(&work->out, answer.body);
		buf_add_char(&work->out, '\n');
		return;
	}
	list = json_in_read(answer.body);
	for (size_t i = 0; (admin = json_in_element(list, i)) != NULL; i++)
		add_line(&work->out, admin);
	json_in_free(&list);
}

static void
show_revoked(struct people *work, text body)
{
	const char *name = work->command->words[1];
	struct json_object *admin = json_in_read(body);
	text origin;

	if (json_in_text(admin, "came_from", &origin) &&
	    text_is(origin, TEXT("configuration")))
		fprintf(stderr, "partyline: %s stands in the configuration "
		    "still; take that key out of it\n", name);
	json_in_free(&admin);
	if (work->command->wants_json) {
		buf_add(&work->out, body);
		buf_add_char(&work->out, '\n');
	} else
		buf_printf(&work->out, "%s was revoked in tenant %s, with "
		    "all tokens of that name\n", name, work->slug);
}

static void
admin_revoke(struct people *work)
{
	const text name = text_of(work->command->words[1]);
	struct command_db_answer answer;

	if (people_find_tenant(work) &&
	    people_call(work, "admin_revoke", &name, 1, &answer))
		show_revoked(work, answer.body);
}

int
command_admin(struct command *command)
{
	static const struct people_verb verbs[] = {
		{ "add", admin_add, 1, 1, "no more words", TAKES_NAME |
		    TAKES_ROLE | TAKES_KEY_FILE | TAKES_TENANT, TAKES_NAME },
		{ "list", admin_list, 1, 1, "no more words", TAKES_TENANT, 0 },
		{ "revoke", admin_revoke, 2, 2, "NAME", TAKES_TENANT, 0 },
	};

	return (people_run(command, verbs, sizeof verbs / sizeof verbs[0]));
}
