/* SPDX-License-Identifier: MIT */
/*
 * core/tenant: what the book takes, whom it finds, and that who holds a
 * tenant keeps it.
 */
#include "core/tenant.h"

#include "base/buf.h"
#include "tap.h"

static struct tenant_book *book;

/* A tenant as the database writes it, and nothing of it special. */
static void
add_json(struct buf *out, int32_t id, const char *slug, const char *hosts)
{
	buf_printf(out, "{\"id\" : %d, \"slug\" : \"%s\", \"hosts\" : [%s], "
	    "\"public_read\" : true, \"origins\" : [\"*\"], "
	    "\"max_connections\" : null, \"max_requests\" : null, "
	    "\"max_events\" : null, \"max_storage\" : null, "
	    "\"retention_days\" : null, "
	    "\"created_at\" : \"2026-03-15T19:00:00.000Z\"}", id, slug, hosts);
}

static bool
put(int32_t id, const char *slug, const char *hosts)
{
	struct buf json;
	bool is_put;

	buf_init(&json, BUF_NO_LIMIT);
	add_json(&json, id, slug, hosts);
	is_put = tenant_book_put(book, buf_text(&json));
	buf_fini(&json);
	return (is_put);
}

static int32_t
id_of(const struct tenant *tenant)
{
	return (tenant != NULL ? tenant->id : 0);
}

#define by_host(host)	id_of(tenant_by_host(book, TEXT(host)))
#define by_slug(slug)	id_of(tenant_by_slug(book, TEXT(slug)))

static void
test_members(void)
{
	const struct tenant *tenant;

	test("all that the database says of a tenant");
	ok(tenant_book_put(book, TEXT("{\"id\":7,\"slug\":\"a-1\","
	    "\"hosts\":[],\"public_read\":false,"
	    "\"origins\":[\"https://a.example\",\"http://b.example:81\"],"
	    "\"max_connections\":0,\"max_requests\":600,\"max_events\":70,"
	    "\"max_storage\":1099511627776,\"retention_days\":30,"
	    "\"created_at\":\"\",\"more\":[{}]}")));
	tenant = tenant_by_id(book, 7);
	ok(tenant != NULL && tenant == tenant_by_slug(book, TEXT("a-1")));
	is_text(tenant->slug, "a-1");
	ok(!tenant->public_read);
	ok(!tenant->is_default);
	is(tenant->origins_count, 2);
	is(tenant->max_connections, 0);
	is(tenant->max_requests, 600);
	is(tenant->max_events, 70);
	is(tenant->max_storage, 1099511627776);
	is(tenant->retention_days, 30);

	test("origins: exactly, whatever the case");
	ok(tenant_origin_allows(tenant, TEXT("https://a.example")));
	ok(tenant_origin_allows(tenant, TEXT("HTTPS://A.example")));
	ok(tenant_origin_allows(tenant, TEXT("http://b.example:81")));
	ok(!tenant_origin_allows(tenant, TEXT("http://a.example")));
	ok(!tenant_origin_allows(tenant, TEXT("https://a.example:81")));
	ok(!tenant_origin_allows(tenant, TEXT("https://a.example.evil")));
	ok(!tenant_origin_allows(tenant, TEXT("https://evil-a.example")));
	ok(!tenant_origin_allows(tenant, TEXT("null")));
	ok(!tenant_origin_allows(tenant, TEXT("")));
	ok(!tenant->allows_any_origin);

	test("no limit, any origin");
	ok(put(8, "b", ""));
	tenant = tenant_by_id(book, 8);
	ok(tenant->public_read);
	ok(tenant->allows_any_origin);
	ok(tenant_origin_allows(tenant, TEXT("null")));
	is(tenant->max_connections, TENANT_NO_LIMIT);
	is(tenant->max_requests, TENANT_NO_LIMIT);
	is(tenant->max_events, TENANT_NO_LIMIT);
	is(tenant->max_storage, TENANT_NO_LIMIT);
	is(tenant->retention_days, TENANT_NO_LIMIT);
}

