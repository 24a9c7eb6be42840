/* SPDX-License-Identifier: MIT */
/*
 * Opening, adding, removing and closing listening sockets.
 *
 * Removing uses a small program in the kernel (SO_ATTACH_REUSEPORT_CBPF):
 * it names, for each new connection, one of the first `ordinals` sockets of
 * the group, which the kernel keeps in the order in which they listened.
 */
#include "plat/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "plat/proc.h"

#define BACKLOG		1024
#define QUIET_MS	3000	/* a handshake takes no longer to arrive */
#define TAKEN_MS	2000	/* a killed server's workers close by then */

void
listeners_init(struct listeners *listeners)
{
	*listeners = (struct listeners){ .count = 0 };
}

static struct listener *
listener_add(struct listeners *listeners, enum listener_kind kind)
{
	struct listener *listener;

	listeners->each = mem_resize(listeners->each,
	    (listeners->count + 1) * sizeof *listeners->each);
	listener = &listeners->each[listeners->count++];
	*listener = (struct listener){ .kind = kind };
	return (listener);
}

static void
listener_keep(struct listener *listener, int fd)
{
	listener->fds = mem_resize(listener->fds,
	    (listener->count + 1) * sizeof *listener->fds);
	listener->fds[listener->count++] = fd;
}

int
listener_fd(const struct listener *listener, unsigned ordinal)
{
	if (listener->is_shared)
		return (listener->count > 0 ? listener->fds[0] : -1);
	return (ordinal <= listener->count ? listener->fds[ordinal - 1] : -1);
}

/*
 * A socket without SO_REUSEPORT cannot be bound where anybody listens. A
 * server that was just killed may still be closing: it is given a moment.
 */
static bool
is_free(const struct listener *listener)
{
	int64_t until = clock_ms() + TAKEN_MS;
	bool is_bound;

	do {
		int on = 1, fd = socket(listener->address.ss_family,
		    SOCK_STREAM | SOCK_CLOEXEC, 0);

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		is_bound = bind(fd,
		    (const struct sockaddr *)&listener->address,
		    listener->address_len) == 0;
		if (!is_bound) {
			int why = errno;

			close(fd);
			errno = why;
			if (why != EADDRINUSE)
				return (false);
			proc_pause(20);
			errno = why;
		} else
			close(fd);
	} while (!is_bound && clock_ms() < until);
	return (is_bound);
}

/* Of all that are accepted there. A Unix socket knows no such delay. */
static void
send_at_once(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int
open_tcp(const struct listener *listener)
{
	int on = 1, fd = socket(listener->address.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return (-1);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	send_at_once(fd);
	if (listener->address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)&listener->address,
	    listener->address_len) != 0 || listen(fd, BACKLOG) != 0) {
		int why = errno;

		close(fd);
		errno = why;
		return (-1);
	}
	return (fd);
}

/* Removes a socket that nobody listens on any more; false: somebody does. */
static bool
clear_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_alive = connect(fd, (const struct sockaddr *)address,
	    sizeof *address) == 0 || (errno != ECONNREFUSED &&
	    errno != ENOENT);

	close(fd);
	if (!is_alive)
		unlink(address->sun_path);
	return (!is_alive);
}

/*
 * Reaches the socket through its folder's descriptor, because the path to
 * it may be longer than a socket's may be.
 */
