/* SPDX-License-Identifier: MIT */
/*
 * The book of tenants: made from JSON, found by host, slug and id.
 */
#include "core/tenant.h"

#include <json-c/json.h>
#include <uthash.h>

#include "base/address.h"
#include "core/json.h"

struct host {
	UT_hash_handle	 hh;
	struct tenant	*tenant;
	text		 name;		/* the tenant's own */
};

struct entry {
	UT_hash_handle	 by_id;
	UT_hash_handle	 by_slug;
	struct tenant	*tenant;	/* held */
};

struct tenant_book {
	unsigned	 magic;
#define TENANT_BOOK_MAGIC 0x74626f6b
	bool		 public_read;	/* the option */
	struct entry	*ids;
	struct entry	*slugs;
	struct host	*hosts;		/* NULL: nobody has one */
	struct tenant	*standard;	/* `default` */
	uint64_t	 removals;
};

/* Tenants. */

struct tenant *
tenant_share(struct tenant *tenant)
{
	object_check(tenant, TENANT_MAGIC);
	tenant->holders++;
	return (tenant);
}

void
tenant_give(struct tenant **given)
{
	struct tenant *tenant = *given;

	*given = NULL;
	if (tenant == NULL)
		return;
	object_check(tenant, TENANT_MAGIC);
	must(tenant->holders > 0);
	if (--tenant->holders > 0)
		return;
	arena_fini(&tenant->arena);
	object_free(&tenant);
}

bool
tenant_origin_allows(const struct tenant *tenant, text origin)
{
	if (tenant->allows_any_origin)
		return (true);
	/* Scheme and host know no case, and a port has none. */
	for (unsigned i = 0; i < tenant->origins_count; i++)
		if (text_is_like(tenant->origins[i], origin))
			return (true);
	return (false);
}

/* Of a page of this very server; schemes are the proxy's affair. */
static bool
is_own_page(text origin, text host)
{
	text scheme, rest;

	return (text_cut(origin, ':', &scheme, &rest) &&
	    text_begins(rest, TEXT("//")) && text_is_like(
	    text_from(rest.at + 2, rest.len - 2), host));
}

bool
tenant_trusts_page(const struct tenant *tenant, text origin, text host)
{
	return (origin.at == NULL || is_own_page(origin, host) ||
	    (tenant != NULL && !tenant->allows_any_origin &&
	    tenant_origin_allows(tenant, origin)));
}

static bool
is_slug(text t)
{
	if (t.len == 0 || t.len > TENANT_SLUG_MAX || t.at[0] == '-' ||
	    t.at[t.len - 1] == '-')
		return (false);
	for (size_t i = 0; i < t.len; i++)
		if (!(t.at[i] >= 'a' && t.at[i] <= 'z') &&
		    !(t.at[i] >= '0' && t.at[i] <= '9') && t.at[i] != '-')
			return (false);
	return (true);
}

bool
tenant_cut_prefix(text path, text *slug_out, text *rest_out)
{
	text slug, rest;

	if (!text_begins(path, TEXT("/t/")))
		return (false);
	rest = text_from(path.at + 3, path.len - 3);
	for (slug = rest; rest.len > 0 && rest.at[0] != '/'; rest.len--)
		rest.at++;
	slug.len -= rest.len;
	if (!is_slug(slug))
		return (false);
	*slug_out = slug;
	*rest_out = rest.len > 0 ? rest : TEXT("/");
	return (true);
}

/* Hosts. */

static text
address_key(text host, char out[TENANT_HOST_MAX])
{
	struct address address;
	struct buf buf;
	text key = TEXT_NONE;

	if (!address_read_peer(host, &address))
		return (key);
	buf_init(&buf, TENANT_HOST_MAX);
	address_write_host(&address, &buf);
	if (!buf.has_failed) {
		memcpy(out, buf.at, buf.len);
		key = text_from(out, buf.len);
	}
	buf_fini(&buf);
	return (key);
}

static bool
is_port(text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] < '0' || t.at[i] > '9')
			return (false);
	return (true);
}

text
tenant_host_key(text host, char out[TENANT_HOST_MAX])
{
	text head, tail, more;

	if (host.len > 0 && host.at[0] == '[') {
		if (!text_cut(host, ']', &head, &tail) || (tail.len > 0 &&
		    (tail.at[0] != ':' || !is_port(text_from(tail.at + 1,
		    tail.len - 1)))))
			return (TEXT_NONE);
		return (address_key(text_from(host.at, head.len + 1), out));
	}
	if (text_cut(host, ':', &head, &tail)) {
		if (text_cut(tail, ':', &tail, &more))
			return (address_key(host, out));
		if (!is_port(tail))
			return (TEXT_NONE);
		host = head;
	}
	if (host.len > 0 && host.at[host.len - 1] == '.')
		host.len--;
	if (host.len == 0 || host.len > TENANT_HOST_MAX)
		return (TEXT_NONE);
	for (size_t i = 0; i < host.len; i++)
		out[i] = (char)(host.at[i] >= 'A' && host.at[i] <= 'Z' ?
		    host.at[i] | 0x20 : host.at[i]);
	return (text_from(out, host.len));
}

