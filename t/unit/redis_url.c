/* SPDX-License-Identifier: MIT */
/*
 * Urls of Redis: what they say, and what is refused.
 */
#include "base/redis_url.h"

#include "tap.h"

static struct redis_url url;
static const char *why;

static bool
reads(const char *written)
{
	why = "";
	return (redis_url_read(text_of(written), &url, &why));
}

static void
test_hosts(void)
{
	test("a host, with the port and the database that go without saying");
	ok(reads("redis://example.org"));
	ok(!url.is_unix);
	is_text(url.host, "example.org");
	is(url.port, 6379);
	is(url.db, 0);
	is_text(url.user, "");
	is_text(url.password, "");

	test("all of it");
	ok(reads("redis://ann:p%40s%3as@10.0.0.1:7000/3"));
	is_text(url.host, "10.0.0.1");
	is(url.port, 7000);
	is(url.db, 3);
	is_text(url.user, "ann");
	is_text(url.password, "p@s:s");

	test("an address of version 6, with and without a port");
	ok(reads("redis://[::1]:7000"));
	is_text(url.host, "::1");
	is(url.port, 7000);
	ok(reads("redis://:x@[fe80::1]/1"));
	is_text(url.host, "fe80::1");
	is(url.port, 6379);
	is(url.db, 1);

	test("a password with signs that mean something elsewhere");
	ok(reads("redis://:a/b@c@host/2"));
	is_text(url.password, "a/b@c");
	is_text(url.host, "host");
	is(url.db, 2);
	ok(reads("redis://:a:b@host"));
	is_text(url.password, "a:b");
	is_text(url.user, "");
}

static void
test_paths(void)
{
	test("a socket");
	ok(reads("unix:///run/redis/redis.sock"));
	ok(url.is_unix);
	is_text(url.path, "/run/redis/redis.sock");
	is_text(url.password, "");
	ok(reads("unix://:secret@/run/a%20b?db=4"));
	is_text(url.path, "/run/a b");
	is_text(url.password, "secret");
	is(url.db, 4);
	ok(reads("unix://:a/b@/run/c@d"));
	is_text(url.password, "a/b");
	is_text(url.path, "/run/c@d");

	test("an @ in a path belongs to the path");
	ok(reads("unix:///run/a:b@c/redis"));
	is_text(url.path, "/run/a:b@c/redis");
	is_text(url.password, "");
}

static void
test_refused(void)
{
	static const char *const wrong[] = { "", "rediss://host",
	    "http://host", "redis://", "redis://:7000", "redis://host:0",
	    "redis://host:65536", "redis://host:", "redis://host:port",
	    "redis://[::1", "redis://[::1]7", "redis://host/x",
	    "redis://host/-1", "redis://host/65536", "redis://word@host",
	    "redis://:%00@host", "redis://:%4@host", "redis://:%zz@host",
	    "redis://:%@host", "redis://ho%00st", "unix://", "unix://path",
	    "unix://:x@path", "unix:///path?x=1", "unix:///path?db=x" };
	char longer[1200] = "unix:///";

	test("what is wrong is refused, and said");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!ok(!reads(wrong[i])) || !ok(why[0] != '\0'))
			printf("# %s\n", wrong[i]);

	test("what does not fit is refused");
	memset(longer + 8, 'x', 106);
	ok(reads(longer));
	is(strlen(url.path), 107);
	longer[114] = 'x';
	ok(!reads(longer));
	memcpy(longer, "redis://:", 9);
	memset(longer + 9, 'p', 1024);
	memcpy(longer + 9 + 1024, "@h", 3);
	ok(!reads(longer));
	memcpy(longer + 9 + 1023, "@h", 3);
	ok(reads(longer));
	is(strlen(url.password), 1023);
}

int
main(void)
{
	test_hosts();
	test_paths();
	test_refused();
	return (done());
}
