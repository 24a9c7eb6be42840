/* SPDX-License-Identifier: MIT */
/*
 * What clients can ask for, as a document of OpenAPI 3.1: all of it from
 * the rows of tbl/operations.h and tbl/errors.h and from tbl/schema.
 *
 *	struct buf out;
 *
 *	buf_init(&out, BUF_NO_LIMIT);
 *	openapi_write(&out);
 */
#ifndef ROLE_OPENAPI_H
#define ROLE_OPENAPI_H

#include "base/json_out.h"
#include "core/op.h"

/* The operations of the front door. */
void	openapi_write(struct buf *out);

/*
 * An operation's parameters and requestBody, as members of it; what an input
 * can be, as a schema (role/openapi_input.c).
 */
void	openapi_inputs(struct json_out *json,
	    const struct operation_row *row);

/* Its responses, and those that they refer to (role/openapi_answer.c). */
void	openapi_answers(struct json_out *json,
	    const struct operation_row *row);
void	openapi_shared_answers(struct json_out *json);
void	openapi_shared_headers(struct json_out *json);

/* Whether such a row can be refused with it; those that are told apart. */
#define OPENAPI_REFUSALS						\
	400, 401, 403, 404, 409, 413, 415, 422, 429, 503, 507
bool	openapi_has_refusal(const struct operation_row *row,
	    unsigned status);

/* The noun that its name begins with; who may call it, in a sentence. */
text	openapi_tag(const struct operation_row *row);
const char *openapi_who(enum who who);

/* Whether a POST heeds Idempotency-Key; whether an answer has an ETag. */
bool	openapi_has_key(const struct operation_row *row);
bool	openapi_has_tag(const struct operation_row *row);

/* "key":"value", and the same of "$ref". */
void	openapi_say(struct json_out *json, const char *key,
	    const char *value);
void	openapi_refer(struct json_out *json, const char *kind,
	    const char *name);

#endif
