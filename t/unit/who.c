/* SPDX-License-Identifier: MIT */
/*
 * core/who: the header, what is remembered and for how long, what is
 * revoked, keys that change, and what a hit costs.
 */
#include "core/who.h"

#include "base/count.h"
#include "base/stamp.h"
#include "core/json.h"
#include "tap.h"

#define NOW 1800000000LL
#define MOST 8

static const struct token_key keys[] = {
	{ TEXT("new"), TEXT("0123456789abcdef0123456789abcdef") },
	{ TEXT("old"), TEXT("the second of two keys, long enough") },
};

static struct who_book *book;
static const struct caller *caller;

static uint64_t
reads(void)
{
	return (counts->counters[COUNTER_token_reads]);
}

static int64_t
remembered(void)
{
	return (GAUGE_GET(token_verdicts));
}

/* Of an admin called so, made at a moment (in ms), by a key. */
static text
make(const struct token_key *key, int32_t tenant, const char *name,
    const char *jti, int64_t at_ms)
{
	static struct buf bufs[16];
	static unsigned next;
	struct buf *buf = &bufs[next++ % 16];
	struct token token = { .rank = RANK_ADMIN, .name = text_of(name),
	    .tenant = tenant, .timestamp_ms = at_ms, .iat = at_ms / 1000,
	    .exp = at_ms / 1000 + 3600, .jti = text_of(jti) };

	if (buf->at == NULL)
		buf_init(buf, BUF_NO_LIMIT);
	buf_clear(buf);
	ok(token_make(key, &token, buf));
	return (buf_text(buf));
}

static text
ann(void)
{
	return (make(&keys[0], 1, "Ann", "a1", NOW * 1000));
}

static enum err
find(text token)
{
	return (who_find_token(book, 1, token, NOW, &caller));
}

static text
bearer(const char *before, text token, const char *behind)
{
	static char value[8192];

	return (text_from(value, (size_t)snprintf(value, sizeof value,
	    "%s%.*s%s", before, TEXT_ARGS(token), behind)));
}

static enum err
find_header(text authorization)
{
	return (who_find(book, 1, authorization, NOW, &caller));
}

static void
headers(void)
{
	text token = ann();

	test("a token is found behind Bearer in any letters");
	is(find_header(bearer("Bearer ", token, "")), ERR_none);
	is(find_header(bearer("bearer ", token, "")), ERR_none);
	is(find_header(bearer("BEARER    ", token, "")), ERR_none);

	test("without a token one is required");
	is(find_header(TEXT_NONE), ERR_token_required);
	is(find_header(TEXT("")), ERR_token_required);
	is(find_header(TEXT("Bearer")), ERR_token_required);
	is(find_header(TEXT("Bearer ")), ERR_token_required);
	is(find_header(TEXT("Bearer   ")), ERR_token_required);
	is(find_header(TEXT("Basic QW5uOng=")), ERR_token_required);
	is(find_header(bearer("", token, "")), ERR_token_required);
	is(find_header(bearer("Bearer", token, "")), ERR_token_required);
	is(find_header(bearer("Bearer\t", token, "")), ERR_token_required);
	is(find_header(bearer(" Bearer ", token, "")), ERR_token_required);
	is(find_header(bearer("Token ", token, "")), ERR_token_required);

	test("what is more than a token is none");
	is(find_header(bearer("Bearer ", token, " ")), ERR_invalid_token);
	is(find_header(bearer("Bearer ", token, ",")), ERR_invalid_token);
	is(find_header(bearer("Bearer \t", token, "")), ERR_invalid_token);
	is(find_header(bearer("Bearer Bearer ", token, "")),
	    ERR_invalid_token);
	is(find_header(TEXT("Bearer x")), ERR_invalid_token);
	is(find_header(TEXT("Bearer x\0y")), ERR_invalid_token);
}

