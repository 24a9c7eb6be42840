/* SPDX-License-Identifier: MIT */
/*
 * Where values come from: the file, the environment, the command line.
 *
 * A file is lines of `name = value`. A # at the start of a line or after a
 * blank begins a comment. A value may stand in double quotes, and must where
 * it begins or ends with a blank, or has a # after a blank; in quotes are
 * \" \\ \n and \t.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/conf_kind.h"
#include "base/mem.h"
#include "base/spelling.h"

#define FILE_MAX	(1024 * 1024)
#define LINE_MAX_BYTES	(16 * 1024)
#define SECRET_FILE_MAX	(64 * 1024)
#define PROBLEMS_MAX	20

static const char prefix[] = "PARTYLINE_";

/* What today's installations of the picker set. */
static const struct {
	const char	*variable;
	enum option	 option;
} legacy[] = {
	{ "ADMIN_CONFIG_PATH", OPTION_admins_file },
	{ "ADMIN_KEY", OPTION_admin_key },
	{ "DATABASE_URL", OPTION_database_url },
	{ "JWT_SECRET", OPTION_jwt_secret },
	{ "PORT", OPTION_listen },
	{ "REDIS_URL", OPTION_redis_url },
};
#define LEGACY (sizeof legacy / sizeof legacy[0])

static bool
find_option(text name, enum option *option_out)
{
	for (enum option i = 0; i < OPTIONS; i++)
		if (text_is(name, text_of(option_rows[i].name))) {
			*option_out = i;
			return (true);
		}
	return (false);
}

static void
tell_unknown(text name, const char *origin, struct buf *problems)
{
	struct spelling spelling;
	const char *nearest;

	spelling_init(&spelling, name);
	for (enum option i = 0; i < OPTIONS; i++)
		spelling_try(&spelling, option_rows[i].name);
	nearest = spelling_nearest(&spelling);
	buf_printf(problems, "%s: ", origin);
	conf_show(name, problems);
	buf_add_string(problems, ": there is no such option; ");
	if (nearest != NULL)
		buf_printf(problems, "did you mean %s?\n", nearest);
	else
		buf_add_string(problems,
		    "allowed: those that partyline -x options lists\n");
}

/* false, with errno, or EFBIG. What out had is gone. */
static bool
read_all(const char *path, size_t most, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	char piece[4096];
	ssize_t n;

	if (fd < 0)
		return (false);
	buf_clear(out);
	do {
		n = read(fd, piece, sizeof piece);
		if (n < 0 && errno != EINTR)
			error = errno;
		else if (n > 0 && out->len + (size_t)n > most)
			error = EFBIG;
		else if (n > 0)
			buf_add(out, text_from(piece, (size_t)n));
	} while (n != 0 && error == 0);
	explicit_bzero(piece, sizeof piece);
	close(fd);
	errno = error;
	return (error == 0);
}

static void
wipe(struct buf *buf)
{
	explicit_bzero(buf->at, buf->len);
	buf_fini(buf);
}

/* Reads what stands in quotes; NULL, or what is wrong. */
static const char *
read_quoted(text t, struct buf *out)
{
	size_t i = 1;

	for (; i < t.len && t.at[i] != '"'; i++) {
		char c = t.at[i];

		if (c == '\\') {
			i++;
			c = i < t.len ? t.at[i] : '\0';
			if (c == 'n')
				c = '\n';
			else if (c == 't')
				c = '\t';
			else if (c != '"' && c != '\\')
				return ("has a \\ that is not one of "
				    "\\\" \\\\ \\n \\t");
		}
		buf_add_char(out, c);
	}
	if (i >= t.len)
		return ("has no closing quote");
	t = text_from(t.at + i + 1, t.len - i - 1);
	if (text_trim(t).len > 0 && text_trim(t).at[0] != '#')
		return ("has something behind its closing quote");
	return (NULL);
}

static text
without_comment(text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] == '#' && (i == 0 || t.at[i - 1] == ' ' ||
		    t.at[i - 1] == '\t'))
			return (text_trim(text_from(t.at, i)));
	return (t);
}

struct reading {
	struct conf	*conf;
	const char	*name;
	unsigned	 line;
	unsigned	 wrongs;
	unsigned	 seen[OPTIONS];	/* in which line; 0: not yet */
	struct buf	*problems;
};

static void
tell(struct reading *reading, const char *what)
{
	buf_printf(reading->problems, "%s:%u: %s\n", reading->name,
	    reading->line, what);
	reading->wrongs++;
}

