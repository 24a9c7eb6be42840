/* SPDX-License-Identifier: MIT */
/*
 * What is only shown: dice, and a hand on the map. Those who are there now
 * hear it; nothing is kept.
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/dice.h"
#include "app/tabletop_inside.h"
#include "base/conf.h"
#include "core/json.h"

static void
write_throw(struct json_out *json, text formula, const struct dice *dice,
    int64_t user)
{
	int64_t total = dice->more;

	json_object_begin(json);
	json_key(json, "formula");
	json_text(json, formula);
	json_key(json, "rolls");
	json_array_begin(json);
	for (unsigned i = 0; i < dice->count; i++) {
		unsigned side = dice_throw(dice->sides);

		total += side;
		json_object_begin(json);
		json_key(json, "die");
		json_int(json, dice->sides);
		json_key(json, "result");
		json_int(json, side);
		json_object_end(json);
	}
	json_array_end(json);
	json_key(json, "total");
	json_int(json, total);
	json_key(json, "userId");
	json_int(json, user);
	json_object_end(json);
}

/* Everybody in the session, who threw it as well. */
static void
tell_all(struct player *player, int64_t session,
    struct socketio_writer *writer)
{
	char name[TABLETOP_ROOM_SIZE];
	const text rooms[] = { socketio_sid(player->socket),
	    tabletop_room(session, DIALECT_NONE, name) };

	socketio_broadcast(player->tabletop->socketio,
	    &(struct socketio_target){ .tenant = player->tenant,
	    .nsp = TEXT("/"), .rooms = rooms,
	    .rooms_count = session > 0 ? 2 : 1 }, writer);
}

/* request: at NULL, or what diceRoll came with. */
static void
throw_dice(struct player *player, int64_t session, text request, text formula)
{
	struct socketio_writer writer;
	struct dice dice;

	must(dice_read(formula, &dice));
	if (request.at == NULL) {
		socketio_event(player->socket, TEXT("roll-result"), &writer);
		json_object_begin(&writer.json);
		json_key(&writer.json, "type");
		json_text_of(&writer.json, "roll-result");
		json_key(&writer.json, "gameSessionId");
		json_int(&writer.json, session);
	} else {
		socketio_event(player->socket, TEXT("diceRoll"), &writer);
		/* It is an object with members; its last brace is ours. */
		json_raw(&writer.json, text_from(request.at,
		    request.len - 1));
	}
	json_key(&writer.json, "result");
	write_throw(&writer.json, formula, &dice, player->user);
	json_key(&writer.json, "userId");
	json_int(&writer.json, player->user);
	json_object_end(&writer.json);
	tell_all(player, session, &writer);
}

static text
formula_of(const struct ask *ask, struct json_object *request)
{
	text formula = TEXT("");

	(void)ask;
	json_in_text(request, "formula", &formula);
	return (formula);
}

static void
on_roll_allowed(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct json_object *request = json_in_read(ask->kept);

	(void)body, (void)answer;
	if (err == ERR_session_not_found)
		ask_refuse(ask, TEXT("Game session not found"));
	else if (err == ERR_tabletop_denied)
		ask_refuse(ask,
		    TEXT("Not authorized for this game session"));
	else if (err == ERR_login_required)
		ask_refuse(ask, TEXT("User not authenticated"));
	else if (err != ERR_none)
		ask_refuse(ask, error_rows[err].words);
	else if (ask->player != NULL) {
		throw_dice(ask->player, ask->session, TEXT_NONE,
		    formula_of(ask, request));
		ask_accept(ask, TEXT("{}"));
	}
	json_in_free(&request);
	ask_end(&ask);
}

