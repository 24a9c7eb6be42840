/* SPDX-License-Identifier: MIT */
/*
 * A buffer that grows as it is written to, up to a limit.
 *
 * Holds always:
 *  1. Writing never returns an error: the first write that does not fit
 *     sets has_failed, and all later ones do nothing. Check once, at the end.
 *  2. at[len] is NUL, so that the contents can be passed as a string.
 *
 *	struct buf buf;
 *	buf_init(&buf, BUF_NO_LIMIT);
 *	buf_add(&buf, TEXT("hello "));
 *	buf_printf(&buf, "%d", 7);
 *	...
 *	buf_fini(&buf);
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define BUF_NO_LIMIT ((size_t)-1)

struct buf {
	char	*at;
	size_t	 len;
	size_t	 size;
	size_t	 limit;
	bool	 has_failed;
};

void	buf_init(struct buf *buf, size_t limit);
void	buf_fini(struct buf *buf);
void	buf_clear(struct buf *buf);		/* keeps the memory */
char   *buf_take(struct buf *buf);		/* yours; free by mem_free */

/* Room for so many bytes more, so that it grows once. */
void	buf_reserve(struct buf *buf, size_t more);
/* So many bytes more, whatever they are; NULL where they do not fit. */
char   *buf_add_space(struct buf *buf, size_t len);
void	buf_add(struct buf *buf, text t);
void	buf_add_string(struct buf *buf, const char *string);
void	buf_add_char(struct buf *buf, char c);
void	buf_add_int(struct buf *buf, int64_t number);
void	buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline text
buf_text(const struct buf *buf)
{
	return (text_from(buf->at, buf->len));
}

#endif
