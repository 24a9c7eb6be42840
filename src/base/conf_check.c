/* SPDX-License-Identifier: MIT */
/*
 * What is wrong only in sight of several options together. A rule tells
 * where the option came from that the reader would have to change.
 */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/address.h"
#include "base/conf_kind.h"
#include "base/peer_hosts.h"
#include "base/redis_url.h"
#include "base/spans.h"

struct check {
	const struct conf	*conf;
	struct buf		*problems;
	bool			 is_good;
};

static void
begin(struct check *check, enum option option)
{
	check->is_good = false;
	buf_printf(check->problems, "%s: %s: ",
	    check->conf->origin[option], option_rows[option].name);
}

static void
refuse(struct check *check, enum option option, const char *what)
{
	begin(check, option);
	buf_printf(check->problems, "%s\n", what);
}

static bool
is_set(const struct conf *conf, enum option option)
{
	return (conf->written[option][0] != '\0');
}

static void
check_masks(struct check *check)
{
	for (enum option i = 0; i < OPTIONS; i++)
		if (conf_kind_is_masked(&option_rows[i],
		    text_of(check->conf->written[i])))
			refuse(check, i, "is masked, as config print shows "
			    "it; allowed: the secret itself, also through "
			    "the environment");
}

static void
check_file(struct check *check, enum option option)
{
	if (!is_set(check->conf, option)) {
		begin(check, OPTION_tls_listen);
		buf_printf(check->problems, "needs %s; allowed: with "
		    "tls_certificate and tls_key, or nothing\n",
		    option_rows[option].name);
		return;
	}
	if (access(check->conf->written[option], R_OK) == 0)
		return;
	begin(check, option);
	conf_quote(text_of(check->conf->written[option]), check->problems);
	buf_printf(check->problems, " cannot be read: %s; allowed: a PEM "
	    "file\n", strerror(errno));
}

static void
check_sizes(struct check *check)
{
	const struct conf *conf = check->conf;
	int64_t most = (conf->max_processes - 4) / 2;

	if (conf->workers > most) {
		begin(check, OPTION_workers);
		buf_printf(check->problems, "%" PRId64 " is too many for "
		    "max_processes %" PRId64 "; allowed: 0 to %" PRId64 "\n",
		    conf->workers, conf->max_processes, most);
	}
	if (conf->ring_record_max >= conf->ring_size / 4) {
		begin(check, OPTION_ring_record_max);
		buf_printf(check->problems, "%s is too large for ring_size "
		    "%s; allowed: less than a quarter of ring_size\n",
		    conf->written[OPTION_ring_record_max],
		    conf->written[OPTION_ring_size]);
	}
}

/* Goes through the addresses of all the lists, one after the other. */
struct walk {
	const struct conf	*conf;
	size_t			 list;
	text			 rest;
	text			 word;
	struct address		 address;
};

static const enum option lists[] = { OPTION_admin_listen, OPTION_listen,
    OPTION_tls_listen };
#define LISTS (sizeof lists / sizeof lists[0])

static bool
next_address(struct walk *walk)
{
	const char *ignored;

	while (!text_next_word(&walk->rest, &walk->word)) {
		if (++walk->list >= LISTS)
			return (false);
		walk->rest = text_of(walk->conf->written[lists[walk->list]]);
	}
	return (address_read(walk->word, &walk->address, &ignored));
}

static void
check_twice(struct check *check)
{
	struct walk walk = { .conf = check->conf,
	    .rest = text_of(check->conf->written[lists[0]]) };

	while (next_address(&walk)) {
		struct walk later = walk;

		while (next_address(&later)) {
			if (!address_is(&walk.address, &later.address))
				continue;
			begin(check, lists[later.list]);
			conf_quote(later.word, check->problems);
			buf_printf(check->problems, " is in %s already; "
			    "allowed: once\n",
			    option_rows[lists[walk.list]].name);
		}
	}
}

static void
check_redis(struct check *check)
{
	text written = text_of(check->conf->written[OPTION_redis_url]);
	struct redis_url url;
	const char *why;

	if (written.len == 0 ||
	    conf_kind_is_masked(&option_rows[OPTION_redis_url], written) ||
	    redis_url_read(written, &url, &why))
		return;
	begin(check, OPTION_redis_url);
	buf_printf(check->problems, "%s; allowed: "
	    "redis://:password@host:port/db or unix://:password@/path?db=db, "
	    "with %%XX for signs that mean something\n", why);
}

