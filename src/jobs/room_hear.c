/* SPDX-License-Identifier: MIT */
/*
 * What the game service says of a room.
 *
 * A room is told of in up to four ways, and which of them are used depends
 * on the game: the list of who is there (`here`, in a welcome alone), the
 * notice that a client connected, lines of text for people who cannot see,
 * and objects under a key of their own.
 */
#include "jobs/room_inside.h"

#include "core/json.h"
#include "base/mem.h"

/* Numbers of the service's refusals. */
#define ERROR_ROOM_NOT_FOUND	2013
#define ERROR_ROLE_UNKNOWN	2014
#define ERROR_PASSWORD_WANTED	2017
#define ERROR_PASSWORD_WRONG	2018
#define ERROR_NOT_PERMITTED	2023
#define ERROR_ROOM_ENDED	2027

#define SHARD_ID_MOST		((int64_t)1 << 53)

bool
room_shard_read(struct room *room, struct json_object *from, const char *id,
    const char *secret)
{
	int64_t number;
	text word;

	if (!json_in_int(from, id, &number) || number < 1 ||
	    number > SHARD_ID_MOST || !json_in_text(from, secret, &word) ||
	    word.len == 0 || word.len > ROOM_SECRET_MAX)
		return (false);
	if (room->shard_id == number &&
	    text_is(text_of(room->shard_secret), word))
		return (false);
	room_forget_shard(room);
	room->shard_id = number;
	room->shard_secret = mem_copy_text(word);
	return (true);
}

/* --- REST --------------------------------------------------------------- */

/* A name or an address with a port, and nothing that could end it. */
static bool
is_host(text host)
{
	if (host.len == 0 || host.len > ROOM_HOST_MAX)
		return (false);
	for (size_t i = 0; i < host.len; i++) {
		char c = host.at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '.' && c != '-' &&
		    c != ':')
			return (false);
	}
	return (true);
}

bool
room_read_check(struct room *room, text json, char host_out[ROOM_HOST_MAX + 1])
{
	struct json_object *answer = json_in_read(json);
	struct json_object *body = json_in_object(answer, "body");
	int64_t most;
	bool is_fine = false;
	text word;

	if (!json_in_bool(answer, "ok", &is_fine) || !is_fine ||
	    !json_in_text(body, "host", &word) || !is_host(word)) {
		json_in_free(&answer);
		return (false);
	}
	memcpy(host_out, word.at, word.len);
	host_out[word.len] = '\0';
	if (json_in_text(body, "appTag", &word))
		room_word_set(&room->app_tag, word);
	if (json_in_int(body, "maxPlayers", &most) && most >= 0 &&
	    most <= INT32_MAX)
		room->max_players = most;
	json_in_free(&answer);
	return (true);
}

/* --- who is there ------------------------------------------------------- */

struct hearing {
	struct room	*room;
	bool		 is_news;
};

static void
on_here(void *me, text name, struct json_object *client)
{
	struct hearing *hearing = me;
	struct json_object *player = json_in_object(json_in_object(client,
	    "roles"), "player");
	int64_t id;
	text said;

	if (player == NULL || (!json_in_int(client, "id", &id) &&
	    !text_to_int64(name, 1, INT64_MAX, &id)) || id < 1)
		return;
	if (!json_in_text(player, "name", &said) &&
	    !json_in_text(client, "name", &said))
		return;
	hearing->is_news |= room_player_add(hearing->room, id, said);
}

static bool
hear_connected(struct room *room, struct json_object *result)
{
	struct json_object *player = json_in_object(json_in_object(
	    json_in_object(result, "profile"), "roles"), "player");
	int64_t id;
	text role = TEXT_NONE, name;

	json_in_text(result, "role", &role);
	if ((player == NULL && !text_is(role, TEXT("player"))) ||
	    !json_in_int(result, "id", &id) || id < 1)
		return (false);
	if (!json_in_text(player, "name", &name) &&
	    !json_in_text(result, "name", &name))
		return (false);
	return (room_player_add(room, id, name));
}

/* "Alice joined." and the like: who. */
static bool
read_joined(text line, text *name_out)
{
	static const text word = { " joined", 7 };
	static const text ends[] = { { "", 0 }, { ".", 1 }, { "!", 1 },
	    { " the game.", 10 }, { " the game!", 10 }, { " the game", 9 },
	    { " the lobby.", 11 }, { " the room.", 10 } };

	for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		text rest = line;

		if (!text_ends(rest, ends[i]))
			continue;
		rest.len -= ends[i].len;
		if (!text_ends(rest, word))
			continue;
		*name_out = text_from(rest.at, rest.len - word.len);
		return (true);
	}
	return (false);
}

static bool
hear_texts(struct room *room, struct json_object *val)
{
	struct json_object *lines = json_in_member(val,
	    "latestDescriptions");
	bool is_news = false;
	size_t count;
	text line, name;

	if (!json_in_as_array(lines, &count))
		return (false);
	for (size_t i = 0; i < count && i < ROOM_PLAYERS_MAX; i++)
		if (json_in_text(json_in_element(lines, i), "text", &line) &&
		    read_joined(line, &name))
			is_news |= room_player_add(room, 0, name);
	return (is_news);
}

