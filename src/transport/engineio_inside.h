/* SPDX-License-Identifier: MIT */
/*
 * What the files of transport/engineio share.
 *
 *	engineio_http.c	  requests: what is asked, of which session, where
 *	engineio_answer.c what they say besides, and answers
 *	engineio_upgrade.c  requests that become a WebSocket
 *	engineio_line.c	  connections between workers
 *	engineio_errand.c what they ask each other for their clients
 *	engineio_forward.c  requests for sessions of other hosts
 *	engineio_relay.c  connections carried for sessions of others
 *	engineio_set.c	  all sessions, and the turn's end
 *	engineio.c	  sessions: life, heartbeat, sending, closing
 *	engineio_poll.c	  what a session does with a GET or a POST
 *	engineio_wire.c	  what it does with a WebSocket
 *	engineio_message.c, _payload.c, _sid.c
 *
 *	       engineio_close, nobody to tell it to
 *	OPEN ──────────────────> LEAVING ──┐ a GET, or the time is over
 *	 │				   v
 *	 └──────────────────────────> CLOSED	freed at the turn's end
 *	   told, or it broke
 *
 * Holds always:
 *  1. engineio_state_set is the only writer of a session's state. Who is not
 *     CLOSED is in set->sessions; who is not OPEN gets no on_message.
 *  2. A session is freed at the turn's end alone, so it stays while its
 *     packets are read, whatever is done in their callbacks.
 *  3. Its queue is of what no transport has taken yet; while there is a
 *     WebSocket that is not only a probe, it is empty.
 *  4. A request is answered once (engineio_ask_answer), by this worker or
 *     over the line on which it came.
 */
#ifndef TRANSPORT_ENGINEIO_INSIDE_H
#define TRANSPORT_ENGINEIO_INSIDE_H

#include <uthash.h>

#include "plat/frame.h"
#include "plat/loop.h"
#include "plat/sock.h"
#include "transport/engineio_message.h"
#include "transport/engineio_set.h"
#include "transport/engineio_sid.h"

enum engineio_state { SESSION_OPEN, SESSION_LEAVING, SESSION_CLOSED };

/* What becomes of a request; the first six are the protocol's codes. */
enum engineio_answer {
	ANSWER_UNKNOWN_TRANSPORT,
	ANSWER_UNKNOWN_SID,
	ANSWER_BAD_METHOD,
	ANSWER_BAD_REQUEST,
	ANSWER_FORBIDDEN,
	ANSWER_BAD_VERSION,
	ANSWER_CODES,
	ANSWER_PACKETS = ANSWER_CODES,
	ANSWER_OK,
	ANSWER_TOO_LARGE,
	ANSWERS
};

struct engineio_forwards;
struct engineio_line;
struct engineio_listener;
struct engineio_relay;
struct engineio_wire;
struct st_h2o_socket_t;

/* A request that waits: of this worker, or of another one's client. */
struct engineio_ask {
	struct op		*op;
	struct engineio_line	*line;
	uint32_t		 number;	/* on that line */
};

struct engineio_set {
	unsigned	 magic;
#define ENGINEIO_SET_MAGIC 0x65697365
	const struct op_ground *ground;
	struct loop	*loop;
	struct socks	*socks;		/* ws_set's */
	const struct engineio_door *doors;
	struct frame_rules frames;
	struct engineio_place place;
	struct engineio	*sessions;	/* by sid */
	struct engineio	*marked;	/* with business at the turn's end */
	struct engineio_message *packets[ENGINEIO_NOOP + 1 - ENGINEIO_OPEN];
	struct engineio_listener *listener;
	struct engineio_line *lines;
	struct engineio_forwards *forwards;	/* NULL: no peers */
	struct engineio_relay *relays;
	struct timer	 drain;
	int64_t		 drained_ms;	/* when the last has to be gone */
	bool		 is_draining;
	bool		 is_closed;
};

struct engineio {
	unsigned	 magic;
#define ENGINEIO_MAGIC 0x65696f34
	enum engineio_state state : 8;
	enum engineio_end why : 8;
	bool		 is_marked;
	bool		 is_told;	/* on_close was called */
	bool		 awaits_pong;
	bool		 is_websocket;	/* the transport it has now */
	bool		 was_probed;	/* 2probe came on probe */
	bool		 wants_room;	/* while it polls */
	uint32_t	 count;		/* in queue */
	struct engineio_wire *wire;	/* NULL: polling, or it is coming */
	struct engineio_wire *probe;
	struct engineio_set *set;
	const struct engineio_door *door;
	void		*application;
	struct tenant	*tenant;

	/* Not needed for delivery to a WebSocket. */
	uint32_t	 size;		/* of queue */
	uint32_t	 weight;	/* of what is in it */
	struct engineio_message **queue;
	struct engineio_ask poll;	/* all zero: nobody waits */
	char		 sid[ENGINEIO_SID_SIZE];
	int64_t		 beat_ms;	/* when ping or pong is due */
	struct timer	 beat;
	struct timer	 change;	/* OPEN: upgrading; LEAVING: its end */
	struct peer_places *places;	/* NULL: not while it polls */
	UT_hash_handle	 hh;
	struct engineio	*prev, *next;	/* of those marked */
};

