/* SPDX-License-Identifier: MIT */
/*
 * From upgraded sockets to messages, and events to frames.
 */
#include "transport/ws.h"

#include <h2o.h>
#include <h2o/http1.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "core/lag.h"
#include "core/tenant.h"
#include "plat/frame.h"
#include "plat/sock.h"
#include "transport/ws_handshake.h"
#include "transport/ws_upgrade.h"

#define FAREWELL_MS 5000
#define CLOSE_REASON_MAX 123
/* Of control frames the last of each is enough. */
#define KEY_PONG 1
#define KEY_PING 2

const struct close_row close_rows[CLOSES] = {
#define CLOSE(name, number, again, text) { #name, number, #again, text },
#include "tbl/closes.h"
#undef CLOSE
};

struct ws_set {
	unsigned	 magic;
#define WS_SET_MAGIC 0x77737365
	const struct op_ground *ground;
	struct socks	*socks;		/* NULL: closed */
	struct sock_rules rules;
	struct frame_rules frames;
	struct bytes	*ping;		/* the same for all */
};

struct ws {
	unsigned	 magic;
#define WS_MAGIC 0x77736f63
	bool		 deflates;
	bool		 is_closing;
	struct sock	*sock;
	struct ws_set	*set;
	const struct ws_acts *acts;
	void		*application;
	struct tenant	*tenant;
	struct bound_client bound;
	struct frame_reader reader;
	int64_t		 pinged_ms;	/* of silence, at the last ping */
	struct peer_places places;
};

/* What lies between the request and the socket. */
struct upgrade {
	struct ws_set	*set;
	struct peer	*peer;
	const struct ws_door *door;
	struct tenant	*tenant;
	struct bound_client bound;
	bool		 deflates;
};

struct ws_set *
ws_set_create(const struct op_ground *ground, struct loop *loop)
{
	struct ws_set *set = object_create(struct ws_set, WS_SET_MAGIC);

	set->ground = ground;
	sock_rules_read(&set->rules, ground->conf);
	set->frames.message_max = (size_t)ground->conf->live_message_max;
	set->socks = socks_create(loop, &set->rules);
	set->ping = frame_write(FRAME_PING, TEXT("partyline"));
	return (set);
}

void
ws_set_close(struct ws_set *set)
{
	object_check(set, WS_SET_MAGIC);
	socks_destroy(&set->socks);
}

void
ws_set_destroy(struct ws_set **given)
{
	struct ws_set *set = *given;

	*given = NULL;
	if (set == NULL)
		return;
	object_check(set, WS_SET_MAGIC);
	ws_set_close(set);
	bytes_give(&set->ping);
	object_free(&set);
}

size_t
ws_set_count(const struct ws_set *set)
{
	return (set->socks != NULL ? socks_count(set->socks) : 0);
}

struct socks *
ws_set_socks(const struct ws_set *set)
{
	return (set->socks);
}

/* --- closing ----------------------------------------------------------- */

static void
close_with(struct ws *ws, unsigned number, text reason,
    enum sock_ending ending)
{
	struct bytes *farewell;

	if (ws->is_closing)
		return;
	ws->is_closing = true;
	farewell = frame_write_close(number, reason);
	sock_close(ws->sock, farewell, ending, FAREWELL_MS);
	bytes_give(&farewell);
}

void
ws_close(struct ws *ws, enum close why, int64_t retry_after_ms)
{
	const struct close_row *row = &close_rows[why];
	char reason[CLOSE_REASON_MAX + 1], later[48] = "";

	object_check(ws, WS_MAGIC);
	if (retry_after_ms > 0)
		snprintf(later, sizeof later, ",\"retry_after_ms\":%" PRId64,
		    retry_after_ms);
	snprintf(reason, sizeof reason, "{\"code\":\"%s\",\"again\":\"%s\"%s}",
	    row->name, row->again, later);
	close_with(ws, row->number, text_of(reason), SOCK_WHEN_PEER_ENDS);
}

/* A fault of the client's: the row that has its number. */
static void
close_for_fault(struct ws *ws, const struct frame_event *fault)
{
	log_info("a live client broke the protocol",
	    F("code", (int)fault->code), F("why", fault->payload));
	COUNT(live_faults);
	if (fault->code == FRAME_CODE_TOO_LARGE)
		ws_close(ws, CLOSE_message_too_long, 0);
	else if (fault->code == FRAME_CODE_BAD_DATA)
		ws_close(ws, CLOSE_text_invalid, 0);
	else
		ws_close(ws, CLOSE_protocol_error, 0);
}

