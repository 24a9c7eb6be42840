/* SPDX-License-Identifier: MIT */
/*
 * Memory by lifetime: thin over malloc, with one place that aborts.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK 4096
#define SMALL_MOST 1024

struct arena_block {
	struct arena_block	*older;
	size_t			 size;
	_Alignas(16) char	 at[];
};

/*
 * What is small is cleared here: the calloc of glibc passes by what the thread
 * freed last, which its malloc hands out again in a tenth of the time.
 */
void *
mem_alloc(size_t size)
{
	void *at = size <= SMALL_MOST ? malloc(size != 0 ? size : 1) :
	    calloc(1, size);

	if (at == NULL)
		must_never("memory is to be had");
	return (size <= SMALL_MOST ? memset(at, 0, size) : at);
}

void *
mem_resize(void *at, size_t size)
{
	at = realloc(at, size != 0 ? size : 1);
	if (at == NULL)
		must_never("memory is to be had");
	return (at);
}

void
mem_free(void *at)
{
	free(at);
}

char *
mem_copy_string(const char *string)
{
	size_t size = strlen(string) + 1;

	return (memcpy(mem_alloc(size), string, size));
}

char *
mem_copy_text(text t)
{
	char *string = mem_alloc(t.len + 1);

	if (t.len > 0)
		memcpy(string, t.at, t.len);
	return (string);
}

/* What lives for ever stays reachable, so that a leak checker is content. */
struct boot_block {
	struct boot_block	*older;
	_Alignas(16) char	 at[];
};
static struct boot_block *boot_blocks;

void *
boot_alloc(size_t size)
{
	struct boot_block *block = mem_alloc(sizeof *block + size);

	block->older = boot_blocks;
	boot_blocks = block;
	return (block->at);
}

char *
boot_copy_string(const char *string)
{
	size_t size = strlen(string) + 1;

	return (memcpy(boot_alloc(size), string, size));
}

void *
object_create_sized(size_t size, unsigned magic)
{
	unsigned *object = mem_alloc(size);

	*object = magic;
	return (object);
}

void
arena_init(struct arena *arena)
{
	arena->blocks = NULL;
	arena->used = 0;
}

void
arena_fini(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->older;
		mem_free(block);
	}
	arena->used = 0;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	size_t room = ARENA_BLOCK - sizeof *block;

	size = (size + 15) & ~(size_t)15;
#ifdef ARENA_MALLOC
	room = size;
	block = NULL;
#endif
	if (block == NULL || block->size - arena->used < size) {
		if (room < size)
			room = size;
		block = mem_alloc(sizeof *block + room);
		block->size = room;
		block->older = arena->blocks;
		arena->blocks = block;
		arena->used = 0;
	}
	arena->used += size;
	return (block->at + arena->used - size);
}

char *
arena_copy(struct arena *arena, const char *at, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);

	if (len != 0)
		memcpy(copy, at, len);
	return (copy);
}

struct bytes *
bytes_create(size_t len)
{
	struct bytes *bytes = malloc(sizeof *bytes + len + 1);

	if (bytes == NULL)
		must_never("memory is to be had");
	bytes->magic = BYTES_MAGIC;
	bytes->holders = 1;
	bytes->len = len;
	bytes->at[len] = '\0';
	return (bytes);
}

struct bytes *
bytes_share(struct bytes *bytes)
{
	object_check(bytes, BYTES_MAGIC);
	must(bytes->holders > 0);
	bytes->holders++;
	return (bytes);
}

void
bytes_give(struct bytes **given)
{
	struct bytes *bytes = *given;

	*given = NULL;
	if (bytes == NULL)
		return;
	object_check(bytes, BYTES_MAGIC);
	must(bytes->holders > 0);
	if (--bytes->holders == 0)
		object_free(&bytes);
}
