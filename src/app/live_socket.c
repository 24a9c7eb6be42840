/* SPDX-License-Identifier: MIT */
/*
 * Guests: how they come in, what they say by a table, and when they have to
 * leave.
 */
#include <utlist.h>

#include "app/live_socket_inside.h"
#include "base/stamp.h"
#include "core/carried.h"
#include "core/json.h"
#include "core/tenant.h"
#include "plat/loop.h"

#define WAIT_MOST_MS 60000	/* as the wall's clock may be set */
#define LOOK_MS 250		/* with control's, less than a second */

/* From where on he follows the lobby, with the epoch's own letters. */
struct since {
	struct cursor	 cursor;
	char		 epoch[];
};

static void	wait_for_due(struct guest *guest);
static void	on_due(struct guest *guest);

static struct service *
service_of(const struct guest *guest)
{
	return (guest->sockets->service);
}

/* --- what they are told ------------------------------------------------ */

void
guest_write_refusal(struct json_out *json, const char *words,
    const char *code, int64_t session)
{
	json_key(json, "error");
	json_text_of(json, words);
	if (code != NULL) {
		json_key(json, "code");
		json_text_of(json, code);
	}
	if (session != 0) {
		json_key(json, "sessionId");
		json_int(json, session);
	}
}

void
guest_complain(struct guest *guest, const char *words, const char *code,
    int64_t session)
{
	struct socketio_writer writer;

	socketio_event(guest->socket, TEXT("error"), &writer);
	json_object_begin(&writer.json);
	json_key(&writer.json, "type");
	json_text(&writer.json, TEXT("error"));
	json_key(&writer.json, "message");
	json_text_of(&writer.json, words);
	if (code != NULL) {
		json_key(&writer.json, "code");
		json_text_of(&writer.json, code);
	}
	if (session != 0) {
		json_key(&writer.json, "sessionId");
		json_int(&writer.json, session);
	}
	json_object_end(&writer.json);
	socketio_send(guest->socket, &writer);
}

static void
refuse(struct socketio_call *call, const char *words, const char *code,
    int64_t session)
{
	struct socketio_writer writer;

	if (!socketio_answer(call, &writer)) {
		guest_complain(call->application, words, code, session);
		return;
	}
	json_object_begin(&writer.json);
	json_key(&writer.json, "success");
	json_bool(&writer.json, false);
	guest_write_refusal(&writer.json, words, code, session);
	json_object_end(&writer.json);
	socketio_answer_send(call, &writer);
}

void
guest_send_away(struct guest *guest, const char *code, const char *again)
{
	struct engineio *engine = socketio_engine(guest->socket);
	struct socketio_writer writer;
	bool may_come_back = strcmp(again, "now") == 0 ||
	    strcmp(again, "later") == 0;

	if (guest->is_leaving)
		return;
	guest->is_leaving = true;
	if (!socketio_is_joined(guest->socket)) {
		socketio_refuse(guest->socket, text_of(code), TEXT_NONE);
		return;
	}
	socketio_event(guest->socket, TEXT("closing"), &writer);
	json_object_begin(&writer.json);
	json_key(&writer.json, "code");
	json_text_of(&writer.json, code);
	json_key(&writer.json, "again");
	json_text_of(&writer.json, again);
	json_object_end(&writer.json);
	socketio_send(guest->socket, &writer);
	/* Clients come back by themselves only where the connection ends. */
	if (may_come_back && engine != NULL)
		engineio_close(engine, ENGINEIO_FORCED_CLOSE);
	else
		socketio_disconnect(guest->socket, false);
}

/* --- messages ---------------------------------------------------------- */

/* 0: it was refused. */
static int64_t
read_session(struct socketio_call *call)
{
	text value = call->arguments[0], words;
	int64_t session = 0;
	struct buf spelled;

	buf_init(&spelled, BUF_NO_LIMIT);
	if (carried_kind(value) == CARRIED_NULL)
		refuse(call, "Session ID required", NULL, 0);
	/* Pages hand on what stood in their address. */
	else if (!(carried_as_int(value, &session) ? session > 0 :
	    carried_as_text(value, &spelled, &words) &&
	    text_to_int64(words, 1, INT64_MAX, &session))) {
		refuse(call, "Session not found", NULL, 0);
		session = 0;
	}
	buf_fini(&spelled);
	return (session);
}

