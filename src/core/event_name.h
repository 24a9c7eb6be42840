/* SPDX-License-Identifier: MIT */
/*
 * What events are called: those of tbl/events.h that have a number, and what
 * clients make up as custom.<name>.
 *
 * Holds always:
 *  1. A name that passes has only letters, digits, dots, - and _.
 *
 *	if (event_name_is_numbered(type)) ...
 */
#ifndef CORE_EVENT_NAME_H
#define CORE_EVENT_NAME_H

#include <stdbool.h>

#include "base/text.h"

#define EVENT_NAME_MAX 64

/* custom.<name>, and nothing of it is missing. */
bool	event_name_is_custom(text type);
/* What streams keep, and so what can be sent to webhooks. */
bool	event_name_is_numbered(text type);

#endif
