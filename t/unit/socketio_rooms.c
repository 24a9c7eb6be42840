/* SPDX-License-Identifier: MIT */
/*
 * transport/socketio: rooms, who hears what is said to them, on which worker,
 * and what is said in pieces.
 */
#include "socketio_world.h"

struct words {
	const char	*rooms[3];
	const char	*except[3];
	bool		 is_volatile, is_local;
};

static unsigned
texts_of(const char *const from[3], text to[3])
{
	unsigned count = 0;

	for (; count < 3 && from[count] != NULL; count++)
		to[count] = text_of(from[count]);
	return (count);
}

static struct socketio_target
target_of(const struct words *words, text rooms[3], text except[3])
{
	return ((struct socketio_target){ .tenant = TENANT,
	    .nsp = TEXT("/den"), .rooms = rooms,
	    .rooms_count = texts_of(words->rooms, rooms), .except = except,
	    .except_count = texts_of(words->except, except),
	    .is_volatile = words->is_volatile,
	    .is_local = words->is_local });
}

static void
tell(unsigned worker, const char *name, const struct words *words)
{
	struct socketio_writer writer;
	text rooms[3], except[3];
	struct socketio_target target = target_of(words, rooms, except);

	socketio_write(&writer, SOCKETIO_EVENT, TEXT("/den"));
	socketio_write_text(&writer, text_of(name));
	socketio_broadcast(workers[worker].socketio, &target, &writer);
}
#define tell(worker, name, ...)						\
	tell((worker), (name), &(struct words){ __VA_ARGS__ })

static void
rooms(void)
{
	struct client c[4];	/* 0 and 1 on worker 0, 2 on 1, 3 on 2 */
	struct socketio_writer writer;
	char sid[SOCKETIO_SID_LEN + 1];

	for (unsigned i = 0; i < 4; i++)
		enter(&c[i], i < 2 ? 0 : i - 1);
	socketio_join(c[0].socket, TEXT("a"));
	socketio_join(c[0].socket, TEXT("a"));
	socketio_join(c[0].socket, TEXT("b"));
	socketio_join(c[1].socket, TEXT("b"));
	socketio_join(c[2].socket, TEXT("a"));
	socketio_join(c[3].socket, TEXT("c"));
	test("all of a namespace, on all workers");
	made = 0;
	tell(0, "x", .is_local = false);
	for (unsigned i = 0; i < 4; i++)
		hears(&c[i], "2/den,[\"x\"] ");
	is(made, WORKERS);
	test("a room");
	tell(2, "x", .rooms = { "a" });
	hears(&c[0], "2/den,[\"x\"] ");
	hears(&c[1], "");
	hears(&c[2], "2/den,[\"x\"] ");
	hears(&c[3], "");
	test("rooms: each socket once");
	tell(1, "x", .rooms = { "a", "b", "c" });
	for (unsigned i = 0; i < 4; i++)
		hears(&c[i], "2/den,[\"x\"] ");
	test("rooms, but not those of another");
	tell(1, "x", .rooms = { "b", "c" }, .except = { "a" });
	hears(&c[0], "");
	hears(&c[1], "2/den,[\"x\"] ");
	hears(&c[2], "");
	hears(&c[3], "2/den,[\"x\"] ");
	test("a room, but not the one who says it");
	socketio_event(c[0].socket, TEXT("y"), &writer);
	socketio_tell_room(c[0].socket, TEXT("a"), &writer);
	hears(&c[0], "");
	hears(&c[2], "2/den,[\"y\"] ");
	socketio_event(c[2].socket, TEXT("y"), &writer);
	socketio_tell_room(c[2].socket, TEXT("a"), &writer);
	hears(&c[0], "2/den,[\"y\"] ");
	hears(&c[2], "");
	test("a sid is a room");
	snprintf(sid, sizeof sid, "%.*s", SOCKETIO_SID_LEN,
	    socketio_sid(c[3].socket).at);
	tell(0, "x", .rooms = { sid, "c" });
	hears(&c[3], "2/den,[\"x\"] ");
	hears(&c[0], "");
	tell(0, "x", .rooms = { "nobody" }, .except = { "nobody" });
	test("those of one worker alone");
	tell(0, "x", .is_local = true);
	hears(&c[1], "2/den,[\"x\"] ");
	hears(&c[2], "");
	test("what is volatile is not kept for who cannot take it");
	c[2].engine.is_writable = false;
	forget(&c[0]);
	tell(0, "x", .rooms = { "a" }, .is_volatile = true);
	hears(&c[0], "2/den,[\"x\"] ");
	hears(&c[2], "");
	socketio_event(c[2].socket, TEXT("y"), &writer);
	socketio_send_volatile(c[2].socket, &writer);
	hears(&c[2], "");
	test("who left hears no more, and empty rooms vanish");
	socketio_leave(c[0].socket, TEXT("b"));
	socketio_leave(c[0].socket, TEXT("b"));
	is(socketio_room_count(workers[0].socketio, TENANT, TEXT("/den"),
	    TEXT("b")), 1);
	ok(!socketio_is_in(c[0].socket, TEXT("b")));
	ok(socketio_is_in(c[0].socket, TEXT("a")));
	tell(0, "x", .rooms = { "b" });
	hears(&c[0], "");
	hears(&c[1], "2/den,[\"x\"] ");
	go(&c[1]);
	is(socketio_room_count(workers[0].socketio, TENANT, TEXT("/den"),
	    TEXT("b")), 0);
	go(&c[0]);
	go(&c[2]);
	go(&c[3]);
	loop_turn(loop, 0);
	for (unsigned i = 0; i < WORKERS; i++)
		is(workers[i].wanted, 0);
}

