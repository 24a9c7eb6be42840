/* SPDX-License-Identifier: MIT */
/*
 * transport/socketio: applications as tables, answers, rooms, and what is
 * said between workers, over sessions that only note what they are sent.
 */
#include "transport/socketio.h"

#include "base/conf.h"
#include "core/event.h"
#include "core/feed.h"
#include "core/tenant.h"
#include "plat/loop.h"
#include "tap.h"

#define WORKERS 3
#define TENANT 1

/* --- what is below ----------------------------------------------------- */

struct engineio {
	struct tenant	*tenant;
	void		*application;
	struct buf	 heard;		/* messages, each with a blank */
	bool		 is_writable;
	bool		 is_closed;
	enum engineio_end why;
};

struct engineio_message {
	unsigned	 holders;
	bool		 is_binary;
	struct buf	 buf;
};

static struct worker {
	struct service	 service;
	struct socketio	*socketio;
	struct feed_listener listener;
	int		 wanted;
} workers[WORKERS];
static struct conf conf;
static struct loop *loop;
static unsigned made, said, lost_after;

struct engineio_message *
engineio_message_create(const text *pieces, unsigned count, bool is_binary)
{
	struct engineio_message *message = mem_alloc(sizeof *message);

	made++;
	message->holders = 1;
	message->is_binary = is_binary;
	buf_init(&message->buf, BUF_NO_LIMIT);
	for (unsigned i = 0; i < count; i++)
		buf_add(&message->buf, pieces[i]);
	return (message);
}

void
engineio_message_give(struct engineio_message **given)
{
	struct engineio_message *message = *given;

	*given = NULL;
	if (--message->holders > 0)
		return;
	buf_fini(&message->buf);
	mem_free(message);
}

void
engineio_send(struct engineio *engine, struct engineio_message *message)
{
	must(!engine->is_closed);
	if (message->is_binary)
		buf_printf(&engine->heard, "b%zu:", message->buf.len);
	if (message->buf.len < 100)
		buf_add(&engine->heard, buf_text(&message->buf));
	buf_add_char(&engine->heard, ' ');
}

bool
engineio_is_writable(const struct engineio *engine)
{
	return (engine->is_writable);
}

void
engineio_close(struct engineio *engine, enum engineio_end why)
{
	engine->is_closed = true;
	engine->why = why;
}

struct tenant *
engineio_tenant(const struct engineio *engine)
{
	return (engine->tenant);
}

text
engineio_cookie(const struct engineio_facts *facts, text name)
{
	(void)facts;
	return (text_is(name, TEXT("connect.sid")) ? TEXT("s:x") : TEXT_NONE);
}

static struct worker *
worker_of(struct feed *feed)
{
	return ((struct worker *)feed);
}

void
feed_listen(struct feed *feed, const struct feed_listener *listener)
{
	worker_of(feed)->listener = *listener;
}

void
feed_leave(struct feed *feed, text stream)
{
	ok(text_is(worker_of(feed)->listener.stream, stream));
}

void
feed_want(struct feed *feed, int32_t tenant, bool is_wanted)
{
	is(tenant, TENANT);
	worker_of(feed)->wanted += is_wanted ? 1 : -1;
}

void
event_say(struct service *service, int32_t tenant, text stream, text payload)
{
	ok(text_is(stream, TEXT("socketio")));
	ok(payload.len <= (size_t)conf.ring_record_max);
	if (lost_after > 0 && ++said == lost_after)
		return;
	for (unsigned i = 0; i < WORKERS; i++)
		if (&workers[i].service != service)
			workers[i].listener.hear(workers[i].listener.context,
			    tenant, payload);
}

/* --- an application ---------------------------------------------------- */

static struct {
	struct socketio_socket *last;	/* that came in */
	struct socketio_debt *debt;
	unsigned	 unknown, misfits, closed;
	enum socketio_end why;
	char		 answer[64];
	unsigned	 answers;
	struct buf	 arguments;
} seen;

