/* SPDX-License-Identifier: MIT */
/*
 * Writing JSON, from front to back, into a buf.
 *
 * Holds always:
 *  1. Commas and quotes are put by this module; what is written is valid
 *     JSON if every begin has its end.
 *  2. Text that is not UTF-8 is written with U+FFFD in place of what is
 *     broken, so that one bad byte from outside never breaks a reader.
 *  3. Like buf, it fails once: check buf->has_failed at the end.
 *
 *	struct json_out json;
 *	json_out_init(&json, &buf);
 *	json_object_begin(&json);
 *	json_key(&json, "id");	  json_int(&json, 7);
 *	json_key(&json, "name");  json_text(&json, name);
 *	json_object_end(&json);
 */
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include "base/buf.h"

struct json_out {
	struct buf	*buf;
	bool		 needs_comma;
};

void	json_out_init(struct json_out *json, struct buf *buf);
void	json_object_begin(struct json_out *json);
void	json_object_end(struct json_out *json);
void	json_array_begin(struct json_out *json);
void	json_array_end(struct json_out *json);
void	json_key_text(struct json_out *json, text key);
void	json_text(struct json_out *json, text t);
void	json_text_of(struct json_out *json, const char *string);
void	json_int(struct json_out *json, int64_t number);
void	json_double(struct json_out *json, double number);
void	json_bool(struct json_out *json, bool is_true);
void	json_nothing(struct json_out *json);

/* A value that is JSON already. */
void	json_raw(struct json_out *json, text value);

/* Here, so that nobody counts the letters of a literal as it runs. */
static inline void
json_key(struct json_out *json, const char *key)
{
	json_key_text(json, text_of(key));
}

#endif
