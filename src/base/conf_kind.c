/* SPDX-License-Identifier: MIT */
/*
 * The kinds of options. Each has a reader, which says what is wrong, and a
 * sentence on what is allowed; the two are put together in conf_put.
 */
#include "base/conf_kind.h"

#include <inttypes.h>
#include <limits.h>

#include "base/address.h"
#include "base/must.h"
#include "base/ports.h"
#include "base/secret.h"

#define SHOWN_MAX 60

/* Such that it fits into a line of a file with every sign escaped. */
#define VALUE_MAX 8000

struct unit {
	const char	*name;
	int64_t		 factor;
};

/* Largest first, because the largest that divides is shown. */
static const struct unit byte_units[] = { { "GiB", 1 << 30 },
    { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "", 1 }, { NULL, 0 } };
static const struct unit span_units[] = { { "d", 86400000 },
    { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
    { NULL, 0 } };

void
conf_show(text t, struct buf *out)
{
	size_t len = t.len;

	if (len > SHOWN_MAX) {
		/* Not in the middle of a sign. */
		for (len = SHOWN_MAX; len > 0 &&
		    ((unsigned char)t.at[len] & 0xc0) == 0x80;)
			len--;
	}
	for (size_t i = 0; i < len; i++)
		buf_add_char(out, (unsigned char)t.at[i] < ' ' ||
		    t.at[i] == 0x7f ? '?' : t.at[i]);
	if (len < t.len)
		buf_add_string(out, "...");
}

void
conf_quote(text t, struct buf *out)
{
	buf_add_char(out, '"');
	conf_show(t, out);
	buf_add_char(out, '"');
}

static bool
wrong(struct buf *why, text value, const char *what)
{
	conf_quote(value, why);
	buf_add_char(why, ' ');
	buf_add_string(why, what);
	return (false);
}

static const struct unit *
units_of(enum conf_kind kind)
{
	return (kind == CONF_bytes ? byte_units : span_units);
}

void
conf_kind_number(enum conf_kind kind, int64_t number, struct buf *out)
{
	const struct unit *unit;

	if (kind == CONF_count || number == 0) {
		buf_add_int(out, number);
		return;
	}
	for (unit = units_of(kind); number % unit->factor != 0; unit++)
		;
	buf_add_int(out, number / unit->factor);
	buf_add_string(out, unit->name);
}

static bool
read_flag(text value, int64_t *number_out, struct buf *why)
{
	if (!text_is(value, TEXT("on")) && !text_is(value, TEXT("off")))
		return (wrong(why, value, "is neither on nor off"));
	*number_out = text_is(value, TEXT("on"));
	return (true);
}

static bool
read_number(const struct option_row *row, text value, int64_t *number_out,
    struct buf *why)
{
	size_t digits = 0;
	int64_t number, factor = 1;
	text unit;

	while (digits < value.len && value.at[digits] >= '0' &&
	    value.at[digits] <= '9')
		digits++;
	unit = text_from(value.at + digits, value.len - digits);
	if (digits == 0 || (row->kind == CONF_count && unit.len > 0))
		return (wrong(why, value, "is not a whole number"));
	if (!text_to_int64(text_from(value.at, digits), 0, INT64_MAX,
	    &number))
		return (wrong(why, value, "is too large"));
	if (row->kind != CONF_count && number != 0) {
		const struct unit *known = units_of(row->kind);

		while (known->name != NULL &&
		    !text_is(unit, text_of(known->name)))
			known++;
		if (known->name == NULL)
			return (wrong(why, value, unit.len > 0 ?
			    "has an unknown unit" : "has no unit"));
		factor = known->factor;
	}
	if (__builtin_mul_overflow(number, factor, &number) ||
	    number > row->max)
		return (wrong(why, value, "is too large"));
	if (number < row->min)
		return (wrong(why, value, "is too small"));
	*number_out = number;
	return (true);
}

static bool
read_length(const struct option_row *row, text value, struct buf *why)
{
	int64_t len = (int64_t)value.len;

	if (len >= row->min && len <= row->max)
		return (true);
	buf_printf(why, "has %" PRId64 " %s", len,
	    len == 1 ? "byte" : "bytes");
	return (false);
}

static bool
read_path(text value, struct buf *why)
{
	if (value.len < PATH_MAX)
		return (true);
	return (wrong(why, value, "is too long for a path"));
}

static bool
read_hosts(const struct option_row *row, text value, struct buf *why)
{
	struct address address;
	text rest = value, word;
	const char *what;
	int64_t count = 0;

	while (text_next_word(&rest, &word)) {
		if (!address_read(word, &address, &what))
			return (wrong(why, word, what));
		count++;
	}
	if (count >= row->min)
		return (true);
	buf_add_string(why, "has no address");
	return (false);
}

static bool
read_nets(text value, struct buf *why)
{
	struct network network;
	text rest = value, word;
	const char *what;

	while (text_next_word(&rest, &word))
		if (!network_read(word, &network, &what))
			return (wrong(why, word, what));
	return (true);
}

static bool
read_ports(text value, struct buf *why)
{
	const char *what;
	text word;

	return (ports_read(value, &word, &what) || wrong(why, word, what));
}

static bool
is_one_of(text value, const char *choices)
{
	text rest = text_of(choices), choice;
	bool has_more;

	do {
		has_more = text_cut(rest, '|', &choice, &rest);
		if (text_is(value, choice))
			return (true);
	} while (has_more);
	return (false);
}

/* //path, or with who asks before it: //user:password@path. */
static bool
names_path(text rest)
{
	text ignored, path = text_from(rest.at + 2, rest.len - 2);

	if (!text_begins(path, TEXT("/")))
		text_cut(path, '@', &ignored, &path);
	return (text_begins(path, TEXT("/")));
}

static bool
read_url(const struct option_row *row, text value, struct buf *why)
{
	text scheme, rest;

	text_cut(value, ':', &scheme, &rest);
	if (text_is(scheme, TEXT("rediss"))) {
		buf_add_string(why, "rediss:// is Redis over TLS, which the "
		    "server does not speak: run a tunnel (stunnel, spiped) "
		    "and give its near end as redis:// or unix://");
		return (false);
	}
	if (!is_one_of(scheme, row->choices) ||
	    !text_begins(rest, TEXT("//")))
		buf_add_string(why, "is no url of a scheme that is known");
	else if (rest.len <= 2)
		buf_add_string(why, "names nothing behind ://");
	else if (text_is(scheme, TEXT("unix")) && !names_path(rest))
		buf_add_string(why, "has no path that begins with /");
	else if (text_has(rest, ' ') || text_has(rest, '\t') ||
	    text_has(rest, '\n'))
		buf_add_string(why, "has a blank, which is written %20 here");
	else
		return (read_length(row, value, why));
	return (false);
}

static bool
has_foreign_signs(text value)
{
	if (!text_is_utf8(value))
		return (true);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if ((c < ' ' && c != '\t' && c != '\n') || c == 0x7f)
			return (true);
	}
	return (false);
}

