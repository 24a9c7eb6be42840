/* SPDX-License-Identifier: MIT */
/*
 * `partyline tenant`: who is served, under which hosts, within which limits.
 * What it changes the running server hears in `control`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/conf_kind.h"
#include "base/mem.h"
#include "base/spelling.h"
#include "core/json.h"
#include "core/tenant.h"
#include "plat/share.h"
#include "role/command.h"
#include "role/command_db.h"
#include "role/tenant_copy.h"

struct at_work {
	const struct command	*command;
	struct command_db	*db;
	const char		*slug;
	struct buf		 out;
	int			 exit_code;
};

/* Settings: how a value is read into the text that PostgreSQL takes. */

static bool	read_hosts(text value, struct buf *out, struct buf *why);
static bool	read_origins(text value, struct buf *out, struct buf *why);
static bool	read_url(text value, struct buf *out, struct buf *why);

static const struct setting {
	const char	*name;
	bool		(*read)(text value, struct buf *out, struct buf *why);
	struct option_row kind;		/* where there is no read */
	bool		 may_be_none;
} settings[] = {
	{ "hosts", read_hosts, { .name = NULL }, false },
	{ "max_connections", NULL,
	    { .kind = CONF_count, .max = SHARES_MAX }, true },
	{ "max_events", NULL, { .kind = CONF_count, .max = INT32_MAX }, true },
	{ "max_requests", NULL,
	    { .kind = CONF_count, .max = INT32_MAX }, true },
	{ "max_storage", NULL,
	    { .kind = CONF_bytes, .max = INT64_C(1) << 50 }, true },
	{ "origins", read_origins, { .name = NULL }, false },
	{ "public_read", NULL, { .kind = CONF_flag }, false },
	{ "responder_url", read_url, { .name = NULL }, true },
	{ "retention_days", NULL,
	    { .kind = CONF_count, .min = 1, .max = 36500 }, true },
	{ "retention_events", NULL,
	    { .kind = CONF_count, .min = 1, .max = INT32_MAX }, true },
	{ "threads", NULL, { .kind = CONF_flag }, false },
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static bool
wrong(struct buf *why, text value, const char *what)
{
	conf_quote(value, why);
	buf_add_char(why, ' ');
	buf_add_string(why, what);
	return (false);
}

static bool
add_host(text host, struct buf *out, struct buf *why)
{
	static const char signs[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_:";
	char at[TENANT_HOST_MAX];
	text key = tenant_host_key(host, at);

	if (key.len == 0)
		return (wrong(why, host, "is no host"));
	for (size_t i = 0; i < key.len; i++)
		if (key.at[i] == '\0' || strchr(signs, key.at[i]) == NULL)
			return (wrong(why, host, "is no host; write it as "
			    "browsers send it, without a scheme"));
	call_array_add(out, key);
	return (true);
}

static bool
read_hosts(text value, struct buf *out, struct buf *why)
{
	text host;

	while (text_next_word(&value, &host))
		if (!add_host(host, out, why))
			return (false);
	call_array_end(out);
	return (true);
}

#define ORIGINS_MAX 64

/* As browsers send it: a scheme, a host and no more than a port. */
static bool
is_origin(text t)
{
	text rest = t;

	if (text_is(t, TEXT("*")))
		return (true);
	if (text_begins(t, TEXT("https://")))
		rest = text_from(t.at + 8, t.len - 8);
	else if (text_begins(t, TEXT("http://")))
		rest = text_from(t.at + 7, t.len - 7);
	else
		return (false);
	for (size_t i = 0; i < rest.len; i++)
		if (rest.at[i] <= ' ' || strchr("/?#@\\\"'<>,;",
		    rest.at[i]) != NULL)
			return (false);
	return (rest.len > 0);
}

static bool
read_origins(text value, struct buf *out, struct buf *why)
{
	unsigned count = 0;
	text origin;

	for (; text_next_word(&value, &origin); count++) {
		if (!is_origin(origin))
			return (wrong(why, origin, "is no origin; write * or "
			    "one as browsers send it, https://name"));
		call_array_add(out, origin);
	}
	if (count > ORIGINS_MAX) {
		buf_printf(why, "there can be %d", ORIGINS_MAX);
		return (false);
	}
	if (count == 0)
		call_array_add(out, TEXT("*"));
	call_array_end(out);
	return (true);
}

#define URL_MAX 2000

/* As the table takes it: with a host, without a password. */
static bool
read_url(text value, struct buf *out, struct buf *why)
{
	text rest = TEXT_NONE;

	if (text_begins(value, TEXT("https://")))
		rest = text_from(value.at + 8, value.len - 8);
	else if (text_begins(value, TEXT("http://")))
		rest = text_from(value.at + 7, value.len - 7);
	if (rest.len == 0 || rest.at[0] == '/' || rest.at[0] == '?')
		return (wrong(why, value, "is no address; write "
		    "https://name/path"));
	for (size_t i = 0; i < rest.len; i++)
		if (rest.at[i] <= ' ' || rest.at[i] > '~' ||
		    rest.at[i] == '@' || rest.at[i] == '#')
			return (wrong(why, value, "has a sign that it must "
			    "not have, or a password"));
	if (value.len > URL_MAX) {
		buf_printf(why, "it has more than %d bytes", URL_MAX);
		return (false);
	}
	buf_add(out, value);
	return (true);
}

/* A value into an element of the array of values. */
static bool
read_value(const struct setting *setting, text value, struct buf *values,
    struct buf *why)
{
	struct buf written;
	int64_t number;
	bool is_good;

	if (value.len == 0 && setting->may_be_none) {
		call_array_add(values, TEXT_NONE);
		return (true);
	}
	buf_init(&written, BUF_NO_LIMIT);
	if (setting->read != NULL)
		is_good = setting->read(value, &written, why);
	else {
		is_good = conf_kind_read(&setting->kind, value, &number, why);
		if (is_good)
			buf_add_int(&written, number);
	}
	if (is_good)
		call_array_add(values, buf_text(&written));
	buf_fini(&written);
	return (is_good);
}

static const struct setting *
find_setting(text name)
{
	struct spelling spelling;
	const char *nearest;

	spelling_init(&spelling, name);
	for (unsigned i = 0; i < SETTINGS; i++) {
		if (text_is(name, text_of(settings[i].name)))
			return (&settings[i]);
		spelling_try(&spelling, settings[i].name);
	}
	nearest = spelling_nearest(&spelling);
	fprintf(stderr, "partyline: a tenant has no setting \"%.*s\"",
	    TEXT_ARGS(name));
	if (nearest != NULL)
		fprintf(stderr, "; did you mean %s?\n", nearest);
	else {
		fputs("; there are", stderr);
		for (unsigned i = 0; i < SETTINGS; i++)
			fprintf(stderr, " %s", settings[i].name);
		fputc('\n', stderr);
	}
	return (NULL);
}

/* NAME=VALUE… as two arrays; all that is wrong is told. */
static int
read_settings(const struct command *command, struct buf *names,
    struct buf *values)
{
	int exit_code = EX_OK;
	struct buf why;

	buf_init(&why, BUF_NO_LIMIT);
	for (unsigned i = 2; i < command->words_count; i++) {
		const struct setting *setting;
		text name, value;

		if (!text_cut(text_of(command->words[i]), '=', &name,
		    &value)) {
			exit_code = command_misused(command,
			    "\"%s\" is not NAME=VALUE", command->words[i]);
			break;
		}
		setting = find_setting(name);
		if (setting == NULL) {
			exit_code = EX_DATAERR;
			continue;
		}
		buf_clear(&why);
		call_array_add(names, name);
		if (read_value(setting, value, values, &why))
			continue;
		fprintf(stderr, "partyline: %s: %s\n", setting->name, why.at);
		exit_code = EX_DATAERR;
	}
	call_array_end(names);
	call_array_end(values);
	buf_fini(&why);
	return (exit_code);
}

/* What is shown to a reader. */

static void
add_texts(struct buf *out, struct json_object *tenant, const char *name)
{
	struct json_object *item;
	text t;

	for (size_t i = 0; (item = json_in_item(tenant, name, i)) != NULL;
	    i++)
		if (json_in_as_text(item, &t)) {
			if (i > 0)
				buf_add_char(out, ' ');
			buf_add(out, t);
		}
}

static void
add_setting(struct buf *out, struct json_object *tenant,
    const struct setting *setting)
{
	int64_t number;
	bool is_on;
	text t;

	if (json_in_text(tenant, setting->name, &t))
		buf_add(out, t);
	else if (setting->read != NULL)
		add_texts(out, tenant, setting->name);
	else if (json_in_bool(tenant, setting->name, &is_on))
		buf_add_string(out, is_on ? "on" : "off");
	else if (json_in_int(tenant, setting->name, &number))
		conf_kind_number(setting->kind.kind, number, out);
}

static void
add_tenant(struct buf *out, struct json_object *tenant)
{
	text slug = TEXT_NONE, created = TEXT_NONE;
	int64_t id = 0;

	json_in_text(tenant, "slug", &slug);
	json_in_int(tenant, "id", &id);
	json_in_text(tenant, "created_at", &created);
	buf_printf(out, "tenant %.*s, id %" PRId64 ", of %.*s\n",
	    TEXT_ARGS(slug), id, TEXT_ARGS(created));
	for (unsigned i = 0; i < SETTINGS; i++) {
		buf_printf(out, "%-17s", settings[i].name);
		add_setting(out, tenant, &settings[i]);
		while (out->at[out->len - 1] == ' ')
			out->len--;
		buf_add_char(out, '\n');
	}
}

static void
add_line(struct buf *out, struct json_object *tenant)
{
	text slug = TEXT_NONE;

	json_in_text(tenant, "slug", &slug);
	buf_add(out, slug);
	if (json_in_item(tenant, "hosts", 0) != NULL) {
		buf_add_char(out, ' ');
		add_texts(out, tenant, "hosts");
	}
	buf_add_char(out, '\n');
}

static void
add_contents(struct buf *out, struct json_object *contents)
{
	static const char *const things[] = { "hosts", "admins", "sessions",
	    "events" };
	text slug = TEXT_NONE;
	int64_t count;

	json_in_text(contents, "slug", &slug);
	buf_printf(out, "tenant %.*s would be removed, with all that is its:",
	    TEXT_ARGS(slug));
	for (unsigned i = 0; i < 4; i++)
		if (json_in_int(contents, things[i], &count))
			buf_printf(out, "%s %s %" PRId64, i > 0 ? "," : "",
			    things[i], count);
	buf_add_char(out, '\n');
}

/* Calls. */

/* The answer as JSON, or as `add` shows it. */
static bool
call(struct at_work *work, const char *function, bool has_context,
    const text *inputs, unsigned count,
    void (*add)(struct buf *out, struct json_object *answer))
{
	struct call_context context = command_db_context(work->db, 0);
	struct command_db_answer answer;
	struct json_object *json;

	if (!command_db_call(work->db, function,
	    has_context ? &context : NULL, inputs, count, &answer))
		return (false);
	if (work->command->wants_json) {
		buf_add(&work->out, answer.body);
		buf_add_char(&work->out, '\n');
	} else if (add != NULL && (json = json_in_read(answer.body)) !=
	    NULL) {
		add(&work->out, json);
		json_in_free(&json);
	}
	return (true);
}

static void
tenant_add(struct at_work *work)
{
	const struct command *command = work->command;
	struct buf hosts, why;
	bool is_good = true;

	buf_init(&hosts, BUF_NO_LIMIT);
	buf_init(&why, BUF_NO_LIMIT);
	for (unsigned i = 0; is_good && i < command->hosts_count; i++)
		is_good = add_host(text_of(command->hosts[i]), &hosts, &why);
	call_array_end(&hosts);
	if (!is_good) {
		fprintf(stderr, "partyline: --host: %s\n", why.at);
		work->exit_code = EX_DATAERR;
	} else
		call(work, "tenant_add", true, (const text[]){
		    text_of(work->slug), buf_text(&hosts) }, 2, add_tenant);
	buf_fini(&why);
	buf_fini(&hosts);
}

static void
add_list(struct buf *out, struct json_object *list)
{
	struct json_object *tenant;

	for (size_t i = 0; (tenant = json_in_element(list, i)) != NULL; i++)
		add_line(out, tenant);
}

static void
tenant_list(struct at_work *work)
{
	call(work, "tenant_list", false, NULL, 0, add_list);
}

static void
tenant_show(struct at_work *work)
{
	call(work, "tenant_find", false, (const text[]){ TEXT_NONE,
	    text_of(work->slug) }, 2, add_tenant);
}

static void
tenant_set(struct at_work *work)
{
	struct buf names, values;

	buf_init(&names, BUF_NO_LIMIT);
	buf_init(&values, BUF_NO_LIMIT);
	work->exit_code = read_settings(work->command, &names, &values);
	if (work->exit_code == EX_OK)
		call(work, "tenant_set", true, (const text[]){
		    text_of(work->slug), buf_text(&names),
		    buf_text(&values) }, 3, add_tenant);
	buf_fini(&values);
	buf_fini(&names);
}

static void
tenant_remove(struct at_work *work)
{
	const text slug = text_of(work->slug);

	if (work->command->wants_yes) {
		if (call(work, "tenant_remove", true, &slug, 1, NULL) &&
		    !work->command->wants_json)
			buf_printf(&work->out, "tenant %s was removed\n",
			    work->slug);
	} else if (call(work, "tenant_contents", false, &slug, 1,
	    add_contents)) {
		fputs("partyline: nothing was done; --yes does it\n", stderr);
		work->exit_code = EX_USAGE;
	}
}

static void
tenant_out(struct at_work *work)
{
	work->exit_code = tenant_export(work->command, work->db, &work->out);
}

static void
tenant_in(struct at_work *work)
{
	work->exit_code = tenant_import(work->command, work->db, &work->out);
}

static const struct verb {
	const char	*name;
	void		(*act)(struct at_work *work);
	unsigned	 least, most;	/* words, the verb among them */
	const char	*words;
} verbs[] = {
	{ "add", tenant_add, 2, 2, "SLUG" },
	{ "export", tenant_out, 2, 3, "SLUG [FILE]" },
	{ "import", tenant_in, 2, 3, "SLUG [FILE]" },
	{ "list", tenant_list, 1, 1, "no more words" },
	{ "remove", tenant_remove, 2, 2, "SLUG" },
	{ "set", tenant_set, 3, (unsigned)-1, "SLUG NAME=VALUE..." },
	{ "show", tenant_show, 2, 2, "SLUG" },
};

static int
run(const struct command *command, const struct verb *verb,
    const struct conf *conf)
{
	struct at_work work = { .command = command, .exit_code = EX_OK,
	    .slug = command->words_count > 1 ? command->words[1] : NULL };
	int written;

	work.db = command_db_open(command, conf, &work.exit_code);
	if (work.db == NULL)
		return (work.exit_code);
	buf_init(&work.out, BUF_NO_LIMIT);
	verb->act(&work);
	command_db_close(&work.db);
	written = command_answer(&work.out);
	return (work.exit_code != EX_OK ? work.exit_code : written);
}

int
command_tenant(struct command *command)
{
	const struct verb *verb = NULL;
	struct conf *conf;
	struct buf problems;
	int exit_code;

	for (unsigned i = 0; command->words_count > 0 &&
	    i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(command->words[0], verbs[i].name) == 0)
			verb = &verbs[i];
	if (verb == NULL)
		return (command_misused(command,
		    "tenant takes add, list, show, set, remove, export or "
		    "import"));
	if (command->words_count < verb->least ||
	    command->words_count > verb->most)
		return (command_misused(command, "tenant %s takes %s",
		    verb->name, verb->words));
	if (command->hosts_count > 0 && verb->act != tenant_add)
		return (command_misused(command,
		    "only tenant add takes --host"));
	if (command->wants_no_hosts && verb->act != tenant_in)
		return (command_misused(command,
		    "only tenant import takes --no-hosts"));
	if (command->wants_yes && verb->act != tenant_remove)
		return (command_misused(command,
		    "only tenant remove takes --yes"));
	buf_init(&problems, BUF_NO_LIMIT);
	conf = command_conf(command, &problems);
	if (conf == NULL) {
		fputs(problems.at, stderr);
		exit_code = EX_CONFIG;
	} else
		exit_code = run(command, verb, conf);
	buf_fini(&problems);
	conf_destroy(&conf);
	return (exit_code);
}
