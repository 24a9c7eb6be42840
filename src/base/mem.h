/* SPDX-License-Identifier: MIT */
/*
 * Memory by lifetime. There are four, and no fifth:
 *
 *	operation  arena_alloc		the arena of the operation frees it
 *	owned	   object_create	its x_destroy, through object_free
 *	shared	   bytes_share		the last bytes_give
 *	boot	   boot_alloc		never: tables, options, routers
 *
 * Holds always:
 *  1. Out of memory aborts. What is bounded is what clients can make us keep.
 *  2. All of it starts zeroed, except the contents of bytes.
 *  3. An owned struct begins with `unsigned magic`; who gets one through a
 *     void pointer casts it with object_cast.
 *  4. Bytes are not changed once they are shared.
 *
 *	struct thing *thing = object_create(struct thing, THING_MAGIC);
 *	...
 *	object_free(&thing);		 (thing is NULL now)
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "base/text.h"

void	*mem_alloc(size_t size) __attribute__((malloc, alloc_size(1)));
void	*mem_resize(void *at, size_t size);
void	 mem_free(void *at);
char	*mem_copy_string(const char *string) __attribute__((malloc));
/* A string of its bytes, which is empty where the text is none. */
char	*mem_copy_text(text t) __attribute__((malloc));

void	*boot_alloc(size_t size) __attribute__((malloc, alloc_size(1)));
char	*boot_copy_string(const char *string) __attribute__((malloc));

#define object_create(type, number)					\
	((type *)object_create_sized(sizeof(type), (number)))
#define object_cast(type, number, from)					\
	((type *)object_checked((from), (number)))
#define object_check(object, number)					\
	must((object) != NULL && (object)->magic == (number))
#define object_free(object)						\
	do {								\
		if (*(object) != NULL)					\
			(*(object))->magic = 0;				\
		mem_free(*(object));					\
		*(object) = NULL;					\
	} while (0)

void	*object_create_sized(size_t size, unsigned magic);

static inline void *
object_checked(void *from, unsigned magic)
{
	must(from != NULL && *(unsigned *)from == magic);
	return (from);
}

/* An arena: many small allocations with one end. */
struct arena {
	struct arena_block	*blocks;	/* newest first */
	size_t			 used;		/* in the newest */
};

void	 arena_init(struct arena *arena);
void	 arena_fini(struct arena *arena);
void	*arena_alloc(struct arena *arena, size_t size)
    __attribute__((malloc, alloc_size(2)));
char	*arena_copy(struct arena *arena, const char *at, size_t len);

/* Shared, counted, read-only bytes. The count is of this process alone. */
struct bytes {
	unsigned	 magic;
#define BYTES_MAGIC 0x62797473
	unsigned	 holders;
	size_t		 len;
	char		 at[];
};

struct bytes	*bytes_create(size_t len);
struct bytes	*bytes_share(struct bytes *bytes);
void		 bytes_give(struct bytes **bytes);

#endif