bool
conf_kind_read(const struct option_row *row, text written,
    int64_t *number_out, struct buf *why)
{
	*number_out = 0;
	if (has_foreign_signs(written)) {
		buf_add_string(why, "has a control sign or is not UTF-8");
		return (false);
	}
	if (written.len > VALUE_MAX) {
		buf_printf(why, "has more than %d bytes", VALUE_MAX);
		return (false);
	}
	if (written.len == 0 && row->value[0] == '\0')
		return (true);
	if (conf_kind_is_masked(row, written))
		return (true);
	switch (row->kind) {
	case CONF_flag:
		return (read_flag(written, number_out, why));
	case CONF_count:
	case CONF_bytes:
	case CONF_span:
		return (read_number(row, written, number_out, why));
	case CONF_text:
	case CONF_secret:
		return (read_length(row, written, why));
	case CONF_path:
		if (written.len == 0 && row->min > 0) {
			buf_add_string(why, "is empty");
			return (false);
		}
		return (read_path(written, why));
	case CONF_hosts:
		return (read_hosts(row, written, why));
	case CONF_nets:
		return (read_nets(written, why));
	case CONF_ports:
		return (read_ports(written, why));
	case CONF_url:
		return (read_url(row, written, why));
	case CONF_choice:
		return (is_one_of(written, row->choices) ||
		    wrong(why, written, "is none of the choices"));
	}
	must_never("the switch above knows every kind");
}

/* From behind ://user: to the last @ before the path, or else to the last. */
static bool
find_password(text url, text *password_out)
{
	static const char slashes[] = "://";
	const char *begin = memmem(url.at, url.len, slashes, 3);
	text rest, authority, user, ignored;

	if (begin == NULL)
		return (false);
	begin += 3;
	rest = text_from(begin, (size_t)(url.at + url.len - begin));
	text_cut(rest, '/', &authority, &ignored);
	if (!text_has(authority, '@'))
		authority = rest;
	return (text_cut_last(authority, '@', &authority, &ignored) &&
	    text_cut(authority, ':', &user, password_out) &&
	    password_out->len > 0);
}

