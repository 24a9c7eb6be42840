/* SPDX-License-Identifier: MIT */
/*
 * Messages in, by a table; answers and events out.
 */
#include "app/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "core/feed.h"
#include "core/json.h"
#include "core/tenant.h"
#include "core/who.h"
#include "plat/loop.h"

#define LOOK_MS 500
#define DRAIN_MS 50
#define BACK_LEAST_MS 100	/* so that another worker accepts by then */
#define BACK_SPREAD_MS 1000

/* One stream that a client follows: the lobby, or a session's. */
struct follow {
	struct subscription sub;
	struct ws	*ws;
	struct client	*client;
	struct follow	*next;
	int64_t		 session;	/* 0: the lobby */
};

struct client {
	unsigned	 magic;
#define CLIENT_MAGIC 0x636c6e74
	struct live	*live;
	struct client	*prev, *next;
	struct ws	*ws;
	struct follow	 lobby;
	struct follow	*sessions;
	unsigned	 sessions_count;
	struct caller	 caller;
	char		*caller_texts;	/* NULL: not signed in */
	int64_t		 since_ms;	/* when it came */
	int64_t		 minute_ms;	/* of the messages counted */
	unsigned	 messages;
	bool		 is_leaving;	/* it was told to */
};

struct live {
	unsigned	 magic;
#define LIVE_MAGIC 0x6c697665
	struct service	*service;
	struct client	*clients;
	unsigned	 count;
	struct timer	 look;
	struct timer	 drain;
	int64_t		 drain_until_ms;
	bool		 is_draining;
};

/* --- sending ---------------------------------------------------------- */

struct message {
	struct json_out	json;
	struct buf	buf;
};

static void
message_begin(struct message *message, const char *type)
{
	buf_init(&message->buf, BUF_NO_LIMIT);
	json_out_init(&message->json, &message->buf);
	json_object_begin(&message->json);
	json_key(&message->json, "type");
	json_text_of(&message->json, type);
}

static void
message_send(struct message *message, struct ws *ws)
{
	json_object_end(&message->json);
	ws_send_text(ws, buf_text(&message->buf));
	buf_fini(&message->buf);
}

static void
add_number(struct message *message, const char *key, int64_t number)
{
	json_key(&message->json, key);
	json_int(&message->json, number);
}

static void
add_text(struct message *message, const char *key, text t)
{
	json_key(&message->json, key);
	json_text(&message->json, t);
}

static void
say(struct ws *ws, const char *type, const char *words)
{
	struct message message;

	message_begin(&message, type);
	add_text(&message, "message", text_of(words));
	message_send(&message, ws);
}

/* Why a message came to nothing; the session it was about, or 0. */
static void
complain(struct client *client, const char *words, int64_t session)
{
	struct message message;

	message_begin(&message, "error");
	add_text(&message, "message", text_of(words));
	if (session != 0)
		add_number(&message, "sessionId", session);
	message_send(&message, client->ws);
}

/* --- streams ---------------------------------------------------------- */

static struct follow *
follow_of(struct subscription *sub)
{
	return ((struct follow *)sub);
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	ws_send_event(follow_of(sub)->ws, event);
}

static void
add_place(struct message *message, text epoch, uint64_t head)
{
	add_text(message, "epoch", epoch);
	add_number(message, "seq", (int64_t)head);
}

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	struct follow *follow = follow_of(sub);
	struct message message;
	char words[64];

	if (follow->session == 0) {
		message_begin(&message, "auth_success");
		add_text(&message, "message",
		    TEXT("Authenticated successfully"));
		add_text(&message, "stream", TEXT("lobby"));
	} else {
		message_begin(&message, "subscribed");
		add_number(&message, "sessionId", follow->session);
		snprintf(words, sizeof words, "Subscribed to session %"
		    PRId64, follow->session);
		add_text(&message, "message", text_of(words));
	}
	add_place(&message, epoch, head);
	json_key(&message.json, "recovered");
	json_bool(&message.json, recovered);
	if (resync != NULL) {
		json_key(&message.json, "resync");
		json_raw(&message.json, resync->body);
	}
	message_send(&message, follow->ws);
}

static void
write_stream(const struct follow *follow, char *out, size_t size)
{
	if (follow->session == 0)
		snprintf(out, size, "lobby");
	else
		snprintf(out, size, "session:%" PRId64, follow->session);
}

static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	struct follow *follow = follow_of(sub);
	struct message message;
	char stream[32];

	write_stream(follow, stream, sizeof stream);
	message_begin(&message, "resync");
	add_text(&message, "stream", text_of(stream));
	add_place(&message, epoch, head);
	/* {"from":…,"state":…}, whose members are ours. */
	buf_add_char(&message.buf, ',');
	buf_add(&message.buf, text_from(resync->body.at + 1,
	    resync->body.len - 2));
	message_send(&message, follow->ws);
}

