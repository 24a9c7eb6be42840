/* SPDX-License-Identifier: MIT */
/*
 * Reading a url of Redis.
 */
#include "base/redis_url.h"

#define DB_MOST 65535

static int
digit_of(char c)
{
	return (c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1);
}

/* With %XX resolved and a NUL behind: false where that cannot be. */
static bool
take(text t, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < t.len; i++) {
		char c = t.at[i];

		if (c == '%') {
			int high = i + 2 < t.len ? digit_of(t.at[i + 1]) : -1;
			int low = high >= 0 ? digit_of(t.at[i + 2]) : -1;

			if (low < 0 || (high == 0 && low == 0))
				return (false);
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0' || len + 1 >= size)
			return (false);
		out[len++] = c;
	}
	out[len] = '\0';
	return (true);
}

/* What would not be masked is not taken for a password. */
static bool
take_login(text login, struct redis_url *out, const char **why_out)
{
	text user, password;

	if (!text_cut(login, ':', &user, &password)) {
		*why_out = "has a word before @ without the : that begins "
		    "a password";
		return (false);
	}
	if (take(user, out->user, sizeof out->user) &&
	    take(password, out->password, sizeof out->password))
		return (true);
	*why_out = "has a user or a password that cannot be used";
	return (false);
}

static bool
take_host(text place, struct redis_url *out, const char **why_out)
{
	text host = place, port = TEXT_NONE;
	int64_t number = REDIS_PORT;
	bool has_port;

	if (text_begins(place, TEXT("["))) {
		text behind;

		if (!text_cut(text_from(place.at + 1, place.len - 1), ']',
		    &host, &behind) ||
		    (behind.len > 0 && behind.at[0] != ':')) {
			*why_out = "has a [ without its ]";
			return (false);
		}
		has_port = behind.len > 0;
		if (has_port)
			port = text_from(behind.at + 1, behind.len - 1);
	} else
		has_port = text_cut(place, ':', &host, &port);
	if (has_port && !text_to_int64(port, 1, UINT16_MAX, &number)) {
		*why_out = "has a port that is no number from 1 to 65535";
		return (false);
	}
	out->port = (uint16_t)number;
	if (host.len > 0 && take(host, out->host, sizeof out->host))
		return (true);
	*why_out = "has no host that can be used";
	return (false);
}

static bool
take_db(text db, struct redis_url *out, const char **why_out)
{
	int64_t number = 0;

	if (db.len > 0 && !text_to_int64(db, 0, DB_MOST, &number)) {
		*why_out = "names a database that is no number";
		return (false);
	}
	out->db = (unsigned)number;
	return (true);
}

static bool
read_unix(text path, struct redis_url *out, const char **why_out)
{
	text query, db = TEXT_NONE;

	out->is_unix = true;
	if (text_cut(path, '?', &path, &query)) {
		if (!text_begins(query, TEXT("db="))) {
			*why_out = "has something else than db=… behind ?";
			return (false);
		}
		db = text_from(query.at + 3, query.len - 3);
	}
	if (path.len == 0 || path.at[0] != '/' ||
	    !take(path, out->path, sizeof out->path)) {
		*why_out = "has no path of at most 107 bytes that begins "
		    "with /";
		return (false);
	}
	return (take_db(db, out, why_out));
}

/*
 * A password may have a / of its own where an @ comes behind it; and that of
 * a host more than one @.
 */
static bool
cut_login(text rest, bool is_unix, text *login_out)
{
	text head, ignored;

	if (is_unix)
		return (!text_begins(rest, TEXT("/")) &&
		    text_cut(rest, '@', login_out, &ignored));
	text_cut(rest, '/', &head, &ignored);
	return (text_cut_last(text_has(head, '@') ? head : rest, '@',
	    login_out, &ignored));
}

bool
redis_url_read(text url, struct redis_url *out, const char **why_out)
{
	bool is_unix = text_begins(url, TEXT("unix://"));
	text rest, login, place, db = TEXT_NONE;

	*out = (struct redis_url){ .is_unix = is_unix };
	if (!is_unix && !text_begins(url, TEXT("redis://"))) {
		*why_out = "begins with neither redis:// nor unix://";
		return (false);
	}
	rest = text_from(url.at + (is_unix ? 7 : 8),
	    url.len - (is_unix ? 7 : 8));
	if (cut_login(rest, is_unix, &login)) {
		if (!take_login(login, out, why_out))
			return (false);
		rest = text_from(rest.at + login.len + 1,
		    rest.len - login.len - 1);
	}
	if (is_unix)
		return (read_unix(rest, out, why_out));
	text_cut(rest, '/', &place, &db);
	return (take_host(place, out, why_out) &&
	    take_db(db, out, why_out));
}
