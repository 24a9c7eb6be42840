/* SPDX-License-Identifier: MIT */
/*
 * Looking at all peers: who takes too long, who takes too much.
 *
 * A look costs a few memory accesses a peer and no system call but for those
 * whose answer is stuck, so it can be repeated every few milliseconds while
 * something arrives; it takes at most a twentieth of the process's time.
 */
#include "transport/peer.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "transport/held.h"
#include "transport/stream.h"

#define LOOK_LEAST_MS 10
#define LOOK_SHARE 20			/* of the time, at most one part */
#define BYTES_FOR_A_SECOND 16384	/* what a slow sender gets it for */
#define QUIET_MS 2000			/* when draining */
#define REFUSED_MS 5000
#define CLOSING_MS 5000

static size_t
bytes_held(const struct peer *peer)
{
	const h2o_buffer_t *input = peer->sock->input;

	/* An empty one is h2o's constant, which all share. */
	return (input->bytes != NULL ? input->capacity : 0);
}

static enum peer_state
state_of(const struct peer *peer)
{
	h2o_socket_t *sock = peer->sock;

	if (h2o_socket_is_writing(sock))
		return (PEER_WRITING);
	if (peer->is_held || !h2o_socket_is_reading(sock))
		return (PEER_WORKING);
	if (sock->input->size > 0)
		return (PEER_ARRIVING);
	return (peer->requests == 0 ? PEER_NEW : PEER_QUIET);
}

/* Something that changes whenever the client takes more of its answer. */
static uint64_t
bytes_taken(const struct peer *peer)
{
	int fd = h2o_socket_get_fd(peer->sock), waiting = 0;
	struct tcp_info info = { .tcpi_bytes_acked = 0 };
	socklen_t len = sizeof info;

	if (peer->address.kind != ADDRESS_UNIX)
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	else if (ioctl(fd, SIOCOUTQ, &waiting) == 0)
		info.tcpi_bytes_acked = (uint64_t)waiting;
	return (info.tcpi_bytes_acked + peer->sock->bytes_written);
}

static void
note_state(struct peer *peer, int64_t now)
{
	enum peer_state state = state_of(peer);
	uint64_t taken = state == PEER_WRITING ? bytes_taken(peer) : 0;

	if (state != peer->state || peer->requests != peer->requests_seen ||
	    taken != peer->taken)
		peer->since_ms = now;
	peer->state = state;
	peer->requests_seen = peer->requests;
	peer->taken = taken;
}

/* How long the peer may stay as it is. */
static int64_t
patience(const struct peer *peer)
{
	const struct conf *conf = peer->peers->ground->conf;

	if (peer->is_closing && peer->state != PEER_WRITING)
		return (CLOSING_MS);
	switch (peer->state) {
	case PEER_NEW:
	case PEER_QUIET:
		if (peer->peers->is_draining)
			return (QUIET_MS);
		if (peer->refusal != ERR_none &&
		    conf->request_timeout > REFUSED_MS)
			return (REFUSED_MS);
		return (peer->state == PEER_NEW ? conf->request_timeout :
		    conf->keepalive_timeout);
	case PEER_ARRIVING:
		return (conf->request_timeout +
		    (int64_t)(peer->sock->input->size / BYTES_FOR_A_SECOND) *
		    1000);
	case PEER_WRITING:
		return (conf->write_timeout);
	case PEER_WORKING:
		break;
	}
	return (INT64_MAX);
}

static void
lose_patience(struct peer *peer, int64_t now)
{
	peer->since_ms = now;
	if (peer->is_closing) {
		peer_cut(peer);
		return;
	}
	switch (peer->state) {
	case PEER_NEW:
	case PEER_QUIET:
		peer_close_quietly(peer);
		break;
	case PEER_ARRIVING:
		COUNT(requests_timed_out);
		peer_refuse(peer, ERR_request_timeout);
		break;
	case PEER_WRITING:
		COUNT(connections_stalled);
		log_info("a client takes nothing of its answer",
		    F("address", (const char *)peer->address_text));
		peer_cut(peer);
		break;
	case PEER_WORKING:
		break;
	}
}

static struct peer *
largest_arriving(struct peers *peers)
{
	struct peer *peer, *largest = NULL;

	DL_FOREACH(peers->first, peer)
		if (peer->state == PEER_ARRIVING && !peer->is_closing &&
		    (largest == NULL ||
		    bytes_held(peer) > bytes_held(largest)))
			largest = peer;
	return (largest);
}

static void
keep_within_memory(struct peers *peers, size_t held)
{
	size_t most = (size_t)peers->ground->conf->body_memory;
	struct peer *peer;

	while (held > most && (peer = largest_arriving(peers)) != NULL) {
		held -= bytes_held(peer);
		COUNT(bodies_refused);
		peer_refuse(peer, ERR_memory_busy);
	}
}

static void
look(struct peers *peers, int64_t now)
{
	int64_t took_ms;
	struct peer *peer, *next;
	size_t held = 0;

	DL_FOREACH_SAFE(peers->first, peer, next) {
		note_state(peer, now);
		held += bytes_held(peer);
		if (now - peer->since_ms >= patience(peer))
			lose_patience(peer, now);
		if (peer->is_held)
			held_look(peer);
		if (peer->stream != NULL)
			stream_look(peer, now);
	}
	keep_within_memory(peers, held);
	linger_look(&peers->lingering, now);
	took_ms = loop_read_clock(peers->loop) - now;
	peers->look_at_ms = now + LOOK_LEAST_MS + took_ms * LOOK_SHARE;
}

static void
on_turns_end(struct peers *peers)
{
	int64_t now;

	streams_flush(peers);
	if (peers->count + peers->lingering.count == 0) {
		timer_stop(loop_timers(peers->loop), &peers->tick);
		return;
	}
	now = loop_now_ms(peers->loop);
	if (now >= peers->look_at_ms)
		look(peers, now);
	if (!timer_is_set(&peers->tick))
		timer_set(loop_timers(peers->loop), &peers->tick,
		    LOOK_MOST_MS);
}

/* Rings so that a turn ends. */
static void
on_tick(struct peers *peers)
{
	(void)peers;
}

void
peers_watch(struct peers *peers)
{
	timer_init(&peers->tick, on_tick, peers);
	loop_at_turns_end(peers->loop, on_turns_end, peers);
}

void
peers_unwatch(struct peers *peers)
{
	timer_stop(loop_timers(peers->loop), &peers->tick);
	loop_leave_turns_end(peers->loop, peers);
}
