/* SPDX-License-Identifier: MIT */
/*
 * Socket.IO, version 5 of its protocol, over Engine.IO: namespaces, events,
 * answers to them, rooms. What an application on a namespace is, is a table:
 *
 *	static const struct socketio_event events[] = {
 *		{ "chat-message", "o", on_chat_message },
 *		{ "move", "oi?", on_move },
 *	};
 *	const struct socketio_app den = { .nsp = "/den", .events = events,
 *	    .events_count = 2, .on_connect = on_connect, … };
 *
 *	static void
 *	on_chat_message(struct socketio_call *call)
 *	{
 *		struct socketio_writer writer;
 *
 *		socketio_event(call->socket, TEXT("chat-message"), &writer);
 *		socketio_write_carried(&writer, call->arguments[0],
 *		    call->packet);
 *		socketio_tell_room(call->socket, TEXT("den:17"), &writer);
 *		if (socketio_answer(call, &writer)) {
 *			json_bool(&writer.json, true);
 *			socketio_answer_send(call, &writer);
 *		}
 *	}
 *
 * A socket is one client in one namespace:
 *
 *	     CONNECT		  socketio_admit
 *	none ───────> WAITING ───────────────────> JOINED
 *	  ^  	       │ socketio_refuse,	     │ either side ends it, or
 *	  └────────────┴──── the client goes ────────┘ the client goes
 *
 * Holds always:
 *  1. on_connect ends, then or later, by socketio_admit or socketio_refuse,
 *     unless the client goes first. on_close is told once of a socket that
 *     has an application, last; the socket may be used until the turn ends,
 *     without effect.
 *  2. What is sent to a socket, be it by its room, comes behind its CONNECT
 *     and in the order in which this worker sent or heard it.
 *  3. Whatever breaks the protocol closes the connection. An event without
 *     a row, or with other arguments than its shape, is the application's.
 *  4. A wish for an answer is answered at most once, or not at all.
 *  5. A broadcast is encoded once in a worker, and reaches each socket once,
 *     on every worker and host; those of other workers at most once.
 *  6. Who says more in a minute than socketio_messages, or than all that it
 *     belongs to may (core/bound), is closed; it may come back.
 *  7. A request with the cookie, from a page that is neither this server's
 *     nor of the tenant's list, is refused.
 *  8. With socketio_recovery, who comes back with a private id of his own
 *     goes on as the socket that he was: what the streams that he followed
 *     told since comes to him behind CONNECT, once each and in order. Where
 *     anything of it is not there any more he is a new socket.
 *  9. Inside its functions an application may do anything to any socket.
 */
#ifndef TRANSPORT_SOCKETIO_H
#define TRANSPORT_SOCKETIO_H

#include "core/bound.h"
#include "core/hub_event.h"
#include "core/service.h"
#include "transport/engineio.h"
#include "transport/socketio_packet.h"

#define SOCKETIO_SID_LEN 20
#define SOCKETIO_ARGUMENTS_MAX 8

struct socketio;
struct cursor;
struct socketio_ask;
struct socketio_debt;
struct socketio_socket;
struct socketio_track;
struct tenant;

enum socketio_end {
	SOCKETIO_TRANSPORT_ERROR,
	SOCKETIO_TRANSPORT_CLOSE,
	SOCKETIO_FORCED_CLOSE,
	SOCKETIO_PING_TIMEOUT,
	SOCKETIO_PARSE_ERROR,
	SOCKETIO_SHUTTING_DOWN,
	SOCKETIO_CLIENT_LEFT,		/* of the namespace alone */
	SOCKETIO_SERVER_LEFT,
	SOCKETIO_MOVED,			/* it came back, and is another one */
	SOCKETIO_ENDS
};

/* "transport error" and so on, as the reference server calls them. */
const char *socketio_end_name(enum socketio_end why);

/* An event that a client sent. */
struct socketio_call {
	struct socketio_socket *socket;
	void		*application;	/* of the socket */
	const struct socketio_packet *packet;
	/* As they were written, by the shape; at NULL: left out. */
	text		 arguments[SOCKETIO_ARGUMENTS_MAX];
	unsigned	 count;		/* of what came */
	bool		 is_answered;
};

/*
 * A letter for each argument: t text, i number, b bool, o object, a array,
 * x attachment, v any value. Those behind ? may be left out, or be null;
 * after * at the end anything may follow, which is in packet->rest.
 */
struct socketio_event {
	const char	*name;
	const char	*shape;
	void		(*act)(struct socketio_call *call);
};

/* What a socket was, which is now back. */
struct socketio_past {
	text		 data;		/* as it was kept last, or empty */
	struct socketio_track **tracks;	/* now the application's */
	unsigned	 count;
};

