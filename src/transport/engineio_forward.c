/* SPDX-License-Identifier: MIT */
/*
 * h2o has a client of HTTP, with connections that are used again. It knows
 * no limits but one for each silence, so the time of each request is ours.
 */
#include "transport/engineio_forward.h"

#include <h2o.h>
#include <h2o/http1client.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "base/peer_hosts.h"

#define CONNECT_MS 3000
#define SLACK_MS 5000		/* behind the longest that a poll waits */
#define IDLE_MS 1000
#define SILENCE_MS 86400000	/* h2o's limit, which is not ours */
#define BODY_MOST (64u << 20)
/* A peer that has vanished with its machine is missed after 25 s. */
#define PROBE_AFTER_S 10
#define PROBE_EVERY_S 5
#define PROBES 3

struct beyond {
	uint16_t	 number;
	bool		 is_lost;	/* the last could not connect */
	h2o_socketpool_t pool;
};

struct forward {
	unsigned	 magic;
#define ENGINEIO_FORWARD_MAGIC 0x65696677
	struct engineio_forwards *forwards;
	struct beyond	*beyond;
	struct peer	*peer;
	const struct engineio_door *door;
	h2o_http1client_t *client;	/* NULL: h2o ends it itself */
	struct buf	 head;
	h2o_iovec_t	 parts[2];
	struct timer	 late;
	bool		 is_connected;
	bool		 is_post;
	bool		 is_upgrade;
	struct ws_handshake handshake;
	char		 sid[ENGINEIO_SID_LETTERS];
	unsigned	 status;
	text		 type;		/* in the op's arena */
	struct forward	*prev, *next;
};

struct engineio_forwards {
	unsigned	 magic;
#define ENGINEIO_FORWARDS_MAGIC 0x65696673
	struct engineio_set *set;
	h2o_http1client_ctx_t context;
	h2o_timeout_t	 silence;
	struct forward	*all;
	unsigned	 count;
	struct beyond	*beyond;
};

static struct timers *
timers_of(const struct forward *forward)
{
	return (loop_timers(forward->forwards->set->loop));
}

static text
text_of_iovec(h2o_iovec_t from)
{
	return (text_from(from.base, from.len));
}

/* --- the end of one ---------------------------------------------------- */

/* Its op has no answer yet. */
static struct op *
take(struct forward *forward)
{
	struct op *op = forward->peer->op;

	if (forward->client != NULL) {
		h2o_http1client_cancel(forward->client);
		loop_again(forward->forwards->set->loop);
	}
	timer_stop(timers_of(forward), &forward->late);
	DL_DELETE(forward->forwards->all, forward);
	buf_fini(&forward->head);
	object_free(&forward);
	return (op);
}

static void
lose(struct forward *forward, const char *why)
{
	bool is_upgrade = forward->is_upgrade;
	struct op *op;

	COUNT(engineio_forwards_failed);
	log_debug("a peer does not answer",
	    F("peer", (int)forward->beyond->number), F("why", why));
	op = take(forward);
	if (is_upgrade)
		engineio_refuse_upgrade(op, ANSWER_UNKNOWN_SID, TEXT_NONE);
	else
		engineio_refuse_code(op, ANSWER_UNKNOWN_SID, TEXT_NONE);
}

static void
answer(struct forward *forward, text body)
{
	unsigned status = forward->status;
	text type = forward->type;
	bool is_upgrade = forward->is_upgrade;
	struct op *op;

	forward->client = NULL;
	op = take(forward);
	op->answer.has_to_close = is_upgrade;
	engineio_reply(op, status, type, body);
}

static void
on_gone(struct op *op)
{
	take(object_cast(struct forward, ENGINEIO_FORWARD_MAGIC,
	    op->held_by));
}

/* Told at the first that fails, and at the first that does not. */
static void
note(struct beyond *beyond, const char *error)
{
	if (beyond->is_lost == (error != NULL))
		return;
	beyond->is_lost = error != NULL;
	if (error != NULL)
		log_warn("a peer cannot be reached",
		    F("peer", (int)beyond->number), F("why", error));
	else
		log_info("a peer is reached again",
		    F("peer", (int)beyond->number));
}

