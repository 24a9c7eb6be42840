/* SPDX-License-Identifier: MIT */
/*
 * Clients: what they say, by a table of messages, and when they have to
 * leave.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/live_inside.h"
#include "base/conf.h"
#include "base/count.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "core/json.h"
#include "core/tenant.h"
#include "plat/loop.h"

#define PAGE_MAX 200
#define WAIT_MOST_MS 60000	/* as the wall's clock may be set */
#define LOOK_MS 250		/* with control's, less than a second */
#define DRAIN_MS 50
#define BACK_LEAST_MS 100	/* so that another worker accepts by then */
#define BACK_SPREAD_MS 1000

static void	wait_for_due(struct client *client);
static void	on_due(struct client *client);

/* --- messages --------------------------------------------------------- */

/* since: a number or {epoch, seq}; false: it was complained of. */
static bool
read_since(struct client *client, struct json_object *message,
    struct cursor *cursor)
{
	*cursor = (struct cursor){ .kind = CURSOR_NONE };
	if (cursor_read_json(json_in_member(message, "since"), cursor))
		return (true);
	live_complain(client, "since must be a number or "
	    "{\"epoch\",\"seq\"}", 0);
	return (false);
}

static void
sign_out(struct client *client)
{
	caller_give(&client->caller);
}

/* Counted as one of the caller's; false: it was closed. */
static bool
count_caller(struct client *client)
{
	const struct service *service = client->live->service;

	bound_end(&client->held, service->slot);
	bound_client_become(ws_bound(client->ws), client->caller);
	if (bound_connection(ws_bound(client->ws), service->slot,
	    service->conf, &client->held))
		return (true);
	ws_close(client->ws, CLOSE_too_many_connections, 0);
	return (false);
}

static void
on_auth(struct client *client, struct json_object *message)
{
	struct service *service = client->live->service;
	const struct caller *caller;
	struct cursor cursor;
	text token;

	if (!json_in_text(message, "token", &token) || token.len == 0) {
		live_say(client->ws, "auth_error", "Token required");
		return;
	}
	if (who_find_token(service->who, ws_tenant(client->ws)->id, token,
	    stamp_now() / 1000, &caller) != ERR_none) {
		live_say(client->ws, "auth_error", "Invalid or expired token");
		return;
	}
	if (!read_since(client, message, &cursor))
		return;
	sign_out(client);
	client->caller = caller_keep(caller);
	wait_for_due(client);
	if (!count_caller(client))
		return;
	if (cursor.kind == CURSOR_NONE && client->lobby.sub.hub != NULL)
		follow_tell(&client->lobby);
	else
		live_follow_join(&client->lobby, &cursor);
}

/* 0: it was complained of. */
static int64_t
read_session(struct client *client, struct json_object *message)
{
	struct json_object *member = json_in_member(message, "sessionId");
	int64_t session;
	text words;

	if (member == NULL) {
		live_complain(client, "Session ID required", 0);
		return (0);
	}
	/* Pages hand on what stood in their address. */
	if (json_in_as_int(member, &session) ? session > 0 :
	    json_in_as_text(member, &words) &&
	    text_to_int64(words, 1, INT64_MAX, &session))
		return (session);
	live_complain(client, "Session not found", 0);
	return (0);
}

static bool
is_signed_in(struct client *client)
{
	if (client->caller == NULL)
		live_complain(client, "Not authenticated", 0);
	return (client->caller != NULL);
}

/* With a code: a program may want to give one up. */
static void
complain_of_crowd(struct client *client, int64_t session)
{
	struct message message;

	message_begin(&message, "error");
	message_text(&message, "message", TEXT("Too many subscriptions"));
	message_text(&message, "code", TEXT("too_many_subscriptions"));
	message_number(&message, "sessionId", session);
	message_send(&message, client->ws);
}

static void
on_subscribe(struct client *client, struct json_object *message)
{
	struct follow *follow;
	struct cursor cursor;
	int64_t session;

	if (!is_signed_in(client))
		return;
	session = read_session(client, message);
	if (session == 0 || !read_since(client, message, &cursor))
		return;
	follow = follow_find(client, session);
	if (follow != NULL && cursor.kind == CURSOR_NONE) {
		follow_tell(follow);
		return;
	}
	if (follow == NULL)
		follow = follow_add(client, session);
	if (follow == NULL)
		complain_of_crowd(client, session);
	else
		live_follow_join(follow, &cursor);
}

