/* SPDX-License-Identifier: MIT */
/*
 * Randomness without bias and comparison without a leak.
 */
#include "base/secret.h"

#include <errno.h>
#include <sys/random.h>

#include "base/must.h"

void
secret_fill(void *at, size_t len)
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
