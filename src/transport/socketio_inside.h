/* SPDX-License-Identifier: MIT */
/*
 * What the files of transport/socketio share.
 *
 *	socketio.c	  clients and their sockets: coming and going
 *	socketio_call.c	  events by the table, answers both ways
 *	socketio_event.c  what hubs tell, once for all
 *	socketio_room.c	  rooms, and who is meant by them
 *	socketio_gather.c asking all who are meant, and what they answer
 *	socketio_keep.c	  what is kept of sockets
 *	socketio_past.c	  being put back where they were
 *	socketio_track.c  the streams that they follow, and offsets
 *	socketio_about.c  what applications ask of sockets
 *	socketio_others.c what other workers and hosts are told, and tell
 *
 * Holds always:
 *  1. A socket that is not JOINED is in no room and has no debts or asks.
 *  2. A socket that has ended is freed at the turn's end.
 */
#ifndef TRANSPORT_SOCKETIO_INSIDE_H
#define TRANSPORT_SOCKETIO_INSIDE_H

#include <uthash.h>

#include "core/cursor.h"
#include "plat/digest.h"
#include "plat/timer.h"
#include "transport/socketio.h"
#include "transport/socketio_news.h"

struct json_object;

enum socketio_state {
	SOCKETIO_WAITING, SOCKETIO_JOINED, SOCKETIO_GONE
};

/* What is sent to one or many: the text and its attachments. */
struct socketio_parts {
	unsigned	 count;
	struct engineio_message *at[1 + SOCKETIO_ATTACHMENTS_MOST];
};

/* A socket in a room; the room has its engine beside it. */
struct socketio_member {
	struct socketio_socket *socket;
	struct socketio_room *room;
	unsigned	 place;
	struct socketio_member *prev, *next;
};

struct socketio_seat {
	struct engineio	*engine;
	struct socketio_member *member;
};

struct socketio_room {
	struct socketio_seat *seats;
	unsigned	 count;
	unsigned	 size;
	UT_hash_handle	 hh;
	size_t		 key_len;
	char		 key[];		/* tenant, namespace, NUL, name */
};

struct socketio_socket {
	unsigned	 magic;
#define SOCKETIO_SOCKET_MAGIC 0x73696f73
	enum socketio_state state;
	struct socketio	*socketio;
	struct socketio_client *client;	/* NULL: it is gone */
	struct engineio	*engine;	/* the client's */
	struct socketio_keep *keep;	/* NULL: it is not kept */
	struct socketio_socket *next;	/* of the client, or of the gone */
	const struct socketio_app *app;
	void		*application;

	/* Not needed for delivery. */
	char		 sid[SOCKETIO_SID_LEN];
	uint32_t	 mark;		/* of the walk that met it last */
	int32_t		 tenant;
	struct socketio_member everyone; /* in the namespace itself */
	struct socketio_member *members;
	struct socketio_ask *asks;
	struct socketio_debt *debts;
	UT_hash_handle	 hh;		/* by sid */
};

/* In a stream: which number of which epoch. */
struct socketio_point {
	uint64_t	 seq;
	uint8_t		 len;
	char		 epoch[RING_EPOCH_MAX];
};

struct socketio_track {
	struct socketio_keep *keep;	/* NULL: its socket has gone */
	struct socketio_track *prev, *next;
	int64_t		 nth;		/* to be followed */
	enum cursor_kind has;		/* what is known of first */
	bool		 is_kept;
	struct socketio_point first;	/* where it began */
	struct socketio_point told;
	void		(*on_kept)(void *me, enum socketio_keeping kept);
	void		*me;
	size_t		 stream_len;
	char		 stream[];
};

/* Somebody who waits for a change to be kept. */
struct socketio_wait {
	struct socketio_wait *prev, *next;
	uint64_t	 change;
	void		(*on_kept)(void *me, bool is_kept);
	void		*me;
};

enum socketio_keep_end { KEEP_LIVES, KEEP_LEAVES, KEEP_GOES, KEEP_IS_OVER };

/* It outlives its socket until its end is known. */
struct socketio_keep {
	unsigned	 magic;
#define SOCKETIO_KEEP_MAGIC 0x73696f6b
	enum socketio_keep_end end;
	struct socketio	*socketio;
	struct socketio_socket *socket;	/* NULL: it has gone */
	struct socketio_keep *prev, *next;
	struct socketio_track *tracks;
	int64_t		 next_nth;
	int64_t		 asked_nth;	/* of what is on its way: below it */
	uint64_t	 changes;	/* so many were made; of them were */
	uint64_t	 asked;		/* asked to be kept, */
	uint64_t	 kept;		/* and are */
	struct socketio_wait *waits;
	struct timer	 again;
	bool		 is_asking;
	bool		 is_at_work;	/* its callbacks are called */
	bool		 comes_back;	/* with a pid that he shows */
	bool		 has_offset;
	bool		 has_tail;
	int64_t		 claim;		/* 0: nothing is to be kept yet */
	int32_t		 tenant;
	text		 nsp;
	char		 sid[SOCKETIO_SID_LEN];
	char		 pid[SOCKETIO_SID_LEN];
	char		 hash[DIGEST_HEX_SIZE];
	char		*who;
	char		*data;
	struct buf	 places;	/* of the offset, for SQL */
	struct buf	 tail;		/* of all that is sent now */
};

