/* SPDX-License-Identifier: MIT */
/*
 * The admins of the configuration: the one called Admin, whose key is
 * admin_key, and those of admins_file. They belong to the default tenant.
 *
 *	[{"name":"Ann","key":"…"}, {"name":"Bob","key":"…"}]
 *
 * Holds always:
 *  1. Names and keys are fit (core/token.h, core/key.h), each once. What is
 *     in the file and means nothing here is refused: whoever wrote a role
 *     beside a name shall not find that it was taken for an admin's.
 *  2. The file is read by the master alone, at the start and at a reload,
 *     before it gives up rights: so the file may be root's, and what was
 *     checked is what is used.
 *  3. No message repeats a key.
 *
 *	server->admins = admins_read(conf, &problems);
 *	if (server->admins == NULL) ...		a line each in problems
 *	... the fork: workers have it too, as they have conf ...
 *	admins_destroy(&server->admins);
 */
#ifndef CORE_ADMINS_H
#define CORE_ADMINS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/mem.h"

#define ADMINS_KEY_NAME "Admin"		/* of admin_key */
#define ADMINS_TENANT	1		/* the default one */

struct conf;

struct admin {
	text	name;
	text	key;
};

struct admins {
	unsigned	 magic;
#define ADMINS_MAGIC 0x61646d73
	struct arena	 arena;
	struct admin	*at;
	unsigned	 count;
};

/* NULL: problems has a line for each thing that is wrong. */
struct admins	*admins_read(const struct conf *conf, struct buf *problems);
void		 admins_destroy(struct admins **admins);
/* Whether it could be read. */
bool		 admins_check(const struct conf *conf, struct buf *problems);

#endif
