/* SPDX-License-Identifier: MIT */
/*
 * Rooms: who of this worker is in them, and doing something to all who are
 * meant.
 *
 * Where one room is meant and at most one socket is excepted, which is nearly
 * always, nothing of a socket is touched but its engine: a client has one
 * socket in a namespace, so the engine tells who it is.
 */
#include <utlist.h>

#include "base/count.h"
#include "transport/socketio_inside.h"

#define SEATS_FIRST 4

/* --- who is in which --------------------------------------------------- */

/* The room without a name is the whole namespace. */
static void
write_key(int32_t tenant, text nsp, text name, struct buf *key)
{
	buf_init(key, BUF_NO_LIMIT);
	buf_add(key, text_from((const char *)&tenant, sizeof tenant));
	buf_add(key, nsp);
	buf_add_char(key, '\0');
	buf_add(key, name);
}

static struct socketio_room *
find_room(const struct socketio *socketio, int32_t tenant, text nsp,
    text name)
{
	struct socketio_room *room;
	struct buf key;

	write_key(tenant, nsp, name, &key);
	HASH_FIND(hh, socketio->rooms, key.at, key.len, room);
	buf_fini(&key);
	return (room);
}

static struct socketio_room *
add_room(struct socketio *socketio, int32_t tenant, text nsp, text name)
{
	struct socketio_room *room;
	struct buf key;

	write_key(tenant, nsp, name, &key);
	room = mem_alloc(sizeof *room + key.len);
	room->key_len = key.len;
	memcpy(room->key, key.at, key.len);
	HASH_ADD_KEYPTR(hh, socketio->rooms, room->key, room->key_len, room);
	buf_fini(&key);
	GAUGE_ADD(socketio_rooms, 1);
	return (room);
}

static void
sit_down(struct socketio_member *member, struct socketio_socket *socket,
    struct socketio_room *room)
{
	if (room->count == room->size) {
		room->size = room->size > 0 ? 2 * room->size : SEATS_FIRST;
		room->seats = mem_resize(room->seats,
		    room->size * sizeof room->seats[0]);
	}
	member->socket = socket;
	member->room = room;
	member->place = room->count;
	room->seats[room->count++] = (struct socketio_seat){
	    socket->engine, member };
}

/* Empty rooms vanish. */
static void
stand_up(struct socketio *socketio, struct socketio_member *member)
{
	struct socketio_room *room = member->room;
	struct socketio_seat *seat = &room->seats[member->place];

	must(seat->member == member);
	*seat = room->seats[--room->count];
	seat->member->place = member->place;
	member->room = NULL;
	if (room->count > 0)
		return;
	HASH_DELETE(hh, socketio->rooms, room);
	GAUGE_ADD(socketio_rooms, -1);
	mem_free(room->seats);
	mem_free(room);
}

static struct socketio_member *
find_member(const struct socketio_socket *socket,
    const struct socketio_room *room)
{
	struct socketio_member *member;

	DL_FOREACH(socket->members, member)
		if (member->room == room)
			return (member);
	return (NULL);
}

static text
nsp_of(const struct socketio_socket *socket)
{
	return (text_of(socket->app->nsp));
}

void
socketio_join(struct socketio_socket *socket, text name)
{
	struct socketio *socketio = socket->socketio;
	struct socketio_member *member;
	struct socketio_room *room;

	if (socket->state != SOCKETIO_JOINED || name.len == 0 ||
	    text_is(name, socketio_sid(socket)))
		return;
	room = find_room(socketio, socket->tenant, nsp_of(socket), name);
	if (room == NULL)
		room = add_room(socketio, socket->tenant, nsp_of(socket),
		    name);
	else if (find_member(socket, room) != NULL)
		return;
	member = mem_alloc(sizeof *member);
	sit_down(member, socket, room);
	DL_APPEND(socket->members, member);
}

static void
drop_member(struct socketio_socket *socket, struct socketio_member *member)
{
	DL_DELETE(socket->members, member);
	stand_up(socket->socketio, member);
	mem_free(member);
}

void
socketio_leave(struct socketio_socket *socket, text name)
{
	struct socketio_member *member;
	struct socketio_room *room;

	if (socket->state != SOCKETIO_JOINED || name.len == 0)
		return;
	room = find_room(socket->socketio, socket->tenant, nsp_of(socket),
	    name);
	member = room != NULL ? find_member(socket, room) : NULL;
	if (member != NULL)
		drop_member(socket, member);
}

bool
socketio_is_in(const struct socketio_socket *socket, text name)
{
	struct socketio_room *room = find_room(socket->socketio,
	    socket->tenant, nsp_of(socket), name);

	return ((room != NULL && find_member(socket, room) != NULL) ||
	    (socket->state == SOCKETIO_JOINED &&
	    text_is(name, socketio_sid(socket))));
}

void
socketio_enter(struct socketio_socket *socket)
{
	struct socketio_room *room = find_room(socket->socketio,
	    socket->tenant, nsp_of(socket), TEXT(""));

	if (room == NULL)
		room = add_room(socket->socketio, socket->tenant,
		    nsp_of(socket), TEXT(""));
	sit_down(&socket->everyone, socket, room);
}