static void
callers(void)
{
	test("a caller is all that the token says");
	is(find(make(&keys[1], 1, "Ann \xc3\xa9", "a2", NOW * 1000 - 1)),
	    ERR_none);
	is(caller->rank, RANK_ADMIN);
	is(caller->tenant, 1);
	is_text(caller->name, "Ann \xc3\xa9");
	is_text(caller->id, "admin:Ann \xc3\xa9");
	is_text(caller->jti, "a2");
	is(caller->timestamp_ms, NOW * 1000 - 1);
	is(caller->iat, NOW - 1);
	is(caller->exp, NOW + 3599);

	test("a token is nothing in another tenant, remembered or not");
	is(who_find_token(book, 2, ann(), NOW, &caller), ERR_invalid_token);
	is(find(ann()), ERR_none);
	is(who_find_token(book, 2, ann(), NOW, &caller), ERR_invalid_token);
	is(find(make(&keys[0], 2, "Ann", "a1", NOW * 1000)),
	    ERR_invalid_token);
}

static void
memory(void)
{
	uint64_t before;
	text first;
	char name[16];
	static char huge[TOKEN_MAX + 1];

	test("a good token is read once");
	first = make(&keys[0], 1, "First", "f", NOW * 1000);
	before = reads();
	for (int i = 0; i < 10; i++)
		is(find(first), ERR_none);
	is(reads(), before + 1);
	is_text(caller->name, "First");

	test("until it expires, and then it is forgotten");
	before = (uint64_t)remembered();
	is(who_find_token(book, 1, first, NOW + 3599, &caller), ERR_none);
	is(who_find_token(book, 1, first, NOW + 3600, &caller),
	    ERR_invalid_token);
	is(remembered(), before - 1);

	test("no more than there is room for; the oldest goes first");
	is(find(first), ERR_none);
	for (int i = 1; i < MOST; i++) {
		snprintf(name, sizeof name, "n%d", i);
		is(find(make(&keys[0], 1, name, "", NOW * 1000)), ERR_none);
	}
	is(remembered(), MOST);
	before = reads();
	is(find(first), ERR_none);
	is(reads(), before);
	is(find(make(&keys[0], 1, "last", "", NOW * 1000)), ERR_none);
	is(remembered(), MOST);
	is(find(first), ERR_none);
	is(reads(), before + 2);
	is(remembered(), MOST);

	test("bad tokens are neither remembered nor displace good ones");
	before = (uint64_t)counts->counters[COUNTER_tokens_refused];
	for (int i = 0; i < 4 * MOST; i++) {
		char bad[] = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA";

		bad[sizeof bad - 2] = (char)('A' + 4 * (i % 4));
		is(find(text_of(bad)), ERR_invalid_token);
	}
	is(counts->counters[COUNTER_tokens_refused], before + 4 * MOST);
	is(remembered(), MOST);
	before = reads();
	is(find(first), ERR_none);
	is(reads(), before);

	test("what is too long is not even read");
	before = reads();
	is(find(text_from(huge, sizeof huge)), ERR_invalid_token);
	is(reads(), before);
	is(find(text_from(huge, sizeof huge - 1)), ERR_invalid_token);
	is(reads(), before + 1);
}

static void
revoked_names(void)
{
	text early = make(&keys[0], 1, "Bob", "b1", NOW * 1000 - 1);
	text at = make(&keys[0], 1, "Bob", "b2", NOW * 1000);
	text late = make(&keys[0], 1, "Bob", "b3", NOW * 1000 + 1);
	uint64_t before;

	test("revoking a name ends its tokens up to the moment, at once");
	is(find(early), ERR_none);
	is(find(at), ERR_none);
	is(find(late), ERR_none);
	who_book_revoke_name(book, 1, TEXT("Bob"), NOW * 1000);
	is(find(early), ERR_invalid_token);
	is(find(at), ERR_invalid_token);
	is(find(late), ERR_none);

	test("those that were never seen as well");
	is(find(make(&keys[1], 1, "Bob", "b4", NOW * 1000 - 5)),
	    ERR_invalid_token);
	is(find(make(&keys[1], 1, "Bob", "b5", NOW * 1000 + 5)), ERR_none);

	test("nobody else's");
	is(find(ann()), ERR_none);
	is(find(make(&keys[0], 1, "Bo", "", NOW * 1000)), ERR_none);
	is(find(make(&keys[0], 1, "Bobb", "", NOW * 1000)), ERR_none);
	is(find(make(&keys[0], 1, "bob", "", NOW * 1000)), ERR_none);
	is(who_find_token(book, 2, make(&keys[0], 2, "Bob", "",
	    NOW * 1000), NOW, &caller), ERR_none);

	test("news may come late and twice: the latest moment counts");
	who_book_revoke_name(book, 1, TEXT("Bob"), NOW * 1000 - 100);
	is(find(at), ERR_invalid_token);
	who_book_revoke_name(book, 1, TEXT("Bob"), NOW * 1000);
	is(find(at), ERR_invalid_token);
	is(find(late), ERR_none);
	who_book_revoke_name(book, 1, TEXT("Bob"), NOW * 1000 + 1);
	is(find(late), ERR_invalid_token);

	test("revoked they are not read over and over");
	before = reads();
	for (int i = 0; i < 3; i++)
		is(find(late), ERR_invalid_token);
	is(reads(), before);

	test("after clearing they are good again");
	who_book_clear_revocations(book);
	is(find(early), ERR_none);
	is(find(late), ERR_none);

	test("names that no token can have do nothing");
	who_book_revoke_name(book, 1, TEXT(""), NOW * 1000);
	who_book_revoke_token(book, 1, TEXT(""));
	is(find(make(&keys[0], 1, "Ann", "", NOW * 1000)), ERR_none);
	who_book_clear_revocations(book);
}

