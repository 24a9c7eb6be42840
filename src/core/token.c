/* SPDX-License-Identifier: MIT */
/*
 * libjwt between checks of our own. It verifies under the algorithm that the
 * token names, takes base64 and JSON as loosely as its libraries do and
 * looks at no claim; so the form is checked before it and claims after it.
 */
#include "core/token.h"

#include <json-c/json.h>
#include <jwt.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/secret.h"
#include "core/json.h"

#define ALGORITHM "HS256"
#define SECONDS_MAX 253402300799	/* the end of the year 9999 */

const char *
rank_name(enum rank rank)
{
	static const char *const names[RANKS] = {
		[RANK_NONE] = "none",
		[RANK_VIEWER] = "viewer",
		[RANK_BOT] = "bot",
		[RANK_ADMIN] = "admin",
	};

	must(rank < RANKS);
	return (names[rank]);
}

enum rank
rank_of(text name)
{
	for (enum rank rank = RANK_VIEWER; rank < RANKS; rank++)
		if (text_is(text_of(rank_name(rank)), name))
			return (rank);
	return (RANK_NONE);
}

const char *
token_verdict_name(enum token_verdict verdict)
{
	static const char *const names[TOKEN_VERDICTS] = {
		[TOKEN_GOOD] = "good",
		[TOKEN_MALFORMED] = "malformed",
		[TOKEN_WRONG_ALGORITHM] = "wrong algorithm",
		[TOKEN_UNKNOWN_KEY] = "unknown key",
		[TOKEN_BAD_SIGNATURE] = "bad signature",
		[TOKEN_CLAIM_MISSING] = "claim missing",
		[TOKEN_CLAIM_INVALID] = "claim invalid",
		[TOKEN_NOT_YET] = "not valid yet",
		[TOKEN_EXPIRED] = "expired",
	};

	must(verdict < TOKEN_VERDICTS);
	return (names[verdict]);
}

static bool
is_visible(text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] < '!' || t.at[i] > '~')
			return (false);
	return (t.len > 0);
}

bool
token_key_is_fit(const struct token_key *key)
{
	return (key->id.len <= TOKEN_KEY_ID_MAX && is_visible(key->id) &&
	    key->secret.len >= TOKEN_SECRET_MIN);
}

bool
token_name_is_fit(text name)
{
	size_t signs = 0;

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.at[i];

		if (c < 0x20 || c == 0x7f)
			return (false);
		signs += (c & 0xc0) != 0x80;	/* not in mid-sign */
	}
	return (signs > 0 && signs <= TOKEN_NAME_MAX && text_is_utf8(name));
}

void
token_make_id(char out[TOKEN_ID_MADE + 1])
{
	secret_letters(out, TOKEN_ID_MADE);
}

static bool
token_is_fit(const struct token *token)
{
	return (token->rank > RANK_NONE && token->rank < RANKS &&
	    token_name_is_fit(token->name) && token->tenant > 0 &&
	    token->iat >= 0 && token->iat <= SECONDS_MAX &&
	    token->exp >= 0 && token->exp <= SECONDS_MAX &&
	    token->timestamp_ms >= 0 &&
	    token->timestamp_ms / 1000 <= SECONDS_MAX &&
	    token->jti.len <= TOKEN_ID_MAX &&
	    (token->jti.len == 0 || is_visible(token->jti)));
}

/* libjwt takes strings. */
static const char *
string_of(text t, struct arena *arena)
{
	return (arena_copy(arena, t.at, t.len));
}

static void
grant_text(jwt_t *jwt, const char *name, text value, struct arena *arena)
{
	if (jwt_add_grant(jwt, name, string_of(value, arena)) != 0)
		must_never("libjwt takes a text once");
}

static void
grant_int(jwt_t *jwt, const char *name, int64_t value)
{
	_Static_assert(sizeof(long) == sizeof value, "libjwt takes longs");

	if (jwt_add_grant_int(jwt, name, value) != 0)
		must_never("libjwt takes a number once");
}

bool
token_make(const struct token_key *key, const struct token *token,
    struct buf *out)
{
	struct arena arena;
	jwt_t *jwt;
	char *compact;

	must(token_key_is_fit(key));
	if (!token_is_fit(token))
		return (false);
	arena_init(&arena);
	if (jwt_new(&jwt) != 0 || jwt_add_header(jwt, "kid",
	    string_of(key->id, &arena)) != 0)
		must_never("libjwt has memory");
	grant_text(jwt, "role", text_of(rank_name(token->rank)), &arena);
	grant_text(jwt, "name", token->name, &arena);
	grant_int(jwt, "tenant", token->tenant);
	grant_int(jwt, "timestamp", token->timestamp_ms);
	grant_int(jwt, "iat", token->iat);
	grant_int(jwt, "exp", token->exp);
	if (token->jti.len > 0)
		grant_text(jwt, "jti", token->jti, &arena);
	if (jwt_set_alg(jwt, JWT_ALG_HS256,
	    (const unsigned char *)key->secret.at,
	    (int)key->secret.len) != 0 ||
	    (compact = jwt_encode_str(jwt)) == NULL)
		must_never("libjwt signs what was checked");
	buf_add_string(out, compact);
	free(compact);
	jwt_free(jwt);
	arena_fini(&arena);
	return (true);
}

