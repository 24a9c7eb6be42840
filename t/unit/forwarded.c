/* SPDX-License-Identifier: MIT */
/*
 * transport/forwarded: who is believed about whom.
 */
#include "transport/forwarded.h"

#include "base/mem.h"
#include "tap.h"

static struct networks trusted;
static struct forwarded got;
static char client[128];

static const char *
read_lines(const char *peer, const struct forwarded_lines *lines)
{
	struct address address;
	struct buf out;

	if (strcmp(peer, "unix") == 0)
		address = (struct address){ .kind = ADDRESS_UNIX,
		    .path = TEXT("") };
	else
		ok(address_read_peer(text_of(peer), &address));
	forwarded_read(lines, &trusted, &address, &got);
	buf_init(&out, BUF_NO_LIMIT);
	address_write_host(&got.client, &out);
	snprintf(client, sizeof client, "%s", out.at);
	buf_fini(&out);
	return (client);
}

static const char *
forwarded_for(const char *peer, const char *list)
{
	return (read_lines(peer, &(struct forwarded_lines){
	    .for_list = text_of(list) }));
}

static const char *
forwarded(const char *peer, const char *list)
{
	return (read_lines(peer, &(struct forwarded_lines){
	    .forwarded = text_of(list) }));
}

int
main(void)
{
	struct forwarded_lines lines;

	networks_init(&trusted, TEXT("10.0.0.0/8 2001:db8::/32 unix"));

	test("who is not trusted is the client");
	is_text(forwarded_for("9.9.9.9", "1.2.3.4"), "9.9.9.9");
	is_text(forwarded("9.9.9.9", "for=1.2.3.4;proto=https"), "9.9.9.9");
	ok(got.scheme.at == NULL);

	test("a trusted proxy names the client");
	is_text(forwarded_for("10.0.0.1", "1.2.3.4"), "1.2.3.4");
	is_text(forwarded_for("unix", "1.2.3.4"), "1.2.3.4");
	is_text(forwarded_for("10.0.0.1", "1.2.3.4:5678"), "1.2.3.4");
	is_text(forwarded_for("10.0.0.1", "2001:db9::1"), "2001:db9::1");
	is_text(forwarded_for("10.0.0.1", "[2001:db9::1]:80"),
	    "2001:db9::1");
	is_text(forwarded_for("::ffff:10.0.0.1", "1.2.3.4"), "1.2.3.4");

	test("from the right, up to the first that is not trusted");
	is_text(forwarded_for("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2"),
	    "1.2.3.4");
	is_text(forwarded_for("10.0.0.1", "6.6.6.6,1.2.3.4"), "1.2.3.4");
	is_text(forwarded_for("10.0.0.1", "10.0.0.3, 10.0.0.2"),
	    "10.0.0.3");

	test("at what is malformed it stops");
	is_text(forwarded_for("10.0.0.1", "1.2.3.4, nonsense, 10.0.0.2"),
	    "10.0.0.2");
	is_text(forwarded_for("10.0.0.1", "nonsense"), "10.0.0.1");
	is_text(forwarded_for("10.0.0.1", ""), "10.0.0.1");
	is_text(forwarded_for("10.0.0.1", "1.2.3.4,"), "10.0.0.1");
	is_text(forwarded_for("10.0.0.1", "1.2.3.4, unix"), "10.0.0.1");

	test("scheme and host are the client's proxy's");
	lines = (struct forwarded_lines){
	    .for_list = TEXT("6.6.6.6, 1.2.3.4, 10.0.0.2"),
	    .proto_list = TEXT("gopher, HTTPS, http"),
	    .host_list = TEXT("evil, game.example:8443, inner") };
	is_text(read_lines("10.0.0.1", &lines), "1.2.3.4");
	is_text(got.scheme, "https");
	is_text(got.host, "game.example:8443");
	lines.proto_list = TEXT("https");
	lines.host_list = TEXT("bad host");
	read_lines("10.0.0.1", &lines);
	is_text(got.scheme, "https");
	ok(got.host.at == NULL);
	lines = (struct forwarded_lines){ .proto_list = TEXT("https") };
	is_text(read_lines("10.0.0.1", &lines), "10.0.0.1");
	is_text(got.scheme, "https");

	test("Forwarded is read as RFC 7239 has it");
	is_text(forwarded("10.0.0.1", "for=1.2.3.4"), "1.2.3.4");
	is_text(forwarded("10.0.0.1",
	    "For=\"[2001:db9::17]:4711\"; Proto=https ;host=\"a.b:1\""),
	    "2001:db9::17");
	is_text(got.scheme, "https");
	is_text(got.host, "a.b:1");
	is_text(forwarded("10.0.0.1",
	    "for=6.6.6.6;proto=http, for=1.2.3.4;proto=https, for=10.0.0.9"),
	    "1.2.3.4");
	is_text(got.scheme, "https");

	test("Forwarded goes before X-Forwarded-For");
	lines = (struct forwarded_lines){ .forwarded = TEXT("for=1.2.3.4"),
	    .for_list = TEXT("5.6.7.8") };
	is_text(read_lines("10.0.0.1", &lines), "1.2.3.4");

	test("nodes without an address stop it");
	is_text(forwarded("10.0.0.1", "for=1.2.3.4, for=unknown"),
	    "10.0.0.1");
	is_text(forwarded("10.0.0.1", "for=_hidden;proto=https"),
	    "10.0.0.1");
	is_text(got.scheme, "https");

	test("an open quote gives nobody's words to the proxy");
	is_text(forwarded("10.0.0.1", "for=\"6.6.6.6, for=1.2.3.4"),
	    "10.0.0.1");
	is_text(forwarded("10.0.0.1", "for=\"6.6.6.6, for=\"1.2.3.4\""),
	    "10.0.0.1");
	is_text(forwarded("10.0.0.1", "x y, for=1.2.3.4"), "1.2.3.4");
	is_text(forwarded("10.0.0.1", "for=1.2.3.4, x y"), "10.0.0.1");
	is_text(forwarded("10.0.0.1", "for=1.2.3.4, \"x"), "10.0.0.1");

	test("a long list costs no more than its end");
	{
		struct buf list;

		buf_init(&list, BUF_NO_LIMIT);
		for (unsigned i = 0; i < 1000; i++)
			buf_add(&list, TEXT("for=6.6.6.6, "));
		buf_add(&list, TEXT("for=1.2.3.4"));
		is_text(forwarded("10.0.0.1", list.at), "1.2.3.4");
		buf_fini(&list);
	}

	networks_fini(&trusted);
	return (done());
}
