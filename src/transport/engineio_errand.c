/* SPDX-License-Identifier: MIT */
/*
 * Errands: a request at one worker for a session of another, on both sides.
 */
#include "transport/engineio_errand.h"

#include <h2o.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/stamp.h"
#include "core/tenant.h"
#include "plat/addresses.h"
#include "plat/segment.h"
#include "transport/engineio_line.h"

/* A request that waits here for its answer. */
struct line_errand {
	uint32_t	 number;
	struct engineio_line *line;
	struct op	*op;
	struct peer	*peer;
	const struct engineio_door *door;
	char		 sid[ENGINEIO_SID_LETTERS];
	bool		 is_look;
	struct ws_handshake handshake;
	UT_hash_handle	 hh;
};

static uint8_t
number_of_door(const struct engineio_set *set,
    const struct engineio_door *door)
{
	return ((uint8_t)(door - set->doors));
}

/* NULL: there is no such place. */
static const struct engineio_door *
door_of_number(const struct engineio_set *set, unsigned number)
{
	const struct engineio_door *door = set->doors;

	for (; door->path != NULL; door++)
		if (number-- == 0)
			return (door);
	return (NULL);
}

/* --- who asks ---------------------------------------------------------- */

static struct op *
end_errand(struct line_errand *errand)
{
	struct op *op = errand->op;

	HASH_DEL(errand->line->errands, errand);
	mem_free(errand);
	return (op);
}

static void
on_gone(struct op *op)
{
	struct line_errand *errand = op->held_by;
	struct line_head head = { .word = LINE_CANCEL,
	    .number = errand->number, .tenant = op->tenant->id,
	    .door = number_of_door(errand->line->set, errand->door) };
	struct engineio_line *line = errand->line;

	memcpy(head.sid, errand->sid, sizeof head.sid);
	end_errand(errand);
	engineio_line_send(line, &head, TEXT_NONE, -1);
}

static struct line_errand *
begin_errand(struct engineio_line *line,
    const struct engineio_errand *given)
{
	struct line_errand *errand = mem_alloc(sizeof *errand);

	errand->number = ++line->last;
	errand->line = line;
	errand->peer = given->peer;
	errand->op = given->peer->op;
	errand->door = given->door;
	memcpy(errand->sid, given->sid.at, sizeof errand->sid);
	errand->is_look = given->handshake != NULL;
	if (errand->is_look)
		errand->handshake = *given->handshake;
	HASH_ADD(hh, line->errands, number, sizeof errand->number, errand);
	return (errand);
}

bool
engineio_line_ask(struct engineio_set *set,
    const struct engineio_place *place, const struct engineio_errand *given)
{
	static const struct op_holder holder = { on_gone, NULL };
	struct engineio_line *line = engineio_line_to(set, place);
	struct op *op = given->peer->op;
	struct line_errand *errand;
	struct line_head head;

	if (line == NULL)
		return (false);
	COUNT(engineio_errands);
	errand = begin_errand(line, given);
	head = (struct line_head){ .number = errand->number,
	    .word = errand->is_look ? LINE_LOOK : given->is_post ?
	    LINE_POST : LINE_POLL, .tenant = op->tenant->id,
	    .door = number_of_door(set, given->door),
	    .is_bytes = given->is_bytes };
	memcpy(head.sid, errand->sid, sizeof head.sid);
	op_hold(op, &holder, errand);
	engineio_line_send(line, &head, given->is_post ? op->body :
	    TEXT_NONE, -1);
	return (true);
}

static void
finish(struct line_errand *errand, enum engineio_answer answer, text body)
{
	struct engineio_line *line = errand->line;
	struct line_errand done = *errand;
	struct op *op = end_errand(errand);

	if (!done.is_look)
		engineio_answer(op, answer, body);
	else
		engineio_switch(line->set, done.peer, &done.handshake,
		    done.door, text_from(done.sid, sizeof done.sid),
		    answer);
}

static void
hear_answer(struct engineio_line *line, const struct line_head *head,
    text body)
{
	struct line_errand *errand;

	HASH_FIND(hh, line->errands, &head->number, sizeof head->number,
	    errand);
	if (errand != NULL && head->answer < ANSWERS)
		finish(errand, head->answer, body);
}

void
engineio_line_pass(struct engineio_set *set,
    const struct engineio_place *place,
    const struct engineio_passing *passing, int fd,
    const struct bytes *early)
{
	struct engineio_line *line = engineio_line_to(set, place);
	struct line_head head = { .word = LINE_SOCKET,
	    .tenant = passing->tenant, .who = passing->who,
	    .door = number_of_door(set, passing->door),
	    .deflates = passing->deflates,
	    .is_relayed = passing->is_relayed,
	    .has_address = passing->has_address };

	if (line == NULL) {
		close(fd);
		return;
	}
	memcpy(head.sid, passing->sid.at, sizeof head.sid);
	engineio_line_send(line, &head, early == NULL ? TEXT_NONE :
	    text_from(early->at, early->len), fd);
}

