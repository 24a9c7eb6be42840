/* SPDX-License-Identifier: MIT */
/*
 * Players: who comes in and goes, what is asked of SQL for them, and how it
 * is answered.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/tabletop_inside.h"
#include "base/conf.h"
#include "base/stamp.h"
#include "core/carried.h"
#include "core/json.h"
#include "core/tenant.h"
#include "core/users.h"
#include "plat/failures.h"
#include "plat/loop.h"
#include "plat/slide.h"

text
tabletop_copy(text t)
{
	if (t.at == NULL)
		return (TEXT_NONE);
	return (text_from(mem_copy_text(t), t.len));
}

void
tabletop_drop(text *t)
{
	mem_free((char *)(uintptr_t)t->at);
	*t = TEXT_NONE;
}

/* NULL: he was removed. */
struct tenant *
tabletop_tenant(const struct player *player)
{
	return (tenant_by_id(player->tabletop->service->tenants,
	    player->tenant));
}

/* --- arguments --------------------------------------------------------- */

struct json_object *
tabletop_read(text argument)
{
	struct json_object *object = json_in_read(argument);

	if (object != NULL && !json_in_is_object(object))
		json_in_free(&object);
	return (object);
}

bool
tabletop_id(struct json_object *object, const char *name, int64_t *id_out)
{
	text t;

	if (json_in_int(object, name, id_out))
		return (*id_out > 0);
	return (json_in_text(object, name, &t) &&
	    text_to_int64(t, 1, INT64_MAX, id_out));
}

bool
tabletop_raw_id(text argument, int64_t *id_out)
{
	if (argument.len >= 2 && argument.at[0] == '"')
		argument = text_from(argument.at + 1, argument.len - 2);
	return (text_to_int64(argument, 1, INT64_MAX, id_out));
}

/* --- answers ----------------------------------------------------------- */

static void
write_refusal(struct socketio_writer *writer, text words)
{
	json_object_begin(&writer->json);
	json_key(&writer->json, "success");
	json_bool(&writer->json, false);
	json_key(&writer->json, "error");
	json_text(&writer->json, words);
	json_object_end(&writer->json);
}

bool
call_refuse(struct socketio_call *call, text words)
{
	struct socketio_writer writer;

	if (!socketio_answer(call, &writer))
		return (false);
	write_refusal(&writer, words);
	socketio_answer_send(call, &writer);
	return (true);
}

void
player_error(struct player *player, enum dialect dialect, text words)
{
	struct socketio_writer writer;

	socketio_event(player->socket, TEXT("error"), &writer);
	if (dialect == DIALECT_OWNER) {
		json_object_begin(&writer.json);
		json_key(&writer.json, "message");
		json_text(&writer.json, words);
		json_object_end(&writer.json);
	} else
		json_text(&writer.json, words);
	socketio_send(player->socket, &writer);
}

void
player_break_off(struct player *player)
{
	struct engineio *engine = socketio_engine(player->socket);

	if (engine != NULL)
		engineio_close(engine, ENGINEIO_FORCED_CLOSE);
}

void
call_fail(struct socketio_call *call, text words)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);

	if (!call_refuse(call, words))
		player_error(player, player->dialect, words);
}

bool
ask_refuse(struct ask *ask, text words)
{
	struct socketio_writer writer;

	if (ask->debt == NULL)
		return (false);
	if (socketio_debt_is_wanted(ask->debt)) {
		socketio_debt_answer(ask->debt, &writer);
		write_refusal(&writer, words);
		socketio_debt_pay(&ask->debt, &writer);
	} else
		socketio_debt_pay(&ask->debt, NULL);
	return (true);
}

void
ask_accept(struct ask *ask, text members)
{
	struct socketio_writer writer;

	if (ask->debt == NULL)
		return;
	if (!socketio_debt_is_wanted(ask->debt)) {
		socketio_debt_pay(&ask->debt, NULL);
		return;
	}
	socketio_debt_answer(ask->debt, &writer);
	json_raw(&writer.json, TEXT("{\"success\":true"));
	if (members.len > 2) {
		buf_add_char(&writer.payload, ',');
		/* Without its first brace; the last one is ours. */
		buf_add(&writer.payload, text_from(members.at + 1,
		    members.len - 1));
	} else
		buf_add_char(&writer.payload, '}');
	socketio_debt_pay(&ask->debt, &writer);
}

/* --- asking ------------------------------------------------------------ */

struct ask *
ask_create(struct player *player, struct socketio_call *call)
{
	struct ask *ask = object_create(struct ask, TABLETOP_ASK_MAGIC);

	ask->tabletop = player->tabletop;
	ask->player = player;
	ask->tenant = player->tenant;
	if (call != NULL)
		ask->debt = socketio_answer_later(call);
	DL_APPEND(player->asks, ask);
	return (ask);
}

