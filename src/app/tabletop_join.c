/* SPDX-License-Identifier: MIT */
/*
 * Joining: the session's stream is followed first, then SQL says whether he
 * may; so that whatever happens after the answer is heard, and a membership
 * that ends meanwhile is not overlooked.
 *
 *	     on_join	     join_go_on		on_allowed
 *	out ────────> waits ────────────> asks ────────────> in
 *	 ^		└────────┬──────────┘		     │
 *	 └──── join_give_up: missing, removed, replaced;     │
 *	 └──── refused ──────────┘	     player_leave ───┘
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/tabletop_inside.h"

#define ACTOR_MAX 100

static void
write_members(struct socketio_writer *writer, const struct player *player,
    int64_t session)
{
	json_key(&writer->json, "userId");
	json_int(&writer->json, player->user);
	json_key(&writer->json, "sessionId");
	json_int(&writer->json, session);
	json_key(&writer->json, "name");
	json_text(&writer->json, player->name);
}

/* Each dialect has its own word for it. */
static void
tell_presence(struct player *player, const char *const words[DIALECT_NEW + 1],
    bool has_left)
{
	int64_t session = player->table.circle->id;
	char name[TABLETOP_ROOM_SIZE];
	struct socketio_writer writer;

	for (enum dialect d = DIALECT_OWNER; d <= DIALECT_NEW; d++) {
		socketio_event(player->socket, text_of(words[d]), &writer);
		json_object_begin(&writer.json);
		write_members(&writer, player, session);
		if (has_left) {
			json_key(&writer.json, "actorIds");
			json_array_begin(&writer.json);
			if (player->actor.at != NULL)
				json_text(&writer.json, player->actor);
			json_array_end(&writer.json);
			json_key(&writer.json, "characterNames");
			json_raw(&writer.json, TEXT("[]"));
		} else if (player->actor.at != NULL) {
			json_key(&writer.json, "actorId");
			json_text(&writer.json, player->actor);
		}
		json_object_end(&writer.json);
		socketio_tell_room(player->socket, tabletop_room(session, d,
		    name), &writer);
	}
}

void
player_leave(struct player *player)
{
	static const char *const words[] = { [DIALECT_OWNER] = "user-left",
	    [DIALECT_CODE] = "userLeftSession",
	    [DIALECT_NEW] = "gameSession:left" };
	char name[TABLETOP_ROOM_SIZE];
	int64_t session;

	if (player->table.circle == NULL)
		return;
	session = player->table.circle->id;
	tell_presence(player, words, true);
	socketio_leave(player->socket, tabletop_room(session, DIALECT_NONE,
	    name));
	socketio_leave(player->socket, tabletop_room(session,
	    player->dialect, name));
	if (player->actor.at != NULL)
		socketio_leave(player->socket, tabletop_actor_room(session,
		    player->actor, player->dialect, name));
	tabletop_drop(&player->actor);
	seat_leave(&player->table);
}

static void
come_in(struct player *player, struct ask *ask)
{
	static const char *const words[] = { [DIALECT_OWNER] = "user-joined",
	    [DIALECT_CODE] = "userJoinedSession",
	    [DIALECT_NEW] = "gameSession:joined" };
	char name[TABLETOP_ROOM_SIZE];
	int64_t session = ask->session;

	player_leave(player);
	seat_take(&player->table, player, true, session);
	seat_leave(&player->coming);
	player->dialect = ask->dialect;
	player->actor = ask->actor;
	ask->actor = TEXT_NONE;
	socketio_join(player->socket, tabletop_room(session, DIALECT_NONE,
	    name));
	socketio_join(player->socket, tabletop_room(session, player->dialect,
	    name));
	if (player->actor.at != NULL)
		socketio_join(player->socket, tabletop_actor_room(session,
		    player->actor, player->dialect, name));
	tell_presence(player, words, false);
}

static void
refuse(struct ask *ask, text words)
{
	if (!ask_refuse(ask, words) && ask->player != NULL)
		player_error(ask->player, ask->dialect, words);
}

static void
on_allowed(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct player *player = ask->player;
	struct buf members;

	(void)answer;
	if (player == NULL || player->joining != ask) {
		/* He has gone, or was told already. */
		ask_end(&ask);
		return;
	}
	player->joining = NULL;
	if (err != ERR_none) {
		seat_leave(&player->coming);
		refuse(ask, err == ERR_session_not_found ?
		    TEXT("Failed to get game session") :
		    error_rows[err].words);
	} else {
		come_in(player, ask);
		buf_init(&members, BUF_NO_LIMIT);
		buf_printf(&members, "{\"data\":%.*s}", TEXT_ARGS(body));
		ask_accept(ask, buf_text(&members));
		buf_fini(&members);
	}
	ask_end(&ask);
}

void
join_go_on(struct player *player)
{
	struct ask *ask = player->joining;
	char number[24];
	text input;

	if (ask == NULL || ask->done != NULL)
		return;
	ask->done = on_allowed;
	snprintf(number, sizeof number, "%" PRId64, ask->session);
	input = text_of(number);
	ask_send(ask, FUNCTION_tabletop_join, TEXT_NONE, &input, 1);
}

void
join_give_up(struct player *player, text words)
{
	struct ask *ask = player->joining;

	seat_leave(&player->coming);
	player->joining = NULL;
	if (ask == NULL)
		return;
	refuse(ask, words);
	/* SQL still answers to one that asks. */
	if (ask->done == NULL)
		ask_end(&ask);
}

static void
join(struct socketio_call *call, enum dialect dialect)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	text actor = call->arguments[1];
	struct circle *circle;
	struct ask *ask;
	int64_t session;

	if (!tabletop_raw_id(call->arguments[0], &session)) {
		if (!call_refuse(call, TEXT("Failed to get game session")))
			player_error(player, dialect,
			    TEXT("Failed to get game session"));
		return;
	}
	if (player->joining != NULL)
		join_give_up(player, TEXT("Another session is joined"));
	if (actor.len > 2 && actor.at[0] == '"')
		actor = text_from(actor.at + 1, actor.len - 2);
	ask = ask_create(player, call);
	ask->session = session;
	ask->dialect = dialect;
	if (actor.len > 0 && actor.len <= ACTOR_MAX && actor.at[0] != '{' &&
	    actor.at[0] != '[')
		ask->actor = tabletop_copy(actor);
	player->joining = ask;
	circle = seat_take(&player->coming, player, true, session);
	/* It may have gone on, or ended, within that. */
	if (player->joining == ask && circle->is_ready)
		join_go_on(player);
}

void
on_join_session(struct socketio_call *call)
{
	join(call, DIALECT_OWNER);
}

void
on_join_code(struct socketio_call *call)
{
	join(call, DIALECT_CODE);
}

void
on_join_new(struct socketio_call *call)
{
	join(call, DIALECT_NEW);
}

void
on_leave(struct socketio_call *call)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	struct socketio_writer writer;
	int64_t session;

	if (call->arguments[0].at == NULL || (player->table.circle != NULL &&
	    tabletop_raw_id(call->arguments[0], &session) &&
	    session == player->table.circle->id))
		player_leave(player);
	if (!socketio_answer(call, &writer))
		return;
	json_raw(&writer.json, TEXT("{\"success\":true}"));
	socketio_answer_send(call, &writer);
}
