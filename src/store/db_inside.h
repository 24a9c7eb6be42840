/* SPDX-License-Identifier: MIT */
/*
 * The insides of store/db, shared by its files and nobody else:
 *
 *	db_pool.c	lanes, who goes next, where to, what waits
 *	db_link.c	a connection: made, prepared, lost, made again
 *	db_flight.c	what is in flight on it: sent, read, answered
 *	db_answer.c	what a result says
 *	db_query.c	a call on its way, and the streams they bind
 *
 * Holds always:
 *  1. A query is in one place at a time; its place says in which list.
 *  2. A stream has an entry while a query of it is AT_LINK or IN_FLIGHT, and
 *     all of those are on the entry's link.
 *  3. Lists of waiting queries are sorted by number.
 *  4. Only link_state_set changes a link's state.
 */
#ifndef STORE_DB_INSIDE_H
#define STORE_DB_INSIDE_H

#include <libpq-fe.h>
#include <uthash.h>

#include "base/buf.h"
#include "plat/loop.h"
#include "store/db.h"

#define DB_BACKOFF_FIRST_MS	100
#define DB_BACKOFF_MOST_MS	3000
/* Beyond statement_timeout, before silence means that the line is dead. */
#define DB_PATIENCE_MS		5000

enum query_place {
	IN_LANE,		/* waits, may go anywhere */
	AT_LINK,		/* waits for the link of its stream */
	IN_FLIGHT,		/* sent on its link */
	NOWHERE			/* about to be answered or queued */
};

/* Names the link that the writes of a stream are bound to. */
struct db_stream {
	UT_hash_handle	 hh;
	struct db_link	*link;
	unsigned	 count;		/* of its queries on the link */
	size_t		 len;
	char		 key[];
};

struct db_query {
	unsigned	 magic;
#define DB_QUERY_MAGIC 0x71756572
	struct db_pool	*pool;
	struct db_query	*prev, *next;
	enum query_place place;
	uint64_t	 number;	/* in the order of calls */
	struct db_link	*link;		/* AT_LINK, IN_FLIGHT */
	struct db_stream *bound;
	struct timer	 late;		/* set while it waits */
	int64_t		 deadline_ms;
	int64_t		 sent_us;
	unsigned	 statement;
	enum db_kind	 kind;
	bool		 is_abandoned;
	bool		 was_lost;	/* a read, once */
	bool		 was_repeated;	/* after a conflict */
	PGresult	*result;	/* came, but its sync did not */
	text		 stream;
	void		(*on_answer)(void *, const struct db_answer *);
	void		*context;
	unsigned	 parameters_count;
	const char	**parameters;
};

enum link_state {
	LINK_PAUSING,		/* no connection; the timer makes one */
	LINK_CONNECTING,
	LINK_GREETING,		/* begin and identity are asked */
	LINK_PREPARING,
	LINK_READY,
	LINK_BROKEN,		/* found dead; the timer buries it */
	LINK_STATES
};

struct db_link {
	unsigned	 magic;
#define DB_LINK_MAGIC 0x6c696e6b
	struct db_pool	*pool;
	struct db_lane	*lane;
	enum db_kind	 kind;
	enum link_state	 state;
	PGconn		*pg;
	struct loop_watch *watch;
	struct timer	 timer;		/* pause, deadline, silence */
	unsigned	 failures;	/* attempts since it was last ready */
	int64_t		 ready_ms;	/* since when; 0: never was */
	bool		 wants_write;	/* CONNECTING: not to read */
	bool		 has_role;	/* GREETING: it was taken */
	PGresult	*identity;
	struct buf	 why;		/* what went wrong last */
	struct db_query	*flight;
	unsigned	 flight_count;
	struct db_query	*waiting;	/* AT_LINK */
};

struct db_lane {
	struct db_link	*links;
	unsigned	 count;
	struct db_query	*waiting;	/* IN_LANE */
	unsigned	 waiting_count;	/* AT_LINK too */
	bool		 is_away;
};

struct db_pool {
	unsigned	 magic;
#define DB_POOL_MAGIC 0x706f6f6c
	struct db_setup	 setup;
	struct db_lane	 lanes[DB_KINDS];
	struct db_stream *streams;
	uint64_t	 last_number;
	unsigned	 queries;	/* all there are */
	unsigned	 answering;	/* inside on_answer */
	bool		 is_closing;
	enum db_state	 state;
	struct buf	 why;		/* as it was last told */
};

/* db_query.c */
struct db_query *query_create(struct db_pool *pool,
	    const struct db_call *call);
void	query_destroy(struct db_query **query);
void	query_bind(struct db_query *query, struct db_link *link);
void	query_unbind(struct db_query *query);
struct db_link *query_bound_to(const struct db_query *query);
unsigned query_home(const struct db_query *query, unsigned count);
/* Sorted by number; both stop or start nothing else. */
void	query_insert(struct db_query **list, struct db_query *query);
/* Both answer and destroy. */
void	query_answer(struct db_query *query, const struct db_answer *answer);
void	query_fail(struct db_query *query, enum db_why why);
void	query_unknown(struct db_query *query);

/* db_answer.c */
void	answer_from(struct db_answer *answer, const PGresult *result);
/* Its fields are gone: the connection broke, and libpq made the result. */
bool	result_is_loss(const PGresult *result);
/* The first line, without what libpq puts before it. */
void	why_from(struct buf *why, const char *said);

/* db_pool.c */
bool	statement_is_of(const struct db_statement *statement,
	    enum db_kind kind);
void	lane_wait(struct db_query *query);
void	lane_pump(struct db_lane *lane);
/* A link of it became ready, or an attempt failed. */
void	pool_link_changed(struct db_link *link);

/* db_link.c */
void	link_init(struct db_link *link, struct db_pool *pool,
	    enum db_kind kind);
void	link_fini(struct db_link *link);
void	link_state_set(struct db_link *link, enum link_state state);
int64_t	link_timeout_ms(const struct db_link *link);
/* Marks it broken; who stood on it learns it in the next turn. */
void	link_break(struct db_link *link, const char *why);
/* Sends what is left to send; it goes on by itself. */
void	link_flush(struct db_link *link);
/* A pause is cut short: another link was made. */
void	link_hasten(struct db_link *link);

/* db_flight.c */
/* false: the link is broken and the query was not sent. */
bool	flight_send(struct db_link *link, struct db_query *query);
void	flight_read(struct db_link *link);
/* All leave a link that is no more. */
void	flight_lost(struct db_link *link);

#endif