static void
follow(struct socketio_call *call, int64_t session,
    const struct cursor *cursor)
{
	struct guest *guest = call->application;
	struct tie *tie = tie_find(guest, session);

	if (tie != NULL && cursor->kind == CURSOR_NONE) {
		tie_tell(tie, socketio_answer_later(call));
		return;
	}
	if (tie == NULL)
		tie = tie_add(guest, session);
	if (tie == NULL)
		refuse(call, "Too many subscriptions",
		    "too_many_subscriptions", session);
	else
		tie_join(tie, cursor, socketio_answer_later(call));
}

/* since: a number or {epoch, seq}, which the cursor points into. */
static bool
read_since(text from, struct json_object **since_out, struct cursor *cursor)
{
	text value;

	*cursor = (struct cursor){ .kind = CURSOR_NONE };
	*since_out = NULL;
	if (!json_in_raw(from, TEXT("since"), &value) ||
	    carried_kind(value) == CARRIED_NULL)
		return (true);
	*since_out = json_in_read(value);
	return (*since_out != NULL && cursor_read_json(*since_out, cursor));
}

#define SINCE_WORDS "since must be a number or {\"epoch\",\"seq\"}"

static void
on_subscribe(struct socketio_call *call)
{
	int64_t session = read_session(call);
	struct json_object *since;
	struct cursor cursor;

	if (session == 0)
		return;
	if (read_since(call->arguments[1], &since, &cursor))
		follow(call, session, &cursor);
	else
		refuse(call, SINCE_WORDS, NULL, session);
	json_in_free(&since);
}

static void
write_unsubscribed(struct socketio_writer *writer, int64_t session)
{
	json_object_begin(&writer->json);
	json_key(&writer->json, "success");
	json_bool(&writer->json, true);
	json_key(&writer->json, "sessionId");
	json_int(&writer->json, session);
	json_object_end(&writer->json);
}

struct unsubscribed {
	struct socketio_debt *debt;
	int64_t		 session;
};

/* Or the client has gone. */
static void
on_unsubscribe_kept(void *me, bool is_kept)
{
	struct unsubscribed *unsubscribed = me;
	struct socketio_writer writer;

	if (is_kept && socketio_debt_is_wanted(unsubscribed->debt)) {
		socketio_debt_answer(unsubscribed->debt, &writer);
		write_unsubscribed(&writer, unsubscribed->session);
		socketio_debt_pay(&unsubscribed->debt, &writer);
	} else
		socketio_debt_pay(&unsubscribed->debt, NULL);
	mem_free(unsubscribed);
}

static void
on_unsubscribe(struct socketio_call *call)
{
	struct guest *guest = call->application;
	int64_t session = read_session(call);
	struct unsubscribed *unsubscribed;
	struct socketio_writer writer;
	struct tie *tie;

	if (session == 0)
		return;
	tie = tie_find(guest, session);
	if (tie != NULL)
		tie_end(tie);
	if (call->packet->id == SOCKETIO_NO_ID)
		return;
	if (socketio_is_kept(guest->socket)) {
		unsubscribed = mem_alloc(sizeof *unsubscribed);
		unsubscribed->debt = socketio_answer_later(call);
		unsubscribed->session = session;
		socketio_keep(guest->socket, on_unsubscribe_kept,
		    unsubscribed);
	} else if (socketio_answer(call, &writer)) {
		write_unsubscribed(&writer, session);
		socketio_answer_send(call, &writer);
	}
}

static void
on_unknown(struct socketio_call *call)
{
	refuse(call, "Unknown message type", NULL, 0);
}

static void
on_misfit(struct socketio_call *call)
{
	refuse(call, "Invalid message format", NULL, 0);
}

static const struct socketio_event events[] = {
	{ "subscribe", "v?o", on_subscribe },
	{ "unsubscribe", "v", on_unsubscribe },
};

/* --- coming and going -------------------------------------------------- */

/* At NULL: there is none. false: nobody believes it. */
static bool
find_caller(const struct live_sockets *sockets, int32_t tenant, text auth,
    const struct caller **caller_out)
{
	struct buf spelled;
	text value, token;
	bool is_good;

	*caller_out = NULL;
	if (!json_in_raw(auth, TEXT("token"), &value) ||
	    carried_kind(value) == CARRIED_NULL)
		return (true);
	buf_init(&spelled, BUF_NO_LIMIT);
	is_good = carried_as_text(value, &spelled, &token) &&
	    who_find_token(sockets->service->who, tenant, token,
	    stamp_now() / 1000, caller_out) == ERR_none;
	buf_fini(&spelled);
	return (is_good);
}

