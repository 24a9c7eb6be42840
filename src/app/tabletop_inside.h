/* SPDX-License-Identifier: MIT */
/*
 * What the files of app/tabletop share.
 *
 *	tabletop.c	 players: who comes in, asks of SQL, answers
 *	tabletop_hear.c	 streams, and what those tell
 *	tabletop_back.c	 sockets that are put back where they were
 *	tabletop_join.c	 joining and leaving
 *	tabletop_seat.c	 what the database knows of that
 *	tabletop_chat.c	 what is said
 *	tabletop_token.c tokens, and whether something may be done
 *	tabletop_dice.c	 dice, and what is only shown
 *
 * Holds always:
 *  1. A player is in at most one session, and about to join at most one.
 *  2. Who is behind hears by himself what he missed, until he is where his
 *     circle is; then he is in its rooms.
 *  3. An ask is answered or dropped once; its player may have gone by then.
 *  4. A player asks for one seat at a time. Who is in a session has its row,
 *     or is about to take it back.
 */
#ifndef APP_TABLETOP_INSIDE_H
#define APP_TABLETOP_INSIDE_H

#include <uthash.h>

#include "app/tabletop.h"
#include "core/act.h"
#include "core/hub.h"
#include "plat/digest.h"

struct given;
struct json_object;
struct player;
struct tenant;

enum dialect { DIALECT_NONE, DIALECT_OWNER, DIALECT_CODE, DIALECT_NEW };

/* Those of this worker who hear one stream: a session's or a user's. */
struct circle {
	struct subscription sub;
	struct tabletop	*tabletop;
	struct seat	*seats;
	struct circle	*next;		/* of those to be freed */
	int32_t		 tenant;
	int64_t		 id;
	int64_t		 master;	/* who leads it; 0: not known */
	bool		 is_table;
	bool		 is_ready;	/* its stream is followed */
	unsigned	 behind;	/* seats that are */
	UT_hash_handle	 hh;
	size_t		 key_len;
	char		 key[];
};

struct seat {
	struct seat	*prev, *next;
	struct circle	*circle;	/* NULL: free */
	struct player	*player;
	struct socketio_track *track;	/* NULL: it is not kept */
	bool		 is_behind;
	struct subscription own;	/* while it is */
};

/* What a session told while SQL was asked whether somebody may come in. */
struct heard {
	struct heard	*prev, *next;
	uint64_t	 seq;
	text		 type;		/* both their own memory */
	text		 data;
};

/* Something that is asked of SQL for a player. */
struct ask {
	unsigned	 magic;
#define TABLETOP_ASK_MAGIC 0x7461736b
	struct tabletop	*tabletop;
	struct ask	*prev, *next;
	struct player	*player;	/* NULL: he has gone */
	struct socketio_debt *debt;	/* NULL: no answer is wanted */
	int32_t		 tenant;
	bool		 writes;
	int64_t		 storage;	/* taken, of bytes */
	/* With rows, or with the error in their place. */
	void		(*done)(struct ask *ask, text body, enum err err,
			    const struct db_answer *answer);
	/* Of whoever asked. */
	const char	*what;
	int64_t		 session;
	int64_t		 encounter;
	int64_t		 visit;
	enum dialect	 dialect;
	bool		 is_allowed;	/* to join; that is being kept */
	uint64_t	 joined;	/* the number of his coming */
	struct heard	*heard;
	unsigned	 heard_count;
	text		 kept;		/* its own memory */
	text		 actor;		/* the same */
	text		 body;		/* what SQL said; the same */
};

struct player {
	unsigned	 magic;
#define PLAYER_MAGIC 0x706c6179
	struct tabletop	*tabletop;
	struct socketio_socket *socket;
	struct player	*next;		/* of those to be freed */
	struct ask	*asks;
	struct ask	*joining;	/* the ask that has the seat `coming` */
	struct ask	*at_work;	/* the one that SQL works on */
	int64_t		 visit;		/* the last one that was asked for */
	int64_t		 table_visit;	/* that of where he is */
	bool		 has_to_take_back;
	int32_t		 tenant;
	int64_t		 user;
	text		 name;		/* its own memory */
	bool		 is_in;
	int64_t		 back_session;	/* where he is put back */
	bool		 is_admin;
	enum dialect	 dialect;
	text		 actor;		/* whom he plays; its own memory */
	struct seat	 self;		/* user:<id> */
	struct seat	 table;		/* where he is */
	struct seat	 coming;	/* where he is about to be */
	char		 caller[sizeof "login:" + DIGEST_HEX_SIZE];
};

struct tabletop {
	unsigned	 magic;
#define TABLETOP_MAGIC 0x7461626c
	struct service	*service;
	struct socketio	*socketio;	/* NULL: nobody came in yet */
	struct circle	*circles;
	struct circle	*old_circles;
	struct player	*old_players;
	struct given	*given;
};

/* --- tabletop.c --- */

text	tabletop_copy(text t);
void	tabletop_drop(text *t);
struct tenant *tabletop_tenant(const struct player *player);

/*
 * Asks SQL; call: whose answer it is to be, or NULL for none. done is called
 * once, maybe at once.
 */
