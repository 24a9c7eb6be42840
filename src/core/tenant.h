/* SPDX-License-Identifier: MIT */
/*
 * The tenants that a worker knows: whose a request is, and what holds for
 * him. Fed with JSON as api.tenant_text makes it; knows neither SQL nor HTTP.
 *
 *	{"id":2,"slug":"alpha","hosts":["a.example"],"public_read":true,
 *	 "origins":["*"],"max_connections":null,"max_requests":600,
 *	 "max_events":null,"max_storage":null,"retention_days":null,
 *	 "threads":true,"created_at":"…Z"}
 *
 * Holds always:
 *  1. A tenant never changes: news of him make another, which the book has
 *     from then on. What the book's functions give is good until the book is
 *     changed next; who keeps it longer takes a hold of it, and gives it
 *     back. Two of the same id may be alive; ask for the id, not the address.
 *  2. What is refused (no such JSON) leaves the book as it was.
 *  3. A host is one tenant's: who was put last has it.
 *  4. Where no host is configured at all, finding by host costs one
 *     comparison.
 *  5. public_read of the default tenant is off where the option or his own
 *     setting is.
 *
 *	book = tenant_book_create(conf->public_read);
 *	if (!tenant_book_put_all(book, answer)) ...
 *	tenant = tenant_by_host(book, host);	(NULL: never fed)
 *	op->tenant = tenant_share(tenant);
 *	...
 *	tenant_give(&op->tenant);
 */
#ifndef CORE_TENANT_H
#define CORE_TENANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/text.h"

#define TENANT_NO_LIMIT (-1)
#define TENANT_SLUG_MAX 63
#define TENANT_HOST_MAX 253

struct tenant {
	unsigned	 magic;
#define TENANT_MAGIC 0x74656e61
	unsigned	 holders;
	int32_t		 id;
	text		 slug;
	bool		 is_default;
	bool		 public_read;
	bool		 threads;		/* of who has no cookie */
	bool		 allows_any_origin;	/* * is among them */
	const text	*origins;
	unsigned	 origins_count;
	const text	*hosts;
	unsigned	 hosts_count;
	int64_t		 max_connections;	/* or TENANT_NO_LIMIT */
	int64_t		 max_requests;		/* in a minute */
	int64_t		 max_events;		/* in a minute */
	int64_t		 max_storage;		/* bytes */
	int64_t		 retention_days;
	struct arena	 arena;
};

struct tenant_book;

struct tenant_book *tenant_book_create(bool public_read);
void	tenant_book_destroy(struct tenant_book **book);

/* An object; an array of them, which replaces all. false: refused. */
bool	tenant_book_put(struct tenant_book *book, text json);
bool	tenant_book_put_all(struct tenant_book *book, text json);
void	tenant_book_remove(struct tenant_book *book, int32_t id);

/*
 * As the client wrote it: port, case and a last dot do not matter. No such
 * host: the default tenant. NULL only while the book has none.
 */
struct tenant *tenant_by_host(const struct tenant_book *book, text host);
/* NULL: there is none. */
struct tenant *tenant_by_slug(const struct tenant_book *book, text slug);
struct tenant *tenant_by_id(const struct tenant_book *book, int32_t id);
/* Rises whenever one is removed, or replaced. */
uint64_t tenant_book_removals(const struct tenant_book *book);
unsigned tenant_book_count(const struct tenant_book *book);

/* One hold more; one less, of NULL too. */
struct tenant *tenant_share(struct tenant *tenant);
void	tenant_give(struct tenant **tenant);

/*
 * What a host is known by: without port, case and last dot; an IPv6 address
 * in its short form, without brackets. Lies in out; empty: it is no host.
 */
text	tenant_host_key(text host, char out[TENANT_HOST_MAX]);

/* Whether pages of this Origin may read answers (CORS). */
bool	tenant_origin_allows(const struct tenant *tenant, text origin);
/*
 * Whether a request from there may be its user's by a cookie alone, which
 * comes by itself: from no page, one of this host, or one of the list; all is
 * no list. tenant: NULL where nobody knows.
 */
bool	tenant_trusts_page(const struct tenant *tenant, text origin,
	    text host);

/*
 * "/t/alpha/api/x": slug alpha, rest /api/x; "/t/alpha": rest /. false: no
 * prefix, as with anything in the slug's place that cannot be a slug.
 */
bool	tenant_cut_prefix(text path, text *slug_out, text *rest_out);

#endif
