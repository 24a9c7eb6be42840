/* SPDX-License-Identifier: MIT */
/*
 * Is the server up? Three answers to three questions: /health as today's
 * clients ask it, /livez whether the process answers at all, /readyz whether
 * the server can do its work, with each part's state.
 *
 * Holds always:
 *  1. /health and /livez look at nothing, so that a broken part never makes
 *     an orchestrator restart what is not broken.
 *  2. Without PostgreSQL there is nothing that can be done: 503. Without any
 *     other part the server does less: 200, and the part is named.
 */
#ifndef CORE_HEALTH_H
#define CORE_HEALTH_H

#include "core/op.h"

void	operation_health(struct op *op);
void	operation_livez(struct op *op);
void	operation_readyz(struct op *op);

#endif
