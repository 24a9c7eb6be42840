/* SPDX-License-Identifier: MIT */
/*
 * The table of what is not public, and the two judgements.
 */
#include "jobs/guard.h"

#include <curl/curl.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/mem.h"
#include "base/ports.h"

struct range {
	const char	*network;
	const char	*is;
};

/* The first that holds an address names it. */
static const struct range ranges[] = {
	/* Clouds answer here with the keys of their machines. */
	{ .network = "169.254.169.254", .is = "a cloud's metadata" },
	{ .network = "169.254.170.2", .is = "a cloud's metadata" },
	{ .network = "100.100.100.200", .is = "a cloud's metadata" },
	{ .network = "168.63.129.16", .is = "a cloud's metadata" },
	{ .network = "192.0.0.192", .is = "a cloud's metadata" },
	{ .network = "fd00:ec2::254", .is = "a cloud's metadata" },
	{ .network = "fd20:ce::254", .is = "a cloud's metadata" },
	{ .network = "0.0.0.0/8", .is = "this host" },
	{ .network = "10.0.0.0/8", .is = "private" },
	{ .network = "100.64.0.0/10", .is = "shared (CGNAT)" },
	{ .network = "127.0.0.0/8", .is = "loopback" },
	{ .network = "169.254.0.0/16", .is = "link-local" },
	{ .network = "172.16.0.0/12", .is = "private" },
	{ .network = "192.0.0.0/24", .is = "reserved" },
	{ .network = "192.0.2.0/24", .is = "documentation" },
	{ .network = "192.88.99.0/24", .is = "6to4" },
	{ .network = "192.168.0.0/16", .is = "private" },
	{ .network = "198.18.0.0/15", .is = "for measurements" },
	{ .network = "198.51.100.0/24", .is = "documentation" },
	{ .network = "203.0.113.0/24", .is = "documentation" },
	{ .network = "224.0.0.0/4", .is = "multicast" },
	{ .network = "255.255.255.255", .is = "broadcast" },
	{ .network = "240.0.0.0/4", .is = "reserved" },
	{ .network = "::", .is = "this host" },
	{ .network = "::1", .is = "loopback" },
	{ .network = "::/96", .is = "IPv4 inside IPv6" },
	{ .network = "64:ff9b::/96", .is = "IPv4 inside IPv6 (NAT64)" },
	{ .network = "64:ff9b:1::/48", .is = "IPv4 inside IPv6 (NAT64)" },
	{ .network = "fc00::/7", .is = "private" },
	{ .network = "fe80::/10", .is = "link-local" },
	{ .network = "fec0::/10", .is = "private (site-local)" },
	{ .network = "ff00::/8", .is = "multicast" },
	{ .network = "2001::/32", .is = "IPv4 inside IPv6 (Teredo)" },
	{ .network = "2001::/23", .is = "reserved" },
	{ .network = "2001:db8::/32", .is = "documentation" },
	{ .network = "2002::/16", .is = "IPv4 inside IPv6 (6to4)" },
	{ .network = "3fff::/20", .is = "documentation" },
};
#define RANGES (sizeof ranges / sizeof ranges[0])

#define MAPPED_IS "IPv4 inside IPv6"
#define UNASSIGNED_IS "not assigned"

struct guard {
	unsigned	 magic;
#define GUARD_MAGIC 0x67756172
	const struct conf *conf;
	struct networks	 allow;
	struct network	 assigned;	/* of IPv6 */
	struct network	 nat64;
	struct network	 read[RANGES];
};

static void
read_own(const char *written, struct network *out)
{
	const char *why;

	if (!network_read(text_of(written), out, &why))
		must_never("our own table has networks alone");
}

struct guard *
guard_create(const struct conf *conf)
{
	struct guard *guard = object_create(struct guard, GUARD_MAGIC);

	guard->conf = conf;
	networks_init(&guard->allow, text_of(conf->outgoing_allow));
	read_own("2000::/3", &guard->assigned);
	read_own("64:ff9b::/96", &guard->nat64);
	for (size_t i = 0; i < RANGES; i++)
		read_own(ranges[i].network, &guard->read[i]);
	return (guard);
}

void
guard_destroy(struct guard **given)
{
	struct guard *guard = *given;

	*given = NULL;
	if (guard == NULL)
		return;
	object_check(guard, GUARD_MAGIC);
	networks_fini(&guard->allow);
	object_free(&guard);
}

/* NULL: nothing speaks against it. */
static const char *
find_wrong(const struct guard *guard, const struct address *address)
{
	struct address inside;

	if (networks_hold(&guard->allow, address)) {
		if (!network_holds(&guard->nat64, address))
			return (NULL);
		inside = *address;
		inside.kind = ADDRESS_IPV4;
		memset(inside.ip, 0, 10);
		memset(inside.ip + 10, 0xff, 2);
		return (find_wrong(guard, &inside));
	}
	for (size_t i = 0; i < RANGES; i++)
		if (network_holds(&guard->read[i], address))
			return (ranges[i].is);
	if (address->kind == ADDRESS_IPV6 &&
	    !network_holds(&guard->assigned, address))
		return (UNASSIGNED_IS);
	return (NULL);
}

