/* SPDX-License-Identifier: MIT */
/*
 * The listening sockets, all opened and kept by the master.
 *
 * A TCP address has one socket for each ordinal (SO_REUSEPORT), and the
 * kernel spreads connections over them; a Unix address, or a socket that was
 * handed over, is a single one which all workers share.
 *
 *			ordinal 1   ordinal 2   ordinal 3
 *	127.0.0.1:5000	 socket	     socket	 socket
 *	unix:/run/p	 ------------ socket ------------
 *
 * Holds always:
 *  1. A socket belongs to its ordinal, not to a process: it outlives every
 *     worker, and with it the connections that wait in it.
 *  2. Ordinals are added and removed at the end. A removed one gets no new
 *     connections from the moment of its removal, and is closed only when it
 *     is empty and has been quiet for a while; until then somebody has to
 *     accept from it.
 *  3. An address that another program listens on is refused, although
 *     SO_REUSEPORT alone would share it silently.
 */
#ifndef PLAT_LISTEN_H
#define PLAT_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"

enum listener_kind { LISTEN_FRONT, LISTEN_TLS, LISTEN_ADMIN };

struct listener {
	enum listener_kind	 kind;
	char			*written;
	bool			 is_shared;	/* its one socket is fds[0] */
	bool			 is_inherited;	/* it was handed over */
	struct sockaddr_storage	 address;
	socklen_t		 address_len;
	char			*unix_path;
	int			*fds;		/* of ordinal i + 1 */
	unsigned		 count;
};

struct listeners {
	struct listener	*each;
	unsigned	 count;
	unsigned	 ordinals;	/* that get connections */
	unsigned	 open;		/* and those still to be emptied */
	int64_t		 removed_ms;	/* when the last were removed */
	bool		 may_close;	/* the kernel keeps new ones away */
};

void	listeners_init(struct listeners *listeners);
/*
 * Addresses as the options have them. Relative Unix paths are below the
 * folder. false: problems has a line for each address that cannot be had.
 */
bool	listeners_add(struct listeners *listeners, enum listener_kind kind,
	    const char *hosts, int folder, struct buf *problems);
/* A socket that was handed over. */
void	listeners_add_inherited(struct listeners *listeners,
	    enum listener_kind kind, int fd);
/* Opens or removes ordinals, so that there are so many. */
bool	listeners_resize(struct listeners *listeners, unsigned ordinals,
	    struct buf *problems);
/* Whether the removed ones have run dry and may be closed. */
bool	listeners_are_dry(const struct listeners *listeners);
void	listeners_close_removed(struct listeners *listeners);
void	listeners_close(struct listeners *listeners);
/* Removes the names of our own Unix sockets: the master's, at its stop. */
void	listeners_unlink(const struct listeners *listeners);

/* The socket of an ordinal, from 1, shared or its own; -1 where none. */
int	listener_fd(const struct listener *listener, unsigned ordinal);

#endif
