/* SPDX-License-Identifier: MIT */
/*
 * What the files of plat/sock share.
 *
 *	sock.c		the set, coming, reading
 *	sock_turn.c	the turn's end: writing, going
 *	sock_queue.c	what waits for one socket
 *	sock_wheel.c	who is looked at when
 *	sock_h2o.c	what has to do with h2o
 *
 *	        sock_close          all is sent
 *	OPEN ───────────> CLOSING ─────────────> ENDED
 *	 │                   │                     │
 *	 └───────────────────┴──────> DOOMED <─────┘   gone at the turn's end
 *
 * Holds always:
 *  1. Delivery touches the first half of a struct sock, which is one line of
 *     the cache, and nothing else of it.
 *  2. Whose is_blocked is set is not written to: the kernel, or h2o, says
 *     when it may be.
 *  3. head.bytes is NULL if and only if the queue is empty.
 *  4. A sock is freed at the turn's end alone, and is then in no
 *     list.
 */
#ifndef PLAT_SOCK_INSIDE_H
#define PLAT_SOCK_INSIDE_H

#include "plat/loop.h"
#include "plat/sock.h"

#define SOCK_SLOTS 64		/* of the wheel, a second each */

enum sock_state { SOCK_OPEN, SOCK_CLOSING, SOCK_ENDED, SOCK_DOOMED };
enum sock_over { SOCK_WELL, SOCK_FULL, SOCK_OLD, SOCK_OVER_TOLD };

struct sock_entry {
	struct bytes	*bytes;		/* NULL: taken out again */
	uint64_t	 key;
	uint32_t	 since_ms;
	uint32_t	 kind;
};

/* What is behind the head: a ring, there only while it is needed. */
struct sock_more {
	struct sock_more *next;		/* among the spare ones */
	uint32_t	 first;
	uint32_t	 count;
	uint32_t	 size;		/* a power of two */
	struct sock_entry entries[];
};

struct sock {
	unsigned	 magic;
#define SOCK_MAGIC 0x736f636b
	int		 fd;
	struct socks	*socks;
	struct sock_entry head;
	uint32_t	 queued;	/* as queue_max counts */
	uint32_t	 offset;	/* of the head, taken by the kernel */
	struct sock_more *more;
	uint32_t	 last_out_ms;
	uint8_t		 state;
	uint8_t		 over;
	uint8_t		 ending;
	bool		 is_dirty : 1;	/* has business at the turn's end */
	bool		 is_blocked : 1;
	bool		 is_armed : 1;	/* EPOLLOUT is asked for */
	bool		 is_paused : 1;
	bool		 wants_room : 1;
	bool		 has_early : 1;	/* early is there */
	bool		 has_tls : 1;	/* tls is there */

	/* Not needed for delivery. */
	void		*owner;
	const struct sock_acts *acts;
	struct sock	*next;		/* in its slot, or among the free */
	struct sock	**link;
	struct st_h2o_socket_t *tls;
	struct bytes	*early;		/* came before it was ours */
	union {
		struct {
			uint32_t look_at_ms;
			uint32_t deadline_ms;
		};
		const char *why;	/* DOOMED */
	};
	uint32_t	 last_in_ms;
	uint32_t	 tls_since_ms;	/* of what h2o is writing */
};

_Static_assert(sizeof(struct sock) == 128, "two lines of the cache");

struct socks {
	unsigned	 magic;
#define SOCKS_MAGIC 0x736f6373
	int		 epoll;
	struct loop	*loop;
	struct loop_watch *watch;
	const struct sock_rules *rules;
	size_t		 count;
	char		*buffer;	/* what is read, for all */
	int64_t		 begin_ms;	/* the clock of all uint32_t times */
	int64_t		 arrival_us;	/* of the turn now_ms is of */
	uint32_t	 now_ms;

	struct sock	**dirty;
	size_t		 dirty_count;
	size_t		 dirty_size;

	struct timer	 tick;
	unsigned	 slot;		/* whose time came last */
	struct sock	*wheel[SOCK_SLOTS];

	struct sock	*free;
	struct sock_slab *slabs;
	struct sock_more *spare;
	unsigned	 spare_count;

	size_t		 queued;	/* by all */
};

/* sock.c */
uint32_t	socks_now(struct socks *socks);
void		sock_state_set(struct sock *sock, enum sock_state state);
void		sock_free(struct sock *sock);

/* sock_turn.c */
/* It is to be served at the turn's end; if that is over, at the next. */
void		sock_mark(struct sock *sock);
void		sock_doom(struct sock *sock, const char *why);
void		sock_overflow(struct sock *sock, enum sock_over over);
/* What epoll is to tell of it. */
void		sock_ask_epoll(struct sock *sock, int operation);
/* Writes as much as is taken. */
void		sock_flush(struct sock *sock);
void		socks_end_turn(struct socks *socks);

/* sock_queue.c */
struct iovec;
void		sock_queue_add(struct sock *sock, struct bytes *bytes,
		    enum sock_kind kind, uint64_t key);
/* Whether there is room or not. */
void		sock_queue_append(struct sock *sock, struct bytes *bytes,
		    enum sock_kind kind, uint64_t key);
/* The next to be written, at most so many; the bytes of them. */
size_t		sock_queue_peek(struct sock *sock, struct iovec *iov,
		    unsigned most, unsigned *count_out);
/* So many bytes were written. */
void		sock_queue_take(struct sock *sock, size_t len);
/* All but what is written in part. */
void		sock_queue_shed(struct sock *sock);
void		sock_queue_end(struct sock *sock);
void		sock_queue_free_spare(struct socks *socks);

/* sock_wheel.c */
void		sock_wheel_start(struct socks *socks);
/* Also to somewhere else. */
void		sock_wheel_put(struct sock *sock);
void		sock_wheel_remove(struct sock *sock);

/* sock_h2o.c */
bool		sock_h2o_has_tls(const struct st_h2o_socket_t *from);
/* Its descriptor, which is no more h2o's. */
int		sock_h2o_export(struct st_h2o_socket_t *from);
/* What it has read and nobody took, or NULL. */
struct bytes	*sock_h2o_input(struct st_h2o_socket_t *from);
void		sock_h2o_begin(struct sock *sock,
		    struct st_h2o_socket_t *from);
int		sock_h2o_fd(const struct sock *sock);
void		sock_h2o_flush(struct sock *sock);
void		sock_h2o_pause(struct sock *sock);
void		sock_h2o_resume(struct sock *sock);
void		sock_h2o_end(struct sock *sock);

#endif
