/* SPDX-License-Identifier: MIT */
/*
 * The turn's end. Everything that may call an owner back without being asked
 * by a descriptor waits for it, and each socket that has business is then
 * served once:
 *
 *	gone?	    too much for it?   what came early   what waits
 *	on_closed   on_overflow        on_bytes          one write, on_room
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/count.h"
#include "plat/sock_inside.h"

#define WRITE_ENTRIES 64	/* in one call */
#define END_ROUNDS 4		/* what serving makes, in the same turn */
#define AHEAD 4			/* sockets fetched before they are needed */

/* To be served at the turn's end; if that is over, at the next one's. */
void
sock_mark(struct sock *sock)
{
	struct socks *socks = sock->socks;

	if (sock->is_dirty)
		return;
	if (socks->dirty_count == 0 && loop_is_ending(socks->loop))
		loop_again(socks->loop);
	if (socks->dirty_count == socks->dirty_size) {
		socks->dirty_size = socks->dirty_size * 2 + 64;
		socks->dirty = mem_resize(socks->dirty, socks->dirty_size *
		    sizeof *socks->dirty);
	}
	socks->dirty[socks->dirty_count++] = sock;
	sock->is_dirty = true;
}

void
sock_doom(struct sock *sock, const char *why)
{
	if (sock->state == SOCK_DOOMED)
		return;
	sock_state_set(sock, SOCK_DOOMED);
	sock->why = why;
	sock_mark(sock);
}

void
sock_overflow(struct sock *sock, enum sock_over over)
{
	if (sock->over != SOCK_WELL || sock->state != SOCK_OPEN)
		return;
	COUNT(sock_overflows);
	sock->over = (uint8_t)over;
	sock_queue_shed(sock);
	sock_mark(sock);
}

void
sock_ask_epoll(struct sock *sock, int operation)
{
	struct epoll_event event = { .data.ptr = sock,
	    .events = (sock->is_paused ? 0 : (uint32_t)EPOLLIN) |
	    (sock->is_armed ? (uint32_t)EPOLLOUT : 0) };

	if (epoll_ctl(sock->socks->epoll, operation, sock->fd, &event) != 0)
		sock_doom(sock, "no room in epoll");
}

/* Writing. */

static ssize_t
write_some(struct sock *sock, size_t *total_out)
{
	struct iovec iov[WRITE_ENTRIES];
	struct msghdr message = { .msg_iov = iov };
	unsigned count;

	*total_out = sock_queue_peek(sock, iov, WRITE_ENTRIES, &count);
	if (count == 1)
		return (send(sock->fd, iov[0].iov_base, iov[0].iov_len,
		    MSG_DONTWAIT | MSG_NOSIGNAL));
	message.msg_iovlen = count;
	return (sendmsg(sock->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void
set_armed(struct sock *sock, bool is_armed)
{
	if (sock->is_armed == is_armed)
		return;
	sock->is_armed = is_armed;
	sock_ask_epoll(sock, EPOLL_CTL_MOD);
}

/* The kernel takes no more: epoll says when it does. */
static void
block(struct sock *sock)
{
	sock->is_blocked = true;
	set_armed(sock, true);
	sock_wheel_put(sock);
}

void
sock_flush(struct sock *sock)
{
	size_t total;
	ssize_t len;

	if (sock->has_tls) {
		sock_h2o_flush(sock);
		return;
	}
	while (sock->head.bytes != NULL) {
		len = write_some(sock, &total);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno != EAGAIN) {
			sock_doom(sock, "connection lost");
			return;
		}
		COUNT(sock_writes);
		if (len > 0) {
			sock->last_out_ms = sock->socks->now_ms;
			sock_queue_take(sock, (size_t)len);
		}
		if (len < (ssize_t)total) {
			block(sock);
			return;
		}
	}
	set_armed(sock, false);
}

/* Going. */

/* All that waited for it was taken. */
static void
finish(struct sock *sock)
{
	if (sock->ending == SOCK_WHEN_SENT) {
		sock_doom(sock, "closed");
		return;
	}
	sock_state_set(sock, SOCK_ENDED);
	/* Under TLS without its own goodbye, as ours was said already. */
	shutdown(sock->tls != NULL ? sock_h2o_fd(sock) : sock->fd, SHUT_WR);
}

static void
end_of(struct sock *sock)
{
	const struct linger at_once = { .l_onoff = 1 };
	const char *why = sock->why;

	/* Who does not take what we have shall not keep the kernel's memory. */
	if (sock->fd >= 0 && sock->queued > 0)
		setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &at_once,
		    sizeof at_once);
	sock_queue_end(sock);
	bytes_give(&sock->early);
	sock->has_early = false;
	if (sock->tls != NULL)
		sock_h2o_end(sock);
	if (sock->fd >= 0) {
		/* Also where somebody holds a copy of the descriptor. */
		sock_ask_epoll(sock, EPOLL_CTL_DEL);
		close(sock->fd);
	}
	sock->fd = -1;
	sock->acts->on_closed(sock, why);
	sock_free(sock);
}

/* The turn's end. */

static void
tell_overflow(struct sock *sock)
{
	const char *why = sock->over == SOCK_FULL ? "the queue is full" :
	    "the queue is too old";

	sock->over = SOCK_OVER_TOLD;
	sock->acts->on_overflow(sock, why);
	if (sock->state == SOCK_OPEN)
		sock_doom(sock, why);
}

static void
give_early(struct sock *sock)
{
	struct bytes *early = sock->early;

	sock->early = NULL;
	sock->has_early = false;
	sock->acts->on_bytes(sock, early->at, early->len);
	bytes_give(&early);
}

static void
serve(struct sock *sock)
{
	sock->is_dirty = false;
	if (sock->state == SOCK_DOOMED) {
		end_of(sock);
		return;
	}
	if (sock->over != SOCK_WELL && sock->over != SOCK_OVER_TOLD)
		tell_overflow(sock);
	if (sock->has_early && !sock->is_paused)
		give_early(sock);
	if (sock->state == SOCK_DOOMED)
		return;
	if (!sock->is_blocked)
		sock_flush(sock);
	if (sock->wants_room && sock->state == SOCK_OPEN &&
	    sock_has_room(sock)) {
		sock->wants_room = false;
		sock->acts->on_room(sock);
	}
	if (sock->state == SOCK_CLOSING && sock->queued == 0 &&
	    !sock->is_blocked)
		finish(sock);
}

/* Those that are marked meanwhile come behind, and stay for another round. */
static void
serve_round(struct socks *socks)
{
	size_t count = socks->dirty_count;

	for (size_t i = 0; i < count; i++) {
		if (i + AHEAD < count)
			__builtin_prefetch(socks->dirty[i + AHEAD]);
		serve(socks->dirty[i]);
	}
	socks->dirty_count -= count;
	if (socks->dirty_count > 0)
		memmove(socks->dirty, socks->dirty + count,
		    socks->dirty_count * sizeof *socks->dirty);
}

void
socks_end_turn(struct socks *socks)
{
	if (socks->dirty_count > 0)
		socks_now(socks);
	for (unsigned n = 0; n < END_ROUNDS && socks->dirty_count > 0; n++)
		serve_round(socks);
	if (socks->dirty_count > 0)
		loop_again(socks->loop);
	GAUGE_SET(sock_queue_bytes, socks->queued);
	GAUGE_SET(socks_open, socks->count);
}
