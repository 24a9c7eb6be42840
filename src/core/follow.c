/* SPDX-License-Identifier: MIT */
/*
 * Followers from their admission to their end.
 */
#include "core/follow.h"

#include <utlist.h>

#include "base/log.h"
#include "base/stamp.h"
#include "core/act.h"
#include "core/feed.h"
#include "core/tenant.h"
#include "core/ticket.h"
#include "core/who.h"
#include "plat/loop.h"

struct follows {
	unsigned	 magic;
#define FOLLOWS_MAGIC 0x666f6c73
	struct service	*service;
	struct follow	*first;
	struct follow	*next;		/* of the walk at hand */
	struct timer	 look;
	struct timer	 drain;
	int64_t		 drain_until_ms;
	bool		 is_draining;
};

/* --- admission -------------------------------------------------------- */

text
follow_stream(struct op *op)
{
	text tenant, stream;

	/* "1 session:17" */
	must(text_cut(act_stream(op), ' ', &tenant, &stream));
	return (stream);
}

static text
cursor_text(const struct op *op)
{
	return (op->last_event_id.len > 0 ? op->last_event_id :
	    op_input(op, "since"));
}

void
follow_admit(struct op *op, void (*begin)(struct op *op))
{
	text given = cursor_text(op), ticket = op_input(op, "ticket");
	struct cursor cursor;

	if (given.at != NULL && !cursor_read(given, &cursor)) {
		op_fail_saying(op, ERR_input_invalid, TEXT("Last-Event-ID "
		    "must be a number, or an epoch, a colon and a number"),
		    TEXT("{\"field\":\"Last-Event-ID\"}"));
		return;
	}
	if (ticket.at != NULL)
		ticket_use(op, follow_stream(op), ticket, begin);
	else
		begin(op);
}

/* --- a follower ------------------------------------------------------- */

static void
on_gone(struct op *op)
{
	struct follow *follow = object_cast(struct follow, FOLLOW_MAGIC,
	    op->held_by);

	follow_close(follow);
	follow->acts->gone(follow);
}

static void
on_room(struct op *op)
{
	struct follow *follow = object_cast(struct follow, FOLLOW_MAGIC,
	    op->held_by);

	hub_room(&follow->sub);
}

/* false: op was failed. */
static bool
is_within_bounds(struct op *op, struct bound_held *connection,
    struct bound_held *subscription)
{
	const struct service *service = op->ground->service;
	struct bound_client client;

	bound_client_set(&client, op->tenant, op->client_address, op->caller);
	if (!bound_connection(&client, service->slot, service->conf,
	    connection)) {
		op_fail(op, ERR_too_many_caller_connections);
		return (false);
	}
	if (bound_subscription(&client, service->slot, service->conf,
	    subscription))
		return (true);
	bound_end(connection, service->slot);
	op_fail(op, ERR_too_many_subscriptions);
	return (false);
}

bool
follow_begin(struct follow *follow, struct op *op,
    const struct follow_acts *acts, void *owner)
{
	static const struct op_holder holder = { on_gone, on_room };
	struct follows *follows = op->ground->service->follows;
	struct bound_held connection, subscription;

	if (!is_within_bounds(op, &connection, &subscription))
		return (false);
	if (!op_hold(op, &holder, follow)) {
		bound_end(&connection, follows->service->slot);
		bound_end(&subscription, follows->service->slot);
		return (false);
	}
	*follow = (struct follow){ .magic = FOLLOW_MAGIC,
	    .follows = follows, .op = op, .acts = acts, .owner = owner,
	    .connection = connection, .subscription = subscription };
	subscription_init(&follow->sub, &acts->sub);
	DL_APPEND(follows->first, follow);
	if (!timer_is_set(&follows->look))
		timer_set(loop_timers(follows->service->loop),
		    &follows->look, FOLLOW_LOOK_MS);
	return (true);
}

void
follow_join(struct follow *follow)
{
	struct op *op = follow->op;
	text given = cursor_text(op);
	struct cursor cursor = { .kind = CURSOR_NONE };

	if (given.at != NULL)
		must(cursor_read(given, &cursor));
	hub_join(feed_hubs(follow->follows->service->feed), op->tenant->id,
	    follow_stream(op), &follow->sub, &cursor);
}