struct socketio_app {
	const char	*nsp;
	const struct socketio_event *events;
	unsigned	 events_count;
	void		*context;
	/* Several may share a namespace: the first that says yes. NULL: yes. */
	bool	(*is_mine)(void *context,
		    const struct socketio_socket *socket);
	/* auth: an object, as it came; {} where there was none. */
	void	(*on_connect)(struct socketio_socket *socket, text auth,
		    void *context);
	/*
	 * Of socketio_admit_as: it is in, maybe again. NULL: its sockets are
	 * not recovered. Before that, whether what it was can be taken up;
	 * false, and no track was taken: it begins anew.
	 */
	void	(*on_admitted)(void *application, bool is_recovered);
	bool	(*on_past)(void *application,
		    const struct socketio_past *past);
	/* No such event; or not with such arguments. May be NULL. */
	void	(*on_unknown)(struct socketio_call *call);
	void	(*on_misfit)(struct socketio_call *call);
	/* socketio_has_room said no; now it may say yes. May be NULL. */
	void	(*on_room)(void *application);
	void	(*on_close)(void *application, enum socketio_end why);
};

struct socketio_setup {
	struct service	*service;
	const struct socketio_app *apps;	/* kept by the caller */
	unsigned	 apps_count;
	text		 cookie;	/* whose value is kept; or at NULL */
};

extern const struct engineio_acts socketio_acts;	/* context: socketio */

struct socketio	*socketio_create(const struct socketio_setup *setup);
/* After every session has closed. */
void		 socketio_destroy(struct socketio **socketio);

/* --- sockets ----------------------------------------------------------- */

/* Before or with socketio_admit; what on_close and calls are given. */
void	socketio_set_application(struct socketio_socket *socket,
	    void *application);
void	*socketio_application(const struct socketio_socket *socket);
void	socketio_admit(struct socketio_socket *socket);
/*
 * The same where it may be recovered: now or later. who: whose it is, and
 * nobody else is it again.
 */
void	socketio_admit_as(struct socketio_socket *socket, text who);
/* data: JSON, or at NULL. */
void	socketio_refuse(struct socketio_socket *socket, text message,
	    text data);
/* has_to_close: with all its namespaces. */
void	socketio_disconnect(struct socketio_socket *socket,
	    bool has_to_close);

bool	socketio_is_joined(const struct socketio_socket *socket);
text	socketio_sid(const struct socketio_socket *socket);
struct socketio *socketio_of(const struct socketio_socket *socket);
int32_t	socketio_tenant(const struct socketio_socket *socket);
/* Of the handshake: they last as long as the socket is joined. */
text	socketio_address(const struct socketio_socket *socket);
text	socketio_query(const struct socketio_socket *socket);
text	socketio_cookie(const struct socketio_socket *socket);
bool	socketio_began_by_websocket(const struct socketio_socket *socket);
/* As whom its client is counted; he may become a caller. NULL: gone. */
struct bound_client *socketio_bound(struct socketio_socket *socket);
/* NULL: it is gone. */
struct engineio *socketio_engine(const struct socketio_socket *socket);

/* --- events and answers ------------------------------------------------ */

/* Begins one in the socket's namespace; each of these sends it or ends it. */
void	socketio_event(const struct socketio_socket *socket, text name,
	    struct socketio_writer *writer);
void	socketio_send(struct socketio_socket *socket,
	    struct socketio_writer *writer);
/* Not sent at all where it cannot leave now. */
void	socketio_send_volatile(struct socketio_socket *socket,
	    struct socketio_writer *writer);

/*
 * A hub's event, written once for all that get it in this form: the name is
 * its type, its argument the envelope, unless write says otherwise. Without a
 * number it may be left out where the client is slow.
 */
struct socketio_form {
	enum event_object place;
	void	(*write)(struct socketio_writer *writer,
		    struct event *event);	/* NULL: as it is */
};

void	socketio_send_event(struct socketio_socket *socket,
	    struct event *event, const struct socketio_form *form);
/* Whether more can be replayed; no: on_room. */
bool	socketio_has_room(struct socketio_socket *socket);

/* What an argument stands for, lent; NULL: it is no attachment. */
struct bytes *socketio_attachment(const struct socketio_call *call,
	    text argument);

/*
 * Sends it and wants an answer. on_answer is told once: of the answer's
 * packet, or of NULL when the time is over or the socket has gone.
 */
void	socketio_ask(struct socketio_socket *socket,
	    struct socketio_writer *writer, int64_t timeout_ms,
	    void (*on_answer)(void *, const struct socketio_packet *),
	    void *me);

