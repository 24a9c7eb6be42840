/* SPDX-License-Identifier: MIT */
/*
 * Windows of a minute.
 */
#include "plat/window.h"

#include "base/must.h"

#define COUNT_MASK 0xffffffffULL

bool
window_count(_Atomic uint64_t *word, uint32_t n, int64_t most, int64_t now_s,
    struct window_left *left_out)
{
	uint64_t old = atomic_load(word), next;
	int64_t start, count;
	bool is_within;

	must(now_s >= 0 && now_s <= UINT32_MAX && most >= 0);
	do {
		start = (int64_t)(old >> 32);
		count = (int64_t)(old & COUNT_MASK);
		/* The fresh word is nobody's window. */
		if (old == 0 || now_s - start >= WINDOW_S) {
			start = now_s;
			count = 0;
		}
		is_within = count + n <= most && count + n <= UINT32_MAX;
		if (!is_within)
			break;
		count += n;
		next = (uint64_t)start << 32 | (uint64_t)count;
	} while (!atomic_compare_exchange_weak(word, &old, next));
	left_out->remaining = most > count ? most - count : 0;
	left_out->reset_s = now_s > start ? start + WINDOW_S - now_s :
	    WINDOW_S;
	return (is_within);
}
