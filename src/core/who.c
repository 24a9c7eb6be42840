/* SPDX-License-Identifier: MIT */
/*
 * Verdicts and revocations in hash tables. A verdict remembers how many
 * revocations there were when it was last compared with them, so that a call
 * looks only at a digest and a number.
 */
#include "core/who.h"

#include <uthash.h>

#include "base/count.h"
#include "plat/digest.h"

struct verdict {
	unsigned char	 digest[DIGEST_SIZE];
	const struct caller *caller;
	uint64_t	 news_seen;	/* is_revoked is as of then */
	bool		 is_revoked;
	UT_hash_handle	 hh;		/* oldest first */
};

/* Of a name or a token's id. */
struct revocation {
	int64_t		 before_ms;	/* of a name */
	UT_hash_handle	 hh;
	size_t		 len;
	char		 key[];		/* the tenant's number, then it */
};

struct who_book {
	unsigned	 magic;
#define WHO_BOOK_MAGIC 0x77686f62
	unsigned	 verdicts_most;
	unsigned	 keys_count;
	struct token_key keys[TOKEN_KEYS_MAX];
	struct verdict	*verdicts;
	struct revocation *names;
	struct revocation *tokens;
	uint64_t	 news;		/* counts changes of what is believed */
};

#define KEY_SIZE_MAX (sizeof(int32_t) + 4 * TOKEN_NAME_MAX)
_Static_assert(TOKEN_ID_MAX <= 4 * TOKEN_NAME_MAX, "ids fit into keys");

/* With texts of his own, and one who keeps him. */
static struct caller *
caller_make(const struct caller *from)
{
	const text given[] = { from->name, from->id, from->jti };
	struct caller *made = mem_alloc(sizeof *made + from->name.len +
	    from->id.len + from->jti.len);
	text *const kept[] = { &made->name, &made->id, &made->jti };
	char *texts = (char *)(made + 1);

	*made = *from;
	made->keepers = 1;
	for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
		if (given[i].len > 0)
			memcpy(texts, given[i].at, given[i].len);
		*kept[i] = text_from(texts, given[i].len);
		texts += given[i].len;
	}
	return (made);
}

const struct caller *
caller_keep(const struct caller *from)
{
	if (from->keepers == 0)
		return (caller_make(from));
	((struct caller *)from)->keepers++;
	return (from);
}

void
caller_give(const struct caller **given)
{
	struct caller *caller = (struct caller *)*given;

	*given = NULL;
	if (caller != NULL && --caller->keepers == 0)
		mem_free(caller);
}

struct who_book *
who_book_create(unsigned verdicts_most)
{
	struct who_book *book = object_create(struct who_book,
	    WHO_BOOK_MAGIC);

	must(verdicts_most > 0);
	book->verdicts_most = verdicts_most;
	return (book);
}

static void
verdict_forget(struct who_book *book, struct verdict *verdict)
{
	HASH_DEL(book->verdicts, verdict);
	caller_give(&verdict->caller);
	mem_free(verdict);
	GAUGE_ADD(token_verdicts, -1);
}

static void
forget_verdicts(struct who_book *book)
{
	struct verdict *verdict, *next;

	HASH_ITER(hh, book->verdicts, verdict, next)
		verdict_forget(book, verdict);
}

static void
forget_revocations(struct revocation **table)
{
	struct revocation *revocation, *next;

	HASH_ITER(hh, *table, revocation, next) {
		HASH_DEL(*table, revocation);
		mem_free(revocation);
	}
}

static void
text_drop(text *t)
{
	char *at = (char *)(uintptr_t)t->at;

	explicit_bzero(at, t->len);
	mem_free(at);
	*t = TEXT_NONE;
}

static text
text_copy(text t)
{
	return (text_from(mem_copy_text(t), t.len));
}

static void
forget_keys(struct who_book *book)
{
	while (book->keys_count > 0) {
		struct token_key *key = &book->keys[--book->keys_count];

		text_drop(&key->id);
		text_drop(&key->secret);
	}
}

void
who_book_destroy(struct who_book **given)
{
	struct who_book *book = *given;

	*given = NULL;
	if (book == NULL)
		return;
	object_check(book, WHO_BOOK_MAGIC);
	forget_verdicts(book);
	forget_revocations(&book->names);
	forget_revocations(&book->tokens);
	forget_keys(book);
	object_free(&book);
}

