/* SPDX-License-Identifier: MIT */
/*
 * Clients and their sockets: who comes, who is let in, who goes.
 */
#include "transport/socketio_inside.h"

#include <utlist.h>

#include "base/base64.h"
#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/feed.h"
#include "core/tenant.h"
#include "plat/loop.h"

#define SID_BYTES 15

/* --- sending ----------------------------------------------------------- */

void
socketio_parts_make(struct socketio_writer *writer,
    struct socketio_parts *parts)
{
	text piece = socketio_written(writer);

	parts->count = 0;
	if (writer->has_failed)
		return;
	parts->at[parts->count++] = engineio_message_create(&piece, 1, false);
	for (unsigned i = 0; i < writer->count; i++) {
		piece = text_from(writer->attachments[i]->at,
		    writer->attachments[i]->len);
		parts->at[parts->count++] = engineio_message_create(&piece, 1,
		    true);
	}
}

void
socketio_parts_end(struct socketio_parts *parts)
{
	for (unsigned i = 0; i < parts->count; i++)
		engineio_message_give(&parts->at[i]);
}

void
socketio_put(struct engineio *engine, const struct socketio_parts *parts,
    bool is_volatile)
{
	if (is_volatile && !engineio_is_writable(engine))
		return;
	for (unsigned i = 0; i < parts->count; i++)
		engineio_send(engine, parts->at[i]);
}

static void
put_writer(struct engineio *engine, struct socketio_writer *writer,
    bool is_volatile)
{
	struct socketio_parts parts;

	socketio_parts_make(writer, &parts);
	socketio_put(engine, &parts, is_volatile);
	socketio_parts_end(&parts);
	socketio_write_end(writer);
}

void
socketio_send_writer(struct socketio_socket *socket,
    struct socketio_writer *writer, bool is_volatile)
{
	struct socketio_parts parts;

	if (socket->state != SOCKETIO_JOINED)
		socketio_write_end(writer);
	else if (socket->keep == NULL || is_volatile ||
	    writer->kind != SOCKETIO_EVENT || writer->id != SOCKETIO_NO_ID)
		put_writer(socket->engine, writer, is_volatile);
	else {
		socketio_parts_make(writer, &parts);
		socketio_put_tailed(socket, &parts);
		socketio_parts_end(&parts);
		socketio_write_end(writer);
	}
}

/* --- sockets ----------------------------------------------------------- */

static struct socketio_socket *
find_socket(const struct socketio_client *client, text nsp)
{
	struct socketio_socket *socket;

	LL_FOREACH(client->sockets, socket)
		if (text_is(text_of(socket->app->nsp), nsp))
			return (socket);
	return (NULL);
}

/* To be freed at the turn's end: whoever has it at hand still may. */
static void
end_socket(struct socketio_socket *socket, enum socketio_end why)
{
	struct socketio *socketio = socket->socketio;

	if (socket->state == SOCKETIO_GONE)
		return;
	if (socket->state == SOCKETIO_JOINED) {
		socketio_leave_all(socket);
		HASH_DELETE(hh, socketio->sockets, socket);
		feed_want(socketio->setup.service->feed, socket->tenant,
		    false);
		GAUGE_ADD(socketio_sockets, -1);
	}
	socket->state = SOCKETIO_GONE;
	LL_DELETE(socket->client->sockets, socket);
	socket->client = NULL;
	socket->engine = NULL;
	LL_PREPEND(socketio->gone, socket);
	socketio_keep_end(socket, why);
	socketio_forget_calls(socket);
	if (socket->application != NULL && socket->app->on_close != NULL)
		socket->app->on_close(socket->application, why);
	socket->application = NULL;
}

static void
free_gone(struct socketio *socketio)
{
	struct socketio_socket *socket, *next;

	LL_FOREACH_SAFE(socketio->gone, socket, next)
		object_free(&socket);
	socketio->gone = NULL;
}

static void
close_client(struct socketio_client *client, enum engineio_end why)
{
	if (client->is_closing)
		return;
	client->is_closing = true;
	engineio_close(client->engine, why);
}

void
socketio_lose(struct socketio_socket *socket)
{
	struct socketio_client *client = socket->client;

	end_socket(socket, SOCKETIO_MOVED);
	if (client->sockets == NULL)
		close_client(client, ENGINEIO_FORCED_CLOSE);
}

