/* SPDX-License-Identifier: MIT */
/*
 * jobs/guard: how addresses can be spelled, and what is said of each.
 */
#include "jobs/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/conf.h"
#include "base/mem.h"
#include "tap.h"

static struct conf *conf;
static struct guard *guard;

struct spelling {
	const char	*url;
	const char	*is;		/* NULL: taken */
};

#define A "address not allowed: "

/* As a stranger writes them; a name is taken, because its answers come. */
static const struct spelling spellings[] = {
	{ "http://93.184.215.14/", NULL },
	{ "https://93.184.215.14:8443/hook?a=b#c", NULL },
	{ "https://example.com/hook", NULL },
	{ "HTTPS://EXAMPLE.COM/hook", NULL },
	{ "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", NULL },
	{ "https://localhost/", NULL },
	{ "https://xn--bcher-kva.example/", NULL },
	{ "https://b\xc3\xbc" "cher.example/", NULL },
	{ "http://127.0.0.1/", A "127.0.0.1 is loopback" },
	{ "http://127.0.0.1:8080/", A "127.0.0.1 is loopback" },
	{ "http://127.1/", A "127.0.0.1 is loopback" },
	{ "http://127.0.1/", A "127.0.0.1 is loopback" },
	{ "http://127.255.255.254/", A "127.255.255.254 is loopback" },
	{ "http://2130706433/", A "127.0.0.1 is loopback" },
	{ "http://0x7f000001/", A "127.0.0.1 is loopback" },
	{ "http://0x7f.0.0.1/", A "127.0.0.1 is loopback" },
	{ "http://0X7F.1/", A "127.0.0.1 is loopback" },
	{ "http://0177.0.0.1/", A "127.0.0.1 is loopback" },
	{ "http://017700000001/", A "127.0.0.1 is loopback" },
	{ "http://00177.000.0x0.1/", A "127.0.0.1 is loopback" },
	{ "http://%31%32%37.0.0.1/", A "127.0.0.1 is loopback" },
	{ "http://127.0.0.1./", NULL },	/* to look up, and judged then */
	{ "http://0/", A "0.0.0.0 is this host" },
	{ "http://0.0.0.0/", A "0.0.0.0 is this host" },
	{ "http://0x0/", A "0.0.0.0 is this host" },
	{ "http://0.1.2.3/", A "0.1.2.3 is this host" },
	{ "http://10.0.0.1/", A "10.0.0.1 is private" },
	{ "http://10.255.255.255/", A "10.255.255.255 is private" },
	{ "http://167772161/", A "10.0.0.1 is private" },
	{ "http://012.1/", A "10.0.0.1 is private" },
	{ "http://100.64.0.1/", A "100.64.0.1 is shared (CGNAT)" },
	{ "http://100.127.255.255/", A "100.127.255.255 is shared (CGNAT)" },
	{ "http://100.128.0.1/", NULL },
	{ "http://100.100.100.200/",
	    A "100.100.100.200 is a cloud's metadata" },
	{ "http://169.254.169.254/latest/meta-data/",
	    A "169.254.169.254 is a cloud's metadata" },
	{ "http://0xa9fea9fe/", A "169.254.169.254 is a cloud's metadata" },
	{ "http://2852039166/", A "169.254.169.254 is a cloud's metadata" },
	{ "http://0251.0376.0251.0376/",
	    A "169.254.169.254 is a cloud's metadata" },
	{ "http://169.254.170.2/v2/credentials/",
	    A "169.254.170.2 is a cloud's metadata" },
	{ "http://169.254.1.1/", A "169.254.1.1 is link-local" },
	{ "http://168.63.129.16/", A "168.63.129.16 is a cloud's metadata" },
	{ "http://172.16.0.1/", A "172.16.0.1 is private" },
	{ "http://172.31.255.255/", A "172.31.255.255 is private" },
	{ "http://172.32.0.1/", NULL },
	{ "http://172.15.255.255/", NULL },
	{ "http://192.168.0.1/", A "192.168.0.1 is private" },
	{ "http://192.168.257/", A "192.168.1.1 is private" },
	{ "http://3232235777/", A "192.168.1.1 is private" },
	{ "http://192.0.0.8/", A "192.0.0.8 is reserved" },
	{ "http://192.0.2.1/", A "192.0.2.1 is documentation" },
	{ "http://192.88.99.1/", A "192.88.99.1 is 6to4" },
	{ "http://198.18.0.1/", A "198.18.0.1 is for measurements" },
	{ "http://198.51.100.7/", A "198.51.100.7 is documentation" },
	{ "http://203.0.113.9/", A "203.0.113.9 is documentation" },
	{ "http://224.0.0.1/", A "224.0.0.1 is multicast" },
	{ "http://239.255.255.250:1900/",
	    A "239.255.255.250 is multicast" },
	{ "http://240.0.0.1/", A "240.0.0.1 is reserved" },
	{ "http://255.255.255.255/", A "255.255.255.255 is broadcast" },
	{ "http://[::]/", A ":: is this host" },
	{ "http://[::1]/", A "::1 is loopback" },
	{ "http://[0:0:0:0:0:0:0:1]/", A "::1 is loopback" },
	{ "http://[0000:0000:0000:0000:0000:0000:0000:0001]:8080/",
	    A "::1 is loopback" },
	{ "http://[::127.0.0.1]/", A "::127.0.0.1 is IPv4 inside IPv6" },
	{ "http://[::ffff:127.0.0.1]/", A "127.0.0.1 is loopback" },
	{ "http://[::ffff:7f00:1]/", A "127.0.0.1 is loopback" },
	{ "http://[0:0:0:0:0:ffff:10.0.0.1]/", A "10.0.0.1 is private" },
	{ "http://[::FFFF:169.254.169.254]/",
	    A "169.254.169.254 is a cloud's metadata" },
	{ "http://[::ffff:93.184.215.14]/",
	    A "93.184.215.14 is IPv4 inside IPv6" },
	{ "http://[::ffff:0:127.0.0.1]/",
	    A "::ffff:0:7f00:1 is not assigned" },
	{ "http://[64:ff9b::10.0.0.1]/",
	    A "64:ff9b::a00:1 is IPv4 inside IPv6 (NAT64)" },
	{ "http://[64:ff9b::5db8:d70e]/",
	    A "64:ff9b::5db8:d70e is IPv4 inside IPv6 (NAT64)" },
	{ "http://[64:ff9b:1::1]/",
	    A "64:ff9b:1::1 is IPv4 inside IPv6 (NAT64)" },
	{ "http://[100::1]/", A "100::1 is not assigned" },
	{ "http://[2001::1]/",
	    A "2001::1 is IPv4 inside IPv6 (Teredo)" },
	{ "http://[2001:10::1]/", A "2001:10::1 is reserved" },
	{ "http://[2001:db8::1]/", A "2001:db8::1 is documentation" },
	{ "http://[2002:7f00:1::]/",
	    A "2002:7f00:1:: is IPv4 inside IPv6 (6to4)" },
	{ "http://[3fff::1]/", A "3fff::1 is documentation" },
	{ "http://[4000::1]/", A "4000::1 is not assigned" },
	{ "http://[5f00::1]/", A "5f00::1 is not assigned" },
	{ "http://[fc00::1]/", A "fc00::1 is private" },
	{ "http://[fd12:3456:789a::1]/", A "fd12:3456:789a::1 is private" },
	{ "http://[fd00:ec2::254]/",
	    A "fd00:ec2::254 is a cloud's metadata" },
	{ "http://[fe80::1]/", A "fe80::1 is link-local" },
	{ "http://[fe80::1%25eth0]/", A "fe80::1 is link-local" },
	{ "http://[fec0::1]/", A "fec0::1 is private (site-local)" },
	{ "http://[ff02::1]/", A "ff02::1 is multicast" },
	{ "ftp://example.com/", "scheme not allowed: ftp" },
	{ "file:///etc/passwd", "scheme not allowed: file" },
	{ "gopher://127.0.0.1:6379/_FLUSHALL", "scheme not allowed: gopher" },
	{ "ws://example.com/", "scheme not allowed: ws" },
	{ "unix:/run/docker.sock", "scheme not allowed: unix" },
	{ "javascript:alert(1)", "the URL cannot be read" },
	{ "http://user@example.com/",
	    "the URL has a user or a password in it" },
	{ "http://user:word@example.com/",
	    "the URL has a user or a password in it" },
	{ "http://example.com@127.0.0.1/",
	    "the URL has a user or a password in it" },
	{ "http://127.0.0.1#@example.com/", A "127.0.0.1 is loopback" },
	{ "http://127.0.0.1\\@example.com/",
	    "the URL has a user or a password in it" },
	{ "http://example.com:22/", "port not allowed: 22" },
	{ "http://example.com:25/", "port not allowed: 25" },
	{ "https://example.com:80/", NULL },
	{ "http://example.com:0/", "the URL cannot be read" },
	{ "http://example.com:65536/", "the URL cannot be read" },
	{ "http://exa mple.com/", "the URL cannot be read" },
	{ "http://example.com\r\nHost: x/", "the URL cannot be read" },
	{ "http://[::1/", "the URL cannot be read" },
	{ "http:///", "the URL cannot be read" },
	{ "", "the URL cannot be read" },
};
#define SPELLINGS (sizeof spellings / sizeof spellings[0])

