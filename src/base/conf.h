/* SPDX-License-Identifier: MIT */
/*
 * The configuration: a struct with one member for each row of
 * tbl/options.h, and where each value came from.
 *
 * Values come from the table, the file, the environment and the command
 * line; the later wins:
 *
 *	conf = conf_create();
 *	if (!conf_read_file(conf, path, &problems) ||
 *	    !conf_read_environment(conf, environ, &problems) ||
 *	    !conf_set(conf, text_of("workers=4"), &problems) ||
 *	    !conf_check(conf, &problems))
 *		... each line of problems says
 *		    FILE:LINE: option: what is wrong; allowed: what is ...
 *
 * Holds always:
 *  1. A reader goes on after an error, so that all are told at once.
 *  2. Secrets are masked by every function here that prints; what was
 *     printed, read back and printed again gives the same bytes. A mask that
 *     is read back is kept as a mask: it prints as one, the value is unset,
 *     and conf_check refuses it, because a server must not start without
 *     the secret that its configuration once had.
 *  3. A configuration in use is never changed: a reload makes another.
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

typedef bool conf_flag;
typedef int64_t conf_count, conf_bytes, conf_span;
typedef const char *conf_text, *conf_secret, *conf_path, *conf_hosts,
    *conf_nets, *conf_ports, *conf_url;

enum conf_kind { CONF_flag, CONF_count, CONF_bytes, CONF_span, CONF_text,
    CONF_secret, CONF_path, CONF_hosts, CONF_nets, CONF_ports, CONF_url,
    CONF_choice };

enum option {
#define OPTION(name, kind, value, min, max, when, text) OPTION_##name,
#define CHOICE(name, value, choices, when, text) OPTION_##name,
#define URL(name, schemes, max, when, text) OPTION_##name,
#include "tbl/options.h"
#undef OPTION
#undef CHOICE
#undef URL
	OPTIONS
};

struct option_row {
	const char	*name;
	enum conf_kind	 kind;
	const char	*value;		/* the default, as written */
	const char	*choices;	/* of a choice; a url's schemes */
	int64_t		 min;
	int64_t		 max;
	bool		 may_reload;
	size_t		 offset;	/* in struct conf */
	const char	*text;
};
extern const struct option_row option_rows[OPTIONS];

struct conf {
	unsigned	 magic;
#define CONF_MAGIC 0x636f6e66
#define OPTION(name, kind, value, min, max, when, text) conf_##kind name;
#define CHOICE(name, value, choices, when, text) conf_text name;
#define URL(name, schemes, max, when, text) conf_url name;
#include "tbl/options.h"
#undef OPTION
#undef CHOICE
#undef URL
	/* As written, and from where: "default", "file:3", "PORT", "--set". */
	char		*written[OPTIONS];
	char		*origin[OPTIONS];
};

struct conf	*conf_create(void);
void		 conf_destroy(struct conf **conf);

/* false: something was added to problems, a line each. */
bool	conf_read_file(struct conf *conf, const char *path,
	    struct buf *problems);
bool	conf_read_text(struct conf *conf, text content, const char *name,
	    struct buf *problems);
bool	conf_read_environment(struct conf *conf, char *const *environment,
	    struct buf *problems);
bool	conf_set(struct conf *conf, text assignment, struct buf *problems);
/* What can only be seen in all of it together. */
bool	conf_check(const struct conf *conf, struct buf *problems);

/* As a file; only what is not at its default, with its origin. */
void	conf_print(const struct conf *conf, struct buf *out);
void	conf_print_diff(const struct conf *conf, struct buf *out);
void	conf_print_json(const struct conf *conf, bool only_diff,
	    struct buf *out);

/* The options that differ but need a restart: names, with a blank between. */
void	conf_needs_restart(const struct conf *was, const struct conf *is,
	    struct buf *out);

/* What is empty gets a value that was made, by whoever origin names. */
void	conf_fill(struct conf *conf, enum option option, const char *value,
	    const char *origin);

/* Takes them over from the former one, as a reload does. */
void	conf_keep_boot_options(struct conf *conf, const struct conf *was);

bool	conf_is_default(const struct conf *conf, enum option option);
/* What may be written for it, in words. */
void	conf_allowed(const struct option_row *row, struct buf *out);
/* Its variable of the environment; the one of old, or NULL. */
void	conf_variable(const struct option_row *row, struct buf *out);
const char *conf_legacy_variable(enum option option);
/* Whether PARTYLINE_X_FILE may name a file that holds it. */
bool	conf_has_file_variable(const struct option_row *row);
const char *conf_kind_name(enum conf_kind kind);

#endif
