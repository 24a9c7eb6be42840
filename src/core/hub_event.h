/* SPDX-License-Identifier: MIT */
/*
 * One event as all subscribers of a worker share it: its envelope once, and
 * once more in the form of each transport that was asked for it.
 *
 *	event ─┬─ envelope: the JSON that SQL made
 *	       ├─ forms[EVENT_WS]: the frame that a thousand sockets send
 *	       ├─ forms[…]
 *	       └─ objects[…]: what is more than bytes
 *
 * Holds always:
 *  1. Only forms, objects and the type change after it was made: each is
 *     filled once, by whoever needs it first; told_us is core/lag's.
 *  2. The last holder's giving frees it, and gives forms and objects.
 *  3. A LIVE event has the number 0, which no stored event has.
 *
 *	event = event_create(epoch, seq, envelope);	... held once
 *	hub_hear(hub, epoch, seq, event);
 *	event_give(&event);
 *
 * In a transport, at each delivery:
 *	if (event->forms[EVENT_WS] == NULL)
 *		event->forms[EVENT_WS] = frame(event->envelope);
 *	queue(bytes_share(event->forms[EVENT_WS]));
 */
#ifndef CORE_HUB_EVENT_H
#define CORE_HUB_EVENT_H

#include "base/mem.h"
#include "base/text.h"

/* Which transport's bytes; what is in them is the transport's own affair. */
enum event_form {
	EVENT_WS,
	EVENT_WS_DEFLATED,
	EVENT_SSE,
	EVENT_FORMS
};

/* The same where it is an object of the transport's. */
enum event_object {
	EVENT_SOCKETIO,
	EVENT_SOCKETIO_OTHER,	/* in another dialect */
	EVENT_OBJECTS
};

struct event_owned {
	void		*at;		/* NULL: not made yet */
	void		(*give)(void *at);
};

struct event {
	unsigned	 magic;
#define EVENT_MAGIC 0x65766e74
	unsigned	 holders;
	uint64_t	 seq;		/* 0: LIVE */
	int64_t		 told_us;	/* 0: not to be measured */
	text		 epoch;
	text		 envelope;
	text		 type;		/* at NULL: nobody asked for it */
	struct bytes	*forms[EVENT_FORMS];
	struct event_owned objects[EVENT_OBJECTS];
	char		 at[];
};

/* Copies both texts. */
struct event	*event_create(text epoch, uint64_t seq, text envelope);
void		 event_give(struct event **event);
/* As the envelope has it, e.g. vote.received; empty where it has none. */
text		 event_type(struct event *event);
/* LIVE ones of the same stand in for each other: type and stream; never 0. */
uint64_t	 event_key(const struct event *event);

static inline struct event *
event_share(struct event *event)
{
	object_check(event, EVENT_MAGIC);
	event->holders++;
	return (event);
}

#endif