static void
on_unsubscribe(struct client *client, struct json_object *given)
{
	struct message message;
	struct follow *follow;
	int64_t session;
	char words[64];

	if (!is_signed_in(client))
		return;
	session = read_session(client, given);
	if (session == 0)
		return;
	follow = follow_find(client, session);
	if (follow != NULL)
		follow_end(follow);
	message_begin(&message, "unsubscribed");
	message_number(&message, "sessionId", session);
	snprintf(words, sizeof words, "Unsubscribed from session %" PRId64,
	    session);
	message_text(&message, "message", text_of(words));
	message_send(&message, client->ws);
}

static void
on_ping(struct client *client, struct json_object *given)
{
	struct message message;
	const struct follow *follow;

	(void)given;
	message_begin(&message, "pong");
	if (client->caller != NULL) {
		json_key(&message.json, "heads");
		json_object_begin(&message.json);
		follow_add_head(&client->lobby, &message);
		LL_FOREACH(client->sessions, follow)
			follow_add_head(follow, &message);
		json_object_end(&message.json);
	}
	message_send(&message, client->ws);
}

/* The same for all that is an operation. */
static void
ask(struct client *client, enum operation operation,
    struct json_object *message)
{
	int64_t session;

	if (!is_signed_in(client))
		return;
	session = read_session(client, message);
	if (session != 0)
		live_ask(client, operation, session, message);
}

static void
on_poll_leading(struct client *client, struct json_object *message)
{
	ask(client, OPERATION_poll_lead, message);
}

static void
on_poll_start(struct client *client, struct json_object *message)
{
	ask(client, OPERATION_poll_start, message);
}

static void
on_page_focus(struct client *client, struct json_object *message)
{
	text page;

	if (!is_signed_in(client))
		return;
	if (!json_in_text(message, "page", &page) || page.len == 0 ||
	    page.len > PAGE_MAX)
		live_complain(client, "page must be a text of at most 200 "
		    "bytes", 0);
	else
		presence_enter(client->live->presence, &client->presence,
		    client->ws, client->caller, page);
}

static const struct {
	text	  type;
	void	(*act)(struct client *client, struct json_object *message);
} messages[] = {
#define MESSAGE(name, type, direction, answers, text)			\
	MESSAGE_##direction(name, type)
#define MESSAGE_FROM_CLIENT(name, type) { TEXT(type), on_##name },
#define MESSAGE_FROM_SERVER(name, type)
#include "tbl/messages.h"
#undef MESSAGE
#undef MESSAGE_FROM_CLIENT
#undef MESSAGE_FROM_SERVER
};

static void
dispatch(struct client *client, struct json_object *message)
{
	char words[128];
	text type;

	if (!json_in_is_object(message) ||
	    !json_in_text(message, "type", &type)) {
		live_complain(client, "Invalid message format", 0);
		return;
	}
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
		if (text_is(type, messages[i].type)) {
			messages[i].act(client, message);
			return;
		}
	snprintf(words, sizeof words, "Unknown message type: %.*s",
	    type.len > 64 ? 64 : (int)type.len, type.at);
	live_complain(client, words, 0);
}

/* More in a minute than it may, or than all it belongs to: closed. */
static bool
is_within_rate(struct client *client)
{
	const struct conf *conf = client->live->service->conf;
	int64_t now = loop_now_ms(client->live->service->loop), later_ms, s;

	if (now - client->minute_ms >= 60000) {
		client->minute_ms = now;
		client->messages = 0;
	}
	later_ms = client->minute_ms + 60000 - now;
	if (++client->messages <= (unsigned)conf->live_messages) {
		if (bound_message(ws_bound(client->ws), conf, now / 1000, &s))
			return (true);
		later_ms = s * 1000;
	}
	ws_close(client->ws, CLOSE_too_many_messages, later_ms);
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
		live_complain(client, "Invalid message format", 0);
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
	timer_init(&client->due, on_due, client);
	wait_for_due(client);
	DL_APPEND(live->clients, client);
	live->staying++;
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

	presence_leave(live->presence, &client->presence);
	live_ask_forget(client);
	hub_leave(&client->lobby.sub);
	while (client->sessions != NULL)
		follow_end(client->sessions);
	sign_out(client);
	bound_end(&client->held, live->service->slot);
	timer_stop(loop_timers(live->service->loop), &client->due);
	DL_DELETE(live->clients, client);
	live->staying -= !client->is_leaving;
	GAUGE_ADD(live_clients, -1);
	object_free(&client);
}