static void
on_late(struct forward *forward)
{
	static const char why[] = "it takes too long";

	if (!forward->is_connected)
		note(forward->beyond, why);
	lose(forward, why);
}

/* --- what the peer says ------------------------------------------------ */

static struct forward *
forward_of(const h2o_http1client_t *client)
{
	struct forward *forward = object_cast(struct forward,
	    ENGINEIO_FORWARD_MAGIC, client->data);

	loop_arrival_us(forward->forwards->set->loop);
	return (forward);
}

/* h2o ends the client when its callback returns. */
static void
lose_with_client(struct forward *forward, const char *why)
{
	forward->client = NULL;
	lose(forward, why);
}

static int
on_body(h2o_http1client_t *client, const char *error)
{
	struct forward *forward = forward_of(client);
	const h2o_buffer_t *input = client->sock->input;

	if (error == h2o_http1client_error_is_eos)
		answer(forward, text_from(input->bytes, input->size));
	else if (error != NULL)
		lose_with_client(forward, error);
	else if (input->size > BODY_MOST)
		lose_with_client(forward, "its answer is too large");
	else
		return (0);
	return (-1);
}

static text
find_header(const h2o_header_t *headers, size_t count, text name)
{
	for (size_t i = 0; i < count; i++)
		if (text_is_like(text_of_iovec(*headers[i].name), name))
			return (text_trim(text_of_iovec(headers[i].value)));
	return (TEXT_NONE);
}

/* Both sides compress, or none: what follows is carried as it is. */
static bool
agrees(const struct forward *forward, const h2o_header_t *headers,
    size_t count)
{
	text chosen = find_header(headers, count,
	    TEXT("sec-websocket-extensions"));

	if (!forward->handshake.deflate.is_on)
		return (chosen.at == NULL);
	return (chosen.at != NULL && text_is(chosen,
	    frame_deflate_answer(&forward->handshake.deflate)));
}

static void
switch_over(struct forward *forward, h2o_socket_t *sock, bool agrees)
{
	struct engineio_set *set = forward->forwards->set;
	struct forward done = *forward;

	forward->client = NULL;
	if (!done.is_upgrade || !agrees) {
		h2o_socket_close(sock);
		lose(forward, "it switches otherwise than asked");
		return;
	}
	take(forward);
	engineio_switch_beyond(set, done.peer, done.door, &done.handshake,
	    text_from(done.sid, sizeof done.sid), sock);
}

static h2o_http1client_body_cb
on_head(h2o_http1client_t *client, const char *error, int minor, int status,
    h2o_iovec_t words, h2o_header_t *headers, size_t count, int len)
{
	struct forward *forward = forward_of(client);

	(void)minor;
	(void)words;
	if (error != NULL && error != h2o_http1client_error_is_eos) {
		lose_with_client(forward, error);
		return (NULL);
	}
	if (status == 101) {
		bool is_agreed = agrees(forward, headers, count);
		h2o_socket_t *sock = h2o_http1client_steal_socket(client);

		sock->on_close.cb = NULL;
		h2o_buffer_consume(&sock->input, (size_t)len);
		switch_over(forward, sock, is_agreed);
		return (NULL);
	}
	forward->status = (unsigned)status;
	forward->type = op_keep(forward->peer->op, find_header(headers,
	    count, TEXT("content-type")));
	if (error == NULL)
		return (on_body);
	answer(forward, TEXT_NONE);
	return (NULL);
}

/* --- what it is asked -------------------------------------------------- */

static void
add_header(struct buf *out, text name, text value)
{
	if (value.at == NULL)
		return;
	buf_add(out, name);
	buf_add(out, TEXT(": "));
	buf_add(out, value);
	buf_add(out, TEXT("\r\n"));
}

