/* SPDX-License-Identifier: MIT */
/*
 * A table by tenant and target, and a list by last use. An entry is first a
 * query that is on its way, then an answer; the ops that are being answered
 * from it hold it over its end here.
 */
#include "core/cache.h"

#include <uthash.h>
#include <utlist.h>

#include "base/count.h"
#include "base/stamp.h"
#include "core/tenant.h"
#include "plat/versions.h"

/* What an entry takes beside itself and its texts: allocations, the table. */
#define OVERHEAD 64

/* Tenant, path and query are the key; a question mark is in no path. */
struct key {
	size_t	len;
	char	at[CACHE_TARGET_MAX];
};

struct cached {
	unsigned	 magic;
#define CACHED_MAGIC 0x63636864
	unsigned	 holders;	/* ops, and the table */
	bool		 is_listed;
	bool		 is_pending;	/* a query is on its way */
	UT_hash_handle	 hh;
	struct cached	*prev, *next;	/* by last use; pending ones are not */
	uint64_t	 version;
	int64_t		 since_ms;
	size_t		 size;
	char		*key;
	char		*texts;		/* body and headers */
	struct constant	 constant;
	text		 headers;
	struct op	*waiting;	/* for the query of another */
};

struct cache {
	unsigned	 magic;
#define CACHE_MAGIC 0x63616368
	const struct segment *segment;
	int64_t		 bytes_most;
	int64_t		 life_ms;
	int64_t		 bytes;
	struct cached	*table;
	struct cached	*oldest;	/* the newest is its prev */
};

struct cache *
cache_create(struct segment *segment)
{
	struct cache *cache = object_create(struct cache, CACHE_MAGIC);

	cache->segment = segment;
	return (cache);
}

void
cache_give(struct cached **given)
{
	struct cached *cached = *given;

	*given = NULL;
	if (cached == NULL)
		return;
	object_check(cached, CACHED_MAGIC);
	must(cached->holders > 0);
	if (--cached->holders > 0)
		return;
	mem_free(cached->key);
	mem_free(cached->texts);
	object_free(&cached);
}

static void
list(struct cache *cache, struct cached *cached, size_t key_len)
{
	HASH_ADD_KEYPTR(hh, cache->table, cached->key, key_len, cached);
	cached->is_listed = true;
	cached->holders++;
}

static void
forget(struct cache *cache, struct cached *cached)
{
	if (!cached->is_listed)
		return;
	HASH_DEL(cache->table, cached);
	cached->is_listed = false;
	if (!cached->is_pending) {
		DL_DELETE(cache->oldest, cached);
		cache->bytes -= (int64_t)cached->size;
		GAUGE_SET(cache_bytes, cache->bytes);
	}
	cache_give(&cached);
}

void
cache_destroy(struct cache **given)
{
	struct cache *cache = *given;
	struct cached *cached, *after;

	*given = NULL;
	if (cache == NULL)
		return;
	object_check(cache, CACHE_MAGIC);
	HASH_ITER(hh, cache->table, cached, after) {
		must(!cached->is_pending);
		forget(cache, cached);
	}
	object_free(&cache);
}

static void
shrink(struct cache *cache)
{
	while (cache->bytes > cache->bytes_most)
		forget(cache, cache->oldest);
}

void
cache_bound(struct cache *cache, int64_t bytes, int64_t life_ms)
{
	object_check(cache, CACHE_MAGIC);
	cache->life_ms = life_ms < CACHE_LIFE_MS ? life_ms : CACHE_LIFE_MS;
	cache->bytes_most = cache->life_ms > 0 ? bytes : 0;
	shrink(cache);
}

static bool
make_key(const struct op *op, struct key *key)
{
	int32_t id = op->tenant->id;

	key->len = sizeof id + op->path.len + 1 + op->query.len;
	if (key->len > sizeof key->at)
		return (false);
	memcpy(key->at, &id, sizeof id);
	memcpy(key->at + sizeof id, op->path.at, op->path.len);
	key->at[sizeof id + op->path.len] = '?';
	if (op->query.len > 0)
		memcpy(key->at + sizeof id + op->path.len + 1, op->query.at,
		    op->query.len);
	return (true);
}

