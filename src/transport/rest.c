/* SPDX-License-Identifier: MIT */
/*
 * One handler for all paths, one filter for what h2o says by itself, one
 * logger to see each request end.
 */
#include "transport/rest.h"

#include "base/conf.h"
#include "base/count.h"
#include "base/fault.h"
#include "base/log.h"
#include "core/act.h"
#include "core/health.h"
#include "core/input.h"
#include "core/json.h"
#include "core/poll.h"
#include "core/query.h"
#include "core/sign_in.h"
#include "core/tenant.h"
#include "core/ticket.h"
#include "core/users.h"
#include "transport/admin.h"
#include "transport/answer.h"
#include "transport/debug.h"
#include "transport/documents.h"
#include "transport/forwarded.h"
#include "transport/held.h"
#include "transport/router.h"
#include "transport/sse.h"
#include "transport/stream.h"
#include "transport/turn.h"

struct rest {
	unsigned	 magic;
#define REST_MAGIC 0x72657374
	const struct op_ground *ground;
	struct loop	*loop;
	struct router	*routers[DOORS];
	const struct ws_door *doors;
	struct ws_set	*ws_set;
	struct engineio_set *engines;
};

/* h2o's structs come first, so that they lead back to us. */
struct rest_handler {
	h2o_handler_t	 super;
	struct rest	*rest;
};
struct rest_filter {
	h2o_filter_t	 super;
	struct rest	*rest;
};

/* Those in C; the others are in SQL. */
#define FUNCTION_LOCAL(name) operation_##name
#define FUNCTION_OWN(name) operation_##name
#define FUNCTION_READ(name) act
#define FUNCTION_SLOW(name) act
#define FUNCTION_WRITE(name) act
#define FUNCTION_BATCH(name) act
static void (*const functions[OPERATIONS])(struct op *) = {
#define OPERATION(name, method, path, door, who, way, ...)		\
	[OPERATION_##name] = FUNCTION_##way(name),
#include "tbl/operations.h"
#undef OPERATION
};

struct rest *
rest_create(const struct op_ground *ground, struct loop *loop,
    const struct ws_door *doors, const struct engineio_door *engines)
{
	struct rest *rest = object_create(struct rest, REST_MAGIC);

	rest->ground = ground;
	rest->loop = loop;
	rest->doors = doors;
	rest->ws_set = ws_set_create(ground, loop);
	rest->engines = engineio_set_create(ground, loop,
	    ws_set_socks(rest->ws_set), engines);
	for (enum door door = 0; door < DOORS; door++)
		rest->routers[door] = router_create(operation_rows,
		    OPERATIONS, door);
	return (rest);
}

void
rest_destroy(struct rest **given)
{
	struct rest *rest = *given;

	*given = NULL;
	if (rest == NULL)
		return;
	object_check(rest, REST_MAGIC);
	/* What stands on sockets ends with them, before what it stands on. */
	engineio_set_close(rest->engines);
	ws_set_close(rest->ws_set);
	engineio_set_destroy(&rest->engines);
	ws_set_destroy(&rest->ws_set);
	for (enum door door = 0; door < DOORS; door++)
		router_destroy(&rest->routers[door]);
	object_free(&rest);
}

struct ws_set *
rest_ws_set(const struct rest *rest)
{
	return (rest->ws_set);
}

struct engineio_set *
rest_engineio_set(const struct rest *rest)
{
	return (rest->engines);
}

static text
text_of_iovec(h2o_iovec_t from)
{
	return (text_from(from.base, from.len));
}

/* Lines of one field, joined as if they had been one. */
static text
add_line(struct op *op, text lines, h2o_iovec_t line)
{
	char *joined;

	if (lines.at == NULL)
		return (text_of_iovec(line));
	joined = arena_alloc(&op->arena, lines.len + line.len + 2);
	memcpy(joined, lines.at, lines.len);
	joined[lines.len] = ',';
	memcpy(joined + lines.len + 1, line.base, line.len);
	return (text_from(joined, lines.len + line.len + 1));
}

static void
believe_proxy(struct peer *peer)
{
	const h2o_headers_t *headers = &peer->req->headers;
	struct op *op = peer->op;
	struct forwarded_lines lines = { .forwarded = TEXT_NONE };
	const struct {
		text	 name;
		text	*lines;
	} fields[] = {
		{ TEXT("forwarded"), &lines.forwarded },
		{ TEXT("x-forwarded-for"), &lines.for_list },
		{ TEXT("x-forwarded-proto"), &lines.proto_list },
		{ TEXT("x-forwarded-host"), &lines.host_list },
	};
	struct forwarded forwarded;
	struct buf out;

	for (size_t i = 0; i < headers->size; i++)
		for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++)
			if (text_is(text_of_iovec(*headers->entries[i].name),
			    fields[j].name))
				*fields[j].lines = add_line(op,
				    *fields[j].lines,
				    headers->entries[i].value);
	forwarded_read(&lines, &peer->peers->trusted, &peer->address,
	    &forwarded);
	buf_init(&out, INET6_ADDRSTRLEN);
	address_write_host(&forwarded.client, &out);
	op->client_address = text_from(arena_copy(&op->arena, out.at,
	    out.len), out.len);
	buf_fini(&out);
	if (forwarded.scheme.at != NULL)
		op->scheme = forwarded.scheme;
	if (forwarded.host.at != NULL)
		op->host = forwarded.host;
}