/* --- lobby and game ----------------------------------------------------- */

static bool
take_flag(struct json_object *val, const char *name, bool *flag)
{
	bool value;

	if (!json_in_bool(val, name, &value) || value == *flag)
		return (false);
	*flag = value;
	return (true);
}

static bool
take_word(struct json_object *val, const char *name, char **word)
{
	text value;

	return (json_in_text(val, name, &value) &&
	    room_word_set(word, value));
}

static bool
is_state(const struct room *room, const char *state)
{
	return (room->game_state != NULL &&
	    text_is(text_of(room->game_state), text_of(state)));
}

static bool
hear_room(struct room *room, struct json_object *val)
{
	bool is_news = take_word(val, "state", &room->game_state);
	bool is_finished = false;

	is_news |= take_word(val, "lobbyState", &room->lobby_state);
	is_news |= take_flag(val, "gameCanStart", &room->can_start);
	is_news |= take_flag(val, "gameIsStarting", &room->is_starting);
	if (!room->is_started && is_state(room, "Gameplay"))
		room->is_started = is_news = true;
	if (!room->is_finished &&
	    json_in_bool(val, "gameFinished", &is_finished) && is_finished &&
	    (room->is_started || !is_state(room, "Lobby")))
		room->is_finished = is_news = true;
	return (is_news);
}

static bool
hear_object(struct room *room, struct json_object *object)
{
	struct json_object *val = json_in_object(object, "val");
	text key;

	if (val == NULL || !json_in_text(object, "key", &key))
		return (false);
	if (text_is(key, TEXT("textDescriptions")))
		return (hear_texts(room, val));
	if (text_is(key, TEXT("bc:room")))
		room->has_bc_room = true;
	else if (text_is(key, TEXT("room")))
		room->has_bc_room = false;
	else
		return (false);
	return (hear_room(room, val));
}

/* ["object", {"key":…,"val":…}, {…}] */
static void
on_entity(void *me, text name, struct json_object *entity)
{
	struct hearing *hearing = me;
	text kind;

	(void)name;
	if (json_in_as_text(json_in_element(entity, 0), &kind) &&
	    text_is(kind, TEXT("object")))
		hearing->is_news |= hear_object(hearing->room,
		    json_in_element(entity, 1));
}

/* --- messages ----------------------------------------------------------- */

static unsigned
hear_welcome(struct room *room, struct json_object *result, bool is_probe)
{
	struct hearing hearing = { .room = room };

	json_in_each(json_in_object(result, "here"), on_here, &hearing);
	json_in_each(json_in_object(result, "entities"), on_entity,
	    &hearing);
	if (!is_probe) {
		hearing.is_news |= room_shard_read(room, result, "id",
		    "secret");
		hearing.is_news |= !room->is_connected;
		room->is_connected = true;
	}
	return (ROOM_WELCOME | (hearing.is_news ? ROOM_CHANGED : 0));
}

/* An answer to what we asked refuses no more than that. */
static unsigned
hear_error(struct room *room, struct json_object *message)
{
	int64_t of;

	if (json_in_int(message, "re", &of))
		return (0);
	if (!json_in_int(json_in_object(message, "result"), "code",
	    &room->error))
		room->error = 0;
	switch (room->error) {
	case ERROR_ROOM_NOT_FOUND:
	case ERROR_ROOM_ENDED:
		return (ROOM_MISSING);
	case ERROR_ROLE_UNKNOWN:
	case ERROR_PASSWORD_WANTED:
	case ERROR_PASSWORD_WRONG:
	case ERROR_NOT_PERMITTED:
		return (ROOM_REJECTED);
	default:
		return (ROOM_ERROR);
	}
}

static unsigned
hear(struct room *room, struct json_object *message, bool is_probe)
{
	struct json_object *result = json_in_object(message, "result");
	bool is_news = false;
	text opcode;

	if (!json_in_text(message, "opcode", &opcode))
		return (0);
	if (text_is(opcode, TEXT("error")))
		return (hear_error(room, message));
	if (text_is(opcode, TEXT("room/exit")))
		return (ROOM_EXIT);
	if (text_is(opcode, TEXT("client/welcome")))
		return (hear_welcome(room, result, is_probe));
	if (text_is(opcode, TEXT("client/connected")))
		is_news = hear_connected(room, result);
	else if (text_is(opcode, TEXT("object")))
		is_news = hear_object(room, result);
	return (is_news ? ROOM_CHANGED : 0);
}

static unsigned
hear_text(struct room *room, text message, bool is_probe)
{
	struct json_object *json = json_in_read(message);
	unsigned heard = hear(room, json, is_probe);

	json_in_free(&json);
	return (heard);
}

unsigned
room_hear(struct room *room, text message)
{
	return (hear_text(room, message, false));
}

unsigned
room_hear_probe(struct room *room, text message)
{
	return (hear_text(room, message, true));
}