void
socketio_leave_all(struct socketio_socket *socket)
{
	while (socket->members != NULL)
		drop_member(socket, socket->members);
	stand_up(socket->socketio, &socket->everyone);
}

unsigned
socketio_room_count(const struct socketio *socketio, int32_t tenant,
    text nsp, text name)
{
	const struct socketio_room *room = find_room(socketio, tenant, nsp,
	    name);

	return (room != NULL ? room->count : 0);
}

/* --- who is meant ------------------------------------------------------ */

static struct socketio_socket *
find_sid(const struct socketio *socketio, const struct socketio_news *news,
    text sid)
{
	struct socketio_socket *socket = NULL;

	if (sid.len == SOCKETIO_SID_LEN)
		HASH_FIND(hh, socketio->sockets, sid.at, SOCKETIO_SID_LEN,
		    socket);
	return (socket != NULL && socket->tenant == news->tenant &&
	    text_is(nsp_of(socket), news->nsp) ? socket : NULL);
}

struct walk {
	struct socketio	*socketio;
	const struct socketio_news *news;
	void		(*visit)(struct walk *walk,
			    struct socketio_socket *socket);
	uint32_t	 mark;
	/* Of whoever visits. */
	struct socketio_parts parts;
	bool		 is_volatile;
	struct socketio_socket **found;
	unsigned	 count, size;
};

static void
meet(struct walk *walk, struct socketio_socket *socket)
{
	if (socket->mark == walk->mark)
		return;
	socket->mark = walk->mark;
	if (walk->visit != NULL)
		walk->visit(walk, socket);
}

static void
meet_room(struct walk *walk, text name)
{
	const struct socketio_news *news = walk->news;
	struct socketio_room *room = find_room(walk->socketio, news->tenant,
	    news->nsp, name);
	struct socketio_socket *socket = find_sid(walk->socketio, news, name);

	if (socket != NULL)
		meet(walk, socket);
	for (unsigned i = 0; room != NULL && i < room->count; i++)
		meet(walk, room->seats[i].member->socket);
}

/* Those who are excepted were met already. No visit changes a room. */
static void
walk_all(struct walk *walk,
    void (*visit)(struct walk *walk, struct socketio_socket *socket))
{
	const struct socketio_news *news = walk->news;

	/* 0 is what new sockets have. */
	if (++walk->socketio->mark == 0)
		walk->socketio->mark = 1;
	walk->mark = walk->socketio->mark;
	walk->visit = NULL;
	for (unsigned i = 0; i < news->except; i++)
		meet_room(walk, news->texts[news->rooms + i]);
	walk->visit = visit;
	if (news->rooms == 0)
		meet_room(walk, TEXT(""));
	for (unsigned i = 0; i < news->rooms; i++)
		meet_room(walk, news->texts[i]);
}

static void
send_to(struct walk *walk, struct socketio_socket *socket)
{
	if (socket->keep != NULL && !walk->is_volatile)
		socketio_put_tailed(socket, &walk->parts);
	else
		socketio_put(socket->engine, &walk->parts,
		    walk->is_volatile);
}

/* One room, and at most one socket less: false, and nothing is done. */
static bool
send_to_room(struct walk *walk)
{
	const struct socketio_news *news = walk->news;
	const struct engineio *but = NULL;
	const struct socketio_socket *socket;
	const struct socketio_room *room;
	text name = news->rooms == 1 ? news->texts[0] : TEXT("");

	if (news->rooms > 1 || news->except > 1 ||
	    find_sid(walk->socketio, news, name) != NULL)
		return (false);
	if (news->except == 1) {
		text except = news->texts[news->rooms];

		if (find_room(walk->socketio, news->tenant, news->nsp,
		    except) != NULL)
			return (false);
		socket = find_sid(walk->socketio, news, except);
		but = socket != NULL ? socket->engine : NULL;
	}
	room = find_room(walk->socketio, news->tenant, news->nsp, name);
	for (unsigned i = 0; room != NULL && i < room->count; i++)
		if (room->seats[i].engine != but)
			socketio_put(room->seats[i].engine, &walk->parts,
			    walk->is_volatile);
	return (true);
}

void
socketio_parts_read(const struct socketio_news *news,
    struct socketio_parts *parts)
{
	text piece = news->argument;

	parts->count = 0;
	parts->at[parts->count++] = engineio_message_create(&piece, 1, false);
	for (unsigned i = 0; i < news->attachments &&
	    i < SOCKETIO_ATTACHMENTS_MOST; i++) {
		piece = news->texts[news->rooms + news->except + i];
		parts->at[parts->count++] = engineio_message_create(&piece,
		    1, true);
	}
}

static void
emit(struct walk *walk)
{
	const struct socketio_news *news = walk->news;

	walk->is_volatile = news->what == SOCKETIO_EMIT_VOLATILE;
	socketio_parts_read(news, &walk->parts);
	/* Where some are kept each is looked at. */
	if (walk->socketio->keeps != NULL || !send_to_room(walk))
		walk_all(walk, send_to);
	socketio_parts_end(&walk->parts);
}