struct ask *ask_create(struct player *player, struct socketio_call *call);
void	ask_send(struct ask *ask, enum function function, text stream,
	    const text *inputs, unsigned count);
/* Answers {"success":false,"error":…}; where none is wanted: no. */
bool	ask_refuse(struct ask *ask, text words);
/* {"success":true, and the members of an object. */
void	ask_accept(struct ask *ask, text members);
/* Answered or not, it is over. */
void	ask_end(struct ask **ask);

/* The same, in the call itself. */
bool	call_refuse(struct socketio_call *call, text words);
/* error, in a dialect. */
void	player_error(struct player *player, enum dialect dialect, text words);
/* Its connection; clients come back by themselves, and join. */
void	player_break_off(struct player *player);
/* By the answer where one is wanted, else as error. */
void	call_fail(struct socketio_call *call, text words);

/* An argument as an object; NULL: it is not fit. To be freed. */
struct json_object *tabletop_read(text argument);
/* A number, or digits in a text. */
bool	tabletop_id(struct json_object *object, const char *name,
	    int64_t *id_out);
bool	tabletop_raw_id(text argument, int64_t *id_out);

/* In any minute, by all sockets of a user on this host. */
bool	player_may(struct player *player, const char *what, int64_t most);
/* One event more of the tenant, with so many bytes; else why not. */
enum err ask_take(struct ask *ask, int64_t bytes);

/* --- tabletop_hear.c --- */

struct circle *seat_take(struct seat *seat, struct player *player,
	    bool is_table, int64_t id);
void	seat_leave(struct seat *seat);
/* What a stream tells, to one player alone. He may be gone after this. */
void	player_hear_user(struct player *player, text type, text data);
void	player_hear_table(struct player *player, text type, text data);
/* Whether he has a place in the session as it is now; else he leaves. */
void	player_take_session(struct player *player, text session);
/* The state of a session, where it cannot be told event by event. */
void	circle_write_state(const struct circle *circle, text body,
	    struct buf *out);
text	circle_stream(const struct circle *circle);
void	circles_free(struct tabletop *tabletop);
/* An event of a session to him alone, in his dialect; but not his own. */
void	tabletop_tell_one(struct player *player, text type, text data);
/* A chat's data to those of a room, in the dialects that they have. */
void	tabletop_tell_chat(struct tabletop *tabletop, int32_t tenant,
	    int64_t session, text actor, text data, bool is_local);

/* --- tabletop_join.c --- */

#define TABLETOP_ROOM_SIZE 160
/* The room of a session, or of those in it with a dialect. */
text	tabletop_room(int64_t session, enum dialect dialect,
	    char out[TABLETOP_ROOM_SIZE]);
text	tabletop_actor_room(int64_t session, text actor, enum dialect dialect,
	    char out[TABLETOP_ROOM_SIZE]);
void	on_join_session(struct socketio_call *call);
void	on_join_code(struct socketio_call *call);
void	on_join_new(struct socketio_call *call);
void	on_leave(struct socketio_call *call);
/* The stream of where somebody is about to be is followed; or is not. */
void	join_go_on(struct player *player);
void	join_give_up(struct player *player, text words);
/* Whether he is about to come in there: then events are for him, too. */
bool	join_hears(const struct seat *seat);
void	join_hear(struct player *player, uint64_t seq, text type, text data);
void	heard_free(struct ask *ask);
/* From a session that he may be in; the others are told, or need not be. */
void	player_leave(struct player *player, bool is_told);
void	player_enter_rooms(struct player *player);

/* --- tabletop_back.c --- */

/* From where its circle is; on_kept is told of the seat. */
void	seat_keep(struct seat *seat,
	    void (*on_kept)(void *seat, enum socketio_keeping kept));
/* A user's own stream, as soon as it is followed. */
void	seat_keep_self(struct seat *seat);
/* All but those who are behind are told this next. */
void	circle_advance(struct circle *circle, const struct event *event);
/* Those who are no longer. */
void	circle_catch_up(struct circle *circle);
bool	player_on_past(void *player, const struct socketio_past *past);
void	player_come_back(struct player *player);
/* What a player is kept with: where he is; or is to be, by this ask. */
void	player_keep_place(struct player *player, const struct ask *joining);

/* --- tabletop_seat.c --- */

/* By an ask with session, visit, actor, and the sid as what is kept. */
void	seat_ask(struct ask *ask);
/* The row goes, and the others are told, sooner or later. */
void	seat_give(struct tabletop *tabletop, int32_t tenant, text sid,
	    int64_t session, int64_t visit);
/* It may be gone though he is there. */
void	seat_take_back(struct player *player);
void	seats_free(struct tabletop *tabletop);

/* --- the others --- */

void	on_chat_message(struct socketio_call *call);
void	on_chat(struct socketio_call *call);
void	on_token_move(struct socketio_call *call);
void	on_token_create(struct socketio_call *call);
void	on_token_update(struct socketio_call *call);
void	on_token_delete(struct socketio_call *call);
void	on_validate(struct socketio_call *call);
void	on_dice_roll(struct socketio_call *call);
void	on_roll(struct socketio_call *call);
void	on_move(struct socketio_call *call);

#endif
