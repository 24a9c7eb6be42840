/* SPDX-License-Identifier: MIT */
/*
 * Request targets: taking them apart and decoding what is percent-encoded.
 *
 *	http://host/api/games/17?limit=5&filter=all
 *	            ------------ ------------------
 *	            path, segments  query, pairs of key and value
 *
 * Holds always:
 *  1. Cut first, decode then: an encoded / or & never separates.
 *  2. What is decoded is valid UTF-8 without NUL, or it is refused; so is
 *     an escape that is not two hexadecimal digits.
 *  3. Only text with an escape in it is copied, into the arena that was
 *     given; the rest lies in what was read.
 *
 *	text host, path, query, rest, key, value;
 *	enum err err;
 *
 *	target_cut(target, &host, &path, &query);
 *	for (rest = query; query_next(&rest, &key, &value);)
 *		if ((err = query_decode(arena, &value)) != ERR_none) ...
 */
#ifndef CORE_QUERY_H
#define CORE_QUERY_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/text.h"
#include "core/error.h"

/*
 * Takes the origin form and the absolute form (RFC 9112), which names the
 * host: at NULL where the other one does not.
 */
void	target_cut(text target, text *host_out, text *path_out,
	    text *query_out);

/* Takes the next part between slashes off the front; it is not decoded. */
bool	path_next(text *rest, text *segment_out);
/* In place. ERR_invalid_path, and nothing changed. */
enum err path_decode(struct arena *arena, text *segment);
/* Whether the whole path can be decoded. */
enum err path_check(text path);

/* The next pair; empty ones are skipped, a key alone has no value. */
bool	query_next(text *rest, text *key_out, text *value_out);
/* In place, with + as a blank. ERR_invalid_query, and nothing changed. */
enum err query_decode(struct arena *arena, text *part);
enum err query_check(text query);
/* The last value of the key, decoded; false where there is none. */
bool	query_find(struct arena *arena, text query, text key,
	    text *value_out);

#endif
