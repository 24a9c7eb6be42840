/* SPDX-License-Identifier: MIT */
/*
 * The schemas of answers, src/tbl/schema, as they were when the program was
 * built. A $ref points into the components of OpenAPI.
 *
 *	for (const struct schema *s = schemas; s->name != NULL; s++) ...
 */
#ifndef ROLE_SCHEMAS_H
#define ROLE_SCHEMAS_H

#include "base/text.h"

struct schema {
	const char	*name;		/* NULL: there are no more */
	text		 json;
};
extern const struct schema schemas[];

#endif
