/* SPDX-License-Identifier: MIT */
/*
 * Streams that guests follow, and what those tell.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/live_socket_inside.h"
#include "base/conf.h"
#include "base/count.h"
#include "core/feed.h"

#define STREAM_SIZE 32

/* An answer that somebody waits for. */
struct owed {
	struct socketio_debt *debt;	/* NULL: the event is */
	struct owed	*prev, *next;
};

static struct tie *
tie_of(struct subscription *sub)
{
	return ((struct tie *)sub);
}

static struct guest *
guest_of(const struct tie *tie)
{
	return (object_cast(struct guest, GUEST_MAGIC,
	    socketio_application(tie->socket)));
}

static const struct service *
service_of(const struct tie *tie)
{
	return (guest_of(tie)->sockets->service);
}

/* --- answers ----------------------------------------------------------- */

static void
owe(struct tie *tie, struct socketio_debt *debt)
{
	struct owed *owed = mem_alloc(sizeof *owed);

	owed->debt = debt;
	DL_APPEND(tie->owed, owed);
}

/* The first one. false: there is none. debt_out: NULL where it is an event. */
static bool
take_owed(struct tie *tie, struct socketio_debt **debt_out)
{
	struct owed *owed = tie->owed;

	if (owed == NULL)
		return (false);
	*debt_out = owed->debt;
	DL_DELETE(tie->owed, owed);
	mem_free(owed);
	return (true);
}

static void
write_name(const struct tie *tie, char *out, size_t size)
{
	if (tie->session == 0)
		snprintf(out, size, "lobby");
	else
		snprintf(out, size, "session:%" PRId64, tie->session);
}

static void
write_place(struct json_out *json, text epoch, uint64_t head)
{
	json_key(json, "epoch");
	json_text(json, epoch);
	json_key(json, "seq");
	json_int(json, (int64_t)head);
}

/* With its type as the first member, as envelopes have it. */
static void
begin_event(const struct tie *tie, const char *type,
    struct socketio_writer *writer)
{
	socketio_event(tie->socket, text_of(type), writer);
	json_object_begin(&writer->json);
	json_key(&writer->json, "type");
	json_text_of(&writer->json, type);
}

static void
write_session(struct json_out *json, const struct tie *tie)
{
	json_key(json, tie->session != 0 ? "sessionId" : "stream");
	if (tie->session != 0)
		json_int(json, tie->session);
	else
		json_text(json, TEXT("lobby"));
}

static void
answer(struct tie *tie, struct socketio_debt *debt, text epoch,
    uint64_t head, bool recovered, const struct hub_resync *resync)
{
	struct socketio_writer writer;
	struct json_out *json = &writer.json;

	if (debt == NULL)
		begin_event(tie, "subscribed", &writer);
	else {
		socketio_debt_answer(debt, &writer);
		json_object_begin(json);
		json_key(json, "success");
		json_bool(json, true);
	}
	write_session(json, tie);
	write_place(json, epoch, head);
	json_key(json, "recovered");
	json_bool(json, recovered);
	if (resync != NULL) {
		json_key(json, "resync");
		json_raw(json, resync->body);
	}
	json_object_end(json);
	if (debt == NULL)
		socketio_send(tie->socket, &writer);
	else
		socketio_debt_pay(&debt, &writer);
}

/* Why it came to nothing, to all who asked and are still there. */
static void
refuse_all(struct tie *tie, const char *words)
{
	struct socketio_debt *debt;
	struct socketio_writer writer;

	while (take_owed(tie, &debt)) {
		if (debt == NULL) {
			guest_complain(guest_of(tie), words, NULL,
			    tie->session);
			continue;
		}
		if (!socketio_debt_is_wanted(debt)) {
			socketio_debt_pay(&debt, NULL);
			continue;
		}
		socketio_debt_answer(debt, &writer);
		json_object_begin(&writer.json);
		json_key(&writer.json, "success");
		json_bool(&writer.json, false);
		guest_write_refusal(&writer.json, words, NULL, tie->session);
		json_object_end(&writer.json);
		socketio_debt_pay(&debt, &writer);
	}
}

/* --- what the hub tells ------------------------------------------------ */

static void
on_deliver(struct subscription *sub, struct event *event)
{
	static const struct socketio_form form = { .place = EVENT_SOCKETIO };
	struct tie *tie = tie_of(sub);

	if (tie->track != NULL && event->seq != 0)
		socketio_track_set(tie->track, event->epoch, event->seq);
	socketio_send_event(tie->socket, event, &form);
}

static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	struct tie *tie = tie_of(sub);
	struct socketio_writer writer;
	char stream[STREAM_SIZE];

	if (tie->track != NULL)
		socketio_track_set(tie->track, epoch, head);
	write_name(tie, stream, sizeof stream);
	begin_event(tie, "resync", &writer);
	json_key(&writer.json, "stream");
	json_text_of(&writer.json, stream);
	write_place(&writer.json, epoch, head);
	/* {"from":…,"state":…}, whose members are ours. */
	buf_add_char(&writer.payload, ',');
	buf_add(&writer.payload, text_from(resync->body.at + 1,
	    resync->body.len - 2));
	json_object_end(&writer.json);
	socketio_send(tie->socket, &writer);
}

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	struct tie *tie = tie_of(sub);
	struct socketio_debt *debt;

	if (resync != NULL && tie->owed == NULL)
		on_resync(sub, epoch, head, resync);
	else if (resync != NULL && tie->track != NULL)
		socketio_track_set(tie->track, epoch, head);
	while (take_owed(tie, &debt))
		answer(tie, debt, epoch, head, recovered && !tie->begins_now,
		    resync);
}

