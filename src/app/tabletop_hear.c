/* SPDX-License-Identifier: MIT */
/*
 * Streams: one subscription of a worker for all of its players in a session,
 * and one for all sockets of a user; and what is made of their events.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/tabletop_inside.h"
#include "core/carried.h"
#include "core/feed.h"
#include "core/json.h"

#define LOGIN_SIGNS 16		/* of its hash, as SQL tells them */

/* --- what is told ------------------------------------------------------ */

/* The sid of who did it, which the others are told without. */
static text
sender_of(text data)
{
	text raw;

	if (!json_in_raw(data, TEXT("socket"), &raw) || raw.len < 2 ||
	    raw.at[0] != '"')
		return (TEXT_NONE);
	return (text_from(raw.at + 1, raw.len - 2));
}

static void
begin(struct tabletop *tabletop, text name, struct socketio_writer *writer)
{
	(void)tabletop;
	socketio_write(writer, SOCKETIO_EVENT, TEXT("/"));
	socketio_write_text(writer, name);
}

/* A chat as chat has it: its metadata, then the message. */
static void
write_chat(struct socketio_writer *writer, text data)
{
	text metadata, message;

	if (!json_in_raw(data, TEXT("metadata"), &metadata))
		metadata = TEXT("{}");
	if (!json_in_raw(data, TEXT("message"), &message))
		message = TEXT("\"\"");
	socketio_write_carried(writer, metadata, NULL);
	socketio_write_carried(writer, message, NULL);
}

void
tabletop_tell_chat(struct tabletop *tabletop, int32_t tenant,
    int64_t session, text actor, text data, bool is_local)
{
	char names[DIALECT_NEW + 1][TABLETOP_ROOM_SIZE];
	text rooms[DIALECT_NEW + 1], except = sender_of(data);
	struct socketio_target target = { .tenant = tenant, .nsp = TEXT("/"),
	    .except = &except, .except_count = except.at != NULL,
	    .is_local = is_local };
	struct socketio_writer writer;

	for (enum dialect d = DIALECT_OWNER; d <= DIALECT_NEW; d++)
		rooms[d] = actor.at != NULL ? tabletop_actor_room(session,
		    actor, d, names[d]) : tabletop_room(session, d, names[d]);
	begin(tabletop, TEXT("chat-message"), &writer);
	socketio_write_carried(&writer, data, NULL);
	target.rooms = &rooms[DIALECT_OWNER];
	target.rooms_count = 1;
	socketio_broadcast(tabletop->socketio, &target, &writer);
	begin(tabletop, TEXT("chat"), &writer);
	write_chat(&writer, data);
	target.rooms = &rooms[DIALECT_CODE];
	target.rooms_count = 2;
	socketio_broadcast(tabletop->socketio, &target, &writer);
}

/* In the dialects of old, whoever did something with a token hears it, too. */
static void
tell_table(struct circle *circle, text type, text data)
{
	char names[DIALECT_NEW + 1][TABLETOP_ROOM_SIZE];
	text rooms[DIALECT_NEW + 1], except = sender_of(data);
	bool is_token = text_begins(type, TEXT("token:"));
	struct socketio_target target = { .tenant = circle->tenant,
	    .nsp = TEXT("/"), .except = &except,
	    .except_count = except.at != NULL, .is_local = true };
	struct socketio_writer writer;

	for (enum dialect d = DIALECT_NONE; d <= DIALECT_NEW; d++)
		rooms[d] = tabletop_room(circle->id, d, names[d]);
	begin(circle->tabletop, type, &writer);
	socketio_write_carried(&writer, data, NULL);
	target.rooms = &rooms[is_token ? DIALECT_OWNER : DIALECT_NONE];
	target.rooms_count = 1;
	socketio_broadcast(circle->tabletop->socketio, &target, &writer);
	if (!is_token)
		return;
	begin(circle->tabletop, type, &writer);
	socketio_write_carried(&writer, data, NULL);
	target.rooms = &rooms[DIALECT_CODE];
	target.rooms_count = 2;
	target.except_count = 0;
	socketio_broadcast(circle->tabletop->socketio, &target, &writer);
}

/* Joined, left. */
static const char *const presence_words[][2] = {
	[DIALECT_NONE] = { "user-joined", "user-left" },
	[DIALECT_OWNER] = { "user-joined", "user-left" },
	[DIALECT_CODE] = { "userJoinedSession", "userLeftSession" },
	[DIALECT_NEW] = { "gameSession:joined", "gameSession:left" },
};