static void
read_assignment(struct reading *reading, text name, text value)
{
	struct buf origin, unquoted;
	const char *what = NULL;
	enum option option;

	buf_init(&origin, BUF_NO_LIMIT);
	buf_init(&unquoted, BUF_NO_LIMIT);
	buf_printf(&origin, "%s:%u", reading->name, reading->line);
	if (!find_option(name, &option)) {
		tell_unknown(name, origin.at, reading->problems);
		reading->wrongs++;
		goto out;
	}
	if (value.len > 0 && value.at[0] == '"')
		what = read_quoted(value, &unquoted);
	else
		buf_add(&unquoted, without_comment(value));
	if (what != NULL) {
		buf_printf(reading->problems, "%s: %s: %s; allowed: ",
		    origin.at, option_rows[option].name, what);
		conf_allowed(&option_rows[option], reading->problems);
		buf_add_char(reading->problems, '\n');
		reading->wrongs++;
	} else if (reading->seen[option] != 0) {
		buf_printf(reading->problems, "%s: %s: is given twice, first "
		    "in line %u; allowed: once\n", origin.at,
		    option_rows[option].name, reading->seen[option]);
		reading->wrongs++;
	} else if (!conf_put(reading->conf, option, buf_text(&unquoted),
	    origin.at, reading->problems))
		reading->wrongs++;
	if (reading->seen[option] == 0)
		reading->seen[option] = reading->line;
out:
	wipe(&unquoted);
	buf_fini(&origin);
}

static void
read_line(struct reading *reading, text line)
{
	text name, value;

	if (line.len > LINE_MAX_BYTES) {
		tell(reading, "the line is longer than 16 KiB");
		return;
	}
	if (line.len > 0 && memchr(line.at, '\0', line.len) != NULL) {
		tell(reading, "the line holds a NUL byte");
		return;
	}
	if (!text_is_utf8(line)) {
		tell(reading, "the line is not UTF-8");
		return;
	}
	line = text_trim(line);
	if (line.len == 0 || line.at[0] == '#')
		return;
	if (!text_cut(line, '=', &name, &value) ||
	    text_trim(name).len == 0) {
		tell(reading, "this is not name = value");
		return;
	}
	read_assignment(reading, text_trim(name), text_trim(value));
}

bool
conf_read_text(struct conf *conf, text content, const char *name,
    struct buf *problems)
{
	struct reading reading = { .conf = conf, .name = name,
	    .problems = problems };
	text line;
	bool has_more = true;

	if (content.len > FILE_MAX) {
		buf_printf(problems, "%s: is larger than 1 MiB\n", name);
		return (false);
	}
	if (text_begins(content, TEXT("\xef\xbb\xbf")))
		content = text_from(content.at + 3, content.len - 3);
	while (has_more) {
		has_more = text_cut(content, '\n', &line, &content);
		reading.line++;
		read_line(&reading, line);
		if (reading.wrongs == PROBLEMS_MAX) {
			tell(&reading, "too many problems, the rest is not "
			    "read");
			break;
		}
	}
	return (reading.wrongs == 0);
}

bool
conf_read_file(struct conf *conf, const char *path, struct buf *problems)
{
	struct buf content;
	bool is_good = false;

	buf_init(&content, BUF_NO_LIMIT);
	if (read_all(path, FILE_MAX, &content))
		is_good = conf_read_text(conf, buf_text(&content), path,
		    problems);
	else if (errno == EFBIG)
		buf_printf(problems, "%s: is larger than 1 MiB\n", path);
	else
		buf_printf(problems, "%s: cannot be read: %s\n", path,
		    strerror(errno));
	wipe(&content);
	return (is_good);
}

void
conf_variable(const struct option_row *row, struct buf *out)
{
	buf_add_string(out, prefix);
	for (const char *at = row->name; *at != '\0'; at++)
		buf_add_char(out, (char)toupper((unsigned char)*at));
}

const char *
conf_legacy_variable(enum option option)
{
	for (size_t i = 0; i < LEGACY; i++)
		if (legacy[i].option == option)
			return (legacy[i].variable);
	return (NULL);
}

bool
conf_has_file_variable(const struct option_row *row)
{
	return (row->kind == CONF_secret || row->kind == CONF_url);
}

/* PARTYLINE_X, and with is_file_out PARTYLINE_X_FILE. */
static bool
find_variable(text name, enum option *option_out, bool *is_file_out)
{
	static const text file = TEXT("_FILE");
	char lower[64];
	size_t len = name.len - (sizeof prefix - 1);

	if (len > sizeof lower)
		return (false);
	for (size_t i = 0; i < len; i++) {
		char c = name.at[sizeof prefix - 1 + i];

		if (islower((unsigned char)c))
			return (false);
		lower[i] = (char)tolower((unsigned char)c);
	}
	*is_file_out = false;
	if (find_option(text_from(lower, len), option_out))
		return (true);
	*is_file_out = true;
	return (len > file.len && text_is_like(file,
	    text_from(lower + len - file.len, file.len)) &&
	    find_option(text_from(lower, len - file.len), option_out) &&
	    conf_has_file_variable(&option_rows[*option_out]));
}

