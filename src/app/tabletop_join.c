/* SPDX-License-Identifier: MIT */
/*
 * Joining: the session's stream is followed first, then SQL says whether he
 * may, and tells the others; so that whatever happens after the answer is
 * heard, and a membership that ends meanwhile is not overlooked.
 *
 *	     on_join	     join_go_on		on_seat
 *	out ────────> waits ────────────> asks ────────────> in
 *	 ^		└────────┬──────────┘		     │
 *	 └──── join_give_up: missing, removed, replaced;     │
 *	 └──── refused ──────────┘	     player_leave ───┘
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/tabletop_inside.h"
#include "core/json.h"

#define ACTOR_MAX 100
#define HEARD_MAX 1000

/* From the rooms alone: the database knows, or will. */
static void
leave_rooms(struct player *player)
{
	char name[TABLETOP_ROOM_SIZE];
	int64_t session = player->table.circle->id;

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
player_leave(struct player *player)
{
	if (player->table.circle == NULL)
		return;
	seat_give(player->tabletop, player->tenant,
	    socketio_sid(player->socket), player->table.circle->id,
	    player->table_visit);
	leave_rooms(player);
}

/* Who leads it is there already, where this worker knows it. */
static void
come_in(struct player *player, struct ask *ask, text body)
{
	char name[TABLETOP_ROOM_SIZE];
	int64_t session = ask->session;
	text master;

	/* Where he was SQL has told the others. */
	if (player->table.circle != NULL)
		leave_rooms(player);
	seat_take(&player->table, player, true, session);
	seat_leave(&player->coming);
	if (json_in_raw(body, TEXT("gameMasterId"), &master) &&
	    !text_to_int64(master, 1, INT64_MAX,
	    &player->table.circle->master))
		player->table.circle->master = 0;
	player->table_visit = ask->visit;
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
}

/* --- what is told meanwhile -------------------------------------------- */

/*
 * SQL may have let him in before that happened, and he is to hear all that
 * came behind it; but here he is in when its answer is read.
 */
void
join_hear(struct player *player, uint64_t seq, text type, text data)
{
	struct ask *ask = player->joining;
	struct heard *heard;

	if (ask == NULL || player->at_work != ask)
		return;
	if (ask->heard_count++ == HEARD_MAX) {
		join_give_up(player, error_rows[ERR_database_away].words);
		return;
	}
	heard = mem_alloc(sizeof *heard);
	heard->seq = seq;
	heard->type = tabletop_copy(type);
	heard->data = tabletop_copy(data);
	DL_APPEND(ask->heard, heard);
}

void
heard_free(struct ask *ask)
{
	struct heard *heard, *next;

	DL_FOREACH_SAFE(ask->heard, heard, next) {
		DL_DELETE(ask->heard, heard);
		tabletop_drop(&heard->type);
		tabletop_drop(&heard->data);
		mem_free(heard);
	}
}

/* Behind his own coming, which is the last of the session's in there. */
static void
tell_heard(struct ask *ask, const struct db_answer *answer)
{
	uint64_t joined = 0;
	char name[40];
	struct heard *heard;
	struct call_row row;

	snprintf(name, sizeof name, "table:%" PRId64, ask->session);
	for (unsigned i = 0; i < db_rows(answer); i++)
		if (call_row_read(answer, i, &row) && row.is_event &&
		    text_is(row.stream, text_of(name)) && row.seq > joined)
			joined = row.seq;
	DL_FOREACH(ask->heard, heard)
		if (heard->seq > joined)
			tabletop_tell_one(ask->player, heard->type,
			    heard->data);
}

/* --- coming in --------------------------------------------------------- */

static void
refuse(struct ask *ask, text words)
{
	if (!ask_refuse(ask, words) && ask->player != NULL)
		player_error(ask->player, ask->dialect, words);
}

static void
answer_join(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct player *player = ask->player;
	struct buf members;

	player->joining = NULL;
	if (err != ERR_none) {
		seat_leave(&player->coming);
		refuse(ask, err == ERR_session_not_found ?
		    TEXT("Failed to get game session") :
		    error_rows[err].words);
		return;
	}
	come_in(player, ask, body);
	buf_init(&members, BUF_NO_LIMIT);
	buf_printf(&members, "{\"data\":%.*s}", TEXT_ARGS(body));
	ask_accept(ask, buf_text(&members));
	buf_fini(&members);
	tell_heard(ask, answer);
}

/*
 * Where nobody waits for it any more, or it is not known, a row that may be
 * there goes again; and where he sat before he may have lost his.
 */
static void
on_seat(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct player *player = ask->player;
	bool is_wanted = player != NULL && player->joining == ask;
	bool is_stray = is_wanted ? answer->result == DB_UNKNOWN :
	    err == ERR_none || answer->result == DB_UNKNOWN;

	if (player != NULL)
		player->at_work = NULL;
	if (is_stray)
		seat_give(ask->tabletop, ask->tenant, ask->kept,
		    ask->session, ask->visit);
	if (is_wanted)
		answer_join(ask, body, err, answer);
	ask_end(&ask);
	if (player == NULL)
		return;
	if (is_stray || player->has_to_take_back)
		seat_take_back(player);
	join_go_on(player);
}

void
join_go_on(struct player *player)
{
	struct ask *ask = player->joining;
	enum err err;

	if (ask == NULL || ask->done != NULL || player->at_work != NULL ||
	    !player->coming.circle->is_ready)
		return;
	err = ask_take(ask, 0);
	if (err != ERR_none) {
		join_give_up(player, error_rows[err].words);
		return;
	}
	ask->done = on_seat;
	ask->visit = ++player->visit;
	seat_ask(ask);
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

/* A text, or a number; else none. Its own memory. */
static text
read_actor(text argument)
{
	struct json_object *value = json_in_read(argument);
	text actor = TEXT_NONE;
	int64_t number;

	if (json_in_as_int(value, &number))
		actor = tabletop_copy(argument);
	else if (json_in_as_text(value, &actor))
		actor = actor.len > 0 && actor.len <= ACTOR_MAX ?
		    tabletop_copy(actor) : TEXT_NONE;
	json_in_free(&value);
	return (actor);
}

static void
join(struct socketio_call *call, enum dialect dialect)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
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
	ask = ask_create(player, call);
	ask->session = session;
	ask->dialect = dialect;
	ask->actor = read_actor(call->arguments[1]);
	ask->kept = tabletop_copy(socketio_sid(player->socket));
	player->joining = ask;
	seat_take(&player->coming, player, true, session);
	/* It may have gone on, or ended, within that. */
	if (player->joining == ask)
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
