/* SPDX-License-Identifier: MIT */
/*
 * The way to PostgreSQL of a process with a loop: a pool of connections in
 * pipeline mode, which takes calls of prepared statements and answers each
 * once.
 *
 *	 db_call
 *	    |        a lane for each kind
 *	    v       .-----------------------------.    links, depth in flight
 *	 writes  -> | waiting, at most queue      | -> ====  ====
 *	 reads   -> |                             | -> ====  ====  read only
 *	 slow    -> |                             | -> ====
 *	 fleet   -> '-----------------------------' -> ====  as fleet role
 *
 * Holds always:
 *  1. Every call is answered exactly once, unless it was abandoned. An
 *     answer is valid until on_answer returns.
 *  2. DB_ROWS and DB_REFUSED are told only after the sync of the call came:
 *     rows alone are no commit. The sync never came: DB_UNKNOWN for all but
 *     DB_READ. DB_FAILED: the call had no effect and will have none.
 *  3. Writes of one stream go down one connection in the order of their
 *     calls; the stream moves to another one only when none of them is on
 *     its way, or when the connection was lost. Reads go down connections
 *     that are read-only, slow calls down their own.
 *  4. Deadlock and serialization failure are tried once more, so is a read
 *     whose connection was lost. Nothing else is ever sent twice.
 *  5. At most depth calls are in flight on a connection, and at most queue
 *     wait in a lane; one more is answered DB_FAILED at once. Who waits
 *     beyond his deadline is answered DB_FAILED; who is in flight ends by
 *     statement_timeout, and where not even that comes back, with the
 *     connection.
 *  6. A call whose caller is gone keeps its place until its sync: only
 *     its on_answer is not called.
 *  7. A connection takes calls only after it took its lane's role, `begin`
 *     was said, the identity was found good and the statements of its lane
 *     were prepared. A lost one is made again at once, then with growing
 *     pauses, for ever. While a lane has none and cannot get one, its calls
 *     are answered DB_FAILED at once.
 *  8. Everything happens inside callbacks of the loop, and inside db_call,
 *     db_abandon and db_pool_destroy. on_answer may call the first two.
 *
 * Names of hosts are looked up without a deadline by libpq: give an address
 * or a Unix socket. What the setup points to stays valid as long as the pool.
 *
 *	struct db_setup setup = { .loop = loop, .statements = statements,
 *	    .statements_count = n, .on_identity = on_identity,
 *	    .on_state = on_state, .context = worker };
 *	db_setup_from(&setup, conf);
 *	pool = db_pool_create(&setup);
 *	...
 *	struct db_call call = { .statement = 3, .kind = DB_WRITE,
 *	    .stream = TEXT("7 session:12"), .parameters = parameters,
 *	    .parameters_count = 9, .on_answer = on_answer, .context = op };
 *	op->query = db_call(pool, &call);
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct conf;
struct loop;
struct pg_result;
struct db_pool;
struct db_query;		/* a call on its way */

enum db_kind { DB_WRITE, DB_READ, DB_SLOW, DB_FLEET, DB_KINDS };

enum db_result {
	DB_ROWS,		/* committed; rows may be none */
	DB_REFUSED,		/* PostgreSQL said why; no effect */
	DB_FAILED,		/* no effect; `why` says what came between */
	DB_UNKNOWN		/* sent, and never heard what became of it */
};

enum db_why {
	DB_WHY_NONE,
	DB_WHY_FULL,		/* too many calls wait */
	DB_WHY_AWAY,		/* no connection is to be had */
	DB_WHY_LATE,		/* it waited until its deadline */
	DB_WHY_LOST,		/* a read's connection was lost, twice */
	DB_WHY_CLOSING		/* the pool is destroyed */
};

struct db_answer {
	enum db_result	 result;
	enum db_why	 why;		/* of DB_FAILED */
	char		 sqlstate[6];	/* of DB_REFUSED, as are these */
	text		 message;
	text		 detail;
	text		 constraint;
	const struct pg_result *rows;	/* of DB_ROWS: db_rows, db_field */
};

struct db_call {
	unsigned	 statement;	/* its place in setup.statements */
	enum db_kind	 kind;
	text		 stream;	/* of a write; TEXT_NONE: of none */
	const text	*parameters;	/* copied; at NULL: SQL's NULL */
	unsigned	 parameters_count;
	int64_t		 deadline_ms;	/* of clock_ms; 0: setup.timeout_ms */
	void		(*on_answer)(void *context,
			    const struct db_answer *answer);
	void		*context;
};

struct db_statement {
	const char	*name;		/* NULL: never prepared, sent whole */
	const char	*sql;
	unsigned	 lanes;		/* 1u << DB_READ | …; 0: all */
};

enum db_state { DB_STARTING, DB_UP, DB_DOWN };

struct db_setup {
	struct loop	*loop;
	const char	*url;
	const char	*role[DB_KINDS]; /* taken first; NULL: none */
	const char	*const *begin;	/* said after that */
	unsigned	 begin_count;
	const char	*identity;	/* asked after that; NULL: nothing */
	const struct db_statement *statements;
	unsigned	 statements_count;
	unsigned	 connections[DB_KINDS];	/* 0: no such lane */
	unsigned	 depth;
	unsigned	 queue;
	int64_t		 timeout_ms;
	int64_t		 slow_timeout_ms;	/* of DB_SLOW */
	/* NULL: this is the database we know; else why it is not. */
	const char	*(*on_identity)(void *context,
			    const struct db_answer *answer);
	/* DB_UP: each lane that there is has a connection. why is "" but
	 * for DB_DOWN. */
	void		(*on_state)(void *context, enum db_state state,
			    const char *why);
	void		*context;	/* of both */
};

/*
 * What options say (url, connections, depth, queue, times), and what every
 * connection of the product says first: roles, begin, identity.
 */
void	db_setup_from(struct db_setup *setup, const struct conf *conf);

struct db_pool *db_pool_create(const struct db_setup *setup);
/* Not inside on_answer. Calls on their way are answered first. */
void	db_pool_destroy(struct db_pool **pool);
enum db_state db_pool_state(const struct db_pool *pool);
/* Whether no call waits or is in flight, the abandoned ones too. */
bool	db_pool_is_idle(const struct db_pool *pool);

/*
 * NULL: it was answered before this returned. Else valid until on_answer is
 * called. The statement and its kind are of a lane that there is.
 */
struct db_query *db_call(struct db_pool *pool, const struct db_call *call);
/* on_answer will not be called. One that was not sent is never sent. */
void	db_abandon(struct db_query **query);

unsigned db_rows(const struct db_answer *answer);
/* at NULL: SQL's NULL. */
text	db_field(const struct db_answer *answer, unsigned row,
	    unsigned column);
const char *db_result_name(enum db_result result);
const char *db_why_name(enum db_why why);

#endif
