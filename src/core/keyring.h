/* SPDX-License-Identifier: MIT */
/*
 * The secrets that all hosts share, as the database lists them: the one that
 * finds admin keys, and those that sign tokens.
 *
 *	[{"kind":"jwt","id":"1f0c","value":"…","retires_at":null},
 *	 {"kind":"server","id":"77ab","value":"…","retires_at":null}, …]
 *
 * Holds always:
 *  1. A key of the options comes before those of the database; of those the
 *     newest comes first. The first one signs, all are believed. More than
 *     TOKEN_KEYS_MAX are not kept, the oldest are left out.
 *  2. What could be read has a server's secret and a key that signs.
 *
 *	struct keyring keyring;
 *	keyring_init(&keyring);
 *	if (keyring_read(&keyring, conf->jwt_secret, list))
 *		who_book_use_keys(book, keyring.keys, keyring.count);
 *	...
 *	keyring_fini(&keyring);
 */
#ifndef CORE_KEYRING_H
#define CORE_KEYRING_H

#include "base/mem.h"
#include "core/token.h"

/* What the options' key is called in tokens. */
#define KEYRING_OWN "conf"
#define KEYRING_COOKIES_MAX 4

struct keyring {
	struct arena		 arena;
	text			 server_secret;
	/* These sign cookies: the newest first, all are believed. */
	text			 cookie_secrets[KEYRING_COOKIES_MAX];
	unsigned		 cookie_count;
	struct token_key	 keys[TOKEN_KEYS_MAX];
	unsigned		 count;
	int64_t			 retires_ms;	/* the next one; 0: none */
};

void	keyring_init(struct keyring *keyring);
void	keyring_fini(struct keyring *keyring);
/*
 * Into an empty one. own: jwt_secret of the options, "" where there is none.
 * false: this is no such list.
 */
bool	keyring_read(struct keyring *keyring, const char *own, text json);

#endif
