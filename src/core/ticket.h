/* SPDX-License-Identifier: MIT */
/*
 * Tickets: what a client that can send no header shows in place of its token,
 * once, for one stream, within a minute.
 *
 *	random text ──> its SHA-256 into the database (api.ticket_create)
 *	     └────────> the client ──> the stream's door (api.ticket_use)
 *
 * Holds always:
 *  1. The ticket itself is in the answer alone: neither kept nor logged, and
 *     a request that comes again gets another one.
 *  2. It opens what its maker could open, in his tenant, as he.
 */
#ifndef CORE_TICKET_H
#define CORE_TICKET_H

struct op;

void	operation_auth_ticket(struct op *op);

#endif
