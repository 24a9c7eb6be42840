/* SPDX-License-Identifier: MIT */
/*
 * Requests for sessions of other hosts, which `peers` names: they are asked
 * again there, over HTTP, as the client asked here.
 *
 *	client ── GET ──> host B ── GET, X-Partyline-Peer ──> host A
 *	client <── 200 ──────┘ <── 200 ─────────────────────────┘
 *	client leaves ──> B ── closes ──> A, as if it had been A's client
 *	client ── Upgrade ──> B ── Upgrade ──> A
 *		 <── 101 ──┘ <── 101 ──┘	and from there engineio_relay
 *
 * Holds always:
 *  1. A peer is asked for no more than what any client may ask; it believes
 *     only whose request it is, as of any proxy that it trusts.
 *  2. What was forwarded once is not forwarded again.
 *  3. A peer that cannot be reached, breaks off or takes too long does not
 *     know the session: its client begins another one.
 *  4. A connection to a peer is used again for a second: not so long that
 *     the peer would close it.
 */
#ifndef TRANSPORT_ENGINEIO_FORWARD_H
#define TRANSPORT_ENGINEIO_FORWARD_H

#include "transport/engineio_line.h"

/* As the configuration has them; nothing where it has none. */
void	engineio_forwards_open(struct engineio_set *set);
/* Those on their way are answered. */
void	engineio_forwards_close(struct engineio_set *set);

/*
 * The op of its peer is held and answered later. false: that host is no
 * peer, or the request comes from one.
 */
bool	engineio_forward(struct engineio_set *set, uint16_t host,
	    const struct engineio_facts *facts,
	    const struct engineio_errand *errand);

#endif