/* The value of a sign of base64url; 64: it is none. */
static unsigned
bits_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return ((unsigned)(c - 'A'));
	if (c >= 'a' && c <= 'z')
		return ((unsigned)(c - 'a' + 26));
	if (c >= '0' && c <= '9')
		return ((unsigned)(c - '0' + 52));
	return (c == '-' ? 62 : c == '_' ? 63 : 64);
}

/* As RFC 7515 writes it and no other way: not even unused bits are free. */
static bool
part_decode(text part, struct arena *arena, text *out)
{
	char *at = arena_alloc(arena, part.len);
	unsigned held = 0, count = 0;
	size_t len = 0;

	if (part.len == 0 || part.len % 4 == 1)
		return (false);
	for (size_t i = 0; i < part.len; i++) {
		unsigned bits = bits_of(part.at[i]);

		if (bits == 64)
			return (false);
		held = (held << 6 | bits) & 0xffff;
		count += 6;
		if (count >= 8) {
			count -= 8;
			at[len++] = (char)(held >> count & 0xff);
		}
	}
	*out = text_from(at, len);
	return ((held & ((1u << count) - 1)) == 0);
}

/* How many members the outermost object of valid JSON is written with. */
static int
members_written(text json)
{
	int depth = 0, members = 0;
	bool in_string = false;

	for (size_t i = 0; i < json.len; i++) {
		char c = json.at[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (in_string)
			continue;
		else if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		else if (c == ':' && depth == 1)
			members++;
	}
	return (members);
}

/* An object in which no name comes twice; NULL: it is not. */
static struct json_object *
object_read(text json)
{
	struct json_object *object = json_in_read(json);

	if (object != NULL &&
	    (!json_object_is_type(object, json_type_object) ||
	    json_object_object_length(object) != members_written(json)))
		json_in_free(&object);
	return (object);
}

static bool
has(struct json_object *object, const char *name)
{
	return (json_object_object_get_ex(object, name, NULL));
}

/* *kid_out is empty where there is none. */
static enum token_verdict
header_read(text json, struct arena *arena, text *kid_out)
{
	struct json_object *header = object_read(json);
	enum token_verdict verdict = TOKEN_MALFORMED;
	text algorithm, type, kid;

	/* crit names what must be understood, and we understand none of it. */
	if (header == NULL || has(header, "crit") ||
	    !json_in_text(header, "alg", &algorithm))
		goto out;
	if (has(header, "typ") && (!json_in_text(header, "typ", &type) ||
	    !text_is_like(type, TEXT("JWT"))))
		goto out;
	*kid_out = TEXT_NONE;
	if (has(header, "kid")) {
		if (!json_in_text(header, "kid", &kid) || kid.len == 0)
			goto out;
		*kid_out = text_from(arena_copy(arena, kid.at, kid.len),
		    kid.len);
	}
	verdict = text_is(algorithm, TEXT(ALGORITHM)) ? TOKEN_GOOD :
	    TOKEN_WRONG_ALGORITHM;
out:
	json_in_free(&header);
	return (verdict);
}

static bool
is_signed_by(const char *compact, const struct token_key *key)
{
	jwt_t *jwt = NULL;
	bool is = jwt_decode(&jwt, compact,
	    (const unsigned char *)key->secret.at,
	    (int)key->secret.len) == 0 && jwt_get_alg(jwt) == JWT_ALG_HS256;

	if (jwt != NULL)
		jwt_free(jwt);
	return (is);
}

/* Sets *kid to the key's whose signature it is. */
static enum token_verdict
signature_check(const struct token_key *keys, unsigned count, text compact,
    struct arena *arena, text *kid)
{
	const char *string = string_of(compact, arena);
	bool is_known = false;

	for (unsigned i = 0; i < count; i++) {
		text id = keys[i].id;

		must(token_key_is_fit(&keys[i]));
		if (kid->len > 0 && !text_is(*kid, id))
			continue;
		is_known = true;
		if (is_signed_by(string, &keys[i])) {
			*kid = text_from(arena_copy(arena, id.at, id.len),
			    id.len);
			return (TOKEN_GOOD);
		}
	}
	return (is_known ? TOKEN_BAD_SIGNATURE : TOKEN_UNKNOWN_KEY);
}

static enum token_verdict
claim_text(struct json_object *claims, const char *name, text *out)
{
	return (!has(claims, name) ? TOKEN_CLAIM_MISSING :
	    !json_in_text(claims, name, out) ? TOKEN_CLAIM_INVALID :
	    TOKEN_GOOD);
}

static enum token_verdict
claim_int(struct json_object *claims, const char *name, int64_t min,
    int64_t max, int64_t *out)
{
	if (!has(claims, name))
		return (TOKEN_CLAIM_MISSING);
	return (json_in_int(claims, name, out) && *out >= min && *out <= max ?
	    TOKEN_GOOD : TOKEN_CLAIM_INVALID);
}

/* *out stays what it is where the claim is missing. */
static enum token_verdict
claim_int_if_any(struct json_object *claims, const char *name, int64_t min,
    int64_t max, int64_t *out)
{
	return (has(claims, name) ? claim_int(claims, name, min, max, out) :
	    TOKEN_GOOD);
}

/* Texts still point into claims. */
static enum token_verdict
claims_read(struct json_object *claims, struct token *token, int64_t *nbf_out)
{
	enum token_verdict verdict;
	int64_t tenant = TOKEN_TENANT_DEFAULT;
	text role;

	if ((verdict = claim_text(claims, "role", &role)) != TOKEN_GOOD ||
	    (verdict = claim_text(claims, "name", &token->name)) !=
	    TOKEN_GOOD ||
	    (verdict = claim_int(claims, "iat", 0, SECONDS_MAX,
	    &token->iat)) != TOKEN_GOOD ||
	    (verdict = claim_int(claims, "exp", 0, SECONDS_MAX,
	    &token->exp)) != TOKEN_GOOD)
		return (verdict);
	token->timestamp_ms = token->iat * 1000;
	*nbf_out = 0;
	if (claim_int_if_any(claims, "timestamp", 0, SECONDS_MAX * 1000,
	    &token->timestamp_ms) != TOKEN_GOOD ||
	    claim_int_if_any(claims, "tenant", 1, INT32_MAX, &tenant) !=
	    TOKEN_GOOD ||
	    claim_int_if_any(claims, "nbf", 0, SECONDS_MAX, nbf_out) !=
	    TOKEN_GOOD ||
	    (has(claims, "jti") && (!json_in_text(claims, "jti",
	    &token->jti) || token->jti.len == 0)))
		return (TOKEN_CLAIM_INVALID);
	token->rank = rank_of(role);
	token->tenant = (int32_t)tenant;
	/* A token made for a named audience is not for us: we have no name. */
	return (has(claims, "aud") || !token_is_fit(token) ?
	    TOKEN_CLAIM_INVALID : TOKEN_GOOD);
}

static enum token_verdict
times_check(const struct token *token, int64_t nbf, int64_t now_s)
{
	/* From the future it would outlive what revokes those made by now. */
	if (nbf > now_s || token->iat > now_s + TOKEN_SKEW_S ||
	    token->timestamp_ms / 1000 > now_s + TOKEN_SKEW_S)
		return (TOKEN_NOT_YET);
	return (token->exp <= now_s ? TOKEN_EXPIRED : TOKEN_GOOD);
}

/* What the claims say, once the signature says that they are true. */
static enum token_verdict
token_believe(struct json_object *claims, int64_t now_s, struct arena *arena,
    struct token *token)
{
	int64_t nbf;
	enum token_verdict verdict = claims_read(claims, token, &nbf);

	if (verdict != TOKEN_GOOD)
		return (verdict);
	token->name.at = arena_copy(arena, token->name.at, token->name.len);
	token->jti.at = arena_copy(arena, token->jti.at, token->jti.len);
	return (times_check(token, nbf, now_s));
}

/* Header and claims, decoded; false: it has no three such parts. */
static bool
cut_parts(text compact, struct arena *arena, text *header_out,
    text *claims_out)
{
	text header, claims, signature, rest, ignored;

	return (compact.len <= TOKEN_MAX &&
	    text_cut(compact, '.', &header, &rest) &&
	    text_cut(rest, '.', &claims, &signature) &&
	    part_decode(header, arena, header_out) &&
	    part_decode(claims, arena, claims_out) &&
	    part_decode(signature, arena, &ignored));
}

static bool
is_object(text json)
{
	struct json_object *object = object_read(json);
	bool is = object != NULL;

	json_in_free(&object);
	return (is);
}

bool
token_parts(text compact, struct arena *arena, text *header_out,
    text *claims_out)
{
	return (cut_parts(compact, arena, header_out, claims_out) &&
	    is_object(*header_out) && is_object(*claims_out));
}

enum token_verdict
token_read(const struct token_key *keys, unsigned count, text compact,
    int64_t now_s, struct arena *arena, struct token *token_out)
{
	struct token token = { 0 };
	struct json_object *claims;
	text head, payload;
	enum token_verdict verdict;

	if (!cut_parts(compact, arena, &head, &payload) ||
	    (claims = object_read(payload)) == NULL)
		return (TOKEN_MALFORMED);
	verdict = header_read(head, arena, &token.kid);
	if (verdict == TOKEN_GOOD)
		verdict = signature_check(keys, count, compact, arena,
		    &token.kid);
	if (verdict == TOKEN_GOOD)
		verdict = token_believe(claims, now_s, arena, &token);
	if (verdict == TOKEN_GOOD || verdict == TOKEN_NOT_YET ||
	    verdict == TOKEN_EXPIRED)
		*token_out = token;
	json_in_free(&claims);
	return (verdict);
}
