/* SPDX-License-Identifier: MIT */
/*
 * The schema of the database at the other end, from what api.connect() says:
 * whether it renewed the epochs, the schema's version, the functions' digest.
 */
#include "store/schema.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "store/db.h"

static char why[128];

const char *
schema_check(const struct db_answer *answer)
{
	int64_t version = 0;
	text said;

	if (db_rows(answer) != 1)
		return ("the database does not say which schema it has");
	said = db_field(answer, 0, 1);
	if (said.at != NULL && !text_to_int64(said, 0, INT32_MAX, &version))
		return ("the database's schema has no number");
	/* It was done, whether we can be of use to this database or not. */
	if (text_is(db_field(answer, 0, 0), TEXT("t")))
		log_warn("the database was put elsewhere or put back: "
		    "streams begin a new epoch");
	if (version < SCHEMA_VERSION)
		snprintf(why, sizeof why, "the database's schema is %" PRId64
		    ", this program needs %d: run partyline migrate",
		    version, SCHEMA_VERSION);
	else if (version > SCHEMA_VERSION)
		snprintf(why, sizeof why, "the database's schema is %" PRId64
		    ", this program knows %d: it belongs to a newer one",
		    version, SCHEMA_VERSION);
	else
		return (NULL);
	return (why);
}