/* Of what the client said, what a request to a session may depend on. */
static void
add_said(struct buf *out, const h2o_req_t *req)
{
	static const text said[] = {
		TEXT("authorization"), TEXT("content-type"), TEXT("cookie"),
		TEXT("origin"), TEXT("sec-websocket-extensions"),
		TEXT("sec-websocket-key"), TEXT("sec-websocket-version"),
		TEXT("user-agent"),
	};

	for (size_t i = 0; i < req->headers.size; i++) {
		const h2o_header_t *header = &req->headers.entries[i];
		text name = text_of_iovec(*header->name);

		for (size_t j = 0; j < sizeof said / sizeof said[0]; j++)
			if (text_is(name, said[j]))
				add_header(out, name,
				    text_of_iovec(header->value));
	}
}

static void
write_head(struct forward *forward)
{
	const struct op *op = forward->peer->op;
	struct buf *out = &forward->head;

	buf_add(out, op->method);
	buf_add_char(out, ' ');
	if (op->slug.at != NULL) {
		buf_add(out, TEXT("/t/"));
		buf_add(out, op->slug);
	}
	buf_add(out, op->path);
	buf_add_char(out, '?');
	buf_add(out, op->query);
	buf_add(out, TEXT(" HTTP/1.1\r\n"));
	add_header(out, TEXT("Host"), op->host);
	add_said(out, forward->peer->req);
	add_header(out, TEXT("X-Forwarded-For"), op->client_address);
	add_header(out, TEXT("X-Forwarded-Proto"), op->scheme);
	add_header(out, TEXT("X-Request-Id"), op->request_id);
	buf_printf(out, "X-Partyline-Peer: %u\r\n",
	    (unsigned)forward->forwards->set->place.host);
	if (forward->is_upgrade)
		buf_add(out, TEXT("Connection: Upgrade\r\n"
		    "Upgrade: websocket\r\n"));
	if (forward->is_post)
		buf_printf(out, "Content-Length: %zu\r\n", op->body.len);
	buf_add(out, TEXT("\r\n"));
}

/* How long a request may be on its way: a GET waits for the next ping. */
static int64_t
patience(const struct forward *forward)
{
	const struct conf *conf = forward->forwards->set->ground->conf;

	if (forward->is_upgrade || forward->is_post)
		return (conf->request_timeout);
	return (conf->engineio_ping_interval + conf->engineio_ping_timeout +
	    SLACK_MS);
}

static void
watch_over(int fd)
{
	const struct {
		int	 level, name, value;
	} wanted[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, PROBE_AFTER_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, PROBE_EVERY_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, PROBES },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, (PROBE_AFTER_S +
		    PROBES * PROBE_EVERY_S) * 1000 },
	};

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		setsockopt(fd, wanted[i].level, wanted[i].name,
		    &wanted[i].value, sizeof wanted[i].value);
}

static h2o_http1client_head_cb
on_connect(h2o_http1client_t *client, const char *error,
    h2o_iovec_t **parts_out, size_t *count_out, int *is_head_out)
{
	struct forward *forward = forward_of(client);

	note(forward->beyond, error);
	if (error != NULL) {
		lose_with_client(forward, error);
		return (NULL);
	}
	forward->is_connected = true;
	watch_over(h2o_socket_get_fd(client->sock));
	timer_set(timers_of(forward), &forward->late, patience(forward));
	*parts_out = forward->parts;
	*count_out = forward->is_post ? 2 : 1;
	*is_head_out = 0;
	return (on_head);
}

static struct forward *
create(struct engineio_forwards *forwards, struct beyond *beyond,
    const struct engineio_errand *errand)
{
	struct forward *forward = object_create(struct forward,
	    ENGINEIO_FORWARD_MAGIC);

	forward->forwards = forwards;
	forward->beyond = beyond;
	forward->peer = errand->peer;
	forward->door = errand->door;
	memcpy(forward->sid, errand->sid.at, sizeof forward->sid);
	forward->is_post = errand->is_post;
	forward->is_upgrade = errand->handshake != NULL;
	if (forward->is_upgrade)
		forward->handshake = *errand->handshake;
	buf_init(&forward->head, BUF_NO_LIMIT);
	DL_APPEND(forwards->all, forward);
	return (forward);
}

