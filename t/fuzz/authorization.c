/* SPDX-License-Identifier: MIT */
/*
 * The header Authorization: what is taken for a token lies within it, behind
 * Bearer and blanks; asking twice gives the same; no revocation helps anyone.
 */
#include <stdint.h>

#include "core/who.h"

#define NOW 1800000000LL

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct token_key key = {
	TEXT("one"), TEXT("0123456789abcdef0123456789abcdef")
};

static void
check_bearer(text value)
{
	text token;

	if (!who_bearer(value, &token))
		return;
	must(token.len > 0 && token.at[0] != ' ');
	must(token.at > value.at && token.at + token.len == value.at +
	    value.len);
	must(text_is_like(text_from(value.at, 6), TEXT("bearer")));
	for (const char *at = value.at + 6; at < token.at; at++)
		must(*at == ' ');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct who_book *book;
	text value = text_from((const char *)data, size), token;
	const struct caller *caller = NULL;
	enum err first, second;

	if (book == NULL) {
		book = who_book_create(4);
		must(who_book_use_keys(book, &key, 1));
	}
	check_bearer(value);
	first = who_find(book, 1, value, NOW, &caller);
	second = who_find(book, 1, value, NOW, &caller);
	must(first == second);
	must((first == ERR_token_required) == !who_bearer(value, &token));
	if (first != ERR_none)
		return (0);
	must(caller->tenant == 1 && caller->rank != RANK_NONE);
	must(who_find(book, 2, value, NOW, &caller) == ERR_invalid_token);
	must(who_find(book, 1, value, NOW, &caller) == ERR_none);
	who_book_revoke_name(book, 1, caller->name, caller->timestamp_ms);
	must(who_find(book, 1, value, NOW, &caller) == ERR_invalid_token);
	who_book_clear_revocations(book);
	return (0);
}
