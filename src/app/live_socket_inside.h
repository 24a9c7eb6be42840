/* SPDX-License-Identifier: MIT */
/*
 * What the files of app/live_socket share.
 *
 *	live_socket.c	  guests: what they say, and when they have to leave
 *	live_socket_tie.c the streams that they follow, and what those tell
 *
 * Holds always:
 *  1. A guest is tied to the lobby as long as he is in, and to each session
 *     at most once.
 *  2. Whoever asks is answered: a tie that the log keeps waiting owes as many
 *     answers as it was asked for.
 *  3. Where sockets are kept, a tie is in its hub only once that is, and who
 *     lets go of one is answered once that is.
 *  4. guest_send_away may be the end of the guest: nothing follows it.
 */
#ifndef APP_LIVE_SOCKET_INSIDE_H
#define APP_LIVE_SOCKET_INSIDE_H

#include "app/live_socket.h"
#include "core/hub.h"
#include "core/who.h"
#include "plat/timer.h"

struct owed;
struct since;

/* One stream that a guest follows: the lobby, or a session's. */
struct tie {
	struct subscription sub;
	struct socketio_socket *socket;	/* the guest's, whom it leads to */
	struct tie	*next;
	int64_t		 session;	/* 0: the lobby */
	struct owed	*owed;		/* answers */
	struct bound_held held;		/* as one subscription more */
	struct socketio_track *track;	/* NULL: it is not kept */
	bool		 begins_now;	/* without a cursor of the client's */
};

struct guest {
	unsigned	 magic;
#define GUEST_MAGIC 0x67756573
	unsigned	 sessions_count : 31;
	bool		 is_leaving : 1;	/* he was told to */
	struct live_sockets *sockets;
	struct guest	*prev, *next;
	struct socketio_socket *socket;
	struct tie	 lobby;
	struct tie	*sessions;
	const struct caller *caller;	/* NULL: he has no token */
	struct bound_held held;		/* as a connection of the caller */
	struct timer	 due;		/* his token's time may be over */
	struct since	*since;		/* of the lobby, until he is in */
};

struct live_sockets {
	unsigned	 magic;
#define LIVE_SOCKETS_MAGIC 0x6c697673
	struct service	*service;
	struct guest	*guests;
	struct timer	 look;
	uint64_t	 rights_seen;	/* news of them, at the last look */
};

/* --- live_socket.c ----------------------------------------------------- */

/*
 * Told why, as streams are (transport/sse). again: now or later, and his
 * connection ends; sign_in or never, and he is out of the namespace.
 */
void	guest_send_away(struct guest *guest, const char *code,
	    const char *again);
/* It was about this session, or 0; code may be NULL. */
void	guest_write_refusal(struct json_out *json, const char *words,
	    const char *code, int64_t session);
/* The event `error`. */
void	guest_complain(struct guest *guest, const char *words,
	    const char *code, int64_t session);

/* --- live_socket_tie.c ------------------------------------------------- */

void	tie_init(struct tie *tie, struct guest *guest, int64_t session);
/*
 * From a cursor on; who is tied already begins anew. debt at NULL: the event
 * `subscribed` is the answer.
 */
void	tie_join(struct tie *tie, const struct cursor *cursor,
	    struct socketio_debt *debt);
/* Of a socket that is put back: from where it was; nobody asked for it. */
void	tie_resume(struct tie *tie);
/* Answers with where it is: at once, or as soon as that is known. */
void	tie_tell(struct tie *tie, struct socketio_debt *debt);
/* Out of its hub, and owes nothing. */
void	tie_leave(struct tie *tie);
struct tie	*tie_find(const struct guest *guest, int64_t session);
/* Makes one of a session; NULL: one too many. */
struct tie	*tie_add(struct guest *guest, int64_t session);
void	tie_end(struct tie *tie);

#endif
