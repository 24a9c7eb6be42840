/* SPDX-License-Identifier: MIT */
/*
 * The life of a connection beside h2o's.
 */
#include "transport/peer.h"

#include <sys/socket.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "base/stamp.h"
#include "core/tenant.h"
#include "plat/addresses.h"
#include "plat/segment.h"
#include "transport/answer.h"

struct peers *
peers_create(struct loop *loop, const struct op_ground *ground)
{
	struct peers *peers = object_create(struct peers, PEERS_MAGIC);

	peers->loop = loop;
	peers->ground = ground;
	networks_init(&peers->trusted, text_of(ground->conf->trusted_proxies));
	peers_watch(peers);
	return (peers);
}

void
peers_close(struct peers *peers)
{
	struct peer *peer, *next;

	linger_end(&peers->lingering);
	DL_FOREACH_SAFE(peers->first, peer, next)
		peer_cut(peer);
	loop_again(peers->loop);
}

void
peers_destroy(struct peers **given)
{
	struct peers *peers = *given;

	*given = NULL;
	if (peers == NULL)
		return;
	object_check(peers, PEERS_MAGIC);
	must(peers->first == NULL);
	peers_unwatch(peers);
	linger_end(&peers->lingering);
	networks_fini(&peers->trusted);
	object_free(&peers);
}

void
peers_drain(struct peers *peers)
{
	peers->is_draining = true;
}

void
peer_places_give(struct peer_places *places, const struct op_ground *ground)
{
	if (places->has_quota)
		segment_give(ground->segment, ground->slot,
		    QUOTA_CONNECTIONS);
	if (places->has_address)
		addresses_give(ground->slot, places->who);
	limit_connection_end(&places->counted, ground->slot);
	*places = (struct peer_places){ .has_quota = false };
}

static void
on_close(void *context)
{
	struct peer *peer = object_cast(struct peer, PEER_MAGIC, context);
	struct peers *peers = peer->peers;
	const struct op_ground *ground = peers->ground;

	must(peer->op == NULL);
	peer_places_give(&peer->places, ground);
	if (peer->linger_fd >= 0)
		linger_begin(&peers->lingering, peer->linger_fd, clock_ms());
	if (peer->refusal != ERR_none)
		peers->refused--;
	DL_DELETE(peers->first, peer);
	peers->count--;
	GAUGE_SET(connections_open, peers->count);
	mem_free(peer->farewell);
	object_free(&peer);
}

static void
note_address(struct peer *peer, const struct peer_from *from)
{
	struct buf out;

	if (!address_from_socket((const struct sockaddr *)&from->at,
	    from->len, &peer->address))
		peer->address = (struct address){ .kind = ADDRESS_UNIX,
		    .path = TEXT("") };
	peer->is_trusted = networks_hold(&peer->peers->trusted,
	    &peer->address);
	buf_init(&out, sizeof peer->address_text - 1);
	address_write_host(&peer->address, &out);
	memcpy(peer->address_text, out.at, out.len + 1);
	peer->address_len = out.len;
	buf_fini(&out);
}

/* Within the limits of the host, or the error that says which is passed. */
static enum err
take_place(struct peer *peer)
{
	const struct op_ground *ground = peer->peers->ground;
	const struct conf *conf = ground->conf;

	/* Whoever looks after the server gets in when it is full. */
	if (peer->door == DOOR_ADMIN)
		return (ERR_none);
	if (!peer->is_trusted && peer->address.kind != ADDRESS_UNIX) {
		enum address_taken taken;

		peer->places.who = addresses_who(&peer->address);
		taken = addresses_take(ground->slot, peer->places.who,
		    conf->connections_per_address);
		if (taken == ADDRESS_REFUSED)
			return (ERR_too_many_from_address);
		peer->places.has_address = taken == ADDRESS_COUNTED;
	}
	peer->places.has_quota = segment_take(ground->segment, ground->slot,
	    QUOTA_CONNECTIONS, conf->connections);
	return (peer->places.has_quota ? ERR_none : ERR_too_many_connections);
}

