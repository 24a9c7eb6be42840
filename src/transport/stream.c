/* SPDX-License-Identifier: MIT */
/*
 * Streams over h2o's chunked answers.
 */
#include "transport/stream.h"

#include <sys/socket.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "transport/answer.h"
#include "transport/held.h"
#include "transport/outbox.h"

#define PIECES_AT_ONCE 64

struct stream {
	h2o_generator_t	 generator;	/* first: h2o leads back to us */
	unsigned	 magic;
#define STREAM_MAGIC 0x7374726d
	struct peer	*peer;
	struct stream	*prev, *next;	/* of those to be flushed */
	struct outbox	 outbox;
	bool		 is_begun;	/* its head was sent */
	bool		 is_sending;	/* h2o is at work, or has the end */
	bool		 is_ending;	/* what waits is the last of it */
	bool		 is_cut;
	bool		 wants_room;
	bool		 is_listed;
};

static const struct conf *
conf_of(const struct stream *stream)
{
	return (stream->peer->peers->ground->conf);
}

static void
unlist(struct stream *stream)
{
	if (stream->is_listed)
		DL_DELETE(stream->peer->peers->streams, stream);
	stream->is_listed = false;
}

/* --- sending ---------------------------------------------------------- */

/* Where it was the end, the stream may be gone after this. */
static void
flush(struct stream *stream)
{
	struct bytes *pieces[PIECES_AT_ONCE];
	h2o_iovec_t out[PIECES_AT_ONCE];
	h2o_req_t *req = stream->peer->req;
	unsigned count;
	bool is_last;

	if (stream->is_sending)
		return;
	count = outbox_take(&stream->outbox, pieces, PIECES_AT_ONCE);
	is_last = stream->is_ending && !outbox_waits(&stream->outbox);
	if (count == 0 && stream->is_begun && !is_last)
		return;
	for (unsigned i = 0; i < count; i++)
		out[i] = h2o_iovec_init(pieces[i]->at, pieces[i]->len);
	stream->is_sending = true;
	if (!stream->is_begun)
		h2o_start_response(req, &stream->generator);
	stream->is_begun = true;
	if (is_last)
		held_end(stream->peer);
	h2o_send(req, out, count, is_last ? H2O_SEND_STATE_FINAL :
	    H2O_SEND_STATE_IN_PROGRESS);
}

static void
list(struct stream *stream)
{
	struct peers *peers = stream->peer->peers;

	if (stream->is_listed || stream->is_sending)
		return;
	stream->is_listed = true;
	DL_APPEND(peers->streams, stream);
}

void
streams_flush(struct peers *peers)
{
	if (peers->streams == NULL)
		return;
	while (peers->streams != NULL) {
		struct stream *stream = peers->streams;

		unlist(stream);
		flush(stream);
	}
	loop_again(peers->loop);
}

static void
on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
	struct stream *stream = (struct stream *)generator;
	struct op *op;

	(void)req;
	must(stream->magic == STREAM_MAGIC);
	loop_arrival_us(stream->peer->peers->loop);
	stream->is_sending = false;
	outbox_sent(&stream->outbox);
	op = stream->peer->op;
	if (stream->wants_room && op->holder != NULL &&
	    stream_has_room(stream->peer)) {
		stream->wants_room = false;
		if (op->holder->on_room != NULL)
			op->holder->on_room(op);
	}
	if (stream->is_ending || outbox_waits(&stream->outbox))
		flush(stream);
}

/* --- what the op wants ------------------------------------------------ */

void
stream_begin(struct peer *peer)
{
	struct stream *stream;
	int size;

	must(peer->stream == NULL);
	stream = mem_alloc(sizeof *stream);
	*stream = (struct stream){ .magic = STREAM_MAGIC, .peer = peer,
	    .generator = { .proceed = on_proceed } };
	peer->stream = stream;
	peer->op->answer.has_to_close = true;
	/* Headers alone: nobody will hear what is said. */
	stream->is_ending = text_is(peer->op->method, TEXT("HEAD"));
	size = (int)conf_of(stream)->socket_send_buffer;
	setsockopt(h2o_socket_get_fd(peer->sock), SOL_SOCKET, SO_SNDBUF,
	    &size, sizeof size);
	answer_prepare(peer);
	list(stream);
}

/* Too slow: what is on its way is all that its client gets. */
static void
cut(struct stream *stream)
{
	struct peer *peer = stream->peer;

	COUNT(sock_overflows);
	log_info("a client takes its events too slowly",
	    F("address", (const char *)peer->address_text),
	    F("requestId", peer->op->request_id));
	stream->is_cut = true;
	stream->is_ending = true;
	outbox_shed(&stream->outbox);
	peer_cut(peer);
	list(stream);
}

static bool
is_half_empty(const struct stream *stream)
{
	return ((int64_t)stream->outbox.weight <=
	    conf_of(stream)->socket_queue / 2);
}

void
stream_send(struct peer *peer, struct bytes *bytes, enum op_piece piece)
{
	struct stream *stream = peer->stream;
	int64_t now_ms = loop_arrival_us(peer->peers->loop) / 1000;
	/* What one turn brings to who took all before is not too much. */
	size_t most = stream->is_sending ?
	    (size_t)conf_of(stream)->socket_queue : SIZE_MAX;

	if (stream->is_ending)
		return;
	if (piece == OP_MAY_BE_LEFT_OUT && !is_half_empty(stream)) {
		COUNT(sock_drops);
		return;
	}
	if (!outbox_put(&stream->outbox, bytes, most, now_ms))
		cut(stream);
	else
		list(stream);
}

bool
stream_has_room(struct peer *peer)
{
	struct stream *stream = peer->stream;

	if (!stream->is_ending && is_half_empty(stream))
		return (true);
	stream->wants_room = true;
	return (false);
}

void
stream_end(struct peer *peer)
{
	peer->stream->is_ending = true;
	list(peer->stream);
}

void
stream_drop(struct peer *peer)
{
	struct stream *stream = peer->stream;

	stream->is_cut = true;
	stream->is_ending = true;
	outbox_shed(&stream->outbox);
	list(stream);
}

void
stream_free(struct peer *peer)
{
	struct stream *stream = peer->stream;

	if (stream == NULL)
		return;
	peer->stream = NULL;
	unlist(stream);
	outbox_empty(&stream->outbox);
	stream->magic = 0;
	mem_free(stream);
}

void
stream_look(struct peer *peer, int64_t now_ms)
{
	struct stream *stream = peer->stream;
	int64_t since_ms = outbox_since_ms(&stream->outbox);

	if (!stream->is_cut && since_ms < now_ms &&
	    now_ms - since_ms >= conf_of(stream)->socket_queue_age)
		cut(stream);
}
