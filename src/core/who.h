/* SPDX-License-Identifier: MIT */
/*
 * Who asks: a worker's book of whom it believes. It is fed with the keys
 * that sign tokens and with what was revoked; it knows neither SQL nor HTTP.
 *
 *	Authorization: Bearer <token>
 *		│ SHA-256
 *		▼
 *	verdicts	good tokens seen before, until they expire
 *		│ not there: core/token reads it
 *		▼
 *	revocations	by name up to a moment, by id
 *		▼
 *	caller
 *
 * Holds always:
 *  1. A verdict is remembered only of good tokens, at most verdicts_most of
 *     them; the oldest goes first. So bad tokens displace nobody.
 *  2. What is revoked is refused from the next call on, remembered or not.
 *  3. Who is not believed learns no reason: a forged token, one that expired
 *     and one of another tenant look the same.
 *  4. A caller is good until the book is called next; who keeps him longer
 *     takes a share of him (caller_keep).
 *
 *	book = who_book_create(4096);
 *	who_book_use_keys(book, keys, count);
 *	...
 *	err = who_find(book, tenant->id, authorization, stamp_now() / 1000,
 *	    &caller);
 */
#ifndef CORE_WHO_H
#define CORE_WHO_H

#include "core/error.h"
#include "core/token.h"

struct json_object;
struct who_book;

struct caller {
	enum rank	rank;
	int32_t		tenant;
	text		name;
	text		id;		/* admin:<name>, for SQL and logs */
	text		jti;		/* empty in older tokens */
	int64_t		timestamp_ms;
	int64_t		iat;
	int64_t		exp;
	char		kid[TOKEN_KEY_ID_MAX + 1];	/* who signed it */
	unsigned	keepers;	/* 0: he is lent */
};

/* A share of him, or of a copy where he is only lent. */
const struct caller *caller_keep(const struct caller *from);
void	caller_give(const struct caller **caller);

struct who_book *who_book_create(unsigned verdicts_most);
void	who_book_destroy(struct who_book **book);

/*
 * The keys that are believed, the newest first; copied. Where they are not
 * what they were, all verdicts are forgotten. false, and nothing changes:
 * there are none, too many, one is not fit, or two have one id.
 */
bool	who_book_use_keys(struct who_book *book, const struct token_key *keys,
	    unsigned count);

/* All tokens of that name made at or before the moment. */
void	who_book_revoke_name(struct who_book *book, int32_t tenant, text name,
	    int64_t before_ms);
/* The one token. */
void	who_book_revoke_token(struct who_book *book, int32_t tenant,
	    text jti);
/*
 * Rises with whatever may end a caller's rights before his time: while it is
 * the same, who_is_revoked says what it said.
 */
uint64_t who_book_news(const struct who_book *book);
/* Before all that is revoked is read anew. */
void	who_book_clear_revocations(struct who_book *book);
/*
 * The same from api.revocation_list, which replaces all, and from what
 * `control` tells: {"tenant":…,"name":…,"before":…} or {"tenant":…,
 * "token":…}. false: it is not understood, and nothing changed.
 */
bool	who_book_read_revocations(struct who_book *book, text json);
bool	who_book_read_news(struct who_book *book, struct json_object *news);

/* Of a caller that was believed before; his token's key may be gone, too. */
bool	who_is_revoked(const struct who_book *book,
	    const struct caller *caller);

/*
 * authorization: the header's value, at NULL where there is none.
 * ERR_token_required: it carries no token. ERR_invalid_token: not believed.
 */
enum err who_find(struct who_book *book, int32_t tenant, text authorization,
	    int64_t now_s, const struct caller **caller_out);
/* The same for a token that came another way. */
enum err who_find_token(struct who_book *book, int32_t tenant, text token,
	    int64_t now_s, const struct caller **caller_out);

/* Bearer, blanks, and something behind them. */
bool	who_bearer(text authorization, text *token_out);

/* Signed by the newest key. false: it would be refused, or there is no key. */
bool	who_make_token(const struct who_book *book,
	    const struct token *token, struct buf *out);

#endif
