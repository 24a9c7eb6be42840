/* SPDX-License-Identifier: MIT */
/*
 * What is said: to a session, to somebody who plays an actor in it, or to a
 * user. It is kept in the database; those of the session and the user hear
 * it from their streams, those of the actor now or never.
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/tabletop_inside.h"
#include "base/conf.h"
#include "core/json.h"

#define MESSAGE_MAX	40000		/* bytes */
#define PAYLOAD_MAX	65536
#define ACTOR_MAX	100

struct said {
	int64_t	session;		/* 0: none */
	text	kind;			/* session, user, actor */
	text	recipient;
	text	message;
	text	extra;			/* an object */
	char	number[24];		/* of the recipient, where it is one */
};

static text
words_of(enum err err)
{
	return (err == ERR_internal || err == ERR_none ?
	    TEXT("Failed to send message") : error_rows[err].words);
}

static void
tell_actor(struct ask *ask, text body)
{
	struct player *player = ask->player;
	struct buf data;

	if (ask->actor.at == NULL || player == NULL)
		return;
	buf_init(&data, BUF_NO_LIMIT);
	buf_printf(&data, "%.*s,\"socket\":\"%.*s\"}", (int)body.len - 1,
	    body.at, TEXT_ARGS(socketio_sid(player->socket)));
	tabletop_tell_chat(ask->tabletop, ask->tenant, ask->session,
	    ask->actor, buf_text(&data), false);
	buf_fini(&data);
}

static void
on_sent(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct buf members;
	text id, timestamp;

	(void)answer;
	if (err != ERR_none) {
		if (!ask_refuse(ask, words_of(err)) && ask->player != NULL)
			player_error(ask->player, ask->player->dialect,
			    words_of(err));
		ask_end(&ask);
		return;
	}
	tell_actor(ask, body);
	if (json_in_raw(body, TEXT("id"), &id) &&
	    json_in_raw(body, TEXT("timestamp"), &timestamp)) {
		buf_init(&members, BUF_NO_LIMIT);
		buf_printf(&members, "{\"data\":{\"id\":%.*s,"
		    "\"timestamp\":%.*s}}", TEXT_ARGS(id),
		    TEXT_ARGS(timestamp));
		ask_accept(ask, buf_text(&members));
		buf_fini(&members);
	}
	ask_end(&ask);
}

static void
say(struct socketio_call *call, struct said *said)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	char session[24], stream[64];
	struct ask *ask;
	text inputs[6];
	enum err err;

	if (!player_may(player, "say",
	    player->tabletop->service->conf->tabletop_messages)) {
		call_fail(call, TEXT("Rate limit exceeded"));
		return;
	}
	ask = ask_create(player, call);
	ask->done = on_sent;
	ask->session = said->session;
	if (text_is(said->kind, TEXT("actor")))
		ask->actor = tabletop_copy(said->recipient);
	err = ask_take(ask, (int64_t)(said->message.len + said->extra.len));
	if (err != ERR_none) {
		on_sent(ask, TEXT_NONE, err, NULL);
		return;
	}
	snprintf(session, sizeof session, "%" PRId64, said->session);
	if (text_is(said->kind, TEXT("user")))
		snprintf(stream, sizeof stream, "%d user:%s",
		    (int)ask->tenant, said->number);
	else
		snprintf(stream, sizeof stream, "%d table:%s",
		    (int)ask->tenant, session);
	inputs[0] = said->session > 0 ? text_of(session) : TEXT_NONE;
	inputs[1] = said->kind;
	inputs[2] = said->recipient;
	inputs[3] = said->message;
	inputs[4] = said->extra;
	inputs[5] = socketio_sid(player->socket);
	ask_send(ask, FUNCTION_tabletop_chat_send, text_of(stream), inputs,
	    6);
}

static bool
read_number(struct json_object *from, const char *name, int64_t *id_out,
    struct said *said)
{
	if (!tabletop_id(from, name, id_out))
		return (false);
	snprintf(said->number, sizeof said->number, "%" PRId64, *id_out);
	said->recipient = text_of(said->number);
	return (true);
}

/* recipient: NULL: the session. false: there is no such recipient. */
static bool
read_recipient(struct json_object *recipient, const struct player *player,
    struct said *said)
{
	int64_t id;

	said->kind = TEXT("session");
	if (recipient != NULL &&
	    !json_in_text(recipient, "type", &said->kind))
		return (false);
	if (said->session == 0 && player->table.circle != NULL)
		said->session = player->table.circle->id;
	if (text_is(said->kind, TEXT("user")))
		return (read_number(recipient, "id", &id, said));
	if (text_is(said->kind, TEXT("actor"))) {
		if (!json_in_text(recipient, "id", &said->recipient) &&
		    !read_number(recipient, "id", &id, said))
			return (false);
		return (said->session > 0 && said->recipient.len > 0 &&
		    said->recipient.len <= ACTOR_MAX);
	}
	if (!text_is(said->kind, TEXT("session")))
		return (false);
	if (recipient != NULL && !tabletop_id(recipient, "id", &id))
		return (false);
	if (recipient != NULL)
		said->session = id;
	snprintf(said->number, sizeof said->number, "%" PRId64,
	    said->session);
	said->recipient = text_of(said->number);
	return (said->session > 0);
}

static bool
is_fit(const struct said *said)
{
	return (said->message.len > 0 && said->message.len <= MESSAGE_MAX &&
	    said->extra.len <= PAYLOAD_MAX);
}

/* {sessionId, message, …}; older clients have {type: "chat", content}. */
void
on_chat_message(struct socketio_call *call)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	struct json_object *payload = tabletop_read(call->arguments[0]);
	struct said said = { .extra = call->arguments[0] };

	if (payload == NULL || (!json_in_text(payload, "message",
	    &said.message) && !json_in_text(payload, "content",
	    &said.message)) || !is_fit(&said))
		call_fail(call, TEXT("Invalid message"));
	else {
		tabletop_id(payload, "sessionId", &said.session);
		if (read_recipient(json_in_object(payload, "recipient"),
		    player, &said))
			say(call, &said);
		else
			call_fail(call, TEXT("Unknown recipient"));
	}
	json_in_free(&payload);
}

/* (metadata, message) */
void
on_chat(struct socketio_call *call)
{
	struct player *player = object_cast(struct player, PLAYER_MAGIC,
	    call->application);
	struct json_object *metadata = tabletop_read(call->arguments[0]);
	struct json_object *message = json_in_read(call->arguments[1]);
	struct said said = { .session = 0 };
	struct buf extra;

	buf_init(&extra, BUF_NO_LIMIT);
	buf_printf(&extra, "{\"metadata\":%.*s}",
	    TEXT_ARGS(call->arguments[0]));
	said.extra = buf_text(&extra);
	if (metadata == NULL || !json_in_as_text(message, &said.message) ||
	    !is_fit(&said))
		call_fail(call, TEXT("Invalid message"));
	else if (read_recipient(json_in_object(metadata, "recipient"),
	    player, &said))
		say(call, &said);
	else
		call_fail(call, TEXT("Unknown recipient"));
	buf_fini(&extra);
	json_in_free(&metadata);
	json_in_free(&message);
}