/* From JSON. */

static text
keep(struct tenant *tenant, text t)
{
	return (text_from(arena_copy(&tenant->arena, t.at, t.len), t.len));
}

static bool
read_texts(struct tenant *tenant, struct json_object *from, const char *name,
    const text **texts_out, unsigned *count_out)
{
	struct json_object *array;
	size_t count;
	text *texts;

	if (!json_object_object_get_ex(from, name, &array) ||
	    !json_object_is_type(array, json_type_array))
		return (false);
	count = json_object_array_length(array);
	texts = arena_alloc(&tenant->arena, (count + 1) * sizeof *texts);
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(array,
		    i);

		if (!json_object_is_type(item, json_type_string))
			return (false);
		texts[i] = keep(tenant, text_from(
		    json_object_get_string(item),
		    (size_t)json_object_get_string_len(item)));
	}
	*texts_out = texts;
	*count_out = (unsigned)count;
	return (true);
}

/* null is no limit. */
static bool
read_limit(struct json_object *from, const char *name, int64_t *out)
{
	struct json_object *value;

	if (!json_object_object_get_ex(from, name, &value))
		return (false);
	*out = TENANT_NO_LIMIT;
	return (value == NULL || (json_in_int(from, name, out) && *out >= 0));
}

static bool
read_all(const struct tenant_book *book, struct tenant *tenant,
    struct json_object *from)
{
	struct json_object *threads;
	int64_t id;
	text slug;

	if (!json_in_int(from, "id", &id) || id < 1 || id > INT32_MAX ||
	    !json_in_text(from, "slug", &slug) || !is_slug(slug) ||
	    !json_in_bool(from, "public_read", &tenant->public_read) ||
	    !read_texts(tenant, from, "hosts", &tenant->hosts,
	    &tenant->hosts_count) ||
	    !read_texts(tenant, from, "origins", &tenant->origins,
	    &tenant->origins_count) ||
	    !read_limit(from, "max_connections", &tenant->max_connections) ||
	    !read_limit(from, "max_requests", &tenant->max_requests) ||
	    !read_limit(from, "max_events", &tenant->max_events) ||
	    !read_limit(from, "max_storage", &tenant->max_storage) ||
	    !read_limit(from, "retention_days", &tenant->retention_days))
		return (false);
	tenant->threads = !json_object_object_get_ex(from, "threads",
	    &threads) || json_object_get_boolean(threads);
	tenant->id = (int32_t)id;
	tenant->slug = keep(tenant, slug);
	tenant->is_default = text_is(slug, TEXT("default"));
	if (tenant->is_default && !book->public_read)
		tenant->public_read = false;
	for (unsigned i = 0; i < tenant->origins_count; i++)
		tenant->allows_any_origin |= text_is(tenant->origins[i],
		    TEXT("*"));
	return (true);
}

/* Held once, by the caller; NULL: refused. */
static struct tenant *
tenant_read(const struct tenant_book *book, struct json_object *from)
{
	struct tenant *tenant = object_create(struct tenant, TENANT_MAGIC);

	tenant->holders = 1;
	arena_init(&tenant->arena);
	if (!read_all(book, tenant, from))
		tenant_give(&tenant);
	return (tenant);
}

/* The book. */

static void
remove_host(struct tenant_book *book, const struct tenant *tenant, text name)
{
	char at[TENANT_HOST_MAX];
	struct host *host;
	text key = tenant_host_key(name, at);

	HASH_FIND(hh, book->hosts, key.at, key.len, host);
	/* It may be another's by now. */
	if (host == NULL || host->tenant != tenant)
		return;
	HASH_DEL(book->hosts, host);
	mem_free(host);
}

static void
remove_entry(struct tenant_book *book, struct entry *entry)
{
	struct tenant *tenant = entry->tenant;

	for (unsigned i = 0; i < tenant->hosts_count; i++)
		remove_host(book, tenant, tenant->hosts[i]);
	book->removals++;
	HASH_DELETE(by_id, book->ids, entry);
	HASH_DELETE(by_slug, book->slugs, entry);
	if (book->standard == tenant)
		book->standard = NULL;
	tenant_give(&entry->tenant);
	mem_free(entry);
}

static void
remove_all(struct tenant_book *book)
{
	struct entry *entry, *next;

	HASH_ITER(by_id, book->ids, entry, next)
		remove_entry(book, entry);
}