void
follow_close(struct follow *follow)
{
	object_check(follow, FOLLOW_MAGIC);
	hub_leave(&follow->sub);
	bound_end(&follow->connection, follow->follows->service->slot);
	bound_end(&follow->subscription, follow->follows->service->slot);
	if (follow->follows->next == follow)
		follow->follows->next = follow->next;
	DL_DELETE(follow->follows->first, follow);
	follow->magic = 0;
}

/* --- until when ------------------------------------------------------- */

static bool
has_ended(const struct follow *follow, int64_t now_s, enum follow_end *why)
{
	const struct service *service = follow->follows->service;
	const struct caller *caller = follow->op->caller;
	const struct tenant *tenant;

	if (caller == NULL) {
		tenant = tenant_by_id(service->tenants,
		    follow->op->tenant->id);
		*why = FOLLOW_NOT_PUBLIC;
		/* Of a tenant that is no more the hub tells. */
		return (tenant != NULL && !tenant->public_read);
	}
	*why = caller->exp <= now_s ? FOLLOW_EXPIRED : FOLLOW_REVOKED;
	return (caller->exp <= now_s || who_is_revoked(service->who, caller));
}

/* Any may end in a walk, and take others with it. */
static struct follow *
walk_on(struct follows *follows)
{
	struct follow *follow = follows->next;

	if (follow != NULL)
		follows->next = follow->next;
	return (follow);
}

static void
on_look(struct follows *follows)
{
	int64_t now_ms = clock_ms(), now_s = stamp_now() / 1000;
	struct follow *follow;
	enum follow_end why;

	follows->next = follows->first;
	while ((follow = walk_on(follows)) != NULL) {
		if (has_ended(follow, now_s, &why))
			follow->acts->end(follow, why);
		else if (follow->acts->look != NULL)
			follow->acts->look(follow, now_ms);
	}
	if (follows->first != NULL)
		timer_set(loop_timers(follows->service->loop),
		    &follows->look, FOLLOW_LOOK_MS);
}

/*
 * Of those that last as many as are due by now, so that all are told when
 * the time is over; who still comes is told then, too.
 */
static void
on_drain(struct follows *follows)
{
	int64_t left_ms = follows->drain_until_ms - clock_ms();
	int64_t turns = left_ms > FOLLOW_DRAIN_MS ?
	    left_ms / FOLLOW_DRAIN_MS : 1;
	struct follow *follow;
	int64_t count = 0, due;

	DL_FOREACH(follows->first, follow)
		count += follow->acts->is_lasting;
	due = (count + turns - 1) / turns;
	follows->next = follows->first;
	while ((follow = walk_on(follows)) != NULL)
		if (!follow->acts->is_lasting || due-- > 0)
			follow->acts->end(follow, FOLLOW_DRAINS);
	timer_set(loop_timers(follows->service->loop), &follows->drain,
	    FOLLOW_DRAIN_MS);
}

void
follows_drain(struct follows *follows, int64_t spread_ms)
{
	object_check(follows, FOLLOWS_MAGIC);
	if (follows->is_draining)
		return;
	follows->is_draining = true;
	follows->drain_until_ms = clock_ms() + spread_ms;
	on_drain(follows);
}

bool
follows_are_draining(const struct follows *follows)
{
	return (follows->is_draining);
}

struct follows *
follows_create(struct service *service)
{
	struct follows *follows = object_create(struct follows,
	    FOLLOWS_MAGIC);

	follows->service = service;
	timer_init(&follows->look, on_look, follows);
	timer_init(&follows->drain, on_drain, follows);
	return (follows);
}

void
follows_destroy(struct follows **given)
{
	struct follows *follows = *given;

	*given = NULL;
	if (follows == NULL)
		return;
	object_check(follows, FOLLOWS_MAGIC);
	must(follows->first == NULL);
	timer_stop(loop_timers(follows->service->loop), &follows->look);
	timer_stop(loop_timers(follows->service->loop), &follows->drain);
	object_free(&follows);
}
