/* SPDX-License-Identifier: MIT */
/*
 * What a worker needs to speak TLS: 1.2 and later, http/1.1 alone by ALPN.
 *
 * Session tickets are sealed with a key of the process that gave them: a
 * client that comes back to another worker shakes hands in full, and a
 * certificate that was renewed leaves no session of the old one behind.
 *
 * Holds always:
 *  1. It is made after the fork, and once made never changes; a reload
 *     makes new workers.
 *  2. No session is kept in memory.
 *
 *	const char *why;
 *	SSL_CTX *tls = tls_create(certificate, key, &why);
 *	...
 *	tls_destroy(&tls);
 */
#ifndef PLAT_TLS_H
#define PLAT_TLS_H

#include <openssl/ssl.h>

/* NULL, and why in words that stay valid until the next call. */
SSL_CTX	*tls_create(const char *certificate_file, const char *key_file,
	    const char **why_out);
void	 tls_destroy(SSL_CTX **tls);

#endif
