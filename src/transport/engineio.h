/* SPDX-License-Identifier: MIT */
/*
 * Engine.IO, version 4 of its protocol: sessions over polling requests, over
 * a WebSocket, or over the first and then the second. What is said over them
 * is an application's: Socket.IO's, or one that echoes.
 *
 *	GET, POST ──────┐			     ┌─> on_message
 *	                ├─> session, known by its sid┤
 *	WebSocket ──────┘			     └── engineio_send
 *
 * Holds always:
 *  1. Messages arrive once each and in order, both ways, also across the
 *     change from polling to WebSocket.
 *  2. on_close is told once, last, at the end of a turn, whoever closed it
 *     and why; a session whose application said engineio_close is told so,
 *     too. After engineio_close there is no on_message.
 *  3. A message is encoded once in each form, for all sessions.
 *  4. Inside its callbacks an application may send and close, any session.
 *     What is sent in on_open comes behind the handshake.
 *  5. Text is UTF-8, both ways.
 *  6. The sid is a secret of the client's: nothing here tells it.
 *
 *	static const struct engineio_acts acts = { … };
 *	... http_setup.engines has { "/socket.io/", &acts, context } ...
 *
 *	pieces[0] = TEXT("2");
 *	pieces[1] = array;
 *	message = engineio_message_create(pieces, 2, false);
 *	engineio_send(engine, message);			each recipient
 *	engineio_message_give(&message);
 */
#ifndef TRANSPORT_ENGINEIO_H
#define TRANSPORT_ENGINEIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/text.h"

struct engineio;		/* a session */
struct engineio_message;
struct op;
struct op_ground;
struct tenant;

enum engineio_end {
	ENGINEIO_TRANSPORT_ERROR,
	ENGINEIO_TRANSPORT_CLOSE,	/* the client's end of it */
	ENGINEIO_FORCED_CLOSE,		/* the application said so */
	ENGINEIO_PING_TIMEOUT,
	ENGINEIO_PARSE_ERROR,
	ENGINEIO_SHUTTING_DOWN,		/* the worker leaves */
	ENGINEIO_ENDS
};

/* "transport error" and so on, as the reference server calls them. */
const char *engineio_end_name(enum engineio_end why);

/* A request, for as long as the call that lends it. */
struct engineio_facts {
	const struct op	*op;		/* tenant, address, query, origin … */
	bool		 is_websocket;
	bool		 is_handshake;	/* of a session that is not there yet */
	const void	*request;
};

/* The last header of this name, in lower case; at NULL: there is none. */
text	engineio_header(const struct engineio_facts *facts, text name);
/* Its value of this name, of all Cookie headers; at NULL: there is none. */
text	engineio_cookie(const struct engineio_facts *facts, text name);

struct engineio_acts {
	/*
	 * Of every request, before anything is done for it. false: it is
	 * answered 403, with words of its own where message_out is set. NULL:
	 * all may.
	 */
	bool	 (*may_come)(void *context,
		    const struct engineio_facts *facts, text *message_out);
	/* It is open. What it returns is the application's own of it. */
	void	*(*on_open)(struct engineio *engine, void *context,
		    const struct engineio_facts *facts);
	/* The bytes are lent. */
	void	 (*on_message)(void *application, text message,
		    bool is_binary);
	/* engineio_has_room said no; now it would say yes. May be NULL. */
	void	 (*on_room)(void *application);
	void	 (*on_close)(void *application, enum engineio_end why);
};

/* What begins with this path is an application's. The last has no path. */
struct engineio_door {
	const char	*path;		/* with a slash at its end */
	const struct engineio_acts *acts;
	void		*context;
};

/* What is sent to one or many: counted, never changed. */
struct engineio_message *engineio_message_create(const text *pieces,
	    unsigned count, bool is_binary);
struct engineio_message *engineio_message_share(
	    struct engineio_message *message);
void	engineio_message_give(struct engineio_message **message);
text	engineio_message_text(const struct engineio_message *message);

/* Takes a reference of its own. To one that is closed: nothing. */
void	engineio_send(struct engineio *engine,
	    struct engineio_message *message);
/*
 * The same of a text that others share, but with this in the place of its
 * last sign.
 */
void	engineio_send_tailed(struct engineio *engine,
	    struct engineio_message *message, text tail);
/*
 * The same of what may be left out where the client is slow, or be put in the
 * place of an older one of this key.
 */
void	engineio_send_live(struct engineio *engine,
	    struct engineio_message *message, uint64_t key);
/* Whether the queue is at most half full; no: on_room will be called. */
bool	engineio_has_room(struct engineio *engine);
/*
 * Whether what is sent now leaves now: a request waits for it, or the
 * WebSocket takes it. What is volatile is not sent otherwise.
 */
bool	engineio_is_writable(const struct engineio *engine);
/* Whether all that was sent has left. */
bool	engineio_has_sent_all(const struct engineio *engine);
/*
 * on_room is called when a client that polls is about to be sent what is
 * queued; once, and maybe before. false: it does not poll.
 */
bool	engineio_tell_when_sent(struct engineio *engine);
/* What was sent leaves first. on_close comes later, with that reason. */
void	engineio_close(struct engineio *engine, enum engineio_end why);

bool	engineio_is_open(const struct engineio *engine);
/* "polling" or "websocket", as it is now. */
const char *engineio_transport(const struct engineio *engine);
struct tenant *engineio_tenant(const struct engineio *engine);
/* For operations that are said. It outlives the session. */
const struct op_ground *engineio_ground(const struct engineio *engine);

#endif
