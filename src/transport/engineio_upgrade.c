/* SPDX-License-Identifier: MIT */
/*
 * From a request to a WebSocket: of a session of this worker, or on its way
 * to the worker or the host whose session it is.
 */
#include <h2o.h>
#include <h2o/http1.h>

#include "core/tenant.h"
#include "transport/engineio_line.h"
#include "transport/engineio_relay.h"
#include "transport/held.h"

/* What lies between a request and its WebSocket. */
struct coming {
	struct engineio_set *set;
	struct peer	*peer;
	const struct engineio_door *door;
	int32_t		 tenant;
	struct engineio_place place;	/* of the session */
	h2o_socket_t	*beyond;	/* to its host; NULL: this one */
	char		 sid[ENGINEIO_SID_SIZE];
	struct engineio_message *first;	/* of a session that begins so */
	bool		 deflates;
};

static void
end_coming(struct coming *coming)
{
	struct engineio *engine = engineio_find(coming->set,
	    text_of(coming->sid), coming->door, coming->tenant);

	/* One that was begun for a socket which never came. */
	if (coming->first != NULL && engine != NULL && engine->wire == NULL)
		engineio_break(engine, ENGINEIO_TRANSPORT_CLOSE,
		    ENGINEIO_CLOSE);
	if (coming->beyond != NULL)
		h2o_socket_close(coming->beyond);
	engineio_message_give(&coming->first);
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

/* To the host that has its session. */
static void
carry(struct coming *coming, h2o_socket_t *from)
{
	struct peer_places places;

	peer_hand_over(coming->peer, &places);
	engineio_relay_join(coming->set, from, coming->beyond, &places);
	coming->beyond = NULL;
}

static void
on_upgraded(void *given, h2o_socket_t *from, size_t consumed)
{
	struct coming *coming = given;

	if (from != NULL && coming->set->is_closed) {
		h2o_socket_close(from);
	} else if (from != NULL) {
		h2o_buffer_consume(&from->input, consumed);
		if (coming->beyond != NULL)
			carry(coming, from);
		else if (engineio_place_is(&coming->place, &coming->set->place))
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

/* What is said first leaves in one write with the 101. */
static void
switch_over(struct coming *given, const struct ws_handshake *handshake,
    text sid)
{
	struct coming *coming = mem_alloc(sizeof *coming);
	struct op *op = given->peer->op;
	h2o_req_t *req = given->peer->req;
	const struct bytes *frame;
	h2o_iovec_t said;

	*coming = *given;
	coming->tenant = op->tenant->id;
	coming->deflates = handshake->deflate.is_on;
	memcpy(coming->sid, sid.at, ENGINEIO_SID_LETTERS);
	if (!engineio_sid_read(sid, &coming->place))
		must_never("it was looked at before");
	ws_handshake_answer(req, handshake);
	share_101(op, req);
	op_switch(op);
	if (coming->first == NULL) {
		h2o_http1_upgrade(req, NULL, 0, on_upgraded, coming);
		return;
	}
	frame = engineio_message_frame(coming->first, false, 0);
	said = h2o_iovec_init(frame->at, frame->len);
	h2o_http1_upgrade(req, &said, 1, on_upgraded, coming);
}

void
engineio_switch_over(struct engineio_set *set, struct peer *peer,
    const struct engineio_door *door, const struct ws_handshake *handshake,
    text sid, struct engineio_message *first)
{
	struct coming coming = { .set = set, .peer = peer, .door = door,
	    .first = first != NULL ? engineio_message_share(first) : NULL };

	switch_over(&coming, handshake, sid);
}

static void
end_hold(struct peer *peer)
{
	peer->op->holder = NULL;
	held_end(peer);
}

void
engineio_switch_beyond(struct engineio_set *set, struct peer *peer,
    const struct engineio_door *door, const struct ws_handshake *handshake,
    text sid, h2o_socket_t *beyond)
{
	struct coming coming = { .set = set, .peer = peer, .door = door,
	    .beyond = beyond };

	end_hold(peer);
	switch_over(&coming, handshake, sid);
}

void
engineio_switch(struct engineio_set *set, struct peer *peer,
    const struct ws_handshake *handshake, const struct engineio_door *door,
    text sid, enum engineio_answer answer)
{
	if (answer != ANSWER_OK) {
		engineio_refuse_upgrade(peer->op, answer < ANSWER_CODES ?
		    answer : ANSWER_BAD_REQUEST, TEXT_NONE);
		return;
	}
	end_hold(peer);
	engineio_switch_over(set, peer, door, handshake, sid, NULL);
}
