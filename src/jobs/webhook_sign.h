/* SPDX-License-Identifier: MIT */
/*
 * How a webhook proves where it comes from: two signatures of one request.
 *
 *	webhook-signature: v1,<base64> v1,<base64>
 *		HMAC-SHA256 over <id>.<timestamp>.<body> (Standard Webhooks),
 *		one for each secret that is valid, the newest first
 *	X-Webhook-Signature: sha256=<hex>
 *		HMAC-SHA256 over the body, with the newest
 *
 * Holds always:
 *  1. The first one's key is what stands in base64 behind whsec_, and of a
 *     secret of another form its text; the second one's is the whole text
 *     as it was given.
 *  2. What looks like whsec_ and is no base64 counts as text.
 *
 *	char legacy[WEBHOOK_LEGACY_SIZE];
 *
 *	webhook_sign(&secret, 1, id, stamp, body, &out);
 *	webhook_sign_legacy(secret, body, legacy);
 */
#ifndef JOBS_WEBHOOK_SIGN_H
#define JOBS_WEBHOOK_SIGN_H

#include "base/buf.h"

#define WEBHOOK_LEGACY_SIZE sizeof("sha256=" \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

/* stamp_s: seconds since 1970, as the header webhook-timestamp has them. */
void	webhook_sign(const text *secrets, unsigned count, text id,
	    int64_t stamp_s, text body, struct buf *out);
void	webhook_sign_legacy(text secret, text body,
	    char out[WEBHOOK_LEGACY_SIZE]);

#endif