static void
send_refusal(struct socketio_client *client, text nsp, text message,
    text data)
{
	struct socketio_writer writer;

	socketio_write(&writer, SOCKETIO_CONNECT_ERROR, nsp);
	json_object_begin(&writer.json);
	json_key(&writer.json, "message");
	json_text(&writer.json, message);
	if (data.at != NULL) {
		json_key(&writer.json, "data");
		json_raw(&writer.json, data);
	}
	json_object_end(&writer.json);
	put_writer(client->engine, &writer, false);
}

void
socketio_refuse(struct socketio_socket *socket, text message, text data)
{
	if (socket->state != SOCKETIO_WAITING)
		return;
	send_refusal(socket->client, text_of(socket->app->nsp), message, data);
	end_socket(socket, SOCKETIO_SERVER_LEFT);
}

static void
await_no_connect(struct socketio_client *client)
{
	const struct service *service = client->socketio->setup.service;

	if (client->connect == NULL)
		return;
	timer_stop(loop_timers(service->loop), client->connect);
	mem_free(client->connect);
	client->connect = NULL;
}

void
socketio_admit(struct socketio_socket *socket)
{
	struct socketio *socketio = socket->socketio;
	struct socketio_writer writer;

	if (socket->state != SOCKETIO_WAITING)
		return;
	await_no_connect(socket->client);
	socket->state = SOCKETIO_JOINED;
	HASH_ADD(hh, socketio->sockets, sid, SOCKETIO_SID_LEN, socket);
	feed_want(socketio->setup.service->feed, socket->tenant, true);
	GAUGE_ADD(socketio_sockets, 1);
	COUNT(socketio_connects);
	socketio_enter(socket);
	socketio_write(&writer, SOCKETIO_CONNECT, text_of(socket->app->nsp));
	json_object_begin(&writer.json);
	json_key(&writer.json, "sid");
	json_text(&writer.json, socketio_sid(socket));
	if (socket->keep != NULL) {
		json_key(&writer.json, "pid");
		json_text(&writer.json, text_from(socket->keep->pid,
		    SOCKETIO_SID_LEN));
	}
	json_object_end(&writer.json);
	put_writer(socket->engine, &writer, false);
}

void
socketio_disconnect(struct socketio_socket *socket, bool has_to_close)
{
	struct socketio_client *client = socket->client;
	struct socketio_writer writer;

	if (socket->state == SOCKETIO_GONE)
		return;
	if (socket->state == SOCKETIO_JOINED) {
		socketio_write(&writer, SOCKETIO_DISCONNECT,
		    text_of(socket->app->nsp));
		put_writer(client->engine, &writer, false);
	}
	end_socket(socket, SOCKETIO_SERVER_LEFT);
	if (!has_to_close)
		return;
	while (client->sockets != NULL)
		socketio_disconnect(client->sockets, false);
	close_client(client, ENGINEIO_FORCED_CLOSE);
}

/* --- packets ----------------------------------------------------------- */

static const struct socketio_app *
choose_app(struct socketio *socketio, const struct socketio_socket *socket,
    text nsp)
{
	const struct socketio_app *app = socketio->setup.apps;
	const struct socketio_app *end = app + socketio->setup.apps_count;

	for (; app < end; app++)
		if (text_is(text_of(app->nsp), nsp) && (app->is_mine == NULL ||
		    app->is_mine(app->context, socket)))
			return (app);
	return (NULL);
}

void
socketio_make_sid(char sid[SOCKETIO_SID_LEN])
{
	char bytes[SID_BYTES];

	secret_fill(bytes, sizeof bytes);
	base64_write_url(text_from(bytes, sizeof bytes), sid);
}

static void
on_connect(struct socketio_client *client, struct socketio_socket *already,
    const struct socketio_packet *packet)
{
	struct socketio *socketio = client->socketio;
	struct socketio_socket *socket;
	text auth = packet->payload;

	if (already != NULL) {
		close_client(client, ENGINEIO_PARSE_ERROR);
		return;
	}
	socket = object_create(struct socketio_socket, SOCKETIO_SOCKET_MAGIC);
	socket->socketio = socketio;
	socket->client = client;
	socket->engine = client->engine;
	socket->tenant = client->tenant;
	socket->app = choose_app(socketio, socket, packet->nsp);
	if (socket->app == NULL) {
		object_free(&socket);
		send_refusal(client, packet->nsp, TEXT("Invalid namespace"),
		    TEXT_NONE);
		return;
	}
	socketio_make_sid(socket->sid);
	LL_PREPEND(client->sockets, socket);
	if (auth.len == 0)
		auth = TEXT("{}");
	socketio_keep_begin(socket, auth);
	socket->app->on_connect(socket, auth, socket->app->context);
}