static bool
reads_anyway(const struct live_sockets *sockets, int32_t tenant_id)
{
	const struct tenant *tenant = tenant_by_id(sockets->service->tenants,
	    tenant_id);

	return (tenant != NULL && tenant->public_read);
}

/* NULL: he may come in; else why not. caller: NULL where he has no token. */
static const char *
why_not(const struct live_sockets *sockets, int32_t tenant, text auth,
    const struct caller **caller)
{
	if (!find_caller(sockets, tenant, auth, caller))
		return (error_rows[ERR_invalid_token].words.at);
	if (*caller == NULL && !reads_anyway(sockets, tenant))
		return (error_rows[ERR_token_required].words.at);
	return (NULL);
}

/* It is lent for the call alone. NULL: there is none. */
static struct since *
keep_since(const struct cursor *cursor)
{
	struct since *since;

	if (cursor->kind == CURSOR_NONE)
		return (NULL);
	since = mem_alloc(sizeof *since + cursor->epoch.len);
	since->cursor = *cursor;
	if (cursor->kind == CURSOR_PAIR) {
		memcpy(since->epoch, cursor->epoch.at, cursor->epoch.len);
		since->cursor.epoch = text_from(since->epoch,
		    cursor->epoch.len);
	}
	return (since);
}

static void
let_in(struct live_sockets *sockets, struct socketio_socket *socket,
    const struct caller *caller, const struct bound_held *held,
    const struct cursor *cursor)
{
	struct guest *guest = object_create(struct guest, GUEST_MAGIC);

	guest->sockets = sockets;
	guest->socket = socket;
	guest->held = *held;
	if (caller != NULL)
		guest->caller = caller_keep(caller);
	tie_init(&guest->lobby, guest, 0);
	timer_init(&guest->due, on_due, guest);
	wait_for_due(guest);
	DL_APPEND(sockets->guests, guest);
	guest->since = keep_since(cursor);
	socketio_set_application(socket, guest);
	socketio_admit_as(socket, caller != NULL ? caller->id : TEXT(""));
}

/* The lobby, and sessions, all of which he may follow as he could before. */
static bool
on_past(void *application, const struct socketio_past *past)
{
	struct guest *guest = object_cast(struct guest, GUEST_MAGIC,
	    application);
	bool is_whole = past->data.len == 0;
	int64_t session;
	struct tie *tie;
	text kind, id;

	for (unsigned i = 0; i < past->count && is_whole; i++) {
		text_cut(socketio_track_stream(past->tracks[i]), ':', &kind,
		    &id);
		tie = &guest->lobby;
		if (text_is(kind, TEXT("session")))
			tie = text_to_int64(id, 1, INT64_MAX, &session) ?
			    tie_add(guest, session) : NULL;
		is_whole = tie != NULL;
		if (is_whole)
			tie->track = past->tracks[i];
	}
	if (is_whole && guest->lobby.track != NULL)
		return (true);
	guest->lobby.track = NULL;
	while (guest->sessions != NULL) {
		guest->sessions->track = NULL;
		tie_end(guest->sessions);
	}
	return (false);
}

static void
join_lobby(struct guest *guest)
{
	const struct cursor none = { .kind = CURSOR_NONE };
	struct since *since = guest->since;

	guest->since = NULL;
	tie_join(&guest->lobby, since != NULL ? &since->cursor : &none, NULL);
	mem_free(since);
}

static void
on_admitted(void *application, bool is_recovered)
{
	struct guest *guest = object_cast(struct guest, GUEST_MAGIC,
	    application);
	struct tie *tie, *next;

	if (!is_recovered) {
		join_lobby(guest);
		return;
	}
	LL_FOREACH_SAFE(guest->sessions, tie, next)
		tie_resume(tie);
	/* Last, as without it he is sent away, and may be gone. */
	tie_resume(&guest->lobby);
}

static void
on_connect(struct socketio_socket *socket, text auth, void *context)
{
	struct live_sockets *sockets = object_cast(struct live_sockets,
	    LIVE_SOCKETS_MAGIC, context);
	const struct service *service = sockets->service;
	struct json_object *since = NULL;
	const struct caller *caller;
	struct bound_held held = { .who = { 0 } };
	struct cursor cursor;
	const char *why = why_not(sockets, socketio_tenant(socket), auth,
	    &caller);

	if (why == NULL && !read_since(auth, &since, &cursor))
		why = SINCE_WORDS;
	if (why == NULL && caller != NULL) {
		bound_client_become(socketio_bound(socket), caller);
		if (!bound_connection(socketio_bound(socket), service->slot,
		    service->conf, &held))
			why = error_rows[ERR_too_many_caller_connections].
			    words.at;
	}
	if (why != NULL)
		socketio_refuse(socket, text_of(why), TEXT_NONE);
	else
		let_in(sockets, socket, caller, &held, &cursor);
	json_in_free(&since);
}

