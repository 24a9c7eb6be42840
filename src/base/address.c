/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing and comparing addresses. Every IP address is 16 bytes
 * here, so that IPv4, IPv6 and IPv4 inside IPv6 take one way.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>

#include "base/mem.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static void
settle_kind(struct address *address)
{
	address->kind = memcmp(address->ip, mapped, sizeof mapped) == 0 ?
	    ADDRESS_IPV4 : ADDRESS_IPV6;
}

static bool
read_ip(text t, int family, uint8_t ip_out[16])
{
	char string[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	if (t.len == 0 || t.len >= sizeof string ||
	    memchr(t.at, '\0', t.len) != NULL)
		return (false);
	memcpy(string, t.at, t.len);
	string[t.len] = '\0';
	if (inet_pton(family, string, family == AF_INET ? ip + 12 : ip) != 1)
		return (false);
	if (family == AF_INET)
		memcpy(ip, mapped, sizeof mapped);
	memcpy(ip_out, ip, sizeof ip);
	return (true);
}

static bool
read_port(text t, uint16_t *port_out)
{
	int64_t port;

	if (t.len > 5 || !text_to_int64(t, 1, UINT16_MAX, &port))
		return (false);
	*port_out = (uint16_t)port;
	return (true);
}

static bool
read_path(text path, struct address *out, const char **why_out)
{
	text folder, name;

	if (!text_cut_last(path, '/', &folder, &name))
		name = path;
	if (name.len == 0)
		*why_out = "names no socket behind unix:";
	else if (name.len > ADDRESS_NAME_MAX)
		*why_out = "has a socket name of more than 80 bytes";
	else if (path.len >= PATH_MAX)
		*why_out = "is too long for a path";
	else if (memchr(path.at, '\0', path.len) != NULL)
		*why_out = "holds a NUL byte";
	else {
		*out = (struct address){ .kind = ADDRESS_UNIX, .path = path };
		return (true);
	}
	return (false);
}

bool
address_read(text t, struct address *out, const char **why_out)
{
	struct address address = { .port = 0 };
	text host, port;
	int family = AF_INET;

	if (text_begins(t, TEXT("unix:")))
		return (read_path(text_from(t.at + 5, t.len - 5), out,
		    why_out));
	if (!text_cut_last(t, ':', &host, &port) ||
	    text_has(port, ']')) {
		*why_out = "has no port";
		return (false);
	}
	if (host.len >= 2 && host.at[0] == '[' &&
	    host.at[host.len - 1] == ']') {
		family = AF_INET6;
		host = text_from(host.at + 1, host.len - 2);
	} else if (text_has(host, ':')) {
		*why_out = "is IPv6 without [brackets]";
		return (false);
	}
	if (!read_ip(host, family, address.ip)) {
		*why_out = "has no numeric address before its port";
		return (false);
	}
	if (!read_port(port, &address.port)) {
		*why_out = "has a port that is not 1 to 65535";
		return (false);
	}
	settle_kind(&address);
	*out = address;
	return (true);
}

bool
address_read_peer(text t, struct address *out)
{
	struct address address = { .port = 0 };
	const char *ignored;
	int family = text_has(t, ':') ? AF_INET6 : AF_INET;

	if (!text_begins(t, TEXT("unix:")) && address_read(t, out, &ignored))
		return (true);
	if (t.len >= 2 && t.at[0] == '[' && t.at[t.len - 1] == ']') {
		t = text_from(t.at + 1, t.len - 2);
		family = AF_INET6;
	}
	if (!read_ip(t, family, address.ip))
		return (false);
	settle_kind(&address);
	*out = address;
	return (true);
}

void
address_write_host(const struct address *address, struct buf *out)
{
	char string[INET6_ADDRSTRLEN];

	switch (address->kind) {
	case ADDRESS_UNIX:
		buf_add(out, TEXT("unix:"));
		buf_add(out, address->path);
		return;
	case ADDRESS_IPV4:
		inet_ntop(AF_INET, address->ip + 12, string, sizeof string);
		break;
	case ADDRESS_IPV6:
		inet_ntop(AF_INET6, address->ip, string, sizeof string);
		break;
	}
	buf_add_string(out, string);
}

void
address_write(const struct address *address, struct buf *out)
{
	bool has_brackets = address->kind == ADDRESS_IPV6 &&
	    address->port != 0;

	if (has_brackets)
		buf_add_char(out, '[');
	address_write_host(address, out);
	if (has_brackets)
		buf_add_char(out, ']');
	if (address->kind != ADDRESS_UNIX && address->port != 0)
		buf_printf(out, ":%u", (unsigned)address->port);
}

bool
address_is(const struct address *a, const struct address *b)
{
	if (a->kind != b->kind)
		return (false);
	if (a->kind == ADDRESS_UNIX)
		return (text_is(a->path, b->path));
	return (a->port == b->port &&
	    memcmp(a->ip, b->ip, sizeof a->ip) == 0);
}

bool
address_from_socket(const struct sockaddr *from, socklen_t len,
    struct address *out)
{
	struct address address = { .port = 0 };

	/* Copied, because the caller's bytes need not be aligned for us. */
	if (from->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, from, sizeof in);
		memcpy(address.ip, mapped, sizeof mapped);
		memcpy(address.ip + 12, &in.sin_addr, 4);
		address.port = ntohs(in.sin_port);
	} else if (from->sa_family == AF_INET6 &&
	    len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, from, sizeof in6);
		memcpy(address.ip, &in6.sin6_addr, 16);
		address.port = ntohs(in6.sin6_port);
	} else if (from->sa_family == AF_UNIX) {
		*out = (struct address){ .kind = ADDRESS_UNIX,
		    .path = TEXT("") };
		return (true);
	} else
		return (false);
	settle_kind(&address);
	*out = address;
	return (true);
}