static void
on_dice_allowed(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct json_object *request = json_in_read(ask->kept);
	struct player *player = ask->player;

	(void)body, (void)answer;
	if (player != NULL && err != ERR_none) {
		if (!ask_refuse(ask, TEXT("Failed to process dice roll")))
			player_error(player, player->dialect,
			    TEXT("Failed to process dice roll"));
	} else if (player != NULL) {
		throw_dice(player, ask->session, ask->kept,
		    formula_of(ask, request));
		ask_accept(ask, TEXT("{}"));
	}
	json_in_free(&request);
	ask_end(&ask);
}

static void
ask_whether(struct ask *ask)
{
	char number[24];
	text input;

	snprintf(number, sizeof number, "%" PRId64, ask->session);
	input = text_of(number);
	ask_send(ask, FUNCTION_tabletop_allowed, TEXT_NONE, &input, 1);
}

static bool
may_show(struct player *player)
{
	return (player_may(player, "say",
	    player->tabletop->service->conf->tabletop_messages));
}

/* session: 0 where nobody has to be asked whether he may. */
static void
roll(struct socketio_call *call, text formula, int64_t session,
    void (*done)(struct ask *, text, enum err, const struct db_answer *))
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	struct dice dice;
	struct ask *ask;

	if (!dice_read(formula, &dice)) {
		call_fail(call, TEXT("Failed to process dice roll"));
		return;
	}
	if (!may_show(player)) {
		call_fail(call, TEXT("Rate limit exceeded"));
		return;
	}
	ask = ask_create(player, call);
	ask->kept = tabletop_copy(call->arguments[0]);
	ask->done = done;
	ask->session = session;
	if (session > 0)
		ask_whether(ask);
	else
		done(ask, TEXT_NONE, ERR_none, NULL);
}

/* {formula, gameSessionId?}; without one, where he is. */
void
on_dice_roll(struct socketio_call *call)
{
	const struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	struct json_object *request = tabletop_read(call->arguments[0]);
	int64_t session = 0;
	text formula = TEXT("");

	if (request != NULL)
		json_in_text(request, "formula", &formula);
	if ((request == NULL ||
	    !tabletop_id(request, "gameSessionId", &session)) &&
	    player->table.circle != NULL)
		session = player->table.circle->id;
	if (formula.len == 0)
		call_fail(call, TEXT("No dice formula provided"));
	else
		roll(call, formula, session, on_dice_allowed);
	json_in_free(&request);
}

/* {formula, gameSessionId} */
void
on_roll(struct socketio_call *call)
{
	struct json_object *request = tabletop_read(call->arguments[0]);
	int64_t session = 0;
	text formula = TEXT("");

	if (request != NULL) {
		json_in_text(request, "formula", &formula);
		tabletop_id(request, "gameSessionId", &session);
	}
	if (session <= 0)
		call_fail(call, TEXT("Game session not found"));
	else
		roll(call, formula, session, on_roll_allowed);
	json_in_free(&request);
}

/* {gameSessionId, position, actorId}, as it came, to the others. */
void
on_move(struct socketio_call *call)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	struct json_object *request = tabletop_read(call->arguments[0]);
	struct socketio_writer writer;
	char name[TABLETOP_ROOM_SIZE];
	int64_t session = 0;

	if (request == NULL || json_in_object(request, "position") == NULL ||
	    player->table.circle == NULL ||
	    (json_in_member(request, "gameSessionId") != NULL &&
	    !tabletop_id(request, "gameSessionId", &session)) ||
	    (session != 0 && session != player->table.circle->id))
		call_fail(call, TEXT("Failed to process move"));
	else if (!may_show(player))
		call_fail(call, TEXT("Rate limit exceeded"));
	else {
		socketio_event(player->socket, TEXT("move"), &writer);
		socketio_write_carried(&writer, call->arguments[0],
		    call->packet);
		socketio_tell_room(player->socket, tabletop_room(
		    player->table.circle->id, DIALECT_NONE, name), &writer);
		if (socketio_answer(call, &writer)) {
			json_raw(&writer.json, TEXT("{\"success\":true}"));
			socketio_answer_send(call, &writer);
		}
	}
	json_in_free(&request);
}