/* In each dialect by its own word, but to him. */
static void
tell_presence(struct circle *circle, bool has_left, text data)
{
	char name[TABLETOP_ROOM_SIZE];
	text room, except = sender_of(data);
	const struct socketio_target target = { .tenant = circle->tenant,
	    .nsp = TEXT("/"), .rooms = &room, .rooms_count = 1,
	    .except = &except, .except_count = except.at != NULL,
	    .is_local = true };
	struct socketio_writer writer;

	for (enum dialect d = DIALECT_OWNER; d <= DIALECT_NEW; d++) {
		room = tabletop_room(circle->id, d, name);
		begin(circle->tabletop, text_of(presence_words[d][has_left]),
		    &writer);
		socketio_write_carried(&writer, data, NULL);
		socketio_broadcast(circle->tabletop->socketio, &target,
		    &writer);
	}
}

/* Somebody is said to have left who sits here. */
static void
look_for(struct circle *circle, text sid)
{
	struct seat *seat, *next;

	DL_FOREACH_SAFE(circle->seats, seat, next) {
		struct player *player = seat->player;

		if (seat->circle == circle && seat == &player->table &&
		    text_is(socketio_sid(player->socket), sid)) {
			seat_take_back(player);
			return;
		}
	}
}

/* He leaves, or does not come in after all. */
static void
throw_out(struct seat *seat)
{
	struct player *player = seat->player;

	if (seat == &player->coming) {
		join_give_up(player, error_rows[ERR_tabletop_denied].words);
		return;
	}
	player_error(player, player->dialect,
	    error_rows[ERR_tabletop_denied].words);
	player_leave(player, true);
	player_keep_place(player, NULL);
}

static bool
is_removed(const struct player *player, const struct circle *circle,
    text data)
{
	int64_t user;
	text raw;

	return (json_in_raw(data, TEXT("userId"), &raw) &&
	    text_to_int64(raw, 1, INT64_MAX, &user) &&
	    player->user == user && user != circle->master &&
	    !player->is_admin);
}

static void
remove_member(struct circle *circle, text data)
{
	struct seat *seat, *next;

	DL_FOREACH_SAFE(circle->seats, seat, next)
		if (seat->circle == circle && !seat->is_behind &&
		    is_removed(seat->player, circle, data))
			throw_out(seat);
}

static bool
has_number(struct json_object *array, int64_t wanted)
{
	int64_t number;
	size_t count;

	if (!json_in_as_array(array, &count))
		return (false);
	for (size_t i = 0; i < count; i++)
		if (json_in_as_int(json_in_element(array, i), &number) &&
		    number == wanted)
			return (true);
	return (false);
}

static int64_t
master_of(struct json_object *session)
{
	int64_t master;

	return (json_in_int(session, "gameMasterId", &master) ? master : 0);
}

static bool
has_place(const struct player *player, struct json_object *session)
{
	return (player->is_admin || player->user == master_of(session) ||
	    has_number(json_in_member(session, "participantIds"),
	    player->user));
}

/* Of a session as it is now: whoever has no place in it any more leaves. */
static void
take_session(struct circle *circle, text session)
{
	struct json_object *json = json_in_read(session);
	struct seat *seat, *next;

	if (json == NULL)
		return;
	circle->master = master_of(json);
	DL_FOREACH_SAFE(circle->seats, seat, next)
		if (seat->circle == circle && !seat->is_behind &&
		    !has_place(seat->player, json))
			throw_out(seat);
	json_in_free(&json);
}

void
player_take_session(struct player *player, text session)
{
	struct json_object *json = json_in_read(session);

	if (json != NULL && !has_place(player, json))
		throw_out(&player->table);
	json_in_free(&json);
}

static void
hear_table(struct circle *circle, text type, text data)
{
	bool has_left = text_is(type, TEXT("user-left"));
	text session;

	if (text_is(type, TEXT("chat-message"))) {
		tabletop_tell_chat(circle->tabletop, circle->tenant,
		    circle->id, TEXT_NONE, data, true);
		return;
	}
	if (has_left || text_is(type, TEXT("user-joined"))) {
		tell_presence(circle, has_left, data);
		if (has_left)
			look_for(circle, sender_of(data));
		return;
	}
	tell_table(circle, type, data);
	if (text_is(type, TEXT("member-removed")))
		remove_member(circle, data);
	else if (text_is(type, TEXT("session-updated")) &&
	    json_in_raw(data, TEXT("session"), &session))
		take_session(circle, session);
}

