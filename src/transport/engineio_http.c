/* SPDX-License-Identifier: MIT */
/*
 * From requests to sessions: what is refused and how, handshakes, and what
 * pages of other origins may read.
 *
 *	transport ─> origin ─> sid ──┬─> known? whose? ──> GET, POST, upgrade
 *	   0	       3	     │	  1	 3
 *			    none └─> GET? may come? version ──> handshake
 *				      2	    4	    5
 */
#include <h2o.h>
#include <h2o/http1.h>

#include "base/conf.h"
#include "base/json_out.h"
#include "base/count.h"
#include "base/log.h"
#include "base/stamp.h"
#include "core/query.h"
#include "core/tenant.h"
#include "plat/addresses.h"
#include "plat/segment.h"
#include "transport/engineio_line.h"
#include "transport/engineio_relay.h"
#include "transport/held.h"
#include "transport/ws_handshake.h"

static const text code_words[ANSWER_CODES] = {
	[ANSWER_UNKNOWN_TRANSPORT] = TEXT("Transport unknown"),
	[ANSWER_UNKNOWN_SID] = TEXT("Session ID unknown"),
	[ANSWER_BAD_METHOD] = TEXT("Bad handshake method"),
	[ANSWER_BAD_REQUEST] = TEXT("Bad request"),
	[ANSWER_FORBIDDEN] = TEXT("Forbidden"),
	[ANSWER_BAD_VERSION] = TEXT("Unsupported protocol version"),
};

static const text words_type = TEXT("text/html");
static const text packets_type = TEXT("text/plain; charset=UTF-8");
/* Not op_json_type, which is compressed and has a tag. */
static const text code_type = TEXT("application/json");

/* What a request asks for. */
struct wish {
	struct engineio_set *set;
	struct peer	*peer;
	struct op	*op;
	const struct engineio_door *door;
	text		 transport;
	text		 version;
	text		 sid;
	bool		 has_sid;
	bool		 is_upgrade;
	struct engineio_facts facts;
};

/* What lies between a request and its WebSocket. */
struct coming {
	struct engineio_set *set;
	struct peer	*peer;
	const struct engineio_door *door;
	int32_t		 tenant;
	struct engineio_place place;	/* of the session */
	char		 sid[ENGINEIO_SID_SIZE];
	bool		 is_handshake;
	bool		 deflates;
};

const struct engineio_door *
engineio_door_of(const struct engineio_set *set, text path)
{
	if (set->doors == NULL)
		return (NULL);
	for (const struct engineio_door *door = set->doors;
	    door->path != NULL; door++)
		if (text_begins(path, text_of(door->path)))
			return (door);
	return (NULL);
}

/* --- facts ------------------------------------------------------------- */

static text
text_of_iovec(h2o_iovec_t from)
{
	return (text_from(from.base, from.len));
}

text
engineio_header(const struct engineio_facts *facts, text name)
{
	const h2o_req_t *req = facts->request;
	text value = TEXT_NONE;

	for (size_t i = 0; i < req->headers.size; i++)
		if (text_is(text_of_iovec(*req->headers.entries[i].name),
		    name))
			value = text_trim(text_of_iovec(
			    req->headers.entries[i].value));
	return (value);
}

text
engineio_cookie(const struct engineio_facts *facts, text name)
{
	const h2o_req_t *req = facts->request;
	text found = TEXT_NONE;

	for (size_t i = 0; i < req->headers.size; i++) {
		text rest = text_of_iovec(req->headers.entries[i].value), one;
		text key, value;

		if (!text_is(text_of_iovec(*req->headers.entries[i].name),
		    TEXT("cookie")))
			continue;
		while (rest.len > 0) {
			text_cut(rest, ';', &one, &rest);
			if (text_cut(text_trim(one), '=', &key, &value) &&
			    text_is(key, name))
				found = value;
		}
	}
	return (found);
}

/* --- answers ----------------------------------------------------------- */

static void
add_header(struct op *op, text name, text value)
{
	struct answer *answer = &op->answer;

	must(answer->headers_count < ANSWER_HEADERS_MAX);
	answer->headers[answer->headers_count++] = (struct answer_header){
	    name, value };
}

/* A listed origin is let in by name, so its cookies may come with it. */
static void
add_credentials(struct op *op)
{
	if (op->tenant != NULL && !op->tenant->allows_any_origin &&
	    op->origin.at != NULL &&
	    tenant_origin_allows(op->tenant, op->origin))
		add_header(op, TEXT("access-control-allow-credentials"),
		    TEXT("true"));
}

