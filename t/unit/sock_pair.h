/* SPDX-License-Identifier: MIT */
/*
 * What the tests of plat/sock share: TCP pairs, an owner who writes down
 * what he is told, turns of the loop until something is so.
 */
#ifndef UNIT_SOCK_PAIR_H
#define UNIT_SOCK_PAIR_H

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/stamp.h"
#include "plat/loop.h"
#include "plat/sock.h"
#include "tap.h"

#define DEADLINE_MS 20000

struct owner {
	struct sock	*sock;
	int		 client;	/* the other end */
	struct buf	 in;		/* what came */
	unsigned	 overflows, rooms, looks, closes;
	const char	*why;
	void		(*then)(struct owner *owner);	/* in each callback */
	int64_t		 look_ms;
};

static struct loop *loop;
static struct socks *socks;
static struct sock_rules rules;

static void
on_bytes(struct sock *sock, char *at, size_t len)
{
	struct owner *owner = sock_owner(sock);

	buf_add(&owner->in, text_from(at, len));
	if (owner->then != NULL)
		owner->then(owner);
}

static void
on_overflow(struct sock *sock, const char *why)
{
	struct owner *owner = sock_owner(sock);

	owner->overflows++;
	owner->why = why;
	if (owner->then != NULL)
		owner->then(owner);
}

static void
on_room(struct sock *sock)
{
	struct owner *owner = sock_owner(sock);

	owner->rooms++;
	if (owner->then != NULL)
		owner->then(owner);
}

static int64_t
on_look(struct sock *sock)
{
	struct owner *owner = sock_owner(sock);

	owner->looks++;
	if (owner->then != NULL)
		owner->then(owner);
	return (owner->look_ms);
}

static void
on_closed(struct sock *sock, const char *why)
{
	struct owner *owner = sock_owner(sock);

	owner->closes++;
	owner->why = why;
	owner->sock = NULL;
}

__attribute__((unused)) static const struct sock_acts acts = { on_bytes,
    on_overflow, on_room, on_look, on_closed };

#define until(condition)						\
	do {								\
		int64_t latest = clock_ms() + DEADLINE_MS;		\
		while (!(condition) && clock_ms() < latest)		\
			loop_turn(loop, 20);				\
		ok(condition);						\
	} while (0)

static int
listener_on(struct sockaddr_in *address)
{
	socklen_t len = sizeof *address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET };
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)address, len) != 0 ||
	    listen(fd, 512) != 0 ||
	    getsockname(fd, (struct sockaddr *)address, &len) != 0)
		abort();
	return (fd);
}

/* Our end, which does not wait; theirs neither, if small: little is taken. */
__attribute__((unused)) static int
pair(int *client_out, bool is_small)
{
	static struct sockaddr_in address;
	static int listener = -1;
	int size = 4096, fd;

	if (listener < 0)
		listener = listener_on(&address);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (is_small)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
	    errno != EINPROGRESS)
		abort();
	*client_out = fd;
	return (accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

__attribute__((unused)) static void
owner_open(struct owner *owner, bool is_small)
{
	int fd = pair(&owner->client, is_small);

	buf_init(&owner->in, BUF_NO_LIMIT);
	owner->look_ms = 60000;
	owner->sock = sock_adopt_fd(socks, fd, &acts, owner);
	ok(owner->sock != NULL);
}

__attribute__((unused)) static void
owner_close(struct owner *owner)
{
	if (owner->sock != NULL)
		sock_cut(owner->sock, "the test is over");
	until(owner->sock == NULL);
	is(owner->closes, 1);
	close(owner->client);
	buf_fini(&owner->in);
	memset(owner, 0, sizeof *owner);
}

__attribute__((unused)) static struct bytes *
bytes_of(const char *string)
{
	struct bytes *bytes = bytes_create(strlen(string));

	memcpy(bytes->at, string, bytes->len);
	return (bytes);
}

__attribute__((unused)) static void
send_string(struct owner *owner, const char *string, enum sock_kind kind,
    uint64_t key)
{
	struct bytes *bytes = bytes_of(string);

	sock_send(owner->sock, bytes, kind, key);
	bytes_give(&bytes);
}

/* What there is to read now; false: the other side has ended. */
__attribute__((unused)) static bool
client_read(int client, struct buf *got)
{
	static char at[1 << 16];
	ssize_t len;

	while ((len = recv(client, at, sizeof at, MSG_DONTWAIT)) > 0)
		buf_add(got, text_from(at, (size_t)len));
	return (len < 0 && errno == EAGAIN);
}

/* A message of 1,000 bytes that begins with its number. */
__attribute__((unused)) static struct bytes *
numbered(unsigned number)
{
	struct bytes *bytes = bytes_create(1000);

	memset(bytes->at, '.', bytes->len);
	snprintf(bytes->at, bytes->len, "<%u", number);
	bytes->at[strlen(bytes->at)] = '.';
	bytes->at[999] = '\n';
	return (bytes);
}

__attribute__((unused)) static void
send_number(struct owner *owner, unsigned number)
{
	struct bytes *bytes = numbered(number);

	sock_send(owner->sock, bytes, SOCK_NUMBERED, 0);
	bytes_give(&bytes);
}

/* Until the kernel takes no more, and some more than it might yet take. */
__attribute__((unused)) static unsigned
block(struct owner *owner)
{
	unsigned number = 0;

	while (sock_queued(owner->sock) < 16000 && number < 10000) {
		for (unsigned i = 0; i < 8; i++)
			send_number(owner, ++number);
		loop_turn(loop, 0);
	}
	ok(number < 10000);
	return (number);
}

static void
begin(void)
{
	rules = (struct sock_rules){ .queue_max = 65536,
	    .age_max_ms = 60000, .send_buffer = 4096, .receive_buffer = 4096 };
	loop = loop_create();
	socks = socks_create(loop, &rules);
}

static void
end(void)
{
	socks_destroy(&socks);
	ok(socks == NULL);
	loop_turn(loop, 0);
	loop_destroy(&loop);
}

#endif