void
ask_end(struct ask **given)
{
	struct ask *ask = *given;

	*given = NULL;
	if (ask->player != NULL)
		DL_DELETE(ask->player->asks, ask);
	if (ask->debt != NULL)
		socketio_debt_pay(&ask->debt, NULL);
	heard_free(ask);
	tabletop_drop(&ask->kept);
	tabletop_drop(&ask->actor);
	tabletop_drop(&ask->body);
	object_free(&ask);
}

static void
give_storage(const struct ask *ask)
{
	const struct tenant *tenant = tenant_by_id(
	    ask->tabletop->service->tenants, ask->tenant);

	if (ask->storage > 0 && tenant != NULL)
		limit_storage_undo(tenant, ask->storage);
}

enum err
ask_take(struct ask *ask, int64_t bytes)
{
	const struct tenant *tenant = tabletop_tenant(ask->player);
	int64_t now_s = clock_ms() / 1000;
	struct limit_state state;
	enum err err;

	if (tenant == NULL)
		return (ERR_not_found);
	err = limit_events(tenant, 1, now_s, &state);
	if (err == ERR_none && bytes > 0)
		err = limit_storage(tenant, bytes, now_s, &state);
	if (err == ERR_none)
		ask->storage = bytes;
	return (err);
}

static void
on_answer(void *me, const struct db_answer *answer)
{
	struct ask *ask = object_cast(struct ask, TABLETOP_ASK_MAGIC, me);
	struct call_row row;
	bool has_row = answer->result == DB_ROWS &&
	    act_answer_row(answer, &row);

	if (!has_row && answer->result != DB_UNKNOWN)
		give_storage(ask);
	if (ask->writes)
		act_tell(ask->tabletop->service, ask->tenant, answer);
	if (has_row)
		ask->done(ask, row.body, ERR_none, answer);
	else
		ask->done(ask, TEXT_NONE, act_error(answer), answer);
}

void
ask_send(struct ask *ask, enum function function, text stream,
    const text *inputs, unsigned count)
{
	struct player *player = ask->player;
	char id[OP_ID_MADE + 1];
	const struct call_context context = { .tenant = ask->tenant,
	    .caller = text_of(player->caller), .role = TEXT(""),
	    .request_id = text_from(id, OP_ID_MADE),
	    .address = socketio_address(player->socket) };

	op_make_id(id);
	ask->writes = stream.at != NULL;
	service_ask(ask->tabletop->service, function, &context, stream,
	    inputs, count, on_answer, ask);
}

bool
player_may(struct player *player, const char *what, int64_t most)
{
	uint64_t number = 0xcbf29ce484222325, who;
	char name[64];

	snprintf(name, sizeof name, "%s %" PRId64, what, player->user);
	for (const char *at = name; *at != '\0'; at++)
		number = (number ^ (unsigned char)*at) * 0x100000001b3;
	who = failures_who(number, player->tenant);
	return (slide_count(who != 0 ? who : 1, most, clock_ms() / 1000));
}

/* --- coming and going -------------------------------------------------- */

static bool
read_profile(struct player *player, text body)
{
	struct json_object *profile = json_in_read(body);
	text name;
	bool is_good = profile != NULL &&
	    json_in_int(profile, "id", &player->user) &&
	    json_in_bool(profile, "isAdmin", &player->is_admin) &&
	    json_in_text(profile, "name", &name);

	if (is_good)
		player->name = tabletop_copy(name);
	json_in_free(&profile);
	return (is_good);
}

static void
on_profile(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct player *player = ask->player;
	char who[32];

	(void)answer;
	ask_end(&ask);
	if (player == NULL)
		return;
	if (err == ERR_none && !read_profile(player, body))
		err = ERR_internal;
	if (err != ERR_none) {
		socketio_refuse(player->socket, error_rows[err].words,
		    TEXT_NONE);
		return;
	}
	snprintf(who, sizeof who, "user:%" PRId64, player->user);
	socketio_admit_as(player->socket, text_of(who));
}

static void
on_admitted(void *application, bool is_recovered)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    application);

	player->is_in = true;
	if (is_recovered)
		player_come_back(player);
	else {
		seat_take(&player->self, player, false, player->user);
		seat_keep_self(&player->self);
	}
}