static int
open_unix(const struct listener *listener)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char *for_folder = mem_copy_string(listener->unix_path);
	char *for_name = mem_copy_string(listener->unix_path);
	int folder, fd = -1, why = 0;

	folder = open(dirname(for_folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		goto out;
	snprintf(address.sun_path, sizeof address.sun_path,
	    "/proc/self/fd/%d/%s", folder, basename(for_name));
	if (!clear_stale(&address)) {
		errno = EADDRINUSE;
		goto out;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		goto out;
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    /* A proxy of another user comes in at the front; only the
	     * server's own user and root at the admins' door. */
	    chmod(address.sun_path, listener->kind == LISTEN_ADMIN ? 0600 :
	    0666) != 0 || listen(fd, BACKLOG) != 0) {
		why = errno;
		close(fd);
		errno = why;
		fd = -1;
	}
out:
	why = errno;
	if (folder >= 0)
		close(folder);
	mem_free(for_folder);
	mem_free(for_name);
	errno = why;
	return (fd);
}

static bool
add_one(struct listeners *listeners, enum listener_kind kind, text written,
    int folder, struct buf *problems)
{
	struct listener *listener;
	struct address address;
	const char *why = NULL;
	struct buf path;
	bool is_good;
	int fd;

	if (!address_read(written, &address, &why)) {
		buf_printf(problems, "listen: %.*s: %s\n",
		    TEXT_ARGS(written), why);
		return (false);
	}
	listener = listener_add(listeners, kind);
	buf_init(&path, BUF_NO_LIMIT);
	buf_add(&path, written);
	listener->written = buf_take(&path);
	if (address.kind != ADDRESS_UNIX) {
		listener->address_len = address_to_socket(&address,
		    &listener->address);
		is_good = is_free(listener);
	} else {
		if (address.path.at[0] != '/')
			buf_printf(&path, "/proc/self/fd/%d/", folder);
		buf_add(&path, address.path);
		listener->unix_path = buf_take(&path);
		listener->is_shared = true;
		fd = open_unix(listener);
		is_good = fd >= 0;
		if (is_good)
			listener_keep(listener, fd);
	}
	if (!is_good)
		buf_printf(problems, "cannot listen on %s: %s%s\n",
		    listener->written, strerror(errno),
		    errno == EADDRINUSE ? "; another program listens there: "
		    "stop it, or choose another address" :
		    errno == EACCES ? "; a port below 1024 needs root or "
		    "CAP_NET_BIND_SERVICE" : errno == EADDRNOTAVAIL ?
		    "; no interface of this machine has that address" : "");
	return (is_good);
}

bool
listeners_add(struct listeners *listeners, enum listener_kind kind,
    const char *hosts, int folder, struct buf *problems)
{
	text rest = text_of(hosts), word;
	bool is_good = true;

	while (text_next_word(&rest, &word))
		is_good = add_one(listeners, kind, word, folder, problems) &&
		    is_good;
	return (is_good);
}

void
listeners_add_inherited(struct listeners *listeners, enum listener_kind kind,
    int fd)
{
	struct listener *listener = listener_add(listeners, kind);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	send_at_once(fd);
	listener->written = mem_copy_string("handed over");
	listener->is_shared = true;
	listener->is_inherited = true;
	listener_keep(listener, fd);
}

/* Names a socket below `ordinals` at random for each new connection. */
static bool
keep_new_away(const struct listener *listener, unsigned ordinals)
{
	struct sock_filter code[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0,
		    (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM) },
		{ BPF_ALU | BPF_MOD | BPF_K, 0, 0, ordinals },
		{ BPF_RET | BPF_A, 0, 0, 0 },
	};
	struct sock_fprog program = { .len = 3, .filter = code };

	return (setsockopt(listener->fds[0], SOL_SOCKET,
	    SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0);
}

static void
let_new_everywhere(const struct listener *listener)
{
	int ignored = 0;

	/* No program attached: the kernel says so, and all is well. */
	setsockopt(listener->fds[0], SOL_SOCKET, SO_DETACH_REUSEPORT_BPF,
	    &ignored, sizeof ignored);
}

static bool
listener_grow(struct listener *listener, unsigned ordinals,
    struct buf *problems)
{
	while (listener->count < ordinals) {
		int fd = open_tcp(listener);

		if (fd < 0) {
			buf_printf(problems, "cannot listen on %s: %s\n",
			    listener->written, strerror(errno));
			return (false);
		}
		listener_keep(listener, fd);
	}
	return (true);
}

bool
listeners_resize(struct listeners *listeners, unsigned ordinals,
    struct buf *problems)
{
	bool may_close = true;

	for (unsigned i = 0; i < listeners->count; i++)
		if (!listeners->each[i].is_shared &&
		    !listener_grow(&listeners->each[i], ordinals, problems))
			return (false);
	if (ordinals < listeners->open) {
		for (unsigned i = 0; i < listeners->count; i++)
			if (!listeners->each[i].is_shared)
				may_close = keep_new_away(&listeners->each[i],
				    ordinals) && may_close;
		listeners->may_close = may_close;
		listeners->removed_ms = clock_ms();
	} else {
		for (unsigned i = 0; i < listeners->count; i++)
			if (!listeners->each[i].is_shared)
				let_new_everywhere(&listeners->each[i]);
		listeners->open = ordinals;
	}
	listeners->ordinals = ordinals;
	return (true);
}

/* How many connections wait to be accepted: the kernel tells by this field. */
static unsigned
queued(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return (0);
	return (info.tcpi_unacked);
}

bool
listeners_are_dry(const struct listeners *listeners)
{
	if (!listeners->may_close ||
	    clock_ms() - listeners->removed_ms < QUIET_MS)
		return (false);
	for (unsigned i = 0; i < listeners->count; i++) {
		const struct listener *listener = &listeners->each[i];

		for (unsigned j = listeners->ordinals; !listener->is_shared &&
		    j < listener->count; j++)
			if (queued(listener->fds[j]) > 0)
				return (false);
	}
	return (true);
}

void
listeners_close_removed(struct listeners *listeners)
{
	for (unsigned i = 0; i < listeners->count; i++) {
		struct listener *listener = &listeners->each[i];

		/* The last first, so that the others keep their places. */
		while (!listener->is_shared &&
		    listener->count > listeners->ordinals)
			close(listener->fds[--listener->count]);
		if (!listener->is_shared && listener->count > 0)
			let_new_everywhere(listener);
	}
	listeners->open = listeners->ordinals;
}

void
listeners_unlink(const struct listeners *listeners)
{
	for (unsigned i = 0; i < listeners->count; i++)
		if (listeners->each[i].unix_path != NULL)
			unlink(listeners->each[i].unix_path);
}

void
listeners_close(struct listeners *listeners)
{
	for (unsigned i = 0; i < listeners->count; i++) {
		struct listener *listener = &listeners->each[i];

		while (listener->count > 0)
			close(listener->fds[--listener->count]);
		mem_free(listener->fds);
		mem_free(listener->written);
		mem_free(listener->unix_path);
	}
	mem_free(listeners->each);
	listeners_init(listeners);
}
