/* SPDX-License-Identifier: MIT */
/*
 * A piece of text: where it begins and how long it is. Passed by value,
 * owns nothing, need not end in NUL.
 *
 *	text name = TEXT("value"), rest;
 *	if (text_cut(line, '=', &name, &rest)) ...
 *	printf("%.*s", TEXT_ARGS(name));
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	const char	*at;
	size_t		 len;
} text;

#define TEXT(literal)	((text){ "" literal, sizeof(literal) - 1 })
#define TEXT_NONE	((text){ NULL, 0 })
#define TEXT_ARGS(t)	(int)(t).len, (t).at

static inline text
text_of(const char *string)
{
	return ((text){ string, string != NULL ? strlen(string) : 0 });
}

static inline text
text_from(const char *at, size_t len)
{
	return ((text){ at, len });
}

static inline bool
text_is(text a, text b)
{
	return (a.len == b.len && (a.len == 0 || memcmp(a.at, b.at,
	    a.len) == 0));
}

bool	text_is_like(text a, text b);		/* ASCII case apart */
bool	text_begins(text whole, text begin);
bool	text_ends(text whole, text end);
bool	text_has(text whole, char c);
text	text_trim(text t);			/* blanks at both ends */

/* Cuts at the first c: false, and head is all of it, where there is none. */
bool	text_cut(text whole, char c, text *head_out, text *tail_out);
/* The same at the last c. */
bool	text_cut_last(text whole, char c, text *head_out, text *tail_out);
/* Takes the next word off the front: false where only blanks are left. */
bool	text_next_word(text *rest, text *word_out);

/* A decimal number, nothing else beside it, within min and max. */
bool	text_to_int64(text t, int64_t min, int64_t max, int64_t *out);
bool	text_is_utf8(text t);
/* Of the bytes at its front, those of ASCII that JSON writes as they are. */
size_t	text_plain_length(text t);
size_t	text_characters(text t);	/* of what is UTF-8 */

#endif
