/* SPDX-License-Identifier: MIT */
/*
 * A poll gathers what its subscription is told, and looks at the end of each
 * turn whether that is an answer.
 */
#include "core/poll.h"

#include "base/conf.h"
#include "base/count.h"
#include "base/json_out.h"
#include "core/follow.h"
#include "plat/loop.h"

#define LIMIT 100		/* where none was given */

struct poll {
	unsigned	 magic;
#define POLL_MAGIC 0x706f6c6c
	struct follow	 follow;
	struct timer	 due;
	int64_t		 until_ms;	/* wait is over */
	int64_t		 patience_ms;	/* the log should have answered */
	unsigned	 limit;
	unsigned	 count;
	unsigned	 size;
	struct event	**events;
	unsigned	 numbered;	/* of the events */
	struct hub_epoch epoch;
	uint64_t	 head;
	struct buf	 resync;
	bool		 has_resync;
	bool		 has_ended;	/* the hub let it go */
	enum hub_end	 why;
};

static struct poll *
poll_of(struct subscription *sub)
{
	return (object_cast(struct poll, POLL_MAGIC, follow_of(sub)->owner));
}

static struct timers *
timers_of(struct poll *poll)
{
	return (loop_timers(poll->follow.op->ground->service->loop));
}

/* --- what it is told -------------------------------------------------- */

/* When all of this turn is there. */
static void
look_soon(struct poll *poll)
{
	timer_set(timers_of(poll), &poll->due, 0);
}

static void
note_place(struct poll *poll, text epoch, uint64_t head)
{
	must(epoch.len <= sizeof poll->epoch.at);
	poll->epoch.len = (uint8_t)epoch.len;
	memcpy(poll->epoch.at, epoch.at, epoch.len);
	poll->head = head;
}

static void
take_resync(struct poll *poll, struct hub_resync *resync)
{
	poll->has_resync = true;
	buf_add(&poll->resync, resync->body);
	hub_leave(&poll->follow.sub);
}

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	struct poll *poll = poll_of(sub);

	(void)recovered;
	note_place(poll, epoch, head);
	if (resync != NULL)
		take_resync(poll, resync);
	look_soon(poll);
}

static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	struct poll *poll = poll_of(sub);

	if (poll->numbered == 0) {
		note_place(poll, epoch, head);
		take_resync(poll, resync);
	} else
		/* It comes with the next one, whose cursor is the old one. */
		hub_leave(sub);
	look_soon(poll);
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	struct poll *poll = poll_of(sub);

	if (poll->count == poll->size) {
		poll->size = poll->size == 0 ? 4 : 2 * poll->size;
		poll->events = mem_resize(poll->events,
		    poll->size * sizeof *poll->events);
	}
	poll->events[poll->count++] = event_share(event);
	if (event->seq > 0) {
		poll->numbered++;
		if (event->seq > poll->head)
			poll->head = event->seq;
	}
	if (poll->count == poll->limit)
		hub_leave(sub);
	look_soon(poll);
}

static void
on_ended(struct subscription *sub, enum hub_end why)
{
	struct poll *poll = poll_of(sub);

	poll->has_ended = true;
	poll->why = why;
	look_soon(poll);
}

static bool
on_has_room(struct subscription *sub)
{
	(void)sub;
	/* Who has all that it may have is out. */
	return (true);
}

/* --- answering -------------------------------------------------------- */

static void
destroy(struct poll *poll)
{
	timer_stop(timers_of(poll), &poll->due);
	for (unsigned i = 0; i < poll->count; i++)
		event_give(&poll->events[i]);
	mem_free(poll->events);
	buf_fini(&poll->resync);
	GAUGE_ADD(polls_waiting, -1);
	object_free(&poll);
}

/* Its op, with nothing of ours. */
static struct op *
let_go(struct poll *poll)
{
	struct op *op = poll->follow.op;

	follow_close(&poll->follow);
	destroy(poll);
	return (op);
}