static struct entry *
entry_by_id(const struct tenant_book *book, int32_t id)
{
	struct entry *entry;

	HASH_FIND(by_id, book->ids, &id, sizeof id, entry);
	return (entry);
}

static struct entry *
entry_by_slug(const struct tenant_book *book, text slug)
{
	struct entry *entry;

	HASH_FIND(by_slug, book->slugs, slug.at, slug.len, entry);
	return (entry);
}

static void
add_host(struct tenant_book *book, struct tenant *tenant, text name)
{
	char at[TENANT_HOST_MAX];
	struct host *host;
	text key = tenant_host_key(name, at);

	if (key.len == 0)
		return;
	HASH_FIND(hh, book->hosts, key.at, key.len, host);
	if (host == NULL)
		host = mem_alloc(sizeof *host);
	else
		HASH_DEL(book->hosts, host);
	host->tenant = tenant;
	host->name = keep(tenant, key);
	HASH_ADD_KEYPTR(hh, book->hosts, host->name.at, host->name.len,
	    host);
}

/* In place of who had his id or his slug. The hold becomes the book's. */
static void
add_tenant(struct tenant_book *book, struct tenant *tenant)
{
	struct entry *entry;

	if ((entry = entry_by_id(book, tenant->id)) != NULL)
		remove_entry(book, entry);
	if ((entry = entry_by_slug(book, tenant->slug)) != NULL)
		remove_entry(book, entry);
	entry = mem_alloc(sizeof *entry);
	entry->tenant = tenant;
	HASH_ADD_KEYPTR(by_id, book->ids, &tenant->id, sizeof tenant->id,
	    entry);
	HASH_ADD_KEYPTR(by_slug, book->slugs, tenant->slug.at,
	    tenant->slug.len, entry);
	for (unsigned i = 0; i < tenant->hosts_count; i++)
		add_host(book, tenant, tenant->hosts[i]);
	if (tenant->is_default)
		book->standard = tenant;
}

struct tenant_book *
tenant_book_create(bool public_read)
{
	struct tenant_book *book = object_create(struct tenant_book,
	    TENANT_BOOK_MAGIC);

	book->public_read = public_read;
	return (book);
}

void
tenant_book_destroy(struct tenant_book **book)
{
	if (*book != NULL) {
		object_check(*book, TENANT_BOOK_MAGIC);
		remove_all(*book);
	}
	object_free(book);
}

bool
tenant_book_put(struct tenant_book *book, text json)
{
	struct json_object *from = json_in_read(json);
	struct tenant *tenant = NULL;

	if (from != NULL)
		tenant = tenant_read(book, from);
	json_in_free(&from);
	if (tenant == NULL)
		return (false);
	add_tenant(book, tenant);
	return (true);
}

bool
tenant_book_put_all(struct tenant_book *book, text json)
{
	struct json_object *from = json_in_read(json);
	struct tenant **tenants = NULL;
	size_t count = 0, read = 0;
	bool is_array = json_object_is_type(from, json_type_array);

	if (is_array) {
		count = json_object_array_length(from);
		tenants = mem_alloc((count + 1) * sizeof *tenants);
	}
	while (read < count && (tenants[read] = tenant_read(book,
	    json_object_array_get_idx(from, read))) != NULL)
		read++;
	json_in_free(&from);
	if (is_array && read == count) {
		remove_all(book);
		for (size_t i = 0; i < count; i++)
			add_tenant(book, tenants[i]);
	} else
		for (size_t i = 0; i < read; i++)
			tenant_give(&tenants[i]);
	mem_free(tenants);
	return (is_array && read == count);
}

void
tenant_book_remove(struct tenant_book *book, int32_t id)
{
	struct entry *entry = entry_by_id(book, id);

	if (entry != NULL)
		remove_entry(book, entry);
}

struct tenant *
tenant_by_host(const struct tenant_book *book, text name)
{
	char at[TENANT_HOST_MAX];
	struct host *host = NULL;
	text key;

	if (book->hosts == NULL)
		return (book->standard);
	key = tenant_host_key(name, at);
	if (key.len > 0)
		HASH_FIND(hh, book->hosts, key.at, key.len, host);
	return (host != NULL ? host->tenant : book->standard);
}

struct tenant *
tenant_by_slug(const struct tenant_book *book, text slug)
{
	struct entry *entry = entry_by_slug(book, slug);

	return (entry != NULL ? entry->tenant : NULL);
}

struct tenant *
tenant_by_id(const struct tenant_book *book, int32_t id)
{
	struct entry *entry = entry_by_id(book, id);

	return (entry != NULL ? entry->tenant : NULL);
}

uint64_t
tenant_book_removals(const struct tenant_book *book)
{
	return (book->removals);
}

unsigned
tenant_book_count(const struct tenant_book *book)
{
	return (HASH_CNT(by_id, book->ids));
}
