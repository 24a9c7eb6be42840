/* SPDX-License-Identifier: MIT */
/*
 * Who accepts from which ordinal's sockets.
 *
 * An ordinal's own worker does, if it is ready. While there is none (dead,
 * pausing, out of descriptors, or removed by a smaller `workers`), a sibling
 * adopts its sockets, so that nothing waits in them unanswered.
 */
#include "role/server.h"

#include <utlist.h>

#include "base/log.h"
#include "base/stamp.h"
#include "plat/channel.h"

static struct child *
child_of_slot(const struct server *server, unsigned slot)
{
	struct child *child;

	DL_FOREACH(server->children, child)
		if (child->slot == slot)
			return (child);
	return (NULL);
}

static bool
may_accept(const struct child *child)
{
	return (child->role == ROLE_WORKER && child->state == CHILD_READY &&
	    !child->is_full);
}

static unsigned
load_of(const struct server *server, const struct child *child)
{
	unsigned load = 0;

	for (unsigned i = 0; i < server->listeners.open; i++)
		load += server->acceptor[i] == child->slot;
	return (load);
}

/*
 * The child that should accept for an ordinal: its own, while a reload goes
 * on the newer; else who does already; else the sibling with the least.
 */
static struct child *
best_acceptor(const struct server *server, unsigned ordinal)
{
	struct child *child, *old = NULL, *sibling = NULL, *present;
	unsigned least = UINT32_MAX;

	DL_FOREACH(server->children, child) {
		unsigned load;

		if (!may_accept(child))
			continue;
		if (child->ordinal == ordinal && child->post != NULL)
			return (child);
		if (child->ordinal == ordinal)
			old = child;
		/* One that is about to be replaced only in need. */
		load = load_of(server, child) +
		    (child->post == NULL ? 2 * ORDINALS_MAX : 0);
		if (load < least) {
			least = load;
			sibling = child;
		}
	}
	if (old != NULL && ordinal <= server->workers)
		return (old);
	present = child_of_slot(server, server->acceptor[ordinal - 1]);
	if (present != NULL && may_accept(present) &&
	    (present->post != NULL || sibling->post == NULL))
		return (present);
	return (sibling);
}

/* Tells a child to accept, or no longer, from all sockets of an ordinal. */
static void
tell(struct server *server, struct child *child, enum channel_word word,
    unsigned ordinal)
{
	for (unsigned i = 0; i < server->listeners.count; i++) {
		const struct listener *listener = &server->listeners.each[i];
		int fd = listener_fd(listener, ordinal);
		struct channel_message message = { .word = word,
		    .kind = listener->kind, .listener = i,
		    .ordinal = ordinal, .is_shared = listener->is_shared };

		/* A shared socket is its own workers' only, not adopted. */
		if (fd >= 0 && (!listener->is_shared ||
		    ordinal == child->ordinal))
			channel_send(child->channel, &message,
			    word == CHANNEL_ACCEPT ? fd : -1);
	}
}

void
ordinals_assign(struct server *server)
{
	for (unsigned i = 0; i < server->listeners.open; i++) {
		struct child *best = best_acceptor(server, i + 1);
		struct child *was = child_of_slot(server,
		    server->acceptor[i]);

		if (best == NULL || best == was)
			continue;
		server->acceptor[i] = best->slot;
		tell(server, best, CHANNEL_ACCEPT, i + 1);
		if (best->ordinal != i + 1 && server->has_said_ready)
			log_info("worker accepts for a missing one",
			    F("ordinal", best->ordinal), F("missing", i + 1));
		/* Both may accept for a moment; neither loses anything. */
		if (was != NULL && was->state == CHILD_READY)
			tell(server, was, CHANNEL_RELEASE, i + 1);
	}
}

void
ordinals_forget(struct server *server, const struct child *child)
{
	for (unsigned i = 0; i < ORDINALS_MAX; i++)
		if (server->acceptor[i] == child->slot)
			server->acceptor[i] = NOBODY;
}

void
ordinals_close_dry(struct server *server)
{
	struct listeners *listeners = &server->listeners;

	if (listeners->open == listeners->ordinals ||
	    !listeners_are_dry(listeners))
		return;
	for (unsigned i = listeners->ordinals; i < listeners->open; i++) {
		struct child *child = child_of_slot(server,
		    server->acceptor[i]);

		if (child != NULL && child->state == CHILD_READY)
			tell(server, child, CHANNEL_RELEASE, i + 1);
		server->acceptor[i] = NOBODY;
	}
	log_info("removed listening sockets closed",
	    F("count", listeners->open - listeners->ordinals));
	listeners_close_removed(listeners);
}