static void
on_room(void *application)
{
	struct guest *guest = object_cast(struct guest, GUEST_MAGIC,
	    application);
	struct tie *tie, *next;

	hub_room(&guest->lobby.sub);
	LL_FOREACH_SAFE(guest->sessions, tie, next)
		hub_room(&tie->sub);
}

static void
on_close(void *application, enum socketio_end why)
{
	struct guest *guest = object_cast(struct guest, GUEST_MAGIC,
	    application);
	struct service *service = service_of(guest);

	(void)why;
	tie_leave(&guest->lobby);
	while (guest->sessions != NULL)
		tie_end(guest->sessions);
	mem_free(guest->since);
	caller_give(&guest->caller);
	bound_end(&guest->held, service->slot);
	timer_stop(loop_timers(service->loop), &guest->due);
	DL_DELETE(guest->sockets->guests, guest);
	object_free(&guest);
}

/* --- until when -------------------------------------------------------- */

/* Whose time is over, or who lost his rights: he may be gone after this. */
static void
look_at(struct guest *guest, int64_t now_s)
{
	const struct service *service = service_of(guest);
	const struct tenant *tenant = tenant_by_id(service->tenants,
	    socketio_tenant(guest->socket));

	if (tenant == NULL)
		guest_send_away(guest, "tenant_gone", "never");
	else if (guest->caller == NULL) {
		if (!tenant->public_read)
			guest_send_away(guest, "token_required", "sign_in");
	} else if (guest->caller->exp <= now_s)
		guest_send_away(guest, "token_expired", "sign_in");
	else if (who_is_revoked(service->who, guest->caller))
		guest_send_away(guest, "revoked", "sign_in");
}

/* When the clock may bring something. */
static void
wait_for_due(struct guest *guest)
{
	int64_t ms;

	if (guest->caller == NULL)
		return;
	ms = guest->caller->exp * 1000 - stamp_now();
	if (ms > WAIT_MOST_MS)
		ms = WAIT_MOST_MS;
	timer_set(loop_timers(service_of(guest)->loop), &guest->due,
	    ms > 1 ? ms : 1);
}

static void
on_due(struct guest *guest)
{
	wait_for_due(guest);
	look_at(guest, stamp_now() / 1000);
}

/* All guests, but only where somebody's rights may have changed. */
static void
on_look(struct live_sockets *sockets)
{
	const struct service *service = sockets->service;
	uint64_t news = who_book_news(service->who) +
	    tenant_book_removals(service->tenants);
	int64_t now_s = stamp_now() / 1000;
	struct guest *guest, *next;

	if (news != sockets->rights_seen)
		DL_FOREACH_SAFE(sockets->guests, guest, next)
			look_at(guest, now_s);
	sockets->rights_seen = news;
	timer_set(loop_timers(service->loop), &sockets->look, LOOK_MS);
}

struct live_sockets *
live_sockets_create(struct service *service)
{
	struct live_sockets *sockets = object_create(struct live_sockets,
	    LIVE_SOCKETS_MAGIC);

	sockets->service = service;
	timer_init(&sockets->look, on_look, sockets);
	timer_set(loop_timers(service->loop), &sockets->look, LOOK_MS);
	return (sockets);
}

void
live_sockets_destroy(struct live_sockets **given)
{
	struct live_sockets *sockets = *given;

	*given = NULL;
	if (sockets == NULL)
		return;
	object_check(sockets, LIVE_SOCKETS_MAGIC);
	must(sockets->guests == NULL);
	timer_stop(loop_timers(sockets->service->loop), &sockets->look);
	object_free(&sockets);
}

struct socketio_app
live_sockets_app(struct live_sockets *sockets)
{
	return ((struct socketio_app){ .nsp = "/live", .events = events,
	    .events_count = sizeof events / sizeof events[0],
	    .context = sockets, .on_connect = on_connect,
	    .on_admitted = on_admitted, .on_past = on_past,
	    .on_unknown = on_unknown, .on_misfit = on_misfit,
	    .on_room = on_room, .on_close = on_close });
}
