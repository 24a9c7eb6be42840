/* SPDX-License-Identifier: MIT */
/*
 * From a path to what can be done there: a tree of path segments, made from
 * the rows of tbl/operations.h of one door.
 *
 *	/ ── health			GET
 *	  ├─ api ── sessions		GET POST
 *	  │           ├─ active		GET
 *	  │           └─ {id}		GET DELETE
 *
 * Holds always:
 *  1. Two rows with the same method and shape of path panic at the start.
 *  2. A fixed segment goes before a {name}, and a fixed one that leads
 *     nowhere does not hide a {name} that does.
 *  3. Segments are compared after decoding, and an encoded slash is part of
 *     its segment. One slash at the end means nothing.
 *
 *	router = router_create(operation_rows, OPERATIONS, DOOR_FRONT);
 *	err = router_find(router, path, &op->arena, op->segments,
 *	    &op->segments_count, &route);
 *	if (err == ERR_none && route->rows[METHOD_GET] != NULL) ...
 */
#ifndef TRANSPORT_ROUTER_H
#define TRANSPORT_ROUTER_H

#include "core/op.h"

struct router;

struct route {
	const struct operation_row *rows[METHODS];
	char			 allow[64];	/* GET, HEAD, OPTIONS */
};

struct router	*router_create(const struct operation_row *rows,
		    unsigned count, enum door door);
void		 router_destroy(struct router **router);

/*
 * ERR_not_found or ERR_invalid_path. The segments that stand for {names}, in
 * order, at most OP_SEGMENTS_MAX; their text is in the path or the arena.
 */
enum err	 router_find(const struct router *router, text path,
		    struct arena *arena, text *segments_out,
		    unsigned *count_out, const struct route **route_out);

#endif