static void
check_schedule(struct check *check)
{
	struct spans spans;
	struct buf why;

	buf_init(&why, BUF_NO_LIMIT);
	if (!spans_read(text_of(check->conf->webhook_schedule), &spans,
	    &why)) {
		begin(check, OPTION_webhook_schedule);
		buf_add(check->problems, buf_text(&why));
		buf_printf(check->problems, "; allowed: up to %d spans of 1ms "
		    "to 30d with blanks between, such as 5s 5min 2h\n",
		    SPANS_MAX);
	}
	buf_fini(&why);
}

/*
 * What a peer sends is its clients': it says whose it is, and has to be
 * believed, or all of them would count as one.
 */
static void
check_trust(struct check *check, const struct peer_hosts *hosts)
{
	struct networks trusted;

	networks_init(&trusted, text_of(check->conf->trusted_proxies));
	for (unsigned i = 0; i < hosts->count; i++) {
		const struct peer_host *host = &hosts->at[i];

		if (host->number == check->conf->host_number ||
		    networks_hold(&trusted, &host->address))
			continue;
		begin(check, OPTION_peers);
		address_write(&host->address, check->problems);
		buf_add_string(check->problems, " is not in trusted_proxies; "
		    "allowed: hosts that are\n");
	}
	networks_fini(&trusted);
}

static void
check_peers(struct check *check)
{
	const struct conf *conf = check->conf;
	struct peer_hosts hosts;
	struct buf why;

	buf_init(&why, BUF_NO_LIMIT);
	if (!peer_hosts_read(text_of(conf->peers), &hosts, &why)) {
		begin(check, OPTION_peers);
		buf_add(check->problems, buf_text(&why));
		buf_printf(check->problems, "; allowed: up to %d of "
		    "NUMBER=ADDRESS with blanks between, such as "
		    "1=10.0.0.1:5000 2=[fd00::2]:5000\n", PEER_HOSTS_MAX);
	} else if (hosts.count > 0 && conf->host_number == 0) {
		refuse(check, OPTION_peers, "needs host_number, by which the "
		    "peers know this one; allowed: with it, or nothing");
	} else
		check_trust(check, &hosts);
	buf_fini(&why);
}

/* What stands there in an address, as it is. */
static bool
is_of_path(char c)
{
	return ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (c != '\0' &&
	    strchr("/-._~", c) != NULL));
}

static void
check_path(struct check *check)
{
	static const char *const ours[] = { "/api/", "/clients/",
	    "/conversation/", "/debug/", "/docs/", "/engine.io/",
	    "/havefun/", "/t/" };
	const char *path = check->conf->socketio_path;
	size_t len = strlen(path);
	bool is_good = path[0] == '/' && path[len - 1] == '/' &&
	    strstr(path, "//") == NULL;

	for (size_t i = 0; i < len; i++)
		is_good = is_good && is_of_path(path[i]);
	if (!is_good)
		refuse(check, OPTION_socketio_path, "is no path of a folder; "
		    "allowed: letters, digits and -._~ between slashes, "
		    "first and last a slash");
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (text_begins(text_of(path), text_of(ours[i])))
			refuse(check, OPTION_socketio_path, "is where the "
			    "server has other things; allowed: a path that "
			    "begins in another way, such as /socket.io/");
}

bool
conf_check(const struct conf *conf, struct buf *problems)
{
	struct check check = { conf, problems, true };

	check_masks(&check);
	check_sizes(&check);
	check_twice(&check);
	check_redis(&check);
	check_schedule(&check);
	check_path(&check);
	check_peers(&check);
	if (is_set(conf, OPTION_tls_listen)) {
		check_file(&check, OPTION_tls_certificate);
		check_file(&check, OPTION_tls_key);
	}
	if (is_set(conf, OPTION_migrate_url) &&
	    !is_set(conf, OPTION_database_url))
		refuse(&check, OPTION_migrate_url, "needs database_url; "
		    "allowed: with it, or nothing");
	return (check.is_good);
}
