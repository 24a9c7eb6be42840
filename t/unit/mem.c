/* SPDX-License-Identifier: MIT */
/*
 * Memory by its four lifetimes.
 */
#include "base/mem.h"

#include <sys/resource.h>

#include "tap.h"

struct thing {
	unsigned	magic;
#define THING_MAGIC 0x7468696e
	int		number;
};

static struct thing *thing;

static bool
is_zero(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != 0)
			return (false);
	return (true);
}

static void
cast_another(void)
{
	object_cast(struct thing, THING_MAGIC + 1, thing);
}

static void
cast_none(void)
{
	object_cast(struct thing, THING_MAGIC, NULL);
}

static void
check_freed(void)
{
	struct thing *freed = thing;
	struct thing copy;

	copy = *freed;
	copy.magic = 0;		/* as object_free leaves it */
	object_check(&copy, THING_MAGIC);
}

static void
test_objects(void)
{
	test("an object is zeroed, knows its kind and is cleared when freed");
	thing = object_create(struct thing, THING_MAGIC);
	is(thing->magic, THING_MAGIC);
	is(thing->number, 0);
	ok(object_cast(struct thing, THING_MAGIC, (void *)thing) == thing);
	object_check(thing, THING_MAGIC);
	ok(aborts(cast_another));
	ok(aborts(cast_none));
	ok(aborts(check_freed));
	object_free(&thing);
	ok(thing == NULL);
	object_free(&thing);
}

static void
test_plain(void)
{
	char *at, *copy;

	test("allocations are zeroed, also those of no bytes");
	at = mem_alloc(1000);
	ok(is_zero(at, 1000));
	memset(at, 'x', 1000);
	at = mem_resize(at, 5000);
	is(at[999], 'x');
	mem_free(at);
	at = mem_alloc(0);
	ok(at != NULL);
	at = mem_resize(at, 0);
	ok(at != NULL);
	mem_free(at);
	mem_free(NULL);
	copy = mem_copy_string("copied");
	is_text(copy, "copied");
	mem_free(copy);
	at = boot_alloc(100);
	ok(is_zero(at, 100));
	is((uintptr_t)at % 16, 0);
	is_text(boot_copy_string("kept"), "kept");
}

static void
test_arena(void)
{
	/* Around a block's size, and around its end. */
	static const size_t sizes[] = { 1, 15, 16, 17, 0, 4000, 100, 4095,
	    4096, 4097, 100000, 8 };
	struct arena arena;
	char *at[200];
	size_t size[200];

	test("an arena's allocations are zeroed, aligned and apart");
	arena_init(&arena);
	for (unsigned i = 0; i < 200; i++) {
		size[i] = sizes[i * 5 % 12];
		at[i] = arena_alloc(&arena, size[i]);
		is((uintptr_t)at[i] % 16, 0);
		ok(is_zero(at[i], size[i]));
		memset(at[i], (int)i + 1, size[i]);
	}
	for (unsigned i = 0; i < 200; i++)
		for (size_t j = 0; j < size[i]; j++)
			if (at[i][j] != (char)(i + 1)) {
				ok(!"overwritten");
				break;
			}
	is_text(arena_copy(&arena, "copied too long", 6), "copied");
	is_text(arena_copy(&arena, NULL, 0), "");
	arena_fini(&arena);
	arena_fini(&arena);
	is_text(arena_copy(&arena, "again", 5), "again");
	arena_fini(&arena);
}

static struct bytes *bytes;

static void
share_freed(void)
{
	bytes->holders = 0;
	bytes_share(bytes);
}

static void
test_bytes(void)
{
	struct bytes *second;

	test("bytes live until the last holder gives them");
	bytes = bytes_create(5);
	is(bytes->len, 5);
	memcpy(bytes->at, "hello", 5);
	is(bytes->at[5], '\0');
	second = bytes_share(bytes);
	ok(second == bytes);
	ok(aborts(share_freed));
	bytes_give(&bytes);
	ok(bytes == NULL);
	is_text(second->at, "hello");
	bytes_give(&second);
	ok(second == NULL);
	bytes_give(&second);
	bytes = bytes_create(0);
	is(bytes->at[0], '\0');
	bytes_give(&bytes);
}

#ifndef SANITIZED	/* which have a limit of their own */
static void
ask_for_too_much(void)
{
	struct rlimit little = { 64 << 20, 64 << 20 };

	setrlimit(RLIMIT_AS, &little);
	mem_alloc((size_t)1 << 30);
}
#endif

int
main(void)
{
	test_objects();
	test_plain();
	test_arena();
	test_bytes();
#ifndef SANITIZED
	test("out of memory aborts");
	ok(aborts(ask_for_too_much));
#endif
	return (done());
}
