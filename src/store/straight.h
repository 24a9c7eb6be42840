/* SPDX-License-Identifier: MIT */
/*
 * A connection for a command that moves much: one statement after the other,
 * each waited for, rows as they come. What is in a transaction is the
 * caller's to say.
 *
 * Holds always:
 *  1. It blocks, without a deadline: for a process that does nothing else.
 *  2. At most a row is held here, whatever a statement has to tell.
 *  3. An answer's texts are valid until the next statement, or the end.
 *  4. DB_ROWS: the statement came to its end. DB_REFUSED: PostgreSQL said
 *     why not. DB_UNKNOWN: the connection is lost, and with it what was not
 *     committed; a COMMIT that was on its way may have been.
 *
 *	struct straight *straight = straight_open(url, &why);
 *
 *	if (straight == NULL)
 *		say(why.at);
 *	else if (straight_say(straight, "BEGIN", &answer) &&
 *	    straight_ask(straight, "SELECT name FROM t WHERE id = $1", &id, 1,
 *	    on_row, me, &answer)) ...
 *	straight_close(&straight);
 */
#ifndef STORE_STRAIGHT_H
#define STORE_STRAIGHT_H

#include <stdbool.h>

#include "base/buf.h"
#include "store/db.h"

#define STRAIGHT_CONNECT_S "10"		/* unless the url says otherwise */

struct straight;

/* false: no more rows are wanted. */
typedef bool straight_row_fn(void *context, const struct db_answer *row);

/* NULL: why has a line. */
struct straight *straight_open(const char *url, struct buf *why);
void	straight_close(struct straight **straight);

bool	straight_say(struct straight *straight, const char *sql,
	    struct db_answer *answer_out);
/*
 * true: DB_ROWS. on_row gets an answer with one row each; where it wanted no
 * more, the rest is read and forgotten.
 */
bool	straight_ask(struct straight *straight, const char *sql,
	    const text *inputs, unsigned count, straight_row_fn *on_row,
	    void *context, struct db_answer *answer_out);

#endif