static void
on_packet(struct socketio_client *client,
    const struct socketio_packet *packet)
{
	struct socketio_socket *socket = find_socket(client, packet->nsp);

	if (packet->kind == SOCKETIO_CONNECT) {
		on_connect(client, socket, packet);
		return;
	}
	if (socket == NULL || socket->state != SOCKETIO_JOINED) {
		close_client(client, ENGINEIO_PARSE_ERROR);
		return;
	}
	switch (packet->kind) {
	case SOCKETIO_EVENT:
		COUNT(socketio_events);
		socketio_on_event(socket, packet);
		break;
	case SOCKETIO_ACK:
		socketio_on_ack(socket, packet);
		break;
	case SOCKETIO_DISCONNECT:
		end_socket(socket, SOCKETIO_CLIENT_LEFT);
		break;
	default:
		close_client(client, ENGINEIO_PARSE_ERROR);
	}
}

/* --- clients ----------------------------------------------------------- */

/* Nobody of this client came into any namespace. */
static void
on_connect_timeout(struct socketio_client *client)
{
	close_client(client, ENGINEIO_FORCED_CLOSE);
}

/*
 * A cookie comes by itself, whoever made the page that sends it, so that the
 * page has to be one of ours or of the tenant's list. All is no list.
 */
static bool
may_come(void *context, const struct engineio_facts *facts,
    text *message_out)
{
	const struct socketio *socketio = object_cast(struct socketio,
	    SOCKETIO_MAGIC, context);
	const struct op *op = facts->op;

	(void)message_out;
	return (socketio->setup.cookie.at == NULL ||
	    engineio_cookie(facts, socketio->setup.cookie).at == NULL ||
	    tenant_trusts_page(op->tenant, op->origin, op->host));
}

/* With copies of what is lent for a call, and asked for at each CONNECT. */
static struct socketio_client *
create_client(const struct socketio *socketio,
    const struct engineio_facts *facts)
{
	const text cookie_name = socketio->setup.cookie;
	const text from[] = { facts->op->client_address, facts->op->query,
	    cookie_name.at != NULL ? engineio_cookie(facts, cookie_name) :
	    TEXT_NONE };
	struct socketio_client *client = object_create_sized(sizeof *client +
	    from[0].len + from[1].len + from[2].len, SOCKETIO_CLIENT_MAGIC);
	char *at = client->facts;

	client->address_len = (uint32_t)from[0].len;
	client->query_len = (uint32_t)from[1].len;
	client->cookie_len = (uint32_t)from[2].len;
	client->has_cookie = from[2].at != NULL;
	for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
		if (from[i].len > 0)
			memcpy(at, from[i].at, from[i].len);
		at += from[i].len;
	}
	return (client);
}

static void
await_connect(struct socketio_client *client)
{
	const struct service *service = client->socketio->setup.service;

	client->connect = mem_alloc(sizeof *client->connect);
	timer_init(client->connect, on_connect_timeout, client);
	timer_set(loop_timers(service->loop), client->connect,
	    service->conf->socketio_connect_timeout);
}

static void *
on_open(struct engineio *engine, void *context,
    const struct engineio_facts *facts)
{
	struct socketio *socketio = object_cast(struct socketio,
	    SOCKETIO_MAGIC, context);
	struct socketio_client *client = create_client(socketio, facts);
	const struct service *service = socketio->setup.service;

	client->socketio = socketio;
	client->engine = engine;
	client->tenant = engineio_tenant(engine)->id;
	client->is_websocket = facts->is_websocket;
	client->minute_ms = loop_now_ms(service->loop);
	bound_client_set(&client->bound, engineio_tenant(engine),
	    facts->op->client_address, NULL);
	await_connect(client);
	return (client);
}

