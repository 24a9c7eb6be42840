/* SPDX-License-Identifier: MIT */
/*
 * Waking sleepers. Two orders decide, and both sides have a full fence in
 * the middle of theirs:
 *
 *	sleeper				waker
 *	is_sleeping = 1			publish
 *	fence				fence
 *	look for news			is_sleeping?
 *
 * One of the two fences comes first. If it is the sleeper's, the waker sees
 * the flag; if it is the waker's, the sleeper sees the news.
 */
#include "plat/wake.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

static struct {
	int		*fds;
	unsigned	 count;
} wakers;

bool
wake_open(const struct segment *segment)
{
	must(wakers.fds == NULL);
	wakers.fds = mem_alloc(segment->slots_count * sizeof *wakers.fds);
	while (wakers.count < segment->slots_count) {
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

		if (fd < 0) {
			int error = errno;

			wake_close();
			errno = error;
			return (false);
		}
		wakers.fds[wakers.count++] = fd;
	}
	return (true);
}

void
wake_close(void)
{
	while (wakers.count > 0)
		close(wakers.fds[--wakers.count]);
	mem_free(wakers.fds);
	wakers.fds = NULL;
}

int
wake_fd(unsigned slot)
{
	must(slot < wakers.count);
	return (wakers.fds[slot]);
}

/* After the fence. Of several wakers one writes. */
static void
wake_if_asleep(struct segment *segment, unsigned slot)
{
	_Atomic uint32_t *flag = &segment->slots[slot].is_sleeping;
	uint64_t one = 1;
	ssize_t written;

	if (atomic_load_explicit(flag, memory_order_relaxed) == 0 ||
	    atomic_exchange(flag, 0) == 0)
		return;
	/* It can only fail where the count is full, and that wakes as well. */
	written = write(wake_fd(slot), &one, sizeof one);
	must(written == sizeof one || errno == EAGAIN);
	COUNT(ring_wakes);
}

/* The same, of news: only who listens so much, and told before he is woken. */
static void
tell_news(struct segment *segment, unsigned slot, enum listens least)
{
	struct slot *one = &segment->slots[slot];

	if (atomic_load_explicit(&one->listens, memory_order_relaxed) < least)
		return;
	if (atomic_load_explicit(&one->has_news, memory_order_relaxed) == 0)
		atomic_store(&one->has_news, 1);
	atomic_thread_fence(memory_order_seq_cst);
	wake_if_asleep(segment, slot);
}

void
wake_slot(struct segment *segment, unsigned slot)
{
	must(slot < segment->slots_count);
	atomic_thread_fence(memory_order_seq_cst);
	wake_if_asleep(segment, slot);
}

void
wake_readers_but(struct segment *segment, unsigned slot)
{
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < segment->slots_count; i++)
		if (i != slot)
			tell_news(segment, i, LISTENS_RINGS);
}

void
wake_role(struct segment *segment, enum role role)
{
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < segment->slots_count; i++)
		if (atomic_load_explicit(&segment->slots[i].role,
		    memory_order_relaxed) == role)
			tell_news(segment, i, LISTENS_ROLE);
}

void
wake_listen(struct segment *segment, unsigned slot, enum listens listens)
{
	must(slot < segment->slots_count);
	atomic_store(&segment->slots[slot].listens, listens);
}

bool
wake_take_news(struct segment *segment, unsigned slot)
{
	_Atomic uint32_t *news = &segment->slots[slot].has_news;
	bool has = atomic_load(news) != 0 && atomic_exchange(news, 0) != 0;

	/* Who found it set before that wrote to his ring before. */
	atomic_thread_fence(memory_order_seq_cst);
	return (has);
}

void
wake_has_more(struct segment *segment, unsigned slot)
{
	must(slot < segment->slots_count);
	atomic_store(&segment->slots[slot].has_news, 1);
}

void
wake_before_sleep(struct segment *segment, unsigned slot)
{
	must(slot < segment->slots_count);
	atomic_store_explicit(&segment->slots[slot].is_sleeping, 1,
	    memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

void
wake_after_sleep(struct segment *segment, unsigned slot)
{
	must(slot < segment->slots_count);
	atomic_store_explicit(&segment->slots[slot].is_sleeping, 0,
	    memory_order_relaxed);
}
