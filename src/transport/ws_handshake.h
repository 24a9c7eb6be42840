/* SPDX-License-Identifier: MIT */
/*
 * Whether a request asks for a WebSocket (RFC 6455, 4.2), and the answer's
 * headers.
 *
 *	GET /api/sessions/live HTTP/1.1
 *	Upgrade: websocket, Connection: upgrade
 *	Sec-WebSocket-Version: 13, Sec-WebSocket-Key: 16 bytes in base64
 *
 * Holds always:
 *  1. Each header that has to be there is there once.
 *  2. A page of an origin that the tenant does not allow is refused; who
 *     sends no Origin is no browser. Without a tenant all are allowed.
 *
 *	err = ws_handshake_read(req, tenant, &handshake);
 *	if (err == ERR_none)
 *		ws_handshake_answer(req, &handshake);
 */
#ifndef TRANSPORT_WS_HANDSHAKE_H
#define TRANSPORT_WS_HANDSHAKE_H

#include <h2o.h>

#include "core/error.h"
#include "plat/digest.h"
#include "plat/frame_deflate.h"

struct tenant;

#define WS_ACCEPT_SIZE DIGEST_SHA1_SIZE

struct ws_handshake {
	char			accept[WS_ACCEPT_SIZE];
	struct frame_deflate	deflate;
};

/* ERR_upgrade_required, ERR_bad_handshake, ERR_origin_not_allowed. */
enum err ws_handshake_read(const h2o_req_t *req, const struct tenant *tenant,
	    struct ws_handshake *out);
/* Status and headers of 101. */
void	ws_handshake_answer(h2o_req_t *req,
	    const struct ws_handshake *handshake);

/* What the key becomes; false: it is none. */
bool	ws_accept_of(text key, char out[WS_ACCEPT_SIZE]);

#endif
