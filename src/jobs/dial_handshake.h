/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake of a WebSocket (RFC 6455, 4.1) as its client: the
 * request, and what the answer says. Bytes in, bytes out.
 *
 * Holds always:
 *  1. An answer is read only as far as it is whole; nothing is kept here.
 *  2. What UPGRADED says was asked for: our key's digest, our protocol or
 *     none, no extension.
 *
 *	if (dial_target_read(url, &target, why)) ...
 *	handshake_write(&target, key, &request, out);
 *	switch (handshake_read(got, key, protocol, &answer)) ...
 *	dial_target_fini(&target);
 */
#ifndef JOBS_DIAL_HANDSHAKE_H
#define JOBS_DIAL_HANDSHAKE_H

#include "base/buf.h"

#define HANDSHAKE_MAX	  16384		/* of an answer's headers */
#define HANDSHAKE_KEY_SIZE 25		/* 16 bytes in base64, and a NUL */

struct dial_request;

struct dial_target {
	bool		 is_tls;
	bool		 is_ip;
	struct buf	 host;		/* without brackets */
	struct buf	 connect;	/* http://host:port/, for libcurl */
	struct buf	 ask;		/* path?query */
	struct buf	 name;		/* of the header Host */
};

enum handshake {
	HANDSHAKE_NEEDS_MORE,
	HANDSHAKE_UPGRADED,
	HANDSHAKE_REFUSED,
	HANDSHAKE_BROKEN
};

struct handshake_answer {
	int		 status;
	size_t		 head_len;	/* what follows is body or frames */
	int64_t		 body_len;	/* -1: to the connection's end */
	int64_t		 retry_after_s;
	const char	*words;		/* of BROKEN */
};

/* false: why_out has words that stand. target is to be ended all the same. */
bool	dial_target_read(const char *url, struct dial_target *out,
	    const char **why_out);
void	dial_target_fini(struct dial_target *target);

void	handshake_make_key(char out[HANDSHAKE_KEY_SIZE]);
void	handshake_write(const struct dial_target *target, const char *key,
	    const struct dial_request *request, struct buf *out);
enum handshake handshake_read(text got, const char *key,
	    const char *protocol, struct handshake_answer *out);

#endif
