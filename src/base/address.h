/* SPDX-License-Identifier: MIT */
/*
 * Addresses as the configuration and proxies write them: where to listen,
 * who a peer is, and which networks are believed.
 *
 * Holds always:
 *  1. An IPv4 address has one form, ::ffff:a.b.c.d in ip, whichever socket
 *     it came from; kind says IPV4 for it.
 *  2. What address_read took, address_write writes in a form that reads
 *     back as the same address.
 *  3. Names are never looked up.
 *
 *	struct address address;
 *	struct networks trusted;
 *	const char *why;
 *
 *	if (!address_read(TEXT("[::1]:5000"), &address, &why)) ...
 *	networks_init(&trusted, text_of(conf->trusted_proxies));
 *	if (networks_hold(&trusted, &address)) ...
 *	networks_fini(&trusted);
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/text.h"

enum address_kind { ADDRESS_IPV4, ADDRESS_IPV6, ADDRESS_UNIX };

/* A socket's own name in its folder: it must fit behind /proc/self/fd/N/. */
#define ADDRESS_NAME_MAX 80

struct address {
	enum address_kind	kind;
	uint16_t		port;		/* 0: none was given */
	uint8_t			ip[16];
	text			path;	/* of UNIX; lies in what was read */
};

struct network {
	bool		is_unix;
	uint8_t		ip[16];
	unsigned	bits;			/* of ip's 128 */
};

struct networks {
	struct network	*at;
	size_t		 count;
};

/* To listen on: 127.0.0.1:5000, [::1]:5000, unix:/path, unix:relative. */
bool	address_read(text t, struct address *out, const char **why_out);
/* A peer: an IP address, the port may be missing, brackets around IPv6 too. */
bool	address_read_peer(text t, struct address *out);
void	address_write(const struct address *address, struct buf *out);
/* The same without a port, as logs and X-Forwarded-For have it. */
void	address_write_host(const struct address *address, struct buf *out);
bool	address_is(const struct address *a, const struct address *b);

/* false: a family we do not know. A Unix peer has no path. */
bool	address_from_socket(const struct sockaddr *from, socklen_t len,
	    struct address *out);
/* Not for UNIX, whose path may be longer than a sockaddr. */
socklen_t address_to_socket(const struct address *address,
	    struct sockaddr_storage *out);

/* 10.0.0.0/8, 2001:db8::/32, a single address, or the word unix. */
bool	network_read(text t, struct network *out, const char **why_out);
bool	network_holds(const struct network *network,
	    const struct address *address);
/* A list that was checked before, with blanks between. */
void	networks_init(struct networks *networks, text list);
void	networks_fini(struct networks *networks);
bool	networks_hold(const struct networks *networks,
	    const struct address *address);

#endif
