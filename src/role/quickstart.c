/* SPDX-License-Identifier: MIT */
/*
 * Quickstart: the private servers together, their secrets, and the greeting.
 */
#include "role/quickstart.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "plat/folder.h"
#include "role/private_secrets.h"
#include "role/private_server.h"

#define START_LOOK_MS	50
#define DEATHS_MOST	3	/* at the boot, until it is given up */
#define STOP_MOST_MS	10000	/* when it was given up */

struct quickstart {
	unsigned		 magic;
#define QUICKSTART_MAGIC 0x71756963
	struct private_place	 place;
	char			*path;
	char			*postgres_bin;
	struct private_server	 postgres;
	struct private_server	 redis;
	bool			 has_redis;
	bool			 key_is_unseen;
	char			 admin_key[ADMIN_KEY_SIZE];
	char			 database_url[PRIVATE_URL_SIZE];
	char			 migrate_url[PRIVATE_URL_SIZE];
	char			 redis_url[PRIVATE_URL_SIZE];
};

bool
quickstart_is_wanted(const struct conf *conf)
{
	return (conf->database_url[0] == '\0');
}

bool
quickstart_wants_redis(const struct conf *conf)
{
	return (conf->database_url[0] == '\0' && conf->redis_url[0] == '\0');
}

struct quickstart *
quickstart_create(const struct conf *conf, struct segment *segment,
    int state_dir)
{
	struct quickstart *q = object_create(struct quickstart,
	    QUICKSTART_MAGIC);
	const char *why;

	q->path = mem_copy_string(conf->state_dir);
	q->postgres_bin = mem_copy_string(conf->postgres_bin);
	q->place = (struct private_place){ .path = q->path,
	    .postgres_bin = q->postgres_bin, .state_dir = state_dir,
	    .run = -1, .is_root = geteuid() == 0, .segment = segment };
	quickstart_use_conf(q, conf);
	q->has_redis = quickstart_wants_redis(conf);
	if (q->place.is_root && !proc_user_resolve(conf->user,
	    &q->place.fallback, &why))
		die(EX_CONFIG, "user: %s", why);
	private_init(&q->postgres, &private_postgres, &q->place);
	if (q->has_redis)
		private_init(&q->redis, &private_redis, &q->place);
	private_forget_environment();
	return (q);
}

void
quickstart_destroy(struct quickstart **q)
{
	if (*q == NULL)
		return;
	object_check(*q, QUICKSTART_MAGIC);
	private_close_in_child(&(*q)->postgres);
	if ((*q)->has_redis)
		private_close_in_child(&(*q)->redis);
	if ((*q)->place.run >= 0)
		close((*q)->place.run);
	mem_free((*q)->path);
	mem_free((*q)->postgres_bin);
	object_free(q);
}

void
quickstart_use_conf(struct quickstart *q, const struct conf *conf)
{
	q->place.restart_max = conf->restart_max;
	q->place.beat_timeout = conf->beat_timeout;
}

static bool
has_given_up(struct private_server *server)
{
	struct private_place *place = server->place;

	if (server->state == PRIVATE_STARTING &&
	    server->answer == PING_REFUSED) {
		private_complain(place, EX_UNAVAILABLE, "the private %s "
		    "refuses our password (%s); remove %s/secrets and start "
		    "again: new ones are then made", server->acts->title,
		    server->answered, place->path);
		return (true);
	}
	if (server->deaths < DEATHS_MOST)
		return (false);
	private_complain_of_program(server, "does not start");
	return (true);
}

static bool
wait_until_ready(struct quickstart *q)
{
	while (q->postgres.state != PRIVATE_RUNNING ||
	    (q->has_redis && q->redis.state != PRIVATE_RUNNING)) {
		int64_t wait = quickstart_tick(q);
		pid_t pids[] = { q->postgres.pid,
		    q->has_redis ? q->redis.pid : 0 };

		for (unsigned i = 0; i < 2; i++) {
			int status;

			if (pids[i] > 0 && waitpid(pids[i], &status,
			    WNOHANG) == pids[i])
				quickstart_on_exit(q, pids[i], status);
		}
		if (has_given_up(&q->postgres) ||
		    (q->has_redis && has_given_up(&q->redis)))
			return (false);
		if (private_is_asked_to_stop())
			return (false);
		proc_pause(wait < START_LOOK_MS ? wait : START_LOOK_MS);
	}
	return (true);
}

void
quickstart_give_up(struct quickstart *q)
{
	struct private_server *servers[] = { &q->postgres, &q->redis };
	int status;

	quickstart_stop_begin(q);
	for (unsigned i = 0; i < 2; i++)
		if (servers[i]->pid > 0 && proc_wait(servers[i]->pid,
		    STOP_MOST_MS, &status))
			quickstart_on_exit(q, servers[i]->pid, status);
}

static bool
prepare_all(struct quickstart *q)
{
	struct private_place *place = &q->place;

	place->run = folder_open(place->state_dir, "run", 0711, NULL);
	if (place->run < 0)
		return (private_complain_of(place, "run"));
	return (secrets_have(place) &&
	    (!q->has_redis || q->redis.acts->prepare(&q->redis)) &&
	    q->postgres.acts->prepare(&q->postgres) &&
	    secrets_keep(place) &&
	    admin_key_have(place, q->admin_key, &q->key_is_unseen));
}