static void
changes(void)
{
	struct client c[3];
	text rooms[3], except[3];
	struct socketio_target target = target_of(&(struct words){
	    .rooms = { "a" } }, rooms, except);

	for (unsigned i = 0; i < 3; i++) {
		enter(&c[i], i);
		socketio_join(c[i].socket, i < 2 ? TEXT("a") : TEXT("b"));
	}
	test("all of a room join another, leave, and are sent away");
	socketio_all_join(workers[2].socketio, &target, TEXT("d"));
	ok(socketio_is_in(c[0].socket, TEXT("d")));
	ok(socketio_is_in(c[1].socket, TEXT("d")));
	ok(!socketio_is_in(c[2].socket, TEXT("d")));
	socketio_all_leave(workers[2].socketio, &target, TEXT("d"));
	ok(!socketio_is_in(c[0].socket, TEXT("d")));
	ok(!socketio_is_in(c[1].socket, TEXT("d")));
	socketio_all_disconnect(workers[2].socketio, &target, false);
	hears(&c[0], "1/den, ");
	hears(&c[1], "1/den, ");
	hears(&c[2], "");
	ok(!c[0].engine.is_closed);
	rooms[0] = TEXT("b");
	socketio_all_disconnect(workers[0].socketio, &target, true);
	hears(&c[2], "1/den, ");
	ok(c[2].engine.is_closed);
	for (unsigned i = 0; i < 3; i++)
		go(&c[i]);
	loop_turn(loop, 0);
}

static void
tell_much(struct bytes *bytes)
{
	struct socketio_writer writer;

	socketio_write(&writer, SOCKETIO_EVENT, TEXT("/den"));
	socketio_write_text(&writer, TEXT("x"));
	socketio_write_binary(&writer, bytes);
	socketio_broadcast(workers[0].socketio, &(struct socketio_target){
	    .tenant = TENANT, .nsp = TEXT("/den") }, &writer);
}

static void
pieces(void)
{
	static const char head[] =
	    "51-/den,[\"x\",{\"_placeholder\":true,\"num\":0}] b10000: ";
	struct bytes *bytes = bytes_create(10000);
	struct client here, there;

	memset(bytes->at, '\x1e', bytes->len);
	enter(&here, 0);
	enter(&there, 1);
	test("what a record has no room for goes in pieces");
	tell_much(bytes);
	hears(&here, head);
	hears(&there, head);
	test("where a piece is lost all of it is, and nothing else");
	for (lost_after = 1; lost_after < 11; lost_after++) {
		said = 0;
		tell_much(bytes);
		hears(&here, head);
		hears(&there, "");
	}
	lost_after = 0;
	tell_much(bytes);
	hears(&there, head);
	go(&here);
	go(&there);
	bytes_give(&bytes);
	loop_turn(loop, 0);
}

int
main(void)
{
	world_begin();
	rooms();
	changes();
	pieces();
	world_end();
	return (done());
}
