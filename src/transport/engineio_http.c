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

#include "base/conf.h"
#include "base/count.h"
#include "base/stamp.h"
#include "core/query.h"
#include "core/tenant.h"
#include "plat/addresses.h"
#include "plat/segment.h"
#include "transport/engineio_forward.h"
#include "transport/ws_handshake.h"

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

/* --- answers ----------------------------------------------------------- */

static void
refuse(struct wish *wish, enum engineio_answer code, text words)
{
	if (wish->is_upgrade)
		engineio_refuse_upgrade(wish->op, code, words);
	else
		engineio_refuse_code(wish->op, code, words);
}

/* What a page of another origin asks before it asks. */
static void
answer_options(struct wish *wish)
{
	text headers = engineio_header(&wish->facts,
	    TEXT("access-control-request-headers"));

	engineio_add_header(wish->op, TEXT("access-control-allow-methods"),
	    TEXT("GET,POST"));
	if (headers.at != NULL)
		engineio_add_header(wish->op,
		    TEXT("access-control-allow-headers"), headers);
	engineio_add_header(wish->op, TEXT("access-control-max-age"),
	    TEXT("600"));
	engineio_reply(wish->op, 204, TEXT_NONE, TEXT_NONE);
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
	engineio_add_header(wish->op, TEXT("set-cookie"), op_keep(wish->op,
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
	struct buf words;

	if (err != ERR_none) {
		COUNT(connections_refused);
		peer_places_give(&places, wish->op->ground);
		op_fail(wish->op, err);
		return;
	}
	engine = engineio_create(wish->set, wish->door, wish->op->tenant,
	    false);
	engine->places = mem_alloc(sizeof places);
	*engine->places = places;
	buf_init(&words, BUF_NO_LIMIT);
	first = engineio_packet_create(ENGINEIO_OPEN,
	    engineio_handshake(engine, &words));
	add_cookie(wish, engine);
	tell_open(wish, engine);
	engineio_reply(wish->op, 200, engineio_packets_type,
	    engineio_message_packet(first));
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
	tell_open(wish, engine);
	engineio_switch_over(wish->set, wish->peer, wish->door, handshake,
	    text_of(engine->sid), first);
	engineio_message_give(&first);
	buf_fini(&words);
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

/* --- those of other workers and hosts ---------------------------------- */

static bool
ask_owner(const struct wish *wish, const struct engineio_place *place,
    const struct engineio_errand *errand)
{
	if (place->host == wish->set->place.host)
		return (engineio_line_ask(wish->set, place, errand));
	return (engineio_forward(wish->set, place->host, &wish->facts,
	    errand));
}

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
	if (!ask_owner(wish, place, &errand))
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
			engineio_switch_over(wish->set, wish->peer, wish->door,
			    &handshake, wish->sid, NULL);
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