/* --- frames in ---------------------------------------------------------- */

static void
answer_ping(struct ws *ws, text payload)
{
	struct bytes *pong = frame_write(FRAME_PONG, payload);

	sock_send(ws->sock, pong, SOCK_CONTROL, KEY_PONG);
	bytes_give(&pong);
}

static void
on_frame(struct ws *ws, const struct frame_event *event)
{
	switch (event->kind) {
	case FRAME_TEXT:
	case FRAME_BINARY:
		/* JSON in a binary frame is JSON as well. */
		ws->acts->on_text(ws->application, event->payload);
		break;
	case FRAME_PING:
		answer_ping(ws, event->payload);
		break;
	case FRAME_CLOSE:
		close_with(ws, event->code == FRAME_CODE_NONE ?
		    FRAME_CODE_NORMAL : event->code, TEXT_NONE,
		    SOCK_WHEN_SENT);
		break;
	case FRAME_ERROR:
		close_for_fault(ws, event);
		break;
	case FRAME_PONG:
	case FRAME_CONTINUATION:
		break;
	}
}

static struct ws *
ws_of(const struct sock *sock)
{
	return (object_cast(struct ws, WS_MAGIC, sock_owner(sock)));
}

static void
on_bytes(struct sock *sock, char *at, size_t len)
{
	struct ws *ws = ws_of(sock);
	struct frame_input input = { at, len };
	struct frame_event event;

	ws->pinged_ms = 0;
	while (frame_read(&ws->reader, &input, &event))
		if (!ws->is_closing)
			on_frame(ws, &event);
		else if (event.kind == FRAME_CLOSE)
			sock_close(sock, NULL, SOCK_WHEN_SENT, FAREWELL_MS);
}

static void
on_overflow(struct sock *sock, const char *why)
{
	(void)why;
	ws_close(ws_of(sock), CLOSE_slow, 0);
}

static void
on_room(struct sock *sock)
{
	struct ws *ws = ws_of(sock);

	if (!ws->is_closing)
		ws->acts->on_room(ws->application);
}

/* Pings who is silent, and gives up whom nothing is heard of. */
static int64_t
on_look(struct sock *sock)
{
	struct ws *ws = ws_of(sock);
	const struct conf *conf = ws->set->ground->conf;
	int64_t silent = sock_silent_ms(sock);

	if (ws->is_closing)
		return (FAREWELL_MS);
	if (silent >= conf->live_silence) {
		ws_close(ws, CLOSE_silent, 0);
		return (FAREWELL_MS);
	}
	if (silent >= ws->pinged_ms + conf->live_ping) {
		ws->pinged_ms = silent;
		sock_send(sock, ws->set->ping, SOCK_CONTROL, KEY_PING);
	}
	if (ws->pinged_ms + conf->live_ping < conf->live_silence)
		return (ws->pinged_ms + conf->live_ping - silent);
	return (conf->live_silence - silent);
}

static void
on_closed(struct sock *sock, const char *why)
{
	struct ws *ws = ws_of(sock);

	(void)why;
	ws->is_closing = true;
	ws->acts->on_close(ws->application);
	frame_reader_fini(&ws->reader);
	peer_places_give(&ws->places, ws->set->ground);
	tenant_give(&ws->tenant);
	object_free(&ws);
}

static const struct sock_acts sock_acts = { on_bytes, on_overflow, on_room,
    on_look, on_closed };

/* --- frames out --------------------------------------------------------- */

void
ws_send_text(struct ws *ws, text message)
{
	struct bytes *frame = NULL;

	object_check(ws, WS_MAGIC);
	if (ws->is_closing)
		return;
	if (ws->deflates)
		frame = frame_write_deflated(FRAME_TEXT, message,
		    (size_t)ws->set->ground->conf->live_deflate_min);
	if (frame == NULL)
		frame = frame_write(FRAME_TEXT, message);
	sock_send(ws->sock, frame, SOCK_NUMBERED, 0);
	bytes_give(&frame);
}

