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
player_leave(struct player *player, bool is_told)
{
	static const char *const words[] = { [DIALECT_OWNER] = "user-left",
	    [DIALECT_CODE] = "userLeftSession",
	    [DIALECT_NEW] = "gameSession:left" };
	char name[TABLETOP_ROOM_SIZE];
	int64_t session;

	if (player->table.circle == NULL)
		return;
	session = player->table.circle->id;
	if (is_told)
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

void
player_enter_rooms(struct player *player)
{
	int64_t session = player->table.circle->id;
	char name[TABLETOP_ROOM_SIZE];

	socketio_join(player->socket, tabletop_room(session, DIALECT_NONE,
	    name));
	socketio_join(player->socket, tabletop_room(session, player->dialect,
	    name));
	if (player->actor.at != NULL)
		socketio_join(player->socket, tabletop_actor_room(session,
		    player->actor, player->dialect, name));
}

void
player_tell_joined(struct player *player)
{
	static const char *const words[] = { [DIALECT_OWNER] = "user-joined",
	    [DIALECT_CODE] = "userJoinedSession",
	    [DIALECT_NEW] = "gameSession:joined" };

	tell_presence(player, words, false);
}

/* With what is kept of the seat that he waited in. */
static void
come_in(struct player *player, struct ask *ask)
{
	struct socketio_track *track = player->coming.track;

	player->coming.track = NULL;
	player_leave(player, true);
	seat_take(&player->table, player, true, ask->session);
	player->table.track = track;
	seat_leave(&player->coming);
	player->dialect = ask->dialect;
	player->actor = ask->actor;
	ask->actor = TEXT_NONE;
	player_enter_rooms(player);
	player_tell_joined(player);
}

static void
refuse(struct ask *ask, text words)
{
	if (!ask_refuse(ask, words) && ask->player != NULL)
		player_error(ask->player, ask->dialect, words);
}

static void
let_in(struct player *player, struct ask *ask, text body)
{
	struct buf members;

	player->joining = NULL;
	come_in(player, ask);
	buf_init(&members, BUF_NO_LIMIT);
	buf_printf(&members, "{\"data\":%.*s}", TEXT_ARGS(body));
	ask_accept(ask, buf_text(&members));
	buf_fini(&members);
	ask_end(&ask);
}

static void
keep_out(struct player *player, struct ask *ask, text words)
{
	player->joining = NULL;
	seat_leave(&player->coming);
	if (ask->is_allowed)
		player_keep_place(player, NULL);
	refuse(ask, words);
	ask_end(&ask);
}

/* That he joins is kept, so it may be said. */
static void
on_join_kept(void *me, enum socketio_keeping kept)
{
	struct player *player = ((struct seat *)me)->player;
	struct ask *ask = player->joining;
	uint64_t head;
	text epoch;

	if (kept != SOCKETIO_KEPT) {
		keep_out(player, ask, kept == SOCKETIO_NO_STREAM ?
		    TEXT("Failed to get game session") :
		    error_rows[ERR_database_away].words);
		return;
	}
	/* He hears from here on. */
	if (hub_head(&player->coming.circle->sub, &epoch, &head))
		socketio_track_set(player->coming.track, epoch, head);
	let_in(player, ask, ask->kept);
}

static void
on_allowed(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct player *player = ask->player;

	(void)answer;
	if (player == NULL || player->joining != ask) {
		/* He has gone, or was told already. */
		ask_end(&ask);
		return;
	}
	if (err != ERR_none)
		keep_out(player, ask, err == ERR_session_not_found ?
		    TEXT("Failed to get game session") :
		    error_rows[err].words);
	else if (!socketio_is_kept(player->socket))
		let_in(player, ask, body);
	else {
		/* Whoever gives it up ends it: SQL has answered. */
		ask->done = NULL;
		ask->is_allowed = true;
		ask->kept = tabletop_copy(body);
		player_keep_place(player, ask);
		seat_keep(&player->coming, on_join_kept);
	}
}

void
join_go_on(struct player *player)
{
	struct ask *ask = player->joining;
	char number[24];
	text input;

	if (ask == NULL || ask->done != NULL || ask->is_allowed)
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
	if (ask->is_allowed)
		player_keep_place(player, NULL);
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

static void
on_leave_kept(void *me, bool is_kept)
{
	struct socketio_debt *debt = me;
	struct socketio_writer writer;

	if (!is_kept || !socketio_debt_is_wanted(debt)) {
		socketio_debt_pay(&debt, NULL);
		return;
	}
	socketio_debt_answer(debt, &writer);
	json_raw(&writer.json, TEXT("{\"success\":true}"));
	socketio_debt_pay(&debt, &writer);
}

void
on_leave(struct socketio_call *call)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	struct socketio_debt *debt;
	int64_t session;

	if (call->arguments[0].at == NULL || (player->table.circle != NULL &&
	    tabletop_raw_id(call->arguments[0], &session) &&
	    session == player->table.circle->id)) {
		player_leave(player, true);
		player_keep_place(player, NULL);
	}
	debt = socketio_answer_later(call);
	if (debt == NULL)
		return;
	if (socketio_is_kept(player->socket))
		socketio_keep(player->socket, on_leave_kept, debt);
	else
		on_leave_kept(debt, true);
}
