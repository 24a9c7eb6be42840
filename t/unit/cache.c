/* SPDX-License-Identifier: MIT */
/*
 * core/cache: who asks, who joins, who finds; and schedules drawn by lot,
 * held against a model of the database and of what was told to whom.
 */
#include "base/stamp.h"

/* The test's own clock, so that entries age when they are told to. */
static int64_t now_ms = 1000;

static int64_t
test_clock_ms(void)
{
	return (now_ms);
}
#define clock_ms test_clock_ms
#include "core/cache.c"
#undef clock_ms

#include <stdlib.h>

#include "plat/segment.h"
#include "tap.h"

#define MUCH (1024 * 1024)

static struct segment *segment;
static struct cache *cache;
static struct tenant tenants[2] = { { .id = 1 }, { .id = 2 } };
static struct op_ground ground;
static text answered;

static void
on_answer(struct op *op)
{
	answered = op->answer.body;
}

static struct op *
get(unsigned tenant, const char *path, const char *query)
{
	struct op *op = op_create(&ground);

	op->tenant = &tenants[tenant];
	op->path = text_of(path);
	op->query = text_of(query);
	op->on_answer = on_answer;
	return (op);
}

static void
gone(struct op **op)
{
	(*op)->tenant = NULL;
	op_destroy(op);
}

/* Finds and forgets it: whether there was one. */
static bool
finds(unsigned tenant, const char *path, const char *query)
{
	struct op *op = get(tenant, path, query);
	bool is_found = cache_find(cache, op);

	if (is_found)
		cache_reply(op);
	gone(&op);
	return (is_found);
}

/* Asks and is answered, so that the answer is kept. */
static void
keep(unsigned tenant, const char *path, const char *query, text body)
{
	struct op *op = get(tenant, path, query);

	ok(!cache_join(cache, op));
	ok(cache_end(cache, op, body, TEXT_NONE) == NULL);
	gone(&op);
}

static void
test_one_query(void)
{
	struct op *first = get(0, "/api/x", ""), *second = get(0, "/api/x",
	    ""), *others;

	test("who comes while it is asked joins, who comes later finds");
	ok(!cache_find(cache, first));
	ok(!cache_join(cache, first));
	ok(!cache_find(cache, second));
	ok(cache_join(cache, second));
	ok(!finds(0, "/api/x", ""));
	others = cache_end(cache, first, TEXT("one"),
	    TEXT("{\"X-A\":\"1\",\"X-B\":\"two\"}"));
	ok(others == second && second->next == NULL);
	ok(first->cached != NULL && first->cached == second->cached);
	cache_reply(second);
	is_text(answered, "one");
	is(second->answer.headers_count, 2);
	is_text(second->answer.headers[1].value, "two");
	gone(&first);
	gone(&second);
	ok(finds(0, "/api/x", ""));
	is_text(answered, "one");
	ok(answered.len == 3);

	test("another tenant, path or query is another answer");
	ok(!finds(1, "/api/x", ""));
	ok(!finds(0, "/api/xy", ""));
	ok(!finds(0, "/api/x", "y"));
	keep(1, "/api/x", "", TEXT("two"));
	keep(0, "/api/x", "y", TEXT("three"));
	ok(finds(1, "/api/x", "") && text_is(answered, TEXT("two")));
	ok(finds(0, "/api/x", "y") && text_is(answered, TEXT("three")));
	ok(finds(0, "/api/x", "") && text_is(answered, TEXT("one")));
}

static void
test_long_target(void)
{
	char path[CACHE_TARGET_MAX];
	struct op *first, *second;

	test("what is asked at too great a length is asked each time");
	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	first = get(0, path, "");
	second = get(0, path, "");
	ok(!cache_join(cache, first) && !cache_join(cache, second));
	ok(cache_end(cache, first, TEXT("x"), TEXT_NONE) == NULL);
	ok(first->cached == NULL && !cache_find(cache, second));
	gone(&first);
	gone(&second);
}