static void
test_spellings(void)
{
	char why[GUARD_WHY_SIZE];

	test("addresses, however they are spelled");
	ok(SPELLINGS >= 60);
	for (size_t i = 0; i < SPELLINGS; i++) {
		const struct spelling *spelling = &spellings[i];
		bool is_taken = guard_takes(guard, spelling->url, why);
		bool is_right = is_taken ? spelling->is == NULL :
		    spelling->is != NULL && strcmp(why, spelling->is) == 0;

		if (!ok(is_right))
			fprintf(stderr, "#   %s: %s\n", spelling->url,
			    is_taken ? "taken" : why);
	}
}

static bool
allows(int family, const char *ip, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
	    .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
	    .sin6_port = htons(port) };
	char why[GUARD_WHY_SIZE];

	if (family == AF_INET) {
		ok(inet_pton(family, ip, &in.sin_addr) == 1);
		return (guard_allows(guard, (struct sockaddr *)&in,
		    sizeof in, why));
	}
	ok(inet_pton(family, ip, &in6.sin6_addr) == 1);
	return (guard_allows(guard, (struct sockaddr *)&in6, sizeof in6,
	    why));
}

static void
test_sockets(void)
{
	struct sockaddr path = { .sa_family = AF_UNIX };
	char why[GUARD_WHY_SIZE];

	test("addresses that a socket is about to be opened to");
	ok(allows(AF_INET, "93.184.215.14", 443));
	ok(!allows(AF_INET, "93.184.215.14", 22));
	ok(!allows(AF_INET, "127.0.0.1", 443));
	ok(allows(AF_INET6, "2606:2800:21f::1", 443));
	ok(!allows(AF_INET6, "::1", 443));
	ok(!allows(AF_INET6, "::ffff:127.0.0.1", 443));
	ok(!allows(AF_INET6, "::ffff:93.184.215.14", 443));
	ok(!guard_allows(guard, &path, sizeof path, why));
	ok(guard_allows_end(guard, "93.184.215.14", 443, why));
	ok(!guard_allows_end(guard, "10.1.2.3", 443, why));
	ok(!guard_allows_end(guard, "::ffff:93.184.215.14", 443, why));
	ok(!guard_allows_end(guard, "", 443, why));
	ok(!guard_allows_end(guard, NULL, 443, why));
	ok(!guard_allows_end(guard, "93.184.215.14", 0, why));
}

