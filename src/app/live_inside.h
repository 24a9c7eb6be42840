/* SPDX-License-Identifier: MIT */
/*
 * What the files of app/live share.
 *
 *	live.c		clients: what they say, and when they have to leave
 *	live_follow.c	the streams that they follow, and what those tell
 *	live_ask.c	messages that are operations
 *	live_say.c	messages out
 *
 * Holds always:
 *  1. A client follows the lobby from the moment he signed in, and each
 *     session at most once.
 *  2. Whoever asks is answered: a follow that the log keeps waiting owes as
 *     many answers as it was asked for.
 */
#ifndef APP_LIVE_INSIDE_H
#define APP_LIVE_INSIDE_H

#include "app/live.h"
#include "app/presence.h"
#include "base/json_out.h"
#include "core/hub.h"
#include "core/who.h"

/* One stream that a client follows: the lobby, or a session's. */
struct follow {
	struct subscription sub;
	struct ws	*ws;
	struct client	*client;
	struct follow	*next;
	int64_t		 session;	/* 0: the lobby */
	unsigned	 owed;		/* answers */
	struct bound_held held;		/* as one subscription more */
};

struct client {
	unsigned	 magic;
#define CLIENT_MAGIC 0x636c6e74
	struct live	*live;
	struct client	*prev, *next;
	struct ws	*ws;
	struct follow	 lobby;
	struct follow	*sessions;
	unsigned	 sessions_count;
	struct presence_member presence;
	struct live_ask	*asks;		/* that it waits for */
	const struct caller *caller;	/* NULL: not signed in */
	struct bound_held held;		/* as a connection of the caller */
	struct timer	 due;		/* its time may be over */
	int64_t		 since_ms;	/* when it came */
	int64_t		 minute_ms;	/* of the messages counted */
	unsigned	 messages;
	bool		 is_leaving;	/* it was told to */
};

struct live {
	unsigned	 magic;
#define LIVE_MAGIC 0x6c697665
	struct service	*service;
	struct presence	*presence;
	struct client	*clients;
	unsigned	 staying;	/* those who are not leaving */
	struct event	*told;		/* log_legacy: the last one */
	unsigned	 told_clients;
	struct timer	 look;
	uint64_t	 rights_seen;	/* news of them, at the last look */
	struct timer	 drain;
	int64_t		 drain_ms;	/* over which they are told */
	int64_t		 drain_until_ms;
	unsigned	 drain_count;	/* who was there when it began */
	bool		 is_draining;
};

/* live_say.c */
struct message {
	struct json_out	json;
	struct buf	buf;
};

void	message_begin(struct message *message, const char *type);
void	message_number(struct message *message, const char *key,
	    int64_t number);
void	message_text(struct message *message, const char *key, text t);
void	message_send(struct message *message, struct ws *ws);
/* The same, so many times. */
void	message_send_times(struct message *message, struct ws *ws,
	    unsigned times);
void	live_say(struct ws *ws, const char *type, const char *words);
/* Why a message came to nothing; the session it was about, or 0. */
void	live_complain(struct client *client, const char *words,
	    int64_t session);

/* live_ask.c */
/* The operation's first input is the session; the others are members. */
void	live_ask(struct client *client, enum operation operation,
	    int64_t session, struct json_object *message);
/* The client goes; what it asked for is done all the same. */
void	live_ask_forget(struct client *client);

/* live_follow.c */
/* What was told last, to how many: log_legacy. */
void	live_log_told(struct live *live);
void	follow_init(struct follow *follow, struct client *client,
	    int64_t session);
/* From a cursor on; who follows already begins anew. */
void	live_follow_join(struct follow *follow, const struct cursor *cursor);
/* Answers with where it is: at once, or as soon as that is known. */
void	follow_tell(struct follow *follow);
/* "session:17": {"epoch":…,"seq":…}, unless it was not told yet. */
void	follow_add_head(const struct follow *follow,
	    struct message *message);
struct follow	*follow_find(struct client *client, int64_t session);
/* Makes one of a session; NULL: one too many. */
struct follow	*follow_add(struct client *client, int64_t session);
void	follow_end(struct follow *follow);

#endif
