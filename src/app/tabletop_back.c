/* SPDX-License-Identifier: MIT */
/*
 * Sockets that are put back where they were: a player follows the streams of
 * his seats by himself, from where he stopped, until he is where the circle
 * is that all others hear by.
 *
 *	                 own subscription		   the circle's
 *	put back ──> behind ── 18 19 20 ──> both at 20 ──> in its rooms
 *
 * Who plays an actor begins anew, as what is said to actors has no number.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/tabletop_inside.h"
#include "base/conf.h"
#include "core/feed.h"
#include "core/json.h"

/* --- what is kept ------------------------------------------------------ */

void
seat_keep(struct seat *seat,
    void (*on_kept)(void *seat, enum socketio_keeping kept))
{
	struct cursor cursor = { .kind = CURSOR_NONE };

	if (hub_head(&seat->circle->sub, &cursor.epoch, &cursor.seq))
		cursor.kind = CURSOR_PAIR;
	seat->track = socketio_track(seat->player->socket,
	    circle_stream(seat->circle), &cursor, on_kept, seat);
}

/* Without it he will begin anew. */
static void
on_self_kept(void *me, enum socketio_keeping kept)
{
	struct seat *seat = me;

	if (kept != SOCKETIO_KEPT)
		socketio_track_end(&seat->track);
}

void
seat_keep_self(struct seat *seat)
{
	if (seat->track == NULL && seat->circle->is_ready &&
	    socketio_is_kept(seat->player->socket))
		seat_keep(seat, on_self_kept);
}

void
player_keep_place(struct player *player, const struct ask *joining)
{
	const struct circle *circle = player->table.circle;
	enum dialect dialect = player->dialect;
	int64_t visit = player->table_visit;
	text actor = player->actor;
	char data[128] = "";

	if (!socketio_is_kept(player->socket))
		return;
	if (joining != NULL) {
		circle = player->coming.circle;
		dialect = joining->dialect;
		visit = joining->visit;
		actor = joining->actor;
	}
	if (circle != NULL)
		snprintf(data, sizeof data, "{\"session\":%" PRId64
		    ",\"visit\":%" PRId64 ",\"dialect\":%d,\"actor\":%s}",
		    circle->id, visit, (int)dialect,
		    actor.at != NULL ? "true" : "false");
	socketio_keep_data(player->socket, text_of(data));
}

void
circle_advance(struct circle *circle, const struct event *event)
{
	struct seat *seat;

	if (circle->tabletop->service->conf->socketio_recovery == 0 ||
	    event->seq == 0)
		return;
	DL_FOREACH(circle->seats, seat)
		if (seat->track != NULL && !seat->is_behind)
			socketio_track_set(seat->track, event->epoch,
			    event->seq);
}

/* --- catching up ------------------------------------------------------- */

static struct seat *
seat_of(struct subscription *sub)
{
	return ((struct seat *)((char *)sub - offsetof(struct seat, own)));
}

static void
catch_up(struct seat *seat)
{
	const struct subscription *sub = &seat->circle->sub;
	struct player *player = seat->player;

	if (sub->state != SUBSCRIPTION_LIVE ||
	    seat->own.state != SUBSCRIPTION_LIVE ||
	    sub->last != seat->own.last)
		return;
	seat->is_behind = false;
	seat->circle->behind--;
	hub_leave(&seat->own);
	if (seat == &player->table)
		player_enter_rooms(player);
}

void
circle_catch_up(struct circle *circle)
{
	struct seat *seat, *next;

	if (circle->behind == 0)
		return;
	DL_FOREACH_SAFE(circle->seats, seat, next)
		if (seat->circle == circle && seat->is_behind)
			catch_up(seat);
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	struct seat *seat = seat_of(sub);
	text data;

	if (event->seq == 0)
		return;
	socketio_track_set(seat->track, event->epoch, event->seq);
	if (json_in_raw(event->envelope, TEXT("data"), &data)) {
		if (seat->circle->is_table)
			player_hear_table(seat->player, event_type(event),
			    data);
		else
			player_hear_user(seat->player, event_type(event),
			    data);
	}
	if (seat->is_behind)
		catch_up(seat);
}

