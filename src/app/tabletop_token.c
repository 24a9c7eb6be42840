/* SPDX-License-Identifier: MIT */
/*
 * Tokens: four operations, one way. What happened is told by the session's
 * stream; to who did it, by his answer.
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/tabletop_inside.h"
#include "base/conf.h"
#include "base/stamp.h"
#include "core/json.h"

/* What each of them is, in a row. */
static const struct kind {
	const char	*name;
	const char	*event;
	const char	*failed;
	const char	*code;		/* of encounter:error; NULL: none */
	const char	*given;		/* the member that has what is new */
	enum function	 function;
	bool		 has_token;
} kinds[] = {
	{ "move", "token:moved", "Failed to move token", "TOKEN_MOVE_FAILED",
	    "position", FUNCTION_tabletop_token_move, true },
	{ "create", "token:created", "Failed to create token", NULL,
	    "tokenData", FUNCTION_tabletop_token_create, false },
	{ "update", "token:updated", "Failed to update token", NULL,
	    "updates", FUNCTION_tabletop_token_update, true },
	{ "delete", "token:deleted", "Failed to delete token", NULL,
	    NULL, FUNCTION_tabletop_token_delete, true },
};
enum { MOVE, CREATE, UPDATE, DELETE };

static text
words_of(const struct kind *kind, enum err err)
{
	switch (err) {
	case ERR_login_required:
	case ERR_tabletop_access_denied:
	case ERR_tabletop_not_in_session:
	case ERR_tabletop_position:
	case ERR_tabletop_token_not_found:
		return (error_rows[err].words);
	default:
		return (text_of(kind->failed));
	}
}

static void
encounter_error(struct player *player, int64_t encounter, text words,
    const char *code)
{
	struct socketio_writer writer;
	char now[STAMP_SIZE];

	socketio_event(player->socket, TEXT("encounter:error"), &writer);
	json_object_begin(&writer.json);
	if (encounter > 0) {
		json_key(&writer.json, "encounterId");
		json_int(&writer.json, encounter);
	}
	json_key(&writer.json, "error");
	json_text(&writer.json, words);
	if (code != NULL) {
		json_key(&writer.json, "code");
		json_text_of(&writer.json, code);
	}
	json_key(&writer.json, "timestamp");
	stamp_write(stamp_now(), now);
	json_text_of(&writer.json, now);
	json_object_end(&writer.json);
	socketio_send(player->socket, &writer);
}

static void
fail(struct ask *ask, enum err err)
{
	const struct kind *kind = (const struct kind *)(const void *)
	    ask->what;
	text words = words_of(kind, err);

	/* Who moves what he may not is told by the answer alone. */
	if (ask->player != NULL && (kind != &kinds[MOVE] ||
	    err != ERR_tabletop_not_in_session))
		encounter_error(ask->player, ask->encounter, words,
		    kind->code);
	ask_refuse(ask, words);
}

/* Then he hears of it as all others do, and in their order. */
static bool
is_at(const struct player *player, text stream)
{
	char name[48];

	if (player->table.circle == NULL)
		return (false);
	snprintf(name, sizeof name, "table:%" PRId64,
	    player->table.circle->id);
	return (text_is(stream, text_of(name)));
}

/* Who speaks these dialects hears of his own, wherever he sits. */
static void
tell_sender(const struct ask *ask, const struct db_answer *answer)
{
	const struct kind *kind = (const struct kind *)(const void *)
	    ask->what;
	struct player *player = ask->player;
	struct socketio_writer writer;
	struct call_row row;
	text data;

	if (player == NULL || player->dialect < DIALECT_CODE)
		return;
	for (unsigned i = 0; i < db_rows(answer); i++)
		if (call_row_read(answer, i, &row) && row.is_event &&
		    !is_at(player, row.stream) && json_in_raw(row.body,
		    TEXT("data"), &data)) {
			socketio_event(player->socket, text_of(kind->event),
			    &writer);
			socketio_write_carried(&writer, data, NULL);
			socketio_send(player->socket, &writer);
		}
}

static void
on_done(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	if (err != ERR_none)
		fail(ask, err);
	else {
		ask_accept(ask, body);
		tell_sender(ask, answer);
	}
	ask_end(&ask);
}

static bool
is_within_rate(struct player *player, const struct kind *kind)
{
	const struct conf *conf = player->tabletop->service->conf;

	return (kind == &kinds[MOVE] ?
	    player_may(player, "move", conf->tabletop_moves) :
	    player_may(player, "edit", conf->tabletop_edits));
}

struct token_input {
	int64_t	session, encounter, token;
	text	given;			/* at NULL: none */
};

/* false: it lacks something. What is given is JSON that PostgreSQL takes. */
static bool
read_input(text argument, const struct kind *kind, struct token_input *out)
{
	struct json_object *payload = tabletop_read(argument);
	bool is_good = payload != NULL;

	*out = (struct token_input){ .given = TEXT_NONE };
	if (is_good && !tabletop_id(payload, "encounterId", &out->encounter))
		is_good = false;
	if (is_good && (!tabletop_id(payload, "sessionId", &out->session) ||
	    (kind->has_token && !tabletop_id(payload, "tokenId",
	    &out->token)) || (kind->given != NULL && (json_in_object(payload,
	    kind->given) == NULL || !json_in_raw(argument,
	    text_of(kind->given), &out->given)))))
		is_good = false;
	json_in_free(&payload);
	return (is_good);
}

