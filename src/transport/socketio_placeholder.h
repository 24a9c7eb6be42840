/* SPDX-License-Identifier: MIT */
/*
 * Where the attachments of a packet stand in its JSON: finding
 * {"_placeholder":true,"num":0}, however it is written.
 *
 * Holds always:
 *  1. What a client's reader takes for a placeholder is found, be its keys
 *     spelled with escapes; one with other members, twice the same ones, or
 *     a number that is no index is BAD.
 *  2. They are found in the order of the text, and do not overlap.
 *
 *	placeholders_begin(&found, values);
 *	while (placeholders_next(&found) == PLACEHOLDER_FOUND)
 *		... found.num stands at found.at ...
 */
#ifndef TRANSPORT_SOCKETIO_PLACEHOLDER_H
#define TRANSPORT_SOCKETIO_PLACEHOLDER_H

#include "core/json.h"

enum placeholder { PLACEHOLDER_NONE, PLACEHOLDER_FOUND, PLACEHOLDER_BAD };

/* An object or array around what is looked at. */
struct placeholder_level {
	bool		 is_object;
	bool		 is_marked;	/* has "_placeholder": true */
	bool		 has_num;	/* one that is an index */
	unsigned	 members;
	unsigned	 num;
	text		 digits;
};

struct placeholders {
	/* What was found. */
	text		 at;		/* the digits */
	unsigned	 num;
	/* Its own. */
	const char	*next, *end;
	unsigned	 depth;
	struct placeholder_level levels[JSON_CARRIED_DEPTH_MAX + 1];
};

/* values: as of carried_next, from what passed json_in_may_be_carried. */
void	placeholders_begin(struct placeholders *found, text values);
/* After NONE and BAD there is no more. */
enum placeholder placeholders_next(struct placeholders *found);

#endif
