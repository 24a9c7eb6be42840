/* SPDX-License-Identifier: MIT */
/*
 * The tree of path segments.
 */
#include "transport/router.h"

#include <stdio.h>

#include "core/query.h"

struct node {
	text		 segment;	/* of a row's path, not copied */
	bool		 is_name;	/* {id}: takes any segment */
	bool		 is_end;
	struct route	 route;		/* where is_end */
	struct node	*children;	/* fixed ones first */
	struct node	*next;
};

struct router {
	unsigned	 magic;
#define ROUTER_MAGIC 0x726f7574
	struct node	 root;
};

static bool
is_name(text segment)
{
	return (segment.len > 2 && segment.at[0] == '{' &&
	    segment.at[segment.len - 1] == '}');
}

static struct node *
child_for(struct node *node, text segment)
{
	struct node **at = &node->children, *child;

	for (; *at != NULL; at = &(*at)->next)
		if (is_name(segment) ? (*at)->is_name :
		    text_is((*at)->segment, segment))
			return (*at);
	child = mem_alloc(sizeof *child);
	child->segment = segment;
	child->is_name = is_name(segment);
	if (!child->is_name) {
		at = &node->children;
		child->next = *at;
	}
	*at = child;
	return (child);
}

static void
add_row(struct router *router, const struct operation_row *row)
{
	struct node *node = &router->root;
	text rest = text_of(row->path), segment;

	while (path_next(&rest, &segment))
		if (segment.len != 0)
			node = child_for(node, segment);
	must(rest.len == 0 && node->route.rows[row->method] == NULL);
	node->is_end = true;
	node->route.rows[row->method] = row;
}

static void
write_allow(struct route *route)
{
	size_t len = 0;

	for (enum method i = 0; i < METHODS; i++)
		if (route->rows[i] != NULL)
			len += (size_t)snprintf(route->allow + len,
			    sizeof route->allow - len, "%s, %s",
			    method_name(i), i == METHOD_GET ? "HEAD, " : "");
	len += (size_t)snprintf(route->allow + len,
	    sizeof route->allow - len, "OPTIONS");
	must(len < sizeof route->allow);
}

static void
finish(struct node *node)
{
	write_allow(&node->route);
	for (struct node *child = node->children; child != NULL;
	    child = child->next)
		finish(child);
}

struct router *
router_create(const struct operation_row *rows, unsigned count,
    enum door door)
{
	struct router *router = object_create(struct router, ROUTER_MAGIC);

	for (unsigned i = 0; i < count; i++)
		if (rows[i].door == door)
			add_row(router, &rows[i]);
	finish(&router->root);
	return (router);
}

static void
free_children(struct node *node)
{
	while (node->children != NULL) {
		struct node *child = node->children;

		node->children = child->next;
		free_children(child);
		mem_free(child);
	}
}

void
router_destroy(struct router **given)
{
	struct router *router = *given;

	*given = NULL;
	if (router == NULL)
		return;
	object_check(router, ROUTER_MAGIC);
	free_children(&router->root);
	object_free(&router);
}

struct walk {
	text		 segments[OP_SEGMENTS_MAX];
	unsigned	 count;
	bool		 is_named[OP_SEGMENTS_MAX];
};

/* As deep as there are segments, which are at most OP_SEGMENTS_MAX. */
static const struct node *
follow(const struct node *node, struct walk *walk, unsigned done)
{
	const struct node *found;

	if (done == walk->count)
		return (node->is_end ? node : NULL);
	for (const struct node *child = node->children; child != NULL;
	    child = child->next) {
		if (!child->is_name &&
		    !text_is(child->segment, walk->segments[done]))
			continue;
		if (child->is_name && walk->segments[done].len == 0)
			continue;
		walk->is_named[done] = child->is_name;
		found = follow(child, walk, done + 1);
		if (found != NULL)
			return (found);
	}
	return (NULL);
}

static enum err
cut_segments(text path, struct arena *arena, struct walk *walk)
{
	text rest = path, segment;
	enum err err;

	while (path_next(&rest, &segment)) {
		if (segment.len == 0 && rest.len == 0)
			break;		/* behind a slash at the end */
		if (walk->count == OP_SEGMENTS_MAX)
			return (ERR_not_found);
		err = path_decode(arena, &segment);
		if (err != ERR_none)
			return (err);
		walk->segments[walk->count++] = segment;
	}
	return (rest.len == 0 ? ERR_none : ERR_not_found);
}

enum err
router_find(const struct router *router, text path, struct arena *arena,
    text *segments_out, unsigned *count_out, const struct route **route_out)
{
	const struct node *node;
	struct walk walk;
	enum err err;

	walk.count = 0;
	err = cut_segments(path, arena, &walk);
	if (err != ERR_none)
		return (err);
	node = follow(&router->root, &walk, 0);
	if (node == NULL)
		return (ERR_not_found);
	*count_out = 0;
	for (unsigned i = 0; i < walk.count; i++)
		if (walk.is_named[i])
			segments_out[(*count_out)++] = walk.segments[i];
	*route_out = &node->route;
	return (ERR_none);
}
