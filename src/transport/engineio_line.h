/* SPDX-License-Identifier: MIT */
/*
 * Lines between the workers of a host, over which one asks for its clients
 * what another one's sessions have: any worker answers any request.
 *
 *	client ── GET ──> worker B ── POLL ──> worker A, whose session it is
 *	client <── 200 ──────┘ <── ANSWER ──────┘
 *	client leaves ──> B ── CANCEL ──> A, as if it had been A's client
 *	client ── Upgrade ──> B ── LOOK ──> A		is there such a one?
 *		 <── 101 ──┘ ── SOCKET ──> A		and it is A's client
 *
 * Each worker listens on an abstract Unix socket whose name bears the host's
 * random id, its slot and its generation; who first needs a line connects.
 *
 * Holds always:
 *  1. Both sides know by the kernel's word that the other is a worker of
 *     this host: the process of that slot, or of one of them.
 *  2. The end of a line is the end of all that waits on it: for who asked,
 *     the session is unknown; for its owner, the client has gone.
 *  3. Messages of a line keep their order.
 */
#ifndef TRANSPORT_ENGINEIO_LINE_H
#define TRANSPORT_ENGINEIO_LINE_H

#include "transport/engineio_inside.h"
#include "transport/ws_handshake.h"

/* A request of this worker's for a session of another one. */
struct engineio_errand {
	struct peer	*peer;
	const struct engineio_door *door;
	text		 sid;
	bool		 is_post;
	bool		 is_bytes;	/* a post */
	/* NULL: GET or POST. Otherwise whether it may be upgraded. */
	const struct ws_handshake *handshake;
};

/* A client of this worker's that is to be another one's. */
struct engineio_passing {
	const struct engineio_door *door;
	int32_t		 tenant;
	text		 sid;
	bool		 deflates;
	bool		 is_relayed;	/* has its places here */
	bool		 has_address;
	uint64_t	 who;
};

void	engineio_listener_open(struct engineio_set *set);
/* And all lines. */
void	engineio_listener_close(struct engineio_set *set);

/*
 * The op of its peer is held and answered later. false: nobody is there who
 * could know that session.
 */
bool	engineio_line_ask(struct engineio_set *set,
	    const struct engineio_place *place,
	    const struct engineio_errand *errand);
/* fd becomes ours; early: what came behind the request, or NULL. */
void	engineio_line_pass(struct engineio_set *set,
	    const struct engineio_place *place,
	    const struct engineio_passing *passing, int fd,
	    const struct bytes *early);

#endif
