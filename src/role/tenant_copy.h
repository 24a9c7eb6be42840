/* SPDX-License-Identifier: MIT */
/*
 * What `partyline tenant export` and `import` have in common: a connection
 * of their own with one transaction, a file, and how they complain.
 *
 * Holds always:
 *  1. Whatever fails was said on standard error, and exit_code says what
 *     kind of failure it was. The first one counts.
 *  2. Nothing is committed but by tenant_copy_commit.
 *
 *	struct tenant_copy copy;
 *
 *	if (tenant_copy_open(&copy, command, db, "BEGIN"))
 *		...
 *	return (tenant_copy_close(&copy));
 */
#ifndef ROLE_TENANT_COPY_H
#define ROLE_TENANT_COPY_H

#include "base/buf.h"
#include "store/straight.h"

struct command;
struct command_db;

struct tenant_copy {
	const struct command	*command;
	struct command_db	*db;
	struct straight		*straight;
	const char		*path;	/* as it was given; "-": none */
	int			 exit_code;
};

/* false: it cannot be; close it all the same. As the fleet's role. */
bool	tenant_copy_open(struct tenant_copy *copy,
	    const struct command *command, struct command_db *db,
	    const char *begin);
int	tenant_copy_close(struct tenant_copy *copy);

/* Always false. where: "FILE: lines 2 to 7: ", or "". */
bool	tenant_copy_complain(struct tenant_copy *copy, int exit_code,
	    const char *format, ...) __attribute__((format(printf, 3, 4)));
bool	tenant_copy_refused(struct tenant_copy *copy, const char *where,
	    const struct db_answer *answer);

bool	tenant_copy_say(struct tenant_copy *copy, const char *sql);
/* The one value of the one row; NULL adds nothing. */
bool	tenant_copy_value(struct tenant_copy *copy, const char *sql,
	    const text *inputs, unsigned count, struct buf *out);
bool	tenant_copy_commit(struct tenant_copy *copy);

/* What they did is added to out. The slug is the command's second word. */
int	tenant_export(const struct command *command, struct command_db *db,
	    struct buf *out);
int	tenant_import(const struct command *command, struct command_db *db,
	    struct buf *out);

#endif
