/* SPDX-License-Identifier: MIT */
/*
 * How much of the live doors one address, one caller and one tenant may
 * have, whatever connections and workers of the host it is spread over.
 *
 *			by address  by caller  by tenant
 *	connections	  1		x	   2
 *	subscriptions	  x		x	   x
 *	messages a minute x		x	   x
 *
 *	1: any connection, plat/addresses	2: the same, core/limit
 *
 * Holds always:
 *  1. Where one of the three refuses, nothing is held. A message that is
 *     refused closes its connection, so what it counted does not matter.
 *  2. What is held is counted for whom it was taken for, also when the
 *     client has become another one since; bound_end gives just that back,
 *     and plat/addresses what a killed worker held.
 *  3. Who has no address (a Unix socket) is not counted as one; nor is a
 *     caller who did not sign in, or did not need to where reading is
 *     public.
 *
 *	bound_client_set(&me, tenant, op->client_address, caller);
 *	if (!bound_subscription(&me, slot, conf, &held))
 *		... too many ...
 *	bound_end(&held, slot);
 *	if (!bound_message(&me, conf, now_s, &reset_s))
 *		... too many, until reset_s have passed ...
 */
#ifndef CORE_BOUND_H
#define CORE_BOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "plat/rates.h"

struct caller;
struct conf;
struct tenant;

/* Numbers of plat/failures; 0: nobody. */
struct bound_client {
	uint64_t who[RATES];
};

/* All zero: nothing. */
struct bound_held {
	uint64_t who[RATES];
};

/* caller may be NULL. */
void	bound_client_set(struct bound_client *client,
	    const struct tenant *tenant, text address,
	    const struct caller *caller);
/* Afterwards: it signed in. */
void	bound_client_become(struct bound_client *client,
	    const struct caller *caller);
bool	bound_connection(const struct bound_client *client, unsigned slot,
	    const struct conf *conf, struct bound_held *held_out);
bool	bound_subscription(const struct bound_client *client, unsigned slot,
	    const struct conf *conf, struct bound_held *held_out);
void	bound_end(struct bound_held *held, unsigned slot);
bool	bound_message(const struct bound_client *client,
	    const struct conf *conf, int64_t now_s, int64_t *reset_s_out);

#endif