static void
on_connect(struct socketio_socket *socket, text auth, void *context)
{
	(void)context;
	seen.last = socket;
	socketio_set_application(socket, socket);
	if (text_is(auth, TEXT("{\"no\":1}")))
		socketio_refuse(socket, TEXT("no"), TEXT("[1]"));
	else if (!text_is(auth, TEXT("{\"later\":1}")))
		socketio_admit(socket);
}

static void
on_close(void *application, enum socketio_end why)
{
	(void)application;
	seen.closed++;
	seen.why = why;
}

static void
on_shape(struct socketio_call *call)
{
	buf_clear(&seen.arguments);
	for (unsigned i = 0; i < call->count; i++) {
		buf_add(&seen.arguments, call->arguments[i].at != NULL ?
		    call->arguments[i] : TEXT("none"));
		buf_add_char(&seen.arguments, ' ');
	}
}

static void
on_binary(struct socketio_call *call)
{
	struct bytes *bytes = socketio_attachment(call, call->arguments[0]);

	buf_clear(&seen.arguments);
	buf_add(&seen.arguments, text_from(bytes->at, bytes->len));
}

static void
on_twice(struct socketio_call *call)
{
	struct socketio_writer writer;

	while (socketio_answer(call, &writer)) {
		socketio_write_text(&writer, TEXT("once"));
		socketio_answer_send(call, &writer);
	}
}

static void
on_later(struct socketio_call *call)
{
	seen.debt = socketio_answer_later(call);
}

static void
on_leave(struct socketio_call *call)
{
	socketio_disconnect(call->socket, call->count > 0 &&
	    call->arguments[0].at != NULL);
	ok(!socketio_is_joined(call->socket));
	socketio_join(call->socket, TEXT("nowhere"));
}

static void on_unknown(struct socketio_call *call)
    { (void)call; seen.unknown++; }
static void on_misfit(struct socketio_call *call)
    { (void)call; seen.misfits++; }

static const struct socketio_event events[] = {
	{ "shape", "tibov?t", on_shape },
	{ "any", "t*", on_shape },
	{ "binary", "x", on_binary },
	{ "twice", "", on_twice },
	{ "later", "", on_later },
	{ "leave", "?b", on_leave },
};

static bool
is_never(void *context, const struct socketio_socket *socket)
{
	(void)context;
	return (!text_is(socketio_cookie(socket), TEXT("s:x")));
}

static const struct socketio_app apps[] = {
	{ .nsp = "/den", .is_mine = is_never },
	{ .nsp = "/den", .events = events,
	    .events_count = sizeof events / sizeof events[0],
	    .on_connect = on_connect, .on_close = on_close,
	    .on_unknown = on_unknown, .on_misfit = on_misfit },
	{ .nsp = "/", .on_connect = on_connect },
};

/* --- clients ----------------------------------------------------------- */

struct client {
	struct engineio	 engine;
	struct socketio_socket *socket;
};

static struct tenant tenant = { .magic = TENANT_MAGIC, .id = TENANT };

static void
say(struct client *client, const char *message)
{
	socketio_acts.on_message(client->engine.application,
	    text_of(message), false);
}

static void
forget(struct client *client)
{
	buf_clear(&client->engine.heard);
}

static void
come(struct client *client, unsigned worker)
{
	static const struct op op = { .client_address = { "::1", 3 } };
	struct engineio_facts facts = { .op = &op };

	*client = (struct client){ .engine = { .tenant = &tenant,
	    .is_writable = true } };
	buf_init(&client->engine.heard, BUF_NO_LIMIT);
	client->engine.application = socketio_acts.on_open(&client->engine,
	    workers[worker].socketio, &facts);
}

static void
enter(struct client *client, unsigned worker)
{
	come(client, worker);
	say(client, "0/den");
	client->socket = seen.last;
	forget(client);
}

