/* SPDX-License-Identifier: MIT */
/*
 * REST: from a request of h2o's to an operation, and its answer back.
 *
 *	h2o_req_t -> tenant -> path -> route -> method -> who -> body ->
 *		     404 429   400     404	405	  401	 415 400
 *	inputs -> operation -> answer
 *	400
 *
 * What is public and kept (core/cache) is answered as soon as its tenant is
 * known.
 *
 * Holds always:
 *  1. Checks come in the order drawn here, so that a client is always told
 *     about what it has to mend first.
 *  2. What h2o refuses by itself (a body too large, an unknown expectation,
 *     a broken encoding) is told in the same form as our refusals.
 *  3. A request has one op, from its arrival to its end. If its client goes
 *     before the answer, the op lives on without it.
 */
#ifndef TRANSPORT_REST_H
#define TRANSPORT_REST_H

#include "transport/engineio_set.h"
#include "transport/ws_upgrade.h"

struct rest;

/* What is upgraded, and Engine.IO's, up to one without a path; or NULL. */
struct rest	*rest_create(const struct op_ground *ground,
		    struct loop *loop, const struct ws_door *doors,
		    const struct engineio_door *engines);
void		 rest_destroy(struct rest **rest);
struct ws_set	*rest_ws_set(const struct rest *rest);
struct engineio_set *rest_engineio_set(const struct rest *rest);
/* Serves a host of h2o's configuration; the door is the peer's. */
void		 rest_serve(struct rest *rest, h2o_hostconf_t *host);

#endif
