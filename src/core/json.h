/* SPDX-License-Identifier: MIT */
/*
 * Reading JSON that came from outside, with json-c behind a grammar check
 * of our own, because json-c takes more than JSON is.
 *
 * Refused: whatever RFC 8259 does not allow; anything nested deeper than
 * JSON_DEPTH_MAX; broken UTF-8; NUL, also as \u0000, which PostgreSQL cannot
 * keep; halves of surrogate pairs; integers beyond 64 bits and numbers
 * beyond a double, which json-c would silently change.
 *
 * Holds always:
 *  1. What was read is all of the text, and one value.
 *  2. Of a key that comes twice the last one counts.
 *  3. Texts point into the value and live as long as it does.
 *
 *	struct json_object *body = json_in_read(text);
 *	text name;
 *
 *	if (body == NULL || !json_in_text(body, "name", &name)) ...
 *	json_in_free(&body);
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include <stdbool.h>

#include "base/buf.h"

#define JSON_DEPTH_MAX 32
#define JSON_CARRIED_DEPTH_MAX 128

struct json_object;

/* NULL where it is refused. The value null is refused too: it is no body. */
struct json_object *json_in_read(text t);
/* One more holder, who frees it as well. */
struct json_object *json_in_share(struct json_object *value);
void	json_in_free(struct json_object **value);

/* The grammar alone. */
bool	json_in_is_valid(text t);
/*
 * The same for what is only handed on (core/carried): halves of pairs,
 * \u0000, numbers of any size and JSON_CARRIED_DEPTH_MAX levels are allowed.
 */
bool	json_in_may_be_carried(text t);
/*
 * Whether what stands between the quotes of a string means name. The string
 * passed either grammar.
 */
bool	json_in_spells(text written, text name);
/* Adds what it means. */
void	json_in_spell(text written, struct buf *out);

/*
 * A member's value in exactly the bytes that it was written in. t passed the
 * grammar; false where it is no object or has no such member.
 */
bool	json_in_raw(text t, text name, text *out);

bool	json_in_is_object(struct json_object *value);
/* NULL where there is none, or null. */
struct json_object *json_in_member(struct json_object *object,
	    const char *name);
/* The members of an object, in their order; nothing where it is none. */
void	json_in_each(struct json_object *object,
	    void (*on_member)(void *me, text name,
	    struct json_object *value), void *me);
/* NULL behind its end. */
struct json_object *json_in_element(struct json_object *array, size_t i);

/* false where it is of another kind, or NULL. */
bool	json_in_as_text(struct json_object *value, text *out);
bool	json_in_as_int(struct json_object *value, int64_t *out);
bool	json_in_as_bool(struct json_object *value, bool *out);
bool	json_in_as_array(struct json_object *value, size_t *count_out);

/* The same of a member. */
bool	json_in_text(struct json_object *object, const char *name,
	    text *out);
bool	json_in_int(struct json_object *object, const char *name,
	    int64_t *out);
bool	json_in_bool(struct json_object *object, const char *name,
	    bool *out);
struct json_object *json_in_object(struct json_object *object,
	    const char *name);
struct json_object *json_in_item(struct json_object *object,
	    const char *name, size_t i);

#endif