static void
reply(struct op *op, unsigned status, text type, text body)
{
	struct loop *loop = op->ground->service->loop;

	op->answer.is_momentary = true;
	add_credentials(op);
	if (body.len > 0) {
		op->held = bytes_create(body.len);
		memcpy(op->held->at, body.at, body.len);
		body = text_from(op->held->at, body.len);
	}
	/* What is written at a turn's end h2o looks at in the next. */
	if (loop_is_ending(loop))
		loop_again(loop);
	op_reply_as(op, status, type, body);
}

static void
reply_code(struct op *op, enum engineio_answer code, text words)
{
	struct json_out json;
	struct buf body;

	buf_init(&body, BUF_NO_LIMIT);
	json_out_init(&json, &body);
	json_object_begin(&json);
	json_key(&json, "code");
	json_int(&json, code);
	json_key(&json, "message");
	json_text(&json, words.at != NULL ? words : code_words[code]);
	json_object_end(&json);
	reply(op, code == ANSWER_FORBIDDEN ? 403 : 400, code_type,
	    buf_text(&body));
	buf_fini(&body);
}

void
engineio_answer(struct op *op, enum engineio_answer answer, text body)
{
	switch (answer) {
	case ANSWER_PACKETS:
		reply(op, 200, packets_type, body);
		break;
	case ANSWER_OK:
		reply(op, 200, words_type, TEXT("ok"));
		break;
	case ANSWER_TOO_LARGE:
		reply(op, 413, words_type, TEXT_NONE);
		break;
	default:
		reply_code(op, answer, TEXT_NONE);
	}
}

void
engineio_refuse(struct op *op, unsigned status)
{
	op->answer.is_momentary = true;
	op_reply_as(op, status, words_type, TEXT_NONE);
}

/* Upgrades are refused in words, and their connection is closed. */
static void
refuse_upgrade(struct op *op, enum engineio_answer code, text words)
{
	op->answer.has_to_close = true;
	reply(op, code == ANSWER_FORBIDDEN ? 403 : 400, words_type,
	    words.at != NULL ? words : code_words[code]);
}

static void
refuse(struct wish *wish, enum engineio_answer code, text words)
{
	if (wish->is_upgrade)
		refuse_upgrade(wish->op, code, words);
	else
		reply_code(wish->op, code, words);
}

/* What a page of another origin asks before it asks. */
static void
answer_options(struct wish *wish)
{
	text headers = engineio_header(&wish->facts,
	    TEXT("access-control-request-headers"));

	add_header(wish->op, TEXT("access-control-allow-methods"),
	    TEXT("GET,POST"));
	if (headers.at != NULL)
		add_header(wish->op, TEXT("access-control-allow-headers"),
		    headers);
	add_header(wish->op, TEXT("access-control-max-age"), TEXT("600"));
	reply(wish->op, 204, TEXT_NONE, TEXT_NONE);
}

/* --- upgrades ---------------------------------------------------------- */

static void
end_coming(struct coming *coming)
{
	struct engineio *engine = engineio_find(coming->set,
	    text_of(coming->sid), coming->door, coming->tenant);

	/* One that was begun for a socket which never came. */
	if (coming->is_handshake && engine != NULL && engine->wire == NULL)
		engineio_break(engine, ENGINEIO_TRANSPORT_CLOSE,
		    ENGINEIO_CLOSE);
	mem_free(coming);
}

static void
adopt(struct coming *coming, h2o_socket_t *from)
{
	struct engineio_set *set = coming->set;
	struct engineio_wire *wire = engineio_wire_create(set,
	    coming->deflates);
	struct sock *sock;

	peer_hand_over(coming->peer, &wire->places);
	sock = sock_adopt(set->socks, from, &engineio_wire_acts, wire);
	if (sock == NULL)
		engineio_wire_destroy(&wire);
	else
		engineio_wire_adopt(wire, engineio_find(set,
		    text_of(coming->sid), coming->door, coming->tenant),
		    sock);
}

