/* SPDX-License-Identifier: MIT */
/*
 * Where outgoing requests may go. URLs come from strangers, so what they
 * name is judged twice: the URL before anything is asked, and each address
 * at the moment when a socket for it would be opened. Names are no ground
 * for a judgement, because their answers change.
 *
 *	URL ──> guard_takes ──> look-up ──> guard_allows ──> connection
 *		scheme, port	(curl's)    each address,
 *		credentials		    each connection used again
 *
 * Holds always:
 *  1. What is not public is refused: loopback, private, link-local, shared
 *     (CGNAT), multicast, documentation and reserved networks, those that
 *     answer for a cloud's machines, and of IPv6 all that is not assigned.
 *  2. IPv4 inside IPv6 is refused as such; where outgoing_allow has NAT64's
 *     network, what is inside is judged as IPv4.
 *  3. outgoing_allow wins over the table, never over outgoing_ports.
 *  4. URLs are read by the reader that curl uses for the request itself.
 *
 *	guard = guard_create(conf);
 *	if (!guard_takes(guard, url, why)) ...
 *	if (!guard_allows(guard, addr, len, why)) ...
 *	guard_destroy(&guard);
 */
#ifndef JOBS_GUARD_H
#define JOBS_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/address.h"

#define GUARD_WHY_SIZE 160

struct conf;
struct guard;

struct guard	*guard_create(const struct conf *conf);
void		 guard_destroy(struct guard **guard);

/* false: why has what is wrong in words, "port not allowed: 22". */
bool	guard_takes(const struct guard *guard, const char *url,
	    char why_out[GUARD_WHY_SIZE]);
/* false: "address not allowed: 10.0.0.1 is private". */
bool	guard_allows(const struct guard *guard, const struct sockaddr *to,
	    socklen_t len, char why_out[GUARD_WHY_SIZE]);
/* The same of a connection that there is, as curl writes its end. */
bool	guard_allows_end(const struct guard *guard, const char *ip,
	    int port, char why_out[GUARD_WHY_SIZE]);

#endif
