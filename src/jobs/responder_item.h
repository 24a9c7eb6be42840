/* SPDX-License-Identifier: MIT */
/*
 * What a responder says, as events of its thread: who asked gets what is
 * his, the thread's sockets what is theirs.
 *
 *	{"message":"two\nlines"}     turn.said {"turnId":7,"item":{"message":
 *				     "two"}}, and the same of the other line
 *	{"type":"analysis",…}	     turn.said, or where sockets are to have
 *				     it: analysis_update, with just that
 *	{"type":"knowledge",…}	     likewise: knowledge
 *	{"type":"next_actions",…}    likewise: next_action
 *	{"type":"learning_intent",…}, {"type":"learning_knowledge",…}
 *				     likewise, under that name
 *	{"error":"…"}		     the end: its words are the client's
 *	anything else		     turn.said, as it is
 *
 * Of a lesson, an analysis that is for who asked is told as he knows it:
 * {"status":"streaming","content":…,"complete":…}.
 *
 *	item_batch_init(&batch);
 *	if (item_take(&batch, &turn, object, &error) == ITEM_IS_ERROR) ...
 *	... inputs: buf_text(&batch.types), buf_text(&batch.datas)
 *	item_batch_clear(&batch);
 */
#ifndef JOBS_RESPONDER_ITEM_H
#define JOBS_RESPONDER_ITEM_H

#include "base/buf.h"

struct item_turn {
	int64_t	 id;
	bool	 is_lesson;
	bool	 is_for_sockets;
};

/* PostgreSQL's texts of two arrays; complete behind item_batch_end. */
struct item_batch {
	struct buf	types, datas;
	unsigned	count;
};

enum item_verdict { ITEM_TAKEN, ITEM_IS_ERROR };

void	item_batch_init(struct item_batch *batch);
void	item_batch_fini(struct item_batch *batch);
void	item_batch_clear(struct item_batch *batch);
void	item_batch_add(struct item_batch *batch, const char *type, text data);
void	item_batch_end(struct item_batch *batch);

/* An object of core/json; an error's words go into error_out. */
enum item_verdict item_take(struct item_batch *batch,
	    const struct item_turn *turn, text object, struct buf *error_out);
/* turn.ended; error at NULL: there is nothing to be told. */
void	item_take_end(struct item_batch *batch, const struct item_turn *turn,
	    const char *outcome, text error);

#endif