static void
send(struct ask *ask, const struct kind *kind,
    const struct token_input *input)
{
	char numbers[3][24], stream[48];
	text inputs[5];
	unsigned count = 2;

	snprintf(numbers[0], sizeof numbers[0], "%" PRId64, input->session);
	snprintf(numbers[1], sizeof numbers[1], "%" PRId64,
	    input->encounter);
	snprintf(numbers[2], sizeof numbers[2], "%" PRId64, input->token);
	snprintf(stream, sizeof stream, "%d table:%s", (int)ask->tenant,
	    numbers[0]);
	inputs[0] = text_of(numbers[0]);
	inputs[1] = text_of(numbers[1]);
	if (kind->has_token)
		inputs[count++] = text_of(numbers[2]);
	if (kind->given != NULL)
		inputs[count++] = input->given;
	inputs[count++] = socketio_sid(ask->player->socket);
	ask_send(ask, kind->function, text_of(stream), inputs, count);
}

static void
act_on_token(struct socketio_call *call, const struct kind *kind)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	struct token_input input;
	bool is_read = read_input(call->arguments[0], kind, &input);
	struct ask *ask = ask_create(player, call);
	enum err err;

	ask->what = (const char *)kind;
	ask->encounter = input.encounter;
	ask->done = on_done;
	if (!is_within_rate(player, kind)) {
		encounter_error(player, input.encounter,
		    TEXT("Rate limit exceeded"), "RATE_LIMIT");
		ask_refuse(ask, TEXT("Rate limit exceeded"));
		ask_end(&ask);
		return;
	}
	err = is_read ? ask_take(ask, kind == &kinds[CREATE] ||
	    kind == &kinds[UPDATE] ? (int64_t)input.given.len : 0) :
	    ERR_tabletop_token_invalid;
	if (err != ERR_none) {
		fail(ask, err);
		ask_end(&ask);
		return;
	}
	send(ask, kind, &input);
}

void
on_token_move(struct socketio_call *call)
{
	act_on_token(call, &kinds[MOVE]);
}

void
on_token_create(struct socketio_call *call)
{
	act_on_token(call, &kinds[CREATE]);
}

void
on_token_update(struct socketio_call *call)
{
	act_on_token(call, &kinds[UPDATE]);
}

void
on_token_delete(struct socketio_call *call)
{
	act_on_token(call, &kinds[DELETE]);
}

/* --- whether something may be done ------------------------------------- */

static void
on_validated(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct json_out json;
	struct buf members;

	buf_init(&members, BUF_NO_LIMIT);
	json_out_init(&json, &members);
	json_object_begin(&json);
	json_key(&json, "data");
	if (err == ERR_none)
		json_raw(&json, body);
	else {
		json_object_begin(&json);
		json_key(&json, "valid");
		json_bool(&json, false);
		json_key(&json, "errors");
		json_array_begin(&json);
		json_text(&json, error_rows[err].words);
		json_array_end(&json);
		json_object_end(&json);
	}
	json_object_end(&json);
	/* What is refused was answered; a database that is away is not. */
	if (err == ERR_none || answer->result == DB_REFUSED)
		ask_accept(ask, buf_text(&members));
	else
		ask_refuse(ask, error_rows[err].words);
	buf_fini(&members);
	ask_end(&ask);
}

/* What the operation would be given, at NULL: nothing. */
static text
given_of(text argument, text action)
{
	const text front = TEXT("token:");
	text given = TEXT_NONE;

	if (!text_begins(action, front))
		return (TEXT_NONE);
	action = text_from(action.at + front.len, action.len - front.len);
	for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].given != NULL &&
		    text_is(action, text_of(kinds[i].name)))
			json_in_raw(argument, text_of(kinds[i].given),
			    &given);
	return (given);
}

void
on_validate(struct socketio_call *call)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	struct json_object *payload = tabletop_read(call->arguments[0]);
	int64_t session, encounter, token;
	char numbers[3][24];
	struct ask *ask;
	text inputs[5], action;

	if (payload == NULL || !tabletop_id(payload, "sessionId", &session) ||
	    !json_in_text(payload, "action", &action) || action.len > 100) {
		json_in_free(&payload);
		call_fail(call, TEXT("Invalid arguments"));
		return;
	}
	ask = ask_create(player, call);
	ask->done = on_validated;
	snprintf(numbers[0], sizeof numbers[0], "%" PRId64, session);
	inputs[0] = text_of(numbers[0]);
	inputs[1] = action;
	inputs[2] = inputs[3] = TEXT_NONE;
	if (tabletop_id(payload, "encounterId", &encounter)) {
		snprintf(numbers[1], sizeof numbers[1], "%" PRId64,
		    encounter);
		inputs[2] = text_of(numbers[1]);
	}
	if (tabletop_id(payload, "tokenId", &token)) {
		snprintf(numbers[2], sizeof numbers[2], "%" PRId64, token);
		inputs[3] = text_of(numbers[2]);
	}
	inputs[4] = given_of(call->arguments[0], action);
	ask_send(ask, FUNCTION_tabletop_validate, TEXT_NONE, inputs, 5);
	json_in_free(&payload);
}
