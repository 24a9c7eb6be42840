/* SPDX-License-Identifier: MIT */
/*
 * jobs/room: what the game service says, message by message, as it was
 * recorded of games that tell of themselves in different ways.
 */
#include "jobs/room.h"

#include "tap.h"

static struct room room;
static struct buf out;

static void
begin(const char *name)
{
	room_fini(&room);
	test(name);
}

static unsigned
hear(const char *message)
{
	return (room_hear(&room, text_of(message)));
}

/* Names, an id behind each that is known. */
static text
players(void)
{
	buf_clear(&out);
	for (unsigned i = 0; i < room.player_count; i++) {
		if (i > 0)
			buf_add_char(&out, ' ');
		buf_add_string(&out, room.players[i].name);
		if (room.players[i].id != 0)
			buf_printf(&out, "=%d", (int)room.players[i].id);
	}
	return (buf_text(&out));
}

static text
written(void)
{
	buf_clear(&out);
	room_write(&room, &out);
	return (buf_text(&out));
}

#define WELCOME(room, here)						\
	"{\"pc\":0,\"opcode\":\"client/welcome\",\"result\":{\"id\":4,"	\
	"\"name\":\"GamePicker\",\"secret\":\"5a-b\",\"reconnect\":"	\
	"false,\"entities\":{\"audience\":[\"crdt/pn-counter\",[],{}],"	\
	room "},\"here\":{\"1\":{\"id\":1,\"roles\":{\"host\":{}}}" here \
	",\"4\":{\"id\":4,\"roles\":{\"shard\":{}}}}}}"
#define ENTITY(key, val)						\
	"\"" key "\":[\"object\",{\"key\":\"" key "\",\"val\":" val	\
	",\"version\":1,\"from\":1},{\"locked\":false}]"
#define OBJECT(key, val)						\
	"{\"pc\":9,\"opcode\":\"object\",\"result\":{\"key\":\"" key	\
	"\",\"val\":" val ",\"version\":2,\"from\":1}}"
#define PLAYER(id, name)						\
	",\"" id "\":{\"id\":" id ",\"roles\":{\"player\":{\"name\":\""	\
	name "\"}}}"
#define LOBBY "{\"state\":\"Lobby\",\"lobbyState\":\"WaitingForMore\","	\
	"\"gameCanStart\":false,\"gameIsStarting\":false,"		\
	"\"gameFinished\":false}"

static void
test_drawful(void)
{
	begin("a game that tells all: lobby, joins, start, end");
	is(hear(WELCOME(ENTITY("room", LOBBY), PLAYER("2", "ALICE"))),
	    ROOM_WELCOME | ROOM_CHANGED);
	is_text(players(), "ALICE=2");
	is_text(room.lobby_state, "WaitingForMore");
	is(room.shard_id, 4);
	is_text(room.shard_secret, "5a-b");
	is(hear("{\"opcode\":\"client/connected\",\"result\":{\"id\":3,"
	    "\"userId\":\"u\",\"name\":\"BOB\",\"role\":\"player\"}}"),
	    ROOM_CHANGED);
	is(hear(OBJECT("textDescriptions", "{\"latestDescriptions\":["
	    "{\"id\":1,\"category\":\"TEXT_DESCRIPTION_PLAYER_JOINED\","
	    "\"text\":\"BOB joined.\"}]}")), 0);
	is_text(players(), "ALICE=2 BOB=3");
	is(hear(OBJECT("room", "{\"state\":\"Lobby\",\"lobbyState\":"
	    "\"CanStart\",\"gameCanStart\":true}")), ROOM_CHANGED);
	is(room.can_start, 1);
	is(hear(OBJECT("room", "{\"state\":\"Gameplay\"}")), ROOM_CHANGED);
	is(room.is_started, 1);
	is(room.is_finished, 0);
	is(hear(OBJECT("room", "{\"state\":\"Gameplay\"}")), 0);
	is(hear(OBJECT("room", "{\"gameFinished\":true}")), ROOM_CHANGED);
	is(room.is_finished, 1);
}

