/* SPDX-License-Identifier: MIT */
/*
 * The values of a configuration: the rows, the defaults, and the one way by
 * which a value gets in.
 */
#include "base/conf.h"

#include "base/conf_kind.h"
#include "base/mem.h"

enum { RESTART, RELOAD };

const struct option_row option_rows[OPTIONS] = {
#define OPTION(name, kind, value, min, max, when, text)			\
	{ #name, CONF_##kind, value, NULL, min, max, when == RELOAD,	\
	    offsetof(struct conf, name), text },
#define CHOICE(name, value, choices, when, text)			\
	{ #name, CONF_choice, value, choices, 0, 0, when == RELOAD,	\
	    offsetof(struct conf, name), text },
#define URL(name, schemes, max, when, text)				\
	{ #name, CONF_url, "", schemes, 0, max, when == RELOAD,		\
	    offsetof(struct conf, name), text },
#include "tbl/options.h"
#undef OPTION
#undef CHOICE
#undef URL
};

static void
replace(char **kept, text value)
{
	char *copy = mem_copy_text(value);

	mem_free(*kept);
	*kept = copy;
}

static void
store(struct conf *conf, enum option option, int64_t number)
{
	const struct option_row *row = &option_rows[option];
	void *place = (char *)conf + row->offset;

	switch (row->kind) {
	case CONF_flag:
		*(conf_flag *)place = number != 0;
		break;
	case CONF_count:
	case CONF_bytes:
	case CONF_span:
		*(int64_t *)place = number;
		break;
	default:
		*(conf_text *)place = conf_kind_is_masked(row,
		    text_of(conf->written[option])) ? "" :
		    conf->written[option];
		break;
	}
}

bool
conf_put(struct conf *conf, enum option option, text written,
    const char *origin, struct buf *problems)
{
	const struct option_row *row = &option_rows[option];
	struct buf why;
	int64_t number;
	bool is_good;

	object_check(conf, CONF_MAGIC);
	buf_init(&why, BUF_NO_LIMIT);
	is_good = conf_kind_read(row, written, &number, &why);
	if (is_good) {
		replace(&conf->written[option], written);
		replace(&conf->origin[option], text_of(origin));
		store(conf, option, number);
	} else {
		buf_printf(problems, "%s: %s: %s; allowed: ", origin,
		    row->name, why.at);
		conf_allowed(row, problems);
		buf_add_char(problems, '\n');
	}
	buf_fini(&why);
	return (is_good);
}

void
conf_fill(struct conf *conf, enum option option, const char *value,
    const char *origin)
{
	struct buf problems;
	bool is_good;

	if (conf->written[option][0] != '\0')
		return;
	buf_init(&problems, BUF_NO_LIMIT);
	is_good = conf_put(conf, option, text_of(value), origin, &problems);
	must(is_good);
	buf_fini(&problems);
}

int64_t
conf_number(const struct conf *conf, enum option option)
{
	const struct option_row *row = &option_rows[option];
	const void *place = (const char *)conf + row->offset;

	if (row->kind == CONF_flag)
		return (*(const conf_flag *)place);
	return (*(const int64_t *)place);
}

static bool
is_number(enum option option)
{
	enum conf_kind kind = option_rows[option].kind;

	return (kind == CONF_flag || kind == CONF_count ||
	    kind == CONF_bytes || kind == CONF_span);
}

static bool
is_same(const struct conf *a, const struct conf *b, enum option option)
{
	if (is_number(option))
		return (conf_number(a, option) == conf_number(b, option));
	return (strcmp(a->written[option], b->written[option]) == 0);
}

bool
conf_is_default(const struct conf *conf, enum option option)
{
	struct buf ignored;
	int64_t number;
	bool is_good;

	if (!is_number(option))
		return (strcmp(conf->written[option],
		    option_rows[option].value) == 0);
	buf_init(&ignored, 0);
	is_good = conf_kind_read(&option_rows[option],
	    text_of(option_rows[option].value), &number, &ignored);
	must(is_good);
	return (conf_number(conf, option) == number);
}

struct conf *
conf_create(void)
{
	struct conf *conf = object_create(struct conf, CONF_MAGIC);
	struct buf problems;

	buf_init(&problems, BUF_NO_LIMIT);
	for (enum option i = 0; i < OPTIONS; i++) {
		bool is_good = conf_put(conf, i, text_of(option_rows[i].value),
		    "default", &problems);

		must(is_good);
	}
	buf_fini(&problems);
	return (conf);
}

void
conf_destroy(struct conf **destroyed)
{
	struct conf *conf = *destroyed;

	if (conf == NULL)
		return;
	object_check(conf, CONF_MAGIC);
	for (enum option i = 0; i < OPTIONS; i++) {
		/* Nobody shall find a secret in memory that is free. */
		explicit_bzero(conf->written[i], strlen(conf->written[i]));
		mem_free(conf->written[i]);
		mem_free(conf->origin[i]);
	}
	object_free(destroyed);
}

void
conf_needs_restart(const struct conf *was, const struct conf *is,
    struct buf *out)
{
	for (enum option i = 0; i < OPTIONS; i++)
		if (!option_rows[i].may_reload && !is_same(was, is, i)) {
			if (out->len > 0)
				buf_add_char(out, ' ');
			buf_add_string(out, option_rows[i].name);
		}
}

void
conf_keep_boot_options(struct conf *conf, const struct conf *was)
{
	struct buf problems;

	buf_init(&problems, BUF_NO_LIMIT);
	for (enum option i = 0; i < OPTIONS; i++) {
		bool is_good = option_rows[i].may_reload ||
		    conf_put(conf, i, text_of(was->written[i]),
		    was->origin[i], &problems);

		must(is_good);
	}
	buf_fini(&problems);
}
