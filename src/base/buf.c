/* SPDX-License-Identifier: MIT */
/*
 * A growing buffer that fails once.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

static char nothing[1];

void
buf_init(struct buf *buf, size_t limit)
{
	*buf = (struct buf){ .at = nothing, .limit = limit };
}

void
buf_fini(struct buf *buf)
{
	if (buf->at != nothing)
		mem_free(buf->at);
	buf_init(buf, buf->limit);
}

void
buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->has_failed = false;
	if (buf->size > 0)
		buf->at[0] = '\0';
}

char *
buf_take(struct buf *buf)
{
	char *at = buf->at != nothing ? buf->at : mem_copy_string("");

	buf_init(buf, buf->limit);
	return (at);
}

/* Makes room for more bytes and the NUL behind them. */
static bool
buf_make_room(struct buf *buf, size_t more)
{
	size_t need = buf->len + more + 1, size = buf->size;

	if (buf->has_failed || more > buf->limit - buf->len) {
		buf->has_failed = true;
		return (false);
	}
	if (need <= size)
		return (true);
	if (size < 64)
		size = 64;
	while (size < need)
		size *= 2;
	buf->at = mem_resize(buf->at != nothing ? buf->at : NULL, size);
	buf->size = size;
	return (true);
}

void
buf_reserve(struct buf *buf, size_t more)
{
	buf_make_room(buf, more);
}

char *
buf_add_space(struct buf *buf, size_t len)
{
	if (!buf_make_room(buf, len))
		return (NULL);
	buf->len += len;
	buf->at[buf->len] = '\0';
	return (buf->at + buf->len - len);
}

void
buf_add(struct buf *buf, text t)
{
	if (!buf_make_room(buf, t.len))
		return;
	if (t.len != 0)
		memcpy(buf->at + buf->len, t.at, t.len);
	buf->len += t.len;
	buf->at[buf->len] = '\0';
}

void
buf_add_string(struct buf *buf, const char *string)
{
	buf_add(buf, text_of(string));
}

void
buf_add_char(struct buf *buf, char c)
{
	if (!buf_make_room(buf, 1))
		return;
	buf->at[buf->len++] = c;
	buf->at[buf->len] = '\0';
}

void
buf_add_int(struct buf *buf, int64_t number)
{
	char digits[24], *at = digits + sizeof digits;
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left != 0);
	if (number < 0)
		*--at = '-';
	buf_add(buf, text_from(at, (size_t)(digits + sizeof digits - at)));
}

void
buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	must(len >= 0);
	if (buf_make_room(buf, (size_t)len)) {
		vsnprintf(buf->at + buf->len, (size_t)len + 1, format, again);
		buf->len += (size_t)len;
	}
	va_end(again);
	va_end(args);
}
