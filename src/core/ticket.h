/* SPDX-License-Identifier: MIT */
/*
 * Tickets: what opens one stream once, for clients that cannot send headers.
 *
 *	POST /api/auth/ticket ──> 3f…9a.1700000000123.1700086400.6a74…
 *				  secret  the token's moment, end and id
 *	GET …?ticket=…        ──> its SHA-256 out of the database: the caller
 *
 * What it says of the token cannot be altered, as only the whole of it has
 * the hash; so what it opened ends with the token.
 *
 * Holds always:
 *  1. The ticket itself is nowhere but with its client.
 *  2. One that is wrong, used, too old or made for another stream looks like
 *     one that never was.
 *
 *	ticket_use(op, TEXT("session:17"), ticket, go_on);
 */
#ifndef CORE_TICKET_H
#define CORE_TICKET_H

#include "core/op.h"

/*
 * op->caller is who made it when go_on is called; else the op was failed. It
 * keeps what the op was lent of its name.
 */
void	ticket_use(struct op *op, text stream, text ticket,
	    void (*go_on)(struct op *op));

void	operation_auth_ticket(struct op *op);

#endif
