/* SPDX-License-Identifier: MIT */
/*
 * Clients of a hub, for its tests. Each checks all that it is told: numbers
 * follow one another, an event is the one that the epoch's log has under
 * that number, a state is that of its head, the caches were told before, and
 * what is said to be deleted was.
 */
#ifndef UNIT_HUB_CLIENT_H
#define UNIT_HUB_CLIENT_H

#include "hub_world.h"

static void __attribute__((format(printf, 2, 3)))
tell(struct client *client, const char *format, ...)
{
	struct buf *story = &world.stories[client->which];
	char words[80];
	va_list args;

	if (!world.keeps_story)
		return;
	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	if (story->len > 0)
		buf_add_string(story, ", ");
	buf_add_string(story, words);
}

static struct client *
client_of(struct subscription *sub)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (world.clients[i] != NULL && &world.clients[i]->sub == sub)
			return (world.clients[i]);
	must_never("a callback is for somebody who is there");
}

static void
forget_client(struct client *client)
{
	world.clients[client->which] = NULL;
	/* So that whoever still looks at it sees nonsense. */
	memset((void *)client, 0xa5, sizeof *client);
	mem_free(client);
}

static void
on_moment(struct client *client)
{
	if (world.on_moment != NULL)
		world.on_moment(client);
}

static bool
is_committed(unsigned epoch, uint64_t seq)
{
	return (seq == 0 || (seq <= NUMBERS && world.ids[epoch][seq] != 0));
}

static bool
is_in_caches(unsigned epoch, uint64_t seq)
{
	return (seq == 0 || (seq <= NUMBERS &&
	    world.ids[epoch][seq] <= world.told));
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	struct client *client = client_of(sub);
	unsigned id;

	wrong_unless(client->is_told, "an event before subscribed");
	if (event->seq == 0) {
		tell(client, "live");
		wrong_unless(sub->state == SUBSCRIPTION_LIVE,
		    "a live event for who is not");
		world.tally.live++;
		on_moment(client);
		return;
	}
	tell(client, "%u", (unsigned)event->seq);
	memcpy(&id, event->envelope.at, sizeof id);
	wrong_unless(epoch_number(event->epoch) == client->epoch,
	    "an event of another epoch");
	wrong_unless(event->seq > client->last, "a number again");
	wrong_unless(event->seq <= client->last + 1, "a gap");
	wrong_unless(is_committed(client->epoch, event->seq) &&
	    world.ids[client->epoch][event->seq] == id,
	    "another event than the log's");
	wrong_unless(id <= world.told, "delivered before the caches knew");
	client->last = event->seq;
	if (sub->state == SUBSCRIPTION_LIVE)
		world.tally.delivered++;
	else
		world.tally.replayed++;
	on_moment(client);
}

static void
check_head(unsigned epoch, uint64_t head, const struct hub_resync *resync)
{
	char state[16];

	wrong_unless(is_committed(epoch, head), "a head that never was");
	wrong_unless(is_in_caches(epoch, head), "told before the caches knew");
	if (resync == NULL)
		return;
	snprintf(state, sizeof state, "e%u:%u", epoch, (unsigned)head);
	wrong_unless(text_is(resync->body, text_of(state)),
	    "a state that is not the head's");
	world.tally.resyncs++;
}

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	struct client *client = client_of(sub);
	const struct cursor *cursor = &client->cursor;

	tell(client, "%s e%u:%u", resync != NULL ? "anew" : recovered ?
	    "again" : "at", epoch_number(epoch), (unsigned)head);
	wrong_unless(!client->is_told, "subscribed twice");
	client->is_told = true;
	client->epoch = epoch_number(epoch);
	client->last = head;
	check_head(client->epoch, head, resync);
	if (resync == NULL && cursor->kind != CURSOR_NONE) {
		wrong_unless(recovered, "a cursor that is not heeded");
		wrong_unless(cursor->kind == CURSOR_NUMBER ||
		    epoch_number(cursor->epoch) == client->epoch,
		    "recovered in another epoch");
		wrong_unless(cursor->seq <= head,
		    "recovered from above the head");
		client->last = cursor->seq;
	} else
		wrong_unless(!recovered, "recovered from nothing");
	on_moment(client);
}

static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	struct client *client = client_of(sub);

	tell(client, "resync e%u:%u", epoch_number(epoch), (unsigned)head);
	wrong_unless(client->is_told, "resync before subscribed");
	client->epoch = epoch_number(epoch);
	client->last = head;
	check_head(client->epoch, head, resync);
	on_moment(client);
}

static void
on_ended(struct subscription *sub, enum hub_end why)
{
	static const char *const words[] = { "missing", "deleted",
	    "refused" };
	struct client *client = client_of(sub);
	unsigned which = client->which;

	tell(client, "%s", words[why]);
	if (why == HUB_REFUSED)
		wrong_unless(world.is_failing, "refused without a failure");
	else {
		wrong_unless(world.missing >= client->joined,
		    "deleted, and it was there all the time");
		wrong_unless((why == HUB_DELETED) == client->is_told,
		    "deleted and missing are not the same");
		world.tally.deleted++;
	}
	forget_client(client);
	/* Who is refused must not come again at once. */
	if (world.on_gone != NULL && why != HUB_REFUSED)
		world.on_gone(which);
}

static bool
has_room(struct subscription *sub)
{
	return (!client_of(sub)->is_full);
}

static const struct subscription_acts client_acts = {
	.deliver = on_deliver, .subscribed = on_subscribed,
	.resync = on_resync, .ended = on_ended, .has_room = has_room };

static void
join(unsigned which, struct cursor cursor)
{
	struct client *client = mem_alloc(sizeof *client);

	must(world.clients[which] == NULL);
	world.clients[which] = client;
	client->which = which;
	client->joined = world.step;
	client->cursor = cursor;
	if (cursor.kind == CURSOR_PAIR) {
		memcpy(client->cursor_epoch, cursor.epoch.at,
		    cursor.epoch.len);
		client->cursor.epoch.at = client->cursor_epoch;
	}
	subscription_init(&client->sub, &client_acts);
	hub_join(world.hubs, 1, stream, &client->sub, &cursor);
}

static void
leave(unsigned which)
{
	struct client *client = world.clients[which];

	hub_leave(&client->sub);
	forget_client(client);
}

#endif