static void
collect(struct walk *walk, struct socketio_socket *socket)
{
	if (walk->count == walk->size) {
		walk->size = walk->size > 0 ? 2 * walk->size : 64;
		walk->found = mem_resize(walk->found,
		    walk->size * sizeof walk->found[0]);
	}
	walk->found[walk->count++] = socket;
}

unsigned
socketio_meant(struct socketio *socketio, const struct socketio_news *news,
    struct socketio_socket ***found_out)
{
	struct walk walk = { .socketio = socketio, .news = news };

	walk_all(&walk, collect);
	*found_out = walk.found;
	return (walk.count);
}

/* What changes rooms: first who is meant, then what is done to them. */
static void
change(struct walk *walk)
{
	const struct socketio_news *news = walk->news;

	walk_all(walk, collect);
	for (unsigned i = 0; i < walk->count; i++)
		switch (news->what) {
		case SOCKETIO_JOIN:
			socketio_join(walk->found[i], news->argument);
			break;
		case SOCKETIO_LEAVE:
			socketio_leave(walk->found[i], news->argument);
			break;
		default:
			socketio_disconnect(walk->found[i],
			    news->what == SOCKETIO_CLOSE_ALL);
		}
	mem_free(walk->found);
}

static void
hear_taken(const struct socketio *socketio, const struct socketio_news *news)
{
	struct socketio_socket *socket = news->rooms == 1 ?
	    find_sid(socketio, news, news->texts[0]) : NULL;

	if (socket != NULL)
		socketio_keep_taken(socket, news->argument);
}

void
socketio_do(struct socketio *socketio, const struct socketio_news *news)
{
	struct walk walk = { .socketio = socketio, .news = news };

	switch (news->what) {
	case SOCKETIO_EMIT:
	case SOCKETIO_EMIT_VOLATILE:
		emit(&walk);
		break;
	case SOCKETIO_TAKEN:
		hear_taken(socketio, news);
		break;
	case SOCKETIO_ASK_ALL:
	case SOCKETIO_MEANT:
	case SOCKETIO_ANSWER:
	case SOCKETIO_NO_ANSWER:
		socketio_gather_hear(socketio, news);
		break;
	default:
		change(&walk);
	}
}

/* --- what applications say to all -------------------------------------- */

/* Here, and to all others: it is the same thing. */
void
socketio_tell(struct socketio *socketio, const struct socketio_target *target,
    struct socketio_news *news)
{
	unsigned at = 0;

	must(target->rooms_count + target->except_count + news->attachments <=
	    SOCKETIO_NEWS_TEXTS);
	news->tenant = target->tenant;
	news->nsp = target->nsp;
	news->rooms = target->rooms_count;
	news->except = target->except_count;
	/* Attachments were put in first; they stand behind the others. */
	memmove(news->texts + news->rooms + news->except, news->texts,
	    news->attachments * sizeof news->texts[0]);
	for (unsigned i = 0; i < news->rooms; i++)
		news->texts[at++] = target->rooms[i];
	for (unsigned i = 0; i < news->except; i++)
		news->texts[at++] = target->except[i];
	socketio_do(socketio, news);
	if (!target->is_local)
		socketio_say(socketio, news);
}

void
socketio_broadcast(struct socketio *socketio,
    const struct socketio_target *target, struct socketio_writer *writer)
{
	struct socketio_news news = { .what = target->is_volatile ?
	    SOCKETIO_EMIT_VOLATILE : SOCKETIO_EMIT };

	news.argument = socketio_written(writer);
	news.attachments = writer->count;
	for (unsigned i = 0; i < writer->count; i++)
		news.texts[i] = text_from(writer->attachments[i]->at,
		    writer->attachments[i]->len);
	if (!writer->has_failed)
		socketio_tell(socketio, target, &news);
	COUNT(socketio_broadcasts);
	socketio_write_end(writer);
}

void
socketio_tell_room(struct socketio_socket *socket, text room,
    struct socketio_writer *writer)
{
	const text sid = socketio_sid(socket);

	socketio_broadcast(socket->socketio, &(struct socketio_target){
	    .tenant = socket->tenant, .nsp = nsp_of(socket), .rooms = &room,
	    .rooms_count = 1, .except = &sid, .except_count = 1 }, writer);
}

void
socketio_all_join(struct socketio *socketio,
    const struct socketio_target *target, text room)
{
	struct socketio_news news = { .what = SOCKETIO_JOIN,
	    .argument = room };

	socketio_tell(socketio, target, &news);
}

void
socketio_all_leave(struct socketio *socketio,
    const struct socketio_target *target, text room)
{
	struct socketio_news news = { .what = SOCKETIO_LEAVE,
	    .argument = room };

	socketio_tell(socketio, target, &news);
}

void
socketio_all_disconnect(struct socketio *socketio,
    const struct socketio_target *target, bool has_to_close)
{
	struct socketio_news news = { .what = has_to_close ?
	    SOCKETIO_CLOSE_ALL : SOCKETIO_DISCONNECT_ALL };

	socketio_tell(socketio, target, &news);
}
