/* SPDX-License-Identifier: MIT */
/*
 * transport/router: from paths to rows.
 */
#include "transport/router.h"

#include "tap.h"

/* All else of a row is none of the router's affair. */
#define ROW(its_name, its_method, its_path, its_door)			\
	{ .name = its_name, .method = its_method, .path = its_path,	\
	    .door = DOOR_##its_door }

static const struct operation_row rows[] = {
	ROW("root", METHOD_GET, "/", FRONT),
	ROW("list", METHOD_GET, "/api/sessions", FRONT),
	ROW("make", METHOD_POST, "/api/sessions", FRONT),
	ROW("one", METHOD_GET, "/api/sessions/{id}", FRONT),
	ROW("active", METHOD_GET, "/api/sessions/active", FRONT),
	ROW("game", METHOD_DELETE, "/api/sessions/{id}/games/{game}", FRONT),
	ROW("inside", METHOD_GET, "/metrics", ADMIN),
};
#define ROWS (sizeof rows / sizeof rows[0])

static struct router *router;
static struct arena arena;
static text segments[OP_SEGMENTS_MAX];
static unsigned count;
static const struct route *route;

static enum err
find(const char *path)
{
	route = NULL;
	count = 0;
	return (router_find(router, text_of(path), &arena, segments, &count,
	    &route));
}

static const char *
name_of(const char *path, enum method method)
{
	if (find(path) != ERR_none || route->rows[method] == NULL)
		return ("none");
	return (route->rows[method]->name);
}

static void
make_same_row_twice(void)
{
	static const struct operation_row same[] = {
		ROW("one", METHOD_GET, "/a/{b}", FRONT),
		ROW("two", METHOD_GET, "/a/{c}", FRONT),
	};

	router_create(same, 2, DOOR_FRONT);
}

int
main(void)
{
	char deep[4 * OP_SEGMENTS_MAX + 8] = "";

	arena_init(&arena);
	router = router_create(rows, ROWS, DOOR_FRONT);

	test("a path leads to its row");
	is_text(name_of("/", METHOD_GET), "root");
	is_text(name_of("/api/sessions", METHOD_GET), "list");
	is_text(name_of("/api/sessions", METHOD_POST), "make");
	is_text(name_of("/api/sessions/", METHOD_GET), "list");
	is_text(name_of("/api/sessions", METHOD_DELETE), "none");

	test("names take a segment each, decoded");
	is_text(name_of("/api/sessions/17", METHOD_GET), "one");
	is(count, 1);
	is_text(segments[0], "17");
	is_text(name_of("/api/sessions/a%2Fb/games/%41", METHOD_DELETE),
	    "game");
	is(count, 2);
	is_text(segments[0], "a/b");
	is_text(segments[1], "A");

	test("a fixed segment goes first, but hides nothing");
	is_text(name_of("/api/sessions/active", METHOD_GET), "active");
	is(count, 0);
	is_text(name_of("/api/sessions/active/games/1", METHOD_DELETE),
	    "game");
	is_text(segments[0], "active");
	is_text(name_of("/api/sessions/%61ctive", METHOD_GET), "active");

	test("what is not there is not found");
	is(find("/api"), ERR_not_found);
	is(find("/api/sessions/1/2"), ERR_not_found);
	is(find("/api//sessions"), ERR_not_found);
	is(find("/api/sessions//"), ERR_not_found);
	is(find("/api/Sessions"), ERR_not_found);
	is(find("/api/sessions/1/../2"), ERR_not_found);
	is(find("api/sessions"), ERR_not_found);
	is(find("//"), ERR_not_found);
	for (unsigned i = 0; i < OP_SEGMENTS_MAX + 1; i++)
		strncat(deep, "/a", sizeof deep - strlen(deep) - 1);
	is(find(deep), ERR_not_found);

	test("what cannot be decoded is invalid");
	is(find("/api/%zz"), ERR_invalid_path);
	is(find("/%00"), ERR_invalid_path);
	is(find("/%ff"), ERR_invalid_path);

	test("a row of the other door is not there");
	is(find("/metrics"), ERR_not_found);

	test("a route tells what may be done");
	is(find("/api/sessions"), ERR_none);
	is_text(route->allow, "GET, HEAD, POST, OPTIONS");
	is(find("/api/sessions/1/games/2"), ERR_none);
	is_text(route->allow, "DELETE, OPTIONS");

	test("two rows for the same request panic");
	ok(aborts(make_same_row_twice));

	test("the real table fits");
	for (enum door door = 0; door < DOORS; door++) {
		struct router *real = router_create(operation_rows,
		    OPERATIONS, door);

		router_destroy(&real);
		ok(real == NULL);
	}

	router_destroy(&router);
	arena_fini(&arena);
	return (done());
}
