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
 */
#ifndef CORE_OP_H
#define CORE_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/text.h"
#include "core/error.h"

struct conf;
struct json_object;
struct segment;

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
#define OPERATION(name, method, path, door, text) OPERATION_##name,
#include "tbl/operations.h"
#undef OPERATION
	OPERATIONS
};

struct operation_row {
	const char	*name;
	enum method	 method;
	const char	*path;
	enum door	 door;
	const char	*text;
};
extern const struct operation_row operation_rows[OPERATIONS];

/* What the operations of a process stand on. */
struct op_ground {
	struct segment		*segment;
	unsigned		 slot;
	const struct conf	*conf;
};

/* A body that never changes, with its tag once it is known. */
#define TAG_SIZE sizeof("\"0123456789abcdef0123456789abcdef\"")
struct constant {
	text		 body;
	char		 tag[TAG_SIZE];
};

struct answer {
	unsigned	 status;
	text		 media_type;
	text		 body;
	text		 allow;		/* of 405 and OPTIONS: methods */
	struct constant	*constant;	/* whose body it is, or NULL */
	bool		 has_to_close;	/* the connection is of no more use */
	enum err	 err;
};

#define OP_SEGMENTS_MAX 16
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
	text		 body;
	struct json_object *json;	/* of body; NULL: there was none */
	text		 client_address;
	text		 scheme;
	text		 host;
	int64_t		 arrival_us;
	int64_t		 answer_us;
	struct answer	 answer;
	struct bytes	*held;		/* what the answer was sent from */
	bool		 is_answered;
	void		(*on_answer)(struct op *op);
	void		*transport;	/* of whoever made it */
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
void	op_fail(struct op *op, enum err err);
/* Known path, other method; what there is instead. */
void	op_fail_method(struct op *op, text allow);
void	op_reply_options(struct op *op, text allow);

/* What the client calls its request, or where that is not fit, our name. */
void	op_name(struct op *op, text given);
/* OP_ID_MADE random letters and digits, and a NUL. */
void	op_make_id(char out[OP_ID_MADE + 1]);

/* {"error":…,"code":…,"requestId":…} in the arena. */
text	op_error_body(struct arena *arena, enum err err, text request_id);

enum method method_of(text name);
const char *method_name(enum method method);
const char *door_name(enum door door);

#endif