/* --- who is asked ------------------------------------------------------ */

static void
send_answer(struct engineio_line *line, uint32_t number,
    enum engineio_answer answer, text body)
{
	struct line_head head = { .word = LINE_ANSWER, .number = number,
	    .answer = (uint8_t)answer };

	engineio_line_send(line, &head, body, -1);
}

void
engineio_ask_answer(struct engineio_ask *given, enum engineio_answer answer,
    text body)
{
	struct engineio_ask ask = *given;

	*given = (struct engineio_ask){ .op = NULL };
	if (ask.op != NULL)
		engineio_answer(ask.op, answer, body);
	else
		send_answer(ask.line, ask.number, answer, body);
}

static struct engineio *
find(struct engineio_line *line, const struct line_head *head)
{
	const struct engineio_door *door = door_of_number(line->set,
	    head->door);

	return (door == NULL ? NULL : engineio_find(line->set,
	    text_from(head->sid, sizeof head->sid), door, head->tenant));
}

static void
hear_request(struct engineio_line *line, const struct line_head *head,
    text body)
{
	struct engineio *engine = find(line, head);
	struct engineio_ask ask = { .line = line, .number = head->number };

	if (engine == NULL)
		send_answer(line, head->number, ANSWER_UNKNOWN_SID,
		    TEXT_NONE);
	else if (head->word == LINE_LOOK)
		send_answer(line, head->number, ANSWER_OK, TEXT_NONE);
	else if (engine->is_websocket)
		send_answer(line, head->number, ANSWER_BAD_REQUEST,
		    TEXT_NONE);
	else if (head->word == LINE_POLL)
		engineio_poll(engine, &ask);
	else
		engineio_post(engine, &ask, body, head->is_bytes);
}

static void
hear_cancel(struct engineio_line *line, const struct line_head *head)
{
	struct engineio *engine = find(line, head);

	if (engine != NULL && engine->poll.line == line &&
	    engine->poll.number == head->number)
		engineio_poll_gone(engine);
}

/* As a connection has them; what it had where it came from was given back. */
static bool
take_places(struct engineio_wire *wire, const struct engineio *engine,
    const struct line_head *head)
{
	const struct op_ground *ground = wire->set->ground;
	struct peer_places *places = &wire->places;

	if (head->is_relayed)
		return (true);
	if (head->has_address) {
		places->who = head->who;
		places->has_address = addresses_take(ground->slot, head->who,
		    ground->conf->connections_per_address) ==
		    ADDRESS_COUNTED;
	}
	places->has_quota = segment_take(ground->segment, ground->slot,
	    QUOTA_CONNECTIONS, ground->conf->connections);
	return (places->has_quota && (engine == NULL ||
	    limit_connection(engine->tenant, ground->slot,
	    clock_ms() / 1000, &places->counted) == ERR_none));
}

static void
hear_socket(struct engineio_line *line, const struct line_head *head,
    text body, int fd)
{
	struct engineio_wire *wire = engineio_wire_create(line->set,
	    head->deflates);
	struct engineio *engine = find(line, head);
	struct sock *sock = NULL;

	if (fd >= 0 && !take_places(wire, engine, head)) {
		COUNT(connections_refused);
		close(fd);
		fd = -1;
	}
	if (fd >= 0)
		sock = sock_adopt_fd(line->set->socks, fd,
		    &engineio_wire_acts, wire);
	if (sock == NULL) {
		engineio_wire_destroy(&wire);
		return;
	}
	engineio_wire_adopt(wire, engine, sock);
	/* It lies in what the line has read, which is ours to change. */
	if (body.len > 0)
		engineio_wire_acts.on_bytes(sock,
		    (char *)(uintptr_t)body.at, body.len);
}

/* --- both -------------------------------------------------------------- */

void
engineio_errand_hear(struct engineio_line *line,
    const struct line_head *head, text body, int fd)
{
	switch (head->word) {
	case LINE_POLL:
	case LINE_POST:
	case LINE_LOOK:
		hear_request(line, head, body);
		break;
	case LINE_CANCEL:
		hear_cancel(line, head);
		break;
	case LINE_SOCKET:
		hear_socket(line, head, body, fd);
		break;
	case LINE_ANSWER:
		hear_answer(line, head, body);
		break;
	default:
		must_never("workers of one host speak the same");
	}
}

void
engineio_errands_lose(struct engineio_line *line)
{
	struct engineio *engine, *next;
	struct line_errand *errand;

	while ((errand = line->errands) != NULL)
		finish(errand, ANSWER_UNKNOWN_SID, TEXT_NONE);
	HASH_ITER(hh, line->set->sessions, engine, next)
		if (engine->poll.line == line)
			engineio_poll_gone(engine);
}