struct peer *
peers_accept(struct peers *peers, h2o_socket_t *sock, enum door door,
    const struct peer_from *from)
{
	struct peer *peer = object_create(struct peer, PEER_MAGIC);

	COUNT(connections_accepted);
	peer->peers = peers;
	peer->sock = sock;
	peer->door = door;
	peer->linger_fd = -1;
	peer->since_ms = clock_ms();
	note_address(peer, from);
	peer->refusal = take_place(peer);
	peers->refused += peer->refusal != ERR_none;
	DL_PREPEND(peers->first, peer);
	peers->count++;
	GAUGE_SET(connections_open, peers->count);
	sock->on_close.cb = on_close;
	sock->on_close.data = peer;
	if (peer->refusal == ERR_none)
		return (peer);
	COUNT(connections_refused);
	if (peers->refused <= REFUSED_MAX)
		return (peer);
	h2o_socket_close(sock);
	return (NULL);
}

struct peer *
peer_of(const h2o_req_t *req)
{
	h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);

	return (object_cast(struct peer, PEER_MAGIC, sock->on_close.data));
}

enum err
peer_use_for(struct peer *peer, const struct tenant *tenant)
{
	unsigned slot = peer->peers->ground->slot;
	bool has_limit = tenant->max_connections != TENANT_NO_LIMIT;

	if (peer->places.counted == NULL && !has_limit)
		return (ERR_none);
	if (peer->places.counted != NULL && has_limit &&
	    peer->tenant == tenant->id)
		return (ERR_none);
	limit_connection_end(&peer->places.counted, slot);
	peer->tenant = tenant->id;
	return (limit_connection(tenant, slot, clock_ms() / 1000,
	    &peer->places.counted));
}

void
peer_hand_over(struct peer *peer, struct peer_places *places)
{
	h2o_socket_t *sock = peer->sock;

	*places = peer->places;
	peer->places = (struct peer_places){ .has_quota = false };
	sock->on_close.cb = NULL;
	sock->on_close.data = NULL;
	on_close(peer);
}

void
peer_linger(struct peer *peer)
{
	if (peer->linger_fd < 0)
		peer->linger_fd = linger_keep(&peer->peers->lingering,
		    h2o_socket_get_fd(peer->sock));
}

static void
on_farewell_written(h2o_socket_t *sock, const char *error)
{
	struct peer *peer = object_cast(struct peer, PEER_MAGIC,
	    sock->on_close.data);

	if (error == NULL)
		peer_linger(peer);
	/* To h2o it looks as if the client had gone. */
	peer->resume(sock, h2o_socket_error_closed);
}

/*
 * h2o has no way to answer what has not arrived. It is made to stop reading
 * and knows nothing of what we write; then its own reader, which h2o keeps
 * in _cb.read, is told that the client has gone, and cleans up.
 */
void
peer_refuse(struct peer *peer, enum err err)
{
	h2o_socket_t *sock = peer->sock;
	h2o_iovec_t out;
	struct buf buf;

	must(h2o_socket_is_reading(sock) && !h2o_socket_is_writing(sock) &&
	    peer->op == NULL && peer->farewell == NULL);
	peer->is_closing = true;
	peer->resume = sock->_cb.read;
	h2o_socket_read_stop(sock);
	h2o_buffer_consume(&sock->input, sock->input->size);
	buf_init(&buf, BUF_NO_LIMIT);
	answer_write_refusal(peer, err, &buf);
	out = h2o_iovec_init(buf.at, buf.len);
	peer->farewell = buf_take(&buf);
	h2o_socket_write(sock, &out, 1, on_farewell_written);
	loop_again(peer->peers->loop);
}

void
peer_close_quietly(struct peer *peer)
{
	peer->is_closing = true;
	shutdown(h2o_socket_get_fd(peer->sock), SHUT_RD);
}

void
peer_cut(struct peer *peer)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	int fd = h2o_socket_get_fd(peer->sock);

	peer->is_closing = true;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	shutdown(fd, SHUT_RDWR);
}