static void
on_answer(struct op *op)
{
	struct peer *peer = op->transport;

	if (peer == NULL) {
		/* Its client has gone. */
		op_destroy(&op);
		return;
	}
	held_end(peer);
	answer_send(peer);
}

static void
on_hold(struct op *op)
{
	held_begin(op->transport);
}

static void
on_begin(struct op *op)
{
	stream_begin(op->transport);
}

static void
on_send(struct op *op, struct bytes *bytes, enum op_piece piece)
{
	stream_send(op->transport, bytes, piece);
}

static bool
on_has_room(struct op *op)
{
	return (stream_has_room(op->transport));
}

static void
on_end(struct op *op)
{
	stream_end(op->transport);
}

static const struct op_carrier carrier = { on_hold, on_begin, on_send,
    on_has_room, on_end };

/*
 * What the operations want to know of the headers, in one walk. Of one that
 * says who asks or what, whoever stands before us may believe the first and
 * we the last: where there are two, it is nobody's request.
 */
static void
read_headers(struct op *op, const h2o_req_t *req)
{
	text id = TEXT_NONE;
	const struct {
		text	 name;
		text	*value;
		bool	 comes_once;
	} fields[] = {
		{ TEXT("x-request-id"), &id, false },
		{ TEXT("authorization"), &op->authorization, true },
		{ TEXT("idempotency-key"), &op->idempotency_key, true },
		{ TEXT("last-event-id"), &op->last_event_id, false },
		{ TEXT("origin"), &op->origin, true },
	};

	for (size_t i = 0; i < req->headers.size; i++) {
		text name = text_of_iovec(*req->headers.entries[i].name);

		for (size_t j = 0; j < sizeof fields / sizeof fields[0];
		    j++) {
			if (name.len != fields[j].name.len ||
			    !text_is(name, fields[j].name))
				continue;
			op->is_doubtful |= fields[j].comes_once &&
			    fields[j].value->at != NULL;
			/* h2o leaves the blanks behind a value. */
			*fields[j].value = text_trim(text_of_iovec(
			    req->headers.entries[i].value));
		}
		if (text_is(name, TEXT("cookie")))
			users_find_cookie(text_of_iovec(
			    req->headers.entries[i].value), &op->login);
	}
	op_name(op, id);
}

static const struct engineio_door *
engine_of(const struct rest *rest, const struct op *op)
{
	return (op->door == DOOR_FRONT ? engineio_door_of(rest->engines,
	    op->path) : NULL);
}

/* What lies outside of these is the server's own, nobody's in them. */
static bool
is_of_tenant(const struct rest *rest, const struct op *op)
{
	return (op->slug.at != NULL || (op->door == DOOR_FRONT &&
	    (text_begins(op->path, TEXT("/api/")) || turn_is_at(op->path) ||
	    debug_is_at(op->path))) ||
	    engine_of(rest, op) != NULL);
}

static struct op *
begin(struct rest *rest, struct peer *peer, h2o_req_t *req)
{
	struct op *op = op_create(rest->ground);

	must(peer->op == NULL);
	peer->op = op;
	peer->req = req;
	peer->requests++;
	op->transport = peer;
	op->on_answer = on_answer;
	op->carrier = &carrier;
	op->door = peer->door;
	op->arrival_us = loop_arrival_us(rest->loop);
	op->method = text_of_iovec(req->input.method);
	target_cut(text_of_iovec(req->input.path), &op->host, &op->path,
	    &op->query);
	if (op->door == DOOR_FRONT && text_begins(op->path, TEXT("/t/")))
		tenant_cut_prefix(op->path, &op->slug, &op->path);
	read_headers(op, req);
	op->client_address = text_from(peer->address_text,
	    peer->address_len);
	op->scheme = text_of_iovec(req->input.scheme->name);
	/* Where there was no Host, h2o puts the name of our door. */
	if (op->host.at == NULL &&
	    req->input.authority.base != req->hostconf->authority.host.base)
		op->host = text_of_iovec(req->input.authority);
	if (peer->is_trusted)
		believe_proxy(peer);
	if (is_of_tenant(rest, op))
		act_find_tenant(op);
	return (op);
}