static void
test_trivia(void)
{
	begin("a game that tells of nobody: who is there comes by a probe");
	is(hear(WELCOME(ENTITY("bc:room", LOBBY), "")),
	    ROOM_WELCOME | ROOM_CHANGED);
	is(room.has_bc_room, 1);
	is_text(players(), "");
	is(room_hear_probe(&room, TEXT(WELCOME(ENTITY("bc:room", LOBBY),
	    PLAYER("2", "ANN") PLAYER("3", "B\xc3\xb6")))), ROOM_WELCOME |
	    ROOM_CHANGED);
	is_text(players(), "ANN=2 B\xc3\xb6=3");
	is(room_hear_probe(&room, TEXT(WELCOME(ENTITY("bc:room", LOBBY),
	    PLAYER("3", "B\xc3\xb6")))), ROOM_WELCOME);
	is_text(players(), "ANN=2 B\xc3\xb6=3");
	is_text(room.shard_secret, "5a-b");
}

static void
test_names(void)
{
	begin("a name of a text, and the same with an id later");
	is(hear(OBJECT("textDescriptions", "{\"latestDescriptions\":["
	    "{\"text\":\"CARL joined the game!\"},{\"text\":\"joined\"},"
	    "{\"text\":\"DEE left.\"},7,{\"text\":\" joined\"}]}")),
	    ROOM_CHANGED);
	is_text(players(), "CARL");
	is(hear(WELCOME(ENTITY("room", LOBBY), PLAYER("2", "CARL")
	    PLAYER("5", "CARL"))), ROOM_WELCOME | ROOM_CHANGED);
	is_text(players(), "CARL=2 CARL=5");
	begin("a name is clipped where a sign ends, a crowd at its bound");
	buf_clear(&out);
	for (int i = 0; i < 70; i++)
		buf_add(&out, TEXT("\xc3\xa4"));
	for (int i = 0; i < 2 * ROOM_PLAYERS_MAX; i++) {
		struct buf line;

		buf_init(&line, BUF_NO_LIMIT);
		buf_printf(&line, "{\"opcode\":\"client/connected\","
		    "\"result\":{\"id\":%d,\"role\":\"player\",\"name\":"
		    "\"%s\"}}", i + 1, out.at);
		room_hear(&room, buf_text(&line));
		buf_fini(&line);
	}
	is(room.player_count, ROOM_PLAYERS_MAX);
	is(strlen(room.players[0].name), ROOM_WORD_MAX);
}

static void
test_leftover(void)
{
	begin("what a room tells of the game before ends nothing");
	hear(WELCOME(ENTITY("room", "{\"state\":\"Lobby\",\"lobbyState\":"
	    "\"PostGame\",\"gameFinished\":true}"), ""));
	is(room.is_finished, 0);
	hear(OBJECT("room", "{\"state\":\"Gameplay\",\"gameFinished\":"
	    "false}"));
	is(room.is_started, 1);
	is(room.is_finished, 0);
	hear(OBJECT("room", "{\"state\":\"Lobby\",\"gameFinished\":true}"));
	is(room.is_finished, 1);
	is(room.is_started, 1);
}

static void
test_refusals(void)
{
	begin("refusals, and what is none");
	is(hear("{\"opcode\":\"error\",\"result\":{\"code\":2027,\"msg\":"
	    "\"x\"}}"), ROOM_MISSING);
	is(hear("{\"opcode\":\"error\",\"result\":{\"code\":2013}}"),
	    ROOM_MISSING);
	is(hear("{\"opcode\":\"error\",\"result\":{\"code\":2014}}"),
	    ROOM_REJECTED);
	is(hear("{\"opcode\":\"error\",\"result\":{\"code\":2017}}"),
	    ROOM_REJECTED);
	is(hear("{\"opcode\":\"error\",\"result\":{\"code\":1003}}"),
	    ROOM_ERROR);
	is(hear("{\"opcode\":\"error\"}"), ROOM_ERROR);
	is(hear("{\"re\":7,\"opcode\":\"error\",\"result\":{\"code\":2005}}"),
	    0);
	is(hear("{\"opcode\":\"room/exit\",\"result\":{\"cause\":1}}"),
	    ROOM_EXIT);
	for (unsigned i = 0; i < 7; i++)
		is(hear((const char *[]){ "", "{", "[]", "7",
		    "{\"opcode\":7}", "{\"opcode\":\"object\"}",
		    OBJECT("other", "{\"state\":\"Gameplay\"}") }[i]), 0);
	is(room.is_started, 0);
}