/* Nobody knows whether this arrives: who comes back later begins anew. */
static void
tell_deleted(const struct tie *tie)
{
	struct socketio_writer writer;

	if (socketio_is_kept(tie->socket))
		socketio_keep_data(tie->socket, TEXT("\"deleted\""));
	begin_event(tie, "unsubscribed", &writer);
	write_session(&writer.json, tie);
	json_key(&writer.json, "reason");
	json_text(&writer.json, TEXT("deleted"));
	json_object_end(&writer.json);
	socketio_send(tie->socket, &writer);
}

static void
on_ended(struct subscription *sub, enum hub_end why)
{
	struct tie *tie = tie_of(sub);

	if (why == HUB_REFUSED) {
		if (tie->session != 0)
			refuse_all(tie, "Service unavailable");
		guest_send_away(guest_of(tie), "unavailable", "later");
	} else if (tie->session == 0)
		guest_send_away(guest_of(tie), "tenant_gone", "never");
	else {
		/* Of a socket that was put back it is the first word. */
		if (why == HUB_DELETED || tie->owed == NULL)
			tell_deleted(tie);
		refuse_all(tie, "Session not found");
		tie_end(tie);
	}
}

static bool
on_has_room(struct subscription *sub)
{
	return (socketio_has_room(tie_of(sub)->socket));
}

/* --- following --------------------------------------------------------- */

void
tie_init(struct tie *tie, struct guest *guest, int64_t session)
{
	static const struct subscription_acts acts = { on_deliver,
	    on_subscribed, on_resync, on_ended, on_has_room };

	*tie = (struct tie){ .socket = guest->socket,
	    .session = session };
	subscription_init(&tie->sub, &acts);
}

static void
join(struct tie *tie, const struct cursor *cursor)
{
	char stream[STREAM_SIZE];

	write_name(tie, stream, sizeof stream);
	hub_join(feed_hubs(service_of(tie)->feed),
	    socketio_tenant(tie->socket), text_of(stream), &tie->sub, cursor);
}

void
tie_resume(struct tie *tie)
{
	struct cursor cursor;

	socketio_track_cursor(tie->track, &cursor);
	join(tie, &cursor);
}

/* It is in the socket's row, so it may be said that it is followed. */
static void
on_kept(void *me, enum socketio_keeping kept)
{
	struct tie *tie = me;

	if (kept == SOCKETIO_KEPT)
		tie_resume(tie);
	else
		on_ended(&tie->sub, kept == SOCKETIO_NO_STREAM ?
		    HUB_MISSING : HUB_REFUSED);
}

void
tie_join(struct tie *tie, const struct cursor *cursor,
    struct socketio_debt *debt)
{
	char stream[STREAM_SIZE];

	owe(tie, debt);
	hub_leave(&tie->sub);
	if (!socketio_is_kept(tie->socket)) {
		join(tie, cursor);
		return;
	}
	socketio_track_end(&tie->track);
	tie->begins_now = cursor->kind == CURSOR_NONE;
	write_name(tie, stream, sizeof stream);
	tie->track = socketio_track(tie->socket, text_of(stream), cursor,
	    on_kept, tie);
}

void
tie_tell(struct tie *tie, struct socketio_debt *debt)
{
	uint64_t head;
	text epoch;

	owe(tie, debt);
	if (hub_head(&tie->sub, &epoch, &head))
		on_subscribed(&tie->sub, epoch, head, true, NULL);
}

void
tie_leave(struct tie *tie)
{
	hub_leave(&tie->sub);
	socketio_track_end(&tie->track);
	refuse_all(tie, "Unsubscribed");
}

struct tie *
tie_find(const struct guest *guest, int64_t session)
{
	struct tie *tie;

	LL_SEARCH_SCALAR(guest->sessions, tie, session, session);
	return (tie);
}

struct tie *
tie_add(struct guest *guest, int64_t session)
{
	const struct service *service = guest->sockets->service;
	struct bound_held held;
	struct tie *tie;

	if (guest->sessions_count >=
	    (unsigned)service->conf->live_subscriptions ||
	    !bound_subscription(socketio_bound(guest->socket), service->slot,
	    service->conf, &held))
		return (NULL);
	tie = mem_alloc(sizeof *tie);
	tie_init(tie, guest, session);
	tie->held = held;
	LL_PREPEND(guest->sessions, tie);
	guest->sessions_count++;
	GAUGE_ADD(subscriptions, 1);
	return (tie);
}

void
tie_end(struct tie *tie)
{
	struct guest *guest = guest_of(tie);

	tie_leave(tie);
	bound_end(&tie->held, service_of(tie)->slot);
	LL_DELETE(guest->sessions, tie);
	guest->sessions_count--;
	GAUGE_ADD(subscriptions, -1);
	mem_free(tie);
}
