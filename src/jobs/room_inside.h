/* SPDX-License-Identifier: MIT */
/*
 * What the two files of a room share.
 */
#ifndef JOBS_ROOM_INSIDE_H
#define JOBS_ROOM_INSIDE_H

#include "jobs/room.h"

struct json_object;

/* Whether that is another word than before. */
bool	room_word_set(char **word, text value);
/* id 0: only a name is known. Whether that is news. */
bool	room_player_add(struct room *room, int64_t id, text name);
/* Both or neither; whether it is another one than before. */
bool	room_shard_read(struct room *room, struct json_object *from,
	    const char *id, const char *secret);

#endif
