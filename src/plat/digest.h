/* SPDX-License-Identifier: MIT */
/*
 * Digests (OpenSSL's SHA-256; SHA-1 where a protocol wants it).
 *
 * Holds always:
 *  1. The algorithm is fetched once for the process; a digest of a short
 *     text costs less than a microsecond.
 *  2. Only the loop's own thread calls here.
 *
 *	char hex[2 * 16 + 1];
 *	digest_as_hex(body, hex, sizeof hex);
 */
#ifndef PLAT_DIGEST_H
#define PLAT_DIGEST_H

#include <stddef.h>

#include "base/text.h"

#define DIGEST_SIZE 32

void	digest_of(text t, unsigned char out[DIGEST_SIZE]);
/* The first digits of the SHA-256, as many as fit before the NUL. */
void	digest_as_hex(text t, char *out, size_t size);
/* SHA-256 of what comes piece by piece; the end gives its memory back. */
struct digest;
#define DIGEST_HEX_SIZE (2 * DIGEST_SIZE + 1)
struct digest *digest_begin(void);
void	digest_add(struct digest *digest, text t);
void	digest_end(struct digest **digest, char out[DIGEST_HEX_SIZE]);
/* SHA-1 in base64: 28 letters and a NUL. */
#define DIGEST_SHA1_SIZE 29
void	digest_sha1(text t, char out[DIGEST_SHA1_SIZE]);
/* And SHA-256 in base64: 44 letters and a NUL. */
#define DIGEST_BASE64_SIZE 45
void	digest_as_base64(text t, char out[DIGEST_BASE64_SIZE]);

#endif