static void
end_login(struct player *player, text login)
{
	text mine = text_from(player->caller + sizeof "login:" - 1,
	    LOGIN_SIGNS);

	if (text_is(login, mine))
		socketio_disconnect(player->socket, true);
}

/*
 * As his dialect has it. What he did himself he is not told, but for tokens
 * in the dialects of old.
 */
static void
tell_player(struct player *player, text type, text data, bool is_chat)
{
	struct socketio_writer writer;

	if (text_is(socketio_sid(player->socket), sender_of(data)) &&
	    (player->dialect < DIALECT_CODE ||
	    !text_begins(type, TEXT("token:"))))
		return;
	if (is_chat && player->dialect > DIALECT_OWNER) {
		socketio_event(player->socket, TEXT("chat"), &writer);
		write_chat(&writer, data);
	} else {
		socketio_event(player->socket, type, &writer);
		socketio_write_carried(&writer, data, NULL);
	}
	socketio_send(player->socket, &writer);
}

void
player_hear_user(struct player *player, text type, text data)
{
	text raw;

	if (!text_is(type, TEXT("login-ended")))
		tell_player(player, type, data, true);
	else if (json_in_raw(data, TEXT("login"), &raw) &&
	    raw.len == LOGIN_SIGNS + 2)
		end_login(player, text_from(raw.at + 1, LOGIN_SIGNS));
}

void
tabletop_tell_one(struct player *player, text type, text data)
{
	bool has_left = text_is(type, TEXT("user-left"));
	struct socketio_writer writer;

	if (!has_left && !text_is(type, TEXT("user-joined"))) {
		tell_player(player, type, data,
		    text_is(type, TEXT("chat-message")));
		return;
	}
	if (text_is(socketio_sid(player->socket), sender_of(data)))
		return;
	socketio_event(player->socket,
	    text_of(presence_words[player->dialect][has_left]), &writer);
	socketio_write_carried(&writer, data, NULL);
	socketio_send(player->socket, &writer);
}

void
player_hear_table(struct player *player, text type, text data)
{
	const struct circle *circle = player->table.circle;
	text session;

	tabletop_tell_one(player, type, data);
	if (text_is(type, TEXT("user-left"))) {
		if (text_is(socketio_sid(player->socket), sender_of(data)))
			seat_take_back(player);
	} else if (text_is(type, TEXT("member-removed"))) {
		if (is_removed(player, circle, data))
			throw_out(&player->table);
	} else if (text_is(type, TEXT("session-updated")) &&
	    json_in_raw(data, TEXT("session"), &session))
		player_take_session(player, session);
}

static void
hear_user(struct circle *circle, text type, text data)
{
	struct seat *seat, *next;

	DL_FOREACH_SAFE(circle->seats, seat, next)
		if (seat->circle == circle && !seat->is_behind)
			player_hear_user(seat->player, type, data);
}

/* --- subscriptions ----------------------------------------------------- */

static struct circle *
circle_of(struct subscription *sub)
{
	return ((struct circle *)sub);
}

/* Those who are about to come in. */
static void
hear_before(struct circle *circle, struct event *event, text data)
{
	struct seat *seat, *next;

	DL_FOREACH_SAFE(circle->seats, seat, next)
		if (seat->circle == circle && join_hears(seat))
			join_hear(seat->player, event->seq,
			    event_type(event), data);
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	struct circle *circle = circle_of(sub);
	text data;

	if (circle->seats == NULL)
		return;
	circle_advance(circle, event);
	if (json_in_raw(event->envelope, TEXT("data"), &data)) {
		hear_before(circle, event, data);
		if (circle->is_table)
			hear_table(circle, event_type(event), data);
		else
			hear_user(circle, event_type(event), data);
	}
	circle_catch_up(circle);
}

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	struct circle *circle = circle_of(sub);
	struct seat *seat, *next;

	(void)epoch, (void)head, (void)recovered, (void)resync;
	circle->is_ready = true;
	DL_FOREACH_SAFE(circle->seats, seat, next)
		if (seat->circle != circle)
			continue;
		else if (seat == &seat->player->coming)
			join_go_on(seat->player);
		else if (seat == &seat->player->self)
			seat_keep_self(seat);
	circle_catch_up(circle);
}

void
circle_write_state(const struct circle *circle, text body, struct buf *out)
{
	text state;

	if (!json_in_raw(body, TEXT("state"), &state))
		state = TEXT("null");
	buf_printf(out, "{\"sessionId\":%" PRId64 ",\"resync\":true,"
	    "\"session\":%.*s}", circle->id, TEXT_ARGS(state));
}

