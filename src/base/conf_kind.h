/* SPDX-License-Identifier: MIT */
/*
 * The kinds of options: how each is read, stored, shown and masked. Used by
 * the conf*.c files, and to read and show what else is of such a kind.
 *
 * Holds always:
 *  1. conf_put is the only writer of a struct conf's values; what it refuses
 *     leaves them as they were.
 *  2. No message repeats a secret or a url.
 */
#ifndef BASE_CONF_KIND_H
#define BASE_CONF_KIND_H

#include "base/conf.h"

/* false: why has what is wrong. Numbers, flags (0, 1) and spans (ms). */
bool	conf_kind_read(const struct option_row *row, text written,
	    int64_t *number_out, struct buf *why);

/* Secrets: all of it; urls: the password. */
void	conf_kind_mask(const struct option_row *row, text written,
	    struct buf *out);
bool	conf_kind_is_masked(const struct option_row *row, text written);

/* A size or a span in its largest whole unit. */
void	conf_kind_number(enum conf_kind kind, int64_t number,
	    struct buf *out);

/* false: a line was added to problems. origin is copied. */
bool	conf_put(struct conf *conf, enum option option, text written,
	    const char *origin, struct buf *problems);
int64_t	conf_number(const struct conf *conf, enum option option);

/* A piece of foreign text in a message: bounded, without control signs. */
void	conf_show(text t, struct buf *out);
void	conf_quote(text t, struct buf *out);

#endif
