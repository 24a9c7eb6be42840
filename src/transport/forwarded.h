/* SPDX-License-Identifier: MIT */
/*
 * Who the client is when the peer is a proxy that we trust: Forwarded
 * (RFC 7239), or X-Forwarded-For, -Proto and -Host where there is none.
 *
 *	X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.0.0.2	peer 10.0.0.1
 *			 anyone's   client   proxy	     proxy
 *			 invention     <------- read ---------
 *
 * Holds always:
 *  1. A peer that is not in trusted_proxies is the client, whatever it
 *     writes.
 *  2. Read from the right; the first address that is not trusted is the
 *     client, and nothing to the left of it is looked at.
 *  3. At what is malformed reading stops: the last address that was good is
 *     the client.
 *  4. Scheme and host are those that the proxy next to the client told.
 *
 *	forwarded_read(&lines, &trusted, &peer, &forwarded);
 */
#ifndef TRANSPORT_FORWARDED_H
#define TRANSPORT_FORWARDED_H

#include "base/address.h"
#include "base/text.h"

/* The fields' lines, in order, joined by commas; at is NULL where none. */
struct forwarded_lines {
	text	forwarded;
	text	for_list;
	text	proto_list;
	text	host_list;
};

struct forwarded {
	struct address	client;
	text		scheme;		/* http, https; at is NULL: not told */
	text		host;		/* lies in the lines; NULL: not told */
};

void	forwarded_read(const struct forwarded_lines *lines,
	    const struct networks *trusted, const struct address *peer,
	    struct forwarded *out);

#endif
