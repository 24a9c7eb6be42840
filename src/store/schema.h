/* SPDX-License-Identifier: MIT */
/*
 * Which schema this program is written for, and whether a database has it.
 *
 * Holds always:
 *  1. A database with another schema is refused, an older one as well as a
 *     newer one: what a function there does is known for one version only.
 *  2. A reason stays valid until the next schema_check.
 *
 *	static const char *
 *	on_identity(void *context, const struct db_answer *answer)
 *	{
 *		(void)context;
 *		return (schema_check(answer));
 *	}
 *	...
 *	setup.on_identity = on_identity;
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

struct db_answer;

/* The number of the last file in sql/migration. */
#define SCHEMA_VERSION 18

/* answer: of api.connect(). NULL: it is ours; else why it is not. */
const char *schema_check(const struct db_answer *answer);

#endif
