/* SPDX-License-Identifier: MIT */
/*
 * Where Redis is and who we are there, as redis_url writes it.
 *
 *	redis://[[user]:password@]host[:port][/db]
 *	unix://[[user]:password@]/path[?db=db]
 *
 * Holds always:
 *  1. %XX stands for a byte in user, password and path; no NUL is made so.
 *  2. No message repeats any of the url.
 *
 *	if (!redis_url_read(text_of(conf->redis_url), &url, &why)) ...
 */
#ifndef BASE_REDIS_URL_H
#define BASE_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define REDIS_PORT 6379

struct redis_url {
	bool		is_unix;
	char		host[256];	/* a name or an address, unbracketed */
	uint16_t	port;
	char		path[108];	/* a socket's, with its NUL */
	char		user[256];	/* empty: that of old */
	char		password[1024];	/* empty: none */
	unsigned	db;
};

/* false: what is wrong with it, to be put behind its name. */
bool	redis_url_read(text url, struct redis_url *out, const char **why_out);

#endif
