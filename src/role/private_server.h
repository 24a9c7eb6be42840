/* SPDX-License-Identifier: MIT */
/*
 * A private server: a PostgreSQL or Redis of our own, as the master
 * supervises it.
 *
 *	  .-- ended, or hung and was killed ------------------------.
 *	  v							    |
 *	RESTING --> CLEARING --> STARTING --> RUNNING <--> DEAF	----'
 *	 backoff     what an	  does not     answers	   does not
 *	  |	     earlier	  answer	|	   any more
 *	  |	     one left	  yet |		|	    |
 *	  v		v	      v		v	    v
 *	STOPPED <------------------------ STOPPING
 *
 * Holds always:
 *  1. private_state_set is the only writer of the state, and keeps the part
 *     in the segment in step with it.
 *  2. A server is started only when no process of an earlier one works in
 *     its folder: two PostgreSQL over one folder would destroy it.
 *  3. Except in prepare, at the boot, nothing here waits.
 *  4. Its folder's descriptor keeps its number for the master's life: the
 *     server and its clients reach the folder as /proc/self/fd/N.
 */
#ifndef ROLE_PRIVATE_SERVER_H
#define ROLE_PRIVATE_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plat/proc.h"
#include "plat/segment.h"
#include "store/ping.h"

#define PRIVATE_SECRET_SIZE 33
#define PRIVATE_URL_SIZE 256

/* What both servers stand on. */
struct private_place {
	const char	*path;		/* state_dir, for messages */
	const char	*postgres_bin;	/* the option, may be empty */
	int		 state_dir;
	int		 run;		/* the folder of the sockets */
	bool		 is_root;
	struct proc_user fallback;	/* as root: where no user is its own */
	struct segment	*segment;
	int64_t		 restart_max;
	int64_t		 beat_timeout;
	bool		 has_new_secrets;
	bool		 is_first;	/* the database was made just now */
	char		 of_superuser[PRIVATE_SECRET_SIZE];
	char		 of_owner[PRIVATE_SECRET_SIZE];
	char		 of_server[PRIVATE_SECRET_SIZE];
	char		 of_redis[PRIVATE_SECRET_SIZE];
	int		 exit_code;
};

enum private_state { PRIVATE_RESTING, PRIVATE_CLEARING, PRIVATE_STARTING,
    PRIVATE_RUNNING, PRIVATE_DEAF, PRIVATE_STOPPING, PRIVATE_STOPPED };

struct private_server;

struct private_acts {
	const char	*title;		/* for messages */
	const char	*program;	/* as ps shows its processes */
	enum part	 part;
	int		 stop_signal;	/* in order; SIGKILL comes last */
	int		 hurry_signal;
	/* At the boot: folder, program, user. May wait; false: complained. */
	bool		(*prepare)(struct private_server *server);
	/* Removes what an earlier one left in its folder. */
	void		(*tidy)(struct private_server *server);
	pid_t		(*spawn)(struct private_server *server);
	void	       *(*ping_start)(struct private_server *server);
	enum ping_answer (*ping_poll)(void *ping);
	const char     *(*ping_why)(const void *ping);
	void		(*ping_stop)(void *ping);
	void		(*ping_abandon)(void *ping);
};
extern const struct private_acts private_postgres, private_redis;

/* private_cluster.c: makes one in postgres.new, then postgres. */
bool	cluster_make(struct private_server *server);
/* The file with the passwords was lost: sets new ones. */
bool	cluster_renew_passwords(struct private_server *server);
/* The major version of the cluster; 0 where there is none. */
int	cluster_version(int folder);

/* As a client has to call them that inherited the run folder. */
void	private_postgres_url(const struct private_place *place,
	    const char *role, const char *password, char *out, size_t size);
void	private_redis_url(const struct private_place *place, char *out,
	    size_t size);

struct private_server {
	unsigned	 magic;
#define PRIVATE_SERVER_MAGIC 0x70727673
	const struct private_acts *acts;
	struct private_place *place;
	enum private_state state;
	int64_t		 since_ms;	/* in this state */
	int64_t		 due_ms;	/* when tick has something to do */
	pid_t		 pid;		/* 0: none */
	int64_t		 started_ms;
	int64_t		 heard_ms;	/* when it last gave any answer */
	int64_t		 pause_ms;	/* backoff */
	unsigned	 deaths;	/* since it last ran well */
	bool		 has_beginning_logged;
	int		 signal_sent;	/* the sharpest so far */
	void		*ping;
	int64_t		 ping_by_ms;
	enum ping_answer answer;	/* the last one */
	char		 answered[128];	/* in its own words */
	struct proc_user user;		/* whom it runs as */
	const struct proc_user *becomes;	/* the same; NULL: not root */
	int		 folder;
	int		 log;
	int64_t		 log_from;	/* where this start's lines begin */
	char		 program[512];
	char		 last_words[256];
	char		 log_advice[256];	/* where to read more */
};

void	private_init(struct private_server *server,
	    const struct private_acts *acts, struct private_place *place);
void	private_tick(struct private_server *server);
int64_t	private_wait_ms(const struct private_server *server);
void	private_on_exit(struct private_server *server, int status);
void	private_stop(struct private_server *server);
/* Each call is sharper than the one before. */
void	private_kill(struct private_server *server);
void	private_close_in_child(struct private_server *server);

/*
 * For prepare. Waits until no process of an earlier one is left; false: asked
 * to stop meanwhile.
 */
bool	private_clear(struct private_server *server, int folder);
bool	private_open_log(struct private_server *server, const char *name);
/* What comes now belongs to a new start. Bounds the file. */
void	private_begin_log(struct private_server *server);
/* The last thing the program said since then; "" where nothing. */
const char *private_last_words(struct private_server *server);

/* private_place.c */
/* What libpq reads of it would change what the URLs above mean. */
void	private_forget_environment(void);
void	private_choose_user(struct private_server *server, int folder,
	    const char *package);
/*
 * During the boot, what asks us to stop waits, so that nothing is left half;
 * who waits long looks for it. Afterwards the master reads it.
 */
void	private_hold_signals(void);
bool	private_is_asked_to_stop(void);
/* Says on standard error what, why and what to do. Always false. */
bool	private_complain(struct private_place *place, int exit_code,
	    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for errno after a failed call on something in state_dir. */
bool	private_complain_of(struct private_place *place, const char *what);
/* The same with what a program said last. */
bool	private_complain_of_program(struct private_server *server,
	    const char *what);

#endif
