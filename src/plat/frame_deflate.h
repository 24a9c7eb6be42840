/* SPDX-License-Identifier: MIT */
/*
 * What a client offers in Sec-WebSocket-Extensions, and what we answer: of
 * all extensions permessage-deflate alone (RFC 7692), without context
 * takeover in either direction.
 *
 * Holds always:
 *  1. The first offer that we can keep is taken. An offer with a parameter
 *     that is unknown, repeated or out of bounds is passed over, and the
 *     next is looked at.
 *  2. A window of ours smaller than DEFLATE_MESSAGE_BITS is not on offer; of
 *     the client's window we ask nothing.
 *
 *	struct frame_deflate deflate = { .is_on = false };
 *	frame_deflate_offer(&deflate, value);	each such header, in order
 *	if (deflate.is_on)
 *		answer with frame_deflate_answer(&deflate)
 */
#ifndef PLAT_FRAME_DEFLATE_H
#define PLAT_FRAME_DEFLATE_H

#include "base/text.h"

struct frame_deflate {
	bool	is_on;
	bool	has_window;	/* the client bounded ours, so we name it */
};

void	frame_deflate_offer(struct frame_deflate *deflate, text header);
/* The value of our header: Sec-WebSocket-Extensions. */
text	frame_deflate_answer(const struct frame_deflate *deflate);

#endif