static void
make_urls(struct quickstart *q)
{
	const struct private_place *place = &q->place;

	private_postgres_url(place, QUICKSTART_LOGIN, place->of_server,
	    q->database_url, sizeof q->database_url);
	private_postgres_url(place, "partyline_owner", place->of_owner,
	    q->migrate_url, sizeof q->migrate_url);
	if (q->has_redis)
		private_redis_url(place, q->redis_url, sizeof q->redis_url);
}

bool
quickstart_start(struct quickstart *q)
{
	object_check(q, QUICKSTART_MAGIC);
	private_hold_signals();
	if (prepare_all(q)) {
		make_urls(q);
		if (wait_until_ready(q))
			return (true);
		quickstart_give_up(q);
	}
	if (private_is_asked_to_stop())
		q->place.exit_code = EX_OK;
	return (false);
}

int
quickstart_exit_code(const struct quickstart *q)
{
	return (q->place.exit_code);
}

bool
quickstart_on_exit(struct quickstart *q, pid_t pid, int status)
{
	object_check(q, QUICKSTART_MAGIC);
	if (pid == q->postgres.pid)
		private_on_exit(&q->postgres, status);
	else if (q->has_redis && pid == q->redis.pid)
		private_on_exit(&q->redis, status);
	else
		return (false);
	return (true);
}

int64_t
quickstart_tick(struct quickstart *q)
{
	int64_t wait, of_redis;

	object_check(q, QUICKSTART_MAGIC);
	private_tick(&q->postgres);
	wait = private_wait_ms(&q->postgres);
	if (!q->has_redis)
		return (wait);
	private_tick(&q->redis);
	of_redis = private_wait_ms(&q->redis);
	return (of_redis < wait ? of_redis : wait);
}

void
quickstart_stop_begin(struct quickstart *q)
{
	private_stop(&q->postgres);
	if (q->has_redis)
		private_stop(&q->redis);
}

bool
quickstart_has_stopped(const struct quickstart *q)
{
	return (q->postgres.state == PRIVATE_STOPPED &&
	    (!q->has_redis || q->redis.state == PRIVATE_STOPPED));
}

void
quickstart_kill(struct quickstart *q)
{
	private_kill(&q->postgres);
	if (q->has_redis)
		private_kill(&q->redis);
}

void
quickstart_close_in_child(struct quickstart *q)
{
	private_close_in_child(&q->postgres);
	if (q->has_redis)
		private_close_in_child(&q->redis);
}

void
quickstart_fill(const struct quickstart *q, struct conf *conf)
{
	static const char origin[] = "state_dir";

	conf_fill(conf, OPTION_database_url, q->database_url, origin);
	conf_fill(conf, OPTION_migrate_url, q->migrate_url, origin);
	if (q->has_redis)
		conf_fill(conf, OPTION_redis_url, q->redis_url, origin);
	/* Who names admins of his own wants no other. */
	if (conf->admins_file[0] == '\0')
		conf_fill(conf, OPTION_admin_key, q->admin_key, origin);
}

/* The first address, as a client on this machine would call it. */
static void
write_curl(FILE *out, const char *hosts, const char *path)
{
	text rest = text_of(hosts), host, name, port;

	text_next_word(&rest, &host);
	if (text_begins(host, TEXT("unix:"))) {
		fprintf(out, "  curl --unix-socket %.*s http://localhost%s\n",
		    (int)host.len - 5, host.at + 5, path);
		return;
	}
	text_cut_last(host, ':', &name, &port);
	if (text_is(name, TEXT("0.0.0.0")) || text_is(name, TEXT("[::]")))
		name = TEXT("localhost");
	fprintf(out, "  curl http://%.*s:%.*s%s\n", TEXT_ARGS(name),
	    TEXT_ARGS(port), path);
}

void
quickstart_greet(struct quickstart *q, const struct conf *conf, FILE *out)
{
	bool shows_key = q->key_is_unseen &&
	    strcmp(conf->admin_key, q->admin_key) == 0;
	bool has_other_place = strcmp(q->path, "./var") != 0;

	if (!q->place.is_first && !shows_key)
		return;
	log_flush();
	fprintf(out, "\nPartyline listens on %s\n", conf->listen);
	if (shows_key)
		fprintf(out, "Its admin key is %s\n"
		    "  (shown this once; kept in %s/admin_key)\n",
		    q->admin_key, q->path);
	fprintf(out, "Its data is in %s. Try:\n", q->path);
	write_curl(out, conf->listen, "/health");
	write_curl(out, conf->listen, "/readyz");
	fprintf(out, "  partyline status%s%s\n\n",
	    has_other_place ? " --state-dir " : "",
	    has_other_place ? q->path : "");
	fflush(out);
	if (shows_key)
		admin_key_seen(&q->place);
	q->key_is_unseen = q->key_is_unseen && !shows_key;
	q->place.is_first = false;
}
