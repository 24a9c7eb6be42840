/* SPDX-License-Identifier: MIT */
/*
 * Sockets as h2o has them: taking a plain one away from it, and serving one
 * under TLS, which stays.
 *
 * Of the latter h2o encrypts what it is given at once, into memory of its
 * own, and tells of the end later, from the loop; meanwhile nothing else may
 * be written. So what was given is off our queue, and the socket is blocked
 * until then: hence not too much at a time.
 */
#include <h2o.h>
#include <sys/uio.h>

#include "base/count.h"
#include "plat/sock_inside.h"

#define GIVEN_ENTRIES 64
#define GIVEN_BYTES 32768	/* unless one entry is larger */

bool
sock_h2o_has_tls(const h2o_socket_t *from)
{
	return (from->ssl != NULL);
}

struct bytes *
sock_h2o_input(h2o_socket_t *from)
{
	struct bytes *input;

	if (from->input->size == 0)
		return (NULL);
	input = bytes_create(from->input->size);
	memcpy(input->at, from->input->bytes, input->len);
	h2o_buffer_consume(&from->input, input->len);
	return (input);
}

int
sock_h2o_export(h2o_socket_t *from)
{
	h2o_socket_export_t export;

	if (h2o_socket_export(from, &export) != 0)
		must_never("h2o lets a plain socket go");
	h2o_buffer_dispose(&export.input);
	return (export.fd);
}

static void
on_read(h2o_socket_t *from, const char *error)
{
	struct sock *sock = object_cast(struct sock, SOCK_MAGIC, from->data);
	size_t len = from->input->size;

	loop_arrival_us(sock->socks->loop);
	if (error != NULL) {
		sock_doom(sock, error == h2o_socket_error_closed ?
		    "closed by the peer" : "connection lost");
		return;
	}
	if (len == 0 || sock->state == SOCK_DOOMED)
		return;
	sock->last_in_ms = socks_now(sock->socks);
	sock->acts->on_bytes(sock, from->input->bytes, len);
	/* All of it, so that a silent one keeps no buffer. */
	h2o_buffer_consume(&from->input, len);
}

void
sock_h2o_begin(struct sock *sock, h2o_socket_t *from)
{
	sock->tls = from;
	sock->has_tls = true;
	from->data = sock;
	h2o_socket_read_start(from, on_read);
}

int
sock_h2o_fd(const struct sock *sock)
{
	return (h2o_socket_get_fd(sock->tls));
}

static void
on_written(h2o_socket_t *from, const char *error)
{
	struct sock *sock = object_cast(struct sock, SOCK_MAGIC, from->data);

	if (sock->state == SOCK_DOOMED)
		return;
	if (error != NULL) {
		sock_doom(sock, "connection lost");
		return;
	}
	sock->last_out_ms = socks_now(sock->socks);
	sock->is_blocked = false;
	sock_mark(sock);
}

/* As many as come to GIVEN_BYTES, and at least one. */
static unsigned
choose(const struct iovec *iov, unsigned count, size_t *total_out)
{
	unsigned chosen = 0;
	size_t total = 0;

	while (chosen < count && (chosen == 0 ||
	    total + iov[chosen].iov_len <= GIVEN_BYTES))
		total += iov[chosen++].iov_len;
	*total_out = total;
	return (chosen);
}

void
sock_h2o_flush(struct sock *sock)
{
	struct iovec iov[GIVEN_ENTRIES];
	h2o_iovec_t given[GIVEN_ENTRIES];
	unsigned count;
	size_t total;

	if (sock->is_blocked || sock->head.bytes == NULL)
		return;
	sock_queue_peek(sock, iov, GIVEN_ENTRIES, &count);
	count = choose(iov, count, &total);
	for (unsigned i = 0; i < count; i++)
		given[i] = h2o_iovec_init(iov[i].iov_base, iov[i].iov_len);
	sock->tls_since_ms = sock->head.since_ms;
	h2o_socket_write(sock->tls, given, count, on_written);
	COUNT(sock_writes);
	sock_queue_take(sock, total);
	sock->is_blocked = true;
	sock_wheel_put(sock);
	/* What h2o has done it tells in its next round. */
	loop_again(sock->socks->loop);
}

void
sock_h2o_pause(struct sock *sock)
{
	h2o_socket_read_stop(sock->tls);
}

void
sock_h2o_resume(struct sock *sock)
{
	h2o_socket_read_start(sock->tls, on_read);
}

void
sock_h2o_end(struct sock *sock)
{
	sock->tls->data = NULL;
	h2o_socket_close(sock->tls);
	sock->tls = NULL;
	sock->has_tls = false;
	loop_again(sock->socks->loop);
}