static void
test_bumps(void)
{
	struct op *old = get(0, "/api/b", ""), *joined = get(0, "/api/b", ""),
	    *new = get(0, "/api/b", ""), *late = get(0, "/api/b", "");

	test("a bump ends what is kept, and what may be joined");
	keep(0, "/api/a", "", TEXT("a"));
	keep(1, "/api/a", "", TEXT("a"));
	ok(!cache_join(cache, old) && cache_join(cache, joined));
	versions_bump(segment, 1);
	ok(!finds(0, "/api/a", ""));
	ok(finds(1, "/api/a", ""));
	ok(!cache_join(cache, new));
	ok(cache_join(cache, late));

	test("who was overtaken answers those who joined it, and none else");
	ok(cache_end(cache, old, TEXT("old"), TEXT_NONE) == joined);
	ok(old->cached == NULL && joined->cached == NULL);
	ok(!finds(0, "/api/b", ""));
	ok(cache_end(cache, new, TEXT("new"), TEXT_NONE) == late);
	ok(finds(0, "/api/b", "") && text_is(answered, TEXT("new")));
	versions_bump_all(segment);
	ok(!finds(0, "/api/b", "") && !finds(1, "/api/a", ""));
	gone(&old);
	gone(&joined);
	gone(&new);
	gone(&late);

	test("a bump while it is asked: the answer serves those who asked");
	old = get(0, "/api/b", "");
	ok(!cache_join(cache, old));
	versions_bump(segment, 1);
	ok(cache_end(cache, old, TEXT("x"), TEXT_NONE) == NULL);
	ok(old->cached != NULL && !finds(0, "/api/b", ""));
	gone(&old);

	test("nothing to keep: all come back, and the next one asks");
	old = get(0, "/api/b", "");
	joined = get(0, "/api/b", "");
	ok(!cache_join(cache, old) && cache_join(cache, joined));
	ok(cache_end(cache, old, TEXT_NONE, TEXT_NONE) == joined);
	ok(old->cached == NULL && joined->cached == NULL);
	ok(!cache_join(cache, joined));
	ok(cache_end(cache, joined, TEXT_NONE, TEXT_NONE) == NULL);
	gone(&old);
	gone(&joined);
}

static void
test_age(void)
{
	struct op *first = get(0, "/api/t", ""), *second = get(0, "/api/t",
	    "");

	test("an answer is as old as its query, and never 5 s");
	ok(!cache_join(cache, first));
	now_ms += 3000;
	cache_end(cache, first, TEXT("t"), TEXT_NONE);
	ok(finds(0, "/api/t", ""));
	now_ms += CACHE_LIFE_MS - 3001;
	ok(finds(0, "/api/t", ""));
	now_ms++;
	ok(!finds(0, "/api/t", ""));
	gone(&first);

	test("nor is a query joined that is as old");
	first = get(0, "/api/t", "");
	ok(!cache_join(cache, first));
	now_ms += CACHE_LIFE_MS;
	ok(!cache_join(cache, second));
	cache_end(cache, second, TEXT("new"), TEXT_NONE);
	cache_end(cache, first, TEXT("old"), TEXT_NONE);
	ok(finds(0, "/api/t", "") && text_is(answered, TEXT("new")));
	gone(&first);
	gone(&second);

	test("a shorter life, a longer one, and none");
	cache_bound(cache, MUCH, 200);
	now_ms += 199;
	ok(finds(0, "/api/t", ""));
	now_ms++;
	ok(!finds(0, "/api/t", ""));
	cache_bound(cache, MUCH, 60000);
	keep(0, "/api/t", "", TEXT("t"));
	now_ms += CACHE_LIFE_MS;
	ok(!finds(0, "/api/t", ""));
	keep(0, "/api/t", "", TEXT("t"));
	cache_bound(cache, MUCH, 0);
	ok(!finds(0, "/api/t", "") && cache->bytes == 0);
	first = get(0, "/api/t", "");
	second = get(0, "/api/t", "");
	ok(!cache_join(cache, first) && !cache_join(cache, second));
	ok(first->asking == NULL && second->asking == NULL);
	gone(&first);
	gone(&second);
	cache_bound(cache, MUCH, CACHE_LIFE_MS);
}

