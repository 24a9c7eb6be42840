/* SPDX-License-Identifier: MIT */
/*
 * Randomness without bias and comparison without a leak.
 */
#include "base/secret.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/must.h"

#define STOCK_SIZE 512
#define OF_STOCK_MAX 32

/*
 * Asked of the kernel for many names at once. Each thread of each process has
 * its own; what was given out is not in it any more.
 */
struct stock {
	size_t	 left;
	unsigned char at[STOCK_SIZE];
};

static _Thread_local struct stock stock;
static pthread_once_t forks = PTHREAD_ONCE_INIT;

/* A copy made by fork is nobody's. */
static void
forget_copy(void)
{
	stock.left = 0;
}

static void
look_at_forks(void)
{
	if (pthread_atfork(NULL, NULL, forget_copy) != 0)
		must_never("memory is to be had");
}

static void
ask_kernel(void *at, size_t len)
{
	char *to = at;

	while (len > 0) {
		ssize_t n = getrandom(to, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		must(n > 0);
		to += n;
		len -= (size_t)n;
	}
}

static void
take_of_stock(void *at, size_t len)
{
	if (stock.left < len) {
		pthread_once(&forks, look_at_forks);
		ask_kernel(stock.at, STOCK_SIZE);
		stock.left = STOCK_SIZE;
	}
	stock.left -= len;
	memcpy(at, stock.at + stock.left, len);
	explicit_bzero(stock.at + stock.left, len);
}

void
secret_fill(void *at, size_t len)
{
	if (len <= OF_STOCK_MAX)
		take_of_stock(at, len);
	else
		ask_kernel(at, len);
}

void
secret_letters(char *out, size_t count)
{
	/* 32 signs, so that each takes five bits and none is likelier. */
	static const char signs[] = "abcdefghjkmnpqrstuvwxyz123456789";

	secret_fill(out, count);
	for (size_t i = 0; i < count; i++)
		out[i] = signs[(unsigned char)out[i] % 32];
	out[count] = '\0';
}

bool
secret_is(text a, text b)
{
	unsigned char differ = a.len != b.len;

	for (size_t i = 0; i < a.len && i < b.len; i++)
		differ |= (unsigned char)(a.at[i] ^ b.at[i]);
	return (differ == 0);
}