static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	struct seat *seat = seat_of(sub);
	struct socketio_writer writer;
	text state;

	socketio_track_set(seat->track, epoch, head);
	if (seat->circle->is_table) {
		socketio_event(seat->player->socket, TEXT("session-updated"),
		    &writer);
		json_raw(&writer.json, TEXT(""));
		circle_write_state(seat->circle, resync->body,
		    &writer.payload);
		socketio_send(seat->player->socket, &writer);
		if (json_in_raw(resync->body, TEXT("state"), &state))
			player_take_session(seat->player, state);
	}
	if (seat->is_behind)
		catch_up(seat);
}

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	(void)recovered;
	if (resync != NULL)
		on_resync(sub, epoch, head, resync);
	else
		catch_up(seat_of(sub));
}

/* The circle is told the same, but where only this one joined too late. */
static void
on_ended(struct subscription *sub, enum hub_end why)
{
	struct seat *seat = seat_of(sub);
	struct player *player = seat->player;

	if (seat == &player->table && why != HUB_REFUSED) {
		player_error(player, player->dialect,
		    TEXT("Game session not found"));
		player_leave(player, true);
	} else
		socketio_disconnect(player->socket, true);
}

static bool
on_has_room(struct subscription *sub)
{
	return (socketio_has_room(seat_of(sub)->player->socket));
}

static const struct subscription_acts seat_acts = { on_deliver,
    on_subscribed, on_resync, on_ended, on_has_room };

/* --- coming back ------------------------------------------------------- */

static bool
is_stream(const struct socketio_track *track, const char *kind, int64_t id)
{
	char name[48];

	snprintf(name, sizeof name, "%s:%" PRId64, kind, id);
	return (text_is(socketio_track_stream(track), text_of(name)));
}

/* Where he was; session 0: nowhere. false: he cannot be put back. */
static bool
read_place(struct player *player, text given)
{
	struct json_object *data;
	bool is_fit, is_actor = true;
	int64_t dialect = 0;

	if (given.len == 0)
		return (true);
	data = json_in_read(given);
	is_fit = json_in_int(data, "session", &player->back_session) &&
	    json_in_int(data, "visit", &player->table_visit) &&
	    json_in_int(data, "dialect", &dialect) &&
	    json_in_bool(data, "actor", &is_actor) && !is_actor &&
	    dialect > DIALECT_NONE && dialect <= DIALECT_NEW;
	json_in_free(&data);
	player->dialect = (enum dialect)dialect;
	player->visit = player->table_visit;
	return (is_fit);
}

bool
player_on_past(void *application, const struct socketio_past *past)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    application);
	struct socketio_track *self = NULL, *table = NULL;

	if (!read_place(player, past->data))
		return (false);
	for (unsigned i = 0; i < past->count; i++)
		if (is_stream(past->tracks[i], "user", player->user))
			self = past->tracks[i];
		else if (player->back_session != 0 && is_stream(
		    past->tracks[i], "table", player->back_session))
			table = past->tracks[i];
	if (self == NULL || (player->back_session != 0 && table == NULL))
		return (false);
	for (unsigned i = 0; i < past->count; i++)
		if (past->tracks[i] != self && past->tracks[i] != table)
			socketio_track_end(&past->tracks[i]);
	player->self.track = self;
	player->table.track = table;
	return (true);
}

static void
resume(struct seat *seat, struct player *player, bool is_table, int64_t id)
{
	struct circle *circle;
	struct cursor cursor;

	subscription_init(&seat->own, &seat_acts);
	circle = seat_take(seat, player, is_table, id);
	if (seat->circle == NULL)
		return;		/* it ended within that */
	seat->is_behind = true;
	circle->behind++;
	socketio_track_cursor(seat->track, &cursor);
	hub_join(feed_hubs(player->tabletop->service->feed), player->tenant,
	    circle_stream(circle), &seat->own, &cursor);
}

void
player_come_back(struct player *player)
{
	if (player->table.track != NULL) {
		resume(&player->table, player, true, player->back_session);
		/* The others hear of it only where he is said to have left. */
		seat_take_back(player);
	}
	if (socketio_is_joined(player->socket))
		resume(&player->self, player, false, player->user);
}
