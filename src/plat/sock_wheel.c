/* SPDX-License-Identifier: MIT */
/*
 * Who is looked at when: a wheel of a minute, a slot for each second. Every
 * socket is in one slot, so the wheel is also the list of all.
 *
 * Nothing that happens to a socket moves it: when its slot comes, it is seen
 * whether its time has come, and it is put on. Only who is slow or closing
 * is looked at every second.
 */
#include "plat/sock_inside.h"

#define SECOND 1000

static void
link_to(struct sock *sock, unsigned slot)
{
	struct sock **head = &sock->socks->wheel[slot % SOCK_SLOTS];

	sock->next = *head;
	sock->link = head;
	if (sock->next != NULL)
		sock->next->link = &sock->next;
	*head = sock;
}

void
sock_wheel_remove(struct sock *sock)
{
	if (sock->link == NULL)
		return;
	*sock->link = sock->next;
	if (sock->next != NULL)
		sock->next->link = sock->link;
	sock->link = NULL;
	sock->next = NULL;
}

static bool
is_urgent(const struct sock *sock)
{
	return (sock->is_blocked || sock->state != SOCK_OPEN);
}

void
sock_wheel_put(struct sock *sock)
{
	int32_t wait = 0;
	unsigned slots = 1;

	if (!is_urgent(sock)) {
		wait = (int32_t)(sock->look_at_ms - sock->socks->now_ms);
		slots = wait <= 0 ? 1 : (unsigned)(wait + SECOND - 1) / SECOND;
	}
	if (slots >= SOCK_SLOTS)
		slots = SOCK_SLOTS - 1;
	sock_wheel_remove(sock);
	link_to(sock, sock->socks->slot + slots);
}

static bool
has_passed(uint32_t now, uint32_t time)
{
	return ((int32_t)(now - time) >= 0);
}

static bool
is_old(const struct sock *sock, uint32_t now)
{
	uint32_t since = sock->tls != NULL ? sock->tls_since_ms :
	    sock->head.since_ms;

	if (!sock->is_blocked || (sock->tls == NULL && sock->queued == 0))
		return (false);
	return ((int32_t)(now - since) > sock->socks->rules->age_max_ms);
}

static void
ask_owner(struct sock *sock, uint32_t now)
{
	int64_t ms;

	/* Put off first, because he may put it off himself. */
	sock->look_at_ms = now + SOCK_SLOTS * SECOND;
	if (sock->acts->on_look == NULL)
		return;
	ms = sock->acts->on_look(sock);
	if (sock->state == SOCK_OPEN)
		sock_look_in(sock, ms);
}

static void
look_at(struct sock *sock, uint32_t now)
{
	switch ((enum sock_state)sock->state) {
	case SOCK_OPEN:
		if (sock->over == SOCK_WELL && is_old(sock, now))
			sock_overflow(sock, SOCK_OLD);
		else if (has_passed(now, sock->look_at_ms))
			ask_owner(sock, now);
		break;
	case SOCK_CLOSING:
	case SOCK_ENDED:
		if (has_passed(now, sock->deadline_ms))
			sock_doom(sock, "not closed in time");
		break;
	case SOCK_DOOMED:
		break;
	}
}

static void
on_tick(struct socks *socks)
{
	struct sock *come, *sock;
	uint32_t now = socks_now(socks);

	socks->slot = (socks->slot + 1) % SOCK_SLOTS;
	come = socks->wheel[socks->slot];
	socks->wheel[socks->slot] = NULL;
	if (come != NULL)
		come->link = &come;
	while ((sock = come) != NULL) {
		sock_wheel_put(sock);
		look_at(sock, now);
	}
	if (socks->count > 0)
		timer_set(loop_timers(socks->loop), &socks->tick, SECOND);
}

void
sock_wheel_start(struct socks *socks)
{
	if (socks->tick.ring == NULL)
		timer_init(&socks->tick, on_tick, socks);
	if (!timer_is_set(&socks->tick))
		timer_set(loop_timers(socks->loop), &socks->tick, SECOND);
}

void
sock_look_in(struct sock *sock, int64_t ms)
{
	uint32_t now = socks_now(sock->socks);

	if (sock->state == SOCK_DOOMED)
		return;
	if (ms < 0)
		ms = 0;
	sock->look_at_ms = now + (uint32_t)(ms < INT32_MAX ? ms : INT32_MAX);
	sock_wheel_put(sock);
}

void
socks_each(struct socks *socks, void (*call)(struct sock *sock, void *context),
    void *context)
{
	struct sock **all = mem_alloc(socks->count * sizeof *all);
	size_t count = 0;

	for (unsigned i = 0; i < SOCK_SLOTS; i++)
		for (struct sock *sock = socks->wheel[i]; sock != NULL;
		    sock = sock->next)
			all[count++] = sock;
	/* They are freed at the turn's end at the soonest. */
	for (size_t i = 0; i < count; i++)
		call(all[i], context);
	mem_free(all);
}