/* Once for all clients; deflated only where that is less. */
static struct bytes *
frame_of(struct ws *ws, struct event *event)
{
	if (event->forms[EVENT_WS] == NULL) {
		event->forms[EVENT_WS] = frame_write(FRAME_TEXT,
		    event->envelope);
		lag_note(ws->set->ground->service->lag, event);
	}
	if (!ws->deflates)
		return (event->forms[EVENT_WS]);
	if (event->forms[EVENT_WS_DEFLATED] == NULL) {
		struct bytes *frame = frame_write_deflated(FRAME_TEXT,
		    event->envelope,
		    (size_t)ws->set->ground->conf->live_deflate_min);

		if (frame != NULL)
			COUNT(events_deflated);
		event->forms[EVENT_WS_DEFLATED] = frame != NULL ? frame :
		    bytes_share(event->forms[EVENT_WS]);
	}
	return (event->forms[EVENT_WS_DEFLATED]);
}

void
ws_send_event(struct ws *ws, struct event *event)
{
	const struct bytes *ready = event->forms[ws->deflates ?
	    EVENT_WS_DEFLATED : EVENT_WS];
	struct bytes *frame;

	if (ws->is_closing)
		return;
	frame = ready != NULL ? event->forms[ws->deflates ?
	    EVENT_WS_DEFLATED : EVENT_WS] : frame_of(ws, event);
	if (event->seq != 0)
		sock_send(ws->sock, frame, SOCK_NUMBERED, 0);
	else
		sock_send(ws->sock, frame, SOCK_LIVE, event_key(event));
	COUNT(deliveries);
}

bool
ws_has_room(const struct ws *ws)
{
	return (!ws->is_closing && sock_has_room(ws->sock));
}

struct tenant *
ws_tenant(const struct ws *ws)
{
	return (ws->tenant);
}

struct bound_client *
ws_bound(struct ws *ws)
{
	return (&ws->bound);
}

const struct op_ground *
ws_ground(const struct ws *ws)
{
	return (ws->set->ground);
}

/* --- becoming one ------------------------------------------------------- */

static void
on_upgraded(void *given, h2o_socket_t *from, size_t consumed)
{
	struct upgrade *upgrade = given;
	struct ws_set *set = upgrade->set;
	struct ws *ws;

	if (from == NULL || set->socks == NULL) {
		/* The client left while it was answered. */
		tenant_give(&upgrade->tenant);
		mem_free(upgrade);
		if (from != NULL)
			h2o_socket_close(from);
		return;
	}
	h2o_buffer_consume(&from->input, consumed);
	ws = object_create(struct ws, WS_MAGIC);
	ws->set = set;
	ws->acts = upgrade->door->acts;
	ws->tenant = upgrade->tenant;
	ws->bound = upgrade->bound;
	ws->deflates = upgrade->deflates;
	frame_reader_init(&ws->reader, &set->frames, ws->deflates);
	peer_hand_over(upgrade->peer, &ws->places);
	ws->sock = sock_adopt(set->socks, from, &sock_acts, ws);
	if (ws->sock == NULL) {
		frame_reader_fini(&ws->reader);
		peer_places_give(&ws->places, set->ground);
		tenant_give(&ws->tenant);
		object_free(&ws);
	} else {
		COUNT(live_connections);
		ws->application = ws->acts->on_open(ws,
		    upgrade->door->context);
	}
	mem_free(upgrade);
}

void
ws_upgrade(struct ws_set *set, struct peer *peer, const struct ws_door *door)
{
	struct op *op = peer->op;
	struct ws_handshake handshake;
	struct upgrade *upgrade;
	enum err err;

	if (!act_enter(op))
		return;
	err = ws_handshake_read(peer->req, op->tenant, &handshake);
	if (err != ERR_none) {
		op_fail(op, err);
		return;
	}
	upgrade = mem_alloc(sizeof *upgrade);
	*upgrade = (struct upgrade){ .set = set, .peer = peer, .door = door,
	    .tenant = tenant_share(op->tenant),
	    .deflates = handshake.deflate.is_on };
	bound_client_set(&upgrade->bound, op->tenant, op->client_address,
	    NULL);
	ws_handshake_answer(peer->req, &handshake);
	op_switch(op);
	h2o_http1_upgrade(peer->req, NULL, 0, on_upgraded, upgrade);
}