static void
on_connect(struct socketio_socket *socket, text auth, void *context)
{
	struct tabletop *tabletop = object_cast(struct tabletop,
	    TABLETOP_MAGIC, context);
	char hash[DIGEST_HEX_SIZE];
	struct player *player;
	struct ask *ask;

	(void)auth;
	if (socketio_cookie(socket).at == NULL ||
	    !users_read_cookie(tabletop->service, socketio_tenant(socket),
	    socketio_cookie(socket), hash)) {
		socketio_refuse(socket, error_rows[ERR_login_required].words,
		    TEXT_NONE);
		return;
	}
	tabletop->socketio = socketio_of(socket);
	player = object_create(struct player, PLAYER_MAGIC);
	player->tabletop = tabletop;
	player->socket = socket;
	player->tenant = socketio_tenant(socket);
	snprintf(player->caller, sizeof player->caller, "login:%s", hash);
	socketio_set_application(socket, player);
	ask = ask_create(player, NULL);
	ask->done = on_profile;
	ask_send(ask, FUNCTION_tabletop_user_data, TEXT_NONE, NULL, 0);
}

/* He may be at hand of whoever made him go: until the turn ends. */
static void
on_close(void *application, enum socketio_end why)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    application);
	struct ask *ask, *next;

	/* Who is elsewhere has left nobody. */
	player_leave(player, why != SOCKETIO_MOVED);
	seat_leave(&player->coming);
	seat_leave(&player->self);
	player->joining = player->at_work = NULL;
	DL_FOREACH_SAFE(player->asks, ask, next) {
		DL_DELETE(player->asks, ask);
		ask->player = NULL;
		if (ask->is_allowed)
			seat_give(ask->tabletop, ask->tenant, ask->kept,
			    ask->session, ask->visit);
		/* One that waits for a stream is nobody's any more. */
		if (ask->done == NULL)
			ask_end(&ask);
	}
	player->is_in = false;
	LL_PREPEND(player->tabletop->old_players, player);
}

static void
free_old(struct tabletop *tabletop)
{
	struct player *player, *next;

	LL_FOREACH_SAFE(tabletop->old_players, player, next) {
		tabletop_drop(&player->name);
		tabletop_drop(&player->actor);
		object_free(&player);
	}
	tabletop->old_players = NULL;
	circles_free(tabletop);
}

/* --- what a user asks of himself --------------------------------------- */

static void
on_user_data_read(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct buf members;

	(void)answer;
	if (err != ERR_none)
		ask_refuse(ask, error_rows[err].words);
	else {
		buf_init(&members, BUF_NO_LIMIT);
		buf_printf(&members, "{\"data\":%.*s}", TEXT_ARGS(body));
		ask_accept(ask, buf_text(&members));
		buf_fini(&members);
	}
	ask_end(&ask);
}

static void
on_user_data(struct socketio_call *call)
{
	struct ask *ask = ask_create(object_cast(struct player, PLAYER_MAGIC,
	    call->application), call);

	ask->done = on_user_data_read;
	ask_send(ask, FUNCTION_tabletop_user_data, TEXT_NONE, NULL, 0);
}

static void
on_misfit(struct socketio_call *call)
{
	call_fail(call, TEXT("Invalid arguments"));
}

/* --- the table --------------------------------------------------------- */

static const struct socketio_event events[] = {
	{ "chat", "ov", on_chat },
	{ "chat-message", "o", on_chat_message },
	{ "diceRoll", "o", on_dice_roll },
	{ "gameSession:join", "v?v", on_join_new },
	{ "gameSession:leave", "?v", on_leave },
	{ "get-user-data", "?v", on_user_data },
	{ "join-session", "v?v", on_join_session },
	{ "joinSession", "v?v", on_join_code },
	{ "leave-session", "?v", on_leave },
	{ "leaveSession", "?v", on_leave },
	{ "message", "o", on_chat_message },
	{ "move", "o", on_move },
	{ "roll", "o", on_roll },
	{ "token:create", "o", on_token_create },
	{ "token:delete", "o", on_token_delete },
	{ "token:move", "o", on_token_move },
	{ "token:update", "o", on_token_update },
	{ "validate-action", "o", on_validate },
};

struct socketio_app
tabletop_app(struct tabletop *tabletop)
{
	return ((struct socketio_app){ .nsp = "/", .events = events,
	    .events_count = sizeof events / sizeof events[0],
	    .context = tabletop, .on_connect = on_connect,
	    .on_admitted = on_admitted, .on_past = player_on_past,
	    .on_misfit = on_misfit, .on_close = on_close });
}

struct tabletop *
tabletop_create(struct service *service)
{
	struct tabletop *tabletop = object_create(struct tabletop,
	    TABLETOP_MAGIC);

	tabletop->service = service;
	loop_at_turns_end(service->loop, free_old, tabletop);
	return (tabletop);
}

void
tabletop_destroy(struct tabletop **given)
{
	struct tabletop *tabletop = *given;

	*given = NULL;
	if (tabletop == NULL)
		return;
	object_check(tabletop, TABLETOP_MAGIC);
	loop_leave_turns_end(tabletop->service->loop, tabletop);
	free_old(tabletop);
	seats_free(tabletop);
	must(tabletop->circles == NULL);
	object_free(&tabletop);
}