/* Begins the answer; false: none is wanted, or it was given. */
bool	socketio_answer(struct socketio_call *call,
	    struct socketio_writer *writer);
void	socketio_answer_send(struct socketio_call *call,
	    struct socketio_writer *writer);
/* To be answered after the call; NULL: no answer is wanted. */
struct socketio_debt *socketio_answer_later(struct socketio_call *call);
/* Whether its socket is still there. */
bool	socketio_debt_is_wanted(const struct socketio_debt *debt);
void	socketio_debt_answer(const struct socketio_debt *debt,
	    struct socketio_writer *writer);
/* Sends what was begun by it; writer at NULL: there is no answer. */
void	socketio_debt_pay(struct socketio_debt **debt,
	    struct socketio_writer *writer);

/* --- rooms ------------------------------------------------------------- */

/* Idempotent. Each socket is in the room of its sid's name anyway. */
void	socketio_join(struct socketio_socket *socket, text room);
void	socketio_leave(struct socketio_socket *socket, text room);
bool	socketio_is_in(const struct socketio_socket *socket, text room);
unsigned socketio_room_count(const struct socketio *socketio,
	    int32_t tenant, text nsp, text room);	/* of this worker */

/* Who is meant: all rooms' sockets, but for those of except. */
struct socketio_target {
	int32_t		 tenant;
	text		 nsp;
	const text	*rooms;		/* none: the whole namespace */
	unsigned	 rooms_count;
	const text	*except;	/* a sid is a room, too */
	unsigned	 except_count;
	bool		 is_volatile;
	bool		 is_local;	/* those of this worker alone */
};

/* Of all workers and hosts. Each ends the writer. */
void	socketio_broadcast(struct socketio *socketio,
	    const struct socketio_target *target,
	    struct socketio_writer *writer);
/*
 * The same, and wants an answer of each: on_answer is told of those that come
 * in time, on_end once, last, be it before this returns: when all have
 * answered who are still there, or the time is over. meant: sockets that got
 * it, as far as is known. Another host of which nothing is heard for
 * SOCKETIO_SETTLE_MS has none of them.
 */
#define SOCKETIO_SETTLE_MS 500
struct socketio_asker {
	void	(*on_answer)(void *me, const struct socketio_packet *packet);
	void	(*on_end)(void *me, unsigned meant, unsigned answered);
	void	*me;
};
void	socketio_ask_all(struct socketio *socketio,
	    const struct socketio_target *target,
	    struct socketio_writer *writer, int64_t timeout_ms,
	    const struct socketio_asker *asker);
/* To a room, but not to this socket. */
void	socketio_tell_room(struct socketio_socket *socket, text room,
	    struct socketio_writer *writer);
void	socketio_all_join(struct socketio *socketio,
	    const struct socketio_target *target, text room);
void	socketio_all_leave(struct socketio *socketio,
	    const struct socketio_target *target, text room);
void	socketio_all_disconnect(struct socketio *socketio,
	    const struct socketio_target *target, bool has_to_close);

/* --- recovery ---------------------------------------------------------- */

/*
 * What of a socket is kept beyond its worker: the streams that it follows,
 * each with a track, and something of the application's. The client is told
 * that it follows one once that is kept, and that it does so no more once
 * that is.
 *
 *	socketio_track ──> on_kept ──> hub_join from its cursor
 *	each event: socketio_track_set, then it is sent with the offset
 *	socketio_track_end, socketio_keep ──> the client is told
 */

/* Whether any of this has an effect; no: nothing here may be called. */
bool	socketio_is_kept(const struct socketio_socket *socket);

enum socketio_keeping {
	SOCKETIO_KEPT,
	SOCKETIO_NO_STREAM,
	SOCKETIO_NOT_KEPT	/* as far as is known */
};

/* From a cursor; none: from now. on_kept comes once, or never after its end. */
struct socketio_track *socketio_track(struct socketio_socket *socket,
	    text stream, const struct cursor *cursor,
	    void (*on_kept)(void *me, enum socketio_keeping kept), void *me);
text	socketio_track_stream(const struct socketio_track *track);
/* Where it is. It points into the track. */
void	socketio_track_cursor(const struct socketio_track *track,
	    struct cursor *cursor_out);
/* The client was told up to there, or is by what is sent next. */
void	socketio_track_set(struct socketio_track *track, text epoch,
	    uint64_t seq);
/* At NULL: nothing. */
void	socketio_track_end(struct socketio_track **track);
/* JSON, or empty. */
void	socketio_keep_data(struct socketio_socket *socket, text data);
/* Once all that was said above is kept, or cannot be any more. */
void	socketio_keep(struct socketio_socket *socket,
	    void (*on_kept)(void *me, bool is_kept), void *me);

#endif
