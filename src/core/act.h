/* SPDX-License-Identifier: MIT */
/*
 * Doing an operation: whose it is, who may, how often; then its function in
 * the database, and what that answers.
 *
 *	tenant ──> who ──> limits ──> (body) ──> inputs ──> SQL ──> answer
 *	 404	   401	    429	       400	  400	     │
 *	 503	   403	    507			      events into the ring
 *
 * Holds always:
 *  1. A write is answered after its commit is known, and in this order: the
 *     cache's version is bumped, its events are told, its client is.
 *  2. What was sent and never answered is told as `outcome_unknown`; nothing
 *     else is ever told so.
 *  3. A caller whose client has gone is still looked after to the end, so
 *     that what he did is told to the others.
 *
 *	act_find_tenant(op);
 *	if (act_from_cache(op) || !act_admit(op))
 *		return;			... it was answered
 *	... body, inputs ...
 *	act(op);			... or the C function of its row
 */
#ifndef CORE_ACT_H
#define CORE_ACT_H

#include "core/service.h"

/* Whose it is, by slug or host. tenant stays NULL where nobody knows. */
void	act_find_tenant(struct op *op);
/* false: it was failed, as it is nobody's. */
bool	act_has_tenant(struct op *op);
/* A public read whose answer is kept: true, and it was answered. */
bool	act_from_cache(struct op *op);
/* Only whose it is, and how often: for what is not an operation. */
bool	act_enter(struct op *op);
/* Sets caller and limit. false: it was failed. */
bool	act_admit(struct op *op);
/* The SQL function of its row, with its inputs. */
void	act(struct op *op);
/*
 * For a transport that knows its caller: whether he may, how often, inputs,
 * and the rest. It is answered, or will be.
 */
void	act_as(struct op *op, const struct caller *caller);

/*
 * For those who call SQL themselves. stream: of the op's row, with the
 * tenant, in its arena; TEXT_NONE where the row has none.
 */
void	act_context(const struct op *op, struct call_context *out);
text	act_stream(struct op *op);
/* It will be answered later: keeps what it was lent. */
void	act_wait(struct op *op);
/* What it is about to write, taken from its tenant's limits; or failed. */
bool	act_is_within_limits(struct op *op);
/* It wrote nothing after all. */
void	act_give_storage(struct op *op);
/* What became of a write, before anybody is told. */
void	act_tell(struct service *service, int32_t tenant,
	    const struct db_answer *answer);
/* Answers with a row, or with what came instead of rows. */
void	act_reply(struct op *op, const struct call_row *row);
void	act_fail(struct op *op, const struct db_answer *answer);
/* What a client is told that came instead of rows. */
enum err act_error(const struct db_answer *answer);
/* Of the first answer among the rows; false: there is none. */
bool	act_answer_row(const struct db_answer *answer,
	    struct call_row *row_out);

#endif
