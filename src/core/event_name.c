/* SPDX-License-Identifier: MIT */
/*
 * Names of events.
 */
#include "core/event_name.h"

#define KIND_NUMBERED	   true
#define KIND_NUMBERED_FLAT true
#define KIND_LIVE	   false

static const struct {
	const char	*type;
	bool		 is_numbered;
} events[] = {
#define EVENT(name, type, stream, kind, text) { type, KIND_##kind },
#include "tbl/events.h"
#undef EVENT
};
#define EVENTS (sizeof events / sizeof events[0])

static bool
is_sign(char c)
{
	return ((c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
	    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
}

bool
event_name_is_custom(text type)
{
	const text begin = TEXT("custom.");

	if (!text_begins(type, begin) || type.len == begin.len)
		return (false);
	for (size_t i = begin.len; i < type.len; i++)
		if (!is_sign(type.at[i]))
			return (false);
	return (true);
}

bool
event_name_is_numbered(text type)
{
	if (event_name_is_custom(type))
		return (type.len <= EVENT_NAME_MAX);
	for (size_t i = 0; i < EVENTS; i++)
		if (events[i].is_numbered &&
		    text_is(type, text_of(events[i].type)))
			return (true);
	return (false);
}
