/* SPDX-License-Identifier: MIT */
/*
 * Quickstart: where no database_url is set, the server brings its own
 * PostgreSQL, and where no redis_url is set either, its own Redis.
 *
 *	state_dir/
 *	  postgres/	 the cluster; postgres.new while it is being made
 *	  redis/	 nothing: Redis carries news only
 *	  run/postgres/ run/redis/	 the sockets
 *	  secrets	 passwords of the private servers, 0600
 *	  admin_key	 the generated admin key, 0600; admin_key.new until it
 *			 has been shown
 *	  postgres.log redis.log	 what they say, at most 8 MiB each
 *
 * Holds always:
 *  1. The private servers listen on Unix sockets only, and want a password,
 *     which is in no command line and in no log line.
 *  2. Nothing is reached by a path through state_dir: the folders are open,
 *     and servers and children inherit them, so that state_dir may lie below
 *     what only root may enter, and be as deep as it likes.
 *  3. However the server was killed, the next start finds its data, stops
 *     what was left running and goes on.
 *
 * The master:
 *	q = quickstart_create(conf, segment, state_dir);
 *	if (!quickstart_start(q))		(may wait; has said why)
 *		exit(quickstart_exit_code(q));
 *	quickstart_fill(q, conf);
 *	loop: wait at most quickstart_tick(q) milliseconds
 *	reaping: quickstart_on_exit(q, pid, status)
 *	last: quickstart_stop_begin(q), until quickstart_has_stopped(q)
 * A child, after the fork:
 *	quickstart_close_in_child(q);
 */
#ifndef ROLE_QUICKSTART_H
#define ROLE_QUICKSTART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct conf;
struct segment;
struct quickstart;

bool	quickstart_is_wanted(const struct conf *conf);
bool	quickstart_wants_redis(const struct conf *conf);

/* Takes from conf what it needs; state_dir stays the caller's, and open. */
struct quickstart *quickstart_create(const struct conf *conf,
	    struct segment *segment, int state_dir);
/* Both stopped, or never started. */
void	quickstart_destroy(struct quickstart **q);
/* After a reload. */
void	quickstart_use_conf(struct quickstart *q, const struct conf *conf);

bool	quickstart_start(struct quickstart *q);
int	quickstart_exit_code(const struct quickstart *q);
/* For a start that ends after all: waits until both have stopped. */
void	quickstart_give_up(struct quickstart *q);
/* true: it was one of ours. */
bool	quickstart_on_exit(struct quickstart *q, pid_t pid, int status);
/* Does what is due; milliseconds until it wants to be called again. */
int64_t	quickstart_tick(struct quickstart *q);

void	quickstart_stop_begin(struct quickstart *q);
bool	quickstart_has_stopped(const struct quickstart *q);
/* Called again while they do not stop: sharper each time. */
void	quickstart_kill(struct quickstart *q);

void	quickstart_close_in_child(struct quickstart *q);

/*
 * What a configuration leaves empty because quickstart has it: the urls of
 * the private servers, the admin key. For the one in use, at the start and
 * after each reload.
 */
void	quickstart_fill(const struct quickstart *q, struct conf *conf);
/* The login role of database_url, to be granted what the server takes. */
#define QUICKSTART_LOGIN "partyline"

/* On a first start: where it listens, the admin key, what to try. */
void	quickstart_greet(struct quickstart *q, const struct conf *conf,
	    FILE *out);

#endif