struct socketio_client {
	unsigned	 magic;
#define SOCKETIO_CLIENT_MAGIC 0x73696f63
	struct socketio	*socketio;
	struct engineio	*engine;
	struct socketio_socket *sockets;
	struct socketio_reader reader;
	struct timer	*connect;	/* NULL: somebody came in in time */
	int32_t		 tenant;
	bool		 is_websocket;
	bool		 is_closing;
	bool		 has_cookie;	/* if only an empty one */
	unsigned	 messages;	/* since minute_ms */
	int64_t		 minute_ms;
	struct bound_client bound;
	/* What its first request said, one behind the other. */
	uint32_t	 address_len, query_len, cookie_len;
	char		 facts[];
};

struct socketio {
	unsigned	 magic;
#define SOCKETIO_MAGIC 0x73696f69
	struct socketio_setup setup;
	struct socketio_socket *sockets;	/* by sid */
	struct socketio_room *rooms;
	struct socketio_socket *gone;
	uint64_t	 next_id;	/* of what is asked */
	struct socketio_gather *gathers;	/* by id */
	uint32_t	 mark;
	struct socketio_keep *keeps;
	struct timer	 beat;		/* of this process, as it keeps some */
	/* With the others. */
	uint64_t	 origin;	/* who says it: this process */
	uint64_t	 said;
	struct socketio_puzzle *puzzles;	/* of what comes in pieces */
};

/* socketio_about.c */
text	socketio_client_address(const struct socketio_client *client);

/* socketio.c */
void	socketio_parts_make(struct socketio_writer *writer,
	    struct socketio_parts *parts);
void	socketio_parts_end(struct socketio_parts *parts);
/* To its client, behind all that was sent before. */
void	socketio_put(struct engineio *engine,
	    const struct socketio_parts *parts, bool is_volatile);
/* Ends the writer. */
void	socketio_send_writer(struct socketio_socket *socket,
	    struct socketio_writer *writer, bool is_volatile);

/* Another process has it now; its client's connection is old. */
void	socketio_lose(struct socketio_socket *socket);
/* A name of its own, which nobody guesses. */
void	socketio_make_sid(char sid[SOCKETIO_SID_LEN]);

/* socketio_past.c */
/* auth: of CONNECT. Nothing is kept where that is off, or not to be. */
void	socketio_keep_begin(struct socketio_socket *socket, text auth);

/* socketio_keep.c */
#define SOCKETIO_HOLDER_SIZE 96
/* This process. */
void	socketio_holder(const struct service *service,
	    char out[SOCKETIO_HOLDER_SIZE]);
void	socketio_keep_ask(struct socketio_keep *keep, enum function function,
	    const text *inputs, unsigned count,
	    void (*on_answer)(void *, const struct db_answer *));
/* What was answered, to be freed; NULL: nothing came of it. */
struct json_object *socketio_keep_answer(const struct db_answer *answer);
/* The next thing that is to be asked. It may be the end of it. */
void	socketio_keep_go_on(struct socketio_keep *keep);
/* Its socket goes, or is no more than the older of two. */
void	socketio_keep_end(struct socketio_socket *socket,
	    enum socketio_end why);
/* Another process says that it has this sid, by that claim. */
void	socketio_keep_taken(struct socketio_socket *socket, text claim);
void	socketio_keep_changed(struct socketio_keep *keep);
void	socketio_keeps_open(struct socketio *socketio);
void	socketio_keeps_close(struct socketio *socketio);

/* socketio_track.c */
struct socketio_track *socketio_track_make(struct socketio_keep *keep,
	    text stream, int64_t nth, const struct cursor *cursor);
void	socketio_tracks_write(const struct socketio_keep *keep,
	    struct buf *out);
/* What the row says of one that was not kept before. false: nothing. */
bool	socketio_track_read(struct socketio_track *track,
	    struct json_object *rooms);
text	socketio_keep_mark(const struct socketio_keep *keep);
/* To one socket, with its offset where it has one. */
void	socketio_put_tailed(struct socketio_socket *socket,
	    const struct socketio_parts *parts);
void	socketio_send_tailed(struct socketio_socket *socket,
	    struct engineio_message *message);

/* socketio_call.c */
void	socketio_on_event(struct socketio_socket *socket,
	    const struct socketio_packet *packet);
void	socketio_on_ack(struct socketio_socket *socket,
	    const struct socketio_packet *packet);
/* An answer with this id is wanted of it; the timeout is from now. */
void	socketio_expect(struct socketio_socket *socket, uint64_t id,
	    int64_t timeout_ms,
	    void (*on_answer)(void *, const struct socketio_packet *),
	    void *me);
/* Whoever asked it, or owes it an answer, is told. */
void	socketio_forget_calls(struct socketio_socket *socket);

/* socketio_room.c */
void	socketio_enter(struct socketio_socket *socket);
void	socketio_leave_all(struct socketio_socket *socket);
/* Those of this worker who are meant; for mem_free. */
unsigned socketio_meant(struct socketio *socketio,
	    const struct socketio_news *news,
	    struct socketio_socket ***found_out);
void	socketio_parts_read(const struct socketio_news *news,
	    struct socketio_parts *parts);
/* Says it here and to all others. */
void	socketio_tell(struct socketio *socketio,
	    const struct socketio_target *target,
	    struct socketio_news *news);
/* What was said, here or elsewhere, to those of this worker. */
void	socketio_do(struct socketio *socketio,
	    const struct socketio_news *news);

/* socketio_gather.c */
/* Whatever is of asking. */
void	socketio_gather_hear(struct socketio *socketio,
	    const struct socketio_news *news);
void	socketio_gather_end_all(struct socketio *socketio);

/* socketio_others.c */
#define SOCKETIO_STREAM TEXT("socketio")
void	socketio_hear(void *socketio, int32_t tenant, text payload);
void	socketio_say(struct socketio *socketio,
	    const struct socketio_news *news);
void	socketio_forget_puzzles(struct socketio *socketio);

#endif
