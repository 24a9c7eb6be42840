/* SPDX-License-Identifier: MIT */
/*
 * core/query: targets, paths and queries, cut first and decoded then.
 */
#include "core/query.h"

#include "tap.h"

static struct arena arena;

static text
path_of(const char *target)
{
	text host, path, query;

	target_cut(text_of(target), &host, &path, &query);
	return (path);
}

static text
query_of(const char *target)
{
	text host, path, query;

	target_cut(text_of(target), &host, &path, &query);
	return (query);
}

static text
host_of(const char *target)
{
	text host, path, query;

	target_cut(text_of(target), &host, &path, &query);
	return (host.at != NULL ? host : TEXT("none"));
}

static text
decoded(const char *segment)
{
	text t = text_of(segment);

	return (path_decode(&arena, &t) == ERR_none ? t : TEXT("refused"));
}

static text
value_of(const char *query, const char *key)
{
	text value;

	return (query_find(&arena, text_of(query), text_of(key), &value) ?
	    value : TEXT("none"));
}

static unsigned
segments(const char *path)
{
	text rest = text_of(path), segment;
	unsigned count = 0;

	while (path_next(&rest, &segment))
		count++;
	return (count);
}

int
main(void)
{
	text rest = TEXT("/a/b%2Fc/"), segment, value = TEXT("kept");

	arena_init(&arena);

	test("a target is cut into path and query");
	is_text(path_of("/a/b?c=d"), "/a/b");
	is_text(query_of("/a/b?c=d?e"), "c=d?e");
	is_text(query_of("/a/b"), "");
	is_text(path_of("/a#b?c"), "/a");
	is_text(path_of("http://host:1/a?b"), "/a");
	is_text(host_of("http://host:1/a?b"), "host:1");
	is_text(host_of("https://[::1]"), "[::1]");
	is_text(host_of("http:///a"), "");
	is_text(host_of("/http://host/a"), "none");
	is_text(query_of("https://host?b"), "b");
	is_text(path_of("https://host"), "/");
	is_text(path_of(""), "/");
	is_text(path_of("*"), "*");

	test("a path falls into segments, the last may be empty");
	ok(path_next(&rest, &segment));
	is_text(segment, "a");
	ok(path_next(&rest, &segment));
	is_text(segment, "b%2Fc");
	ok(path_next(&rest, &segment));
	is_text(segment, "");
	ok(!path_next(&rest, &segment));
	is(rest.len, 0);
	is(segments("/"), 1);
	is(segments("//"), 2);
	is(segments("no slash"), 0);

	test("escapes are decoded once");
	is_text(decoded("plain+text"), "plain+text");
	is_text(decoded("b%2Fc"), "b/c");
	is_text(decoded("%41%62"), "Ab");
	is_text(decoded("%2541"), "%41");
	is_text(decoded("%c3%a9"), "\xc3\xa9");

	test("what is broken is refused");
	is_text(decoded("%"), "refused");
	is_text(decoded("%4"), "refused");
	is_text(decoded("%4g"), "refused");
	is_text(decoded("%zz"), "refused");
	is_text(decoded("%00"), "refused");
	is_text(decoded("%c3"), "refused");
	is_text(decoded("%c0%af"), "refused");
	is_text(decoded("%ed%a0%80"), "refused");
	is_text(decoded("\xff"), "refused");
	is(path_check(TEXT("/a\0b")), ERR_invalid_path);
	is(path_check(TEXT("/a/%41/")), ERR_none);
	is(path_check(TEXT("/a/%4/")), ERR_invalid_path);

	test("what is refused is left as it was");
	segment = TEXT("%zz");
	is(path_decode(&arena, &segment), ERR_invalid_path);
	is_text(segment, "%zz");

	test("a query is pairs");
	is_text(value_of("a=1&b=2", "b"), "2");
	is_text(value_of("a=1&a=2", "a"), "2");
	is_text(value_of("a&b=2", "a"), "");
	is_text(value_of("&&a=1&", "a"), "1");
	is_text(value_of("a=b=c", "a"), "b=c");
	is_text(value_of("a+b=c+d%2B", "a b"), "c d+");
	is_text(value_of("a%3D=1%26", "a="), "1&");
	is_text(value_of("a=1", "b"), "none");

	test("a query is refused as a whole");
	is(query_check(TEXT("a=1&b=%41")), ERR_none);
	is(query_check(TEXT("")), ERR_none);
	is(query_check(TEXT("a=1&b=%4")), ERR_invalid_query);
	is(query_check(TEXT("%00=1")), ERR_invalid_query);
	is(query_check(TEXT("a=\xc3")), ERR_invalid_query);
	is(query_check(TEXT("a=\xc3&b=\xa9")), ERR_invalid_query);

	test("a value that is broken does not replace a good one");
	ok(query_find(&arena, TEXT("a=1&a=%zz"), TEXT("a"), &value));
	is_text(value, "1");

	arena_fini(&arena);
	return (done());
}