/* To the worker that has its session. */
static void
pass(struct coming *coming, h2o_socket_t *from)
{
	struct engineio_set *set = coming->set;
	struct engineio_passing passing = { .door = coming->door,
	    .tenant = coming->tenant, .sid = text_of(coming->sid),
	    .deflates = coming->deflates };
	struct peer_places places;
	struct bytes *early;
	int fd;

	peer_hand_over(coming->peer, &places);
	passing.has_address = places.has_address;
	passing.who = places.who;
	fd = sock_take_fd(from, &early);
	if (fd < 0) {
		passing.is_relayed = true;
		fd = engineio_relay_create(set, from, &places);
	}
	peer_places_give(&places, set->ground);
	if (fd >= 0)
		engineio_line_pass(set, &coming->place, &passing, fd, early);
	bytes_give(&early);
}

static void
on_upgraded(void *given, h2o_socket_t *from, size_t consumed)
{
	struct coming *coming = given;

	if (from != NULL && coming->set->is_closed) {
		h2o_socket_close(from);
	} else if (from != NULL) {
		h2o_buffer_consume(&from->input, consumed);
		if (engineio_place_is(&coming->place, &coming->set->place))
			adopt(coming, from);
		else
			pass(coming, from);
	}
	end_coming(coming);
}

static void
share_101(const struct op *op, h2o_req_t *req)
{
	const struct tenant *tenant = op->tenant;
	text origin = tenant->allows_any_origin ? TEXT("*") : op->origin;

	if (origin.at != NULL && tenant_origin_allows(tenant, origin))
		h2o_add_header_by_str(&req->pool, &req->res.headers,
		    H2O_STRLIT("access-control-allow-origin"), 0, NULL,
		    h2o_strdup(&req->pool, origin.at, origin.len).base,
		    origin.len);
}

/* 101, and a socket for the session of that name. */
static void
switch_over(struct engineio_set *set, struct peer *peer,
    const struct engineio_door *door, const struct ws_handshake *handshake,
    text sid, bool is_handshake)
{
	h2o_req_t *req = peer->req;
	struct coming *coming = mem_alloc(sizeof *coming);

	*coming = (struct coming){ .set = set, .peer = peer, .door = door,
	    .tenant = peer->op->tenant->id, .is_handshake = is_handshake,
	    .deflates = handshake->deflate.is_on };
	memcpy(coming->sid, sid.at, ENGINEIO_SID_LETTERS);
	if (!engineio_sid_read(sid, &coming->place))
		must_never("it was looked at before");
	ws_handshake_answer(req, handshake);
	share_101(peer->op, req);
	op_switch(peer->op);
	h2o_http1_upgrade(req, NULL, 0, on_upgraded, coming);
}

void
engineio_switch(struct engineio_set *set, struct peer *peer,
    const struct ws_handshake *handshake, const struct engineio_door *door,
    text sid, enum engineio_answer answer)
{
	if (answer != ANSWER_OK) {
		refuse_upgrade(peer->op, answer < ANSWER_CODES ? answer :
		    ANSWER_BAD_REQUEST, TEXT_NONE);
		return;
	}
	peer->op->holder = NULL;
	held_end(peer);
	switch_over(set, peer, door, handshake, sid, false);
}

/* --- handshakes -------------------------------------------------------- */

/* A session that polls counts as a connection does. */
static enum err
take_places(const struct wish *wish, struct peer_places *places)
{
	const struct op_ground *ground = wish->op->ground;
	const struct conf *conf = ground->conf;

	if (wish->peer->places.has_address) {
		enum address_taken taken = addresses_take(ground->slot,
		    wish->peer->places.who, conf->connections_per_address);

		if (taken == ADDRESS_REFUSED)
			return (ERR_too_many_from_address);
		places->who = wish->peer->places.who;
		places->has_address = taken == ADDRESS_COUNTED;
	}
	places->has_quota = segment_take(ground->segment, ground->slot,
	    QUOTA_CONNECTIONS, conf->connections);
	if (!places->has_quota)
		return (ERR_too_many_connections);
	return (limit_connection(wish->op->tenant, ground->slot,
	    clock_ms() / 1000, &places->counted));
}

/* What is sent in there comes behind the handshake. */
static void
tell_open(struct wish *wish, struct engineio *engine)
{
	engine->application = wish->door->acts->on_open(engine,
	    wish->door->context, &wish->facts);
}

static void
add_cookie(struct wish *wish, const struct engineio *engine)
{
	const char *name = wish->op->ground->conf->engineio_cookie;
	struct buf cookie;

	if (name[0] == '\0')
		return;
	buf_init(&cookie, BUF_NO_LIMIT);
	buf_printf(&cookie, "%s=%s; Path=/; HttpOnly; SameSite=Lax", name,
	    engine->sid);
	add_header(wish->op, TEXT("set-cookie"), op_keep(wish->op,
	    buf_text(&cookie)));
	buf_fini(&cookie);
}