static struct beyond *
find(struct engineio_forwards *forwards, uint16_t host)
{
	for (unsigned i = 0; forwards != NULL && i < forwards->count; i++)
		if (forwards->beyond[i].number == host)
			return (&forwards->beyond[i]);
	return (NULL);
}

bool
engineio_forward(struct engineio_set *set, uint16_t host,
    const struct engineio_facts *facts, const struct engineio_errand *errand)
{
	static const struct op_holder holder = { on_gone, NULL };
	struct beyond *beyond = find(set->forwards, host);
	struct op *op = errand->peer->op;
	struct forward *forward;

	if (beyond == NULL ||
	    engineio_header(facts, TEXT("x-partyline-peer")).at != NULL)
		return (false);
	COUNT(engineio_forwards);
	if ((int64_t)op->body.len > set->ground->conf->engineio_max_payload) {
		engineio_answer(op, ANSWER_TOO_LARGE, TEXT_NONE);
		return (true);
	}
	forward = create(set->forwards, beyond, errand);
	write_head(forward);
	forward->parts[0] = h2o_iovec_init(forward->head.at,
	    forward->head.len);
	if (errand->is_post)
		forward->parts[1] = h2o_iovec_init(op->body.at, op->body.len);
	timer_init(&forward->late, on_late, forward);
	timer_set(timers_of(forward), &forward->late, CONNECT_MS);
	op_hold(op, &holder, forward);
	h2o_http1client_connect_with_pool(&forward->client, forward,
	    &set->forwards->context, &beyond->pool, on_connect);
	return (true);
}

/* --- all of them ------------------------------------------------------- */

static void
open_beyond(struct engineio_forwards *forwards,
    const struct peer_host *host)
{
	struct beyond *beyond = &forwards->beyond[forwards->count++];
	struct sockaddr_storage to;
	socklen_t len = address_to_socket(&host->address, &to);

	*beyond = (struct beyond){ .number = host->number };
	h2o_socketpool_init_by_address(&beyond->pool,
	    (struct sockaddr *)&to, len, 0, SIZE_MAX);
	h2o_socketpool_set_timeout(&beyond->pool,
	    loop_h2o(forwards->set->loop), IDLE_MS);
}

void
engineio_forwards_open(struct engineio_set *set)
{
	struct engineio_forwards *forwards;
	struct peer_hosts hosts;
	struct buf why;

	buf_init(&why, BUF_NO_LIMIT);
	if (!peer_hosts_read(text_of(set->ground->conf->peers), &hosts, &why))
		must_never("conf_check has read it");
	buf_fini(&why);
	if (hosts.count == 0)
		return;
	forwards = object_create(struct engineio_forwards,
	    ENGINEIO_FORWARDS_MAGIC);
	forwards->set = set;
	h2o_timeout_init(loop_h2o(set->loop), &forwards->silence, SILENCE_MS);
	forwards->context = (h2o_http1client_ctx_t){
	    .loop = loop_h2o(set->loop), .io_timeout = &forwards->silence };
	forwards->beyond = mem_alloc(hosts.count * sizeof *forwards->beyond);
	for (unsigned i = 0; i < hosts.count; i++)
		if (hosts.at[i].number != set->place.host)
			open_beyond(forwards, &hosts.at[i]);
	set->forwards = forwards;
}

void
engineio_forwards_close(struct engineio_set *set)
{
	struct engineio_forwards *forwards = set->forwards;

	if (forwards == NULL)
		return;
	object_check(forwards, ENGINEIO_FORWARDS_MAGIC);
	while (forwards->all != NULL)
		lose(forwards->all, "the server stops");
	for (unsigned i = 0; i < forwards->count; i++)
		h2o_socketpool_dispose(&forwards->beyond[i].pool);
	h2o_timeout_dispose(loop_h2o(set->loop), &forwards->silence);
	mem_free(forwards->beyond);
	object_free(&set->forwards);
}
