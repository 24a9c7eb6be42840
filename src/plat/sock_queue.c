/* SPDX-License-Identifier: MIT */
/*
 * What waits for one socket: the head in the socket itself, since mostly
 * there is but one, and what is behind it in a ring that is borrowed.
 *
 *	 queue_max / 2	      queue_max
 *	 ──────┼──────────────────┼───────────────┐
 *	 all   │ LIVE replaces    │ LIVE goes     │ control frames'
 *	 enter │ LIVE of its key  │ for numbered  │ own room
 */
#include <sys/uio.h>

#include "base/count.h"
#include "plat/sock_inside.h"

#define MORE_FIRST 16		/* entries */
#define SPARE_MAX 4096

static struct sock_more *
more_create(struct socks *socks)
{
	struct sock_more *more = socks->spare;

	if (more != NULL) {
		socks->spare = more->next;
		socks->spare_count--;
		return (more);
	}
	more = mem_alloc(sizeof *more + MORE_FIRST * sizeof more->entries[0]);
	more->size = MORE_FIRST;
	return (more);
}

static void
more_give(struct socks *socks, struct sock_more **given)
{
	struct sock_more *more = *given;

	*given = NULL;
	if (more == NULL)
		return;
	if (more->size != MORE_FIRST || socks->spare_count == SPARE_MAX) {
		mem_free(more);
		return;
	}
	more->first = more->count = 0;
	more->next = socks->spare;
	socks->spare = more;
	socks->spare_count++;
}

void
sock_queue_free_spare(struct socks *socks)
{
	while (socks->spare != NULL) {
		struct sock_more *more = socks->spare;

		socks->spare = more->next;
		mem_free(more);
	}
	socks->spare_count = 0;
}

static struct sock_entry *
behind_head(struct sock_more *more, uint32_t i)
{
	return (&more->entries[(more->first + i) & (more->size - 1)]);
}

static struct sock_more *
more_grown(struct socks *socks, struct sock_more *old)
{
	struct sock_more *more = mem_alloc(sizeof *more +
	    2 * old->size * sizeof more->entries[0]);

	more->size = 2 * old->size;
	more->count = old->count;
	for (uint32_t i = 0; i < old->count; i++)
		more->entries[i] = *behind_head(old, i);
	more_give(socks, &old);
	return (more);
}

static void
charge(struct sock *sock, const struct sock_entry *entry, int sign)
{
	size_t cost = entry->bytes->len + SOCK_ENTRY_COST;

	sock->queued += (uint32_t)(sign > 0 ? cost : -cost);
	sock->socks->queued += sign > 0 ? cost : -cost;
}

void
sock_queue_append(struct sock *sock, struct bytes *bytes, enum sock_kind kind,
    uint64_t key)
{
	struct sock_entry *entry = &sock->head;

	if (sock->head.bytes != NULL) {
		if (sock->more == NULL)
			sock->more = more_create(sock->socks);
		else if (sock->more->count == sock->more->size)
			sock->more = more_grown(sock->socks, sock->more);
		entry = behind_head(sock->more, sock->more->count++);
	}
	*entry = (struct sock_entry){ bytes_share(bytes), key,
	    socks_now(sock->socks), kind };
	charge(sock, entry, 1);
}

/* The head is gone: the next that was not taken out takes its place. */
static void
promote(struct sock *sock)
{
	struct sock_more *more = sock->more;

	while (more != NULL && more->count > 0 && sock->head.bytes == NULL) {
		sock->head = *behind_head(more, 0);
		more->first = (more->first + 1) & (more->size - 1);
		more->count--;
	}
	if (more != NULL && more->count == 0)
		more_give(sock->socks, &sock->more);
}

static void
drop(struct sock *sock, struct sock_entry *entry)
{
	charge(sock, entry, -1);
	bytes_give(&entry->bytes);
}