static void
begin_polling(struct wish *wish)
{
	struct peer_places places = { .has_quota = false };
	enum err err = take_places(wish, &places);
	struct engineio_message *first;
	struct engineio *engine;
	const struct bytes *packet;
	struct buf words;

	if (err != ERR_none) {
		COUNT(connections_refused);
		peer_places_give(&places, wish->op->ground);
		op_fail(wish->op, err);
		return;
	}
	engine = engineio_create(wish->set, wish->door, wish->op->tenant,
	    false);
	engine->places = places;
	buf_init(&words, BUF_NO_LIMIT);
	first = engineio_packet_create(ENGINEIO_OPEN,
	    engineio_handshake(engine, &words));
	packet = engineio_message_packet(first);
	add_cookie(wish, engine);
	tell_open(wish, engine);
	reply(wish->op, 200, packets_type, text_from(packet->at,
	    packet->len));
	engineio_message_give(&first);
	buf_fini(&words);
}

static void
begin_websocket(struct wish *wish, const struct ws_handshake *handshake)
{
	struct engineio_message *first;
	struct engineio *engine;
	struct buf words;

	engine = engineio_create(wish->set, wish->door, wish->op->tenant,
	    true);
	buf_init(&words, BUF_NO_LIMIT);
	first = engineio_packet_create(ENGINEIO_OPEN,
	    engineio_handshake(engine, &words));
	engineio_give(engine, first);
	engineio_message_give(&first);
	buf_fini(&words);
	tell_open(wish, engine);
	switch_over(wish->set, wish->peer, wish->door, handshake,
	    text_of(engine->sid), true);
}

static void
begin(struct wish *wish)
{
	bool is_websocket = text_is(wish->transport, TEXT("websocket"));
	struct ws_handshake handshake;

	if (!text_is(wish->op->method, TEXT("GET")))
		refuse(wish, ANSWER_BAD_METHOD, TEXT_NONE);
	else if (is_websocket != wish->is_upgrade)
		refuse(wish, ANSWER_BAD_REQUEST, TEXT_NONE);
	else if (!text_is(wish->version, TEXT("4")))
		refuse(wish, ANSWER_BAD_VERSION, TEXT_NONE);
	else if (!is_websocket)
		begin_polling(wish);
	else if (ws_handshake_read(wish->peer->req, NULL, &handshake) !=
	    ERR_none)
		refuse(wish, ANSWER_BAD_REQUEST, TEXT_NONE);
	else
		begin_websocket(wish, &handshake);
}

/* --- sessions of this worker ------------------------------------------- */

static void
on_gone(struct op *op)
{
	engineio_poll_gone(object_cast(struct engineio, ENGINEIO_MAGIC,
	    op->held_by));
}

static bool
is_of_bytes(const struct wish *wish)
{
	text type = engineio_header(&wish->facts, TEXT("content-type"));
	text parameters;

	text_cut(type, ';', &type, &parameters);
	return (text_is_like(text_trim(type),
	    TEXT("application/octet-stream")));
}

static void
ask_session(struct wish *wish, struct engineio *engine)
{
	static const struct op_holder holder = { on_gone, NULL };
	struct engineio_ask ask = { .op = wish->op };

	if (text_is(wish->op->method, TEXT("POST"))) {
		engineio_post(engine, &ask, wish->op->body,
		    is_of_bytes(wish));
		return;
	}
	engineio_poll(engine, &ask);
	if (engine->poll.op == wish->op)
		op_hold(wish->op, &holder, engine);
}

/* false: it was refused. */
static bool
read_upgrade(struct wish *wish, struct ws_handshake *handshake)
{
	const struct conf *conf = wish->op->ground->conf;

	if (text_is(wish->transport, TEXT("websocket")) &&
	    conf->engineio_upgrades && ws_handshake_read(wish->peer->req,
	    NULL, handshake) == ERR_none)
		return (true);
	refuse(wish, ANSWER_BAD_REQUEST, TEXT_NONE);
	return (false);
}

static bool
is_method_of_polling(const struct op *op)
{
	return (text_is(op->method, TEXT("GET")) ||
	    text_is(op->method, TEXT("POST")));
}

static bool
is_of_polling(const struct wish *wish)
{
	return (is_method_of_polling(wish->op) &&
	    text_is(wish->transport, TEXT("polling")));
}