static void
mask_query(text url, struct buf *out)
{
	static const char key[] = "password=";
	const char *found;

	while ((found = url.len == 0 ? NULL :
	    memmem(url.at, url.len, key, sizeof key - 1)) != NULL) {
		size_t head = (size_t)(found - url.at) + sizeof key - 1;

		buf_add(out, text_from(url.at, head));
		buf_add_string(out, SECRET_MASK);
		url = text_from(url.at + head, url.len - head);
		while (url.len > 0 && url.at[0] != '&')
			url = text_from(url.at + 1, url.len - 1);
	}
	buf_add(out, url);
}

bool
conf_kind_is_masked(const struct option_row *row, text written)
{
	if (row->kind == CONF_secret)
		return (text_is(written, TEXT(SECRET_MASK)));
	return (row->kind == CONF_url && written.len > 0 &&
	    memmem(written.at, written.len, SECRET_MASK,
	    sizeof SECRET_MASK - 1) != NULL);
}

void
conf_kind_mask(const struct option_row *row, text written, struct buf *out)
{
	text password;

	if (written.len == 0 || conf_kind_is_masked(row, written))
		buf_add(out, written);
	else if (row->kind == CONF_secret)
		buf_add_string(out, SECRET_MASK);
	else if (row->kind != CONF_url)
		buf_add(out, written);
	else if (find_password(written, &password)) {
		const char *behind = password.at + password.len;

		buf_add(out, text_from(written.at,
		    (size_t)(password.at - written.at)));
		buf_add_string(out, SECRET_MASK);
		mask_query(text_from(behind,
		    (size_t)(written.at + written.len - behind)), out);
	} else
		mask_query(written, out);
}

static void
add_list(const char *choices, const char *behind, struct buf *out)
{
	text rest = text_of(choices), choice;
	bool has_more = text_cut(rest, '|', &choice, &rest);

	for (;;) {
		buf_add(out, choice);
		buf_add_string(out, behind);
		if (!has_more)
			return;
		has_more = text_cut(rest, '|', &choice, &rest);
		buf_add_string(out, has_more ? ", " : " or ");
	}
}

static void
add_bounds(const struct option_row *row, struct buf *out)
{
	conf_kind_number(row->kind, row->min, out);
	buf_add_string(out, " to ");
	conf_kind_number(row->kind, row->max, out);
}

void
conf_allowed(const struct option_row *row, struct buf *out)
{
	switch (row->kind) {
	case CONF_flag:
		buf_add_string(out, "on or off");
		break;
	case CONF_count:
		add_bounds(row, out);
		break;
	case CONF_bytes:
		add_bounds(row, out);
		buf_add_string(out, " (units: KiB, MiB, GiB)");
		break;
	case CONF_span:
		add_bounds(row, out);
		buf_add_string(out, " (units: ms, s, min, h, d)");
		break;
	case CONF_text:
	case CONF_secret:
		buf_printf(out, "%" PRId64 " to %" PRId64 " bytes", row->min,
		    row->max);
		break;
	case CONF_path:
		buf_add_string(out, "the path of a file or folder");
		break;
	case CONF_hosts:
		buf_add_string(out, "addresses with blanks between, such as "
		    "127.0.0.1:5000, [::1]:5000, unix:/path");
		break;
	case CONF_nets:
		buf_add_string(out, "networks with blanks between, such as "
		    "10.0.0.0/8, ::1, or the word unix");
		break;
	case CONF_ports:
		buf_add_string(out, "ports with blanks between, such as 443 "
		    "or 8000-8999");
		break;
	case CONF_url:
		add_list(row->choices, "://...", out);
		buf_printf(out, " of at most %" PRId64 " bytes", row->max);
		break;
	case CONF_choice:
		add_list(row->choices, "", out);
		break;
	}
	if (row->value[0] == '\0' && !((row->kind == CONF_text ||
	    row->kind == CONF_secret) && row->min == 0))
		buf_add_string(out, ", or nothing");
}

const char *
conf_kind_name(enum conf_kind kind)
{
	static const char *const names[] = {
		[CONF_flag] = "flag", [CONF_count] = "count",
		[CONF_bytes] = "bytes", [CONF_span] = "span",
		[CONF_text] = "text", [CONF_secret] = "secret",
		[CONF_path] = "path", [CONF_hosts] = "hosts",
		[CONF_nets] = "nets", [CONF_ports] = "ports",
		[CONF_url] = "url", [CONF_choice] = "choice",
	};

	return (names[kind]);
}