/* Of a kind; of one key, unless it is 0. What is half written stays. */
static unsigned
drop_those(struct sock *sock, enum sock_kind kind, uint64_t key)
{
	struct sock_more *more = sock->more;
	unsigned dropped = 0;

	if (sock->offset == 0 && sock->head.bytes != NULL &&
	    sock->head.kind == kind && (key == 0 || sock->head.key == key)) {
		drop(sock, &sock->head);
		dropped++;
	}
	for (uint32_t i = 0; more != NULL && i < more->count; i++) {
		struct sock_entry *entry = behind_head(more, i);

		if (entry->bytes == NULL || entry->kind != kind ||
		    (key != 0 && entry->key != key))
			continue;
		drop(sock, entry);
		dropped++;
	}
	if (dropped > 0)
		promote(sock);
	return (dropped);
}

static bool
has_space(const struct sock *sock, size_t len, enum sock_kind kind)
{
	return (sock->queued == 0 || sock->queued + len + SOCK_ENTRY_COST <=
	    sock->socks->rules->queue_max +
	    (kind == SOCK_CONTROL ? SOCK_CONTROL_ROOM : 0));
}

/* More than half full: what may go, goes. Whether it may enter then. */
static bool
make_space(struct sock *sock, size_t len, enum sock_kind kind, uint64_t key)
{
	if (!sock->is_blocked)
		sock_flush(sock);
	if (kind != SOCK_NUMBERED && key != 0 && sock->queued > 0)
		COUNT_BY(sock_drops, drop_those(sock, kind, key));
	if (has_space(sock, len, kind))
		return (true);
	if (kind == SOCK_LIVE) {
		COUNT(sock_drops);
		return (false);
	}
	COUNT_BY(sock_drops, drop_those(sock, SOCK_LIVE, 0));
	if (has_space(sock, len, kind))
		return (true);
	sock_overflow(sock, SOCK_FULL);
	return (false);
}

void
sock_queue_add(struct sock *sock, struct bytes *bytes, enum sock_kind kind,
    uint64_t key)
{
	must(bytes->len > 0 && bytes->len < UINT32_MAX / 4);
	if (sock->queued > 0 && sock->queued + bytes->len + SOCK_ENTRY_COST >
	    sock->socks->rules->queue_max / 2 &&
	    !make_space(sock, bytes->len, kind, key))
		return;
	sock_queue_append(sock, bytes, kind, key);
	if (!sock->is_blocked)
		sock_mark(sock);
}

size_t
sock_queue_peek(struct sock *sock, struct iovec *iov, unsigned most,
    unsigned *count_out)
{
	struct sock_more *more = sock->more;
	size_t total = sock->head.bytes->len - sock->offset;
	unsigned count = 1;

	iov[0] = (struct iovec){ sock->head.bytes->at + sock->offset, total };
	for (uint32_t i = 0; more != NULL && i < more->count && count < most;
	    i++) {
		struct bytes *bytes = behind_head(more, i)->bytes;

		if (bytes == NULL)
			continue;
		iov[count++] = (struct iovec){ bytes->at, bytes->len };
		total += bytes->len;
	}
	*count_out = count;
	return (total);
}

void
sock_queue_take(struct sock *sock, size_t len)
{
	while (len > 0) {
		size_t left = sock->head.bytes->len - sock->offset;

		if (len < left) {
			sock->offset += (uint32_t)len;
			return;
		}
		len -= left;
		drop(sock, &sock->head);
		sock->offset = 0;
		promote(sock);
	}
}

void
sock_queue_shed(struct sock *sock)
{
	struct sock_more *more = sock->more;

	for (uint32_t i = 0; more != NULL && i < more->count; i++)
		if (behind_head(more, i)->bytes != NULL)
			drop(sock, behind_head(more, i));
	if (sock->offset == 0 && sock->head.bytes != NULL)
		drop(sock, &sock->head);
	promote(sock);
}

void
sock_queue_end(struct sock *sock)
{
	sock->offset = 0;
	sock_queue_shed(sock);
	must(sock->queued == 0 && sock->more == NULL);
}