const struct ws_acts live_acts = { on_open, on_text, on_room, on_close };

static void
send_away(struct client *client, enum close why, int64_t retry_after_ms)
{
	client->is_leaving = true;
	client->live->staying--;
	ws_close(client->ws, why, retry_after_ms);
}

/* Whose time is over, who lost his rights, or who never came in. */
static void
look_at(struct client *client, int64_t now_ms, int64_t now_s)
{
	const struct service *service = client->live->service;

	if (client->is_leaving)
		return;
	if (tenant_by_id(service->tenants, ws_tenant(client->ws)->id) == NULL)
		send_away(client, CLOSE_tenant_gone, 0);
	else if (client->caller == NULL) {
		if (now_ms - client->since_ms >= service->conf->live_sign_in)
			send_away(client, CLOSE_sign_in_timeout, 0);
	} else if (client->caller->exp <= now_s)
		send_away(client, CLOSE_token_expired, 0);
	else if (who_is_revoked(service->who, client->caller))
		send_away(client, CLOSE_revoked, 0);
}

/* When it is to be looked at next for what the clock brings. */
static void
wait_for_due(struct client *client)
{
	const struct service *service = client->live->service;
	int64_t ms;

	if (client->is_leaving)
		return;
	if (client->caller == NULL)
		ms = client->since_ms + service->conf->live_sign_in -
		    clock_ms();
	else
		ms = client->caller->exp * 1000 - stamp_now();
	if (ms > WAIT_MOST_MS)
		ms = WAIT_MOST_MS;
	timer_set(loop_timers(service->loop), &client->due, ms > 1 ? ms : 1);
}

static void
on_due(struct client *client)
{
	look_at(client, clock_ms(), stamp_now() / 1000);
	wait_for_due(client);
}

/* All clients, but only where somebody's rights may have changed. */
static void
on_look(struct live *live)
{
	const struct service *service = live->service;
	uint64_t news = who_book_news(service->who) +
	    tenant_book_removals(service->tenants);
	int64_t now_s = stamp_now() / 1000, now_ms = clock_ms();
	struct client *client, *next;

	if (news != live->rights_seen)
		DL_FOREACH_SAFE(live->clients, client, next)
			look_at(client, now_ms, now_s);
	live->rights_seen = news;
	live_log_told(live);
	timer_set(loop_timers(live->service->loop), &live->look, LOOK_MS);
}

/* So many of those who were there may still stay. */
static unsigned
may_stay(const struct live *live)
{
	int64_t left_ms = live->drain_until_ms - clock_ms();

	return (left_ms > 0 ? (unsigned)(live->drain_count * left_ms /
	    live->drain_ms) : 0);
}

/* Evenly, so that all are told when the time is over. */
static void
on_drain(struct live *live)
{
	unsigned most = may_stay(live);
	struct client *client, *next;
	unsigned random;

	DL_FOREACH_SAFE(live->clients, client, next) {
		if (live->staying <= most)
			break;
		if (client->is_leaving)
			continue;
		secret_fill(&random, sizeof random);
		send_away(client, CLOSE_draining, BACK_LEAST_MS +
		    random % BACK_SPREAD_MS);
	}
	timer_set(loop_timers(live->service->loop), &live->drain, DRAIN_MS);
}

struct live *
live_create(struct service *service)
{
	struct live *live = object_create(struct live, LIVE_MAGIC);

	live->service = service;
	live->presence = presence_create(service);
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
	live->drain_ms = spread_ms;
	live->drain_until_ms = clock_ms() + spread_ms;
	live->drain_count = live->staying;
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
	presence_destroy(&live->presence);
	live_log_told(live);
	timer_stop(loop_timers(live->service->loop), &live->look);
	timer_stop(loop_timers(live->service->loop), &live->drain);
	object_free(&live);
}
