/* SPDX-License-Identifier: MIT */
/*
 * Events that are shared by reference.
 */
#include "core/hub_event.h"

#include "core/json.h"

struct event *
event_create(text epoch, uint64_t seq, text envelope)
{
	struct event *event = object_create_sized(sizeof *event +
	    epoch.len + envelope.len, EVENT_MAGIC);

	event->holders = 1;
	event->seq = seq;
	event->epoch = text_from(event->at, epoch.len);
	event->envelope = text_from(event->at + epoch.len, envelope.len);
	if (epoch.len > 0)
		memcpy(event->at, epoch.at, epoch.len);
	if (envelope.len > 0)
		memcpy(event->at + epoch.len, envelope.at, envelope.len);
	return (event);
}

void
event_give(struct event **given)
{
	struct event *event = *given;

	*given = NULL;
	if (event == NULL)
		return;
	object_check(event, EVENT_MAGIC);
	must(event->holders > 0);
	if (--event->holders > 0)
		return;
	for (unsigned i = 0; i < EVENT_FORMS; i++)
		bytes_give(&event->forms[i]);
	for (unsigned i = 0; i < EVENT_OBJECTS; i++)
		if (event->objects[i].at != NULL)
			event->objects[i].give(event->objects[i].at);
	object_free(&event);
}

text
event_type(struct event *event)
{
	text raw;

	if (event->type.at != NULL)
		return (event->type);
	event->type = TEXT("");
	/* Names of events have nothing in them that would be escaped. */
	if (json_in_raw(event->envelope, TEXT("type"), &raw) &&
	    raw.len >= 2 && raw.at[0] == '"')
		event->type = text_from(raw.at + 1, raw.len - 2);
	return (event->type);
}

uint64_t
event_key(const struct event *event)
{
	text head, rest, stream;
	uint64_t key = 0xcbf29ce484222325;

	text_cut(event->envelope, ',', &head, &rest);
	if (text_begins(rest, TEXT("\"stream\":"))) {
		text_cut(rest, ',', &stream, &rest);
		head.len += stream.len + 1;
	}
	for (size_t i = 0; i < head.len; i++)
		key = (key ^ (unsigned char)head.at[i]) * 0x100000001b3;
	return (key | 1);
}
