/* SPDX-License-Identifier: MIT */
/*
 * An operation at work: what a client asked, and the one answer to it.
 *
 * A transport makes an op, fills in who asks what, and gives it to the
 * function of its row. That function, at once or later, calls op_reply… or
 * op_fail, and the transport's on_answer carries the answer out.
 *
 *	transport: op_create, fill in, op_dispatch
 *	operation:	op_reply(op, 200, json)
 *	transport:		on_answer(op), op->answer
 *	transport: op_destroy, when the client has it or is gone
 *
 * Holds always:
 *  1. It is answered exactly once; the second time panics.
 *  2. All that belongs to it lies in its arena, in what the transport lent
 *     it, or is constant. What it was lent ends with it.
 *  3. Nothing here knows a transport.
 *  4. One that is held is answered, or it is over with its client: on_gone
 *     is called, once, and then there is neither answer nor op.
 *
 * An answer that has no end yet is a stream: shared bytes, one after the
 * other.
 *
 *	if (!op_hold(op, &acts, me))
 *		return;			its client has gone already
 *	op_stream_begin(op, 200, TEXT("text/event-stream"));
 *	op_stream_send(op, bytes, OP_HAS_TO_ARRIVE);	... as things happen
 *	op_stream_end(op);
 */
#ifndef CORE_OP_H
#define CORE_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/error.h"
#include "core/limit.h"

struct bytes;
struct cached;
struct caller;
struct conf;
struct debug_door;
struct documents;
struct json_object;
struct op;
struct segment;
struct service;
struct tenant;

enum door { DOOR_FRONT, DOOR_ADMIN, DOORS };

enum method {
	METHOD_GET,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHODS,		/* that a row can have */
	METHOD_HEAD = METHODS,
	METHOD_OPTIONS,
	METHOD_UNKNOWN
};

enum operation {
#define OPERATION(name, ...) OPERATION_##name,
#include "tbl/operations.h"
#undef OPERATION
	OPERATIONS
};

enum who { WHO_ANYONE, WHO_READER, WHO_MEMBER, WHO_BOT, WHO_ADMIN,
	WHO_USER };
enum way { WAY_LOCAL, WAY_OWN, WAY_READ, WAY_SLOW, WAY_WRITE, WAY_BATCH };
enum op_limit { OP_LIMIT_NONE, OP_LIMIT_EVENT };

enum input_place { INPUT_PATH, INPUT_QUERY, INPUT_BODY };
enum input_kind {
	INPUT_text,
	INPUT_integer,
	INPUT_boolean,
	INPUT_id,
	INPUT_choice,
	INPUT_custom,
	INPUT_object,
	INPUT_ids,
	INPUT_events,
	INPUT_page,
	INPUT_skip,
	INPUT_cursor,
	INPUT_ticket,
	INPUT_room,
	INPUT_moment,
	INPUT_chat,
	INPUT_csv,
	INPUT_day,
	INPUT_KINDS
};

struct input_row {
	const char	*name;		/* NULL: there are no more */
	enum input_place place;
	enum input_kind	 kind;
	enum err	 missing;
	int64_t		 min, max;
	const char	*choices;	/* of a list: its other name */
	const char	*text;
	enum err	 invalid;	/* none: input_invalid */
};

struct operation_row {
	const char	*name;
	enum method	 method;
	const char	*path;
	enum door	 door;
	enum who	 who;
	enum way	 way;
	enum op_limit	 limit;
	const char	*stream;
	unsigned	 status;
	const char	*answer;
	const char	*text;
	const struct input_row *inputs;
};
extern const struct operation_row operation_rows[OPERATIONS];

/* What the operations of a process stand on. */
struct op_ground {
	struct segment		*segment;
	unsigned		 slot;
	const struct conf	*conf;
	struct service		*service;	/* NULL: no tenants here */
	struct documents	*documents;	/* NULL: none here */
	const struct debug_door	*debug;		/* the same */
};

/* A body that never changes, with its tag once it is known. */
#define TAG_SIZE sizeof("\"0123456789abcdef0123456789abcdef\"")
struct constant {
	text		 body;
	char		 tag[TAG_SIZE];
	bool		 is_document;	/* clients may keep it */
	struct bytes	*packed;	/* of a document, once asked for */
};

#define ANSWER_HEADERS_MAX 4
struct answer {
	unsigned	 status;
	text		 media_type;
	text		 body;
	text		 allow;		/* of 405 and OPTIONS: methods */
	struct constant	*constant;	/* whose body it is, or NULL */
	text		 policy;	/* of a page's own: what it may load */
	bool		 has_to_close;	/* the connection is of no more use */
	bool		 is_momentary;	/* nobody keeps it: without a tag */
	enum err	 err;
	int64_t		 retry_after_s;	/* 0: what is usual */
	unsigned	 headers_count;
	struct answer_header {
		text	 name;
		text	 value;
	}		 headers[ANSWER_HEADERS_MAX];
};

/* What becomes of bytes for which a slow client's queue has no room. */
enum op_piece {
	OP_HAS_TO_ARRIVE,	/* the stream is cut, and on_gone is called */
	OP_MAY_BE_LEFT_OUT
};

