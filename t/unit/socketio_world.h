/* SPDX-License-Identifier: MIT */
/*
 * Three workers with transport/socketio, an application, and clients: what is
 * below them, sessions and rings, only notes or hands on what it is given.
 *
 *	world_begin();
 *	enter(&ann, 0);			comes to worker 0, into /den
 *	say(&ann, "2/den,[\"x\"]");
 *	hears(&ann, "…");		all that it was sent since
 *	go(&ann);
 *	world_end();
 */
#ifndef UNIT_SOCKETIO_WORLD_H
#define UNIT_SOCKETIO_WORLD_H

#include <unistd.h>

#include "transport/socketio.h"

#include "base/conf.h"
#include "core/act.h"
#include "core/control.h"
#include "core/event.h"
#include "core/feed.h"
#include "core/tenant.h"
#include "plat/loop.h"
#include "plat/segment.h"
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
static struct segment *segment;
static unsigned made, said, lost_after, others;

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

void
engineio_send_tailed(struct engineio *engine,
    struct engineio_message *message, text tail)
{
	text whole = buf_text(&message->buf);
	const text pieces[] = { text_from(whole.at, whole.len - 1), tail };
	struct engineio_message *own = engineio_message_create(pieces, 2,
	    false);

	made--;
	engineio_send(engine, own);
	engineio_message_give(&own);
}

void
engineio_send_live(struct engineio *engine, struct engineio_message *message,
    uint64_t key)
{
	must(key != 0);
	engineio_send(engine, message);
}

bool
engineio_has_room(struct engineio *engine)
{
	return (engine->is_writable);
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

unsigned
control_others(const struct control *control)
{
	(void)control;
	return (others);
}

/* Nothing is asked that nobody waits for. */
static struct asked {
	enum function	 function;
	unsigned	 count;
	struct buf	 inputs;	/* each with a blank */
	void		(*on_answer)(void *, const struct db_answer *);
	void		*me;
	text		 answer;
} asked;

void
service_ask(struct service *service, enum function function,
    const struct call_context *context, text stream, const text *inputs,
    unsigned count, void (*on_answer)(void *, const struct db_answer *),
    void *me)
{
	(void)service, (void)stream;
	must(asked.on_answer == NULL);
	is(context->tenant, TENANT);
	asked = (struct asked){ .function = function, .count = count,
	    .on_answer = on_answer, .me = me };
	buf_init(&asked.inputs, BUF_NO_LIMIT);
	for (unsigned i = 0; i < count; i++) {
		buf_add(&asked.inputs, inputs[i].at != NULL ? inputs[i] :
		    TEXT("NULL"));
		buf_add_char(&asked.inputs, ' ');
	}
}

bool
act_answer_row(const struct db_answer *answer, struct call_row *row)
{
	(void)answer;
	*row = (struct call_row){ .status = 200, .body = asked.answer };
	return (true);
}

/* body at NULL: it came to nothing. */
static inline void
answer_asked(const char *body)
{
	struct asked was = asked;

	must(was.on_answer != NULL);
	buf_fini(&was.inputs);
	asked = (struct asked){ .answer = text_of(body != NULL ? body : "") };
	was.on_answer(was.me, &(struct db_answer){ .result = body != NULL ?
	    DB_ROWS : DB_FAILED });
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
	/* Of those that are kept. */
	unsigned	 admitted, recovered;
	bool		 refuses_past;
	struct socketio_track *tracks[4];
	unsigned	 tracks_count;
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
on_connect_kept(struct socketio_socket *socket, text auth, void *context)
{
	(void)auth, (void)context;
	seen.last = socket;
	socketio_set_application(socket, socket);
	socketio_admit_as(socket, TEXT("ann"));
}

static void
on_admitted(void *application, bool is_recovered)
{
	(void)application;
	seen.admitted++;
	seen.recovered += is_recovered;
}

static bool
on_past(void *application, const struct socketio_past *past)
{
	(void)application;
	must(past->count <= 4);
	for (unsigned i = 0; i < past->count && !seen.refuses_past; i++)
		seen.tracks[seen.tracks_count++] = past->tracks[i];
	return (!seen.refuses_past);
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
	{ .nsp = "/kept", .on_connect = on_connect_kept,
	    .on_close = on_close, .on_admitted = on_admitted,
	    .on_past = on_past },
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

static inline void
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

static void
world_begin(void)
{
	int fd;

	loop = loop_create();
	segment = segment_create(WORKERS, 65536, 1024, &fd);
	close(fd);
	buf_init(&seen.arguments, BUF_NO_LIMIT);
	conf.socketio_attachments = 4;
	conf.socketio_connect_timeout = 45000;
	conf.socketio_messages = 1000;
	conf.ring_record_max = 1024;
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *worker = &workers[i];
		int slot = segment_give_slot(segment, ROLE_WORKER, i + 1);

		atomic_store(&segment->slots[slot].listens, 1);
		worker->service = (struct service){ .loop = loop,
		    .segment = segment, .conf = &conf,
		    .feed = (struct feed *)worker };
		worker->socketio = socketio_create(&(struct socketio_setup){
		    .service = &worker->service, .apps = apps,
		    .apps_count = sizeof apps / sizeof apps[0],
		    .cookie = TEXT("connect.sid") });
	}
}

static void
world_end(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		is(workers[i].wanted, 0);
		socketio_destroy(&workers[i].socketio);
	}
	buf_fini(&seen.arguments);
	loop_destroy(&loop);
	segment_unmap(segment);
}

#endif
