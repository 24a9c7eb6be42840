/* SPDX-License-Identifier: MIT */
/*
 * Players, states, and the row that keeps them. What the service says is
 * read in room_hear.c.
 */
#include "jobs/room_inside.h"

#include <inttypes.h>

#include "base/json_out.h"
#include "base/mem.h"
#include "core/json.h"

void
room_init(struct room *room)
{
	*room = (struct room){ .max_players = -1 };
}

void
room_fini(struct room *room)
{
	for (unsigned i = 0; i < room->player_count; i++)
		mem_free(room->players[i].name);
	mem_free(room->players);
	mem_free(room->app_tag);
	mem_free(room->lobby_state);
	mem_free(room->game_state);
	mem_free(room->shard_secret);
	room_init(room);
}

/* At most ROOM_WORD_MAX bytes, and no half of a sign at the end. */
static text
clip(text t)
{
	if (t.len <= ROOM_WORD_MAX)
		return (t);
	t.len = ROOM_WORD_MAX;
	while (t.len > 0 && ((unsigned char)t.at[t.len] & 0xc0) == 0x80)
		t.len--;
	return (t);
}

bool
room_word_set(char **word, text value)
{
	value = clip(value);
	if (*word != NULL && text_is(text_of(*word), value))
		return (false);
	mem_free(*word);
	*word = mem_copy_text(value);
	return (true);
}

static struct room_player *
find_player(struct room *room, int64_t id, text name)
{
	for (unsigned i = 0; id != 0 && i < room->player_count; i++)
		if (room->players[i].id == id)
			return (&room->players[i]);
	for (unsigned i = 0; i < room->player_count; i++)
		if ((id == 0 || room->players[i].id == 0) &&
		    text_is(text_of(room->players[i].name), name))
			return (&room->players[i]);
	return (NULL);
}

bool
room_player_add(struct room *room, int64_t id, text name)
{
	struct room_player *player;

	name = clip(name);
	if (name.len == 0)
		return (false);
	player = find_player(room, id, name);
	if (player != NULL) {
		bool is_news = player->id == 0 && id != 0;

		if (is_news)
			player->id = id;
		return (is_news);
	}
	if (room->player_count == ROOM_PLAYERS_MAX)
		return (false);
	if (room->players == NULL)
		room->players = mem_alloc(ROOM_PLAYERS_MAX *
		    sizeof *room->players);
	room->players[room->player_count++] = (struct room_player){ .id = id,
	    .name = mem_copy_text(name) };
	return (true);
}

void
room_forget_shard(struct room *room)
{
	room->shard_id = 0;
	mem_free(room->shard_secret);
	room->shard_secret = NULL;
}

/* --- the row ------------------------------------------------------------ */

static void
read_word(struct json_object *row, const char *name, char **word)
{
	text value;

	if (json_in_text(row, name, &value))
		room_word_set(word, value);
}

static void
read_flag(struct json_object *row, const char *name, bool *flag)
{
	if (!json_in_bool(row, name, flag))
		*flag = false;
}

static void
read_players(struct room *room, struct json_object *row)
{
	struct json_object *names = json_in_member(row, "players");
	int64_t id;
	size_t count;
	text name;

	if (!json_in_as_array(names, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		if (!json_in_as_text(json_in_element(names, i), &name))
			continue;
		if (!json_in_as_int(json_in_item(row, "player_ids", i), &id))
			id = 0;
		room_player_add(room, id, name);
	}
}

bool
room_read(struct room *room, text json)
{
	struct json_object *row = json_in_read(json);

	if (!json_in_is_object(row)) {
		json_in_free(&row);
		return (false);
	}
	read_players(room, row);
	if (!json_in_int(row, "max_players", &room->max_players))
		room->max_players = -1;
	read_word(row, "app_tag", &room->app_tag);
	read_word(row, "lobby_state", &room->lobby_state);
	read_word(row, "game_state", &room->game_state);
	read_flag(row, "can_start", &room->can_start);
	read_flag(row, "is_starting", &room->is_starting);
	read_flag(row, "is_connected", &room->is_connected);
	read_flag(row, "is_started", &room->is_started);
	read_flag(row, "is_finished", &room->is_finished);
	room_shard_read(room, row, "shard_id", "shard_secret");
	json_in_free(&row);
	return (true);
}

static void
write_word(struct json_out *json, const char *name, const char *word)
{
	json_key(json, name);
	if (word == NULL)
		json_nothing(json);
	else
		json_text_of(json, word);
}

static void
write_flag(struct json_out *json, const char *name, bool flag)
{
	json_key(json, name);
	json_bool(json, flag);
}

static void
write_players(const struct room *room, struct json_out *json)
{
	json_key(json, "players");
	json_array_begin(json);
	for (unsigned i = 0; i < room->player_count; i++)
		json_text_of(json, room->players[i].name);
	json_array_end(json);
	json_key(json, "player_ids");
	json_array_begin(json);
	for (unsigned i = 0; i < room->player_count; i++)
		json_int(json, room->players[i].id);
	json_array_end(json);
	if (!room->is_connected)
		return;
	json_key(json, "heard_count");
	json_int(json, room->player_count);
}

void
room_write(const struct room *room, struct buf *out)
{
	struct json_out json;

	json_out_init(&json, out);
	json_object_begin(&json);
	write_players(room, &json);
	if (room->max_players >= 0) {
		json_key(&json, "max_players");
		json_int(&json, room->max_players);
	}
	write_word(&json, "app_tag", room->app_tag);
	write_word(&json, "lobby_state", room->lobby_state);
	write_word(&json, "game_state", room->game_state);
	write_flag(&json, "can_start", room->can_start);
	write_flag(&json, "is_starting", room->is_starting);
	write_flag(&json, "is_connected", room->is_connected);
	write_flag(&json, "is_started", room->is_started);
	write_flag(&json, "is_finished", room->is_finished);
	json_key(&json, "shard_id");
	if (room->shard_id == 0)
		json_nothing(&json);
	else
		json_int(&json, room->shard_id);
	write_word(&json, "shard_secret", room->shard_secret);
	json_object_end(&json);
}

/* --- ways --------------------------------------------------------------- */

static bool
is_plain(char c)
{
	return ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~');
}

static void
add_escaped(struct buf *out, text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (is_plain(t.at[i]))
			buf_add_char(out, t.at[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)t.at[i]);
}

void
room_check_url(struct buf *out, text base, text code)
{
	while (base.len > 0 && base.at[base.len - 1] == '/')
		base.len--;
	buf_add(out, base);
	buf_add(out, TEXT("/rooms/"));
	add_escaped(out, code);
}

void
room_play_url(struct buf *out, text base, const char *host, text code,
    int64_t session, const struct room *shard)
{
	buf_add(out, text_begins(base, TEXT("http://")) ? TEXT("ws://") :
	    TEXT("wss://"));
	buf_add_string(out, host);
	buf_add(out, TEXT("/api/v2/rooms/"));
	add_escaped(out, code);
	buf_printf(out, "/play?role=shard&name=GamePicker&userId=gamepicker-%"
	    PRId64 "&format=json", session);
	if (shard == NULL || shard->shard_id == 0)
		return;
	buf_printf(out, "&id=%" PRId64 "&secret=", shard->shard_id);
	add_escaped(out, text_of(shard->shard_secret));
}
