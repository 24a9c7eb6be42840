/* SPDX-License-Identifier: MIT */
/*
 * The other hosts of an installation as the option `peers` has them: the
 * number that stands in names of their sessions, and where they listen.
 *
 *	peers = 1=10.0.0.1:5000 2=10.0.0.2:5000 3=[fd00::3]:5000
 *
 * A host may find itself there, so that all can have the same line.
 *
 * Holds always:
 *  1. No number and no address is there twice. Addresses are of TCP.
 *
 *	struct peer_hosts hosts;
 *
 *	if (!peer_hosts_read(text_of(conf->peers), &hosts, &why)) ...
 *	host = peer_hosts_find(&hosts, 2);
 */
#ifndef BASE_PEER_HOSTS_H
#define BASE_PEER_HOSTS_H

#include "base/address.h"

#define PEER_HOSTS_MAX 64

struct peer_host {
	uint16_t	number;
	struct address	address;
};

struct peer_hosts {
	unsigned	 count;
	struct peer_host at[PEER_HOSTS_MAX];
};

/* false: why has what is wrong. None at all is fine. */
bool	peer_hosts_read(text written, struct peer_hosts *out,
	    struct buf *why);
/* NULL: there is none of that number. */
const struct peer_host *peer_hosts_find(const struct peer_hosts *hosts,
	    uint16_t number);

#endif
