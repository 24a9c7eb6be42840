/* SPDX-License-Identifier: MIT */
/*
 * The watch, and ending a request whose client has gone.
 */
#include "transport/held.h"

#include <poll.h>

#include "base/log.h"
#include "transport/stream.h"

static bool
has_hung_up(const struct peer *peer)
{
	struct pollfd look = { .fd = h2o_socket_get_fd(peer->sock),
	    .events = POLLRDHUP };

	return (poll(&look, 1, 0) > 0);
}

/*
 * h2o closes what it has answered, and fails to say anything to a socket
 * that was cut; so the request ends by itself, as any other.
 */
static void
answer_nobody(struct peer *peer)
{
	static h2o_generator_t nothing = { NULL, NULL };
	h2o_req_t *req = peer->req;
	struct op *op = peer->op;

	/* First, so that nobody answers what has an answer. */
	peer->op = NULL;
	op->holder->on_gone(op);
	op_destroy(&op);
	held_end(peer);
	req->http1_is_persistent = 0;
	req->res.status = 200;
	req->res.reason = "OK";
	req->res.content_length = 0;
	h2o_start_response(req, &nothing);
	h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
	loop_again(peer->peers->loop);
}

static void
let_go(struct peer *peer)
{
	log_debug("a client left while its request was held",
	    F("requestId", peer->op->request_id));
	peer_cut(peer);
	if (peer->stream != NULL)
		stream_drop(peer);
	else
		answer_nobody(peer);
}

static void
on_readable(h2o_socket_t *sock, const char *error)
{
	struct peer *peer = object_cast(struct peer, PEER_MAGIC,
	    sock->on_close.data);

	(void)error;
	loop_arrival_us(peer->peers->loop);
	h2o_socket_read_stop(sock);
	if (has_hung_up(peer))
		let_go(peer);
	else
		peer->has_more = true;
}

void
held_begin(struct peer *peer)
{
	must(!peer->is_held && peer->op != NULL);
	peer->is_held = true;
	peer->has_more = false;
	h2o_socket_dont_read(peer->sock, 1);
	h2o_socket_read_start(peer->sock, on_readable);
}

void
held_end(struct peer *peer)
{
	if (!peer->is_held)
		return;
	peer->is_held = false;
	h2o_socket_read_stop(peer->sock);
	h2o_socket_dont_read(peer->sock, 0);
}

void
held_look(struct peer *peer)
{
	if (peer->has_more && !peer->is_closing && has_hung_up(peer))
		let_go(peer);
}
