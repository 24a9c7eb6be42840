/* SPDX-License-Identifier: MIT */
/*
 * Carrying bytes between two sockets.
 */
#include "transport/engineio_relay.h"

#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#define FAREWELL_MS 5000

struct engineio_relay {
	unsigned	 magic;
#define ENGINEIO_RELAY_MAGIC 0x6569726c
	struct engineio_set *set;
	struct sock	*socks[2];	/* the client's, the other */
	struct peer_places places;
	struct engineio_relay *prev, *next;
};

static struct engineio_relay *
relay_of(const struct sock *sock)
{
	return (object_cast(struct engineio_relay, ENGINEIO_RELAY_MAGIC,
	    sock_owner(sock)));
}

static struct sock *
other_of(const struct sock *sock)
{
	struct engineio_relay *relay = relay_of(sock);

	return (relay->socks[relay->socks[0] == sock]);
}

static void
on_bytes(struct sock *sock, char *at, size_t len)
{
	struct sock *other = other_of(sock);
	struct bytes *bytes;

	if (other == NULL)
		return;
	bytes = bytes_create(len);
	memcpy(bytes->at, at, len);
	sock_send(other, bytes, SOCK_NUMBERED, 0);
	bytes_give(&bytes);
	if (!sock_has_room(other))
		sock_pause(sock);
}

static void
on_room(struct sock *sock)
{
	struct sock *other = other_of(sock);

	if (other != NULL)
		sock_resume(other);
}

/* It is cut by whoever calls, and then the other one ends. */
static void
on_overflow(struct sock *sock, const char *why)
{
	(void)sock;
	(void)why;
}

static void
relay_destroy(struct engineio_relay *relay)
{
	DL_DELETE(relay->set->relays, relay);
	peer_places_give(&relay->places, relay->set->ground);
	object_free(&relay);
}

static void
on_closed(struct sock *sock, const char *why)
{
	struct engineio_relay *relay = relay_of(sock);
	struct sock *other = other_of(sock);

	(void)why;
	relay->socks[relay->socks[1] == sock] = NULL;
	if (other != NULL)
		sock_close(other, NULL, SOCK_WHEN_SENT, FAREWELL_MS);
	else
		relay_destroy(relay);
}

static const struct sock_acts relay_acts = { on_bytes, on_overflow, on_room,
    NULL, on_closed };

static struct engineio_relay *
relay_begin(struct engineio_set *set, struct st_h2o_socket_t *from,
    struct peer_places *places)
{
	struct engineio_relay *relay = object_create(struct engineio_relay,
	    ENGINEIO_RELAY_MAGIC);

	relay->set = set;
	relay->places = *places;
	*places = (struct peer_places){ .has_quota = false };
	DL_APPEND(set->relays, relay);
	relay->socks[0] = sock_adopt(set->socks, from, &relay_acts, relay);
	return (relay);
}

void
engineio_relay_join(struct engineio_set *set, struct st_h2o_socket_t *from,
    struct st_h2o_socket_t *beyond, struct peer_places *places)
{
	struct engineio_relay *relay = relay_begin(set, from, places);

	relay->socks[1] = sock_adopt(set->socks, beyond, &relay_acts, relay);
	if (relay->socks[0] == NULL && relay->socks[1] == NULL)
		relay_destroy(relay);
	else if (relay->socks[0] == NULL)
		sock_cut(relay->socks[1], "no room");
	else if (relay->socks[1] == NULL)
		sock_cut(relay->socks[0], "no room");
}

int
engineio_relay_create(struct engineio_set *set,
    struct st_h2o_socket_t *from, struct peer_places *places)
{
	struct engineio_relay *relay = relay_begin(set, from, places);
	int pair[2] = { -1, -1 };

	must(relay->socks[0] != NULL);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0, pair) == 0)
		relay->socks[1] = sock_adopt_fd(set->socks, pair[0],
		    &relay_acts, relay);
	if (relay->socks[1] != NULL)
		return (pair[1]);
	sock_cut(relay->socks[0], "no room");
	if (pair[1] >= 0)
		close(pair[1]);
	return (-1);
}

void
engineio_relays_drain(struct engineio_set *set, int64_t left_ms,
    int64_t each_ms)
{
	struct engineio_relay *relay;
	int64_t count = 0;

	DL_FOREACH(set->relays, relay)
		count++;
	if (left_ms > each_ms)
		count = (count * each_ms + left_ms - 1) / left_ms;
	DL_FOREACH(set->relays, relay) {
		if (count-- <= 0)
			return;
		if (relay->socks[1] != NULL)
			sock_close(relay->socks[1], NULL, SOCK_WHEN_SENT,
			    FAREWELL_MS);
	}
}
