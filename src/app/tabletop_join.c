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
 *
 * Rooms of Socket.IO, of which a joined socket is in two, or four:
 *
 *	session:<id>	     session:<id>/<dialect>
 *	actor:<id>:<actor>   actor:<id>:<actor>/<dialect>
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/tabletop_inside.h"
#include "core/json.h"

#define ACTOR_MAX 100
#define HEARD_MAX 1000

/* --- rooms ------------------------------------------------------------- */

text
tabletop_room(int64_t session, enum dialect dialect,
    char out[TABLETOP_ROOM_SIZE])
{
	if (dialect == DIALECT_NONE)
		snprintf(out, TABLETOP_ROOM_SIZE, "session:%" PRId64, session);
	else
		snprintf(out, TABLETOP_ROOM_SIZE, "session:%" PRId64 "/%d",
		    session, (int)dialect);
	return (text_of(out));
}

text
tabletop_actor_room(int64_t session, text actor, enum dialect dialect,
    char out[TABLETOP_ROOM_SIZE])
{
	snprintf(out, TABLETOP_ROOM_SIZE, "actor:%" PRId64 ":%.*s/%d",
	    session, TEXT_ARGS(actor), (int)dialect);
	return (text_of(out));
}

/* --- leaving ----------------------------------------------------------- */

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
player_leave(struct player *player, bool is_told)
{
	if (player->table.circle == NULL)
		return;
	if (is_told)
		seat_give(player->tabletop, player->tenant,
		    socketio_sid(player->socket), player->table.circle->id,
		    player->table_visit);
	leave_rooms(player);
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

/* --- what is told meanwhile -------------------------------------------- */

bool
join_hears(const struct seat *seat)
{
	const struct player *player = seat->player;
	const struct ask *ask = player->joining;

	return (seat == &player->coming && ask != NULL &&
	    (player->at_work == ask || ask->is_allowed));
}

/*
 * SQL may have let him in before that happened, and he is to hear all that
 * came behind it; but here he is in when its answer is read, or is kept.
 */
void
join_hear(struct player *player, uint64_t seq, text type, text data)
{
	struct ask *ask = player->joining;
	struct heard *heard;

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

/* His own coming, which is the last of the session's in there. */
static uint64_t
number_of_coming(const struct ask *ask, const struct db_answer *answer)
{
	uint64_t number = 0;
	struct call_row row;
	char name[40];

	snprintf(name, sizeof name, "table:%" PRId64, ask->session);
	for (unsigned i = 0; i < db_rows(answer); i++)
		if (call_row_read(answer, i, &row) && row.is_event &&
		    text_is(row.stream, text_of(name)) && row.seq > number)
			number = row.seq;
	return (number);
}

static void
tell_heard(struct ask *ask)
{
	struct heard *heard;

	DL_FOREACH(ask->heard, heard)
		if (heard->seq > ask->joined)
			tabletop_tell_one(ask->player, heard->type,
			    heard->data);
}

/* --- coming in --------------------------------------------------------- */

/*
 * With what is kept of the seat that he waited in. Who leads the session is
 * there already, where this worker knows it.
 */
static void
come_in(struct player *player, struct ask *ask, text body)
{
	struct socketio_track *track = player->coming.track;
	struct circle *circle;
	text master;

	player->coming.track = NULL;
	/* Where he was SQL has told the others. */
	if (player->table.circle != NULL)
		leave_rooms(player);
	circle = seat_take(&player->table, player, true, ask->session);
	player->table.track = track;
	seat_leave(&player->coming);
	if (json_in_raw(body, TEXT("gameMasterId"), &master) &&
	    !text_to_int64(master, 1, INT64_MAX, &circle->master))
		circle->master = 0;
	player->table_visit = ask->visit;
	player->dialect = ask->dialect;
	player->actor = ask->actor;
	ask->actor = TEXT_NONE;
	player_enter_rooms(player);
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
	come_in(player, ask, body);
	buf_init(&members, BUF_NO_LIMIT);
	buf_printf(&members, "{\"data\":%.*s}", TEXT_ARGS(body));
	ask_accept(ask, buf_text(&members));
	buf_fini(&members);
	tell_heard(ask);
}

static text
words_of(enum err err)
{
	return (err == ERR_session_not_found ?
	    TEXT("Failed to get game session") : error_rows[err].words);
}

/* SQL has let him in, but he does not come; where he sat he has no row. */
static void
give_up_allowed(struct player *player, struct ask *ask)
{
	player_keep_place(player, NULL);
	seat_give(ask->tabletop, ask->tenant, ask->kept, ask->session,
	    ask->visit);
	seat_take_back(player);
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
		join_give_up(player, words_of(kept == SOCKETIO_NO_STREAM ?
		    ERR_session_not_found : ERR_database_away));
		return;
	}
	/* He hears from here on. */
	if (hub_head(&player->coming.circle->sub, &epoch, &head))
		socketio_track_set(player->coming.track, epoch, head);
	let_in(player, ask, ask->body);
	ask_end(&ask);
}

/* false: the ask goes on, until that he joins is kept. */
static bool
answer_join(struct ask *ask, text body, enum err err)
{
	struct player *player = ask->player;

	if (err != ERR_none) {
		player->joining = NULL;
		seat_leave(&player->coming);
		refuse(ask, words_of(err));
		return (true);
	}
	if (!socketio_is_kept(player->socket)) {
		let_in(player, ask, body);
		return (true);
	}
	/* Whoever gives it up ends it: SQL has answered. */
	ask->done = NULL;
	ask->is_allowed = true;
	ask->body = tabletop_copy(body);
	player_keep_place(player, ask);
	seat_keep(&player->coming, on_join_kept);
	return (false);
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
	if (is_wanted && err == ERR_none)
		ask->joined = number_of_coming(ask, answer);
	if (!is_wanted || answer_join(ask, body, err))
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

	if (ask == NULL || ask->done != NULL || ask->is_allowed ||
	    player->at_work != NULL || !player->coming.circle->is_ready)
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
	if (ask->is_allowed)
		give_up_allowed(player, ask);
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