text
circle_stream(const struct circle *circle)
{
	return (text_of(strchr(circle->key, ' ') + 1));
}

/* What lay between is told as the session as it is now. */
static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	struct circle *circle = circle_of(sub);
	const struct event event = { .epoch = epoch, .seq = head };
	struct seat *seat, *next;
	struct buf data;
	text state;

	circle_advance(circle, &event);
	/* What they would have heard is not known: they join again. */
	DL_FOREACH_SAFE(circle->seats, seat, next)
		if (seat->circle == circle && join_hears(seat))
			join_give_up(seat->player,
			    error_rows[ERR_database_away].words);
	if (circle->is_table) {
		buf_init(&data, BUF_NO_LIMIT);
		circle_write_state(circle, resync->body, &data);
		tell_table(circle, TEXT("session-updated"), buf_text(&data));
		buf_fini(&data);
		if (json_in_raw(resync->body, TEXT("state"), &state))
			take_session(circle, state);
	}
	circle_catch_up(circle);
}

/* The session is no more; or the log cannot be asked, and he joins again. */
static void
on_ended(struct subscription *sub, enum hub_end why)
{
	struct circle *circle = circle_of(sub);
	struct seat *seat, *next;

	circle->is_ready = false;
	DL_FOREACH_SAFE(circle->seats, seat, next) {
		struct player *player = seat->player;

		if (seat->circle != circle)
			continue;
		if (seat == &player->coming)
			join_give_up(player, why == HUB_REFUSED ?
			    error_rows[ERR_database_away].words :
			    TEXT("Failed to get game session"));
		else if (seat == &player->table && why != HUB_REFUSED) {
			player_error(player, player->dialect,
			    TEXT("Game session not found"));
			player_leave(player, true);
		} else
			player_break_off(player);
	}
}

static bool
on_has_room(struct subscription *sub)
{
	(void)sub;
	return (true);
}

static const struct subscription_acts circle_acts = { on_deliver,
    on_subscribed, on_resync, on_ended, on_has_room };

struct circle *
seat_take(struct seat *seat, struct player *player, bool is_table,
    int64_t id)
{
	struct tabletop *tabletop = player->tabletop;
	struct circle *circle;
	char key[64];
	text name;
	bool is_new;

	snprintf(key, sizeof key, "%d %s:%" PRId64, player->tenant,
	    is_table ? "table" : "user", id);
	name = text_of(strchr(key, ' ') + 1);
	HASH_FIND(hh, tabletop->circles, key, strlen(key), circle);
	is_new = circle == NULL;
	if (is_new) {
		circle = mem_alloc(sizeof *circle + strlen(key) + 1);
		circle->tabletop = tabletop;
		circle->tenant = player->tenant;
		circle->id = id;
		circle->is_table = is_table;
		circle->key_len = strlen(key);
		memcpy(circle->key, key, circle->key_len + 1);
		HASH_ADD_KEYPTR(hh, tabletop->circles, circle->key,
		    circle->key_len, circle);
		subscription_init(&circle->sub, &circle_acts);
	}
	seat->circle = circle;
	seat->player = player;
	DL_APPEND(circle->seats, seat);
	if (is_new)
		hub_join(feed_hubs(tabletop->service->feed), player->tenant,
		    name, &circle->sub,
		    &(struct cursor){ .kind = CURSOR_NONE });
	return (circle);
}

/* Whoever walks over them is inside of the circle's own callbacks. */
void
seat_leave(struct seat *seat)
{
	struct circle *circle = seat->circle;
	struct tabletop *tabletop;

	if (circle == NULL)
		return;
	tabletop = circle->tabletop;
	seat->circle = NULL;
	DL_DELETE(circle->seats, seat);
	socketio_track_end(&seat->track);
	if (seat->is_behind) {
		seat->is_behind = false;
		circle->behind--;
		hub_leave(&seat->own);
	}
	if (circle->seats != NULL)
		return;
	hub_leave(&circle->sub);
	HASH_DELETE(hh, tabletop->circles, circle);
	LL_PREPEND(tabletop->old_circles, circle);
}

void
circles_free(struct tabletop *tabletop)
{
	struct circle *circle, *next;

	LL_FOREACH_SAFE(tabletop->old_circles, circle, next)
		mem_free(circle);
	tabletop->old_circles = NULL;
}