static bool
keys_are_fit(const struct token_key *keys, unsigned count)
{
	if (count == 0 || count > TOKEN_KEYS_MAX)
		return (false);
	for (unsigned i = 0; i < count; i++) {
		if (!token_key_is_fit(&keys[i]))
			return (false);
		for (unsigned j = 0; j < i; j++)
			if (text_is(keys[i].id, keys[j].id))
				return (false);
	}
	return (true);
}

static bool
has_keys(const struct who_book *book, const struct token_key *keys,
    unsigned count)
{
	if (book->keys_count != count)
		return (false);
	for (unsigned i = 0; i < count; i++)
		if (!text_is(book->keys[i].id, keys[i].id) ||
		    !text_is(book->keys[i].secret, keys[i].secret))
			return (false);
	return (true);
}

bool
who_book_use_keys(struct who_book *book, const struct token_key *keys,
    unsigned count)
{
	object_check(book, WHO_BOOK_MAGIC);
	if (!keys_are_fit(keys, count))
		return (false);
	if (has_keys(book, keys, count))
		return (true);
	forget_verdicts(book);
	book->news++;
	forget_keys(book);
	for (unsigned i = 0; i < count; i++)
		book->keys[book->keys_count++] = (struct token_key){
		    .id = text_copy(keys[i].id),
		    .secret = text_copy(keys[i].secret) };
	return (true);
}

/* Its length; 0: no token can have that name or id. */
static size_t
key_write(int32_t tenant, text value, char out[KEY_SIZE_MAX])
{
	if (value.len == 0 || value.len > KEY_SIZE_MAX - sizeof tenant)
		return (0);
	memcpy(out, &tenant, sizeof tenant);
	memcpy(out + sizeof tenant, value.at, value.len);
	return (sizeof tenant + value.len);
}

static struct revocation *
revocation_find(struct revocation *table, int32_t tenant, text value)
{
	char key[KEY_SIZE_MAX];
	size_t len = key_write(tenant, value, key);
	struct revocation *revocation = NULL;

	if (len > 0)
		HASH_FIND(hh, table, key, len, revocation);
	return (revocation);
}

static void
revocation_put(struct revocation **table, int32_t tenant, text value,
    int64_t before_ms)
{
	struct revocation *revocation = revocation_find(*table, tenant,
	    value);
	char key[KEY_SIZE_MAX];
	size_t len = key_write(tenant, value, key);

	if (len == 0)
		return;
	if (revocation == NULL) {
		revocation = mem_alloc(sizeof *revocation + len);
		revocation->before_ms = before_ms;
		revocation->len = len;
		memcpy(revocation->key, key, len);
		HASH_ADD_KEYPTR(hh, *table, revocation->key, revocation->len,
		    revocation);
	}
	/* News may come twice and in any order: the latest moment counts. */
	if (revocation->before_ms < before_ms)
		revocation->before_ms = before_ms;
}

void
who_book_revoke_name(struct who_book *book, int32_t tenant, text name,
    int64_t before_ms)
{
	object_check(book, WHO_BOOK_MAGIC);
	revocation_put(&book->names, tenant, name, before_ms);
	book->news++;
}

void
who_book_revoke_token(struct who_book *book, int32_t tenant, text jti)
{
	object_check(book, WHO_BOOK_MAGIC);
	revocation_put(&book->tokens, tenant, jti, 0);
	book->news++;
}

void
who_book_clear_revocations(struct who_book *book)
{
	object_check(book, WHO_BOOK_MAGIC);
	forget_revocations(&book->names);
	forget_revocations(&book->tokens);
	book->news++;
}

static bool
has_key(const struct who_book *book, const char *kid)
{
	for (unsigned i = 0; i < book->keys_count; i++)
		if (text_is(book->keys[i].id, text_of(kid)))
			return (true);
	return (false);
}

uint64_t
who_book_news(const struct who_book *book)
{
	return (book->news);
}

bool
who_is_revoked(const struct who_book *book, const struct caller *caller)
{
	const struct revocation *name = revocation_find(book->names,
	    caller->tenant, caller->name);

	/* Who came by a ticket shows no key: that of his token is not known. */
	return ((caller->kid[0] != '\0' && !has_key(book, caller->kid)) ||
	    (name != NULL && caller->timestamp_ms <= name->before_ms) ||
	    revocation_find(book->tokens, caller->tenant, caller->jti) !=
	    NULL);
}