static void
test_refused(void)
{
	static const struct {
		const char	*from;
		const char	*to;
	} changes[] = {
		{ "\"id\" : 9", "\"id\" : 0" },
		{ "\"id\" : 9", "\"id\" : \"9\"" },
		{ "\"id\" : 9", "\"id\" : 2147483648" },
		{ "\"slug\"", "\"slag\"" },
		{ "\"z\"", "\"Z\"" },
		{ "\"z\"", "\"-z\"" },
		{ "\"z\"", "\"\"" },
		{ "\"hosts\"", "\"host\"" },
		{ "\"hosts\" : []", "\"hosts\" : [1]" },
		{ "[\"*\"]", "\"*\"" },
		{ " : true", " : null" },
		{ "\"max_events\" : null", "\"max_events\" : -1" },
		{ "\"max_events\" : null", "\"max_events\" : \"7\"" },
		{ "\"max_events\"", "\"max_event\"" },
		{ "00.000Z\"}", "00.000Z\"" },
	};
	struct buf json, all;

	test("what is no tenant is refused, and leaves the book as it was");
	buf_init(&json, BUF_NO_LIMIT);
	buf_init(&all, BUF_NO_LIMIT);
	for (unsigned i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		const char *at;

		buf_clear(&json);
		add_json(&json, 9, "z", "");
		at = strstr(json.at, changes[i].from);
		must(at != NULL);
		buf_clear(&all);
		buf_add(&all, text_from(json.at, (size_t)(at - json.at)));
		buf_add_string(&all, changes[i].to);
		buf_add_string(&all, at + strlen(changes[i].from));
		if (!ok(!tenant_book_put(book, buf_text(&all))))
			fprintf(stderr, "# %s\n", all.at);
		is(tenant_book_count(book), 2);
		/* The same as one of several. */
		buf_clear(&json);
		buf_add_char(&json, '[');
		add_json(&json, 1, "default", "");
		buf_add_char(&json, ',');
		buf_add(&json, buf_text(&all));
		buf_add_char(&json, ']');
		ok(!tenant_book_put_all(book, buf_text(&json)));
		is(tenant_book_count(book), 2);
		ok(tenant_by_id(book, 7) != NULL);
	}
	ok(!tenant_book_put_all(book, TEXT("{}")));
	ok(!tenant_book_put_all(book, TEXT("")));
	ok(!tenant_book_put(book, TEXT("[]")));
	ok(!tenant_book_put(book, TEXT("7")));
	is(tenant_book_count(book), 2);
	buf_fini(&all);
	buf_fini(&json);
}

static void
test_hosts(void)
{
	test("without any host: the default tenant");
	is(by_host("a.example"), 0);
	ok(put(1, "default", ""));
	is(by_host("a.example"), 1);
	is(by_host(""), 1);

	test("port, case and a last dot do not matter");
	ok(put(2, "alpha", "\"a.example\",\"A2.Example.\""));
	ok(put(3, "beta", "\"b.example\",\"10.0.0.1\",\"[2001:DB8::1]\","
	    "\"::ffff:10.0.0.2\""));
	is(by_host("a.example"), 2);
	is(by_host("A.EXAMPLE"), 2);
	is(by_host("a.example:5000"), 2);
	is(by_host("a.example."), 2);
	is(by_host("A.example.:80"), 2);
	is(by_host("a.example:"), 2);
	is(by_host("a2.example"), 2);
	is(by_host("b.example:1"), 3);
	is(by_host("10.0.0.1"), 3);
	is(by_host("10.0.0.1:5000"), 3);

	test("IPv6 in every form");
	is(by_host("[2001:db8::1]"), 3);
	is(by_host("[2001:db8:0:0::0:1]:5000"), 3);
	is(by_host("2001:DB8::1"), 3);
	is(by_host("[2001:db8::2]"), 1);
	is(by_host("[::1"), 1);
	is(by_host("[]"), 1);
	is(by_host("10.0.0.2"), 3);

	test("anything else is the default tenant's");
	is(by_host(""), 1);
	is(by_host("."), 1);
	is(by_host(":80"), 1);
	is(by_host("a.example.."), 1);
	is(by_host("x.a.example"), 1);
	is(by_host("a.example:x"), 1);
	is(by_host("a.example:80/"), 1);
	is(by_host("[2001:db8::1]x"), 1);
	is(by_host("[2001:db8::1]:x"), 1);
	is(by_host("a.exampl"), 1);
	is(by_host("a.example\0"), 1);
	{
		char longest[4096];

		memset(longest, 'a', sizeof longest);
		is(id_of(tenant_by_host(book, text_from(longest, 254))), 1);
		is(id_of(tenant_by_host(book, text_from(longest,
		    sizeof longest))), 1);
	}

	test("a host is with whom it was put last");
	ok(put(3, "beta", "\"b.example\",\"a.example\""));
	is(by_host("a.example"), 3);
	is(by_host("10.0.0.1"), 1);
	ok(put(2, "alpha", "\"a2.example\""));
	is(by_host("a.example"), 3);
	tenant_book_remove(book, 3);
	is(by_host("a.example"), 1);
	is(by_host("a2.example"), 2);
	is(by_slug("beta"), 0);
	tenant_book_remove(book, 3);
}

