/* SPDX-License-Identifier: MIT */
/*
 * Verbs, their flags, and what they read before they do something.
 */
#include "role/command_people.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/conf_kind.h"
#include "core/json.h"
#include "role/command.h"

#define LIFE_MOST_MS (INT64_C(3650) * 86400 * 1000)
#define LONG_MS	(INT64_C(3600) * 1000)

bool
people_complain(struct people *work, int exit_code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("partyline: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	work->exit_code = exit_code;
	return (false);
}

bool
people_call_bare(struct people *work, const char *function,
    const text *inputs, unsigned count, struct command_db_answer *answer)
{
	return (command_db_call(work->db, function, NULL, inputs, count,
	    answer));
}

bool
people_call(struct people *work, const char *function, const text *inputs,
    unsigned count, struct command_db_answer *answer)
{
	struct call_context context = command_db_context(work->db,
	    work->tenant);

	return (command_db_call(work->db, function, &context, inputs, count,
	    answer));
}

bool
people_find_tenant(struct people *work)
{
	const char *slug = work->command->tenant != NULL ?
	    work->command->tenant : "default";
	const text inputs[2] = { TEXT_NONE, text_of(slug) };
	struct command_db_answer answer;
	struct json_object *tenant;
	int64_t id = 0;

	if (!people_call_bare(work, "tenant_find", inputs, 2, &answer))
		return (false);
	tenant = json_in_read(answer.body);
	if (tenant != NULL)
		json_in_int(tenant, "id", &id);
	json_in_free(&tenant);
	if (id < 1 || id > INT32_MAX)
		return (people_complain(work, EX_SOFTWARE,
		    "the database answers in an unknown form"));
	work->tenant = (int32_t)id;
	work->slug = slug;
	return (true);
}

bool
people_read_keyring(struct people *work)
{
	struct command_db_answer answer;

	if (!people_call_bare(work, "secret_list", NULL, 0, &answer))
		return (false);
	return (keyring_read(&work->keyring, work->conf->jwt_secret,
	    answer.body) || people_complain(work, EX_SOFTWARE,
	    "the secrets in the database are not understood"));
}

bool
people_read_name(struct people *work, text *name)
{
	*name = text_of(work->command->name);
	return (token_name_is_fit(*name) || people_complain(work, EX_DATAERR,
	    "--name: a name has 1 to %d characters, none of them a control",
	    TOKEN_NAME_MAX));
}

bool
people_read_role(struct people *work, enum rank *rank)
{
	const char *role = work->command->role;

	*rank = role == NULL ? RANK_ADMIN : rank_of(text_of(role));
	return (*rank != RANK_NONE || people_complain(work, EX_DATAERR,
	    "--role: there are admin, bot and viewer"));
}

bool
people_read_life(struct people *work, int64_t least_ms,
    const char *otherwise, int64_t *life_ms)
{
	const struct option_row kind = { .kind = CONF_span, .min = least_ms,
	    .max = LIFE_MOST_MS };
	const char *life = work->command->life != NULL ?
	    work->command->life : otherwise;
	struct buf why;
	bool is_good;

	buf_init(&why, BUF_NO_LIMIT);
	is_good = conf_kind_read(&kind, text_of(life), life_ms, &why) ||
	    people_complain(work, EX_DATAERR, "--life: %s", why.at);
	buf_fini(&why);
	return (is_good);
}

bool
people_read_line(struct people *work, const char *path, size_t most,
    text *line)
{
	bool is_standard = strcmp(path, "-") == 0;
	FILE *file = is_standard ? stdin : fopen(path, "re");
	/* A little more, so that what is too long is seen. */
	size_t room = most + 16;
	char *at = arena_alloc(&work->arena, room);
	size_t len;
	bool has_failed;

	if (file == NULL)
		return (people_complain(work, EX_NOINPUT, "%s: %s", path,
		    strerror(errno)));
	len = fread(at, 1, room, file);
	has_failed = ferror(file) != 0;
	if (!is_standard)
		fclose(file);
	if (has_failed)
		return (people_complain(work, EX_NOINPUT,
		    "%s cannot be read", path));
	*line = text_trim(text_from(at, len));
	return ((line->len > 0 && line->len <= most &&
	    !text_has(*line, '\n')) || people_complain(work, EX_DATAERR,
	    "%s: one line of 1 to %zu bytes is wanted", path, most));
}

void
people_add_foreign(struct buf *out, text json)
{
	for (size_t i = 0; i < json.len; i++) {
		unsigned char c = (unsigned char)json.at[i];
		bool is_c1 = c == 0xc2 && i + 1 < json.len &&
		    (unsigned char)json.at[i + 1] < 0xa0;

		/* Blanks are the only controls that stand outside texts. */
		if (c < 0x20)
			buf_add_char(out, ' ');
		else if (c == 0x7f || is_c1)
			buf_add_char(out, '?');
		else
			buf_add_char(out, (char)c);
		i += is_c1;
	}
}

/* The flags that were given, of those that not every verb takes. */
static unsigned
flags_given(const struct command *command)
{
	return ((command->key_file != NULL ? TAKES_KEY_FILE : 0) |
	    (command->life != NULL ? TAKES_LIFE : 0) |
	    (command->name != NULL ? TAKES_NAME : 0) |
	    (command->role != NULL ? TAKES_ROLE : 0) |
	    (command->tenant != NULL ? TAKES_TENANT : 0));
}

static const char *
flag_name(unsigned flags)
{
	return (flags & TAKES_KEY_FILE ? "--key-file" :
	    flags & TAKES_LIFE ? "--life" :
	    flags & TAKES_NAME ? "--name" :
	    flags & TAKES_ROLE ? "--role" : "--tenant");
}

/* EX_OK, or how it is misused. */
static int
check_use(const struct command *command, const struct people_verb *verb)
{
	unsigned given = flags_given(command);

	if (command->words_count < verb->least ||
	    command->words_count > verb->most)
		return (command_misused(command, "%s %s takes %s",
		    command->row->name, verb->name, verb->words));
	if ((given & ~verb->takes) != 0)
		return (command_misused(command, "%s %s does not take %s",
		    command->row->name, verb->name,
		    flag_name(given & ~verb->takes)));
	if ((verb->needs & ~given) != 0)
		return (command_misused(command, "%s %s needs %s",
		    command->row->name, verb->name,
		    flag_name(verb->needs & ~given)));
	return (EX_OK);
}

static int
run(const struct command *command, const struct people_verb *verb,
    const struct conf *conf)
{
	struct people work = { .command = command, .conf = conf,
	    .exit_code = EX_OK };
	int written;

	work.db = command_db_open(command, conf, &work.exit_code);
	if (work.db == NULL)
		return (work.exit_code);
	arena_init(&work.arena);
	keyring_init(&work.keyring);
	buf_init(&work.out, BUF_NO_LIMIT);
	verb->act(&work);
	command_db_close(&work.db);
	keyring_fini(&work.keyring);
	arena_fini(&work.arena);
	written = command_answer(&work.out);
	return (work.exit_code != EX_OK ? work.exit_code : written);
}

static const struct people_verb *
find_verb(const struct command *command, const struct people_verb *verbs,
    unsigned count)
{
	for (unsigned i = 0; command->words_count > 0 && i < count; i++)
		if (strcmp(command->words[0], verbs[i].name) == 0)
			return (&verbs[i]);
	return (NULL);
}

static int
misused_verb(const struct command *command, const struct people_verb *verbs,
    unsigned count)
{
	struct buf names;
	int exit_code;

	buf_init(&names, BUF_NO_LIMIT);
	for (unsigned i = 0; i < count; i++)
		buf_printf(&names, "%s%s", i == 0 ? "" :
		    i + 1 < count ? ", " : " or ", verbs[i].name);
	exit_code = command_misused(command, "%s takes %s",
	    command->row->name, names.at);
	buf_fini(&names);
	return (exit_code);
}

int
people_run(const struct command *command, const struct people_verb *verbs,
    unsigned count)
{
	const struct people_verb *verb = find_verb(command, verbs, count);
	struct conf *conf;
	struct buf problems;
	int exit_code;

	if (verb == NULL)
		return (misused_verb(command, verbs, count));
	exit_code = check_use(command, verb);
	if (exit_code != EX_OK)
		return (exit_code);
	buf_init(&problems, BUF_NO_LIMIT);
	conf = command_conf(command, &problems);
	if (conf == NULL) {
		fputs(problems.at, stderr);
		exit_code = EX_CONFIG;
	} else {
		if ((verb->takes & TAKES_LONG) != 0)
			conf->db_timeout = LONG_MS;
		exit_code = run(command, verb, conf);
	}
	buf_fini(&problems);
	conf_destroy(&conf);
	return (exit_code);
}