/* Attachments are of their packet. false: it was closed. */
static bool
is_within_rate(struct socketio_client *client)
{
	const struct service *service = client->socketio->setup.service;
	int64_t now_ms = loop_now_ms(service->loop), reset_s;

	if (now_ms - client->minute_ms >= 60000) {
		client->minute_ms = now_ms;
		client->messages = 0;
	}
	if (++client->messages <= (unsigned)service->conf->socketio_messages &&
	    bound_message(&client->bound, service->conf, now_ms / 1000,
	    &reset_s))
		return (true);
	COUNT(socketio_floods);
	log_info("a Socket.IO client says too much",
	    F("address", socketio_client_address(client)));
	close_client(client, ENGINEIO_FORCED_CLOSE);
	return (false);
}

static void
on_message(void *application, text message, bool is_binary)
{
	struct socketio_client *client = object_cast(struct socketio_client,
	    SOCKETIO_CLIENT_MAGIC, application);
	const struct conf *conf = client->socketio->setup.service->conf;
	struct socketio_packet packet;

	if (client->is_closing)
		return;
	switch (socketio_read(&client->reader, message, is_binary,
	    (unsigned)conf->socketio_attachments, &packet)) {
	case SOCKETIO_PACKET:
		if (is_within_rate(client))
			on_packet(client, &packet);
		break;
	case SOCKETIO_MORE:
		break;
	case SOCKETIO_BROKEN:
		COUNT(socketio_faults);
		close_client(client, ENGINEIO_PARSE_ERROR);
		break;
	}
}

static enum socketio_end
end_of(enum engineio_end why)
{
	static const enum socketio_end ends[ENGINEIO_ENDS] = {
		[ENGINEIO_TRANSPORT_ERROR] = SOCKETIO_TRANSPORT_ERROR,
		[ENGINEIO_TRANSPORT_CLOSE] = SOCKETIO_TRANSPORT_CLOSE,
		[ENGINEIO_FORCED_CLOSE] = SOCKETIO_FORCED_CLOSE,
		[ENGINEIO_PING_TIMEOUT] = SOCKETIO_PING_TIMEOUT,
		[ENGINEIO_PARSE_ERROR] = SOCKETIO_PARSE_ERROR,
		[ENGINEIO_SHUTTING_DOWN] = SOCKETIO_SHUTTING_DOWN,
	};

	return (ends[why]);
}

static void
on_close(void *application, enum engineio_end why)
{
	struct socketio_client *client = object_cast(struct socketio_client,
	    SOCKETIO_CLIENT_MAGIC, application);

	client->is_closing = true;
	while (client->sockets != NULL)
		end_socket(client->sockets, end_of(why));
	await_no_connect(client);
	socketio_reader_fini(&client->reader);
	object_free(&client);
}

/* Any of them may go in there, as all stay until the turn's end. */
static void
on_room(void *application)
{
	struct socketio_client *client = object_cast(struct socketio_client,
	    SOCKETIO_CLIENT_MAGIC, application);
	struct socketio_socket *socket, *next;

	for (socket = client->sockets; socket != NULL; socket = next) {
		next = socket->next;
		if (socket->state == SOCKETIO_JOINED &&
		    socket->app->on_room != NULL)
			socket->app->on_room(socket->application);
	}
}

const struct engineio_acts socketio_acts = { .may_come = may_come,
    .on_open = on_open, .on_message = on_message, .on_room = on_room,
    .on_close = on_close };

/* --- all of it --------------------------------------------------------- */

struct socketio *
socketio_create(const struct socketio_setup *setup)
{
	struct socketio *socketio = object_create(struct socketio,
	    SOCKETIO_MAGIC);

	socketio->setup = *setup;
	secret_fill(&socketio->origin, sizeof socketio->origin);
	socketio->origin &= INT64_MAX;
	loop_at_turns_end(setup->service->loop, free_gone, socketio);
	feed_listen(setup->service->feed, &(struct feed_listener){
	    SOCKETIO_STREAM, socketio_hear, socketio });
	socketio_keeps_open(socketio);
	return (socketio);
}

void
socketio_destroy(struct socketio **given)
{
	struct socketio *socketio = *given;

	*given = NULL;
	if (socketio == NULL)
		return;
	object_check(socketio, SOCKETIO_MAGIC);
	must(socketio->sockets == NULL);
	socketio_gather_end_all(socketio);
	socketio_keeps_close(socketio);
	feed_leave(socketio->setup.service->feed, SOCKETIO_STREAM);
	loop_leave_turns_end(socketio->setup.service->loop, socketio);
	free_gone(socketio);
	socketio_forget_puzzles(socketio);
	object_free(&socketio);
}