static text
write_answer(struct poll *poll)
{
	struct op *op = poll->follow.op;
	struct json_out json;
	struct buf body;
	text answer;

	buf_init(&body, BUF_NO_LIMIT);
	json_out_init(&json, &body);
	json_object_begin(&json);
	json_key(&json, "stream");
	json_text(&json, follow_stream(op));
	json_key(&json, "epoch");
	json_text(&json, text_from(poll->epoch.at, poll->epoch.len));
	json_key(&json, "head");
	json_int(&json, (int64_t)poll->head);
	json_key(&json, "events");
	json_array_begin(&json);
	for (unsigned i = 0; i < poll->count && !poll->has_resync; i++)
		json_raw(&json, poll->events[i]->envelope);
	json_array_end(&json);
	if (poll->has_resync) {
		json_key(&json, "resync");
		json_raw(&json, buf_text(&poll->resync));
	}
	json_object_end(&json);
	answer = op_keep(op, buf_text(&body));
	buf_fini(&body);
	return (answer);
}

static void
reply(struct poll *poll)
{
	text body = write_answer(poll);

	op_reply(let_go(poll), 200, body);
}

static void
fail(struct poll *poll, enum err err)
{
	op_fail(let_go(poll), err);
}

static void
settle_ended(struct poll *poll)
{
	bool is_session = text_begins(follow_stream(poll->follow.op),
	    TEXT("session:"));

	if (poll->count > 0)
		reply(poll);
	else if (poll->why == HUB_REFUSED)
		fail(poll, ERR_database_away);
	else
		fail(poll, is_session ? ERR_session_not_found :
		    ERR_not_found);
}

static void
on_due(struct poll *poll)
{
	bool is_live = poll->follow.sub.state == SUBSCRIPTION_LIVE;
	int64_t now_ms = loop_read_clock(
	    poll->follow.op->ground->service->loop);
	int64_t until_ms = is_live ? poll->until_ms : poll->patience_ms;

	if (poll->has_ended)
		settle_ended(poll);
	else if (poll->follow.sub.state == SUBSCRIPTION_OUT ||
	    (is_live && poll->count > 0))
		reply(poll);
	else if (now_ms < until_ms)
		timer_set(timers_of(poll), &poll->due, until_ms - now_ms);
	else if (is_live || poll->count > 0)
		reply(poll);
	else
		fail(poll, ERR_database_away);
}

/* --- from its beginning to its end ------------------------------------ */

static void
on_end(struct follow *follow, enum follow_end why)
{
	struct poll *poll = object_cast(struct poll, POLL_MAGIC,
	    follow->owner);

	switch (why) {
	case FOLLOW_DRAINS:
		/* As if it had not wanted to wait. */
		poll->until_ms = 0;
		follow->op->answer.has_to_close = true;
		if (follow->sub.state == SUBSCRIPTION_LIVE)
			look_soon(poll);
		break;
	case FOLLOW_EXPIRED:
	case FOLLOW_REVOKED:
		fail(poll, ERR_invalid_token);
		break;
	case FOLLOW_NOT_PUBLIC:
		fail(poll, ERR_token_required);
		break;
	}
}

static void
on_gone(struct follow *follow)
{
	destroy(object_cast(struct poll, POLL_MAGIC, follow->owner));
}

static int64_t
number_given(const struct op *op, const char *name, int64_t otherwise)
{
	int64_t number;

	return (text_to_int64(op_input(op, name), 0, INT64_MAX, &number) ?
	    number : otherwise);
}

static void
begin(struct op *op)
{
	static const struct follow_acts acts = {
	    .sub = { on_deliver, on_subscribed, on_resync, on_ended,
	    on_has_room }, .end = on_end, .gone = on_gone };
	const struct service *service = op->ground->service;
	struct poll *poll = object_create(struct poll, POLL_MAGIC);
	int64_t now_ms = loop_arrival_us(service->loop) / 1000;

	if (!follow_begin(&poll->follow, op, &acts, poll)) {
		object_free(&poll);
		return;
	}
	poll->limit = (unsigned)number_given(op, "limit", LIMIT);
	poll->until_ms = now_ms + number_given(op, "wait", 0) * 1000;
	poll->patience_ms = now_ms + service->conf->db_timeout;
	if (follows_are_draining(service->follows)) {
		poll->until_ms = 0;
		op->answer.has_to_close = true;
	}
	buf_init(&poll->resync, BUF_NO_LIMIT);
	timer_init(&poll->due, on_due, poll);
	timer_set(timers_of(poll), &poll->due, service->conf->db_timeout);
	GAUGE_ADD(polls_waiting, 1);
	follow_join(&poll->follow);
}

void
operation_lobby_events(struct op *op)
{
	follow_admit(op, begin);
}

void
operation_session_events(struct op *op)
{
	follow_admit(op, begin);
}