static void
test_bytes(void)
{
	struct op *holder = get(0, "/api/1", "");
	text body = text_from(mem_alloc(1000), 1000);
	int64_t one;

	test("what was not asked for the longest goes first");
	cache_bound(cache, 0, CACHE_LIFE_MS);
	is(GAUGE_GET(cache_bytes), 0);
	cache_bound(cache, MUCH, CACHE_LIFE_MS);
	keep(0, "/api/1", "", body);
	one = cache->bytes;
	ok(one >= 1000 && one < 2000);
	keep(0, "/api/2", "", body);
	keep(0, "/api/3", "", body);
	is(GAUGE_GET(cache_bytes), 3 * one);
	ok(finds(0, "/api/1", ""));
	cache_bound(cache, 3 * one, CACHE_LIFE_MS);
	keep(0, "/api/4", "", body);
	ok(!finds(0, "/api/2", ""));
	ok(finds(0, "/api/3", "") && finds(0, "/api/1", ""));
	is(cache->bytes, 3 * one);

	test("who is being answered from it keeps it");
	ok(cache_find(cache, holder));
	cache_bound(cache, 0, CACHE_LIFE_MS);
	is(GAUGE_GET(cache_bytes), 0);
	cache_reply(holder);
	is(answered.len, 1000);
	gone(&holder);

	test("one that is larger than all room serves those who asked");
	cache_bound(cache, one - 1, CACHE_LIFE_MS);
	holder = get(0, "/api/1", "");
	ok(!cache_join(cache, holder));
	cache_end(cache, holder, body, TEXT_NONE);
	is(cache->bytes, 0);
	cache_reply(holder);
	is(answered.len, 1000);
	gone(&holder);
	ok(!finds(0, "/api/1", ""));
	cache_bound(cache, MUCH, CACHE_LIFE_MS);
	mem_free((char *)(uintptr_t)body.at);
}

/*
 * The model. A change is committed, then bumped, then told; or it is only
 * committed, where its worker died. A GET may answer nothing that is older
 * than what was told before it began.
 */
#define TARGETS 12
#define ASKING_MOST 40

struct reader {
	struct op	*op;
	unsigned	 target;
	uint64_t	 told;		/* before it began */
	int64_t		 began_ms;
	uint64_t	 version;	/* as it began */
	bool		 has_looked;	/* its query, at the database: */
	uint64_t	 saw;
	char		 path[16];
};

static struct model {
	uint64_t	 state;		/* of the lot */
	bool		 is_exact;	/* there is room for all */
	uint64_t	 committed[2], told[2];
	struct reader	*asking[ASKING_MOST];
	unsigned	 asking_count;
	struct {
		struct reader	*newest;	/* on its way */
		bool		 is_kept;
		uint64_t	 version;
		int64_t		 since_ms;
	}		 of[TARGETS];
	uint64_t	 too_old, wrong, inexact, hits, joins, asked;
} model;

/* splitmix64: the same numbers from the same seed, everywhere. */
static uint64_t
lot(unsigned most)
{
	uint64_t x = model.state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return ((x ^ x >> 31) % most);
}

static unsigned
tenant_of(unsigned target)
{
	return (target % 2);
}

static uint64_t
version_of(unsigned target)
{
	return (versions_of(segment, tenants[tenant_of(target)].id));
}

/* The answer says: target, what its query saw, when that was sent. */
static void
judge(const struct reader *reader, text body, bool is_kept)
{
	unsigned target;
	unsigned long long saw;
	long long sent_ms;

	if (sscanf(body.at, "%u %llu %lld", &target, &saw, &sent_ms) != 3 ||
	    target != reader->target)
		model.wrong++;
	else if (saw < reader->told || (is_kept &&
	    reader->began_ms - sent_ms >= cache->life_ms))
		model.too_old++;
}

static void
reader_free(struct reader *reader)
{
	gone(&reader->op);
	mem_free(reader);
}

static void
begin_get(void)
{
	unsigned target = (unsigned)lot(TARGETS);
	struct reader *reader = mem_alloc(sizeof *reader);
	bool would_hit = model.of[target].is_kept &&
	    model.of[target].version == version_of(target) &&
	    now_ms - model.of[target].since_ms < cache->life_ms;
	const struct reader *newest = model.of[target].newest;
	bool would_join = !would_hit && newest != NULL &&
	    newest->version == version_of(target) &&
	    now_ms - newest->began_ms < cache->life_ms;

	snprintf(reader->path, sizeof reader->path, "/api/%u", target);
	reader->op = get(tenant_of(target), reader->path, "q=1");
	reader->op->transport = reader;
	reader->target = target;
	reader->told = model.told[tenant_of(target)];
	reader->began_ms = now_ms;
	reader->version = version_of(target);
	if (cache_find(cache, reader->op)) {
		model.hits++;
		model.inexact += !would_hit;
		cache_reply(reader->op);
		judge(reader, answered, true);
		reader_free(reader);
		return;
	}
	model.inexact += would_hit;
	model.of[target].is_kept = false;
	if (cache_join(cache, reader->op)) {
		model.joins++;
		model.inexact += !would_join;
		return;
	}
	model.inexact += would_join;
	model.asked++;
	model.of[target].newest = reader;
	model.asking[model.asking_count++] = reader;
}