/* Of whoever holds an op; both come from the loop, never from within a call. */
struct op_holder {
	/* Its client has gone, or was too slow. The op ends when it returns. */
	void	(*on_gone)(struct op *op);
	/* op_stream_has_room said no; now it would say yes. May be NULL. */
	void	(*on_room)(struct op *op);
};

/* How a transport holds ops and carries streams. */
struct op_carrier {
	void	(*hold)(struct op *op);
	void	(*begin)(struct op *op);
	void	(*send)(struct op *op, struct bytes *bytes,
		    enum op_piece piece);
	bool	(*has_room)(struct op *op);
	void	(*end)(struct op *op);
};

#define OP_SEGMENTS_MAX 16
#define OP_INPUTS_MAX 32
#define OP_ID_MADE 26		/* letters of an id that we make */
#define OP_ID_MAX 128		/* of one that we are given */

struct op {
	unsigned	 magic;
#define OP_MAGIC 0x6f706f70
	const struct op_ground *ground;
	struct arena	 arena;
	enum door	 door;
	const struct operation_row *row;	/* NULL: not known */
	text		 request_id;
	char		 made_id[OP_ID_MADE + 1];
	text		 method;	/* as the client wrote it */
	text		 path;		/* as the client wrote it */
	text		 query;		/* not decoded; can be decoded */
	text		 segments[OP_SEGMENTS_MAX];	/* decoded */
	unsigned	 segments_count;
	text		 slug;		/* of /t/<slug>/; at NULL: none */
	text		 authorization;	/* these four: at NULL: none */
	text		 idempotency_key;
	text		 last_event_id;
	text		 origin;
	text		 login;		/* of the cookie; at NULL: none */
	bool		 is_doubtful;	/* one of the three came twice */
	text		 body;
	struct json_object *json;	/* of body; NULL: there was none */
	text		 client_address;
	text		 scheme;
	text		 host;
	int64_t		 arrival_us;
	int64_t		 answer_us;

	/* Found by the checks before the work, in this order. */
	struct tenant	*tenant;	/* held until the end; NULL: none */
	const struct caller *caller;	/* NULL: anonymous */
	struct limit_state limit;
	text		 inputs[OP_INPUTS_MAX];	/* at NULL: not given */
	unsigned	 inputs_count;
	text		 body_hash;	/* with an Idempotency-Key */
	int64_t		 storage_taken;	/* of the tenant's bytes */

	struct op	*next;		/* of whoever keeps it waiting */
	struct answer	 answer;
	struct bytes	*held;		/* what the answer was sent from */
	struct cached	*cached;	/* the same, of an answer kept */
	struct cached	*asking;	/* whose query this one's is */
	bool		 is_answered;
	bool		 is_stream;	/* its answer is */
	bool		 was_held;
	void		(*on_answer)(struct op *op);
	const struct op_carrier *carrier;	/* NULL: it cannot be held */
	void		*transport;	/* of whoever made it; NULL: gone */
	const struct op_holder *holder;	/* NULL: it is not held */
	void		*held_by;	/* of the holder */
};

struct op *op_create(const struct op_ground *ground);
void	op_destroy(struct op **op);

extern const text op_json_type;

/* Each once, and not both. */
void	op_reply(struct op *op, unsigned status, text json);
void	op_reply_as(struct op *op, unsigned status, text media_type,
	    text body);
void	op_reply_constant(struct op *op, unsigned status,
	    struct constant *constant);
/* 101: the connection becomes another thing, and the transport does it. */
void	op_switch(struct op *op);
/*
 * It is answered when something happens, maybe long after this. false: its
 * client has gone already, and it is no more.
 */
bool	op_hold(struct op *op, const struct op_holder *holder, void *held_by);
/* The answer of one that is held; its head leaves at once. */
void	op_stream_begin(struct op *op, unsigned status, text media_type);
/* Takes a reference of its own. */
void	op_stream_send(struct op *op, struct bytes *bytes,
	    enum op_piece piece);
bool	op_stream_has_room(struct op *op);
/* What was sent still leaves. The holder has it no more. */
void	op_stream_end(struct op *op);

/*
 * Before any answer: {"Name":"value",…}, of letters that need no escape. What
 * has a Content-Type is no JSON.
 */
void	op_add_headers(struct op *op, text json);
void	op_fail(struct op *op, enum err err);
/*
 * words: in place of the row's, at NULL: those. more: members of the body,
 * as a JSON object; at NULL: none.
 */
void	op_fail_saying(struct op *op, enum err err, text words, text more);
/* Known path, other method; what there is instead. */
void	op_fail_method(struct op *op, text allow);
void	op_reply_options(struct op *op, text allow);

/* What the client calls its request, or where that is not fit, our name. */
void	op_name(struct op *op, text given);
/* OP_ID_MADE random letters and digits, and a NUL. */
void	op_make_id(char out[OP_ID_MADE + 1]);

/* {"error":…,"code":…,…,"requestId":…} in the arena. */
text	op_error_body(struct arena *arena, enum err err, text words, text more,
	    text request_id);
/* By the name of its row's input; at NULL: not given. */
text	op_input(const struct op *op, const char *name);
/* For as long as the op: what it was lent ends with its client. */
text	op_keep(struct op *op, text t);

enum method method_of(text name);
const char *method_name(enum method method);
const char *door_name(enum door door);

#endif
