/* SPDX-License-Identifier: MIT */
/*
 * base/address: what is read, what is refused, who is in which network.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "tap.h"

static const char *
written(const struct address *address)
{
	static char kept[256];
	struct buf out;

	buf_init(&out, BUF_NO_LIMIT);
	address_write(address, &out);
	snprintf(kept, sizeof kept, "%s", out.at);
	buf_fini(&out);
	return (kept);
}

/* As written after reading, or why it was refused. */
static const char *
read_back(const char *string)
{
	struct address address;
	const char *why;

	if (!address_read(text_of(string), &address, &why))
		return (why);
	return (written(&address));
}

static const char *
peer(const char *string)
{
	struct address address;

	if (!address_read_peer(text_of(string), &address))
		return ("refused");
	return (written(&address));
}

static bool
holds(const char *list, const char *who)
{
	struct networks networks;
	struct address address;
	bool result;

	networks_init(&networks, text_of(list));
	if (strcmp(who, "unix") == 0)
		address = (struct address){ .kind = ADDRESS_UNIX };
	else
		ok(address_read_peer(text_of(who), &address));
	result = networks_hold(&networks, &address);
	networks_fini(&networks);
	return (result);
}

static const char *
network_refused(const char *string)
{
	struct network network;
	const char *why = "taken";

	network_read(text_of(string), &network, &why);
	return (why);
}

static void
test_sockets(void)
{
	struct sockaddr_storage storage;
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6,
	    .sin6_port = htons(80) };
	struct sockaddr strange = { .sa_family = AF_PACKET };
	struct address address, again;
	const char *why;
	socklen_t len;

	test("an IPv4 socket address and back");
	ok(address_read(TEXT("127.0.0.1:5000"), &address, &why));
	len = address_to_socket(&address, &storage);
	is(len, sizeof(struct sockaddr_in));
	is(storage.ss_family, AF_INET);
	is(ntohs(((struct sockaddr_in *)&storage)->sin_port), 5000);
	ok(address_from_socket((struct sockaddr *)&storage, len, &again));
	ok(address_is(&address, &again));

	test("an IPv6 socket address and back");
	ok(address_read(TEXT("[2001:db8::7]:443"), &address, &why));
	len = address_to_socket(&address, &storage);
	is(len, sizeof(struct sockaddr_in6));
	ok(address_from_socket((struct sockaddr *)&storage, len, &again));
	ok(address_is(&address, &again));

	test("IPv4 that came through an IPv6 socket is IPv4");
	inet_pton(AF_INET6, "::ffff:10.1.2.3", &mapped.sin6_addr);
	ok(address_from_socket((struct sockaddr *)&mapped, sizeof mapped,
	    &address));
	is(address.kind, ADDRESS_IPV4);
	is_text(written(&address), "10.1.2.3:80");

	test("a Unix peer; a family that is not ours; one cut short");
	ok(address_from_socket((struct sockaddr *)&local,
	    sizeof(sa_family_t), &address));
	is(address.kind, ADDRESS_UNIX);
	ok(!address_from_socket(&strange, sizeof strange, &address));
	ok(!address_from_socket((struct sockaddr *)&mapped, 4, &address));
}

static void
write_unix_socket(void)
{
	struct address address = { .kind = ADDRESS_UNIX };
	struct sockaddr_storage out;

	address_to_socket(&address, &out);
}

