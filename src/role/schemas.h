/* SPDX-License-Identifier: MIT */
/*
 * The schemas of answers, of live messages (live_*) and of what events carry
 * (data_*): src/tbl/schema, as it was when the program was built. A $ref
 * points into the components of the document, OpenAPI or AsyncAPI.
 *
 *	for (const struct schema *s = schemas; s->name != NULL; s++) ...
 */
#ifndef ROLE_SCHEMAS_H
#define ROLE_SCHEMAS_H

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

struct schema {
	const char	*name;		/* NULL: there are no more */
	text		 json;
};
extern const struct schema schemas[];

static inline bool
schema_is_live(const char *name)
{
	return (strncmp(name, "live_", 5) == 0 ||
	    strncmp(name, "data_", 5) == 0);
}

#endif