static void
forget(struct client *client, struct follow *follow)
{
	LL_DELETE(client->sessions, follow);
	client->sessions_count--;
	GAUGE_ADD(subscriptions, -1);
	mem_free(follow);
}

static void
on_ended(struct subscription *sub, enum hub_end why)
{
	struct follow *follow = follow_of(sub);
	struct client *client = follow->client;
	struct message message;

	if (why == HUB_REFUSED) {
		ws_close(client->ws, CLOSE_unavailable, 0);
		return;
	}
	if (follow->session == 0) {
		ws_close(client->ws, CLOSE_tenant_gone, 0);
		return;
	}
	if (why == HUB_MISSING)
		complain(client, "Session not found", follow->session);
	else {
		message_begin(&message, "unsubscribed");
		add_number(&message, "sessionId", follow->session);
		add_text(&message, "reason", TEXT("deleted"));
		message_send(&message, client->ws);
	}
	forget(client, follow);
}

static bool
on_has_room(struct subscription *sub)
{
	return (ws_has_room(follow_of(sub)->ws));
}

static const struct subscription_acts follow_acts = { on_deliver,
    on_subscribed, on_resync, on_ended, on_has_room };

static void
follow_init(struct follow *follow, struct client *client, int64_t session)
{
	follow->ws = client->ws;
	follow->client = client;
	follow->session = session;
	subscription_init(&follow->sub, &follow_acts);
}

static void
follow_join(struct follow *follow, const struct cursor *cursor)
{
	struct client *client = follow->client;
	char stream[32];

	write_stream(follow, stream, sizeof stream);
	hub_join(feed_hubs(client->live->service->feed),
	    ws_tenant(client->ws)->id, text_of(stream), &follow->sub,
	    cursor);
}

/* Already there, without a wish to begin elsewhere: where it is. */
static bool
tell_place(struct follow *follow)
{
	uint64_t head;
	text epoch;

	if (!hub_head(&follow->sub, &epoch, &head))
		return (false);
	on_subscribed(&follow->sub, epoch, head, true, NULL);
	return (true);
}

/* --- messages --------------------------------------------------------- */

/* since: a number or {epoch, seq}; false: it was complained of. */
static bool
read_since(struct client *client, struct json_object *message,
    struct cursor *cursor)
{
	*cursor = (struct cursor){ .kind = CURSOR_NONE };
	if (cursor_read_json(json_in_member(message, "since"), cursor))
		return (true);
	complain(client, "since must be a number or {\"epoch\",\"seq\"}", 0);
	return (false);
}

static void
sign_out(struct client *client)
{
	mem_free(client->caller_texts);
	client->caller_texts = NULL;
}

/* Texts of its own, as the book's do not last. */
static void
keep_caller(struct client *client, const struct caller *found)
{
	const text from[] = { found->name, found->id, found->jti };
	text *const to[] = { &client->caller.name, &client->caller.id,
	    &client->caller.jti };
	size_t at = 0;

	sign_out(client);
	client->caller = *found;
	client->caller_texts = mem_alloc(found->name.len + found->id.len +
	    found->jti.len + 1);
	for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
		if (from[i].len > 0)
			memcpy(client->caller_texts + at, from[i].at,
			    from[i].len);
		*to[i] = text_from(client->caller_texts + at, from[i].len);
		at += from[i].len;
	}
}

static void
on_auth(struct client *client, struct json_object *message)
{
	struct service *service = client->live->service;
	const struct caller *caller;
	struct cursor cursor;
	text token;

	if (!json_in_text(message, "token", &token) || token.len == 0) {
		say(client->ws, "auth_error", "Token required");
		return;
	}
	if (who_find_token(service->who, ws_tenant(client->ws)->id, token,
	    stamp_now() / 1000, &caller) != ERR_none) {
		say(client->ws, "auth_error", "Invalid or expired token");
		return;
	}
	if (!read_since(client, message, &cursor))
		return;
	keep_caller(client, caller);
	if (cursor.kind != CURSOR_NONE)
		hub_leave(&client->lobby.sub);
	else if (client->lobby.sub.hub != NULL) {
		/* Where it is not told yet, it will be. */
		tell_place(&client->lobby);
		return;
	}
	follow_join(&client->lobby, &cursor);
}

