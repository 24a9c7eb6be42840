/* SPDX-License-Identifier: MIT */
/*
 * What `partyline admin`, `epoch` and `token` have in common: a verb, the
 * flags that it takes, the database, a tenant and the secrets.
 *
 * Holds always:
 *  1. A verb runs only with the words and flags that it takes.
 *  2. What a function here could not do was said on standard error, and the
 *     exit code says what kind of failure it was.
 *  3. Keys and tokens go to standard output only where they were made.
 *
 *	static const struct people_verb verbs[] = { … };
 *	return (people_run(command, verbs, 3));
 *
 *	static void
 *	admin_list(struct people *work)
 *	{
 *		if (people_find_tenant(work) && people_call(work,
 *		    "admin_list", NULL, 0, &answer)) …
 */
#ifndef ROLE_COMMAND_PEOPLE_H
#define ROLE_COMMAND_PEOPLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "core/keyring.h"
#include "role/command_db.h"

enum people_flag {
	TAKES_KEY_FILE = 1,
	TAKES_LIFE = 2,
	TAKES_NAME = 4,
	TAKES_ROLE = 8,
	TAKES_TENANT = 16,
	TAKES_LONG = 32		/* no flag: a call may last for an hour */
};

struct people {
	const struct command	*command;
	const struct conf	*conf;
	struct command_db	*db;
	struct arena		 arena;
	struct keyring		 keyring;	/* people_read_keyring */
	int32_t			 tenant;	/* people_find_tenant */
	const char		*slug;
	struct buf		 out;		/* written at the end */
	int			 exit_code;
};

struct people_verb {
	const char	*name;
	void		(*act)(struct people *work);
	unsigned	 least, most;	/* words, the verb among them */
	const char	*words;		/* what they are */
	unsigned	 takes;		/* flags */
	unsigned	 needs;		/* of those */
};

int	people_run(const struct command *command,
	    const struct people_verb *verbs, unsigned count);

/* Says it, sets the exit code; always false. */
bool	people_complain(struct people *work, int exit_code,
	    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* --tenant's, or the default one. */
bool	people_find_tenant(struct people *work);
bool	people_read_keyring(struct people *work);
/* JSON that a stranger wrote, so that nothing in it moves a cursor. */
void	people_add_foreign(struct buf *out, text json);
/* With the context of the tenant (0: none yet). */
bool	people_call(struct people *work, const char *function,
	    const text *inputs, unsigned count,
	    struct command_db_answer *answer_out);
/* Without a context. */
bool	people_call_bare(struct people *work, const char *function,
	    const text *inputs, unsigned count,
	    struct command_db_answer *answer_out);
/* --name, --role, --life: said what they have to be, where they are not. */
bool	people_read_name(struct people *work, text *name_out);
bool	people_read_role(struct people *work, enum rank *rank_out);
bool	people_read_life(struct people *work, int64_t least_ms,
	    const char *otherwise, int64_t *life_ms_out);
/* A line of the file, - is standard input, without the blanks around it. */
bool	people_read_line(struct people *work, const char *path,
	    size_t most, text *line_out);

#endif