int
main(void)
{
	char path[4200], name[128];

	test("addresses read back as they are");
	is_text(read_back("127.0.0.1:5000"), "127.0.0.1:5000");
	is_text(read_back("0.0.0.0:1"), "0.0.0.0:1");
	is_text(read_back("[::1]:65535"), "[::1]:65535");
	is_text(read_back("[2001:DB8:0:0::1]:80"), "[2001:db8::1]:80");
	is_text(read_back("[::ffff:1.2.3.4]:80"), "1.2.3.4:80");
	is_text(read_back("unix:/run/a.sock"), "unix:/run/a.sock");
	is_text(read_back("unix:a.sock"), "unix:a.sock");
	is_text(read_back("unix:a:80"), "unix:a:80");

	test("what is no address is refused, with why");
	is_text(read_back(""), "has no port");
	is_text(read_back("127.0.0.1"), "has no port");
	is_text(read_back("[::1]"), "has no port");
	is_text(read_back("::1:80"), "is IPv6 without [brackets]");
	is_text(read_back("localhost:80"),
	    "has no numeric address before its port");
	is_text(read_back(":80"), "has no numeric address before its port");
	is_text(read_back("[]:80"), "has no numeric address before its port");
	is_text(read_back("[1.2.3.4]:80"),
	    "has no numeric address before its port");
	is_text(read_back("1.2.3:80"),
	    "has no numeric address before its port");
	is_text(read_back("127.0.0.1:0"),
	    "has a port that is not 1 to 65535");
	is_text(read_back("127.0.0.1:65536"),
	    "has a port that is not 1 to 65535");
	is_text(read_back("127.0.0.1:+80"),
	    "has a port that is not 1 to 65535");
	is_text(read_back("127.0.0.1:"),
	    "has a port that is not 1 to 65535");
	is_text(read_back("127.0.0.1:000080"),
	    "has a port that is not 1 to 65535");

	test("paths of sockets");
	is_text(read_back("unix:"), "names no socket behind unix:");
	is_text(read_back("unix:/run/"), "names no socket behind unix:");
	memset(name, 'n', sizeof name);
	snprintf(path, sizeof path, "unix:/x/%.*s", ADDRESS_NAME_MAX, name);
	is_text(read_back(path), path);
	snprintf(path, sizeof path, "unix:/x/%.*s", ADDRESS_NAME_MAX + 1,
	    name);
	is_text(read_back(path), "has a socket name of more than 80 bytes");
	memset(path, 'd', sizeof path);
	memcpy(path, "unix:/", 6);
	memcpy(path + sizeof path - 3, "/n", 3);
	is_text(read_back(path), "is too long for a path");

	test("peers, with and without port");
	is_text(peer("192.0.2.1"), "192.0.2.1");
	is_text(peer("192.0.2.1:4711"), "192.0.2.1:4711");
	is_text(peer("2001:db8::1"), "2001:db8::1");
	is_text(peer("[2001:db8::1]"), "2001:db8::1");
	is_text(peer("[2001:db8::1]:4711"), "[2001:db8::1]:4711");
	is_text(peer("::ffff:1.2.3.4"), "1.2.3.4");
	is_text(peer("unknown"), "refused");
	is_text(peer("_hidden"), "refused");
	is_text(peer("unix:/x"), "refused");
	is_text(peer(""), "refused");
	is_text(peer("[192.0.2.1]"), "refused");

	test("networks hold what is in them");
	ok(holds("10.0.0.0/8", "10.255.0.1"));
	ok(!holds("10.0.0.0/8", "11.0.0.0"));
	ok(holds("10.0.0.0/8", "::ffff:10.1.1.1"));
	ok(holds("::ffff:10.0.0.0/104", "10.1.1.1"));
	ok(holds("192.0.2.128/25", "192.0.2.129"));
	ok(!holds("192.0.2.128/25", "192.0.2.127"));
	ok(holds("192.0.2.1", "192.0.2.1:80"));
	ok(!holds("192.0.2.1", "192.0.2.2"));
	ok(holds("2001:db8::/33", "2001:db8:7fff::1"));
	ok(!holds("2001:db8::/33", "2001:db8:8000::1"));
	ok(holds("::1", "::1"));
	ok(!holds("::1", "127.0.0.1"));
	ok(holds("0.0.0.0/0", "8.8.8.8"));
	ok(!holds("0.0.0.0/0", "::1"));

	test("all of IPv6 is not all of IPv4");
	ok(holds("::/0", "2001:db8::1"));
	ok(!holds("::/0", "192.0.2.1"));

	test("Unix peers are held by the word unix alone");
	ok(holds("10.0.0.0/8 unix", "unix"));
	ok(!holds("0.0.0.0/0 ::/0", "unix"));
	ok(!holds("unix", "127.0.0.1"));
	ok(!holds("", "127.0.0.1"));

	test("what is no network is refused, with why");
	is_text(network_refused("10.0.0.0/8"), "taken");
	is_text(network_refused("10.0.0.1/8"),
	    "has bits set beyond its length");
	is_text(network_refused("10.0.0.0/33"),
	    "has a length that is not 0 to 32");
	is_text(network_refused("::/129"),
	    "has a length that is not 0 to 128");
	is_text(network_refused("10.0.0.0/"),
	    "has a length that is not 0 to 32");
	is_text(network_refused("10.0.0.0/-1"),
	    "has a length that is not 0 to 32");
	is_text(network_refused("example.org"),
	    "is not a numeric address");
	is_text(network_refused(""), "is not a numeric address");

	test_sockets();

	test("a Unix path is never cut to fit a socket address");
	ok(aborts(write_unix_socket));
	return (done());
}
