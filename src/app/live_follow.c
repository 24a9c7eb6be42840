/* SPDX-License-Identifier: MIT */
/*
 * Streams that clients follow, and what those tell.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/live_inside.h"
#include "base/conf.h"
#include "base/count.h"
#include "core/feed.h"
#include "core/legacy.h"
#include "core/tenant.h"

static struct follow *
follow_of(struct subscription *sub)
{
	return ((struct follow *)sub);
}

void
live_log_told(struct live *live)
{
	if (live->told == NULL)
		return;
	legacy_delivered(live->told->envelope, live->told_clients);
	event_give(&live->told);
	live->told_clients = 0;
}

/* A hub tells all of a worker one event, and then the next. */
static void
count_told(struct live *live, struct event *event)
{
	if (live->told != event) {
		live_log_told(live);
		live->told = event_share(event);
	}
	live->told_clients++;
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	struct live *live = follow_of(sub)->client->live;

	if (live->service->conf->log_legacy)
		count_told(live, event);
	ws_send_event(follow_of(sub)->ws, event);
}

static void
add_place(struct message *message, text epoch, uint64_t head)
{
	message_text(message, "epoch", epoch);
	message_number(message, "seq", (int64_t)head);
}

static void
begin_answer(const struct follow *follow, struct message *message)
{
	char words[64];

	if (follow->session == 0) {
		message_begin(message, "auth_success");
		message_text(message, "message",
		    TEXT("Authenticated successfully"));
		message_text(message, "stream", TEXT("lobby"));
		return;
	}
	message_begin(message, "subscribed");
	message_number(message, "sessionId", follow->session);
	snprintf(words, sizeof words, "Subscribed to session %" PRId64,
	    follow->session);
	message_text(message, "message", text_of(words));
}

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	struct follow *follow = follow_of(sub);
	struct message message;

	begin_answer(follow, &message);
	add_place(&message, epoch, head);
	json_key(&message.json, "recovered");
	json_bool(&message.json, recovered);
	if (resync != NULL) {
		json_key(&message.json, "resync");
		json_raw(&message.json, resync->body);
	}
	message_send_times(&message, follow->ws, follow->owed);
	follow->owed = 0;
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
	message_text(&message, "stream", text_of(stream));
	add_place(&message, epoch, head);
	/* {"from":…,"state":…}, whose members are ours. */
	buf_add_char(&message.buf, ',');
	buf_add(&message.buf, text_from(resync->body.at + 1,
	    resync->body.len - 2));
	message_send(&message, follow->ws);
}

static void
tell_deleted(const struct follow *follow)
{
	struct message message;

	message_begin(&message, "unsubscribed");
	message_number(&message, "sessionId", follow->session);
	message_text(&message, "reason", TEXT("deleted"));
	message_send(&message, follow->ws);
}

static void
on_ended(struct subscription *sub, enum hub_end why)
{
	struct follow *follow = follow_of(sub);
	struct client *client = follow->client;

	if (why == HUB_REFUSED)
		ws_close(client->ws, CLOSE_unavailable, 0);
	else if (follow->session == 0)
		ws_close(client->ws, CLOSE_tenant_gone, 0);
	else {
		if (why == HUB_DELETED)
			tell_deleted(follow);
		/* Whoever asks is answered. */
		for (; follow->owed > 0; follow->owed--)
			live_complain(client, "Session not found",
			    follow->session);
		follow_end(follow);
	}
}

static bool
on_has_room(struct subscription *sub)
{
	return (ws_has_room(follow_of(sub)->ws));
}

static const struct subscription_acts follow_acts = { on_deliver,
    on_subscribed, on_resync, on_ended, on_has_room };

void
follow_init(struct follow *follow, struct client *client, int64_t session)
{
	*follow = (struct follow){ .ws = client->ws, .client = client,
	    .session = session };
	subscription_init(&follow->sub, &follow_acts);
}

void
live_follow_join(struct follow *follow, const struct cursor *cursor)
{
	struct client *client = follow->client;
	char stream[32];

	follow->owed++;
	hub_leave(&follow->sub);
	write_stream(follow, stream, sizeof stream);
	hub_join(feed_hubs(client->live->service->feed),
	    ws_tenant(client->ws)->id, text_of(stream), &follow->sub,
	    cursor);
}

void
follow_tell(struct follow *follow)
{
	uint64_t head;
	text epoch;

	follow->owed++;
	if (hub_head(&follow->sub, &epoch, &head))
		on_subscribed(&follow->sub, epoch, head, true, NULL);
}

void
follow_add_head(const struct follow *follow, struct message *message)
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

struct follow *
follow_find(struct client *client, int64_t session)
{
	struct follow *follow;

	LL_SEARCH_SCALAR(client->sessions, follow, session, session);
	return (follow);
}

struct follow *
follow_add(struct client *client, int64_t session)
{
	const struct conf *conf = client->live->service->conf;
	struct bound_held held;
	struct follow *follow;

	if (client->sessions_count >= (unsigned)conf->live_subscriptions ||
	    !bound_subscription(ws_bound(client->ws),
	    client->live->service->slot, conf, &held))
		return (NULL);
	follow = mem_alloc(sizeof *follow);
	follow_init(follow, client, session);
	follow->held = held;
	LL_PREPEND(client->sessions, follow);
	client->sessions_count++;
	GAUGE_ADD(subscriptions, 1);
	return (follow);
}

void
follow_end(struct follow *follow)
{
	struct client *client = follow->client;

	hub_leave(&follow->sub);
	bound_end(&follow->held, client->live->service->slot);
	LL_DELETE(client->sessions, follow);
	client->sessions_count--;
	GAUGE_ADD(subscriptions, -1);
	mem_free(follow);
}
