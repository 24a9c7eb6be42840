/* SPDX-License-Identifier: MIT */
/*
 * Processes: users, titles, other people's programs.
 *
 * Holds always:
 *  1. A program started here gets no descriptor, no signal mask and no
 *     environment of ours but what its spec names, and a session of its own:
 *     what is typed at our terminal does not reach it.
 *  2. It dies with us: its death signal is set after its rights are given
 *     up (which would clear it), and it looks whether we are still there.
 *  3. Rights are given up for good: real, effective and saved ids and the
 *     groups, and a way back is looked for and must not be found.
 *  4. A reason (*why_out) stays valid until the next call here.
 *
 *	struct proc_spec spec = { .argv = argv, .user = &user,
 *	    .death_signal = SIGINT, .in = -1, .out = log,
 *	    .keep = { folder }, .keep_count = 1 };
 *	pid = proc_start(&spec);
 *	if (!proc_wait(pid, 5000, &status)) ...
 */
#ifndef PLAT_PROC_H
#define PLAT_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_user {
	char	name[64];
	uid_t	uid;
	gid_t	gid;
};

/* proc_user.c */
bool	proc_user_named(const char *name, struct proc_user *user_out);
void	proc_user_of(uid_t uid, gid_t gid, struct proc_user *user_out);
/* The option `user`: empty is partyline where that user exists, else nobody. */
bool	proc_user_resolve(const char *wish, struct proc_user *user_out,
	    const char **why_out);
bool	proc_may_become(const char *user, const char **why_out);
bool	proc_become(const char *user, const char **why_out);
bool	proc_become_user(const struct proc_user *user, const char **why_out);

/* proc_title.c: first thing in main(); then ps shows "partyline: title". */
void	proc_title_init(int argc, char **argv);
void	proc_title(const char *title);

#define PROC_KEEP_MAX 4

struct proc_spec {
	const char *const	*argv;		/* a path, words, NULL */
	const struct proc_user	*user;		/* NULL: as we are */
	int			 death_signal;
	int			 in;		/* -1: nothing to read */
	int			 out;		/* both outputs; -1: lost */
	int			 keep[PROC_KEEP_MAX];	/* open, same number */
	unsigned		 keep_count;
};

/* -1, with errno. A program that cannot be run says so on out; exit 127. */
pid_t	proc_start(const struct proc_spec *spec);
/* false: it still runs after so long. */
bool	proc_wait(pid_t pid, int64_t most_ms, int *status_out);
/* Runs a program; what it printed, cut to size. false: it failed. */
bool	proc_ask(const char *const *argv, char *out, size_t size);
/* "exit code 1", "signal 9 (Killed)"; valid until the next call. */
const char *proc_status_text(int status);
void	proc_pause(int64_t ms);
/* The program's path, found on PATH. */
bool	proc_on_path(const char *program, char *out, size_t size);

/* proc_find.c: processes of a program that have the folder as their own. */
struct proc_found {
	pid_t	pid;
	bool	is_leader;	/* its parent is none of them */
};
#define PROC_FOUND_MAX 256
unsigned proc_find(int folder, const char *program,
	    struct proc_found found_out[PROC_FOUND_MAX]);

#endif