/* 0: it was complained of. */
static int64_t
read_session(struct client *client, struct json_object *message)
{
	struct json_object *member = json_in_member(message, "sessionId");
	int64_t session;
	text words;

	if (member == NULL) {
		complain(client, "Session ID required", 0);
		return (0);
	}
	/* Pages hand on what stood in their address. */
	if (json_in_as_int(member, &session) ? session > 0 :
	    json_in_as_text(member, &words) &&
	    text_to_int64(words, 1, INT64_MAX, &session))
		return (session);
	complain(client, "Session not found", 0);
	return (0);
}

static struct follow *
find_follow(struct client *client, int64_t session)
{
	struct follow *follow;

	LL_FOREACH(client->sessions, follow)
		if (follow->session == session)
			return (follow);
	return (NULL);
}

static void
on_subscribe(struct client *client, struct json_object *message)
{
	const struct conf *conf = client->live->service->conf;
	struct follow *follow;
	struct cursor cursor;
	int64_t session;

	if (client->caller_texts == NULL) {
		complain(client, "Not authenticated", 0);
		return;
	}
	session = read_session(client, message);
	if (session == 0 || !read_since(client, message, &cursor))
		return;
	follow = find_follow(client, session);
	if (follow != NULL && cursor.kind == CURSOR_NONE) {
		tell_place(follow);
		return;
	}
	if (follow != NULL)
		hub_leave(&follow->sub);
	else if (client->sessions_count >=
	    (unsigned)conf->live_subscriptions) {
		complain(client, "Too many subscriptions", session);
		return;
	} else {
		follow = mem_alloc(sizeof *follow);
		follow_init(follow, client, session);
		LL_PREPEND(client->sessions, follow);
		client->sessions_count++;
		GAUGE_ADD(subscriptions, 1);
	}
	follow_join(follow, &cursor);
}

static void
on_unsubscribe(struct client *client, struct json_object *given)
{
	struct message message;
	struct follow *follow;
	int64_t session = read_session(client, given);
	char words[64];

	if (session == 0)
		return;
	follow = find_follow(client, session);
	if (follow != NULL) {
		hub_leave(&follow->sub);
		forget(client, follow);
	}
	message_begin(&message, "unsubscribed");
	add_number(&message, "sessionId", session);
	snprintf(words, sizeof words, "Unsubscribed from session %" PRId64,
	    session);
	add_text(&message, "message", text_of(words));
	message_send(&message, client->ws);
}

static void
add_head(struct message *message, const struct follow *follow)
{
	char stream[32];
	uint64_t head;
	text epoch;

	if (!hub_head(&follow->sub, &epoch, &head))
		return;
	write_stream(follow, stream, sizeof stream);
	json_key(&message->json, stream);
	json_object_begin(&message->json);
	add_place(message, epoch, head);
	json_object_end(&message->json);
}

static void
on_ping(struct client *client, struct json_object *given)
{
	struct message message;
	const struct follow *follow;

	(void)given;
	message_begin(&message, "pong");
	if (client->caller_texts != NULL) {
		json_key(&message.json, "heads");
		json_object_begin(&message.json);
		add_head(&message, &client->lobby);
		LL_FOREACH(client->sessions, follow)
			add_head(&message, follow);
		json_object_end(&message.json);
	}
	message_send(&message, client->ws);
}

static const struct {
	text	  type;
	void	(*act)(struct client *client, struct json_object *message);
} messages[] = {
	{ TEXT("auth"), on_auth },
	{ TEXT("ping"), on_ping },
	{ TEXT("subscribe"), on_subscribe },
	{ TEXT("unsubscribe"), on_unsubscribe },
};

static void
dispatch(struct client *client, struct json_object *message)
{
	char words[128];
	text type;

	if (!json_in_is_object(message) ||
	    !json_in_text(message, "type", &type)) {
		complain(client, "Invalid message format", 0);
		return;
	}
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
		if (text_is(type, messages[i].type)) {
			messages[i].act(client, message);
			return;
		}
	snprintf(words, sizeof words, "Unknown message type: %.*s",
	    type.len > 64 ? 64 : (int)type.len, type.at);
	complain(client, words, 0);
}

/* More than live_messages in a minute: closed. */
static bool
is_within_rate(struct client *client)
{
	const struct conf *conf = client->live->service->conf;
	int64_t now = loop_now_ms(client->live->service->loop);

	if (now - client->minute_ms >= 60000) {
		client->minute_ms = now;
		client->messages = 0;
	}
	if (++client->messages <= (unsigned)conf->live_messages)
		return (true);
	ws_close(client->ws, CLOSE_too_many_messages,
	    client->minute_ms + 60000 - now);
	return (false);
}