/*
 * A body whose length is told twice, or once too often, has two ends, and a
 * request with two hosts may be of two tenants: whoever stands before us may
 * believe in the other. h2o takes one and does not tell; but the head still
 * lies where it was read, with names in lower case.
 */
static bool
is_head_doubtful(const struct peer *peer)
{
	const h2o_buffer_t *input = peer->sock->input;
	text rest = text_from(input->bytes, input->size), line;
	unsigned lengths = 0, hosts = 0;

	if (!text_begins(rest, peer->op->method))
		return (false);
	while (text_cut(rest, '\n', &line, &rest) && line.len > 1) {
		lengths += text_begins(line, TEXT("content-length:")) ||
		    text_begins(line, TEXT("transfer-encoding:"));
		hosts += text_begins(line, TEXT("host:"));
	}
	return (lengths > 1 || hosts > 1);
}

static enum err
check_body(const struct peer *peer)
{
	const h2o_req_t *req = peer->req;
	struct op *op = peer->op;
	ssize_t i = h2o_find_header(&req->headers, H2O_TOKEN_CONTENT_TYPE,
	    -1);
	text type, parameters;

	if (i >= 0) {
		text_cut(text_of_iovec(req->headers.entries[i].value), ';',
		    &type, &parameters);
		if (!text_is_like(text_trim(type), TEXT("application/json")))
			return (ERR_media_type);
	}
	op->json = json_in_read(op->body);
	return (op->json != NULL ? ERR_none : ERR_invalid_json);
}

/* The route, and what is asked of it; false: it was answered. */
static bool
find_row(struct rest *rest, struct op *op)
{
	const struct route *route;
	enum method method = method_of(op->method);
	enum err err;

	if (method == METHOD_OPTIONS && text_is(op->path, TEXT("*"))) {
		op_reply_options(op, TEXT("GET, HEAD, OPTIONS"));
		return (false);
	}
	err = router_find(rest->routers[op->door], op->path, &op->arena,
	    op->segments, &op->segments_count, &route);
	if (err != ERR_none) {
		op_fail(op, err);
		return (false);
	}
	if (method == METHOD_OPTIONS) {
		if (op->door == DOOR_FRONT && turn_is_at(op->path))
			turn_reply_options(op);
		else
			op_reply_options(op, text_of(route->allow));
		return (false);
	}
	if (method == METHOD_HEAD)
		method = METHOD_GET;
	if (method < METHODS)
		op->row = route->rows[method];
	if (op->row == NULL)
		op_fail_method(op, text_of(route->allow));
	return (op->row != NULL);
}

/* A GET whose answer is kept: nothing of it has to be looked at. */
static bool
is_answered_from_cache(struct op *op)
{
	return (op->door == DOOR_FRONT && op->body.len == 0 &&
	    (text_is(op->method, TEXT("GET")) ||
	    text_is(op->method, TEXT("HEAD"))) && act_from_cache(op));
}

/* It counts to its tenant from here on, as far as he may have more. */
static bool
is_within_connections(struct peer *peer)
{
	struct op *op = peer->op;
	enum err err = ERR_none;

	if (op->tenant != NULL)
		err = peer_use_for(peer, op->tenant);
	if (err == ERR_none)
		return (true);
	COUNT(connections_refused);
	op->answer.has_to_close = true;
	op_fail(op, err);
	return (false);
}

/* A request at an address that only speaks otherwise; true: answered. */
static bool
is_upgraded(struct rest *rest, struct peer *peer)
{
	const struct op *op = peer->op;

	if (op->door != DOOR_FRONT || rest->doors == NULL ||
	    !text_is(op->method, TEXT("GET")))
		return (false);
	for (const struct ws_door *door = rest->doors; door->path != NULL;
	    door++)
		if (text_is(op->path, text_of(door->path))) {
			ws_upgrade(rest->ws_set, peer, door);
			return (true);
		}
	return (false);
}

static bool
is_engineio(struct rest *rest, struct peer *peer)
{
	const struct engineio_door *door = engine_of(rest, peer->op);

	if (door != NULL)
		engineio_request(rest->engines, peer, door);
	return (door != NULL);
}