struct engineio_wire {
	unsigned	 magic;
#define ENGINEIO_WIRE_MAGIC 0x65697772
	bool		 deflates;
	bool		 is_closing;
	bool		 is_relayed;	/* its places are another worker's */
	struct engineio_set *set;
	struct engineio	*engine;	/* NULL: none any more */
	struct sock	*sock;
	struct frame_reader reader;
	struct peer_places places;
};

/* --- engineio.c -------------------------------------------------------- */

/* Opened; the caller tells its client, and its application. */
struct engineio	*engineio_create(struct engineio_set *set,
		    const struct engineio_door *door, struct tenant *tenant,
		    bool is_websocket);
/* NULL: unknown, or of another door or tenant. */
struct engineio	*engineio_find(struct engineio_set *set, text sid,
		    const struct engineio_door *door, int32_t tenant);
void	engineio_state_set(struct engineio *engine,
	    enum engineio_state state);
void	engineio_places_give(struct engineio *engine);
/* To be served at the turn's end. */
void	engineio_mark(struct engineio *engine);
/* Its deadlines, as they are now; false: it has just missed one. */
bool	engineio_is_in_time(struct engineio *engine);
/* It broke: no one is waited for. last: what a waiting GET is told. */
void	engineio_break(struct engineio *engine, enum engineio_end why,
	    enum engineio_type last);
void	engineio_hear(struct engineio *engine,
	    const struct engineio_packet *packet);
/* Its application may send more. */
void	engineio_tell_room(struct engineio *engine);
/* Puts a packet behind what is queued, or sends it. */
void	engineio_give(struct engineio *engine,
	    struct engineio_message *message);
struct engineio_message *engineio_constant(struct engineio_set *set,
	    enum engineio_type type);
struct engineio	*engineio_sessions_next(struct engineio *engine);
void	engineio_queue_shed(struct engineio *engine);
text	engineio_handshake(struct engineio *engine, struct buf *out);

/* --- engineio_poll.c --------------------------------------------------- */

/* A GET of a session that polls. It is answered, or waits. */
void	engineio_poll(struct engineio *engine,
	    const struct engineio_ask *ask);
/* A POST, answered at once. is_bytes: application/octet-stream. */
void	engineio_post(struct engineio *engine,
	    const struct engineio_ask *ask, text body, bool is_bytes);
/* The client of its waiting GET has gone. */
void	engineio_poll_gone(struct engineio *engine);
/* What is queued, to the waiting GET; last: a packet behind it, or 0. */
void	engineio_poll_flush(struct engineio *engine, unsigned last);
static inline bool
engineio_has_poll(const struct engineio *engine)
{
	return (engine->poll.op != NULL || engine->poll.line != NULL);
}

/* --- engineio_wire.c --------------------------------------------------- */

/*
 * The upgraded connection of a session, or its probe. early: what came
 * behind the request. false: nobody wants it, and it is closed.
 */
struct engineio_wire *engineio_wire_create(struct engineio_set *set,
	    bool deflates);
bool	engineio_wire_adopt(struct engineio_wire *wire,
	    struct engineio *engine, struct sock *sock);
extern const struct sock_acts engineio_wire_acts;
/* Without a sock: it is gone at once. */
void	engineio_wire_destroy(struct engineio_wire **wire);
void	engineio_wire_send(struct engineio_wire *wire,
	    struct engineio_message *message);
void	engineio_wire_send_live(struct engineio_wire *wire,
	    struct engineio_message *message, uint64_t key);
/* The session has it no more. code: FRAME_CODE_NONE, or another. */
void	engineio_wire_close(struct engineio_wire **wire, unsigned code);

/* --- engineio_answer.c ------------------------------------------------- */

extern const text engineio_words_type, engineio_packets_type;

/* The body is copied. */
void	engineio_answer(struct op *op, enum engineio_answer answer,
	    text body);
void	engineio_reply(struct op *op, unsigned status, text type,
	    text body);
/* The words of the code where words.at is NULL. */
void	engineio_refuse_code(struct op *op, enum engineio_answer code,
	    text words);
void	engineio_refuse_upgrade(struct op *op, enum engineio_answer code,
	    text words);
void	engineio_add_header(struct op *op, text name, text value);

/* --- engineio_upgrade.c ------------------------------------------------ */

struct ws_handshake;

/*
 * 101, and a socket for the session of that name. first: what it is told
 * where it begins so, or NULL.
 */
void	engineio_switch_over(struct engineio_set *set, struct peer *peer,
	    const struct engineio_door *door,
	    const struct ws_handshake *handshake, text sid,
	    struct engineio_message *first);
/* The same after its host switched: what it said it on becomes ours. */
void	engineio_switch_beyond(struct engineio_set *set, struct peer *peer,
	    const struct engineio_door *door,
	    const struct ws_handshake *handshake, text sid,
	    struct st_h2o_socket_t *beyond);
/* The same after its session's worker said whether it may. */
void	engineio_switch(struct engineio_set *set, struct peer *peer,
	    const struct ws_handshake *handshake,
	    const struct engineio_door *door, text sid,
	    enum engineio_answer answer);

/* --- engineio_errand.c ------------------------------------------------- */

void	engineio_ask_answer(struct engineio_ask *ask,
	    enum engineio_answer answer, text body);

#endif
