/* SPDX-License-Identifier: MIT */
/*
 * The set of sockets: how they come, what they read, what an owner may ask.
 */
#include "plat/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/count.h"
#include "plat/sock_inside.h"

#define READ_SIZE 65536
#define EVENTS 128
#define EVENT_ROUNDS 16		/* of so many, in one turn */
#define SLAB_SOCKS 127
#define LINE 64

#ifdef ARENA_MALLOC

static struct sock *
allocate(struct socks *socks)
{
	(void)socks;
	return (mem_alloc(sizeof(struct sock)));
}

static void
give_back(struct sock *sock)
{
	mem_free(sock);
}

#else

/* Aligned, so that the first half of a sock is one line of the cache. */
struct sock_slab {
	struct sock_slab *next;
	char		  room[LINE + SLAB_SOCKS * sizeof(struct sock)];
};

static void
add_slab(struct socks *socks)
{
	struct sock_slab *slab = mem_alloc(sizeof *slab);
	uintptr_t room = ((uintptr_t)slab->room + LINE - 1) / LINE * LINE;
	struct sock *first = (struct sock *)room;

	slab->next = socks->slabs;
	socks->slabs = slab;
	for (unsigned i = SLAB_SOCKS; i-- > 0;) {
		first[i].next = socks->free;
		socks->free = &first[i];
	}
}

static struct sock *
allocate(struct socks *socks)
{
	struct sock *sock;

	if (socks->free == NULL)
		add_slab(socks);
	sock = socks->free;
	socks->free = sock->next;
	return (sock);
}

static void
give_back(struct sock *sock)
{
	sock->next = sock->socks->free;
	sock->socks->free = sock;
}

static void
free_slabs(struct socks *socks)
{
	while (socks->slabs != NULL) {
		struct sock_slab *slab = socks->slabs;

		socks->slabs = slab->next;
		mem_free(slab);
	}
}

#endif

static struct sock *
create(struct socks *socks, const struct sock_acts *acts, void *owner)
{
	struct sock *sock = allocate(socks);
	uint32_t now = socks_now(socks);

	*sock = (struct sock){ .magic = SOCK_MAGIC, .fd = -1, .socks = socks,
	    .acts = acts, .owner = owner, .look_at_ms = now,
	    .last_in_ms = now, .last_out_ms = now };
	socks->count++;
	sock_wheel_put(sock);
	sock_wheel_start(socks);
	return (sock);
}

void
sock_free(struct sock *sock)
{
	sock_wheel_remove(sock);
	sock->magic = 0;
	sock->socks->count--;
	give_back(sock);
}

uint32_t
socks_now(struct socks *socks)
{
	int64_t arrival_us = loop_arrival_us(socks->loop);

	if (arrival_us != socks->arrival_us) {
		socks->arrival_us = arrival_us;
		socks->now_ms = (uint32_t)(arrival_us / 1000 -
		    socks->begin_ms);
	}
	return (socks->now_ms);
}

void
sock_state_set(struct sock *sock, enum sock_state state)
{
	static const bool may[4][4] = {
		[SOCK_OPEN]    = { [SOCK_CLOSING] = true,
		    [SOCK_DOOMED] = true },
		[SOCK_CLOSING] = { [SOCK_ENDED] = true, [SOCK_DOOMED] = true },
		[SOCK_ENDED]   = { [SOCK_DOOMED] = true },
	};

	must(may[sock->state][state]);
	sock->state = (uint8_t)state;
}

/* Coming. */

static void
bound_buffers(const struct sock_rules *rules, int fd)
{
	if (rules->send_buffer > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &rules->send_buffer,
		    sizeof rules->send_buffer);
	if (rules->receive_buffer > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rules->receive_buffer,
		    sizeof rules->receive_buffer);
}

struct sock *
sock_adopt_fd(struct socks *socks, int fd, const struct sock_acts *acts,
    void *owner)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct sock *sock = create(socks, acts, owner);

	event.data.ptr = sock;
	if (epoll_ctl(socks->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		close(fd);
		sock_free(sock);
		return (NULL);
	}
	sock->fd = fd;
	bound_buffers(socks->rules, fd);
	return (sock);
}

struct sock *
sock_adopt(struct socks *socks, struct st_h2o_socket_t *from,
    const struct sock_acts *acts, void *owner)
{
	struct bytes *early = sock_h2o_input(from);
	struct sock *sock;

	if (sock_h2o_has_tls(from)) {
		sock = create(socks, acts, owner);
		sock_h2o_begin(sock, from);
		bound_buffers(socks->rules, sock_h2o_fd(sock));
	} else {
		sock = sock_adopt_fd(socks, sock_h2o_export(from), acts,
		    owner);
	}
	if (sock == NULL) {
		bytes_give(&early);
	} else if (early != NULL) {
		sock->early = early;
		sock->has_early = true;
		sock_mark(sock);
	}
	return (sock);
}

int
sock_take_fd(struct st_h2o_socket_t *from, struct bytes **early)
{
	*early = NULL;
	if (sock_h2o_has_tls(from))
		return (-1);
	*early = sock_h2o_input(from);
	return (sock_h2o_export(from));
}

/* Reading. */

static void
read_bytes(struct sock *sock)
{
	struct socks *socks = sock->socks;
	ssize_t len = recv(sock->fd, socks->buffer, READ_SIZE, MSG_DONTWAIT);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		sock_doom(sock, len == 0 ? "closed by the peer" :
		    "connection lost");
		return;
	}
	sock->last_in_ms = socks_now(socks);
	sock->acts->on_bytes(sock, socks->buffer, (size_t)len);
}

