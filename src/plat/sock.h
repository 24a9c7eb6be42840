/* SPDX-License-Identifier: MIT */
/*
 * Sockets after the upgrade: many, mostly silent, sent the same bytes.
 *
 * A plain socket leaves h2o; all of them stand in an epoll set of our own,
 * which is one descriptor to the loop. One under TLS stays with h2o, behind
 * the same calls.
 *
 *	        sock_send                 the turn's end
 *	owner ────────────> one queue ──────────────────> one write each
 *	                    of references
 *
 * Holds always:
 *  1. What is sent in one turn of the loop leaves in one write a socket. A
 *     queue holds references to bytes shared by all.
 *  2. Callbacks come from the loop, never from within a call of the owner;
 *     so he may call anything here at any time, for any socket. on_closed
 *     comes once for each, last, whoever closed it; then it is gone.
 *  3. A queue is bounded by bytes and by age. A LIVE entry may be left out;
 *     where the queue is more than half full it takes the place of an older
 *     one of its key. A numbered one is sent, or on_overflow is called and
 *     the owner closes. Control frames have room of their own.
 *  4. A silent socket has nothing but its struct (128 bytes): no buffer, no
 *     timer. Reading is into one buffer for all.
 *  5. What the kernel keeps for a socket is bounded by the rules, too.
 *
 *	socks = socks_create(loop, &rules);
 *	sock = sock_adopt(socks, h2o_socket, &acts, me);
 *	bytes = frame_write(FRAME_TEXT, payload);
 *	sock_send(sock, bytes, SOCK_NUMBERED, 0);	each subscriber
 *	bytes_give(&bytes);
 *	...
 *	sock_close(sock, farewell, SOCK_WHEN_PEER_ENDS, 5000);
 */
#ifndef PLAT_SOCK_H
#define PLAT_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct conf;
struct loop;
struct sock;
struct socks;
struct st_h2o_socket_t;

/* Beside the length of an entry, what it takes of queue_max. */
#define SOCK_ENTRY_COST 64
#define SOCK_CONTROL_ROOM 4096

enum sock_kind { SOCK_NUMBERED, SOCK_LIVE, SOCK_CONTROL };

/* After the farewell was taken by the kernel: close, or hear the peer out. */
enum sock_ending { SOCK_WHEN_SENT, SOCK_WHEN_PEER_ENDS };

struct sock_rules {
	size_t	 queue_max;	/* bytes; an empty queue takes any */
	int64_t	 age_max_ms;
	int	 send_buffer;	/* the kernel's; 0: as it likes */
	int	 receive_buffer;
};

struct sock_acts {
	/* They may be changed; after the call they are gone. */
	void	(*on_bytes)(struct sock *sock, char *at, size_t len);
	/* Its queue is shed. Who does not close it now has it cut. */
	void	(*on_overflow)(struct sock *sock, const char *why);
	/* sock_has_room said no; now it would say yes. */
	void	(*on_room)(struct sock *sock);
	/* The time has come; says when to look again. May be NULL. */
	int64_t	(*on_look)(struct sock *sock);
	void	(*on_closed)(struct sock *sock, const char *why);
};

void	sock_rules_read(struct sock_rules *rules, const struct conf *conf);

/* The caller keeps the rules, and may change them. */
struct socks	*socks_create(struct loop *loop,
		    const struct sock_rules *rules);
/* Cuts those that are left; each on_closed is called. */
void		 socks_destroy(struct socks **socks);
size_t		 socks_count(const struct socks *socks);
/* Any may be closed in there. */
void		 socks_each(struct socks *socks,
		    void (*call)(struct sock *sock, void *context),
		    void *context);

/*
 * In the callback of h2o's upgrade, after the request was consumed from its
 * input: what is left there comes by on_bytes at the end of the turn. The
 * socket is h2o's no more, whatever stood in its on_close has been called
 * (not so under TLS: take it away before, if it has to be). NULL: the
 * kernel had no room, and it is closed. The first on_look comes soon.
 */
struct sock	*sock_adopt(struct socks *socks, struct st_h2o_socket_t *from,
		    const struct sock_acts *acts, void *owner);
/* The same of a descriptor, which becomes ours. */
struct sock	*sock_adopt_fd(struct socks *socks, int fd,
		    const struct sock_acts *acts, void *owner);
/*
 * For another process, instead of sock_adopt: its descriptor, which is h2o's
 * no more, and what lies in its input, or NULL. -1: it is under TLS, and
 * stays as it is.
 */
int		 sock_take_fd(struct st_h2o_socket_t *from,
		    struct bytes **early_out);
void		*sock_owner(const struct sock *sock);

/*
 * Takes a reference of its own. key: of LIVE entries, and of control frames
 * of which only the last matters; 0: of none.
 */
void	sock_send(struct sock *sock, struct bytes *bytes, enum sock_kind kind,
	    uint64_t key);
/* Whether the queue is at most half full; no: on_room will be called. */
bool	sock_has_room(struct sock *sock);
size_t	sock_queued(const struct sock *sock);
/* Whether the kernel, or TLS, has yet to take what was sent. */
bool	sock_is_blocked(const struct sock *sock);

/*
 * farewell may be NULL; nothing that is sent later leaves. Once more, with
 * SOCK_WHEN_SENT: what was to be heard of the peer was heard.
 */
void	sock_close(struct sock *sock, struct bytes *farewell,
	    enum sock_ending ending, int64_t most_ms);
/* At once. why is a string that stays valid. */
void	sock_cut(struct sock *sock, const char *why);

/* No on_bytes until resumed; nor is it seen that the peer is gone. */
void	sock_pause(struct sock *sock);
void	sock_resume(struct sock *sock);

/* When on_look is to come, to a second: counted from now. */
void	sock_look_in(struct sock *sock, int64_t ms);
/* Since bytes last came; since the kernel last took some. */
int64_t	sock_silent_ms(const struct sock *sock);
int64_t	sock_idle_ms(const struct sock *sock);

#endif
