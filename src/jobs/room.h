/* SPDX-License-Identifier: MIT */
/*
 * What is known of a room of the game service, and how what that service
 * says changes it. No clock, no network.
 *
 *	REST answer ──> room_read_check ──> host, app, how many fit
 *	message ──> room_hear ──> who is there, lobby, game; what it means
 *	row of partyline.monitor ──> room_read … room_write ──> report
 *
 * Holds always:
 *  1. Players are only added, in the order they were seen: slots are kept
 *     for those who leave, so nobody can say who left. There are at most
 *     ROOM_PLAYERS_MAX.
 *  2. Somebody who is told of by id and by name is one player; a name that
 *     was only read in a text becomes that of the id that comes later.
 *  3. is_connected, is_started and is_finished never become false again. A
 *     game that is finished in a lobby, and was not seen to begin, is the
 *     one before: it says nothing.
 *  4. Whatever a message is, the room stays whole and bounded; what cannot
 *     be read changes nothing.
 *
 *	room_init(&room);
 *	if (!room_read(&room, row)) ...
 *	heard = room_hear(&room, message);
 *	if (heard & ROOM_CHANGED) room_write(&room, &json);
 *	room_fini(&room);
 */
#ifndef JOBS_ROOM_H
#define JOBS_ROOM_H

#include <stdbool.h>

#include "base/buf.h"

#define ROOM_PLAYERS_MAX	200
#define ROOM_WORD_MAX		120	/* bytes of a name or a state */
#define ROOM_HOST_MAX		255
#define ROOM_SECRET_MAX		200

/* What a message was, and what it changed. */
enum room_heard {
	ROOM_CHANGED	= 1,
	ROOM_WELCOME	= 2,
	ROOM_EXIT	= 4,	/* the room says that it ends */
	ROOM_MISSING	= 8,	/* REST and the WebSocket disagree */
	ROOM_REJECTED	= 16,	/* it will not have us as what we are */
	ROOM_ERROR	= 32	/* anything else that it refuses */
};

struct room_player {
	int64_t	 id;			/* 0: only its name is known */
	char	*name;
};

struct room {
	struct room_player *players;
	unsigned	 player_count;
	int64_t		 max_players;	/* -1: nobody said */
	char		*app_tag;	/* NULL where nobody said, as these */
	char		*lobby_state;
	char		*game_state;
	bool		 can_start;
	bool		 is_starting;
	bool		 is_connected;
	bool		 is_started;
	bool		 is_finished;
	bool		 has_bc_room;	/* under which key it is */
	int64_t		 shard_id;	/* 0: none */
	char		*shard_secret;
	int64_t		 error;		/* of the last refusal */
};

void	room_init(struct room *room);
void	room_fini(struct room *room);

/* What another one left: json is a row of partyline.monitor. */
bool	room_read(struct room *room, text json);
/* The columns that are ours, as a JSON object. */
void	room_write(const struct room *room, struct buf *out);

/* Of REST. false: there is no such room, or that is no answer. */
bool	room_read_check(struct room *room, text json,
	    char host_out[ROOM_HOST_MAX + 1]);
/* A message of the WebSocket: a set of enum room_heard. */
unsigned room_hear(struct room *room, text message);
/*
 * The same of a connection that only looks: who we are there is not who we
 * are in the room.
 */
unsigned room_hear_probe(struct room *room, text message);
void	room_forget_shard(struct room *room);

/*
 * The way to a room. shard: whose place is taken again; NULL: a new one.
 * base: monitor_url, which says whether it is ws or wss.
 */
void	room_check_url(struct buf *out, text base, text code);
void	room_play_url(struct buf *out, text base, const char *host, text code,
	    int64_t session, const struct room *shard);

#endif