static const struct caller *
caller_of(const struct token *token)
{
	struct caller caller = { .rank = token->rank, .name = token->name,
	    .tenant = token->tenant, .jti = token->jti,
	    .timestamp_ms = token->timestamp_ms, .iat = token->iat,
	    .exp = token->exp };
	const struct caller *made;
	struct buf id;

	must(token->kid.len < sizeof caller.kid);
	memcpy(caller.kid, token->kid.at, token->kid.len);
	buf_init(&id, BUF_NO_LIMIT);
	buf_add_string(&id, "admin:");
	buf_add(&id, token->name);
	caller.id = buf_text(&id);
	made = caller_make(&caller);
	buf_fini(&id);
	return (made);
}

static struct verdict *
verdict_remember(struct who_book *book,
    const unsigned char digest[DIGEST_SIZE], const struct token *token)
{
	struct verdict *verdict = mem_alloc(sizeof *verdict);

	if (HASH_COUNT(book->verdicts) >= book->verdicts_most)
		verdict_forget(book, book->verdicts);
	memcpy(verdict->digest, digest, DIGEST_SIZE);
	verdict->caller = caller_of(token);
	verdict->is_revoked = who_is_revoked(book, verdict->caller);
	verdict->news_seen = book->news;
	HASH_ADD(hh, book->verdicts, digest, DIGEST_SIZE, verdict);
	GAUGE_ADD(token_verdicts, 1);
	return (verdict);
}

/* NULL: it is not good. */
static struct verdict *
verdict_reach(struct who_book *book, const unsigned char digest[DIGEST_SIZE],
    text compact, int64_t now_s)
{
	struct verdict *verdict = NULL;
	struct arena arena;
	struct token token;

	COUNT(token_reads);
	arena_init(&arena);
	if (token_read(book->keys, book->keys_count, compact, now_s, &arena,
	    &token) == TOKEN_GOOD)
		verdict = verdict_remember(book, digest, &token);
	arena_fini(&arena);
	return (verdict);
}

static struct verdict *
verdict_find(struct who_book *book, text compact, int64_t now_s)
{
	unsigned char digest[DIGEST_SIZE];
	struct verdict *verdict;

	digest_of(compact, digest);
	HASH_FIND(hh, book->verdicts, digest, sizeof digest, verdict);
	if (verdict == NULL)
		return (verdict_reach(book, digest, compact, now_s));
	if (verdict->caller->exp <= now_s) {
		verdict_forget(book, verdict);
		return (NULL);
	}
	if (verdict->news_seen != book->news) {
		verdict->is_revoked = who_is_revoked(book, verdict->caller);
		verdict->news_seen = book->news;
	}
	return (verdict);
}

enum err
who_find_token(struct who_book *book, int32_t tenant, text compact,
    int64_t now_s, const struct caller **caller_out)
{
	struct verdict *verdict = NULL;

	object_check(book, WHO_BOOK_MAGIC);
	/* What is too long for a token is not worth its digest. */
	if (compact.len <= TOKEN_MAX)
		verdict = verdict_find(book, compact, now_s);
	if (verdict == NULL || verdict->is_revoked ||
	    verdict->caller->tenant != tenant) {
		COUNT(tokens_refused);
		return (ERR_invalid_token);
	}
	*caller_out = verdict->caller;
	return (ERR_none);
}

bool
who_bearer(text authorization, text *token_out)
{
	text scheme, rest;

	if (!text_cut(authorization, ' ', &scheme, &rest) ||
	    !text_is_like(scheme, TEXT("Bearer")))
		return (false);
	while (rest.len > 0 && rest.at[0] == ' ')
		rest = text_from(rest.at + 1, rest.len - 1);
	*token_out = rest;
	return (rest.len > 0);
}

enum err
who_find(struct who_book *book, int32_t tenant, text authorization,
    int64_t now_s, const struct caller **caller_out)
{
	text compact;

	return (who_bearer(authorization, &compact) ?
	    who_find_token(book, tenant, compact, now_s, caller_out) :
	    ERR_token_required);
}

bool
who_make_token(const struct who_book *book, const struct token *token,
    struct buf *out)
{
	object_check(book, WHO_BOOK_MAGIC);
	return (book->keys_count > 0 && token_make(&book->keys[0], token,
	    out));
}
