/* SPDX-License-Identifier: MIT */
/*
 * Long poll: the events of a stream behind a number, as one answer; and
 * where there are none yet, as soon as there are some.
 *
 *	GET …/events?since=k3:41&limit=100&wait=30
 *	{"stream":"session:17","epoch":"k3","head":43,"events":[{…42},{…43}]}
 *
 *	joins ──> replays up to limit ──> the end of the turn ──> answers
 *	              │ nothing there
 *	              └──> waits ──> the next event, or `wait` is over
 *
 * Who goes on asks behind the last number that he was given, or where there
 * was none behind `head`.
 *
 * Holds always:
 *  1. What is answered begins exactly behind `since`, is without gap, and is
 *     of the one epoch that the answer names.
 *  2. Where no number was given, the client is at `head`.
 *  3. `resync` comes alone; what happened before it was answered before.
 *  4. It is answered when `wait` is over, or if the log cannot be asked,
 *     db_timeout after it came.
 */
#ifndef CORE_POLL_H
#define CORE_POLL_H

#include "core/op.h"

void	operation_lobby_events(struct op *op);
void	operation_session_events(struct op *op);

#endif