static void
test_changes(void)
{
	struct tenant *held, *again;

	test("who holds a tenant keeps it over changes and the end");
	held = tenant_share(tenant_by_id(book, 2));
	ok(put(2, "gamma", "\"c.example\""));
	is(by_slug("alpha"), 0);
	is(by_slug("gamma"), 2);
	is(by_host("c.example"), 2);
	is(by_host("a2.example"), 1);
	is_text(held->slug, "alpha");
	again = tenant_share(held);
	tenant_give(&held);
	ok(held == NULL);
	tenant_give(&held);
	tenant_book_remove(book, 2);
	is_text(again->slug, "alpha");

	test("a slug that another had is the new one's");
	ok(put(20, "b", ""));
	is(by_slug("b"), 20);
	ok(tenant_by_id(book, 8) == NULL);

	test("all are replaced at once");
	ok(tenant_book_put_all(book, TEXT("[]")));
	is(tenant_book_count(book), 0);
	ok(tenant_by_host(book, TEXT("a")) == NULL);
	{
		struct buf json;

		buf_init(&json, BUF_NO_LIMIT);
		for (int32_t i = 1; i <= 500; i++) {
			char slug[16], host[32];

			snprintf(slug, sizeof slug, "t%d", i);
			snprintf(host, sizeof host, "\"h%d.example\"", i);
			buf_add_char(&json, i == 1 ? '[' : ',');
			add_json(&json, i, i == 1 ? "default" : slug, host);
		}
		buf_add_char(&json, ']');
		ok(tenant_book_put_all(book, buf_text(&json)));
		buf_fini(&json);
	}
	is(tenant_book_count(book), 500);
	is(by_host("H321.example:80"), 321);
	is(by_host("h501.example"), 1);
	is(by_slug("t500"), 500);
	tenant_book_destroy(&book);
	is_text(again->slug, "alpha");
	tenant_give(&again);
}

static void
test_default(void)
{
	test("public reads of the default tenant: the stricter of both");
	for (unsigned option = 0; option < 2; option++)
		for (unsigned own = 0; own < 2; own++) {
			book = tenant_book_create(option);
			ok(put(1, "default", ""));
			ok(put(2, "other", ""));
			if (!own)
				ok(tenant_book_put(book, TEXT("{\"id\":1,"
				    "\"slug\":\"default\",\"hosts\":[],"
				    "\"public_read\":false,"
				    "\"origins\":[\"*\"],"
				    "\"max_connections\":null,"
				    "\"max_requests\":null,"
				    "\"max_events\":null,"
				    "\"max_storage\":null,"
				    "\"retention_days\":null}")));
			is(tenant_by_id(book, 1)->public_read, option && own);
			ok(tenant_by_id(book, 1)->is_default);
			ok(tenant_by_id(book, 2)->public_read);
			tenant_book_destroy(&book);
		}
}

static void
test_prefix(void)
{
	static const char *const others[] = { "", "/", "/t", "/t/", "/t//",
	    "/t//api", "/tt/alpha", "/T/alpha", "t/alpha/x", "/t/Alpha/x",
	    "/t/-a/x", "/t/a-/x", "/t/al%70ha/x", "/t/a_b/x", "/t/a.b/",
	    "/t/\xc3\xa4/x",
	    ("/t/"
	    "0123456789012345678901234567890123456789012345678901234567890123")
	};
	text slug, rest;

	test("a prefix is cut off");
	ok(tenant_cut_prefix(TEXT("/t/alpha/api/x"), &slug, &rest));
	is_text(slug, "alpha");
	is_text(rest, "/api/x");
	ok(tenant_cut_prefix(TEXT("/t/a"), &slug, &rest));
	is_text(slug, "a");
	is_text(rest, "/");
	ok(tenant_cut_prefix(TEXT("/t/a-9/"), &slug, &rest));
	is_text(slug, "a-9");
	is_text(rest, "/");
	ok(tenant_cut_prefix(TEXT("/t/a/t/b/%2f//c"), &slug, &rest));
	is_text(slug, "a");
	is_text(rest, "/t/b/%2f//c");
	ok(tenant_cut_prefix(TEXT("/t/012345678901234567890123456789012345678"
	    "901234567890123456789012/x"), &slug, &rest));
	is(slug.len, 63);
	is_text(rest, "/x");

	test("anything else is no prefix");
	for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
		if (!ok(!tenant_cut_prefix(text_of(others[i]), &slug, &rest)))
			fprintf(stderr, "# %s\n", others[i]);
}

int
main(void)
{
	book = tenant_book_create(true);
	test_members();
	test_refused();
	test_hosts();
	test_changes();
	test_default();
	test_prefix();
	return (done());
}
