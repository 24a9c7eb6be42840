/* SPDX-License-Identifier: MIT */
/*
 * Lines of a chat as clients send them, checked and written for SQL:
 *
 *	[{"username":…,"message":…,"timestamp":…,"moment":…},…]
 *
 * timestamp is what the client wrote, and moment what it means.
 *
 * Holds always:
 *  1. Every line of what passes has a name, a message and a moment, within
 *     the bounds below.
 *  2. What does not pass is named: the first line of them, its member, and
 *     what that has to be.
 */
#ifndef CORE_CHAT_H
#define CORE_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define CHAT_NAME_MAX	 100	/* characters */
#define CHAT_MESSAGE_MAX 2000

struct arena;
struct json_object;

struct chat_fault {
	const char	*member;	/* NULL: the line is no object */
	const char	*rule;
	size_t		 line;
};

/* lines: an array. The text is in the arena. false: *fault_out says why. */
bool	chat_read(struct json_object *lines, struct arena *arena,
	    text *out, struct chat_fault *fault_out);

#endif