static void
on_text(void *application, text given)
{
	struct client *client = object_cast(struct client, CLIENT_MAGIC,
	    application);
	struct json_object *message;

	COUNT(live_messages);
	if (!is_within_rate(client))
		return;
	message = json_in_read(given);
	if (message == NULL)
		complain(client, "Invalid message format", 0);
	else
		dispatch(client, message);
	json_in_free(&message);
}

/* --- clients ---------------------------------------------------------- */

static void *
on_open(struct ws *ws, void *context)
{
	struct live *live = object_cast(struct live, LIVE_MAGIC, context);
	struct client *client = object_create(struct client, CLIENT_MAGIC);

	client->live = live;
	client->ws = ws;
	client->since_ms = client->minute_ms =
	    loop_now_ms(live->service->loop);
	follow_init(&client->lobby, client, 0);
	DL_APPEND(live->clients, client);
	live->count++;
	GAUGE_ADD(live_clients, 1);
	return (client);
}

static void
on_room(void *application)
{
	struct client *client = object_cast(struct client, CLIENT_MAGIC,
	    application);
	struct follow *follow, *next;

	hub_room(&client->lobby.sub);
	LL_FOREACH_SAFE(client->sessions, follow, next)
		hub_room(&follow->sub);
}

static void
on_close(void *application)
{
	struct client *client = object_cast(struct client, CLIENT_MAGIC,
	    application);
	struct live *live = client->live;

	hub_leave(&client->lobby.sub);
	while (client->sessions != NULL) {
		hub_leave(&client->sessions->sub);
		forget(client, client->sessions);
	}
	sign_out(client);
	DL_DELETE(live->clients, client);
	live->count--;
	GAUGE_ADD(live_clients, -1);
	object_free(&client);
}

const struct ws_acts live_acts = { on_open, on_text, on_room, on_close };

/* Whose time is over, or who never came in. */
static void
look_at(struct live *live, struct client *client, int64_t now_ms,
    int64_t now_s)
{
	const struct service *service = live->service;

	if (client->is_leaving)
		return;
	if (client->caller_texts == NULL) {
		if (now_ms - client->since_ms < service->conf->live_sign_in)
			return;
		ws_close(client->ws, CLOSE_sign_in_timeout, 0);
	} else if (client->caller.exp <= now_s)
		ws_close(client->ws, CLOSE_token_expired, 0);
	else if (who_is_revoked(service->who, &client->caller))
		ws_close(client->ws, CLOSE_revoked, 0);
	else
		return;
	client->is_leaving = true;
}

static void
on_look(struct live *live)
{
	struct client *client, *next;
	int64_t now_s = stamp_now() / 1000, now_ms = clock_ms();

	DL_FOREACH_SAFE(live->clients, client, next)
		look_at(live, client, now_ms, now_s);
	timer_set(loop_timers(live->service->loop), &live->look, LOOK_MS);
}

/* As many as are due by now, so that all are told when the time is over. */
static void
on_drain(struct live *live)
{
	int64_t left_ms = live->drain_until_ms - clock_ms();
	int64_t turns = left_ms > DRAIN_MS ? left_ms / DRAIN_MS : 1;
	unsigned due = (unsigned)((live->count + turns - 1) / turns);
	struct client *client, *next;
	unsigned random;

	DL_FOREACH_SAFE(live->clients, client, next) {
		if (client->is_leaving)
			continue;
		if (due-- == 0)
			break;
		client->is_leaving = true;
		secret_fill(&random, sizeof random);
		ws_close(client->ws, CLOSE_draining, BACK_LEAST_MS +
		    random % BACK_SPREAD_MS);
	}
	timer_set(loop_timers(live->service->loop), &live->drain, DRAIN_MS);
}

struct live *
live_create(struct service *service)
{
	struct live *live = object_create(struct live, LIVE_MAGIC);

	live->service = service;
	timer_init(&live->look, on_look, live);
	timer_init(&live->drain, on_drain, live);
	timer_set(loop_timers(service->loop), &live->look, LOOK_MS);
	return (live);
}

void
live_drain(struct live *live, int64_t spread_ms)
{
	object_check(live, LIVE_MAGIC);
	if (live->is_draining)
		return;
	live->is_draining = true;
	live->drain_until_ms = clock_ms() + spread_ms;
	on_drain(live);
}

void
live_destroy(struct live **given)
{
	struct live *live = *given;

	*given = NULL;
	if (live == NULL)
		return;
	object_check(live, LIVE_MAGIC);
	must(live->clients == NULL);
	timer_stop(loop_timers(live->service->loop), &live->look);
	timer_stop(loop_timers(live->service->loop), &live->drain);
	object_free(&live);
}