static void
end_reader(struct reader *reader, text body)
{
	if (reader->op->cached != NULL) {
		cache_reply(reader->op);
		body = answered;
	}
	if (body.at != NULL)
		judge(reader, body, false);
	reader_free(reader);
}

/* The query of one of them looks, or ends: with rows, or with nothing. */
static void
move_get(void)
{
	unsigned i = (unsigned)lot(model.asking_count);
	struct reader *reader = model.asking[i];
	unsigned target = reader->target;
	struct op *others, *next;
	char words[64];
	text body = TEXT_NONE;

	if (!reader->has_looked) {
		reader->has_looked = true;
		reader->saw = model.committed[tenant_of(target)];
		return;
	}
	model.asking[i] = model.asking[--model.asking_count];
	snprintf(words, sizeof words, "%u %llu %lld", target,
	    (unsigned long long)reader->saw, (long long)reader->began_ms);
	if (lot(8) != 0)
		body = text_of(words);
	if (model.of[target].newest == reader) {
		model.of[target].newest = NULL;
		model.of[target].is_kept = body.at != NULL;
		model.of[target].version = reader->version;
		model.of[target].since_ms = reader->began_ms;
	}
	others = cache_end(cache, reader->op, body, TEXT_NONE);
	end_reader(reader, body);
	for (; others != NULL; others = next) {
		next = others->next;
		end_reader(others->transport, body);
	}
}

static void
step(void)
{
	unsigned tenant = (unsigned)lot(2);

	switch (lot(24)) {
	case 0:
		model.committed[tenant]++;
		break;
	case 1:
		versions_bump(segment, tenants[tenant].id);
		model.told[tenant] = model.committed[tenant];
		break;
	case 2:
		if (lot(10) == 0)
			versions_bump_all(segment);
		break;
	case 3:
		now_ms += (int64_t)lot(lot(10) == 0 ? 6000 : 100);
		break;
	case 4:
		if (!model.is_exact && lot(10) == 0)
			cache_bound(cache, (int64_t)lot(3000),
			    (int64_t)lot(7000));
		break;
	default:
		if (model.asking_count > 0 && (lot(3) != 0 ||
		    model.asking_count == ASKING_MOST))
			move_get();
		else
			begin_get();
	}
}

/* Whether table, list and sums agree. */
static bool
is_whole(void)
{
	struct cached *cached, *after;
	int64_t bytes = 0;
	unsigned kept = 0, listed = 0, pending = 0;

	HASH_ITER(hh, cache->table, cached, after) {
		pending += cached->is_pending;
		kept += !cached->is_pending;
	}
	DL_FOREACH(cache->oldest, cached) {
		bytes += (int64_t)cached->size;
		listed++;
	}
	return (kept == listed && bytes == cache->bytes &&
	    bytes == GAUGE_GET(cache_bytes) && bytes <= cache->bytes_most &&
	    pending <= model.asking_count);
}

static void
run_schedule(uint64_t seed, bool is_exact)
{
	bool was_whole = true;

	memset(&model, 0, sizeof model);
	model.state = seed;
	model.is_exact = is_exact;
	cache = cache_create(segment);
	cache_bound(cache, is_exact ? MUCH : 1000, CACHE_LIFE_MS);
	for (unsigned i = 0; i < 60000; i++) {
		step();
		was_whole = was_whole && is_whole();
	}
	while (model.asking_count > 0)
		move_get();
	ok(was_whole && is_whole());
	is(model.wrong, 0);
	is(model.too_old, 0);
	if (is_exact)
		is(model.inexact, 0);
	ok(model.hits > 1000 && model.joins > 1000 && model.asked > 1000);
	cache_destroy(&cache);
}

static void
test_schedules(void)
{
	test("nobody reads less than he was told; it hits whenever it may");
	for (uint64_t seed = 1; seed <= 6; seed++)
		run_schedule(seed, true);
	test("the same with little room and changing bounds");
	for (uint64_t seed = 7; seed <= 12; seed++)
		run_schedule(seed, false);
}

int
main(void)
{
	int fd;

	segment = segment_create(2, 65536, 4096, &fd);
	if (segment == NULL)
		return (1);
	cache = cache_create(segment);
	cache_bound(cache, MUCH, CACHE_LIFE_MS);
	test_one_query();
	test_long_target();
	test_bumps();
	test_age();
	test_bytes();
	cache_destroy(&cache);
	test_schedules();
	segment_unmap(segment);
	close(fd);
	return (done());
}