static void
go(struct client *client)
{
	socketio_acts.on_close(client->engine.application,
	    ENGINEIO_TRANSPORT_CLOSE);
	buf_fini(&client->engine.heard);
}

#define hears(client, wanted)						\
	do {								\
		is_text(buf_text(&(client)->engine.heard), wanted);	\
		forget(client);						\
	} while (0)

/* --- tests ------------------------------------------------------------- */

static void
coming_and_going(void)
{
	struct client ann;
	unsigned closed = seen.closed;
	char wanted[80];

	test("who is let in is told his sid");
	come(&ann, 0);
	say(&ann, "0/den");
	snprintf(wanted, sizeof wanted, "0/den,{\"sid\":\"%.*s\"} ",
	    SOCKETIO_SID_LEN, socketio_sid(seen.last).at);
	hears(&ann, wanted);
	is_text(socketio_address(seen.last), "::1");
	is(workers[0].wanted, 1);
	test("who is refused is told why, and leaves the connection");
	say(&ann, "0");
	forget(&ann);
	say(&ann, "1/den,");
	is(seen.why, SOCKETIO_CLIENT_LEFT);
	is_text(socketio_end_name(seen.why), "client namespace disconnect");
	say(&ann, "0/den,{\"no\":1}");
	hears(&ann, "4/den,{\"message\":\"no\",\"data\":[1]} ");
	ok(!ann.engine.is_closed);
	is(seen.closed, closed + 2);
	test("who waits hears nothing, and may say nothing");
	say(&ann, "0/den,{\"later\":1}");
	hears(&ann, "");
	ok(!socketio_is_joined(seen.last));
	say(&ann, "2/den,[\"twice\"]");
	ok(ann.engine.is_closed);
	is(ann.engine.why, ENGINEIO_PARSE_ERROR);
	go(&ann);
	is(seen.closed, closed + 3);
	is(workers[0].wanted, 0);
	loop_turn(loop, 0);
	test("an event's own function may end everything");
	enter(&ann, 0);
	say(&ann, "2/den,[\"leave\",null]");
	hears(&ann, "1/den, ");
	is(seen.why, SOCKETIO_SERVER_LEFT);
	ok(!ann.engine.is_closed);
	say(&ann, "0/den");
	say(&ann, "0");
	forget(&ann);
	say(&ann, "2/den,[\"leave\",true]");
	hears(&ann, "1/den, 1 ");
	ok(ann.engine.is_closed);
	is(ann.engine.why, ENGINEIO_FORCED_CLOSE);
	go(&ann);
	loop_turn(loop, 0);
}

static void
shapes(void)
{
	struct client ann;

	enter(&ann, 0);
	test("arguments by their shape");
	say(&ann, "2/den,[\"shape\",\"a\",1.5,true, {\"x\":1} ,[]]");
	is_text(buf_text(&seen.arguments), "\"a\" 1.5 true {\"x\":1} [] none ");
	say(&ann, "2/den,[\"shape\",\"a\",1,true,{},null,null]");
	is_text(buf_text(&seen.arguments), "\"a\" 1 true {} null none ");
	say(&ann, "2/den,[\"any\",\"a\",1,2]");
	is_text(buf_text(&seen.arguments), "\"a\" ");
	is(seen.misfits, 0);
	test("what is not of the shape is the application's");
	say(&ann, "2/den,[\"shape\",1,1,true,{},null]");
	say(&ann, "2/den,[\"shape\",\"a\",1,true,{}]");
	say(&ann, "2/den,[\"shape\",\"a\",1,true,{},null,1]");
	say(&ann, "2/den,[\"shape\",\"a\",1,true,{},1,\"t\",1]");
	say(&ann, "2/den,[\"twice\",1]");
	say(&ann, "2/den,[\"binary\",{\"_placeholder\":true,\"num\":0}]");
	is(seen.misfits, 6);
	say(&ann, "2/den,[\"what\"]");
	is(seen.unknown, 1);
	test("an attachment");
	say(&ann, "51-/den,[\"binary\",{\"num\":0,\"_placeholder\":true}]");
	socketio_acts.on_message(ann.engine.application, TEXT("bytes"), true);
	is_text(buf_text(&seen.arguments), "bytes");
	say(&ann, "51-/den,[\"binary\",[{\"num\":0,\"_placeholder\":true}]]");
	socketio_acts.on_message(ann.engine.application, TEXT("bytes"), true);
	is(seen.misfits, 7);
	ok(!ann.engine.is_closed);
	go(&ann);
	loop_turn(loop, 0);
}