static void
on_event(struct sock *sock, uint32_t events)
{
	if (sock->state == SOCK_DOOMED)
		return;
	if ((events & EPOLLOUT) != 0 && sock->is_blocked) {
		sock->is_blocked = false;
		sock_mark(sock);
	}
	if (!sock->is_paused && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		read_bytes(sock);
	else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		sock_doom(sock, "connection lost");
}

/* Whoever has more to be told stands last in the next round. */
static void
on_events(struct socks *socks)
{
	struct epoll_event events[EVENTS];
	int count = EVENTS;

	for (unsigned n = 0; n < EVENT_ROUNDS && count == EVENTS; n++) {
		count = epoll_wait(socks->epoll, events, EVENTS, 0);
		for (int i = 0; i < count; i++)
			on_event(events[i].data.ptr, events[i].events);
	}
}

/* The set. */

void
sock_rules_read(struct sock_rules *rules, const struct conf *conf)
{
	*rules = (struct sock_rules){
		.queue_max = (size_t)conf->socket_queue,
		.age_max_ms = conf->socket_queue_age,
		.send_buffer = (int)conf->socket_send_buffer,
		.receive_buffer = (int)conf->socket_receive_buffer,
	};
}

struct socks *
socks_create(struct loop *loop, const struct sock_rules *rules)
{
	struct socks *socks = object_create(struct socks, SOCKS_MAGIC);

	socks->loop = loop;
	socks->rules = rules;
	socks->begin_ms = loop_arrival_us(loop) / 1000;
	socks->buffer = mem_alloc(READ_SIZE);
	socks->epoll = epoll_create1(EPOLL_CLOEXEC);
	must(socks->epoll >= 0);
	socks->watch = loop_watch_readable(loop, socks->epoll, on_events,
	    socks);
	must(socks->watch != NULL);
	loop_at_turns_end(loop, socks_end_turn, socks);
	return (socks);
}

static void
cut(struct sock *sock, void *context)
{
	(void)context;
	sock_doom(sock, "the server stops");
}

void
socks_destroy(struct socks **given)
{
	struct socks *socks = *given;

	*given = NULL;
	if (socks == NULL)
		return;
	object_check(socks, SOCKS_MAGIC);
	socks_each(socks, cut, NULL);
	while (socks->dirty_count > 0)
		socks_end_turn(socks);
	must(socks->count == 0 && socks->queued == 0);
	loop_leave_turns_end(socks->loop, socks);
	loop_forget(&socks->watch);
	timer_stop(loop_timers(socks->loop), &socks->tick);
	close(socks->epoll);
	sock_queue_free_spare(socks);
#ifndef ARENA_MALLOC
	free_slabs(socks);
#endif
	mem_free(socks->dirty);
	mem_free(socks->buffer);
	object_free(&socks);
}

size_t
socks_count(const struct socks *socks)
{
	return (socks->count);
}

void
sock_pause(struct sock *sock)
{
	if (sock->is_paused || sock->state != SOCK_OPEN)
		return;
	sock->is_paused = true;
	if (sock->tls != NULL)
		sock_h2o_pause(sock);
	else
		sock_ask_epoll(sock, EPOLL_CTL_MOD);
}

void
sock_resume(struct sock *sock)
{
	if (!sock->is_paused || sock->state == SOCK_DOOMED)
		return;
	sock->is_paused = false;
	if (sock->tls != NULL)
		sock_h2o_resume(sock);
	else
		sock_ask_epoll(sock, EPOLL_CTL_MOD);
	if (sock->early != NULL)
		sock_mark(sock);
}

/* What an owner asks. */

void
sock_send(struct sock *sock, struct bytes *bytes, enum sock_kind kind,
    uint64_t key)
{
	object_check(sock, SOCK_MAGIC);
	if (sock->state == SOCK_OPEN && sock->over == SOCK_WELL)
		sock_queue_add(sock, bytes, kind, key);
}

bool
sock_has_room(struct sock *sock)
{
	bool has = sock->queued <= sock->socks->rules->queue_max / 2;

	if (!has)
		sock->wants_room = true;
	return (has);
}

size_t
sock_queued(const struct sock *sock)
{
	return (sock->queued);
}

bool
sock_is_blocked(const struct sock *sock)
{
	return (sock->is_blocked);
}

void *
sock_owner(const struct sock *sock)
{
	return (sock->owner);
}

int64_t
sock_silent_ms(const struct sock *sock)
{
	return ((int32_t)(socks_now(sock->socks) - sock->last_in_ms));
}

int64_t
sock_idle_ms(const struct sock *sock)
{
	return ((int32_t)(socks_now(sock->socks) - sock->last_out_ms));
}

void
sock_close(struct sock *sock, struct bytes *farewell, enum sock_ending ending,
    int64_t most_ms)
{
	if (sock->state != SOCK_OPEN) {
		if (ending == SOCK_WHEN_SENT)
			sock->ending = SOCK_WHEN_SENT;
		if (ending == SOCK_WHEN_SENT && sock->state == SOCK_ENDED)
			sock_doom(sock, "closed");
		return;
	}
	sock->over = SOCK_WELL;
	if (farewell != NULL)
		sock_queue_append(sock, farewell, SOCK_CONTROL, 0);
	sock_resume(sock);
	if (sock->state != SOCK_OPEN)
		return;
	sock->ending = (uint8_t)ending;
	sock->deadline_ms = socks_now(sock->socks) + (uint32_t)most_ms;
	sock_state_set(sock, SOCK_CLOSING);
	sock_wheel_put(sock);
	sock_mark(sock);
}

void
sock_cut(struct sock *sock, const char *why)
{
	sock_doom(sock, why);
}
