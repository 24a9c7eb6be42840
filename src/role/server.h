/* SPDX-License-Identifier: MIT */
/*
 * The server as its master sees it: the posts that have to be filled, the
 * children that fill them, and what all of them share.
 *
 *	main.c -> command_serve.c	boot, in order; then master_run
 *	boot.c				each step of it
 *	master.c			the loop: signals, ticks, stages
 *	children.c			posts and children: start, replace, bury
 *	ordinals.c			who accepts from which socket
 *	control.c			the control socket
 *	quickstart.c			the private PostgreSQL and Redis
 *	migration.c			the schema, brought up to date first
 *	child.c -> worker.c relay.c jobs.c	the other side of the fork
 *
 * Holds always:
 *  1. The master speaks no HTTP and no SQL, and never waits for a child.
 *  2. A post (worker 2, the relay) has at most one child that is starting
 *     or ready for the present configuration; those told to leave are
 *     beside it and belong to nobody.
 *  3. child_state_set is the only writer of a child's state.
 */
#ifndef ROLE_SERVER_H
#define ROLE_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/conf.h"
#include "plat/listen.h"
#include "plat/segment.h"

struct admins;
struct command;
struct control;
struct quickstart;

enum child_state {
	CHILD_STARTING,		/* forked, has not said READY */
	CHILD_READY,		/* does its work */
	CHILD_DRAINING,		/* told to leave */
	CHILD_DEAD		/* reaped; about to be forgotten */
};

struct child {
	unsigned	 magic;
#define CHILD_MAGIC 0x6368696c
	enum child_state state;
	enum role	 role;
	unsigned	 ordinal;
	unsigned	 slot;
	pid_t		 pid;
	int		 channel;
	bool		 is_full;	/* has no descriptors left */
	bool		 was_hanging;	/* we killed it for its silence */
	int64_t		 started_ms;
	int64_t		 leave_by_ms;	/* when draining */
	struct post	*post;		/* NULL: none of ours any more */
	struct child	*prev, *next;
};

struct post {
	enum role	 role;
	unsigned	 ordinal;	/* of a worker, from 1; else 0 */
	struct child	*child;
	bool		 wants_new;	/* replace the child that is there */
	int64_t		 not_before_ms;	/* backoff */
	int64_t		 pause_ms;
};

enum stage {
	STAGE_RUNNING,
	STAGE_WORKERS_LEAVE,	/* stopping: workers finish */
	STAGE_REST_LEAVES,	/* then relay and jobs */
	STAGE_PRIVATE_STOPS,	/* then our PostgreSQL and Redis */
	STAGE_OVER
};

#define ORDINALS_MAX 510

struct server {
	unsigned	 magic;
#define SERVER_MAGIC 0x73657276
	struct command	*command;	/* to read the configuration anew */
	struct conf	*conf;
	struct admins	*admins;	/* of the configuration */
	struct segment	*segment;
	int		 segment_fd;
	int		 state_dir;
	int		 lock;
	int		 log_fd;
	enum stage	 stage;
	int64_t		 stage_until_ms;
	int64_t		 stopped_ms;	/* when it was first asked to stop */
	bool		 has_said_ready;
	unsigned	 workers;	/* posts of workers */
	struct post	 relay;
	struct post	 jobs;
	struct post	 posts[ORDINALS_MAX];	/* workers by ordinal - 1 */
	struct child	*children;
	struct listeners listeners;
	unsigned	 acceptor[ORDINALS_MAX];	/* slot, or NOBODY */
#define NOBODY UINT32_MAX
	struct ring_writer ring;
	struct control	*control;
	struct quickstart *quickstart;
	pid_t		 migration;	/* the child that migrates; 0: none */
};

/* children.c */
void	posts_init(struct server *server, unsigned workers);
/* Starts, for each post that is empty and may, a child. */
void	posts_fill(struct server *server);
/* Asks for all children to be replaced: new workers first, old ones drain. */
void	posts_renew(struct server *server, unsigned workers);
void	children_reap(struct server *server);
void	children_hear(struct server *server, struct child *child);
void	children_check_beats(struct server *server);
void	children_leave(struct server *server, enum role role);
void	children_kill(struct server *server);
void	children_use_log(struct server *server);
unsigned children_count(const struct server *server, enum role role);
/* Milliseconds until a post may be filled or a child must have left. */
int64_t	children_wait_ms(const struct server *server, int64_t most);

/* ordinals.c */
void	ordinals_assign(struct server *server);
void	ordinals_forget(struct server *server, const struct child *child);
void	ordinals_close_dry(struct server *server);

/* boot.c: what the server stands on. Each dies with what to do about it. */
void	boot_state_dir(struct server *server);
void	boot_log(struct server *server);
void	boot_segment(struct server *server);
void	boot_listeners(struct server *server);
unsigned workers_wanted(const struct conf *conf);
bool	server_reopen_log(struct server *server);

/* master.c */
int	master_run(struct server *server);

/* In every child: closes what it has no business with. child.c */
void	child_close_masters(struct server *server);
/* Where children begin; never returns. child.c */
_Noreturn void child_begin(struct server *server, enum role role,
	    unsigned ordinal, unsigned slot, int channel);

#endif