static void
revoked_tokens(void)
{
	text one = make(&keys[0], 1, "Cid", "c1", NOW * 1000);
	text other = make(&keys[0], 1, "Cid", "c2", NOW * 1000);

	test("revoking a token ends it alone, at once");
	is(find(one), ERR_none);
	who_book_revoke_token(book, 1, TEXT("c1"));
	who_book_revoke_token(book, 1, TEXT("c1"));
	is(find(one), ERR_invalid_token);
	is(find(other), ERR_none);
	is(find(make(&keys[0], 1, "c1", "", NOW * 1000)), ERR_none);
	is(who_find_token(book, 2, make(&keys[0], 2, "Cid", "c1",
	    NOW * 1000), NOW, &caller), ERR_none);
	who_book_clear_revocations(book);
	is(find(one), ERR_none);
}

static void
keys_that_change(void)
{
	struct token_key twice[] = { keys[0], keys[0] };
	struct token_key shorter = { TEXT("x"), TEXT("too short") };
	struct token_key many[TOKEN_KEYS_MAX + 1];
	text by_old = make(&keys[1], 1, "Dan", "d", NOW * 1000);
	struct token token = { .rank = RANK_BOT, .name = TEXT("Eve"),
	    .tenant = 1, .iat = NOW, .exp = NOW + 60,
	    .timestamp_ms = NOW * 1000 };
	const struct caller *kept;
	struct buf buf;
	int64_t before;

	buf_init(&buf, BUF_NO_LIMIT);
	test("the same keys again change nothing");
	is(find(by_old), ERR_none);
	kept = caller_keep(caller);
	ok(kept == caller);
	before = remembered();
	ok(who_book_use_keys(book, keys, 2));
	is(remembered(), before);

	test("keys that are not fit are refused, and nothing changes");
	for (unsigned i = 0; i <= TOKEN_KEYS_MAX; i++)
		many[i] = keys[0];
	ok(!who_book_use_keys(book, keys, 0));
	ok(!who_book_use_keys(book, twice, 2));
	ok(!who_book_use_keys(book, &shorter, 1));
	ok(!who_book_use_keys(book, many, TOKEN_KEYS_MAX + 1));
	is(remembered(), before);
	is(find(by_old), ERR_none);

	test("tokens are signed by the newest key");
	ok(who_make_token(book, &token, &buf));
	ok(who_book_use_keys(book, keys, 1));
	is(find(buf_text(&buf)), ERR_none);
	is(caller->rank, RANK_BOT);

	test("a key that is gone takes its tokens with it, at once");
	is(find(by_old), ERR_invalid_token);
	is(remembered(), 1);
	ok(who_is_revoked(book, kept));
	ok(who_book_use_keys(book, keys, 2));
	ok(!who_is_revoked(book, kept));
	ok(text_is(kept->id, TEXT("admin:Dan")));
	caller_give(&kept);
	ok(kept == NULL);
	is(remembered(), 0);
	is(find(by_old), ERR_none);

	test("a book without keys believes nobody and signs nothing");
	who_book_destroy(&book);
	is(remembered(), 0);
	book = who_book_create(MOST);
	is(find(by_old), ERR_invalid_token);
	ok(!who_make_token(book, &token, &buf));
	who_book_destroy(&book);
	who_book_destroy(&book);
	buf_fini(&buf);
}