static void
test_check(void)
{
	char host[ROOM_HOST_MAX + 1] = "";

	begin("the answer of REST");
	is(room_read_check(&room, TEXT("{\"ok\":true,\"body\":{\"host\":"
	    "\"ecast-prod.example.com\",\"appTag\":\"drawful2\","
	    "\"maxPlayers\":8}}"), host), 1);
	is_text(host, "ecast-prod.example.com");
	is_text(room.app_tag, "drawful2");
	is(room.max_players, 8);
	is(room_read_check(&room, TEXT("{\"ok\":false}"), host), 0);
	is(room_read_check(&room, TEXT("{\"ok\":true,\"body\":{}}"), host),
	    0);
	is(room_read_check(&room, TEXT("{\"ok\":true,\"body\":{\"host\":"
	    "\"x@y/z\"}}"), host), 0);
	is(room_read_check(&room, TEXT("oops"), host), 0);
}

static void
test_row(void)
{
	struct room other;

	begin("what one leaves, another one goes on with");
	hear(WELCOME(ENTITY("room", LOBBY), PLAYER("2", "ALICE")));
	room.max_players = 8;
	is_text(written(), "{\"players\":[\"ALICE\"],\"player_ids\":[2],"
	    "\"heard_count\":1,\"max_players\":8,\"app_tag\":null,"
	    "\"lobby_state\":\"WaitingForMore\",\"game_state\":\"Lobby\","
	    "\"can_start\":false,\"is_starting\":false,\"is_connected\":true,"
	    "\"is_started\":false,\"is_finished\":false,\"shard_id\":4,"
	    "\"shard_secret\":\"5a-b\"}");
	room_init(&other);
	is(room_read(&other, buf_text(&out)), 1);
	room_fini(&room);
	room = other;
	is(room.is_connected, 1);
	is(hear(WELCOME(ENTITY("room", LOBBY), PLAYER("2", "ALICE"))),
	    ROOM_WELCOME);
	is_text(players(), "ALICE=2");
	room_init(&other);
	is(room_read(&other, TEXT("[]")), 0);
	is(room_read(&other, TEXT("{\"players\":null,\"max_players\":null,"
	    "\"shard_id\":3}")), 1);
	is(other.shard_id, 0);
	room_fini(&other);
}

static void
test_ways(void)
{
	begin("the ways to a room");
	buf_clear(&out);
	room_check_url(&out, TEXT("https://e.example/api/v2/"),
	    TEXT("LSBN"));
	is_text(buf_text(&out), "https://e.example/api/v2/rooms/LSBN");
	buf_clear(&out);
	room_play_url(&out, TEXT("https://e.example/api/v2"), "s.example",
	    TEXT("LSBN"), 17, &room);
	is_text(buf_text(&out), "wss://s.example/api/v2/rooms/LSBN/play"
	    "?role=shard&name=GamePicker&userId=gamepicker-17&format=json");
	hear(WELCOME(ENTITY("room", LOBBY), ""));
	room.shard_secret[0] = '&';
	buf_clear(&out);
	room_play_url(&out, TEXT("http://e.example"), "127.0.0.1:80",
	    TEXT("LSBN"), 17, &room);
	is_text(buf_text(&out), "ws://127.0.0.1:80/api/v2/rooms/LSBN/play"
	    "?role=shard&name=GamePicker&userId=gamepicker-17&format=json"
	    "&id=4&secret=%26a-b");
}

int
main(void)
{
	room_init(&room);
	buf_init(&out, BUF_NO_LIMIT);
	test_drawful();
	test_trivia();
	test_names();
	test_leftover();
	test_refusals();
	test_check();
	test_row();
	test_ways();
	room_fini(&room);
	buf_fini(&out);
	return (done());
}