static void
allow(const char *networks)
{
	struct buf line, problems;

	guard_destroy(&guard);
	buf_init(&line, BUF_NO_LIMIT);
	buf_init(&problems, BUF_NO_LIMIT);
	buf_printf(&line, "outgoing_allow=%s", networks);
	ok(conf_set(conf, buf_text(&line), &problems));
	buf_fini(&line);
	buf_fini(&problems);
	guard = guard_create(conf);
}

static void
test_allowed(void)
{
	struct buf problems;

	test("networks of one's own");
	allow("10.1.0.0/16 fd12::/16");
	ok(allows(AF_INET, "10.1.2.3", 8080));
	ok(!allows(AF_INET, "10.1.2.3", 22));
	ok(!allows(AF_INET, "10.2.2.3", 8080));
	ok(allows(AF_INET6, "fd12::1", 443));
	ok(!allows(AF_INET6, "fd13::1", 443));
	ok(allows(AF_INET6, "::ffff:10.1.2.3", 443));

	test("what NAT64 carries is judged as what it is");
	allow("64:ff9b::/96");
	ok(allows(AF_INET6, "64:ff9b::93.184.215.14", 443));
	ok(!allows(AF_INET6, "64:ff9b::127.0.0.1", 443));
	ok(!allows(AF_INET6, "64:ff9b::169.254.169.254", 443));
	ok(!allows(AF_INET6, "64:ff9b:1::93.184.215.14", 443));
	allow("64:ff9b::/96 10.0.0.0/8");
	ok(allows(AF_INET6, "64:ff9b::10.0.0.1", 443));

	test("ports of one's own");
	buf_init(&problems, BUF_NO_LIMIT);
	ok(conf_set(conf, TEXT("outgoing_ports=443 8000-8080"), &problems));
	allow("");
	ok(allows(AF_INET, "93.184.215.14", 8000));
	ok(allows(AF_INET, "93.184.215.14", 8080));
	ok(!allows(AF_INET, "93.184.215.14", 8081));
	ok(!allows(AF_INET, "93.184.215.14", 80));
	ok(!conf_set(conf, TEXT("outgoing_ports=0"), &problems));
	ok(!conf_set(conf, TEXT("outgoing_ports=9-8"), &problems));
	ok(!conf_set(conf, TEXT("outgoing_ports=1-65536"), &problems));
	ok(!conf_set(conf, TEXT("outgoing_ports=http"), &problems));
	buf_fini(&problems);
}

int
main(void)
{
	conf = conf_create();
	guard = guard_create(conf);
	test_spellings();
	test_sockets();
	test_allowed();
	guard_destroy(&guard);
	conf_destroy(&conf);
	return (done());
}
