/* SPDX-License-Identifier: MIT */
/*
 * Option log_legacy: what the server before this one logged of an event, in
 * its words, for who looks for them.
 *
 *	legacy_written(row.body);		  [Sessions] Broadcasted …
 *	legacy_delivered(event->envelope, 3);	  [WebSocket] Broadcasted …
 *
 * Holds always: an envelope that tells of no session logs nothing.
 */
#ifndef CORE_LEGACY_H
#define CORE_LEGACY_H

#include "base/text.h"

/* By the process that wrote it. */
void	legacy_written(text envelope);
/* By each worker, of its own clients. */
void	legacy_delivered(text envelope, unsigned clients);

#endif