static bool
put_from_file(struct conf *conf, enum option option, const char *path,
    const char *origin, struct buf *problems)
{
	struct buf content;
	text value;
	bool is_good = false;

	buf_init(&content, BUF_NO_LIMIT);
	if (!read_all(path, SECRET_FILE_MAX, &content))
		buf_printf(problems, "%s: %s: %s cannot be read: %s\n",
		    origin, option_rows[option].name, path,
		    strerror(errno));
	else {
		value = buf_text(&content);
		if (value.len > 0 && value.at[value.len - 1] == '\n')
			value.len--;
		if (value.len > 0 && value.at[value.len - 1] == '\r')
			value.len--;
		is_good = conf_put(conf, option, value, origin, problems);
	}
	wipe(&content);
	return (is_good);
}

/* What one variable says; which options were given is noted in seen. */
static bool
read_variable(struct conf *conf, text name, text value, bool seen[OPTIONS],
    struct buf *problems)
{
	struct buf origin;
	enum option option;
	bool is_file, is_good = false;

	buf_init(&origin, BUF_NO_LIMIT);
	buf_add(&origin, name);
	if (!find_variable(name, &option, &is_file)) {
		char lower[64];
		size_t len = 0;

		for (size_t i = sizeof prefix - 1; i < name.len &&
		    len < sizeof lower; i++)
			lower[len++] = (char)tolower(
			    (unsigned char)name.at[i]);
		tell_unknown(text_from(lower, len), origin.at, problems);
	} else if (seen[option])
		buf_printf(problems, "%s: %s: is given twice in the "
		    "environment; allowed: once, with or without _FILE\n",
		    origin.at, option_rows[option].name);
	else {
		seen[option] = true;
		is_good = is_file ? put_from_file(conf, option, value.at,
		    origin.at, problems) :
		    conf_put(conf, option, value, origin.at, problems);
	}
	buf_fini(&origin);
	return (is_good);
}

static bool
read_legacy(struct conf *conf, size_t which, text value,
    struct buf *problems)
{
	const char *variable = legacy[which].variable;
	enum option option = legacy[which].option;
	struct buf listen;
	int64_t port;
	bool is_good;

	if (option != OPTION_listen)
		return (conf_put(conf, option, value, variable, problems));
	if (!text_to_int64(value, 1, 65535, &port)) {
		buf_printf(problems, "%s: %s: ", variable,
		    option_rows[option].name);
		conf_quote(value, problems);
		buf_add_string(problems,
		    " is not a port; allowed: 1 to 65535\n");
		return (false);
	}
	buf_init(&listen, BUF_NO_LIMIT);
	buf_printf(&listen, "0.0.0.0:%d", (int)port);
	is_good = conf_put(conf, option, buf_text(&listen), variable,
	    problems);
	buf_fini(&listen);
	return (is_good);
}

bool
conf_read_environment(struct conf *conf, char *const *environment,
    struct buf *problems)
{
	bool seen[OPTIONS] = { false }, is_good = true;
	text name, value;

	for (char *const *at = environment; *at != NULL; at++)
		if (text_cut(text_of(*at), '=', &name, &value) &&
		    text_begins(name, text_of(prefix)) &&
		    !text_is(name, TEXT("PARTYLINE_FAULTS")))
			is_good &= read_variable(conf, name, value, seen,
			    problems);
	/* Those of old come second only in time: they give way. */
	for (char *const *at = environment; *at != NULL; at++) {
		text_cut(text_of(*at), '=', &name, &value);
		for (size_t i = 0; i < LEGACY; i++)
			if (text_is(name, text_of(legacy[i].variable)) &&
			    value.len > 0 && !seen[legacy[i].option])
				is_good &= read_legacy(conf, i, value,
				    problems);
	}
	return (is_good);
}

bool
conf_set(struct conf *conf, text assignment, struct buf *problems)
{
	text name, value;
	enum option option;

	if (!text_cut(assignment, '=', &name, &value)) {
		buf_add_string(problems, "--set: ");
		conf_quote(assignment, problems);
		buf_add_string(problems, " is not name=value; allowed: "
		    "--set workers=4, say\n");
		return (false);
	}
	name = text_trim(name);
	if (!find_option(name, &option)) {
		tell_unknown(name, "--set", problems);
		return (false);
	}
	return (conf_put(conf, option, value, "--set", problems));
}