/* --- those of other workers -------------------------------------------- */

static void
ask_elsewhere(struct wish *wish, const struct engineio_place *place)
{
	struct ws_handshake handshake;
	struct engineio_errand errand = { .peer = wish->peer,
	    .door = wish->door, .sid = wish->sid,
	    .is_post = text_is(wish->op->method, TEXT("POST")),
	    .is_bytes = is_of_bytes(wish) };

	if (wish->is_upgrade) {
		if (!read_upgrade(wish, &handshake))
			return;
		errand.handshake = &handshake;
	} else if (!is_of_polling(wish)) {
		refuse(wish, ANSWER_BAD_REQUEST, TEXT_NONE);
		return;
	}
	if (!engineio_line_ask(wish->set, place, &errand))
		refuse(wish, ANSWER_UNKNOWN_SID, TEXT_NONE);
}

static void
go_on(struct wish *wish)
{
	struct engineio *engine = engineio_find(wish->set, wish->sid,
	    wish->door, wish->op->tenant->id);
	struct engineio_place place;
	struct ws_handshake handshake;

	if (engine == NULL && engineio_sid_read(wish->sid, &place) &&
	    !engineio_place_is(&place, &wish->set->place)) {
		ask_elsewhere(wish, &place);
	} else if (engine == NULL) {
		refuse(wish, ANSWER_UNKNOWN_SID, TEXT_NONE);
	} else if (wish->is_upgrade) {
		if (read_upgrade(wish, &handshake))
			switch_over(wish->set, wish->peer, wish->door,
			    &handshake, wish->sid, false);
	} else if (engine->is_websocket || !is_of_polling(wish)) {
		refuse(wish, ANSWER_BAD_REQUEST, TEXT_NONE);
	} else
		ask_session(wish, engine);
}

/* --- every request ----------------------------------------------------- */

static bool
is_enabled(const struct wish *wish)
{
	const char *enabled = wish->op->ground->conf->engineio_transports;

	if (!text_is(wish->transport, TEXT("polling")) &&
	    !text_is(wish->transport, TEXT("websocket")))
		return (false);
	return (strcmp(enabled, "both") == 0 || text_is(wish->transport,
	    text_of(enabled)));
}

static bool
is_fit_origin(text origin)
{
	for (size_t i = 0; i < origin.len; i++)
		if (((unsigned char)origin.at[i] < ' ' &&
		    origin.at[i] != '\t') || origin.at[i] == 0x7f)
			return (false);
	return (true);
}

static bool
may_come(struct wish *wish)
{
	const struct engineio_acts *acts = wish->door->acts;
	text words = TEXT_NONE;

	if (acts->may_come == NULL || acts->may_come(wish->door->context,
	    &wish->facts, &words))
		return (true);
	refuse(wish, ANSWER_FORBIDDEN, words);
	return (false);
}

static void
read_wish(struct wish *wish)
{
	struct op *op = wish->op;
	const h2o_req_t *req = wish->peer->req;

	wish->transport = wish->version = TEXT_NONE;
	query_find(&op->arena, op->query, TEXT("transport"),
	    &wish->transport);
	query_find(&op->arena, op->query, TEXT("EIO"), &wish->version);
	wish->has_sid = query_find(&op->arena, op->query, TEXT("sid"),
	    &wish->sid);
	wish->is_upgrade = req->upgrade.base != NULL;
	wish->facts = (struct engineio_facts){ .op = op, .request = req,
	    .is_websocket = wish->is_upgrade,
	    .is_handshake = !wish->has_sid };
}

void
engineio_request(struct engineio_set *set, struct peer *peer,
    const struct engineio_door *door)
{
	struct wish wish = { .set = set, .peer = peer, .op = peer->op,
	    .door = door };

	if (!act_enter(wish.op))
		return;
	read_wish(&wish);
	if (text_is(wish.op->method, TEXT("OPTIONS")))
		answer_options(&wish);
	else if (set->is_closed)
		refuse(&wish, ANSWER_UNKNOWN_SID, TEXT_NONE);
	else if (!is_enabled(&wish))
		refuse(&wish, ANSWER_UNKNOWN_TRANSPORT, TEXT_NONE);
	else if (!is_fit_origin(wish.op->origin))
		refuse(&wish, ANSWER_BAD_REQUEST, TEXT_NONE);
	else if (!may_come(&wish))
		return;
	else if (wish.has_sid)
		go_on(&wish);
	else
		begin(&wish);
}