socklen_t
address_to_socket(const struct address *address,
    struct sockaddr_storage *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	must(address->kind != ADDRESS_UNIX);
	memset(out, 0, sizeof *out);
	if (address->kind == ADDRESS_IPV4) {
		memcpy(&in.sin_addr, address->ip + 12, 4);
		in.sin_port = htons(address->port);
		memcpy(out, &in, sizeof in);
		return (sizeof in);
	}
	memcpy(&in6.sin6_addr, address->ip, 16);
	in6.sin6_port = htons(address->port);
	memcpy(out, &in6, sizeof in6);
	return (sizeof in6);
}

static bool
has_bits_beyond(const struct network *network)
{
	for (unsigned i = network->bits; i < 128; i++)
		if (network->ip[i / 8] & (0x80 >> i % 8))
			return (true);
	return (false);
}

bool
network_read(text t, struct network *out, const char **why_out)
{
	struct network network = { .bits = 128 };
	text host, length;
	bool has_length = text_cut(t, '/', &host, &length);
	int family = text_has(host, ':') ? AF_INET6 : AF_INET;
	unsigned most = family == AF_INET6 ? 128 : 32;
	int64_t bits = most;

	if (text_is(t, TEXT("unix"))) {
		*out = (struct network){ .is_unix = true };
		return (true);
	}
	if (!read_ip(host, family, network.ip)) {
		*why_out = "is not a numeric address";
		return (false);
	}
	if (has_length && (length.len > 3 ||
	    !text_to_int64(length, 0, most, &bits))) {
		*why_out = family == AF_INET6 ?
		    "has a length that is not 0 to 128" :
		    "has a length that is not 0 to 32";
		return (false);
	}
	network.bits = 128 - most + (unsigned)bits;
	if (has_bits_beyond(&network)) {
		*why_out = "has bits set beyond its length";
		return (false);
	}
	*out = network;
	return (true);
}

bool
network_holds(const struct network *network, const struct address *address)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (network->is_unix || address->kind == ADDRESS_UNIX)
		return (network->is_unix && address->kind == ADDRESS_UNIX);
	/* ::/0 means all of IPv6; who trusts IPv4 too says so. */
	if (address->kind == ADDRESS_IPV4 && network->bits < 96)
		return (false);
	return (memcmp(network->ip, address->ip, whole) == 0 &&
	    (rest == 0 || ((network->ip[whole] ^ address->ip[whole]) &
	    (0xff00 >> rest) & 0xff) == 0));
}

void
networks_init(struct networks *networks, text list)
{
	const char *why;
	text rest = list, word;
	size_t count = 0;

	while (text_next_word(&rest, &word))
		count++;
	networks->at = mem_alloc(count * sizeof *networks->at);
	networks->count = 0;
	for (rest = list; text_next_word(&rest, &word);) {
		bool was_checked = network_read(word,
		    &networks->at[networks->count++], &why);

		must(was_checked);
	}
}

void
networks_fini(struct networks *networks)
{
	mem_free(networks->at);
	*networks = (struct networks){ .at = NULL };
}

bool
networks_hold(const struct networks *networks,
    const struct address *address)
{
	for (size_t i = 0; i < networks->count; i++)
		if (network_holds(&networks->at[i], address))
			return (true);
	return (false);
}