static struct cached *
look_up(struct cache *cache, const struct key *key)
{
	struct cached *cached;

	HASH_FIND(hh, cache->table, key->at, key->len, cached);
	return (cached);
}

static bool
holds(const struct cache *cache, const struct op *op,
    const struct cached *cached)
{
	return (cached->version == versions_of(cache->segment,
	    op->tenant->id) &&
	    clock_ms() - cached->since_ms < cache->life_ms);
}

static void
hold(struct op *op, struct cached *cached)
{
	must(op->cached == NULL);
	cached->holders++;
	op->cached = cached;
}

bool
cache_find(struct cache *cache, struct op *op)
{
	struct cached *cached;
	struct key key;

	object_check(cache, CACHE_MAGIC);
	if (cache->bytes_most == 0 || !make_key(op, &key))
		return (false);
	cached = look_up(cache, &key);
	if (cached == NULL || cached->is_pending)
		return (false);
	if (!holds(cache, op, cached)) {
		forget(cache, cached);
		return (false);
	}
	if (cached->next != NULL) {
		DL_DELETE(cache->oldest, cached);
		DL_APPEND(cache->oldest, cached);
	}
	hold(op, cached);
	COUNT(cache_hits);
	return (true);
}

void
cache_reply(struct op *op)
{
	op_add_headers(op, op->cached->headers);
	op_reply_constant(op, 200, &op->cached->constant);
}

bool
cache_join(struct cache *cache, struct op *op)
{
	struct cached *cached;
	struct key key;

	object_check(cache, CACHE_MAGIC);
	if (cache->bytes_most == 0 || !make_key(op, &key))
		return (false);
	cached = look_up(cache, &key);
	if (cached != NULL && cached->is_pending &&
	    holds(cache, op, cached)) {
		LL_PREPEND(cached->waiting, op);
		COUNT(cache_joins);
		return (true);
	}
	/* Too old; who waits for it is answered by it all the same. */
	if (cached != NULL)
		forget(cache, cached);
	cached = object_create(struct cached, CACHED_MAGIC);
	cached->is_pending = true;
	cached->version = versions_of(cache->segment, op->tenant->id);
	cached->since_ms = clock_ms();
	cached->key = mem_alloc(key.len);
	memcpy(cached->key, key.at, key.len);
	list(cache, cached, key.len);
	must(op->asking == NULL);
	op->asking = cached;
	cached->holders++;
	return (false);
}

static text
put_text(char **at, text t)
{
	char *put_at = *at;

	if (t.at == NULL)
		return (t);
	memcpy(put_at, t.at, t.len);
	*at += t.len + 1;
	return (text_from(put_at, t.len));
}

/* From a query on its way to an answer that is kept. */
static void
fill(struct cache *cache, struct cached *cached, text body, text headers)
{
	size_t len = body.len + 1 + headers.len + 1;
	char *at = cached->texts = mem_alloc(len);

	cached->size = sizeof *cached + cached->hh.keylen + len + OVERHEAD;
	cached->constant.body = put_text(&at, body);
	cached->headers = put_text(&at, headers);
	cached->is_pending = false;
	DL_APPEND(cache->oldest, cached);
	cache->bytes += (int64_t)cached->size;
	GAUGE_SET(cache_bytes, cache->bytes);
}

struct op *
cache_end(struct cache *cache, struct op *op, text body, text headers)
{
	struct cached *cached = op->asking;
	struct op *waiting, *one;

	object_check(cache, CACHE_MAGIC);
	if (cached == NULL)
		return (NULL);
	op->asking = NULL;
	waiting = cached->waiting;
	cached->waiting = NULL;
	if (body.at != NULL && cached->is_listed) {
		fill(cache, cached, body, headers);
		hold(op, cached);
		LL_FOREACH(waiting, one)
			hold(one, cached);
		shrink(cache);
	} else
		forget(cache, cached);
	cache_give(&cached);
	return (waiting);
}