static void
dispatch(struct rest *rest, struct peer *peer)
{
	struct op *op = peer->op;
	enum err err = ERR_none;

	/* Of a tenant that is not there, no path and no method is. */
	if ((op->slug.at != NULL && !act_has_tenant(op)) ||
	    !is_within_connections(peer) || is_upgraded(rest, peer) ||
	    is_engineio(rest, peer) ||
	    is_answered_from_cache(op) ||
	    !find_row(rest, op) || !act_admit(op))
		return;
	if (op->body.len != 0)
		err = check_body(peer);
	if (err == ERR_none && op->query.len != 0)
		err = query_check(op->query);
	if (err != ERR_none) {
		op_fail(op, err);
		return;
	}
	if (!input_read(op))
		return;
	must_doing(op->row->name);
	if (FAULT(must_fails))
		must_never("the fault point must_fails is not armed");
	functions[op->row - operation_rows](op);
	must_doing("nothing in particular");
}

static int
on_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct rest *rest = object_cast(struct rest, REST_MAGIC,
	    ((struct rest_handler *)handler)->rest);
	struct peer *peer = peer_of(req);
	struct op *op = begin(rest, peer, req);

	op->body = text_of_iovec(req->entity);
	if (peer->refusal != ERR_none) {
		op->answer.has_to_close = true;
		op_fail(op, peer->refusal);
	} else if (op->is_doubtful || is_head_doubtful(peer)) {
		op->answer.has_to_close = true;
		op_fail(op, ERR_malformed_request);
	} else if ((int64_t)op->body.len > rest->ground->conf->max_body &&
	    engine_of(rest, op) == NULL)
		op_fail(op, ERR_body_too_large);
	else
		dispatch(rest, peer);
	return (0);
}

/* In place of the body that h2o has for what it refused. */
static void
send_our_body(h2o_ostream_t *stream, h2o_req_t *req, h2o_iovec_t *theirs,
    size_t count, h2o_send_state_t state)
{
	const struct op *op = peer_of(req)->op;
	h2o_iovec_t ours = h2o_iovec_init(op->answer.body.at,
	    op->answer.body.len);

	(void)theirs;
	h2o_ostream_send_next(stream, req, &ours, count != 0 ? 1 : 0, state);
}

static void
on_h2os_refusal_answered(struct op *op)
{
	answer_prepare(op->transport);
}

static void
on_h2os_refusal(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
	struct rest *rest = object_cast(struct rest, REST_MAGIC,
	    ((struct rest_filter *)filter)->rest);
	struct peer *peer = peer_of(req);
	struct op *op = begin(rest, peer, req);
	h2o_ostream_t *stream;

	peer_linger(peer);
	op->on_answer = on_h2os_refusal_answered;
	op->answer.has_to_close = true;
	if (engine_of(rest, op) != NULL)
		engineio_refuse(op, (unsigned)req->res.status);
	else
		op_fail(op, error_of_status((unsigned)req->res.status));
	stream = h2o_add_ostream(req, sizeof *stream, slot);
	stream->do_send = send_our_body;
	h2o_setup_next_ostream(req, &stream->next);
}

static void
log_access(const struct peer *peer)
{
	const struct op *op = peer->op;

	log_info("request", F("method", op->method), F("path", op->path),
	    F("status", peer->req->res.status),
	    F("bytes", (uint64_t)peer->req->bytes_sent),
	    F("us", op->answer_us - op->arrival_us),
	    F("address", op->client_address),
	    F("requestId", op->request_id), F("door", door_name(op->door)));
}

/* The request ends: answered or not. */
static void
on_request_end(h2o_logger_t *logger, h2o_req_t *req)
{
	struct peer *peer = peer_of(req);
	struct op *op = peer->op;

	(void)logger;
	held_end(peer);
	stream_free(peer);
	if (op == NULL)
		return;
	if (op->ground->conf->access_log && op->is_answered)
		log_access(peer);
	peer->op = NULL;
	peer->req = NULL;
	if (op->holder != NULL)
		op->holder->on_gone(op);
	if (op->is_answered || op->was_held)
		op_destroy(&op);
	else
		op->transport = NULL;
}

void
rest_serve(struct rest *rest, h2o_hostconf_t *host)
{
	h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
	struct rest_handler *handler = (struct rest_handler *)
	    h2o_create_handler(path, sizeof *handler);
	struct rest_filter *filter = (struct rest_filter *)
	    h2o_create_filter(&host->fallback_path, sizeof *filter);

	handler->rest = rest;
	handler->super.on_req = on_request;
	filter->rest = rest;
	filter->super.on_setup_ostream = on_h2os_refusal;
	h2o_create_logger(path, sizeof(h2o_logger_t))->log_access =
	    on_request_end;
	h2o_create_logger(&host->fallback_path,
	    sizeof(h2o_logger_t))->log_access = on_request_end;
}
