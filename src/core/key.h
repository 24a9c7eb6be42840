/* SPDX-License-Identifier: MIT */
/*
 * Admin keys: how one is found, and how it is proved.
 *
 *	lookup	HMAC-SHA256(server's secret, tenant, key), in hex: finds the
 *		row; without the secret it says nothing about the key
 *	hash	scrypt of the key under a salt of its own: proves it, once
 *
 *	scrypt$16384$8$1$<salt, 32 hex digits>$<hash, 64 hex digits>
 *	       N     r p
 *
 * Holds always:
 *  1. A key that is checked against a hash and one that is checked against
 *     nobody take the same time, as long as hashes have the costs of today.
 *     A hash that cannot be read costs the same and proves nothing.
 *  2. Costs come from the hash's own text, within bounds: whoever writes to
 *     the table cannot make us work or allocate without end.
 *  3. All but key_lookup take tens of milliseconds and 16 MiB: they belong
 *     into a crew. They run in any thread.
 *
 *	char lookup[KEY_LOOKUP_SIZE];
 *	key_lookup(secret, tenant, key, lookup);
 *	...							the row is read
 *	is_good = row ? key_check(key, hash) : key_check_nobody(key);
 */
#ifndef CORE_KEY_H
#define CORE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define KEY_SIGNS_MAX 256		/* of a key */
#define KEY_LOOKUP_SIZE (2 * 32 + 1)
#define KEY_HASH_SIZE sizeof("scrypt$16384$8$1$"			\
	"0123456789abcdef0123456789abcdef$"				\
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

/*
 * Whether it can be anybody's key: 1 to KEY_SIGNS_MAX signs of UTF-8, none of
 * them NUL, as a login can carry it. All else here takes any text.
 */
bool	key_is_fit(text key);

/* The same on all hosts that share the secret, another in each tenant. */
void	key_lookup(text secret, int32_t tenant, text key,
	    char out[KEY_LOOKUP_SIZE]);

/* With a new salt each time. */
void	key_hash(text key, char out[KEY_HASH_SIZE]);
bool	key_check(text key, text hash);
/* As long as key_check takes; always false. */
bool	key_check_nobody(text key);

#endif
