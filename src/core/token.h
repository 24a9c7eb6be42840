/* SPDX-License-Identifier: MIT */
/*
 * Tokens: what an admin is given for his key, and shows from then on. JWT
 * in compact form, signed with HMAC-SHA256 by one of a few keys.
 *
 *	header	{"alg":"HS256","kid":"7","typ":"JWT"}
 *	claims	{"exp":…,"iat":…,"jti":"…","name":"Ann","role":"admin",
 *		 "tenant":1,"timestamp":…}
 *
 * Older servers' tokens have neither kid nor tenant nor jti: they are tried
 * with each key and belong to the default tenant. Without a name they are
 * refused.
 *
 * Holds always:
 *  1. The algorithm is our keys', whatever a token says; a token that says
 *     another is refused before anything of it is checked.
 *  2. Of one token there is one form: base64url without padding, blanks or
 *     unused bits, no name twice in an object, one JSON object in each part.
 *  3. What was read is within the bounds below, so it can be kept, shown and
 *     given to SQL as it is.
 *
 *	token_make(&keys[0], &token, &buf);
 *	...
 *	if (token_read(keys, count, compact, stamp_now() / 1000, &arena,
 *	    &token) != TOKEN_GOOD)
 *		...
 */
#ifndef CORE_TOKEN_H
#define CORE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

/* What one may do: each all that the ones before may. */
enum rank { RANK_NONE, RANK_VIEWER, RANK_BOT, RANK_ADMIN, RANKS };

const char *rank_name(enum rank rank);
enum rank rank_of(text name);		/* RANK_NONE: there is no such */

#define TOKEN_MAX 4096			/* bytes of a token */
#define TOKEN_KEYS_MAX 8
#define TOKEN_KEY_ID_MAX 64
#define TOKEN_SECRET_MIN 32		/* bytes; fewer could be guessed */
#define TOKEN_NAME_MAX 100		/* signs of a name */
#define TOKEN_ID_MADE 26		/* letters of an id that we make */
#define TOKEN_ID_MAX 64
#define TOKEN_SKEW_S 60			/* that hosts' clocks may differ */
#define TOKEN_TENANT_DEFAULT 1

struct token_key {
	text	id;
	text	secret;
};

struct token {
	enum rank	rank;
	text		name;
	int32_t		tenant;
	int64_t		timestamp_ms;	/* when it was made */
	int64_t		iat;		/* the same, in seconds */
	int64_t		exp;		/* it is good before this second */
	text		jti;		/* its id; empty in older ones */
	text		kid;		/* read: whose signature it has */
};

enum token_verdict {
	TOKEN_GOOD,
	TOKEN_MALFORMED,
	TOKEN_WRONG_ALGORITHM,
	TOKEN_UNKNOWN_KEY,
	TOKEN_BAD_SIGNATURE,
	TOKEN_CLAIM_MISSING,
	TOKEN_CLAIM_INVALID,
	TOKEN_NOT_YET,
	TOKEN_EXPIRED,
	TOKEN_VERDICTS
};
const char *token_verdict_name(enum token_verdict verdict);

/* An id of its own, and a secret long enough. */
bool	token_key_is_fit(const struct token_key *key);
/* 1 to TOKEN_NAME_MAX signs, none of them a control: what admins must have. */
bool	token_name_is_fit(text name);
/* A new jti, and a NUL. */
void	token_make_id(char out[TOKEN_ID_MADE + 1]);

/*
 * What it is written with, believed or not: the JSON of header and claims.
 * false: it has no form of a token.
 */
bool	token_parts(text compact, struct arena *arena, text *header_out,
	    text *claims_out);

/* Added to out. false: it would be refused when read. */
bool	token_make(const struct token_key *key, const struct token *token,
	    struct buf *out);
/*
 * Texts are in the arena. *token_out is set where the signature and all
 * claims are right: GOOD, and NOT_YET and EXPIRED, for who wants to show it.
 */
enum token_verdict token_read(const struct token_key *keys, unsigned count,
	    text compact, int64_t now_s, struct arena *arena,
	    struct token *token_out);

#endif
