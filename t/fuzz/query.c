/* SPDX-License-Identifier: MIT */
/*
 * Targets, paths and queries: what is taken is valid text, decoding is never
 * longer than what was written, and the verdict on the whole agrees with the
 * parts.
 */
#include <stdint.h>

#include "core/query.h"
#include "transport/router.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be_text(text decoded, text written)
{
	must(decoded.len <= written.len);
	must(text_is_utf8(decoded) && !text_has(decoded, '\0'));
}

static void
try_path(struct arena *arena, text path)
{
	bool is_fine = path_check(path) == ERR_none;
	text rest = path, segment, written;
	size_t total = 0;

	while (path_next(&rest, &segment)) {
		written = segment;
		total += segment.len + 1;
		if (path_decode(arena, &segment) == ERR_none)
			must_be_text(segment, written);
		else
			must(!is_fine);
	}
	must(total + rest.len == path.len);
}

static void
try_query(struct arena *arena, text query)
{
	bool is_fine = query_check(query) == ERR_none;
	text rest = query, key, value, found, written;

	while (query_next(&rest, &key, &value)) {
		written = key;
		if (query_decode(arena, &key) == ERR_none) {
			must_be_text(key, written);
			written = value;
			if (query_decode(arena, &value) == ERR_none) {
				must_be_text(value, written);
				must(query_find(arena, query, key, &found));
				continue;
			}
		}
		must(!is_fine);
	}
}

static void
try_router(struct arena *arena, text path)
{
	static struct router *router;
	text segments[OP_SEGMENTS_MAX];
	const struct route *route;
	unsigned count;

	if (router == NULL)
		router = router_create(operation_rows, OPERATIONS,
		    DOOR_FRONT);
	if (router_find(router, path, arena, segments, &count, &route) ==
	    ERR_none)
		for (unsigned i = 0; i < count; i++)
			must_be_text(segments[i], path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	text host, path, query;

	arena_init(&arena);
	target_cut(text_from((const char *)data, size), &host, &path, &query);
	must(path.len > 0 && host.len <= size);
	try_path(&arena, path);
	/* Each key is looked for in all: that grows with the square. */
	if (query.len < 4096)
		try_query(&arena, query);
	try_router(&arena, path);
	arena_fini(&arena);
	return (0);
}
