/* SPDX-License-Identifier: MIT */
/*
 * What operators ask on admin_listen: /metrics for Prometheus, /status for
 * people and scripts. Both read the shared segment, so one worker answers
 * for all processes.
 *
 * Holds always:
 *  1. A counter is the sum over all slots, the dead ones' included, so it
 *     never falls; a gauge is told for each living process.
 *  2. Names are partyline_<row of tbl/counters.h>, _total behind counters,
 *     _seconds behind histograms.
 */
#ifndef TRANSPORT_ADMIN_H
#define TRANSPORT_ADMIN_H

#include "core/op.h"

void	operation_metrics(struct op *op);
void	operation_status(struct op *op);

#endif
