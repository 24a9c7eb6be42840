/* SPDX-License-Identifier: MIT */
/*
 * Peers: the connections of a worker, from accepting to closing, and what
 * each of them may take of us.
 *
 * h2o owns the socket and the protocol; a peer rides on the socket by its
 * on_close. Limits on time and memory are not h2o's: every few milliseconds
 * all peers are looked at (peer_watch.c), and what h2o is doing with each is
 * read off its socket:
 *
 *	 NEW ──> ARRIVING ──> WORKING ──> WRITING ──> QUIET ──> ARRIVING …
 *	  no      input, but   neither     answer      no input,
 *	  input   no request   reads nor   on its way  between
 *	  yet     yet	       writes		       requests
 *
 * Where a request is held, reading is only watching (transport/held), and
 * that is WORKING, too.
 *
 * Holds always:
 *  1. A peer lives as long as its socket; on_close ends both.
 *  2. What it took of the host's quotas it gives back, exactly once; if its
 *     process dies the master does. It is of one tenant at a time: that of
 *     its latest request.
 *  3. A connection over a limit is answered before it is closed, as long as
 *     there are not more than REFUSED_MAX of them.
 *  4. What arrives is bounded in time and in memory, and what leaves in
 *     time; being idle is bounded too. The look comes at the latest every
 *     LOOK_MOST_MS, so that is how exact the bounds are.
 */
#ifndef TRANSPORT_PEER_H
#define TRANSPORT_PEER_H

#include <h2o.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "core/op.h"
#include "plat/loop.h"
#include "transport/linger.h"

#define REFUSED_MAX 256		/* open at once, of those over a limit */
#define LOOK_MOST_MS 100

struct stream;

enum peer_state {
	PEER_NEW,
	PEER_QUIET,
	PEER_ARRIVING,
	PEER_WORKING,
	PEER_WRITING
};

struct peers {
	unsigned	 magic;
#define PEERS_MAGIC 0x70726573
	struct loop	*loop;
	const struct op_ground *ground;
	struct networks	 trusted;
	struct peer	*first;
	struct stream	*streams;	/* that have something to send */
	unsigned	 count;
	unsigned	 refused;	/* of them over a limit */
	bool		 is_draining;
	struct timer	 tick;
	int64_t		 look_at_ms;	/* the next look, not before */
	struct lingering lingering;
};

/* What a connection has of what is bounded. */
struct peer_places {
	bool		 has_quota;
	bool		 has_address;	/* in plat/addresses */
	uint64_t	 who;
	struct tenant_place *counted;	/* among whose connections it is */
};

struct peer {
	unsigned	 magic;
#define PEER_MAGIC 0x70656572
	struct peers	*peers;
	h2o_socket_t	*sock;
	struct peer	*prev, *next;
	enum door	 door;
	enum err	 refusal;	/* answered to whatever it asks */
	bool		 is_trusted;	/* a proxy that speaks for others */
	bool		 is_closing;
	struct peer_places places;
	int32_t		 tenant;	/* where places has him counted */
	struct address	 address;
	char		 address_text[INET6_ADDRSTRLEN];
	size_t		 address_len;

	/* The request at hand; one at a time. */
	unsigned	 requests;
	h2o_req_t	*req;
	struct op	*op;
	bool		 is_held;	/* transport/held */
	bool		 has_more;	/* was sent behind what is held */
	struct stream	*stream;	/* NULL: its answer is none */

	/* As it was at the last look. */
	enum peer_state	 state;
	unsigned	 requests_seen;
	int64_t		 since_ms;	/* so, without progress */
	uint64_t	 taken;		/* of our answer, by the client */

	/* Being refused while its request arrives. */
	h2o_socket_cb	 resume;
	char		*farewell;
	int		 linger_fd;
};

struct peers	*peers_create(struct loop *loop,
		    const struct op_ground *ground);
/* Closes what can be closed; a few turns of the loop later all is gone. */
void		 peers_close(struct peers *peers);
void		 peers_destroy(struct peers **peers);
void		 peers_drain(struct peers *peers);

/* As the kernel tells it. */
struct peer_from {
	struct sockaddr_storage at;
	socklen_t	 len;
};

/* NULL: it was one too many and is closed. */
struct peer	*peers_accept(struct peers *peers, h2o_socket_t *sock,
		    enum door door, const struct peer_from *from);
struct peer	*peer_of(const h2o_req_t *req);

/* Its request is the tenant's: so is the connection, unless he has too many. */
enum err	 peer_use_for(struct peer *peer, const struct tenant *tenant);
/*
 * Its socket is no longer HTTP's: the peer ends, and the caller gives back
 * its places when the connection ends.
 */
void	peer_hand_over(struct peer *peer, struct peer_places *places_out);
/* With the segment and quotas of this process. */
void	peer_places_give(struct peer_places *places,
	    const struct op_ground *ground);

/* When it closes, its client is heard out, so that it sees the answer. */
void	peer_linger(struct peer *peer);
/* Answers a request that has not arrived whole, and closes. */
void	peer_refuse(struct peer *peer, enum err err);
/* Closes as soon as h2o has read what has arrived already. */
void	peer_close_quietly(struct peer *peer);
/* Closes at once, with a reset. */
void	peer_cut(struct peer *peer);

/* peer_watch.c */
void	peers_watch(struct peers *peers);
void	peers_unwatch(struct peers *peers);

#endif