static bool
refuse_address(const struct address *address, const char *is,
    char why_out[GUARD_WHY_SIZE])
{
	struct buf name;

	buf_init(&name, BUF_NO_LIMIT);
	address_write_host(address, &name);
	snprintf(why_out, GUARD_WHY_SIZE, "address not allowed: %s is %s",
	    name.at, is);
	buf_fini(&name);
	return (false);
}

/* Mapped: IPv4 in a socket or a spelling of IPv6, which no server needs. */
static bool
judge(const struct guard *guard, const struct address *address,
    bool is_mapped, char why_out[GUARD_WHY_SIZE])
{
	const char *is = find_wrong(guard, address);

	if (is == NULL && is_mapped && !networks_hold(&guard->allow, address))
		is = MAPPED_IS;
	if (is != NULL)
		return (refuse_address(address, is, why_out));
	if (ports_hold(text_of(guard->conf->outgoing_ports), address->port))
		return (true);
	snprintf(why_out, GUARD_WHY_SIZE, "port not allowed: %u",
	    (unsigned)address->port);
	return (false);
}

bool
guard_allows(const struct guard *guard, const struct sockaddr *to,
    socklen_t len, char why_out[GUARD_WHY_SIZE])
{
	struct address address;

	object_check(guard, GUARD_MAGIC);
	if (!address_from_socket(to, len, &address) ||
	    address.kind == ADDRESS_UNIX) {
		snprintf(why_out, GUARD_WHY_SIZE,
		    "address not allowed: of an unknown family");
		return (false);
	}
	return (judge(guard, &address, to->sa_family == AF_INET6 &&
	    address.kind == ADDRESS_IPV4, why_out));
}

bool
guard_allows_end(const struct guard *guard, const char *ip, int port,
    char why_out[GUARD_WHY_SIZE])
{
	struct address address;

	object_check(guard, GUARD_MAGIC);
	if (ip == NULL || !address_read_peer(text_of(ip), &address) ||
	    address.kind == ADDRESS_UNIX || port < 1 || port > UINT16_MAX) {
		snprintf(why_out, GUARD_WHY_SIZE,
		    "address not allowed: it is unknown");
		return (false);
	}
	address.port = (uint16_t)port;
	return (judge(guard, &address, address.kind == ADDRESS_IPV4 &&
	    text_has(text_of(ip), ':'), why_out));
}

/* NULL: it is not there; else to be given to curl_free. */
static char *
part(CURLU *url, CURLUPart what, unsigned flags)
{
	char *at;

	return (curl_url_get(url, what, &at, flags) == CURLUE_OK ? at :
	    NULL);
}

static bool
is_scheme(const char *scheme)
{
	return (text_is_like(text_of(scheme), TEXT("http")) ||
	    text_is_like(text_of(scheme), TEXT("https")));
}

static bool
judge_parts(const struct guard *guard, CURLU *url,
    char why_out[GUARD_WHY_SIZE])
{
	char *scheme = part(url, CURLUPART_SCHEME, 0);
	char *user = part(url, CURLUPART_USER, 0);
	char *password = part(url, CURLUPART_PASSWORD, 0);
	char *host = part(url, CURLUPART_HOST, 0);
	char *port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	struct address address;
	bool is_fine = false;
	int64_t number;

	if (scheme == NULL || !is_scheme(scheme))
		snprintf(why_out, GUARD_WHY_SIZE, "scheme not allowed: %.20s",
		    scheme != NULL ? scheme : "none");
	else if (user != NULL || password != NULL)
		snprintf(why_out, GUARD_WHY_SIZE,
		    "the URL has a user or a password in it");
	else if (host == NULL || port == NULL ||
	    !text_to_int64(text_of(port), 1, UINT16_MAX, &number))
		snprintf(why_out, GUARD_WHY_SIZE, "the URL cannot be read");
	else if (!ports_hold(text_of(guard->conf->outgoing_ports), number))
		snprintf(why_out, GUARD_WHY_SIZE, "port not allowed: %s",
		    port);
	else if (!address_read_peer(text_of(host), &address) ||
	    address.kind == ADDRESS_UNIX)
		is_fine = true;		/* a name: its answers are judged */
	else
		is_fine = guard_allows_end(guard, host, (int)number, why_out);
	curl_free(scheme);
	curl_free(user);
	curl_free(password);
	curl_free(host);
	curl_free(port);
	return (is_fine);
}

bool
guard_takes(const struct guard *guard, const char *url,
    char why_out[GUARD_WHY_SIZE])
{
	CURLU *read = curl_url();
	bool is_fine;

	object_check(guard, GUARD_MAGIC);
	must(read != NULL);
	if (curl_url_set(read, CURLUPART_URL, url,
	    CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
		snprintf(why_out, GUARD_WHY_SIZE, "the URL cannot be read");
		is_fine = false;
	} else
		is_fine = judge_parts(guard, read, why_out);
	curl_url_cleanup(read);
	return (is_fine);
}