static bool
reads_news(const char *news)
{
	struct json_object *json = json_in_read(text_of(news));
	bool is = who_book_read_news(book, json);

	json_in_free(&json);
	return (is);
}

/* That what is not understood makes nobody good again is the point. */
static void
revocations_as_told(void)
{
	static const char *const wrong[] = { "", "null", "{}", "[7]", "[null]",
		"[{\"tenant\":1,\"kind\":\"name\",\"value\":\"Ann\"}]",
		"[{\"tenant\":1,\"kind\":\"name\",\"value\":\"Ann\","
		"\"before\":\"soon\"}]",
		"[{\"tenant\":1,\"kind\":\"x\",\"value\":\"Ann\","
		"\"before\":\"2027-01-15T08:00:00.000Z\"}]",
		"[{\"tenant\":1,\"kind\":\"token\",\"value\":\"x\","
		"\"before\":\"2027-01-15T08:00:00.000Z\"},"
		"{\"tenant\":\"1\",\"kind\":\"token\",\"value\":\"x\","
		"\"before\":\"2027-01-15T08:00:00.000Z\"}]" };
	text now = make(&keys[0], 1, "Ann", "a7", NOW * 1000);
	text later = make(&keys[0], 1, "Ann", "a8", NOW * 1000 + 1);
	text other = make(&keys[0], 1, "Ida", "i7", NOW * 1000);

	test("a list replaces what was revoked");
	who_book_revoke_name(book, 1, TEXT("Ida"), NOW * 1000);
	is(find(other), ERR_invalid_token);
	ok(who_book_read_revocations(book, TEXT(
	    "[{\"tenant\":1,\"kind\":\"name\",\"value\":\"Ann\","
	    "\"before\":\"2027-01-15T08:00:00.000Z\"}]")));
	is(find(now), ERR_invalid_token);
	is(find(later), ERR_none);
	is(find(other), ERR_none);

	test("one that is not understood changes nothing");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ok(!who_book_read_revocations(book, text_of(wrong[i])));
	is(find(now), ERR_invalid_token);
	is(find(later), ERR_none);

	test("news add to it, a token's or a name's");
	ok(reads_news("{\"tenant\":1,\"token\":\"a8\"}"));
	is(find(later), ERR_invalid_token);
	ok(reads_news("{\"tenant\":1,\"name\":\"Ida\","
	    "\"before\":\"2027-01-15T08:00:00.000Z\"}"));
	is(find(other), ERR_invalid_token);
	ok(!reads_news("{\"tenant\":1,\"name\":\"Ida\"}"));
	ok(!reads_news("{\"token\":\"a8\"}"));
	ok(!reads_news("{\"tenant\":1}"));
	ok(!who_book_read_news(book, NULL));

	test("an empty list forgets all");
	ok(who_book_read_revocations(book, TEXT("[]")));
	is(find(now), ERR_none);
}

#define HITS 200000
#define TURNS 5

/* The least of several turns: others use the machine too. */
static void
cost_of_a_hit(void)
{
	text token = bearer("Bearer ", ann(), "");
	int64_t least = INT64_MAX;
	uint64_t before = reads();
	unsigned good = 0;

	test("a hit asks libjwt for nothing");
	who_book_revoke_name(book, 1, TEXT("Zoe"), NOW * 1000);
	for (int turn = 0; turn < TURNS; turn++) {
		int64_t begin = clock_us(), cost;

		for (int i = 0; i < HITS; i++)
			good += find_header(token) == ERR_none;
		cost = clock_us() - begin;
		least = cost < least ? cost : least;
	}
	is(good, HITS * TURNS);
	ok(reads() <= before + 1);
	printf("# %.3f us a hit\n", (double)least / HITS);
}

int
main(void)
{
	book = who_book_create(MOST);
	ok(who_book_use_keys(book, keys, 2));
	headers();
	callers();
	memory();
	revoked_names();
	revoked_tokens();
	revocations_as_told();
	cost_of_a_hit();
	keys_that_change();
	return (done());
}