static void
on_answer(void *me, const struct socketio_packet *packet)
{
	struct client *client = me;

	(void)client;
	seen.answers++;
	snprintf(seen.answer, sizeof seen.answer, "%.*s", packet != NULL ?
	    (int)packet->rest.len : 4, packet != NULL ? packet->rest.at :
	    "none");
}

static void
ask(struct client *client, int64_t ms)
{
	struct socketio_writer writer;

	socketio_event(client->socket, TEXT("why"), &writer);
	socketio_ask(client->socket, &writer, ms, on_answer, client);
}

static void
answers(void)
{
	struct socketio_writer writer;
	struct client ann;

	enter(&ann, 0);
	test("an answer is given once, where it is wanted");
	say(&ann, "2/den,7[\"twice\"]");
	hears(&ann, "3/den,7[\"once\"] ");
	say(&ann, "2/den,[\"twice\"]");
	hears(&ann, "");
	test("an answer that is given later");
	say(&ann, "2/den,8[\"later\"]");
	ok(socketio_debt_is_wanted(seen.debt));
	socketio_debt_answer(seen.debt, &writer);
	json_int(&writer.json, 1);
	socketio_debt_pay(&seen.debt, &writer);
	hears(&ann, "3/den,8[1] ");
	test("what we ask is answered once");
	ask(&ann, 10000);
	ask(&ann, 10000);
	hears(&ann, "2/den,0[\"why\"] 2/den,1[\"why\"] ");
	say(&ann, "3/den,1[\"b\"]");
	is_text(text_of(seen.answer), "\"b\"");
	say(&ann, "3/den,1[\"c\"]");
	say(&ann, "3/den,9[\"c\"]");
	is(seen.answers, 1);
	say(&ann, "3/den,0[\"a\",2]");
	is_text(text_of(seen.answer), "\"a\",2");
	test("what nobody answers in time");
	ask(&ann, 1);
	while (seen.answers == 2)
		loop_turn(loop, 100);
	is_text(text_of(seen.answer), "none");
	test("who goes owes nothing, and is owed nothing");
	ask(&ann, 10000);
	say(&ann, "2/den,9[\"later\"]");
	go(&ann);
	is(seen.answers, 4);
	ok(!socketio_debt_is_wanted(seen.debt));
	socketio_debt_pay(&seen.debt, NULL);
	loop_turn(loop, 0);
}

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
	loop = loop_create();
	buf_init(&seen.arguments, BUF_NO_LIMIT);
	conf.socketio_attachments = 4;
	conf.socketio_connect_timeout = 45000;
	conf.ring_record_max = 1024;
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *worker = &workers[i];

		worker->service = (struct service){ .loop = loop,
		    .conf = &conf, .feed = (struct feed *)worker };
		worker->socketio = socketio_create(&(struct socketio_setup){
		    .service = &worker->service, .apps = apps,
		    .apps_count = sizeof apps / sizeof apps[0],
		    .cookie = TEXT("connect.sid") });
	}
	coming_and_going();
	shapes();
	answers();
	rooms();
	changes();
	pieces();
	for (unsigned i = 0; i < WORKERS; i++)
		socketio_destroy(&workers[i].socketio);
	buf_fini(&seen.arguments);
	loop_destroy(&loop);
	return (done());
}
